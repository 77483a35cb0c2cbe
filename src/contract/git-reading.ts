import * as z from 'zod';
import { gitChange, gitCommit, gitConflict, gitErrors, revision } from './git-schemas.ts';
import { operation } from './operation.ts';
import { entryPath } from './paths.ts';
import { once } from './once.ts';

const line = once(() =>
  z.object({
    kind: z.enum(['context', 'added', 'removed']),
    text: z.string().describe('Without its line feed; bytes that are no UTF-8 are replaced.'),
    noNewline: z.boolean().optional().describe('The last line of a file that does not end with a line feed.'),
  }),
);

const hunk = once(() =>
  z.object({
    id: z.string().describe('Of its content: it holds as long as these lines stand there so.'),
    oldStart: z.int(),
    oldLines: z.int(),
    newStart: z.int(),
    newLines: z.int(),
    heading: z.string().describe('What the lines belong to, as git guesses it.'),
    lines: z.array(line()),
  }),
);

const fileStatus = once(() => z.enum(['modified', 'added', 'deleted', 'renamed', 'copied', 'type-changed']));

const fileHunks = once(() =>
  z.object({
    path: z.string(),
    from: z.string().optional().describe('Where a renamed or copied file was.'),
    raw: z.boolean().optional().describe('The name is not UTF-8: its bytes stand as \\xNN.'),
    status: fileStatus(),
    untracked: z.boolean().optional().describe('git does not know it yet: its only hunk is all of it.'),
    binary: z.boolean(),
    added: z.int().nonnegative().describe('Lines, as far as the file was read.'),
    removed: z.int().nonnegative(),
    oldMode: z.string().optional().describe('As git writes it, e.g. 100755; only where the mode changed.'),
    newMode: z.string().optional(),
    hunks: z.array(hunk()),
    omittedHunks: z.int().describe('Left out because the answer would be too long; -1 where nobody counted.'),
  }),
);

