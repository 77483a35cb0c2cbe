import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPassingName } from '../../core/passing-name.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { joinPath, parentPath } from '../../contract/paths.ts';
import { type Durability, keepOwner, prepareFile, syncFolder, temporaryName } from './atomic-write.ts';
import { type Containment, exactPlace, openRegularFile, type Place } from './containment.ts';
import { factsAreOld, FileBytes, HASH_MAX_BYTES, sameFacts, statIdentity, TIMESTAMP_STEP_MS } from './content.ts';
import { fileError } from './file-errors.ts';
import { FOLDER } from './journal.ts';
import { kindOf, oddNames, readNames, seemsOdd } from './stats.ts';
import { removeAll, removeTemporary, type Temporaries } from './temporaries.ts';

/** Looks at the source before a move gives up: between them something else kept changing it. */
const MAX_LOOKS = 20;
const { W_OK, X_OK } = fs.constants;

export interface MoveHost {
  containment: Containment;
  temporaries: Temporaries;
  durability: Durability;
  /** Milliseconds since 1970, as the file system has them. */
  now: () => number;
}

interface Copied {
  /** Of what was copied. */
  stat: fs.Stats;
  /** False where it was changed a moment before: another change could leave its facts as they are. */
  isSure: boolean;
  hash: string | undefined;
}

/** What was changed while it was moved, and is still where it was. */
export interface LeftBehind {
  path: string;
  stat: fs.Stats;
}

/**
 * The way of a move where a rename can't go: to another file system, and of a folder in a lower layer of overlayfs. A copy is made beside where it will
 * be, with times, modes and, where that is permitted, owners, until it is what stands at the source; then it takes its place, and of the source goes
 * what is still as it was copied. Whatever somebody changes meanwhile is copied again, or left where it is: nothing is lost.
 */
export class MoveByCopy {
  readonly from: string;
  readonly #host: MoveHost;
  readonly #signal: AbortSignal | undefined;
  /** Where the copy is made. */
  readonly #path: string;
  /** By the path below the top, which is ''; a folder before what is in it. */
  readonly #copied = new Map<string, Copied>();
  /** Names of one file, by its number; the copy of the first is what the others are linked to. */
  readonly #names = new Map<string, string[]>();
  readonly #slice = new TimeSlice();
  #installed = false;
  /** Says of what the owner could not be kept. */
  note: string | undefined;

  private constructor(host: MoveHost, from: string, path: string, signal: AbortSignal | undefined) {
    this.#host = host;
    this.from = from;
    this.#path = path;
    this.#signal = signal;
  }

  /**
   * Copies `from` beside `to`, both real paths. `discard` has to be called in the end. Throws NOT_A_FILE for pipes, sockets and devices, BAD_PATH for names
   * that are not UTF-8, FILE_PERMISSION, BUSY_FILE for what is mounted below or keeps changing, DISK_FULL; nothing is left of the copy then, nor on abort.
   */
  static async make(host: MoveHost, from: string, to: string, signal: AbortSignal | undefined): Promise<MoveByCopy> {
    const path = joinPath(parentPath(to), temporaryName());
    host.temporaries.began(path);
    const move = new MoveByCopy(host, from, path, signal);
    try {
      await move.#copyAll();
      return move;
    } catch (error) {
      move.discard();
      throw error;
    }
  }

