import * as z from 'zod';
import { counted } from './counted.ts';
import { operation } from './operation.ts';
import { workspacePath } from './paths.ts';
import { endReason } from './processes.ts';
import { once } from './once.ts';

const MAX_TIMEOUT_MS = 24 * 60 * 60 * 1000;
const MAX_VALUE_LENGTH = 10_000;
const MAX_PARAMETERS = 1000;

const parameterName = once(() => z.string().regex(/^[a-z][a-z0-9_]{0,63}$/));

/** What a parameter may hold. None of these can become an option of the program: what begins with a dash is refused. */
const parameter = once(() =>
  z.discriminatedUnion('type', [
    z.object({
      type: z.literal('name'),
      pattern: z.string().max(500).optional().describe('A regular expression for the whole; by default letters, digits, `_`, `.` and `-`.'),
      default: z.string().optional(),
      text: z.string().optional(),
    }),
    z.object({
      type: z.literal('integer'),
      min: z.int().optional(),
      max: z.int().optional(),
      default: z.int().optional(),
      text: z.string().optional(),
    }),
    z.object({
      type: z.literal('choice'),
      choices: z.array(z.string().min(1)).min(1).max(1000),
      default: z.string().optional(),
      text: z.string().optional(),
    }),
    z.object({
      type: z.literal('path').describe('Of a file or folder of the workspace that is there.'),
      default: z.string().optional(),
      text: z.string().optional(),
    }),
    z.object({ type: z.literal('text').describe('Any text without NUL.'), default: z.string().optional(), text: z.string().optional() }),
    z.object({
      type: z.literal('switch').describe('Its `argument` is given to the program, or not.'),
      argument: z.string().min(1),
      default: z.boolean().optional(),
      text: z.string().optional(),
    }),
  ]),
);
export type DeployParameter = z.infer<ReturnType<typeof parameter>>;

export const deployProfile = once(() =>
  z.strictObject({
    summary: z.string().max(500).default(''),
    argv: z
      .tuple([z.string().min(1)], z.string())
      .describe(
        'The program and its arguments; `{name}` stands for a parameter. An argument that is only `{name}` is left out where the parameter has no value.',
      ),
    parameters: z.record(parameterName(), parameter()).default({}),
    path: workspacePath().default('').describe('The folder in which it runs.'),
    env: z.record(z.string(), z.string()).default({}),
    host: z.string().default('local').describe('`local`, or the name of an exec agent.'),
    timeoutMs: z.int().positive().max(MAX_TIMEOUT_MS).default(600_000),
    before: z.enum(['commit', 'checkpoint', 'none']).default('checkpoint').describe('What keeps the state of the folder that is deployed.'),
    rollback: z.boolean().default(false).describe('A failure is followed by a deployment of what last went well.'),
  }),
);
export type DeployProfile = z.infer<ReturnType<typeof deployProfile>>;

export const deployProfiles = once(() => z.record(z.string().regex(/^[a-z][a-z0-9-]{0,63}$/), deployProfile()));

const profileInfo = once(() =>
  z.object({
    name: z.string(),
    summary: z.string(),
    argv: z.array(z.string()),
    parameters: z.record(z.string(), parameter()),
    host: z.string(),
    timeoutMs: z.int(),
    before: z.enum(['commit', 'checkpoint', 'none']),
    rollback: z.boolean(),
  }),
);

const parameters = once(() =>
  counted(
    MAX_PARAMETERS,
    'parameters',
    z.record(parameterName(), z.union([z.string().max(MAX_VALUE_LENGTH), z.int(), z.boolean()])).default({}),
  ).describe('Values by name.'),
);

export const deployment = once(() =>
  z.object({
    id: z.string(),
    profile: z.string(),
    parameters: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    by: z.object({ name: z.string(), kind: z.enum(['person', 'agent', 'run', 'task', 'service']) }),
    state: z.enum(['preparing', 'running', 'succeeded', 'failed']),
    startedAt: z.int().describe('Milliseconds since 1970, UTC.'),
    endedAt: z.int().optional(),
    commit: z.string().nullable().describe('The commit that was deployed: a new one, or HEAD where nothing had changed.'),
    checkpoint: z.int().nullable().describe('The checkpoint of the folder as it was deployed.'),
    process: z.string().nullable().describe('processes.output has its whole log, as long as that is kept.'),
    exitCode: z.int().optional(),
    reason: endReason().optional(),
    error: z.string().optional().describe('Why it failed, in words.'),
    rollbackOf: z.string().optional().describe('The failed deployment that this one makes good.'),
  }),
);
export type Deployment = z.infer<ReturnType<typeof deployment>>;

const output = once(() =>
  z.object({
    deployment: z.string(),
    stream: z.enum(['stdout', 'stderr']),
    text: z.string(),
    lost: z.int().positive().optional().describe('Bytes of this stream before it that are not kept any more.'),
  }),
);

export const deploy = {
  'deploy.list': operation({
    summary: 'What can be deployed, and what was, newest first.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({ limit: z.int().positive().max(1000).default(50) }),
    output: () => z.object({ profiles: z.array(profileInfo()), deployments: z.array(deployment()) }),
    errors: [],
  }),
  'deploy.run': operation({
    summary:
      'Deploy, one at a time, and follow the output to the end. A program that fails is an answer: state `failed`, with the reason. It goes on when the caller is gone.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ profile: z.string().max(100), parameters: parameters() }),
    item: output,
    output: () => z.object({ deployment: deployment(), rollback: deployment().optional().describe('What followed the failure.') }),
    errors: ['NO_PROFILE', 'DEPLOY_BUSY', 'BAD_INPUT', 'FILE_NOT_FOUND', 'TOO_MANY_PROCESSES'],
  }),
  'deploy.rollback': operation({
    summary:
      'Make the folder what it was at a deployment that went well, and deploy that again. The folder as it is now stays as a checkpoint.',
    access: 'execute',
    scope: 'workspace',
    destructive: true,
    input: () => z.object({ to: z.string().describe('A deployment that succeeded.') }),
    item: output,
    output: () => z.object({ deployment: deployment() }),
    errors: ['NO_DEPLOYMENT', 'NO_PROFILE', 'DEPLOY_BUSY', 'TOO_MANY_PROCESSES', 'BAD_INPUT', 'FILE_NOT_FOUND', 'PART_OFF'],
  }),
  'deploy.cancel': operation({
    summary: 'End the deployment that is under way, in whatever step it is. Answers when it ended.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ id: z.string() }),
    output: () => z.object({ deployment: deployment() }),
    errors: ['NO_DEPLOYMENT'],
  }),
  'deploy.follow': operation({
    summary: 'The output of deployments: of the last one, and then of each that comes, until the caller goes.',
    access: 'read',
    scope: 'workspace',
    endless: true,
    input: () =>
      z.object({
        profiles: z.array(z.string().max(100)).max(100).optional().describe('Only of these.'),
        last: z.int().nonnegative().max(1_000_000).default(64_000).describe('About so many bytes of what was written before.'),
      }),
    item: () =>
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('deployment'), deployment: deployment() }),
        z.object({ type: z.literal('output'), ...output().shape }),
      ]),
    output: () => z.object({}),
    errors: [],
  }),
};