export const gitReading = {
  'git.status': operation({
    summary: 'Branch, changed files, conflicts, and what git is in the middle of.',
    access: 'read',
    scope: 'filtered',
    input: () => z.object({ ignored: z.boolean().default(false), limit: z.int().positive().max(100_000).default(10_000) }),
    output: () =>
      z.object({
        repository: z.boolean().describe('False when the folder is none; the rest is empty then.'),
        branch: z.string().nullable().describe('null on a detached HEAD.'),
        head: z.string().nullable().describe('null before the first commit.'),
        upstream: z.string().optional(),
        ahead: z.int().optional(),
        behind: z.int().optional(),
        doing: z.enum(['merge', 'rebase', 'am', 'cherry-pick', 'revert', 'bisect']).optional(),
        underWay: z
          .object({
            heads: z.array(z.string()).describe('The commits that are brought in; in a rebase, the one where it stopped.'),
            message: z.string().optional().describe('What the commit would say; not for callers limited to some paths.'),
            branch: z.string().optional().describe('The branch that is rebased.'),
            onto: z.string().optional(),
            step: z.int().optional().describe('Of `steps`, from 1.'),
            steps: z.int().optional(),
          })
          .optional()
          .describe('The state of what `doing` names.'),
        conflicts: z.array(gitConflict()),
        stashes: z.int(),
        lockAgeMs: z
          .int()
          .optional()
          .describe('How long ago index.lock was taken that lies there: by a command that runs, or one that died.'),
        changes: z.array(gitChange()),
        truncated: z.boolean(),
      }),
    errors: ['TOOL_MISSING', 'GIT_FAILED', 'PROCESS_TIMEOUT'],
  }),
  'git.diff': operation({
    summary: 'Differences as a unified patch: work tree against index, index against HEAD, or two revisions.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath().optional(),
        staged: z.boolean().default(false),
        from: z.string().optional().describe('A revision.'),
        to: z.string().optional().describe('A revision; needs `from`.'),
        context: z.int().min(0).max(1000).default(3),
      }),
    output: () => z.object({ diff: z.string(), truncated: z.boolean(), omittedBytes: z.int() }),
    errors: gitErrors,
  }),
  'git.hunks': operation({
    summary: 'Differences as data: files with their hunks, whose ids git.stage, git.unstage and git.restore take.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath().optional(),
        was: entryPath().optional().describe('Where a file that was renamed to `path` was: both are compared as one.'),
        untracked: z.boolean().default(false).describe('With files that git does not know yet; of the work tree against the index.'),
        lines: z.boolean().default(true).describe('False: how many of each file, without the hunks.'),
        staged: z.boolean().default(false).describe('Index against HEAD instead of work tree against index.'),
        from: revision().optional(),
        to: revision().optional().describe('Needs `from`.'),
        commit: revision().optional().describe('This commit against its first parent, instead.'),
        maxLines: z.int().positive().max(100_000).default(20_000).describe('Lines of all hunks together.'),
      }),
    output: () =>
      z.object({
        files: z.array(fileHunks()),
        omittedFiles: z.int(),
        truncated: z.boolean(),
      }),
    errors: gitErrors,
  }),
  'git.log': operation({
    summary: 'Commits, newest first.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath().optional(),
        count: z.int().positive().max(1000).default(50),
        skip: z.int().nonnegative().default(0),
        from: z.string().optional().describe('A revision; HEAD when left out.'),
      }),
    output: () => z.object({ commits: z.array(gitCommit()), more: z.boolean() }),
    errors: gitErrors,
  }),
  'git.commitInfo': operation({
    summary:
      'A commit with the files that it changed and how many lines, against its first parent. A stash is one too: stash@{0}. Callers limited to some paths see those that touch them.',
    access: 'read',
    scope: 'filtered',
    input: () => z.object({ revision: revision().default('HEAD'), limit: z.int().positive().max(100_000).default(10_000) }),
    output: () =>
      z.object({
        commit: gitCommit(),
        committer: z.object({ name: z.string(), email: z.string(), at: z.int() }),
        files: z.array(
          z.object({
            path: z.string(),
            from: z.string().optional(),
            raw: z.boolean().optional(),
            status: fileStatus(),
            added: z.int().nullable().describe('Lines; null for a binary file.'),
            removed: z.int().nullable(),
          }),
        ),
        truncated: z.boolean(),
      }),
    errors: gitErrors,
  }),
  'git.editors': operation({
    summary: 'The people and agents who edited here what a commit would hold, since each file was last committed; but who commits.',
    access: 'read',
    scope: 'filtered',
    input: () =>
      z.object({
        paths: z.array(entryPath()).max(10_000).optional().describe('Only these; with `all` false and no paths: what is staged.'),
        all: z.boolean().default(true),
        limit: z.int().positive().max(100).default(100),
      }),
    output: () =>
      z.object({
        editors: z.array(z.object({ name: z.string(), email: z.string(), kind: z.enum(['person', 'agent']) })),
        truncated: z.boolean().describe('There are more, or more files than were looked at.'),
      }),
    errors: gitErrors,
  }),
  'git.show': operation({
    summary: 'A file as it was at a revision.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: entryPath(), revision: z.string().default('HEAD').describe('A revision; ":" for the index.') }),
    output: () => z.object({ exists: z.boolean(), text: z.string(), binary: z.boolean(), size: z.int() }),
    errors: [...gitErrors, 'OUTPUT_TOO_LARGE'],
  }),
  'git.blame': operation({
    summary:
      'Who wrote each line of a file, and in which commit. Unsaved text is saved first. For callers limited to some paths a file is new where it was renamed.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath(),
        revision: revision().optional().describe('As of this revision; the work tree when left out.'),
        start: z.int().positive().optional().describe('First line, from 1.'),
        end: z.int().positive().optional().describe('Last line; beyond the end of the file, its last.'),
      }),
    output: () =>
      z.object({
        runs: z.array(
          z.object({
            start: z.int().describe('First line of the run, from 1.'),
            lines: z.int(),
            hash: z.string().nullable().describe('null: not committed yet.'),
            originalStart: z.int().describe('The line as that commit had it.'),
            originalPath: z.string().describe('Relative to the top of the repository; empty for a file that the caller may not see.'),
          }),
        ),
        commits: z.record(
          z.string(),
          z.object({ author: z.object({ name: z.string(), email: z.string() }), at: z.int(), subject: z.string() }),
        ),
        truncated: z.boolean(),
      }),
    errors: [...gitErrors, 'FILE_NOT_FOUND', 'OUT_OF_RANGE'],
  }),
};
