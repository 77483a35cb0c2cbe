// What each call has to answer, and what it makes of the folder in memory.
import type { ErrorReason } from '../../src/contract/errors.ts';
import type { Asked } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { checkConditions, etagOf, type ModelFolder, Refused, textOf } from './workspace-model-folder.ts';
import { someLines } from './workspace-model-text.ts';

type Fields = Record<string, unknown>;

interface Inputs {
  'files.list': Asked<Operations['files.list']>;
  'files.stat': Asked<Operations['files.stat']>;
  'files.read': Asked<Operations['files.read']>;
  'files.write': Asked<Operations['files.write']>;
  'files.create': Asked<Operations['files.create']>;
  'files.edit': Asked<Operations['files.edit']>;
  'files.mkdir': Asked<Operations['files.mkdir']>;
  'files.remove': Asked<Operations['files.remove']>;
  'files.move': Asked<Operations['files.move']>;
  'files.copy': Asked<Operations['files.copy']>;
  'files.batch': Asked<Operations['files.batch']>;
  'files.download': Asked<Operations['files.download']>;
  'files.upload': Asked<Operations['files.upload']>;
}
export type CallName = keyof Inputs;
type CallOf<K extends CallName> = { name: K; input: Inputs[K] };
/** `bytes`: the body of an upload. */
export type ModelCall =
  | { [K in Exclude<CallName, 'files.upload'>]: CallOf<K> }[Exclude<CallName, 'files.upload'>]
  | (CallOf<'files.upload'> & { bytes: Buffer });

export interface Expected {
  /** Fields that the answer has, with these values. */
  fields?: Fields;
  bytes?: Buffer;
  items?: Fields[];
  /** Of a refused call: one of these. */
  reasons?: readonly ErrorReason[];
}

export const readingCalls: readonly CallName[] = ['files.list', 'files.stat', 'files.read', 'files.download'];

/** The path as it is spelt in answers. Throws BAD_PATH. */
function spelt(path: string): string {
  const names = path.split('/');
  const isLong = Buffer.byteLength(path) > 4095 || names.some((name) => Buffer.byteLength(name) > 255);
  if (isLong || path.startsWith('/') || path.includes('\0') || names.includes('..')) throw new Refused('BAD_PATH');
  return names.filter((name) => name !== '' && name !== '.').join('/');
}

function entryPath(path: string): string {
  const plain = spelt(path);
  if (plain === '') throw new Refused('BAD_PATH');
  return plain;
}

/** The answer, and the folder as the call leaves it: as it was where it is refused. Only a copy leaves what it made before. */
export function answerOf(folder: ModelFolder, call: ModelCall): Expected {
  const draft = folder.copy();
  try {
    const expected = answered(draft, call);
    folder.become(draft);
    return expected;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (call.name === 'files.copy') folder.become(draft);
    return { reasons: error.reasons };
  }
}

function answered(folder: ModelFolder, call: ModelCall): Expected {
  switch (call.name) {
    case 'files.list':
      return listed(folder, call.input);
    case 'files.stat':
      return { fields: stated(folder, call.input) };
    case 'files.read':
      return { fields: readText(folder, call.input) };
    case 'files.download':
      return downloaded(folder, call.input);
    case 'files.write':
      return { fields: folder.write({ ...call.input, path: entryPath(call.input.path) }, Buffer.from(call.input.text), true) };
    case 'files.upload':
      return { fields: folder.write({ ...call.input, path: entryPath(call.input.path) }, call.bytes, false) };
    case 'files.create':
      return { fields: folder.create({ ...call.input, path: entryPath(call.input.path) }, Buffer.from(call.input.text ?? '')) };
    case 'files.edit':
      return { fields: folder.edit(entryPath(call.input.path), call.input.edits, call.input.ifMatch) };
    case 'files.mkdir':
      return { fields: folder.mkdir(entryPath(call.input.path), call.input.parents ?? true) };
    case 'files.remove':
      return { fields: folder.remove(entryPath(call.input.path), call.input) };
    case 'files.move': {
      const { path } = folder.move(entryPath(call.input.from), entryPath(call.input.to), call.input);
      return { fields: { path } };
    }
    case 'files.copy':
      return { fields: folder.copyTo(entryPath(call.input.from), entryPath(call.input.to), call.input) };
    case 'files.batch':
      return batched(folder, call.input);
  }
}

function listed(folder: ModelFolder, { path = '', recursive = false, limit = 10_000 }: Inputs['files.list']): Expected {
  const plain = spelt(path);
  const items = folder.list(plain, recursive);
  return { fields: { path: plain, count: Math.min(limit, items.length), truncated: items.length > limit }, items };
}

function stated(folder: ModelFolder, { path, hash = false }: Inputs['files.stat']): Fields {
  const plain = spelt(path);
  const node = folder.entry(plain);
  if (node === undefined) return { exists: false, entry: undefined };
  const etag = hash && node.kind === 'file' ? etagOf(node.bytes) : undefined;
  return { exists: true, entry: folder.fieldsOf(plain, node), etag };
}

