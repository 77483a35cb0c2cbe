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

/**
 * A form is stored in a session of its own, and goes into that of its entity when all of it was read: one that is refused or breaks off changes
 * nothing there. With `allOrNone` the first file that can't be stored throws.
 */
async function store(request: FastifyRequest, asking: Asking, allOrNone: boolean): Promise<{ session: string; stored: Stored[] }> {
  const missing = (): BadRequest => BadRequest.form({ field: 'body -> files', message: 'Field required', code: 'missing' });
  if (!request.isMultipart()) throw missing();
  const fields: Record<string, string> = {};
  const stored: Stored[] = [];
  const names = new FormNames();
  // Once a form was read, or broke off, what is left to do with its files is done, also where the caller is gone.
  const finishing = { ...asking, signal: new AbortController().signal };
  let own: string | undefined;
  let isKept = false;
  try {
    for await (const part of partsOf(request)) {
      if (part.type === 'field') {
        if (typeof part.value === 'string') fields[part.fieldname] = part.value;
        continue;
      }
      try {
        if (!fileFields.includes((part.fieldname ?? '').replace(/\[\]$/, ''))) continue;
        own ??= (await ask(asking, 'code.openSession', {})).id;
        stored.push(await storeOne(asking, own, part, names, allOrNone));
      } finally {
        // What is refused early is read to its end all the same, or the answer would not be.
        part.file.resume();
      }
    }
    if (own === undefined) throw missing();
    const entity = entityIn(fields, request);
    if (entity !== undefined) return await moveFiles(finishing, own, entity, stored, allOrNone);
    isKept = true;
    return { session: own, stored };
  } finally {
    if (own !== undefined && !isKept) await quietly(ask(finishing, 'code.closeSession', { session: own }));
  }
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
  return await outcomeOf(name, throws, async () => {
    names.add(name);
    return await ask(asking, 'code.putFile', { session, name }, { body: wholeFile(part.file) });
  });
}

async function outcomeOf(name: string, throws: boolean, put: () => Promise<CodeFile>): Promise<Stored> {
  try {
    return { name, file: await put(), error: undefined };
  } catch (error) {
    if (throws || !(error instanceof OutriggerError)) throw error;
    return { name, file: undefined, error };
  }
}

/**
 * From the session of a form into that of its entity. Files that take the place of others come last: where there is no room for a new one, nothing
 * was replaced yet.
 */
async function moveFiles(
  asking: Asking,
  from: string,
  entity: string,
  form: readonly Stored[],
  throws: boolean,
): Promise<{ session: string; stored: Stored[] }> {
  const { id: session, files: before } = await ask(asking, 'code.openSession', { entity });
  const replaces = ({ file }: Stored): boolean => before.some(({ name }) => name === file?.name);
  const moved = new Map<Stored, Stored>();
  try {
    for (const one of [...form.filter((each) => !replaces(each)), ...form.filter(replaces)]) {
      const { name, file } = one;
      if (file === undefined) continue;
      moved.set(one, await outcomeOf(name, throws, () => copyFile(asking, { session: from, id: file.id }, { session, name })));
    }
  } catch (error) {
    await quietly(takeBack(asking, session, before, [...moved.values()]));
    throw error;
  }
  return { session, stored: form.map((one) => moved.get(one) ?? one) };
}

/** Removes the new files that a form brought, where nobody has stored another one in their place meanwhile. */
async function takeBack(asking: Asking, session: string, before: readonly CodeFile[], moved: readonly Stored[]): Promise<void> {
  const { files } = await ask(asking, 'code.session', { session });
  for (const now of files) {
    const isOurs = moved.some(({ file }) => file?.id === now.id && file.modified === now.modified && file.sha256 === now.sha256);
    if (isOurs && !before.some(({ id }) => id === now.id)) await ask(asking, 'code.removeFile', { session, id: now.id });
  }
}

/** What is to be removed may be gone already, and sessions end by themselves. */
async function quietly(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!(error instanceof OutriggerError)) throw error;
  }
}
