import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import type { EntryKind } from '../../contract/events.ts';
import type { Entry } from '../../contract/files.ts';
import { baseName, joinPath } from '../../contract/paths.ts';
import { notAFile, type Place } from './containment.ts';
import { sameFacts } from './content.ts';
import { fileError } from './file-errors.ts';

/** `at`: where the system finds it, whose facts `stat` are. */
export function entryOf(wirePath: string, stat: fs.Stats, at: string): Entry {
  const kind = kindOf(stat);
  const entry: Entry = {
    path: wirePath,
    name: baseName(wirePath),
    kind,
    size: kind === 'file' ? stat.size : 0,
    modified: stat.mtimeMs,
    mode: stat.mode & 0o777,
  };
  if (kind === 'symlink') {
    try {
      entry.target = fs.readlinkSync(at);
    } catch {
      // Replaced since: the next change says so.
    }
  }
  return entry;
}

export function kindOf(stat: fs.Stats): EntryKind {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? 'symlink' : 'other';
}

/** Whether a file has the mode that is asked for; undefined asks for none. */
export function hasMode(stat: fs.Stats, mode: number | undefined): boolean {
  return mode === undefined || (stat.mode & 0o7777) === mode;
}

export function lstatOrThrow(place: Place, wirePath: string): fs.Stats {
  const stat = fs.lstatSync(place.at, { throwIfNoEntry: false });
  if (stat === undefined) throw new OutriggerError('FILE_NOT_FOUND', `${wirePath} is not there.`);
  return stat;
}

export function regularOrNothing(place: Place, wirePath: string): fs.Stats | undefined {
  const stat = fs.lstatSync(place.at, { throwIfNoEntry: false });
  if (stat === undefined || stat.isFile()) return stat;
  throw notAFile(stat, wirePath);
}

/** What a rename from `source` would replace. On a disk that knows no case, another spelling of the same name is not that. */
export function existingAt(target: Place, source: Place, stat: fs.Stats): fs.Stats | undefined {
  const existing = fs.lstatSync(target.at, { throwIfNoEntry: false });
  if (existing === undefined || !isSameFile(existing, stat) || target.path.toLowerCase() !== source.path.toLowerCase()) return existing;
  return fs.readdirSync(target.folder).includes(target.name) ? existing : undefined;
}

/** Where a path at or below `folder` lies, when that is at `place` and no link has come between. */
export function placeBelow(place: string, folder: string, path: string): string {
  const rest = path.slice(folder === '' ? 0 : folder.length + 1);
  return rest === '' ? place : joinPath(place, rest);
}

export function isSameFile(one: fs.Stats, other: fs.Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

export function sameState(existing: fs.Stats | undefined, before: { stat: fs.Stats } | undefined): boolean {
  if (existing === undefined || before === undefined) return existing === undefined && before === undefined;
  return sameFacts(existing, before.stat);
}

export function readNames(at: string, wirePath: string): string[] {
  try {
    return fs.readdirSync(at).sort();
  } catch (error) {
    throw fileError(error, wirePath);
  }
}

/** Stands in a name in the place of what is not UTF-8; in others it may be what they are called. */
export function seemsOdd(name: string): boolean {
  return name.includes('\u{fffd}');
}

/** Names in a folder that are not UTF-8: no path says them. */
export function oddNames(at: string): Buffer[] {
  return fs.readdirSync(at, { encoding: 'buffer' }).filter((name) => !isUtf8(name));
}
