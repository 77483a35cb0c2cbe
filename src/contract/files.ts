import * as z from 'zod';
import { entryKind } from './events.ts';
import { operation } from './operation.ts';
import { entryPath, workspacePath } from './paths.ts';
import { once } from './once.ts';

export const etag = once(() =>
  z.string().describe('Strong ETag, quoted: the sha256 of the content; above 64 MiB made of inode, size and time.'),
);
const ifMatch = once(() =>
  z.string().optional().describe('Only if the file has one of these ETags (comma-separated), or exists at all (`*`).'),
);
const ifNoneMatch = once(() => z.string().optional().describe('Only if the file has none of these ETags; `*`: only if there is no file.'));
const durability = once(() =>
  z
    .enum(['default', 'none', 'file', 'full'])
    .default('default')
    .describe(
      'none: as the system does; file: content synced to disk before the answer; full: its directory too. The default is an option.',
    ),
);

export const entry = once(() =>
  z.object({
    path: z.string(),
    name: z.string(),
    kind: entryKind(),
    size: z.int().nonnegative().describe('Bytes; of a directory 0.'),
    modified: z.number().describe('Milliseconds since 1970, UTC.'),
    mode: z.int().describe('Permission bits, e.g. 420 for 0644.'),
    target: z.string().optional().describe('Where a symbolic link points, as it stands in the link.'),
    ignored: z.boolean().optional().describe('Matched by the ignore rules: not watched.'),
  }),
);
export type Entry = z.infer<ReturnType<typeof entry>>;

export const written = once(() =>
  z.object({
    path: z.string(),
    etag: etag(),
    size: z.int(),
    revision: z.int().nonnegative().describe('The revision that this write made, or the current one when nothing changed.'),
    cursor: z.string(),
    changed: z.boolean().describe('False when the content was the same already.'),
    created: z.boolean(),
    document: z.boolean().optional().describe('True when it went into an open document as edits, to be saved with it.'),
  }),
);

/** Of what stores content in a file. */
export const storeErrors = [
  'ETAG_MISMATCH',
  'FILE_EXISTS',
  'NOT_A_FILE',
  'NOT_A_DIRECTORY',
  'PATH_ESCAPES',
  'NAME_TOO_LONG',
  'FILE_PERMISSION',
  'DISK_FULL',
  'BUSY_FILE',
  'READ_ONLY',
] as const;
const moved = once(() => z.object({ path: z.string(), revision: z.int().nonnegative(), cursor: z.string() }));

const replacement = once(() =>
  z.union([
    z.object({
      find: z.string().min(1).describe('Text that stands in the file exactly so.'),
      replace: z.string(),
      all: z.boolean().default(false).describe('Every occurrence; else it must stand there exactly once.'),
    }),
    z.object({
      startLine: z.int().positive().describe('First line, from 1, as files.read counts them.'),
      endLine: z.int().nonnegative().describe('Last line, included; startLine - 1 inserts before startLine.'),
      text: z.string().describe('The new lines; a line break at the end is added when it lacks one.'),
    }),
  ]),
);

const asText = once(() => z.string().optional().describe('The new content as text; a byte order mark that the file has is kept.'));
const asBytes = once(() => z.base64().optional().describe('The new content as bytes; exactly one of text and base64 is given.'));
const mode = once(() => z.int().min(0).max(0o777).optional());
const parents = once(() => z.boolean().default(true).describe('Make missing folders.'));
const edits = once(() =>
  z
    .array(replacement())
    .min(1)
    .max(1000)
    .describe('Ranges of lines first, counted in the text as it is; then searches, one after the other.'),
);

/** Changes in one batch. */
const MAX_BATCH_CHANGES = 1000;

/** One change of a batch. In, a path is checked and normalised; out, it is a text. */
function batchChange<P extends z.ZodType<string>>(at: P) {
  return z.discriminatedUnion('op', [
    z.object({
      op: z.literal('write'),
      path: at,
      text: asText(),
      base64: asBytes(),
      ifMatch: ifMatch(),
      ifNoneMatch: ifNoneMatch(),
      parents: parents(),
      mode: mode(),
    }),
    z.object({ op: z.literal('edit'), path: at, edits: edits(), ifMatch: ifMatch() }),
    z.object({ op: z.literal('move'), from: at, to: at, overwrite: z.boolean().default(false), parents: parents(), ifMatch: ifMatch() }),
    z.object({ op: z.literal('remove'), path: at, recursive: z.boolean().default(false), ifMatch: ifMatch() }),
    z.object({ op: z.literal('mkdir'), path: at, parents: parents() }),
  ]);
}

