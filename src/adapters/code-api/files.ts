import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CodeFile, CodeSession } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { isoTime } from '../../core/iso-time.ts';
import { sendBody } from '../../net/response-flow.ts';
import { ask, askBytes, type Asking } from './ask.ts';
import { liveSession } from './exec.ts';
import { knownId } from './request-form.ts';

/** Clients take a file for gone when it was last modified so long ago, and send it anew. */
const TRUSTED_MS = 24 * 60 * 60 * 1000;

interface Place {
  session: string;
  file: string;
}

/** The files of sessions: list, download, remove. */
export function routeFiles(scope: FastifyInstance, asking: (request: FastifyRequest, reply: FastifyReply) => Promise<Asking>): void {
  scope.get('/files/:session', async (request, reply) => {
    const { session: id } = request.params as Place;
    const { detail } = request.query as { detail?: unknown };
    const session = await liveSession(await asking(request, reply), knownId(id));
    // As in the original: a session that is gone has no files.
    if (session === undefined) return [];
    if (detail === 'summary') return session.files.map((file) => summary(file, session));
    if (detail === 'simple') return session.files.map(({ id: fileId, name }) => ({ id: fileId, name, path: `/${name}` }));
    return session.files.map((file) => full(file, session));
  });

  // Asked by newer clients before they trust a file to be there still.
  scope.get('/sessions/:session/objects/:file', async (request, reply) => {
    const { session, file } = await foundFile(await asking(request, reply), request.params as Place);
    return { ...full(file, session), ...summary(file, session) };
  });

  scope.get('/download/:session/:file', async (request, reply) => {
    const caller = await asking(request, reply);
    const { session, file } = placeIn(request.params as Place);
    const { head, bytes } = await askBytes(caller, 'code.getFile', { session, id: file });
    await sendFile(request, reply, head, bytes, { 'content-disposition': contentDisposition(head.name) });
    return reply;
  });

  scope.delete('/files/:session/:file', async (request, reply) => {
    const caller = await asking(request, reply);
    const { session, file } = placeIn(request.params as Place);
    await ask(caller, 'code.removeFile', { session, id: file });
    return reply.code(200).send();
  });
}

/** Answers the bytes of a file with its ETag, or 304 to who has them. */
export async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: Pick<CodeFile, 'sha256' | 'size' | 'contentType'>,
  bytes: AsyncIterable<Uint8Array>,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const iterator = bytes[Symbol.asyncIterator]();
  const etag = `"${file.sha256}"`;
  // A file of a program must not run as a page of ours.
  reply.headers({ etag, 'cache-control': 'private, no-cache', 'content-security-policy': "default-src 'none'; sandbox", ...headers });
  reply.hijack();
  const { raw } = reply;
  try {
    if (matches(request.headers['if-none-match'], file.sha256)) {
      raw.writeHead(304, reply.getHeaders() as Record<string, string>).end();
      await iterator.return?.();
      return;
    }
    reply.headers({ 'content-type': file.contentType, 'content-length': String(file.size) });
    raw.writeHead(200, reply.getHeaders() as Record<string, string>);
    await sendBody(raw, iterator, file.size);
  } catch {
    await iterator.return?.();
    // A body that stops short must look like it; the log has the call.
    raw.destroy();
  }
}

/** ETags come with quotes and, from some clients, without. */
export function matches(header: string | undefined, sha256: string): boolean {
  return header !== undefined && header.split(',').some((one) => [`"${sha256}"`, `W/"${sha256}"`, sha256, '*'].includes(one.trim()));
}

/** A name that a header can hold, and beside it the name as it is (RFC 6266). */
export function contentDisposition(name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const plain = last.replace(/[^A-Za-z0-9._-]/g, '_');
  const encoded = encodeURIComponent(last).replace(/['()*!]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

async function foundFile(asking: Asking, params: Place): Promise<{ session: CodeSession; file: CodeFile }> {
  const place = placeIn(params);
  const session = await ask(asking, 'code.session', { session: place.session });
  const file = session.files.find(({ id }) => id === place.file);
  if (file === undefined) throw notFound();
  return { session, file };
}

/** Throws FILE_NOT_FOUND for ids that can be none of ours. */
function placeIn({ session, file }: Place): Place {
  if (knownId(session) === undefined || knownId(file) === undefined) throw notFound();
  return { session, file };
}

function notFound(): OutriggerError {
  return new OutriggerError('FILE_NOT_FOUND', 'File not found');
}

/** `lastModified` says until when clients may trust the file: it lives as long as its session, which each use prolongs. */
function summary({ id }: CodeFile, session: CodeSession): Record<string, unknown> {
  const used = Math.min(session.expiresAt - TRUSTED_MS, Date.now());
  return { name: `${session.id}/${id}`, lastModified: new Date(used).toISOString() };
}

function full(file: CodeFile, session: CodeSession): Record<string, unknown> {
  return {
    name: file.name,
    id: file.id,
    session_id: session.id,
    storage_session_id: session.id,
    content: null,
    size: file.size,
    lastModified: isoTime(file.modified),
    etag: `"${file.sha256}"`,
    metadata: { 'content-type': file.contentType, 'original-filename': file.name },
    contentType: file.contentType,
  };
}
