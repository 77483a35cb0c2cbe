import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import type { Entry } from '../../contract/files.ts';
import { baseName, joinPath, parentPath } from '../../contract/paths.ts';
import { type Content, temporaryName } from './atomic-write.ts';
import { notAFile, openRegularFile } from './containment.ts';
import { FileBytes, statIdentity } from './content.ts';
import { smallHash } from './file-now.ts';
import type { Folders } from './folders.ts';
import { type ChangeDraft, type Journal, underBothNames } from './journal.ts';
import { namesGit, type Reader } from './reader.ts';
import { placeBelow } from './stats.ts';
import type { Temporaries } from './temporaries.ts';
import type { Confirm, CopyOptions, WriteRequest } from './write-request.ts';

export interface CopyingHost {
  reader: Reader;
  journal: Journal;
  temporaries: Temporaries;
  folders: Folders;
  write(path: string, content: Content, request: WriteRequest): Promise<unknown>;
  /** Told of each file that is about to be replaced by a link. */
  about(path: string, cause: Cause): void;
}

/** Copies within the folder: each file is written as any other is, one after the other. */
export class Copying {
  readonly #host: CopyingHost;

  constructor(host: CopyingHost) {
    this.#host = host;
  }

  /**
   * Copies a file or a folder; links are copied as links. Gives how many entries were made. What `confirm` refuses before anything is made leaves nothing.
   * Throws BAD_PATH when all is copied but what has a name that is not UTF-8.
   */
  async copy(from: string, to: string, { mayRead, ...options }: CopyOptions & { mayRead?: Confirm | undefined }): Promise<number> {
    let top = this.#toCopy(from, to, options.overwrite, mayRead);
    if (top.kind === 'directory' && options.confirm !== undefined) {
      await this.#foresee(from, to, options.confirm, options.signal);
      top = this.#toCopy(from, to, options.overwrite, mayRead);
    }
    if (top.kind !== 'directory') return this.#copyEntry(top, to, options);
    const { confirm } = options;
    let copied = this.#host.folders.make(to, options.parents, options.cause, { mode: top.mode, confirm }).length;
    const place = this.#placeOfFolder(from);
    const odd: string[] = [];
    const isOdd = (folder: string, name: Buffer): void => void odd.push(joinPath(folder, escapeName(name)));
    for await (const entry of this.#host.reader.list(from, true, () => true, isOdd)) {
      options.signal?.throwIfAborted();
      const source = placeBelow(place, from, entry.path);
      copied += await this.#copyEntry(entry, to + entry.path.slice(from.length), { ...options, source });
    }
    if (odd.length > 0)
      throw new OutriggerError(
        'BAD_PATH',
        `${copied} entries were copied, all but ${odd.length} whose names are not UTF-8: ${odd.slice(0, 3).join(', ')}.`,
      );
    return copied;
  }

  /** What is to be copied, as it stands in this turn. */
  #toCopy(from: string, to: string, overwrite: boolean, mayRead: Confirm | undefined): Entry {
    mayRead?.(from);
    const top = this.#host.reader.entry(from);
    if (top === undefined) throw new OutriggerError('FILE_NOT_FOUND', `${from} is not there.`);
    if (top.kind === 'other') throw new OutriggerError('NOT_A_FILE', `${from} is not a regular file.`);
    if (this.#leadsInto(from, to)) throw new OutriggerError('BAD_PATH', `${from} can't be copied into itself.`);
    if (!overwrite && this.#host.reader.entry(to) !== undefined) throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
    return top;
  }

  /** Asks `confirm` before a folder is copied, so that a copy that it refuses makes nothing. What comes meanwhile it is asked of again, as it is made. */
  async #foresee(from: string, to: string, confirm: Confirm, signal: AbortSignal | undefined): Promise<void> {
    const ownPlace = (path: string): string => joinPath(this.#host.reader.containment.realPath(parentPath(path)), baseName(path));
    const top = ownPlace(to);
    confirm(top);
    const isMerged = this.#host.reader.entry(to) !== undefined;
    for await (const { path: source, kind, name } of this.#host.reader.list(from, true, () => true)) {
      signal?.throwIfAborted();
      const below = source.slice(from.length);
      if (kind === 'other') continue;
      if (isMerged) confirm(kind === 'file' ? this.#host.reader.containment.realPath(to + below) : ownPlace(to + below));
      // Where all is new, what lies below may be where the top may, unless git would take it for its own.
      else if (namesGit(name)) confirm(top + below);
    }
  }

  /** Whether `to` is, or lies in, `from`, links followed. */
  #leadsInto(from: string, to: string): boolean {
    if (to === from || to.startsWith(`${from}/`)) return true;
    using source = this.#host.reader.containment.place(from, false);
    const target = this.#host.reader.containment.realPath(to);
    return target === source.path || target.startsWith(`${source.path}/`);
  }

  #placeOfFolder(wirePath: string): string {
    using place = this.#host.reader.containment.directory(wirePath);
    return place.path;
  }

