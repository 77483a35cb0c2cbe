import path from 'node:path';
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
