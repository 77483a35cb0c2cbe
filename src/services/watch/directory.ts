import type { FSWatcher } from 'node:fs';
import type { StatKey } from './stat-key.ts';

/** What a directory was found to hold at the start, in two strings: a hundred thousand short ones would be copied again and again by the collector. */
interface Listed {
  /** Names of files, with '/' between them. */
  names: string;
  /** A letter for each. */
  kinds: string;
  directories: readonly Directory[];
}

/** A place in the tree that is watched. */
export class Directory {
  name: string;
  parent: Directory | null;
  id: string;
  watcher: FSWatcher | null = null;
  #entries: Map<string, Directory | string> | Listed | null = null;
  /** Names that were hinted, with the kinds of hint. */
  hinted: Map<string, number> | null = null;
  whole = false;
  rearm = false;
  /** 1: read all below as well; 2: and arm all watches again. */
  deep: 0 | 1 | 2 = 0;
  broken = false;
  /** The last attempt to watch it failed for a reason other than its absence. */
  unwatchable = false;
  dropped = false;
  /** Its place when its parent stopped to list it, until the drain's end decides whether it moved. */
  detachedFrom: string | null = null;
  invalidNames = 0;

  constructor(name: string, parent: Directory | null, id: string) {
    this.name = name;
    this.parent = parent;
    this.id = id;
  }

  /** Nothing is known of what it holds. */
  get unread(): boolean {
    return this.#entries === null;
  }

  /** Sub-directories as nodes, all else as a packed key. */
  get entries(): Map<string, Directory | string> {
    if (this.#entries instanceof Map) return this.#entries;
    const listed = this.#entries;
    const entries = new Map<string, Directory | string>();
    this.#entries = entries;
    if (listed !== null && listed.kinds !== '') listed.names.split('/').forEach((name, at) => entries.set(name, listed.kinds.charAt(at)));
    for (const directory of listed?.directories ?? []) entries.set(directory.name, directory);
    return entries;
  }

  list(listed: Listed): void {
    this.#entries = listed;
  }

  get path(): string {
    return this.pathOf('');
  }

  /** Where `name` in it is: where it was last, while it is detached. */
  pathOf(name: string): string {
    let path = name;
    for (let at: Directory | null = this; at; at = at.parent) {
      const part = at.detachedFrom ?? at.name;
      if (part !== '') path = path === '' ? part : `${part}/${path}`;
    }
    return path;
  }

  get depth(): number {
    let depth = 0;
    for (let at = this.parent; at; at = at.parent) depth++;
    return depth;
  }

  get key(): StatKey {
    return { size: 0, mtimeMs: 0, ino: Number(this.id.slice(0, this.id.indexOf(':'))) };
  }

  /** It or one above it left its place, and where it is now is not known yet. */
  get isDetached(): boolean {
    for (let above: Directory | null = this; above; above = above.parent) if (above.detachedFrom !== null) return true;
    return false;
  }

  /** Also true for itself. */
  isInside(outer: Directory): boolean {
    for (let above: Directory | null = this; above; above = above.parent) if (above === outer) return true;
    return false;
  }
}
