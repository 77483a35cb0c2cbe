import * as z from 'zod';
import { gitOutcome, gitTreeErrors, gitWriteErrors, message, revision } from './git-schemas.ts';
import { operation } from './operation.ts';
import { once } from './once.ts';

const name = once(() => z.string().min(1).max(250));
const list = once(() => z.int().positive().max(10_000).default(1000));

export const gitBranches = {
  'git.branches': operation({
    summary: 'Branches, local and remote, those used last first, with upstream, ahead and behind, and last commit.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({ remote: z.boolean().default(true), limit: list() }),
    output: () =>
      z.object({
        current: z.string().nullable().describe('null on a detached HEAD.'),
        branches: z.array(
          z.object({
            name: z.string().describe('e.g. main, or origin/main.'),
            remote: z.boolean(),
            current: z.boolean(),
            hash: z.string(),
            upstream: z.string().optional(),
            gone: z.boolean().optional().describe('The upstream does not exist any more.'),
            ahead: z.int().optional(),
            behind: z.int().optional(),
            at: z.int(),
            author: z.string(),
            subject: z.string(),
          }),
        ),
        truncated: z.boolean(),
      }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT'],
  }),
  'git.branch': operation({
    summary: 'Create, rename or delete a branch. One whose commits are nowhere else is deleted only with force.',
    access: 'write',
    scope: 'workspace',
    destructive: true,
    input: () =>
      z.object({
        action: z.enum(['create', 'rename', 'delete']).default('create'),
        name: name(),
        from: revision().optional().describe('Where a new branch begins; HEAD when left out.'),
        to: name().optional().describe('The new name of a renamed one.'),
        force: z.boolean().default(false).describe('Delete it though commits are lost.'),
      }),
    output: () => z.object({ name: z.string(), hash: z.string().describe('The commit that the branch names, or named.') }),
    errors: gitWriteErrors,
  }),
  'git.checkout': operation({
    summary: 'Switch to a branch, or to a commit (detached). Refused, with the files, where changes would be lost.',
    access: 'write',
    scope: 'workspace',
    destructive: true,
    input: () =>
      z.object({
        to: revision().describe('A branch, local or of a remote, a tag or a commit; with `create`, the name of a new branch.'),
        create: z.boolean().default(false),
        from: revision().optional().describe('Where a new branch begins; HEAD when left out.'),
        changes: z
          .enum(['keep', 'stash', 'discard'])
          .default('keep')
          .describe(
            'keep: take changes along where that loses nothing. stash: put them aside first. discard: throw those of known files away.',
          ),
      }),
    output: () => z.object({ branch: z.string().nullable(), head: z.string().nullable(), stashed: z.boolean() }),
    errors: gitTreeErrors,
  }),
  'git.merge': operation({
    summary: 'Merge a branch or commit into this one. Conflicts are an answer.',
    access: 'write',
    scope: 'workspace',
    input: () =>
      z.object({
        from: revision(),
        fastForward: z.enum(['allow', 'only', 'never']).default('allow'),
        message: message().optional(),
      }),
    output: gitOutcome,
    errors: [...gitTreeErrors, 'GIT_DIVERGED'],
  }),
  'git.rebase': operation({
    summary: 'Put the commits of this branch onto another. Conflicts are an answer.',
    access: 'write',
    scope: 'workspace',
    input: () => z.object({ onto: revision() }),
    output: gitOutcome,
    errors: gitTreeErrors,
  }),
  'git.cherryPick': operation({
    summary: 'Make the change of a commit here too, as a new commit. Conflicts are an answer.',
    access: 'write',
    scope: 'workspace',
    input: () => z.object({ commit: revision() }),
    output: gitOutcome,
    errors: gitTreeErrors,
  }),
  'git.revert': operation({
    summary: 'Take the change of a commit back, with a new commit. Conflicts are an answer.',
    access: 'write',
    scope: 'workspace',
    input: () => z.object({ commit: revision() }),
    output: gitOutcome,
    errors: gitTreeErrors,
  }),
  'git.continue': operation({
    summary:
      'Go on with the merge, rebase, git am, cherry-pick or revert that stopped, when its conflicts are resolved: changed files count as resolved.',
    access: 'write',
    scope: 'workspace',
    input: () =>
      z.object({
        message: message()
          .optional()
          .describe('Of the commit; what git prepared when left out. Not for git am: a patch has that of its mail.'),
        skip: z.boolean().default(false).describe('Leave this commit of a rebase, git am, cherry-pick or revert out.'),
      }),
    output: gitOutcome,
    errors: gitTreeErrors,
  }),
  'git.abort': operation({
    summary: 'Give up the merge, rebase, git am, cherry-pick or revert that stopped: all is as before it, and what was resolved is lost.',
    access: 'write',
    scope: 'workspace',
    destructive: true,
    input: () => z.object({}),
    output: () => z.object({ aborted: z.enum(['merge', 'rebase', 'am', 'cherry-pick', 'revert']), head: z.string().nullable() }),
    errors: gitTreeErrors,
  }),
  'git.tags': operation({
    summary: 'Tags, newest first.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({ limit: list() }),
    output: () =>
      z.object({
        tags: z.array(
          z.object({
            name: z.string(),
            hash: z.string().describe('Of the commit.'),
            at: z.int(),
            subject: z.string(),
            annotated: z.boolean(),
          }),
        ),
        truncated: z.boolean(),
      }),
    errors: ['TOOL_MISSING', 'NO_REPOSITORY', 'GIT_FAILED', 'PROCESS_TIMEOUT'],
  }),
  'git.tag': operation({
    summary: 'Create or delete a tag. With a message it is an annotated one.',
    access: 'write',
    scope: 'workspace',
    destructive: true,
    input: () =>
      z.object({
        action: z.enum(['create', 'delete']).default('create'),
        name: name(),
        at: revision().default('HEAD'),
        message: message().optional(),
      }),
    output: () => z.object({ name: z.string(), hash: z.string() }),
    errors: gitWriteErrors,
  }),
};
