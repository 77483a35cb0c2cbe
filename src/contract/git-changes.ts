import * as z from 'zod';
import { gitConflict, gitFiles, gitPerson, gitTreeErrors, gitWriteErrors, message, revision } from './git-schemas.ts';
import { operation } from './operation.ts';
import { entryPath } from './paths.ts';
import { withoutNul } from './processes.ts';

export const gitChanges = {
  'git.init': operation({
    summary: 'Make a repository of the workspace. One that is there already is an answer, not an error.',
    access: 'write',
    scope: 'workspace',
    input: () => z.object({ branch: z.string().min(1).max(250).optional().describe('Name of the first branch.') }),
    output: () => z.object({ created: z.boolean(), branch: z.string().nullable() }),
    errors: ['TOOL_MISSING', 'GIT_FAILED', 'PROCESS_TIMEOUT', 'BAD_INPUT', 'DISK_FULL', 'READ_ONLY', 'GIT_OUTSIDE'],
  }),
  'git.stage': operation({
    summary: 'Put changes of the work tree into the index: whole files, or hunks of them. Open documents are saved first.',
    access: 'write',
    scope: { fields: ['files.*.path'] },
    input: () => z.strictObject({ files: gitFiles().default([]).describe('All that changed when empty.') }),
    output: () => z.object({ files: z.int().describe('Files whose changes were staged.') }),
    errors: [...gitWriteErrors, 'GIT_STALE_HUNK'],
  }),
  'git.unstage': operation({
    summary: 'Take changes out of the index again: whole files, or hunks of them. Files stay as they are.',
    access: 'write',
    scope: { fields: ['files.*.path'] },
    input: () => z.strictObject({ files: gitFiles().default([]).describe('All that is staged when empty.') }),
    output: () => z.object({ files: z.int() }),
    errors: [...gitWriteErrors, 'GIT_STALE_HUNK'],
  }),
  'git.restore': operation({
    summary:
      'Bring files of the work tree back to the index, to a revision, or to one side or both of a conflict; or take hunks of a file back. What was typed there is lost.',
    access: 'write',
    scope: { fields: ['files.*.path'] },
    destructive: true,
    input: () =>
      z.object({
        files: gitFiles().min(1),
        from: revision().optional().describe('The revision to bring back; the index when left out. Not with hunks.'),
        side: z
          .enum(['ours', 'theirs', 'both'])
          .optional()
          .describe(
            'Of files in conflict the whole of what one side has, which is still to be staged; both: as the merge left them, in conflict again where that was settled since. Not with hunks or `from`.',
          ),
      }),
    output: () => z.object({ files: z.int() }),
    errors: [...gitWriteErrors, 'GIT_STALE_HUNK'],
  }),
  'git.commit': operation({
    summary:
      'Commit changes. Nothing to commit is an answer, not an error. Open documents are saved first. Hooks run for callers with execute access.',
    access: 'write',
    scope: 'workspace',
    paths: ['paths'],
    input: () =>
      z.strictObject({
        message: message().optional().describe('Must be given, but with `amend`, where the old one stays without it.'),
        paths: z.array(entryPath()).max(10_000).optional().describe('Only these; with `all` false and no paths: what is staged.'),
        all: z.boolean().default(true).describe('Stage everything that changed first.'),
        amend: z.boolean().default(false).describe('Replace the last commit; its author stays unless `author` is given.'),
        author: gitPerson().optional(),
        coAuthors: z.array(gitPerson()).max(100).default([]).describe('Named as Co-authored-by, after the editors.'),
        editors: z
          .boolean()
          .optional()
          .describe(
            'Name as co-authors those who edited these files here since they were last committed; by default as git.coAuthors says.',
          ),
      }),
    output: () => z.object({ committed: z.boolean(), hash: z.string().nullable(), files: z.int(), summary: z.string() }),
    errors: gitWriteErrors,
  }),
  'git.reset': operation({
    summary: 'Move the branch to a commit. soft keeps index and files, mixed keeps files, hard throws all changes away.',
    access: 'write',
    scope: 'workspace',
    destructive: true,
    input: () => z.object({ to: revision().default('HEAD'), mode: z.enum(['soft', 'mixed', 'hard']).default('mixed') }),
    output: () => z.object({ head: z.string() }),
    errors: gitTreeErrors,
  }),
  'git.stashes': operation({
    summary: 'Changes that were put aside, newest first. git.commitInfo and git.hunks show one by its name.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({ limit: z.int().positive().max(1000).default(100) }),
    output: () =>
      z.object({
        stashes: z.array(
          z.object({ name: z.string().describe('stash@{0} is the newest.'), hash: z.string(), at: z.int(), subject: z.string() }),
        ),
        truncated: z.boolean(),
      }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT'],
  }),
  'git.stash': operation({
    summary: 'Put changes aside, or bring them back: push, apply, pop (apply, then drop), drop.',
    access: 'write',
    scope: 'workspace',
    destructive: true,
    input: () =>
      z.object({
        action: z.enum(['push', 'apply', 'pop', 'drop']).default('push'),
        hash: z
          .string()
          .regex(/^[0-9a-f]{40,64}$/)
          .optional()
          .describe('Which stash, by its hash; the newest when left out. Not with push.'),
        message: z.string().max(1000).regex(withoutNul).optional(),
        untracked: z.boolean().default(true).describe('push takes files along that git does not know yet.'),
        keepIndex: z.boolean().default(false).describe('push leaves what is staged where it is.'),
      }),
    output: () =>
      z.object({
        outcome: z
          .enum(['done', 'nothing', 'conflicts'])
          .describe('conflicts: the stash was applied, and is kept. Without any, git settled all as they were settled before.'),
        stashes: z.int().describe('So many there are now.'),
        conflicts: z.array(gitConflict()),
      }),
    errors: gitTreeErrors,
  }),
};