function readText(folder: ModelFolder, input: Inputs['files.read']): Fields {
  const path = entryPath(input.path);
  const isTwice = [input.startLine ?? input.endLine, input.head, input.tail].filter((way) => way !== undefined).length > 1;
  const isTurned = (input.endLine ?? Number.POSITIVE_INFINITY) < (input.startLine ?? 1);
  if (isTwice || isTurned) throw new Refused('BAD_INPUT');
  const { bytes } = folder.file(path);
  const latin = bytes.toString('latin1');
  const some = someLines(latin, input);
  // Only what is asked for has to be text.
  const raw = textOf(some === undefined ? bytes : Buffer.from(some.text, 'latin1'));
  if (raw === undefined) throw new Refused('NOT_TEXT');
  const hasMark = raw.startsWith('\ufeff') && (some?.startLine ?? 1) === 1;
  const bom = hasMark ? true : undefined;
  const whole = { path, etag: etagOf(bytes), size: bytes.length, text: hasMark ? raw.slice(1) : raw, bom };
  return some === undefined ? whole : { ...whole, lines: some.lines, startLine: some.startLine };
}

function downloaded(folder: ModelFolder, input: Inputs['files.download']): Expected {
  const path = entryPath(input.path);
  const { bytes } = folder.file(path);
  const etag = etagOf(bytes);
  const facts = { path, etag, size: bytes.length };
  if (input.ifMatch !== undefined) checkConditions(bytes, { ifMatch: input.ifMatch });
  // All dates here are long past.
  else if (input.ifUnmodifiedSince !== undefined) throw new Refused('ETAG_MISMATCH');
  try {
    checkConditions(bytes, { ifNoneMatch: input.ifNoneMatch });
  } catch {
    return { fields: { ...facts, length: 0, partial: false, notModified: true }, bytes: Buffer.alloc(0) };
  }
  const isWhole = { fields: { ...facts, length: bytes.length, partial: false, notModified: false, contentRange: undefined }, bytes };
  if (input.range === undefined || (input.ifRange !== undefined && input.ifRange !== etag)) return isWhole;
  const range = /^bytes=(\d*)-(\d*)$/.exec(input.range);
  const [first, last] = [range?.[1] ?? '', range?.[2] ?? ''];
  if (range === null || (first === '' && last === '') || (first !== '' && last !== '' && Number(last) < Number(first))) return isWhole;
  const start = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1);
  if (start >= end) throw new Refused('OUT_OF_RANGE');
  const contentRange = `bytes ${start}-${end - 1}/${bytes.length}`;
  return { fields: { ...facts, length: end - start, partial: true, notModified: false, contentRange }, bytes: bytes.subarray(start, end) };
}

function batched(folder: ModelFolder, { changes, dryRun = false }: Inputs['files.batch']): Expected {
  const draft = folder.copy();
  // A path that can't be is found before anything else.
  for (const change of changes) for (const path of change.op === 'move' ? [change.from, change.to] : [change.path]) entryPath(path);
  const results = changes.map((change): Fields => {
    const fileAt = (path: string, follow: boolean): Buffer | undefined => {
      const { node } = draft.spot(path, follow);
      return node?.kind === 'file' ? node.bytes : undefined;
    };
    const tag = (bytes: Buffer | undefined): string | null => (bytes === undefined ? null : etagOf(bytes));
    switch (change.op) {
      case 'write': {
        const path = entryPath(change.path);
        const before = tag(fileAt(path, true));
        const given = change.text === undefined ? Buffer.from(change.base64 ?? '', 'base64') : Buffer.from(change.text);
        return { op: 'write', before, ...draft.write({ ...change, path }, given, change.text !== undefined) };
      }
      case 'edit': {
        const path = entryPath(change.path);
        const before = tag(fileAt(path, true));
        return { op: 'edit', before, ...draft.edit(path, change.edits, change.ifMatch) };
      }
      case 'move': {
        const [from, to] = [entryPath(change.from), entryPath(change.to)];
        const { changed } = draft.move(from, to, change);
        const bytes = fileAt(to, false);
        return { op: 'move', path: to, from, before: tag(bytes), etag: tag(bytes), changed, created: false, size: bytes?.length ?? 0 };
      }
      case 'remove': {
        const path = entryPath(change.path);
        const before = tag(fileAt(path, false));
        draft.remove(path, change);
        return { op: 'remove', path, before, etag: null, changed: true, created: false, size: 0 };
      }
      case 'mkdir': {
        const { path, created } = draft.mkdir(entryPath(change.path), change.parents ?? true);
        return { op: 'mkdir', path, before: null, etag: null, changed: created, created, size: 0 };
      }
    }
  });
  if (!dryRun) folder.become(draft);
  return { fields: { changes: results } };
}
