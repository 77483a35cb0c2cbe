import * as z from 'zod';
import { operation } from './operation.ts';
import { entryPath } from './paths.ts';

const state = z.enum(['modified', 'added', 'deleted', 'renamed', 'copied', 'type-changed', 'unmerged', 'untracked', 'ignored']);

export const gitChange = z.object({
  path: z.string(),
  from: z.string().optional().describe('Where a renamed or copied file was.'),
  staged: state.nullable(),
  unstaged: state.nullable(),
  submodule: z.boolean().optional(),
  raw: z.boolean().optional().describe('The name is not UTF-8: its bytes stand as \\xNN.'),
});
export type GitChange = z.infer<typeof gitChange>;

const gitCommit = z.object({
  hash: z.string(),
  parents: z.array(z.string()),
  author: z.object({ name: z.string(), email: z.string() }),
  at: z.int().describe('Milliseconds since 1970, UTC.'),
  subject: z.string(),
  body: z.string(),
  refs: z.array(z.string()),
});

export const git = {
  'git.status': operation({
    summary: 'Branch and changed files.',
    access: 'read',
    scope: 'filtered',
    input: z.object({ ignored: z.boolean().default(false), limit: z.int().positive().max(100_000).default(10_000) }),
    output: z.object({
      repository: z.boolean().describe('False when the folder is none; the rest is empty then.'),
      branch: z.string().nullable().describe('null on a detached HEAD.'),
      head: z.string().nullable().describe('null before the first commit.'),
      upstream: z.string().optional(),
      ahead: z.int().optional(),
      behind: z.int().optional(),
      doing: z.enum(['merge', 'rebase', 'cherry-pick', 'revert', 'bisect']).optional(),
      changes: z.array(gitChange),
      truncated: z.boolean(),
    }),
    errors: ['TOOL_MISSING', 'GIT_FAILED', 'PROCESS_TIMEOUT'],
  }),
  'git.diff': operation({
    summary: 'Differences as a unified patch: work tree against index, index against HEAD, or two revisions.',
    access: 'read',
    scope: { fields: ['path'] },
    input: z.object({
      path: entryPath.optional(),
      staged: z.boolean().default(false),
      from: z.string().optional().describe('A revision.'),
      to: z.string().optional().describe('A revision; needs `from`.'),
      context: z.int().min(0).max(1000).default(3),
    }),
    output: z.object({ diff: z.string(), truncated: z.boolean(), omittedBytes: z.int() }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT', 'BAD_INPUT'],
  }),
  'git.log': operation({
    summary: 'Commits, newest first.',
    access: 'read',
    scope: { fields: ['path'] },
    input: z.object({
      path: entryPath.optional(),
      count: z.int().positive().max(1000).default(50),
      skip: z.int().nonnegative().default(0),
      from: z.string().optional().describe('A revision; HEAD when left out.'),
    }),
    output: z.object({ commits: z.array(gitCommit), more: z.boolean() }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT', 'BAD_INPUT'],
  }),
  'git.show': operation({
    summary: 'A file as it was at a revision.',
    access: 'read',
    scope: { fields: ['path'] },
    input: z.object({ path: entryPath, revision: z.string().default('HEAD').describe('A revision; ":" for the index.') }),
    output: z.object({ exists: z.boolean(), text: z.string(), binary: z.boolean(), size: z.int() }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT', 'BAD_INPUT', 'OUTPUT_TOO_LARGE'],
  }),
  'git.commit': operation({
    summary: 'Commit changes. Nothing to commit is an answer, not an error. Open documents are saved first.',
    access: 'write',
    scope: 'workspace',
    input: z.object({
      message: z.string().min(1).max(65_536),
      paths: z.array(entryPath).max(10_000).optional().describe('Only these; with `all` false and no paths: what is staged.'),
      all: z.boolean().default(true).describe('Stage everything that changed first.'),
      author: z.object({ name: z.string().min(1), email: z.string().min(1) }).optional(),
    }),
    output: z.object({ committed: z.boolean(), hash: z.string().nullable(), files: z.int(), summary: z.string() }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'GIT_LOCKED', 'PROCESS_TIMEOUT', 'READ_ONLY'],
  }),
};
