import fs from 'node:fs';
import { isPassingName } from '../../core/passing-name.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { type ErrorReason, OutriggerError } from '../../contract/errors.ts';
import type { Entry } from '../../contract/files.ts';
import { joinPath } from '../../contract/paths.ts';
import { type Containment, openRegularFile, type Place } from './containment.ts';
import { FileBytes, HASH_MAX_BYTES, hashBytes, hashDescriptor, readWhole, SMALL_BYTES } from './content.ts';
import { fileError } from './file-errors.ts';
import { GitFolder } from './git-folder.ts';
import type { KnownContents } from './known-contents.ts';
import { entryOf, oddNames, placeBelow, readNames, seemsOdd } from './stats.ts';

/** Why a folder has no names for us. */
const UNREADABLE: ReadonlySet<ErrorReason> = new Set<ErrorReason>(['FILE_PERMISSION', 'FILE_NOT_FOUND', 'NOT_A_DIRECTORY']);

export interface OpenedFile {
  stat: fs.Stats;
  /** Hash of the content, or what stands for it. */
  content: string;
  descriptor: number;
  release: () => void;
}

export interface ReadFile {
  bytes: Uint8Array;
  stat: fs.Stats;
  content: string;
  /** Where it lies, links followed. */
  place: string;
}

export interface ReaderDependencies {
  containment: Containment;
  contents: KnownContents;
  /** Whether the watch passes over a path. */
  ignored: (path: string) => boolean;
}

/** What stands in the folder: names, facts and bytes, each looked up through the containment. */
export class Reader {
  readonly containment: Containment;
  readonly #contents: KnownContents;
  readonly #ignored: ReaderDependencies['ignored'];
  readonly #gitFolder: GitFolder;

  constructor({ containment, contents, ignored }: ReaderDependencies) {
    this.containment = containment;
    this.#contents = contents;
    this.#ignored = ignored;
    this.#gitFolder = new GitFolder(containment.root);
  }

  /** Where a path leads when links are followed. Throws PATH_ESCAPES, WORKSPACE_GONE. */
  realPath(wirePath: string): string {
    return this.containment.realPath(wirePath);
  }

  /** What stands at a path, links not followed; undefined when nothing does. */
  entry(wirePath: string): Entry | undefined {
    try {
      using place = wirePath === '' ? this.containment.directory('') : this.containment.place(wirePath, false);
      const stat = fs.lstatSync(place.at, { throwIfNoEntry: false });
      return stat === undefined ? undefined : entryOf(wirePath, stat, place.at);
    } catch (error) {
      const known = fileError(error, wirePath);
      if (known.reason === 'FILE_NOT_FOUND' || known.reason === 'NOT_A_DIRECTORY') return undefined;
      throw known;
    }
  }

  /** Opens a regular file, a link to one inside included, and knows its content. The caller calls `release` and closes the descriptor. */
  async open(wirePath: string, signal?: AbortSignal): Promise<OpenedFile> {
    const place = this.containment.place(wirePath, true);
    try {
      const { descriptor, stat } = openRegularFile(place, wirePath);
      try {
        const content = await this.#contents.of(place.path, descriptor, stat, signal);
        return { stat, content, descriptor, release: () => place.close() };
      } catch (error) {
        fs.closeSync(descriptor);
        throw error;
      }
    } catch (error) {
      place.close();
      throw error;
    }
  }