const batchChangeIn = once(() => batchChange(entryPath()));
export const batchChangeOut = once(() => batchChange(z.string()));
export type BatchChange = z.output<ReturnType<typeof batchChangeOut>>;

const batchResult = once(() =>
  z.object({
    op: z.enum(['write', 'edit', 'move', 'remove', 'mkdir']),
    path: z.string().describe('Where it stands; of a move, where it went.'),
    from: z.string().optional().describe('Where a moved thing was.'),
    before: etag()
      .nullable()
      .describe('ETag of the file before this change, as earlier ones of the batch left it; null when there was none.'),
    etag: etag().nullable().describe('ETag after this change; null when no file stands there then.'),
    size: z.int().nonnegative(),
    changed: z.boolean().describe('False when all was so already.'),
    created: z.boolean(),
    document: z.boolean().optional().describe('True when an open document took it as edits.'),
  }),
);
export type BatchResult = z.infer<ReturnType<typeof batchResult>>;

export const files = {
  'files.list': operation({
    summary: 'List a folder, or all below it.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: workspacePath().default(''),
        recursive: z.boolean().default(false),
        includeIgnored: z
          .boolean()
          .default(true)
          .describe('When recursive, ignored folders are named but not entered unless this is "enter".')
          .or(z.literal('enter')),
        limit: z.int().positive().max(1_000_000).default(10_000),
      }),
    item: entry,
    output: () =>
      z.object({
        path: z.string(),
        count: z.int(),
        truncated: z.boolean(),
        cursor: z.string().describe('The list holds all changes up to here.'),
      }),
    errors: ['FILE_NOT_FOUND', 'NOT_A_DIRECTORY', 'PATH_ESCAPES', 'NAME_TOO_LONG'],
  }),
  'files.stat': operation({
    summary: 'Say what stands at a path; a missing one is an answer, not an error.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: workspacePath(),
        hash: z
          .boolean()
          .default(false)
          .describe('Read the file to give its ETag, and its size with that: of an open document as it is now, unsaved edits included.'),
      }),
    output: () => z.object({ exists: z.boolean(), entry: entry().optional(), etag: etag().optional(), revision: z.int() }),
    errors: ['PATH_ESCAPES'],
  }),
  'files.read': operation({
    summary: 'Read a text file, whole or some lines; an open document is read as it is now, unsaved edits included.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath(),
        startLine: z.int().positive().optional().describe('First line, from 1. A line ends with LF, as for search and git.'),
        endLine: z.int().positive().optional().describe('Last line, included.'),
        head: z.int().positive().optional().describe('Only so many first lines.'),
        tail: z.int().positive().optional().describe('Only so many last lines.'),
        source: z.enum(['live', 'disk']).default('live').describe('disk: what is saved.'),
      }),
    output: () =>
      z.object({
        path: z.string(),
        text: z.string().describe('With the line ends that the file has; a byte order mark is left out.'),
        etag: etag(),
        size: z.int().describe('Bytes of the whole file.'),
        lines: z.int().optional().describe('Lines of the whole text, where only some were asked for.'),
        startLine: z.int().optional(),
        unsaved: z.boolean().optional().describe('True when an open document holds edits that are not in the file yet.'),
        bom: z.boolean().optional(),
      }),
    errors: ['FILE_NOT_FOUND', 'NOT_A_FILE', 'NOT_A_DIRECTORY', 'NOT_TEXT', 'PATH_ESCAPES', 'OUTPUT_TOO_LARGE', 'FILE_PERMISSION'],
  }),
  'files.write': operation({
    summary: 'Write a text file whole, atomically; an open document takes it as edits.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath(),
        text: z.string(),
        ifMatch: ifMatch(),
        ifNoneMatch: ifNoneMatch(),
        durability: durability(),
        parents: z.boolean().default(true).describe('Make missing folders.'),
        mode: z.int().min(0).max(0o777).optional(),
      }),
    output: written,
    errors: storeErrors,
    destructive: true,
  }),
  'files.create': operation({
    summary: 'Make a new file; one that exists is an error.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath(),
        text: z.string().default(''),
        durability: durability(),
        parents: z.boolean().default(true),
        mode: z.int().min(0).max(0o777).optional(),
      }),
    output: written,
    errors: [
      'FILE_EXISTS',
      'FILE_NOT_FOUND',
      'NOT_A_DIRECTORY',
      'PATH_ESCAPES',
      'NAME_TOO_LONG',
      'FILE_PERMISSION',
      'DISK_FULL',
      'BUSY_FILE',
      'READ_ONLY',
    ],
  }),
  'files.edit': operation({
    summary: 'Change parts of a text file: exact search and replace, or ranges of lines. All edits apply, or none.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath(),
        edits: edits(),
        ifMatch: ifMatch(),
        durability: durability(),
      }),
    output: written,
    errors: [
      'FILE_NOT_FOUND',
      'NOT_A_FILE',
      'NOT_A_DIRECTORY',
      'NOT_TEXT',
      'EDIT_NOT_FOUND',
      'EDIT_AMBIGUOUS',
      'OUT_OF_RANGE',
      'ETAG_MISMATCH',
      'PATH_ESCAPES',
      'FILE_PERMISSION',
      'DISK_FULL',
      'READ_ONLY',
      'INPUT_TOO_LARGE',
      'BUSY_FILE',
    ],
    destructive: true,
  }),
  'files.mkdir': operation({
    summary: 'Make a folder; one that exists is fine.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () => z.object({ path: entryPath(), parents: z.boolean().default(true) }),
    output: () => moved().extend({ created: z.boolean() }),
    errors: [
      'FILE_EXISTS',
      'NOT_A_DIRECTORY',
      'FILE_NOT_FOUND',
      'PATH_ESCAPES',
      'NAME_TOO_LONG',
      'FILE_PERMISSION',
      'DISK_FULL',
      'READ_ONLY',
    ],
  }),
  'files.remove': operation({
    summary: 'Remove a file, a link or a folder.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () =>
      z.object({ path: entryPath(), recursive: z.boolean().default(false), ifMatch: ifMatch(), missingOk: z.boolean().default(false) }),
    output: () => moved().extend({ removed: z.int().describe('How many entries.') }),
    errors: [
      'FILE_NOT_FOUND',
      'NOT_A_DIRECTORY',
      'NOT_EMPTY',
      'ETAG_MISMATCH',
      'PATH_ESCAPES',
      'FILE_PERMISSION',
      'BUSY_FILE',
      'READ_ONLY',
    ],
    http: { route: 'DELETE /files/{path}', request: { 'if-match': 'ifMatch' } },
    destructive: true,
  }),
  'files.move': operation({
    summary: 'Move or rename; open documents follow.',
    access: 'write',
    scope: { fields: ['from', 'to'] },
    input: () =>
      z.object({ from: entryPath(), to: entryPath(), overwrite: z.boolean().default(false), parents: z.boolean().default(true) }),
    output: moved,
    errors: [
      'FILE_NOT_FOUND',
      'FILE_EXISTS',
      'NOT_A_FILE',
      'NOT_A_DIRECTORY',
      'NOT_EMPTY',
      'PATH_ESCAPES',
      'NAME_TOO_LONG',
      'FILE_PERMISSION',
      'READ_ONLY',
      'DISK_FULL',
      'BUSY_FILE',
      'BAD_PATH',
    ],
    destructive: true,
  }),
  'files.copy': operation({
    summary: 'Copy a file or a folder.',
    access: 'write',
    scope: { fields: ['from', 'to'] },
    input: () =>
      z.object({ from: entryPath(), to: entryPath(), overwrite: z.boolean().default(false), parents: z.boolean().default(true) }),
    output: () => moved().extend({ copied: z.int() }),
    errors: [
      'FILE_NOT_FOUND',
      'FILE_EXISTS',
      'NOT_A_FILE',
      'NOT_A_DIRECTORY',
      'PATH_ESCAPES',
      'NAME_TOO_LONG',
      'FILE_PERMISSION',
      'DISK_FULL',
      'BUSY_FILE',
      'READ_ONLY',
      'BAD_PATH',
    ],
  }),
  'files.batch': operation({
    summary: 'Change many files at once, all or none: each change sees the ones before it, and nothing is changed when one can not be.',
    access: 'write',
    scope: { fields: ['changes.*.path', 'changes.*.from', 'changes.*.to'] },
    input: () =>
      z.object({
        changes: z.array(batchChangeIn()).min(1).max(MAX_BATCH_CHANGES).describe('In order; fields as in the operation of the same name.'),
        durability: durability(),
        dryRun: z.boolean().default(false).describe('Check everything and answer what would come of it, but change nothing.'),
        returnBefore: z.boolean().default(false).describe('Answer the changes that undo this batch, with the contents before it: `undo`.'),
      }),
    output: () =>
      z.object({
        revision: z.int().nonnegative().describe('The last revision that the batch made, or the current one when nothing changed.'),
        cursor: z.string(),
        changes: z.array(batchResult()).describe('What came of each change, in order.'),
        undo: z
          .array(batchChangeOut())
          .optional()
          .describe('Give them to files.batch to undo all of it, on condition that nobody changed these files since.'),
        notUndoable: z
          .array(z.object({ change: z.int().nonnegative(), why: z.string() }))
          .optional()
          .describe('Instead of `undo`, where it could not be whole: the changes that stand in the way.'),
      }),
    errors: [
      'FILE_NOT_FOUND',
      'FILE_EXISTS',
      'ETAG_MISMATCH',
      'EDIT_NOT_FOUND',
      'EDIT_AMBIGUOUS',
      'OUT_OF_RANGE',
      'NOT_TEXT',
      'NOT_A_FILE',
      'NOT_A_DIRECTORY',
      'NOT_EMPTY',
      'BAD_PATH',
      'PATH_ESCAPES',
      'NAME_TOO_LONG',
      'FILE_PERMISSION',
      'DISK_FULL',
      'BUSY_FILE',
      'INPUT_TOO_LARGE',
      'OUTPUT_TOO_LARGE',
      'READ_ONLY',
    ],
    destructive: true,
  }),
  'files.download': operation({
    summary: 'Read the bytes of a file on disk, whole or a range.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath(),
        range: z.string().optional().describe('As the HTTP header Range with one range: `bytes=0-99`, `bytes=100-`, `bytes=-50`.'),
        ifMatch: ifMatch(),
        ifNoneMatch: ifNoneMatch(),
        ifModifiedSince: z
          .string()
          .optional()
          .describe(
            'As the HTTP header: only if the file changed after this date. Not looked at beside ifNoneMatch, nor where it is no date.',
          ),
        ifUnmodifiedSince: z
          .string()
          .optional()
          .describe(
            'As the HTTP header: only if the file did not change after this date. Not looked at beside ifMatch, nor where it is no date.',
          ),
        ifRange: z
          .string()
          .optional()
          .describe(
            'An ETag: the range holds only for this content, else all of it is sent; so it is with a date, of which two contents may be.',
          ),
      }),
    output: () =>
      z.object({
        path: z.string(),
        etag: etag(),
        size: z.int().describe('Bytes of the whole file.'),
        length: z.int().describe('Bytes that follow.'),
        contentRange: z.string().optional(),
        acceptRanges: z.literal('bytes'),
        mimeType: z.string(),
        modified: z.string().describe('As in the header Last-Modified.'),
        partial: z.boolean(),
        notModified: z.boolean(),
      }),
    bytes: true,
    errors: [
      'FILE_NOT_FOUND',
      'NOT_A_FILE',
      'NOT_A_DIRECTORY',
      'OUT_OF_RANGE',
      'ETAG_MISMATCH',
      'PATH_ESCAPES',
      'FILE_PERMISSION',
      'BUSY_FILE',
    ],
    http: {
      route: 'GET /files/{path}',
      request: {
        range: 'range',
        'if-match': 'ifMatch',
        'if-none-match': 'ifNoneMatch',
        'if-modified-since': 'ifModifiedSince',
        'if-unmodified-since': 'ifUnmodifiedSince',
        'if-range': 'ifRange',
      },
      response: {
        etag: 'etag',
        length: 'content-length',
        contentRange: 'content-range',
        acceptRanges: 'accept-ranges',
        mimeType: 'content-type',
        modified: 'last-modified',
      },
      status: { notModified: 304, partial: 206 },
    },
  }),
  'files.upload': operation({
    summary: 'Write a file from a stream of bytes, atomically: it appears whole or not at all.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () =>
      z.object({
        path: entryPath(),
        ifMatch: ifMatch(),
        ifNoneMatch: ifNoneMatch(),
        durability: durability(),
        parents: z.boolean().default(true),
        mode: z.int().min(0).max(0o777).optional(),
      }),
    output: written,
    body: 'bytes',
    errors: [...storeErrors, 'INPUT_TOO_LARGE'],
    http: {
      route: 'PUT /files/{path}',
      request: { 'if-match': 'ifMatch', 'if-none-match': 'ifNoneMatch' },
      response: { etag: 'etag' },
      status: { created: 201 },
    },
    destructive: true,
  }),
};
