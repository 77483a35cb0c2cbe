import * as z from 'zod';
import { gitErrors, gitOutcome, gitTreeErrors, gitWriteErrors } from './git-schemas.ts';
import { operation } from './operation.ts';
import { workspacePath } from './paths.ts';
import { once } from './once.ts';

const name = once(() => z.string().min(1).max(250));
const url = once(() =>
  z.string().min(1).max(2000).describe('https, http, ssh, git@host:path, or file:// inside of the workspace. Without a password in it.'),
);

const credentials = once(() =>
  z
    .object({
      username: z.string().min(1).max(1000).default('git').describe('With a token, most hosts take any name.'),
      password: z.string().min(1).max(10_000).describe('A password or a token.'),
    })
    .optional()
    .describe('For http and https, for this call alone: kept nowhere.'),
);

const progress = once(() =>
  z.object({
    phase: z.string().describe('As git names it, e.g. "Receiving objects".'),
    done: z.int(),
    total: z.int().nullable(),
    percent: z.int().nullable(),
  }),
);

const updated = once(() =>
  z.array(
    z.object({
      ref: z.string(),
      from: z.string().nullable().describe('null: it is new.'),
      to: z.string().nullable().describe('null: it is gone.'),
    }),
  ),
);

const networkErrors = ['GIT_CREDENTIALS', 'FILE_PERMISSION'] as const;

export const gitRemotes = {
  'git.remotes': operation({
    summary: 'The other repositories that this one knows. Passwords in their addresses are not shown.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({}),
    output: () => z.object({ remotes: z.array(z.object({ name: z.string(), fetchUrl: z.string(), pushUrl: z.string() })) }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT'],
  }),
  'git.remote': operation({
    summary: 'Add a remote, give it another address, or remove it.',
    access: 'execute',
    scope: 'workspace',
    destructive: true,
    input: () =>
      z.object({ action: z.enum(['add', 'set', 'remove']).default('add'), name: name().default('origin'), url: url().optional() }),
    output: () => z.object({ name: z.string() }),
    errors: [...gitWriteErrors, 'FILE_PERMISSION'],
  }),
  'git.clone': operation({
    summary:
      'Clone a repository into an empty or new folder of the workspace, or into the workspace itself while it is empty. Streams progress.',
    access: 'execute',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        url: url(),
        path: workspacePath().default('').describe('The folder; the workspace itself when left out.'),
        branch: name().optional(),
        depth: z.int().positive().max(1_000_000).optional().describe('Only so many of the newest commits.'),
        credentials: credentials(),
      }),
    item: progress,
    output: () => z.object({ path: z.string(), branch: z.string().nullable(), head: z.string().nullable() }),
    errors: [
      'TOOL_MISSING',
      'GIT_FAILED',
      'PROCESS_TIMEOUT',
      'BAD_INPUT',
      'NOT_EMPTY',
      'NOT_A_DIRECTORY',
      'NAME_TOO_LONG',
      'PATH_ESCAPES',
      'DISK_FULL',
      ...networkErrors,
    ],
  }),
  'git.fetch': operation({
    summary: 'Bring the branches and tags of a remote up to date, without touching files. Streams progress.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        remote: name().optional().describe('That of the branch, else origin, else the only one.'),
        prune: z.boolean().default(false).describe('Forget branches that the remote has no more.'),
        tags: z.boolean().default(false).describe('All tags, not only those of the commits that came.'),
        credentials: credentials(),
      }),
    item: progress,
    output: () => z.object({ remote: z.string(), updated: updated(), truncated: z.boolean() }),
    errors: [...gitErrors, 'GIT_LOCKED', 'DISK_FULL', ...networkErrors],
  }),
  'git.pull': operation({
    summary: 'Fetch, then bring this branch up to date with its upstream. Conflicts are an answer. Streams progress.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        remote: name().optional(),
        branch: name().optional().describe('Of the remote; the upstream of this branch when left out.'),
        strategy: z.enum(['ff-only', 'merge', 'rebase']).default('ff-only').describe('ff-only is refused where both sides have commits.'),
        credentials: credentials(),
      }),
    item: progress,
    output: () => gitOutcome().extend({ remote: z.string(), updated: updated() }),
    errors: [...gitTreeErrors, 'GIT_DIVERGED', ...networkErrors],
  }),
  'git.push': operation({
    summary:
      'Send a branch to a remote. The first push makes it the upstream. Never forced, but with a lease when asked. Streams progress.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        remote: name().optional(),
        branch: name().optional().describe('The local branch; the current one when left out.'),
        to: name()
          .optional()
          .describe('Its name there. Left out, it is the same, and becomes the upstream where the branch followed another one.'),
        tags: z.boolean().default(false).describe('Annotated tags of the commits go along.'),
        force: z.enum(['no', 'lease']).default('no').describe('lease: overwrite, if the remote is as it was last fetched.'),
        credentials: credentials(),
      }),
    item: progress,
    output: () =>
      z.object({
        remote: z.string(),
        branch: z.string().describe('As the remote has it.'),
        outcome: z.enum(['done', 'nothing']),
        upstreamSet: z.boolean(),
      }),
    errors: [...gitWriteErrors, 'GIT_DIVERGED', ...networkErrors],
  }),
};