  /** A small file and its content in one turn; undefined when it is larger than `maxBytes`. */
  readSmall(wirePath: string, maxBytes: number): ReadFile | undefined {
    using place = this.containment.place(wirePath, true);
    const { descriptor, stat } = openRegularFile(place, wirePath);
    try {
      if (stat.size > Math.min(maxBytes, SMALL_BYTES)) return undefined;
      const bytes = readWhole(descriptor, stat.size);
      const content = this.#contents.get(place.path, stat) ?? this.#contents.remember(place.path, stat, hashBytes(bytes));
      return { bytes, stat, content, place: place.path };
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /**
   * Whether a path, or what a link on it leads to, lies in a git folder, or has the one of this workspace below it: hooks, filters and config there are
   * programs that the next commit runs.
   */
  liesInGit(wirePath: string): boolean {
    if (namesGit(wirePath)) return true;
    try {
      const place = this.containment.realPath(wirePath);
      return (
        namesGit(place) || this.#gitFolder.places.some((folder) => `${place}/`.startsWith(`${folder}/`) || folder.startsWith(`${place}/`))
      );
    } catch {
      // A path that the call itself will refuse.
      return false;
    }
  }

  /** Whether a file is there and begins with a UTF-8 byte order mark. */
  beginsWithBom(wirePath: string): boolean {
    try {
      using place = this.containment.place(wirePath, true);
      const { descriptor } = openRegularFile(place, wirePath);
      try {
        const start = Buffer.alloc(3);
        return fs.readSync(descriptor, start, 0, 3, 0) === 3 && start.equals(Buffer.from([0xef, 0xbb, 0xbf]));
      } finally {
        fs.closeSync(descriptor);
      }
    } catch {
      // Not there, or not to be read: the write that follows says so.
      return false;
    }
  }

  /** All bytes of a file, with their hash and the facts they had. Throws OUTPUT_TOO_LARGE above `maxBytes`. */
  async read(wirePath: string, maxBytes: number, signal?: AbortSignal): Promise<ReadFile> {
    const small = this.readSmall(wirePath, maxBytes);
    if (small !== undefined) return small;
    using place = this.containment.place(wirePath, true);
    const { descriptor, stat } = openRegularFile(place, wirePath);
    const bytes = new FileBytes(descriptor, 0, stat.size, () => {});
    if (stat.size > maxBytes) {
      await bytes.return();
      throw new OutriggerError('OUTPUT_TOO_LARGE', `${wirePath} holds ${stat.size} bytes; the limit here is ${maxBytes}.`);
    }
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of bytes) {
        signal?.throwIfAborted();
        chunks.push(chunk);
      }
    } finally {
      await bytes.return();
    }
    const all = Buffer.concat(chunks);
    return { bytes: all, stat, content: hashBytes(all), place: place.path };
  }

  /** The sha256 of a file of any size, and that size. */
  async hash(wirePath: string, signal: AbortSignal): Promise<{ sha256: string; size: number }> {
    using place = this.containment.place(wirePath, true);
    const { descriptor, stat } = openRegularFile(place, wirePath);
    try {
      if (stat.size <= HASH_MAX_BYTES) return { sha256: await this.#contents.of(place.path, descriptor, stat, signal), size: stat.size };
      return { sha256: await hashDescriptor(descriptor, stat.size, signal), size: stat.size };
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /**
   * Entries of a folder, by name, depth first when recursive. Gives way to other work every few milliseconds. `enter` says
   * whether to go into a folder. One below that can't be read, or is a link by the time of its turn, counts as empty; for the folder itself it throws what
   * the system says.
   * Names that are not UTF-8 can't be asked for and are passed over: `odd` is told of them.
   */
  async *list(
    wirePath: string,
    recursive: boolean,
    enter: (path: string) => boolean,
    odd?: (folder: string, name: Buffer) => void,
  ): AsyncGenerator<Entry, void, undefined> {
    const pending = [wirePath];
    let top: string | undefined;
    const slice = new TimeSlice();
    for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
      let place: Place;
      try {
        place = this.containment.directory(folder);
      } catch (error) {
        // Removed, or swapped for a link, since its parent was read.
        if (folder !== wirePath) continue;
        throw fileError(error, wirePath);
      }
      top ??= place.path;
      // Swapped for a link: what that leads to was not asked for.
      if (place.path !== placeBelow(top, wirePath, folder)) {
        place.close();
        continue;
      }
      const below: string[] = [];
      let hasOdd = false;
      try {
        for (const name of folder === wirePath ? readNames(place.at, folder) : namesBelow(place.at, folder)) {
          const stat = fs.lstatSync(`${place.at}/${name}`, { throwIfNoEntry: false });
          // Gone since, or not called so.
          if (stat === undefined) hasOdd ||= seemsOdd(name);
          if (stat === undefined || isPassingName(name)) continue;
          const entry = entryOf(joinPath(folder, name), stat, `${place.at}/${name}`);
          if (this.#ignored(entry.path)) entry.ignored = true;
          yield entry;
          if (recursive && entry.kind === 'directory' && enter(entry.path)) below.push(entry.path);
          if (slice.isOver) await slice.giveWay();
        }
        if (hasOdd && odd !== undefined) for (const name of oddNames(place.at)) odd(folder, name);
      } finally {
        place.close();
      }
      for (const path of below.reverse()) pending.push(path);
    }
  }
}

/** Whether a path goes through `.git`, however spelt. */
export function namesGit(path: string): boolean {
  return path.split('/').some((name) => name.toLowerCase() === '.git');
}

/** None of a folder that may not be read, or is not there any more. */
function namesBelow(at: string, wirePath: string): string[] {
  try {
    return readNames(at, wirePath);
  } catch (error) {
    if (error instanceof OutriggerError && UNREADABLE.has(error.reason)) return [];
    throw error;
  }
}
