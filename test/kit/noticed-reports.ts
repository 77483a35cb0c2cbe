import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashBytes } from '../../src/services/workspace/content.ts';
import type { Noticed } from '../../src/services/workspace/echoes.ts';
import type { Harness } from './workspace-harness.ts';

/** What the watch says of what stands there now. */
export function report({ at }: Harness, name: string, what: Noticed['what'] = 'changed', more: Partial<Noticed> = {}): Noticed {
  const stat = fs.lstatSync(at(name), { throwIfNoEntry: false });
  const kind = stat?.isDirectory() === true ? 'directory' : stat?.isSymbolicLink() === true ? 'symlink' : 'file';
  const hash = kind === 'file' && stat !== undefined && what !== 'removed' ? hashBytes(fs.readFileSync(at(name))) : null;
  return { path: name, kind, what, size: stat?.size ?? 0, mtimeMs: stat?.mtimeMs ?? 0, ino: stat?.ino ?? 0, hash, ...more };
}

/** Renames it as another program does. What the watch says that saw it there at once. */
export function renamed(harness: Harness, from: string, to: string): Noticed {
  const { at } = harness;
  fs.renameSync(at(from), at(to));
  const folder = path.dirname(to);
  return report(harness, to, 'created', { from, ...(folder === '.' ? {} : { folderIno: fs.lstatSync(at(folder)).ino }) });
}

export function removed(name: string, kind: Noticed['kind'] = 'file'): Noticed {
  return { path: name, kind, what: 'removed', size: 0, mtimeMs: 0, ino: 0, hash: null };
}

/** A file system tells no times apart that lie within some milliseconds. */
export const nextTick = (): Promise<void> => sleep(30);
