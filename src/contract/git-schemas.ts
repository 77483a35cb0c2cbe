import * as z from 'zod';
import type { ErrorReason } from './errors.ts';
import { entryPath } from './paths.ts';
import { withoutNul } from './processes.ts';
import { once } from './once.ts';

/** What any git command can meet. */
export const gitErrors = ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT', 'BAD_INPUT'] as const satisfies ErrorReason[];
/** What one can meet beyond that changes something. */
export const gitWriteErrors = [...gitErrors, 'GIT_LOCKED', 'DISK_FULL', 'READ_ONLY'] as const satisfies ErrorReason[];
/** The same where the work tree changes as a whole. */
export const gitTreeErrors = [...gitWriteErrors, 'GIT_WOULD_OVERWRITE', 'GIT_OUTSIDE'] as const satisfies ErrorReason[];

const state = once(() => z.enum(['modified', 'added', 'deleted', 'renamed', 'copied', 'type-changed', 'unmerged', 'untracked', 'ignored']));

export const gitChange = once(() =>
  z.object({
    path: z.string(),
    from: z.string().optional().describe('Where a renamed or copied file was.'),
    staged: state().nullable(),
    unstaged: state().nullable(),
    submodule: z.boolean().optional(),
    raw: z.boolean().optional().describe('The name is not UTF-8: its bytes stand as \\xNN.'),
  }),
);

export const gitConflict = once(() =>
  z.object({
    path: z.string(),
    kind: z
      .enum(['both-modified', 'both-added', 'both-deleted', 'added-by-us', 'added-by-them', 'deleted-by-us', 'deleted-by-them'])
      .describe('In a rebase, "us" is what is rebased onto.'),
  }),
);

export const gitPerson = once(() => z.object({ name: z.string().min(1).max(1000), email: z.string().min(1).max(1000) }));

export const gitCommit = once(() =>
  z.object({
    hash: z.string(),
    parents: z.array(z.string()),
    author: z.object({ name: z.string(), email: z.string() }),
    at: z.int().describe('Milliseconds since 1970, UTC.'),
    subject: z.string(),
    body: z.string(),
    refs: z.array(z.string()).describe('For callers limited to some paths, HEAD alone with its branch.'),
  }),
);

/** Files, or only some hunks of them. */
export const gitFiles = once(() =>
  z
    .array(
      z.object({
        path: entryPath().describe('A file, or a folder with all that is in it.'),
        hunks: z
          .array(z.string().regex(/^[0-9a-f]{20}$/))
          .min(1)
          .max(10_000)
          .optional()
          .describe('Ids of git.hunks; the whole file when left out.'),
      }),
    )
    .max(10_000),
);

export const revision = once(() => z.string().min(1).max(1000).describe('A branch, tag, commit, or an expression such as HEAD~2.'));
export const message = once(() => z.string().min(1).max(65_536).regex(withoutNul));

/** What came of joining commits together. */
export const gitOutcome = once(() =>
  z.object({
    outcome: z
      .enum(['done', 'nothing', 'conflicts'])
      .describe(
        'conflicts: edit the files, then git.continue, or git.abort. Without any, git settled all as they were settled before (rerere.autoUpdate).',
      ),
    head: z.string().nullable(),
    conflicts: z.array(gitConflict()),
  }),
);
