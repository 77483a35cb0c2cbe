import * as z from 'zod';
import { accessLevels } from './access.ts';
import { operation } from './operation.ts';
import { workspacePath } from './paths.ts';
import { once } from './once.ts';

const check = once(() =>
  z.object({
    name: z.string(),
    ok: z.boolean(),
    text: z.string(),
    hint: z.string().optional(),
  }),
);

const access = once(() => z.enum(accessLevels));

const token = once(() =>
  z.object({
    id: z.string(),
    name: z.string(),
    kind: z.enum(['person', 'agent', 'service']),
    access: access(),
    paths: z.array(z.string()).optional(),
    created: z.int(),
    expires: z.int().nullable(),
    revoked: z.boolean(),
  }),
);

export const system = {
  'system.info': operation({
    summary: 'What this sidecar is, which folder, what the caller may do.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () =>
      z.object({
        name: z.literal('outrigger'),
        version: z.string(),
        wire: z.int(),
        workspace: z.object({
          id: z.string(),
          name: z.string(),
          root: z.string().optional().describe('Only for callers with admin access.'),
        }),
        cursor: z.string(),
        components: z.array(z.string()),
        linked: z.boolean().describe('Whether it has a link to a hub, and so may hold tasks.'),
        caller: z.object({
          id: z.string(),
          name: z.string(),
          kind: z.string(),
          shared: z.boolean().describe('Whether several may hold the token, who name themselves.'),
          access: access(),
          paths: z.array(z.string()).optional(),
        }),
        readOnly: z.string().optional().describe('Why nobody can write here, when that is so.'),
        startedAt: z.int(),
        limits: z.record(z.string(), z.number()),
      }),
    errors: [],
  }),
  'system.health': operation({
    summary: 'Each part, how it is, and what would help.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () =>
      z.object({
        ready: z.boolean(),
        status: z.enum(['starting', 'ok', 'degraded', 'stopping']),
        checks: z.array(check()),
        uptimeMs: z.int(),
        memoryBytes: z.int().describe('Resident; 0 where the system does not say it, as without /proc.'),
        connections: z.int(),
      }),
    errors: [],
  }),
  'system.doctor': operation({
    summary: 'Tools found, bundled or missing, what is lost without them, and how to install them.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () =>
      z.object({
        tools: z.array(
          z.object({
            tool: z.string(),
            found: z.boolean(),
            version: z.string().optional(),
            source: z.enum(['path', 'bundled', 'missing']),
            lost: z.string().optional(),
            install: z.string().optional(),
          }),
        ),
        checks: z.array(check()),
      }),
    errors: [],
  }),
  'tokens.create': operation({
    summary: 'Make a token with a level, paths and an end. Its secret is shown once.',
    access: 'admin',
    scope: 'workspace',
    input: () =>
      z.object({
        name: z.string().min(1).max(100),
        kind: z.enum(['person', 'agent', 'service']).default('person'),
        access: access(),
        paths: z.array(workspacePath()).min(1).max(100).optional(),
        expiresInS: z
          .int()
          .positive()
          .max(10 * 365 * 86_400)
          .optional()
          .describe('Seconds from now; without it the token holds until revoked.'),
      }),
    output: () => token().extend({ secret: z.string() }),
    errors: ['TOO_MANY'],
  }),
  'tokens.rotate': operation({
    summary: 'Replace the main token; everybody who used the old one is cut. The new one is shown once.',
    access: 'admin',
    scope: 'workspace',
    input: () => z.object({}),
    output: () => z.object({ secret: z.string() }),
    errors: ['BAD_INPUT'],
  }),
  'tokens.list': operation({
    summary: 'Tokens that were made, without their secrets.',
    access: 'admin',
    scope: 'workspace',
    input: () => z.object({}),
    output: () => z.object({ tokens: z.array(token()) }),
    errors: [],
  }),
  'tokens.revoke': operation({
    summary: 'End a token at once; connections that use it are closed.',
    access: 'admin',
    scope: 'workspace',
    input: () => z.object({ id: z.string() }),
    output: () => z.object({ revoked: z.boolean(), connections: z.int().describe('How many live connections were closed.') }),
    errors: ['NOT_FOUND'],
  }),
};
