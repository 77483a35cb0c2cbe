import fs from 'node:fs';
import { join } from 'node:path';
import { parentPath } from '../../contract/paths.ts';
import { MountPoint } from '../state/mount-point.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { CUT_SETTLE_MS, SETTLE_MS, targetOf } from './disk-text.ts';

/** Where the file of a document is, as far as it was told. */
export class FilePlace {
  readonly #workspace: Workspace;
  #path: string;
  #target: string;
  #moves = 0;
  /** The place before the last move, until it is known that nobody makes the file anew there. */
  #left: string | undefined;
  /** When a program took the file away, by the monotonic clock. */
  #goneMs = Number.NEGATIVE_INFINITY;
  /** Which folder the file is told to be in; null where that is to be found out. */
  #folder: string | undefined | null;
  /** The folders above the file, as they were when it was there last. */
  #folders: readonly MountPoint[];

  /** `target`: where the path leads. */
  constructor(workspace: Workspace, path: string, target: string) {
    this.#workspace = workspace;
    this.#path = path;
    this.#target = target;
    this.#folders = this.#foldersNow();
    this.#folder = this.#folderNow();
  }

  get path(): string {
    return this.#path;
  }

  /** Where the path leads when links are followed. */
  get target(): string {
    return this.#target;
  }

  /** Counts its moves: what was asked about the place before one says nothing of the place after, be it the same. */
  get moves(): number {
    return this.#moves;
  }

  /** Another file is behind the path by now. */
  get isLedElsewhere(): boolean {
    return targetOf(this.#workspace, this.#path) !== this.#target;
  }

  /** The volume of a folder above is not mounted: what is written below its place is hidden as soon as it is back. */
  get isUnmounted(): boolean {
    return this.#folders.some((folder) => folder.isUnmounted);
  }

  moved(path: string): void {
    this.#moves++;
    this.#left = this.#path;
    this.#path = path;
    this.#target = targetOf(this.#workspace, path);
    this.#folder = null;
    this.#folders = this.#foldersNow();
  }

  /** The link at the path is gone: what is made there is a file of its own. */
  unlinked(): void {
    this.#target = this.#path;
    this.#folder = null;
    this.#folders = this.#foldersNow();
  }

  /** The file is there. `isNew`: it was made just now. */
  found(isNew = false): void {
    this.#folders = this.#foldersNow();
    if (isNew) this.#folder = this.#folderNow();
  }

  /** A program took the file away just now. */
  taken(): void {
    this.#goneMs = performance.now();
  }

  /**
   * Whether all moves until now were told. A folder may have been moved away and another be there, and in it the same file once more: it has been elsewhere, and
   * what is saved here before that is told would go there with the name. A file that comes back to the folder that it left is there as it was.
   */
  async isWhereTold(): Promise<boolean> {
    if (this.#folder === this.#folderNow()) return true;
    const moves = this.#moves;
    await this.#workspace.settled?.([this.#path]).catch(() => {});
    if (moves !== this.#moves) return false;
    this.#folder = this.#folderNow();
    return true;
  }

  /** Whether the file is to be made anew: not where a program does, here after a moment, or at the place that it left, as an editor that removes its backup. */
  async staysGone(): Promise<boolean> {
    const moves = this.#moves;
    if (this.#left !== undefined) await this.#workspace.settled?.([this.#left]).catch(() => {});
    while (moves === this.#moves && performance.now() - this.#goneMs < CUT_SETTLE_MS && this.#workspace.entry(this.#path) === undefined)
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    if (moves !== this.#moves) return false;
    this.#left = undefined;
    return true;
  }

  /** Whether it is gone. One that is not there may have been moved a moment ago: where to, the watch says, and false is given then. */
  async isGone(): Promise<boolean> {
    const moves = this.#moves;
    await this.#workspace.settled?.([this.#path]).catch(() => {});
    return moves === this.#moves && this.#workspace.entry(this.#path) === undefined;
  }

  /** Undefined: there is none. */
  #folderNow(): string | undefined {
    try {
      const stat = fs.statSync(join(this.#workspace.root, parentPath(this.#target)), { throwIfNoEntry: false });
      return stat && `${stat.dev}:${stat.ino}:${stat.birthtimeMs}`;
    } catch {
      // It can't be looked at: a write says why.
      return undefined;
    }
  }

  #foldersNow(): MountPoint[] {
    const folders: MountPoint[] = [];
    for (let folder = parentPath(this.#target); folder !== ''; folder = parentPath(folder)) {
      try {
        folders.push(new MountPoint(join(this.#workspace.root, folder)));
      } catch {
        // Not there yet, or not any more: nothing is mounted at it.
      }
    }
    return folders;
  }
}
