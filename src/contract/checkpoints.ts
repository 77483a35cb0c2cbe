import * as z from 'zod';
import { cause } from './events.ts';
import { operation } from './operation.ts';
import { entryPath, workspacePath } from './paths.ts';
import { once } from './once.ts';

const id = once(() => z.int().positive());

const checkpoint = once(() =>
  z.object({
    id: id(),
    at: z.int().describe('Milliseconds since 1970, UTC.'),
    title: z.string(),
    cause: cause(),
    point: z.enum(['made', 'before', 'after']).describe('made: asked for; before, after: around a run.'),
    run: z.string().optional().describe('The run that it stands before or after; a restore and a revert are runs too.'),
    revision: z.int().nonnegative().describe('The folder as of this revision.'),
    files: z
      .int()
      .nonnegative()
      .nullable()
      .describe('Files that changed since the checkpoint before; after a run those that the run changed. null: not counted.'),
    edited: z.int().nonnegative().nullable().optional().describe('How many of the files that the run changed were changed since.'),
    omitted: z.int().nonnegative().describe('Files that were too large to be stored.'),
    reverted: z.string().optional().describe('The run that took this one back.'),
  }),
);
export type Checkpoint = z.infer<ReturnType<typeof checkpoint>>;

const clash = once(() =>
  z.object({
    path: z.string(),
    kind: z.enum(['hunk', 'file']).describe('hunk: some lines; file: all of it, e.g. because it is no text or is gone.'),
    line: z.int().positive().optional().describe('First line of the hunk in the file as it is now.'),
    run: z.string().nullable().describe('What the run left there; long texts are cut.'),
    without: z.string().nullable().describe('What would be there without the run.'),
    now: z.string().nullable(),
  }),
);

const done = once(() =>
  z.object({
    path: z.string(),
    from: z.string().optional().describe('Where it was, when it moved.'),
    did: z
      .enum(['edited', 'written', 'removed', 'brought back', 'moved', 'skipped'])
      .describe('edited: hunks were taken out; written: whole content; skipped: `why` says so.'),
    document: z.boolean().optional().describe('True when an open document took it as edits.'),
    why: z.string().optional(),
  }),
);

const outcome = once(() =>
  z.object({
    changed: z.boolean(),
    text: z.string().describe('What happened, for people.'),
    files: z.array(done()),
    fileCount: z.int(),
    shared: z.array(clash()).describe('Hunks that both the run and others changed, and what stands there.'),
    revision: z.int().nonnegative(),
    before: id().nullable().describe('The checkpoint made before.'),
    undo: z.string().nullable().describe('Give it to checkpoints.revert as `run` to undo this, whatever was edited since.'),
  }),
);

const common = [
  'TOOL_MISSING',
  'GIT_FAILED',
  'PROCESS_TIMEOUT',
  'NO_CHECKPOINT',
  'CHECKPOINT_LOST',
  'DISK_FULL',
  'INPUT_TOO_LARGE',
] as const;
const changing = ['BUSY_FILE', 'OUTPUT_TOO_LARGE', 'FILE_PERMISSION', 'READ_ONLY'] as const;

export const checkpoints = {
  'checkpoints.list': operation({
    summary: 'Checkpoints of the folder, newest first.',
    access: 'read',
    scope: 'workspace',
    input: () =>
      z.object({
        limit: z.int().positive().max(1000).default(50),
        before: id().optional().describe('Only older ones than this.'),
        run: z.string().max(200).optional().describe('Only those of this run.'),
      }),
    output: () => z.object({ checkpoints: z.array(checkpoint()), more: z.boolean() }),
    errors: [],
  }),
  'checkpoints.create': operation({
    summary: 'Keep the folder as it is now. Open documents are saved first; HEAD, index and files are not touched.',
    access: 'write',
    scope: 'workspace',
    paths: ['paths'],
    input: () =>
      z.object({
        title: z.string().min(1).max(200),
        paths: z.array(entryPath()).max(10_000).optional().describe('Files to be asked about: see `lacking`.'),
      }),
    output: () =>
      checkpoint().extend({
        same: z.boolean().describe('True when nothing changed since the checkpoint before.'),
        lacking: z
          .array(z.string())
          .describe(
            'Those of `paths` that could not be brought back: something stands there, and this checkpoint does not hold it as a file.',
          ),
      }),
    errors: [...common, 'READ_ONLY'],
  }),
  'checkpoints.diff': operation({
    summary: 'What differs between a checkpoint and the one before, another one, or the folder now.',
    access: 'read',
    scope: 'workspace',
    paths: ['path'],
    input: () =>
      z.object({
        id: id(),
        against: z
          .enum(['previous', 'now'])
          .or(id())
          .default('previous')
          .describe('previous: what led to this one, after a run since its start; now: what changed since; an id: from that one to this.'),
        path: workspacePath().optional().describe('Only this file, or what is in this folder.'),
        context: z.int().min(0).max(1000).default(3),
      }),
    output: () =>
      z.object({
        files: z.array(
          z.object({
            path: z.string(),
            from: z.string().optional(),
            added: z.int().nullable().describe('Lines; null when it is no text.'),
            removed: z.int().nullable(),
          }),
        ),
        fileCount: z.int(),
        patch: z.string(),
        truncated: z.boolean(),
        omittedBytes: z.int(),
      }),
    errors: [...common, 'READ_ONLY'],
  }),
  'checkpoints.restore': operation({
    summary: 'Make files what they were at a checkpoint, all or none. A checkpoint is made before, and it can be undone.',
    access: 'write',
    scope: 'workspace',
    paths: ['paths'],
    input: () =>
      z.strictObject({
        id: id(),
        paths: z.array(entryPath()).min(1).max(10_000).optional().describe('Only these files, and what is in these folders.'),
        dryRun: z.boolean().default(false),
      }),
    output: outcome,
    errors: [...common, ...changing],
    destructive: true,
  }),
  'checkpoints.revert': operation({
    summary: 'Take back what a run changed, and nothing else: edits of others during the run and after it stay.',
    access: 'write',
    scope: 'workspace',
    input: () =>
      z.object({
        run: z.string().min(1).max(200),
        shared: z
          .enum(['ask', 'keep', 'remove'])
          .default('ask')
          .describe('Hunks that both the run and others changed: ask fails with them, keep leaves them, remove takes them out.'),
        ifShared: z
          .string()
          .max(100)
          .optional()
          .describe('The digest that HUNKS_SHARED came with: where what is shared is not what it was then, the call fails with it again.'),
        dryRun: z.boolean().default(false).describe('Say what would be done, shared hunks included, and change nothing.'),
      }),
    output: outcome,
    errors: [...common, ...changing, 'RUN_UNDER_WAY', 'HUNKS_SHARED'],
    destructive: true,
  }),
};
