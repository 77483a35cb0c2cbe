import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { SessionRecord } from './session-store.ts';

/** What file systems take, of UTF-8. */
const MAX_NAME_BYTES = 255;
/** A longer end of a name is no extension. */
const MAX_EXTENSION_BYTES = 21;

/** What a file is to be called in a session, and what it was called where it comes from: two of one original take each other's place. */
export interface FileNaming {
  wanted: string;
  original: string;
}

type NamedFile = Pick<SessionRecord['files'][number], 'name' | 'original'>;

/** Of a file that comes from elsewhere. Throws BAD_INPUT for a name of which nothing is left. */
export function namingOf(name: string): FileNaming {
  const wanted = safeName(name);
  if (wanted === undefined) throw new OutriggerError('BAD_INPUT', `${JSON.stringify(name.slice(0, 100))} is no name for a file.`);
  return { wanted, original: originalOf(name) };
}

/**
 * A name that is harmless wherever it comes to be: its last part, with `_` for what is no letter of a to z, digit, dot or dash; one that
 * begins with a dot gets a `_` before it. Undefined where nothing of it is left. As LibreChat's clients expect it.
 */
export function safeName(name: string): string | undefined {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const kept = last.replace(/[^a-zA-Z0-9.-]/g, '_').replace(/^\./, '_.');
  if (kept === '' || /^[_.]*$/.test(kept)) return undefined;
  if (kept.length <= MAX_NAME_BYTES) return kept;
  const extension = /\.[a-zA-Z0-9]{1,20}$/.exec(kept)?.[0] ?? '';
  return kept.slice(0, MAX_NAME_BYTES - extension.length) + extension;
}

/** A name as it was given, in one form for all ways to write its path. */
export function originalOf(name: string): string {
  const parts = name.split(/[/\\]/);
  return parts.filter((part) => part !== '' && part !== '.').join('/');
}

/** `name-2.ext` for 2, at most 255 bytes; for 1 the name itself. */
export function numbered(name: string, number: number): string {
  if (number === 1) return name;
  const parsed = path.posix.parse(name);
  const isExtension = Buffer.byteLength(parsed.ext) <= MAX_EXTENSION_BYTES;
  const end = `-${number}${isExtension ? parsed.ext : ''}`;
  return cutTo(isExtension ? parsed.name : name, MAX_NAME_BYTES - Buffer.byteLength(end)) + end;
}

/**
 * The name that a file gets among those of a session: that of the same original, where it is the wanted one or a number of it, else the first that is
 * free. Those in `filled` are never taken.
 */
export function nameAmong(there: readonly NamedFile[], { wanted, original }: FileNaming, filled: ReadonlySet<string>): string {
  const same = there.filter((file) => (file.original ?? file.name) === original && !filled.has(file.name));
  const own = same.find(({ name }) => name === wanted) ?? same.find(({ name }) => isNumberOf(name, wanted));
  if (own !== undefined) return own.name;
  const taken = new Set([...there.map(({ name }) => name), ...filled]);
  for (let number = 1; ; number++) {
    const name = numbered(wanted, number);
    if (!taken.has(name)) return name;
  }
}

function isNumberOf(name: string, wanted: string): boolean {
  const number = /-(\d{1,9})(?:\.[^.]*)?$/.exec(name)?.[1];
  return number !== undefined && numbered(wanted, Number(number)) === name;
}

/** As much as `bytes` of UTF-8 hold, of whole characters. */
function cutTo(text: string, bytes: number): string {
  return text.slice(0, new TextEncoder().encodeInto(text, new Uint8Array(bytes)).read);
}
