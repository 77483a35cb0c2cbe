import fs from 'node:fs';
import { fileError } from '../workspace/file-errors.ts';
import type { Later } from './afterwards.ts';
import { OWN_NAME } from './found-files.ts';
import { newId } from './ids.ts';
import {
  hidePackagesAbove,
  makePassage,
  makePassageIn,
  makePrivate,
  moveInto,
  ownName,
  packageAbove,
  removeFolder,
  removalOf,
  storeNew,
} from './run-folders.ts';
import { inSlices } from './slices.ts';

/** A folder for a session that nobody asked for yet. */
export interface Prepared {
  id: string;
  folder: string;
  /** An empty file of ours in it. */
  spare: string;
}

/** So many folders are made before a session needs one. */
const READY = 2;
const DATA = 'data';

/** Where sessions have their folders: each one of its own, with one for its files in it. */
export class SessionPlaces {
  readonly #later: Later;
  readonly #folder: string;
  /** Nobody asked for them yet. */
  readonly #ready: Prepared[] = [];
  #makesReady = true;
  /** To be removed; the first of them is being removed. */
  readonly #going: string[] = [];
  readonly #stopping = new AbortController();

  constructor({ later }: { later: Later }, { folder }: { folder: string }) {
    this.#later = later;
    this.#folder = folder;
  }

  /** False where nobody began yet. */
  exist(): boolean {
    return fs.existsSync(this.#folder);
  }

  /** Before the first use; gives the names that are there, of an earlier life. Throws DISK_FULL, FILE_PERMISSION. */
  begin(): Set<string> {
    makePassage(this.#folder);
    // Of an earlier life.
    removeFolder(this.#readyFolder);
    makePassage(this.#readyFolder);
    // Of one without a type Node warns, where a module is run: it is made where there is need of it.
    removeFolder(packageAbove(this.#folder));
    return new Set(fs.readdirSync(this.#folder));
  }

  /** All that is of one session, absolute. */
  folder(id: string): string {
    return `${this.#folder}/${id}`;
  }

  /** Where its files are, absolute. */
  data(id: string): string {
    return `${this.folder(id)}/${DATA}`;
  }

  has(id: string): boolean {
    return fs.existsSync(this.folder(id));
  }

  /** Gives the id that it is for. Throws DISK_FULL. */
  make(): string {
    const id = newId();
    this.#make(this.#folder, id);
    return id;
  }

  /** One that may be there before it is asked for. Throws DISK_FULL. */
  prepare(): Prepared {
    const ready = this.#ready.pop();
    this.#later.do(() => this.#makeReady());
    if (ready !== undefined)
      try {
        // There may be one that came since that was made.
        hidePackagesAbove(this.#folder);
        moveInto(`${this.#readyFolder}/${ready.id}`, this.folder(ready.id));
        return ready;
      } catch {
        // Somebody cleared it away.
      }
    return this.#makePrepared(this.#folder);
  }

  /** None is made before it is asked for any more, and what is long to be removed is left to the next start. */
  prepareNoMore(): void {
    this.#makesReady = false;
    this.#stopping.abort();
  }

  /** Those that nobody asked for. */
  removeReady(): void {
    this.#ready.length = 0;
    removeFolder(this.#readyFolder);
  }

  /** Takes away what runs left behind that that did not live to end. */
  clean(id: string): void {
    for (const folder of [this.folder(id), this.data(id)])
      try {
        for (const name of fs.readdirSync(folder)) if (OWN_NAME.test(name)) removeFolder(`${folder}/${name}`);
      } catch {
        // It can't be looked into: collecting files says more.
      }
  }

  /** What is short goes in this turn; the rest one after the other, while others are served. */
  remove(id: string): void {
    this.#going.push(this.folder(id));
    if (this.#going.length === 1) void inSlices(this.#removals(), this.#stopping.signal);
  }

  *#removals(): Generator<void> {
    for (let folder = this.#going[0]; folder !== undefined; folder = this.#going[0]) {
      yield* removalOf(folder);
      this.#going.shift();
    }
  }

  /** What can't be made now says so when it is needed. */
  #makeReady(): void {
    try {
      while (this.#ready.length < READY && this.#makesReady) this.#ready.push(this.#makePrepared(this.#readyFolder));
    } catch {}
  }

  /** Beside the folders of sessions, as it is none yet. */
  get #readyFolder(): string {
    return `${this.#folder}-ready`;
  }

  #makePrepared(parent: string): Prepared {
    const [id, spare] = [newId(), ownName()];
    this.#make(parent, id, spare);
    return { id, folder: this.data(id), spare };
  }

  /** Throws DISK_FULL. */
  #make(parent: string, id: string, spare?: string): void {
    const folder = `${parent}/${id}`;
    try {
      hidePackagesAbove(this.#folder);
      makePassageIn(parent, id);
      makePrivate(`${folder}/${DATA}`);
      if (spare !== undefined) storeNew(`${folder}/${DATA}`, spare, '');
    } catch (error) {
      removeFolder(folder);
      throw fileError(error, 'The folder of the session');
    }
  }
}
