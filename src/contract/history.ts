import * as z from 'zod';
import { cause, change } from './events.ts';
import { storeErrors, written } from './files.ts';
import { operation } from './operation.ts';
import { entryPath } from './paths.ts';
import { once } from './once.ts';

const revision = once(() => z.int().positive().describe('Of the change, as history.list and the feed of changes name it.'));
const side = once(() =>
  z.enum(['before', 'after']).default('after').describe('What the file held when the change was made, or what it had held until then.'),
);

const version = once(() =>
  z.object({
    revision: revision(),
    at: z.int().describe('Milliseconds since 1970, UTC.'),
    path: z.string().describe('What the file was called then.'),
    what: z.enum(['created', 'changed', 'removed', 'moved']),
    from: z.string().optional().describe('Where it was, when it moved.'),
    before: change().shape.before,
    after: change().shape.after,
    cause: cause(),
    size: z.int().nonnegative().optional(),
    kept: z.boolean().describe('history.read can give what it held after this.'),
    keptBefore: z.boolean().describe('history.read can give what it held before this.'),
  }),
);
export type Version = z.infer<ReturnType<typeof version>>;

const changing = ['VERSION_NOT_KEPT', ...storeErrors, 'FILE_NOT_FOUND', 'NOT_TEXT', 'INPUT_TOO_LARGE', 'OUTPUT_TOO_LARGE'] as const;

export const history = {
  'history.list': operation({
    summary: 'Who changed a file and when, newest first, also under names it had before, and which of its texts are kept.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath().describe('What it is called now. Of a folder: what was done with files that had its name.'),
        before: revision().optional().describe('Only changes older than this.'),
        limit: z.int().positive().max(1000).default(100),
      }),
    output: () => z.object({ versions: z.array(version()), more: z.boolean() }),
    errors: ['PATH_ESCAPES'],
  }),
  'history.read': operation({
    summary: 'The text that a file held after one of its changes, or before it.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: entryPath().describe('What it is called now.'), revision: revision(), side: side() }),
    output: () => z.object({ text: z.string(), size: z.int().nonnegative().describe('Bytes.'), etag: z.string() }),
    errors: ['VERSION_NOT_KEPT', 'PATH_ESCAPES', 'OUTPUT_TOO_LARGE'],
  }),
  'history.restore': operation({
    summary: 'Make a file hold what it held after one of its changes, or before it; one that is gone is made again.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath().describe('What it is called now.'),
        revision: revision(),
        side: side(),
        ifMatch: z.string().optional().describe('Only while the file has this ETag, as history.read and files.read give it.'),
      }),
    output: written,
    errors: changing,
  }),
  'history.revert': operation({
    summary: 'Take back one change of a file, or some in a row, and nothing else: what was edited since stays.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath().describe('What it is called now.'),
        revision: revision().describe('The change; of some in a row the last.'),
        first: revision().optional().describe('Of some in a row the first: all from there to `revision` are taken back.'),
        shared: z
          .enum(['ask', 'keep', 'remove'])
          .default('ask')
          .describe('Lines that were changed again since: ask fails with them, keep leaves them, remove takes them back, too.'),
      }),
    output: () =>
      z.object({
        path: z.string(),
        did: z.enum(['edited', 'written', 'removed', 'nothing']).describe('nothing: it was taken back already.'),
        revision: z.int().nonnegative(),
        document: z.boolean().optional().describe('True when an open document took it as edits.'),
      }),
    errors: [...changing, 'HUNKS_SHARED'],
  }),
};
