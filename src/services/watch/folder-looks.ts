// What is there now, by paths in the folder.

import { lstatSync, opendirSync, type Stats } from 'node:fs';
import { MountPoint } from '../state/mount-point.ts';
import { directoryId } from './stat-key.ts';

export class FolderLooks {
  readonly #root: string;
  readonly #onError: () => void;
  /** Undefined before the start. */
  #mount: MountPoint | undefined;

  /** `onError`: something can't be looked at. */
  constructor(root: string, onError: () => void) {
    this.#root = root;
    this.#onError = onError;
  }

  /** What is mounted at the folder now is what has to be there from now on. */
  start(): void {
    this.#mount = new MountPoint(this.#root);
  }

  get isUnmounted(): boolean {
    return this.#mount?.isUnmounted === true;
  }

  absolute(path: string): string {
    return path === '' ? this.#root : `${this.#root}/${path}`;
  }

  /** Which directory it is; null: there is none. */
  idAt(path: string): string | null {
    if (path === '' && this.isUnmounted) return null;
    const stats = this.lstat(path);
    return stats?.isDirectory() ? directoryId(stats) : null;
  }

  lstat(path: string): Stats | null {
    try {
      return lstatSync(this.absolute(path), { throwIfNoEntry: false }) ?? null;
    } catch {
      // EACCES, ENAMETOOLONG, ELOOP above it: it can't be looked at, so for us it is not there; the count shows it.
      this.#onError();
      return null;
    }
  }

  /**
   * Returns when what is being renamed in this folder, into it or out of it is renamed and its hints are queued. A name may be seen to be gone long before that,
   * as the program that renames it is kept waiting for the processor: but Linux holds the folder from before the one until after the other, and lists nothing
   * of it meanwhile.
   */
  awaitRename(path: string): void {
    try {
      using folder = opendirSync(this.absolute(path), { bufferSize: 1 });
      folder.readSync();
    } catch {
      // It is gone itself, or can't be read.
    }
  }
}
