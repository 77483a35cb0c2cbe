// What is known of the folder: its directories as a tree, what is in them by name, and which directory is which across renames.

import { Directory } from './directory.ts';
import type { SnapshotDirectory } from './snapshot.ts';
import { type EntryKind, type StatKey, unpackStats } from './stat-key.ts';

export class DirTable {
  readonly root = new Directory('', null, '');
  readonly #byId = new Map<string, Directory>();
  directoryCount = 0;
  fileCount = 0;

  /** The directory itself; null: none is known there. */
  directoryAt(path: string): Directory | null {
    let directory = this.root;
    if (path === '') return directory;
    for (const name of path.split('/')) {
      const entry = directory.entries.get(name);
      if (!(entry instanceof Directory)) return null;
      directory = entry;
    }
    return directory;
  }

  /** Where an entry of this path is, or would be; null: the directory it is in is not known. */
  find(path: string): { directory: Directory; name: string } | null {
    const slash = path.lastIndexOf('/');
    const directory = this.directoryAt(slash < 0 ? '' : path.slice(0, slash));
    return directory && { directory, name: path.slice(slash + 1) };
  }

  /** The deepest directory of the path that is known, and the next name of the path; null: all of it is known. */
  nearest(path: string): { directory: Directory; name: string } | null {
    let directory = this.root;
    for (const name of path.split('/')) {
      const entry = directory.entries.get(name);
      if (!(entry instanceof Directory)) return { directory, name };
      directory = entry;
    }
    return null;
  }

  entryAt(path: string): Directory | string | undefined {
    const found = this.find(path);
    return found?.directory.entries.get(found.name);
  }

  /** Null: nothing. */
  lookup(path: string): { kind: EntryKind; key: StatKey } | null {
    if (path === '') return null;
    const entry = this.entryAt(path);
    if (entry === undefined) return null;
    return typeof entry === 'string' ? unpackStats(entry) : { kind: 'directory', key: entry.key };
  }

  /** Null for a directory, undefined for nothing. */
  packedAt(path: string): string | null | undefined {
    const entry = this.entryAt(path);
    return entry instanceof Directory ? null : entry;
  }

  /** Every directory with its entries: name → packed key, or null for a directory. Parents come before what is in them. */
  *directories(): Generator<SnapshotDirectory> {
    const stack: Directory[] = [this.root];
    for (let directory = stack.pop(); directory; directory = stack.pop()) {
      if (directory.dropped) continue;
      const entries: [string, string | null][] = [];
      for (const [name, entry] of directory.entries) {
        entries.push([name, typeof entry === 'string' ? entry : null]);
        if (typeof entry !== 'string') stack.push(entry);
      }
      yield { path: directory.path, entries };
    }
  }

  /** The directory of this id, wherever it was last. */
  withId(id: string): Directory | undefined {
    return this.#byId.get(id);
  }

  setId(directory: Directory, id: string): void {
    this.forgetId(directory);
    directory.id = id;
    this.#byId.set(id, directory);
  }

  /** Unless another has it by now. */
  forgetId(directory: Directory): void {
    if (this.#byId.get(directory.id) === directory) this.#byId.delete(directory.id);
  }
}
