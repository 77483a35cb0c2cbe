import { pipeline, Readable } from 'node:stream';
import zlib from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OutriggerError } from '../../contract/errors.ts';
import { sendBody } from '../../net/response-flow.ts';
import { ask, askBytes, type Asking } from '../code-api/ask.ts';
import { partsOf, wholeFile } from '../code-api/form-files.ts';
import { sandboxPathOf, workspacePathOf } from './sandbox-path.ts';

/** What a document can hold: above it a file is as it is on disk. */
const MAX_LIVE_BYTES = 4 * 1024 * 1024;

/** Headers that say of what the bytes are to be, as inputs of operations (RFC 9110 sections 13.1 and 14.2). */
const writeConditions = { 'if-match': 'ifMatch', 'if-none-match': 'ifNoneMatch' } as const;
const readConditions = {
  ...writeConditions,
  range: 'range',
  'if-range': 'ifRange',
  'if-modified-since': 'ifModifiedSince',
  'if-unmodified-since': 'ifUnmodifiedSince',
} as const;

type Query = Readonly<Record<string, unknown>>;

/** GET /files: the bytes of a file; of one that is open for editing, as it is now. */
export async function sendFile(asking: Asking, request: FastifyRequest, reply: FastifyReply, root: string): Promise<void> {
  const path = workspacePathOf(pathOf(request.query as Query), root);
  const { range, 'if-match': ifMatch, 'if-unmodified-since': ifUnmodifiedSince } = request.headers;
  const isOfDisk = [range, ifMatch, ifUnmodifiedSince].some((one) => one !== undefined);
  const live = isOfDisk ? undefined : await unsavedText(asking, path);
  if (live !== undefined) {
    reply.header('content-type', 'text/plain; charset=utf-8').header('content-length', live.length);
    return void reply.send(live);
  }
  const { head, bytes } = await askBytes(asking, 'files.download', { path, ...conditionsOf(request, readConditions) });
  const iterator = bytes[Symbol.asyncIterator]();
  reply.headers({ 'accept-ranges': head.acceptRanges, etag: head.etag });
  if (head.notModified) {
    await iterator.return?.();
    return void reply.code(304).send();
  }
  reply.code(head.partial ? 206 : 200).headers({ 'content-type': head.mimeType, 'content-length': head.length });
  if (head.contentRange !== undefined) reply.header('content-range', head.contentRange);
  reply.header('last-modified', head.modified).header('content-disposition', 'attachment');
  reply.hijack();
  reply.raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>);
  await sendBody(reply.raw, iterator, head.length).catch(() => reply.raw.destroy());
}

/** POST /files: one file as it is, or the files of a form, under `path` or their own names. Each appears whole or not at all. */
export async function takeFiles(asking: Asking, request: FastifyRequest, root: string): Promise<unknown[]> {
  if (Object.keys(request.headers).some((name) => name.startsWith('x-metadata-')))
    throw new OutriggerError('BAD_INPUT', 'Metadata of files is not kept here: leave X-Metadata-… out.');
  if (request.headers['if-match'] === undefined && request.headers['if-unmodified-since'] !== undefined)
    throw new OutriggerError('BAD_INPUT', "The condition of the header if-unmodified-since can't be checked, so nothing was done.");
  const conditions = conditionsOf(request, writeConditions);
  const { path: asked } = request.query as Query;
  const stored: unknown[] = [];
  const store = async (name: string, body: AsyncIterable<Uint8Array>): Promise<void> => {
    const path = workspacePathOf(name, root);
    await ask(asking, 'files.upload', { path, ...conditions }, { body });
    stored.push({ name: path.slice(path.lastIndexOf('/') + 1), type: 'file', path: sandboxPathOf(path) });
  };
  if (request.isMultipart()) {
    for await (const part of partsOf(request)) {
      if (part.type === 'field') continue;
      // Not every form gives one.
      const own: string | undefined = part.filename;
      try {
        const name = typeof asked === 'string' && asked !== '' ? asked : own;
        if (name === undefined) throw new OutriggerError('BAD_INPUT', 'A file of the form has no name, and the query says no path.');
        await store(name, wholeFile(part.file));
      } finally {
        // What is refused early is read to its end all the same, or the answer would not be.
        part.file.resume();
      }
    }
    if (stored.length === 0) throw new OutriggerError('BAD_INPUT', 'The form holds no file.');
  } else await store(pathOf(request.query as Query), plainBody(request));
  return stored;
}

function conditionsOf<Field extends string>(
  { headers }: FastifyRequest,
  fields: Readonly<Record<string, Field>>,
): Partial<Record<Field, string>> {
  const given = Object.entries(fields).flatMap(([header, field]) => {
    const value = headers[header];
    return typeof value === 'string' ? [[field, value] as const] : [];
  });
  return Object.fromEntries(given) as Partial<Record<Field, string>>;
}

/** Throws BAD_INPUT. */
function pathOf({ path }: Query): string {
  if (typeof path !== 'string' || path === '') throw new OutriggerError('BAD_INPUT', 'The query must say one path.');
  return path;
}

/** Of a text that is open and not saved yet, else undefined. */
async function unsavedText(asking: Asking, path: string): Promise<Buffer | undefined> {
  const { entry } = await ask(asking, 'files.stat', { path });
  if (entry?.kind !== 'file' || entry.size > MAX_LIVE_BYTES) return undefined;
  try {
    const { text, unsaved, bom } = await ask(asking, 'files.read', { path });
    return unsaved === true ? Buffer.from(bom === true ? `\ufeff${text}` : text) : undefined;
  } catch (error) {
    // What is no text is nobody's document; other failures come again.
    if (error instanceof OutriggerError) return undefined;
    throw error;
  }
}

/** The body as it was meant. Throws BAD_INPUT for what is not what it says it is. */
async function* plainBody({ body, headers }: FastifyRequest): AsyncGenerator<Uint8Array, void> {
  // A request without a body has none to read. One whose rest is not wanted is not cut: its sender is to read the answer.
  const raw = (body ?? Readable.from([])) as Readable;
  const bytes = raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  const isPacked = headers['content-encoding'] === 'gzip';
  try {
    yield* isPacked ? (pipeline(bytes, zlib.createGunzip(), () => undefined) as AsyncIterable<Uint8Array>) : bytes;
  } catch (error) {
    if (!isPacked) throw error;
    throw new OutriggerError('BAD_INPUT', 'The body is no gzip, or not whole.', { cause: error });
  } finally {
    if (!raw.readableEnded && !raw.destroyed) raw.resume();
  }
}