  /** Facts of the copy, and the hash of its content where it is a file of which one is made. */
  get top(): { stat: fs.Stats; content: string | undefined } {
    using place = exactPlace(this.#host.containment, this.#path);
    const stat = fs.lstatSync(place.at);
    return { stat, content: contentOf(stat, this.#copied.get('')?.hash) };
  }

  /** Puts the copy into its place. Throws what rename(2) says. */
  install(target: Place): void {
    using place = exactPlace(this.#host.containment, this.#path);
    fs.renameSync(place.at, target.at);
    this.#installed = true;
  }

  /** Removes the source, but what is not as it was copied, and gives that. `moved` is told of everything that is at `to` now. */
  async removeSource(to: string, moved: (path: string, content: string) => void): Promise<LeftBehind[]> {
    const { containment } = this.#host;
    const left: LeftBehind[] = [];
    this.#slice.restart();
    for (const [below, copied] of [...this.#copied].reverse()) {
      const there = look(containment, joinBelow(to, below));
      if (there !== undefined) moved(joinBelow(to, below), contentOf(there, copied.hash) ?? FOLDER);
      const stat = look(containment, joinBelow(this.from, below));
      if (stat !== undefined && !this.#removeCopied(below, copied, stat)) left.unshift({ path: joinBelow(this.from, below), stat });
      if (this.#slice.isOver) await this.#giveWay();
    }
    return left;
  }

  discard(): void {
    if (!this.#installed) removeTemporary(this.#host.containment, this.#path);
    this.#host.temporaries.ended();
  }

  // ── copying ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #copyAll(): Promise<void> {
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      this.#slice.restart();
      if (await this.#copyNews()) continue;
      await this.#finishFolders();
      return;
    }
    throw new OutriggerError('BUSY_FILE', `${this.from} kept changing while it was copied to another file system. Nothing was moved.`);
  }

  /** Copies what is not yet, or changed since, and takes away what is gone. False where there was nothing to do. */
  async #copyNews(): Promise<boolean> {
    const { containment } = this.#host;
    const seen = new Set<string>();
    let hasNews = false;
    const pending = [''];
    for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
      using place = exactPlace(containment, joinBelow(this.from, below));
      const stat = fs.lstatSync(place.at, { throwIfNoEntry: false });
      // Gone since its folder was read.
      if (stat === undefined) continue;
      seen.add(below);
      if (!this.#isCopied(below, stat)) {
        hasNews = true;
        await this.#copyEntry(place, below, stat);
      }
      if (stat.isDirectory()) pending.push(...this.#namesIn(place).map((name) => joinPath(below, name)));
      if (this.#slice.isOver) await this.#giveWay();
    }
    if (!seen.has('')) throw new OutriggerError('FILE_NOT_FOUND', `${this.from} is not there any more.`);
    for (const below of [...this.#copied.keys()].filter((path) => !seen.has(path))) {
      hasNews = true;
      this.#forget(below);
    }
    if (this.#copied.values().some(({ isSure }) => !isSure)) await sleep(TIMESTAMP_STEP_MS + 1);
    return hasNews;
  }

  #isCopied(below: string, stat: fs.Stats): boolean {
    const copied = this.#copied.get(below);
    if (copied === undefined) return false;
    if (!stat.isDirectory() || !copied.stat.isDirectory()) return copied.isSure && sameFacts(copied.stat, stat);
    // What is in it is looked at by itself; of the folder remain its mode, its owner and its time.
    copied.stat = stat;
    return true;
  }

  async #copyEntry(source: Place, below: string, stat: fs.Stats): Promise<void> {
    const path = joinBelow(this.from, below);
    this.#forget(below);
    using target = exactPlace(this.#host.containment, joinBelow(this.#path, below));
    const isSure = stat.isDirectory() || factsAreOld(stat, this.#host.now());
    let hash: string | undefined;
    if (stat.isDirectory()) this.#copyFolder(source, target, path, stat);
    else if (stat.isSymbolicLink()) this.#copyLink(source, target, stat);
    else if (!stat.isFile())
      throw new OutriggerError('NOT_A_FILE', `${path} is a pipe, a socket or a device, which can't go to another file system.`);
    else {
      hash = this.#linkToFirst(target, below, stat) ?? (await this.#copyFile(source, target, below, stat));
      // It changed under our hands: the next look copies it.
      if (hash === undefined) return;
    }
    this.#copied.set(below, { stat, isSure, hash });
  }

  /** Gives the hash of the first copy, where the file is another name of that. */
  #linkToFirst(target: Place, below: string, stat: fs.Stats): string | undefined {
    const names = stat.nlink > 1 ? (this.#names.get(numberOf(stat)) ?? []) : [];
    const [name = below] = names;
    const first = this.#copied.get(name);
    if (first === undefined || !sameFacts(first.stat, stat)) return undefined;
    using other = exactPlace(this.#host.containment, joinBelow(this.#path, name));
    fs.linkSync(other.at, target.at);
    if (!names.includes(below)) names.push(below);
    return first.hash;
  }

  #copyFolder(source: Place, target: Place, path: string, stat: fs.Stats): void {
    if (stat.dev !== fs.statSync(source.folder).dev)
      throw new OutriggerError('BUSY_FILE', `${path} is a mount point, which can't go to another file system.`);
    // Else it would be told after all was copied.
    if (readNames(source.at, path).length > 0) this.#orFileError(path, () => fs.accessSync(source.at, W_OK | X_OK));
    fs.mkdirSync(target.at, 0o700);
  }

  #copyLink(source: Place, target: Place, stat: fs.Stats): void {
    fs.symlinkSync(fs.readlinkSync(source.at), target.at);
    this.#keepOwner(target.at, stat);
    fs.lutimesSync(target.at, stat.atimeMs / 1000, stat.mtimeMs / 1000);
  }

  /** Undefined where it is another file, or of another size, by now. */
  async #copyFile(source: Place, target: Place, below: string, expected: fs.Stats): Promise<string | undefined> {
    const { descriptor, stat } = openRegularFile(source, joinBelow(this.from, below));
    const bytes = new FileBytes(descriptor, 0, stat.size, () => {});
    try {
      if (!sameFacts(stat, expected)) return undefined;
      const { hash } = await prepareFile(target.at, bytes, stat.mode & 0o1777, this.#host.durability, this.#signal);
      // A program that runs as its owner is only made for the same owner.
      if (this.#keepOwner(target.at, stat) && (stat.mode & 0o6000) !== 0) fs.chmodSync(target.at, stat.mode & 0o7777);
      fs.utimesSync(target.at, stat.atimeMs / 1000, stat.mtimeMs / 1000);
      if (stat.nlink > 1) this.#becomeFirst(below, stat);
      return hash;
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'BUSY_FILE') return undefined;
      throw error;
    } finally {
      await bytes.return();
    }
  }

  /** What is linked to a copy before is to be linked to this one. */
  #becomeFirst(below: string, stat: fs.Stats): void {
    for (const name of this.#names.get(numberOf(stat)) ?? []) {
      const other = this.#copied.get(name);
      if (other !== undefined) other.isSure = false;
    }
    this.#names.set(numberOf(stat), [below]);
  }

  /** From the innermost on: what is made in a folder changes its time, and its mode may forbid it. */
  async #finishFolders(): Promise<void> {
    for (const [below, { stat }] of [...this.#copied].reverse()) {
      if (!stat.isDirectory()) continue;
      using target = exactPlace(this.#host.containment, joinBelow(this.#path, below));
      if (this.#host.durability === 'full') await syncFolder(target.at);
      this.#keepOwner(target.at, stat);
      fs.chmodSync(target.at, stat.mode & 0o7777);
      fs.utimesSync(target.at, stat.atimeMs / 1000, stat.mtimeMs / 1000);
    }
  }

  #keepOwner(at: string, stat: fs.Stats): boolean {
    const note = keepOwner(at, stat, fs.lstatSync(at));
    this.note ??= note;
    return note === undefined;
  }

  #forget(below: string): void {
    if (!this.#copied.delete(below)) return;
    try {
      using place = exactPlace(this.#host.containment, joinBelow(this.#path, below));
      removeAll(place.at);
    } catch {
      // It went with its folder.
    }
  }

  #namesIn(place: Place): string[] {
    const names = readNames(place.at, place.path);
    if (names.some(seemsOdd) && oddNames(place.at).length > 0)
      throw new OutriggerError('BAD_PATH', `${place.path} holds names that are not UTF-8, which can't go to another file system.`);
    // What is being written is not there yet.
    return names.filter((name) => !isPassingName(name)).reverse();
  }

  // ── removing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #removeCopied(below: string, copied: Copied, stat: fs.Stats): boolean {
    try {
      using place = exactPlace(this.#host.containment, joinBelow(this.from, below));
      if (stat.isDirectory() && copied.stat.isDirectory()) fs.rmdirSync(place.at);
      else if (isAsCopied(copied.stat, stat)) fs.unlinkSync(place.at);
      else return false;
      return true;
    } catch {
      // Something came into the folder, or it may not be removed.
      return false;
    }
  }

  async #giveWay(): Promise<void> {
    await this.#slice.giveWay();
    if (!this.#installed) this.#signal?.throwIfAborted();
  }

  #orFileError(path: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      throw fileError(error, path);
    }
  }
}

/** To take away one name of a file makes the time of the others later. */
function isAsCopied(copied: fs.Stats, stat: fs.Stats): boolean {
  return sameFacts(copied.nlink > 1 ? { ...copied, ctimeMs: stat.ctimeMs } : copied, stat);
}

function numberOf({ dev, ino }: fs.Stats): string {
  return `${dev}:${ino}`;
}

/** What the journal knows it by; undefined for a folder. */
function contentOf(stat: fs.Stats, hash: string | undefined): string | undefined {
  if (kindOf(stat) === 'directory') return undefined;
  return hash === undefined || stat.size > HASH_MAX_BYTES ? statIdentity(stat) : hash;
}

function joinBelow(top: string, below: string): string {
  return below === '' ? top : joinPath(top, below);
}

function look(containment: Containment, path: string): fs.Stats | undefined {
  try {
    using place = exactPlace(containment, path);
    return fs.lstatSync(place.at, { throwIfNoEntry: false });
  } catch {
    // A folder on the way is gone, or is a link.
    return undefined;
  }
}