  /** Gives how many entries were made. `source`: where the entry has to lie; throws BUSY_FILE where a link leads elsewhere by now. */
  async #copyEntry(entry: Entry, to: string, options: CopyOptions & { source?: string }): Promise<number> {
    if (entry.kind === 'directory')
      return this.#host.folders.make(to, false, options.cause, { mode: entry.mode, confirm: options.confirm }).length;
    if (entry.kind === 'symlink') {
      const done = await options.putting?.();
      try {
        return this.#copyLink(entry, to, options);
      } finally {
        done?.();
      }
    }
    // Sockets, devices and pipes have no content to copy.
    if (entry.kind !== 'file') return 0;
    using source = this.#host.reader.containment.place(entry.path, false);
    if (options.source !== undefined && source.path !== options.source)
      throw new OutriggerError('BUSY_FILE', `${entry.path} was put elsewhere by a link while it was copied.`);
    const { descriptor, stat } = openRegularFile(source, entry.path);
    const bytes = new FileBytes(descriptor, 0, stat.size, () => {});
    const { overwrite, ...request } = options;
    try {
      await this.#host.write(to, bytes, { ...request, mode: stat.mode & 0o777, ...(overwrite ? {} : { ifNoneMatch: '*' }) });
      return 1;
    } catch (error) {
      if (error instanceof OutriggerError && !overwrite && (error.reason === 'ETAG_MISMATCH' || error.reason === 'NOT_A_FILE'))
        throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
      throw error;
    } finally {
      await bytes.return();
    }
  }

  #copyLink(entry: Entry, to: string, options: CopyOptions): number {
    // Replaced since it was looked at: the next change says so.
    if (entry.target === undefined) return 0;
    using place = this.#host.folders.placeForWrite(to, { ...options, follow: false });
    options.confirm?.(place.path, true);
    const existing = fs.lstatSync(place.at, { throwIfNoEntry: false });
    if (existing?.isDirectory() === true) throw notAFile(existing, to);
    // It may have come since the copy began.
    if (existing !== undefined && !options.overwrite) throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
    const name = temporaryName();
    this.#host.temporaries.began(joinPath(parentPath(place.path), name));
    const before = existing === undefined ? null : smallHash(place, to, existing);
    let content: string;
    try {
      fs.symlinkSync(entry.target, place.sibling(name));
      // What stands in its place by then may be a program's already.
      content = statIdentity(fs.lstatSync(place.sibling(name)));
      if (existing?.isFile()) this.#host.about(place.path, options.cause);
      fs.renameSync(place.sibling(name), place.at);
    } catch (error) {
      fs.rmSync(place.sibling(name), { force: true });
      throw error;
    } finally {
      this.#host.temporaries.ended();
    }
    const what = existing === undefined ? 'created' : 'changed';
    const draft: ChangeDraft = { path: to, kind: 'symlink', what, before, after: null, cause: options.cause, content };
    this.#host.journal.record(underBothNames(draft, place.path));
    return 1;
  }
}

/** Bytes that are no ASCII as `\\xNN`. */
function escapeName(name: Buffer): string {
  return name.toString('latin1').replace(/[^\x20-\x7e]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
