// A file in the watch's table is one short string, so that a hundred thousand of them stay cheap: kind, inode, size, mtime. Mode and ctime are left out:
// a chmod is no change of content.

import type { Dirent, Stats } from 'node:fs';

export type EntryKind = 'file' | 'directory' | 'symlink' | 'other';

/** size in bytes; mtimeMs and ino as Node's Stats has them. */
export interface StatKey {
  size: number;
  mtimeMs: number;
  ino: number;
}

const kindOfLetter: Record<string, EntryKind> = { f: 'file', l: 'symlink', o: 'other' };

export function kindOfStats(stats: Stats): EntryKind {
  if (stats.isDirectory()) return 'directory';
  return stats.isFile() ? 'file' : stats.isSymbolicLink() ? 'symlink' : 'other';
}

export function packStats(stats: Stats): string {
  const letter = stats.isFile() ? 'f' : stats.isSymbolicLink() ? 'l' : 'o';
  const packed = `${letter}${stats.ino}:${stats.size}:${stats.mtimeMs}`;
  // Looking at a character makes V8 join the parts; kept apart, they take three times the memory.
  packed.charCodeAt(0);
  return packed;
}

/** The entry of a file that was listed and not looked at yet: its kind alone. */
export function packKind(entry: Dirent): string | undefined {
  if (entry.isFile()) return 'f';
  if (entry.isSymbolicLink()) return 'l';
  return entry.isFIFO() || entry.isSocket() || entry.isCharacterDevice() || entry.isBlockDevice() ? 'o' : undefined;
}

export function isKindOnly(packed: string): boolean {
  return packed.length === 1;
}

export function unpackStats(packed: string): { kind: EntryKind; key: StatKey } {
  if (isKindOnly(packed)) return { kind: kindOfLetter[packed] ?? 'other', key: { ino: 0, size: 0, mtimeMs: 0 } };
  const first = packed.indexOf(':');
  const second = packed.indexOf(':', first + 1);
  return {
    kind: kindOfLetter[packed.charAt(0)] ?? 'other',
    key: { ino: Number(packed.slice(1, first)), size: Number(packed.slice(first + 1, second)), mtimeMs: Number(packed.slice(second + 1)) },
  };
}

export function keyOfStats(stats: Stats): StatKey {
  return { size: stats.size, mtimeMs: stats.mtimeMs, ino: stats.ino };
}

export function sameKey(one: StatKey, other: StatKey): boolean {
  return one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs;
}

/** Which directory this is, across renames; the birth time tells a directory from a later one that got its inode number. */
export function directoryId(stats: Stats): string {
  return `${stats.ino}:${stats.birthtimeMs}`;
}
