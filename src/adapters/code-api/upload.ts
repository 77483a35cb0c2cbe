import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CodeFile } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { BadRequest } from './answers.ts';
import { ask, type Asking, copyFile } from './ask.ts';
import { FormNames, partsOf, wholeFile } from './form-files.ts';
import { entityOf, FormReader } from './request-form.ts';

const fileFields = ['file', 'files'];

interface Stored {
  name: string;
  file: CodeFile | undefined;
  error: unknown;
}

/** The session that a form's files go to. */
interface Target {
  id: string;
  entity: string | undefined;
  /** Files that were there before. */
  before: ReadonlySet<string>;
}

/** Files of a form into the session of its `entity_id`, or a new one: POST /upload, and /upload/batch, which takes what it can. */
export function routeUpload(scope: FastifyInstance, asking: (request: FastifyRequest, reply: FastifyReply) => Promise<Asking>): void {
  scope.post('/upload', async (request, reply) => {
    const { session, stored } = await store(request, await asking(request, reply), true);
    const files = stored.map(({ file }) => ({ filename: file?.name, fileId: file?.id }));
    return { message: 'success', session_id: session, storage_session_id: session, files };
  });

  scope.post('/upload/batch', async (request, reply) => {
    const { session, stored } = await store(request, await asking(request, reply), false);
    const failed = stored.filter(({ file }) => file === undefined).length;
    const files = stored.map(({ name, file, error }) =>
      file === undefined
        ? { status: 'error', filename: name, error: error instanceof OutriggerError ? error.message : 'It could not be stored' }
        : { status: 'success', filename: file.name, fileId: file.id },
    );
    const message = failed === 0 ? 'success' : failed === stored.length ? 'error' : 'partial_success';
    return { message, session_id: session, storage_session_id: session, files, succeeded: stored.length - failed, failed };
  });
}

/** With `allOrNone` the first file that can't be stored throws, and those before it are removed. */
async function store(request: FastifyRequest, asking: Asking, allOrNone: boolean): Promise<{ session: string; stored: Stored[] }> {
  const missing = (): BadRequest => BadRequest.form({ field: 'body -> files', message: 'Field required', code: 'missing' });
  if (!request.isMultipart()) throw missing();
  const fields: Record<string, string> = {};
  const stored: Stored[] = [];
  const names = new FormNames();
  let target: Target | undefined;
  try {
    for await (const part of partsOf(request)) {
      if (part.type === 'field') {
        if (typeof part.value === 'string') fields[part.fieldname] = part.value;
        continue;
      }
      try {
        // The form may name its entity before the files or after them.
        target ??= await openSession(asking, entityIn(fields, request));
        if (fileFields.includes((part.fieldname ?? '').replace(/\[\]$/, '')))
          stored.push(await storeOne(asking, target.id, part, names, allOrNone));
      } finally {
        // What is refused early is read to its end all the same, or the answer would not be.
        part.file.resume();
      }
    }
    if (target === undefined || stored.length === 0) throw missing();
    const entity = entityIn(fields, request);
    if (entity !== target.entity) {
      const from = target;
      target = await openSession(asking, entity);
      await moveFiles(asking, from, target, stored);
    }
  } catch (error) {
    await takeBack(asking, target, stored);
    throw error;
  }
  return { session: target.id, stored };
}

async function openSession(asking: Asking, entity: string | undefined): Promise<Target> {
  const { id, files } = await ask(asking, 'code.openSession', entity === undefined ? {} : { entity });
  return { id, entity, before: new Set(files.map((file) => file.id)) };
}

/** Throws BadRequest for an entity that is none. Whose the files are may also be said by a header, as LibreChat does. */
function entityIn(fields: Record<string, string>, request: FastifyRequest): string | undefined {
  const reader = new FormReader(fields);
  const user = reader.optional('user_id') ?? headerOf(request, 'user-id') ?? headerOf(request, 'x-user-id');
  const entity = entityOf(reader.entity(), user);
  reader.check();
  return entity;
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

async function storeOne(
  asking: Asking,
  session: string,
  part: { filename: string; file: AsyncIterable<Uint8Array> & { truncated: boolean } },
  names: FormNames,
  throws: boolean,
): Promise<Stored> {
  const name = part.filename;
  try {
    names.add(name);
    const file = await ask(asking, 'code.putFile', { session, name }, { body: wholeFile(part.file) });
    return { name, file, error: undefined };
  } catch (error) {
    if (throws || !(error instanceof OutriggerError)) throw error;
    return { name, file: undefined, error };
  }
}

/** From the new session of a form into the one that its last field named. */
async function moveFiles(asking: Asking, from: Target, to: Target, stored: Stored[]): Promise<void> {
  const found = stored.splice(0);
  try {
    for (const one of found) {
      if (one.file === undefined) {
        stored.push(one);
        continue;
      }
      const file = await copyFile(asking, { session: from.id, id: one.file.id }, { session: to.id, name: one.name });
      stored.push({ ...one, file });
    }
  } finally {
    await takeBack(asking, from, []);
  }
}

/** Removes what a refused form brought: its new session, or its new files in the session of an entity. */
async function takeBack(asking: Asking, target: Target | undefined, stored: Stored[]): Promise<void> {
  if (target === undefined) return;
  try {
    if (target.entity === undefined) await ask(asking, 'code.closeSession', { session: target.id });
    else
      for (const { file } of stored)
        if (file !== undefined && !target.before.has(file.id)) await ask(asking, 'code.removeFile', { session: target.id, id: file.id });
  } catch (error) {
    // The caller went away, or they are gone already: sessions end by themselves.
    if (!(error instanceof OutriggerError)) throw error;
  }
}
