import * as z from 'zod';
import { operation } from './operation.ts';
import { entryPath } from './paths.ts';
import { once } from './once.ts';

export const presence = once(() =>
  z.object({
    client: z.int().describe('Yjs client id.'),
    name: z.string(),
    kind: z.enum(['person', 'agent']),
    color: z.string().optional(),
  }),
);

export type Presence = z.infer<ReturnType<typeof presence>>;

export const documentInfo = once(() =>
  z.object({
    path: z.string(),
    connections: z.int(),
    people: z.array(presence()),
    state: z
      .enum(['saved', 'unsaved', 'saving', 'conflict', 'deleted', 'failed'])
      .describe('conflict: the file on disk holds something that could not be merged in yet; failed: the last save did not work'),
    etag: z.string().nullable().describe('Of the content last saved or seen on disk.'),
    revision: z.int().describe('The revision that the last save made.'),
    length: z.int().describe('UTF-16 units.'),
    eol: z.enum(['lf', 'crlf', 'cr']),
    bom: z.boolean(),
    problem: z.string().optional(),
  }),
);
export type DocumentInfo = z.infer<ReturnType<typeof documentInfo>>;

export const documents = {
  'documents.list': operation({
    summary: 'Documents open now, who is in them, and whether they are saved.',
    access: 'read',
    scope: 'filtered',
    input: () => z.object({}),
    output: () => z.object({ documents: z.array(documentInfo()) }),
    errors: [],
  }),
  'documents.watch': operation({
    summary: 'Stream the state of open documents and the people in them, at most four times a second.',
    access: 'read',
    scope: 'filtered',
    input: () => z.object({}),
    item: () => z.object({ changed: z.array(documentInfo()), closed: z.array(z.string()) }),
    endless: true,
    output: () => z.object({}),
    errors: [],
  }),
  'documents.open': operation({
    summary:
      'Open a text file for shared editing. Over a document socket this attaches it; elsewhere it says whether and where it can be opened.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: entryPath() }),
    output: () =>
      documentInfo().extend({
        readOnly: z.boolean().describe('The caller may look, not write.'),
        socket: z.string().describe('Where a y-websocket provider connects.'),
      }),
    errors: [
      'FILE_NOT_FOUND',
      'NOT_A_FILE',
      'NOT_A_DIRECTORY',
      'DOCUMENT_BINARY',
      'DOCUMENT_TOO_LARGE',
      'TOO_MANY_DOCUMENTS',
      'PATH_ESCAPES',
      'FILE_PERMISSION',
    ],
  }),
  'documents.flush': operation({
    summary: 'Save open documents now.',
    access: 'write',
    scope: 'workspace',
    input: () => z.object({}),
    output: () => z.object({ saved: z.array(z.string()), failed: z.array(z.object({ path: z.string(), problem: z.string() })) }),
    errors: [],
  }),
};
