import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause, Change } from '../../contract/events.ts';
import type { Entry } from '../../contract/files.ts';
import { baseName, joinPath, parentPath } from '../../contract/paths.ts';
import type { State } from '../state/state.ts';
import { type Content, type Durability, keepOwner, type Prepared, prepareFile, syncFolder, temporaryName } from './atomic-write.ts';
import { Containment, notAFile, openRegularFile, type Place } from './containment.ts';
import { checkConditions, FileBytes, HASH_MAX_BYTES, hashOrNull, readWhole, statIdentity } from './content.ts';
import { Batches, type BatchOptions, type BatchOutcome, type BatchRequest } from './batch.ts';
import { Echoes, type Noticed } from './echoes.ts';
import { errnoOf, fileError } from './file-errors.ts';
import { finishInPlace, writeInPlace } from './in-place.ts';
import { type ChangeDraft, Journal } from './journal.ts';
import { KnownContents } from './known-contents.ts';
import type { LiveText } from './live-text.ts';
import { type LeftBehind, MoveByCopy } from './move-by-copy.ts';
import { namesGit, Reader } from './reader.ts';
import {
  existingAt,
  isSameFile,
  kindOf,
  lstatOrThrow,
  oddNames,
  placeBelow,
  readNames,
  regularOrNothing,
  sameState,
  seemsOdd,
} from './stats.ts';
import { Temporaries } from './temporaries.ts';

const RETRIES = 5;
const SLICE_MS = 8;

export interface WorkspaceOptions extends BatchOptions {
  root: string;
  durability: Durability;
  /** Changes kept for cursors. */
  keepChanges: number;
  /** Whether the watch passes over a path. */
  ignored: (path: string) => boolean;
  /** For tests that must be seen to fail: our own writes are not known again. */
  forgetWrites?: boolean;
  /** False: paths are checked as on systems without /proc. */
  byDescriptor?: boolean;
}

export interface WorkspaceDependencies {
  state: State;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Told when the state can't be stored, and with undefined when it can again. */
  onProblem: (problem: string | undefined) => void;
}

export interface WriteConditions {
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
}

export interface WriteRequest extends WriteConditions {
  cause: Cause;
  durability?: Durability | undefined;
  parents?: boolean | undefined;
  mode?: number | undefined;
  /** Where the path must lead, relative to the root: ACCESS_DENIED where a link leads elsewhere by now. */
  leadsTo?: string | undefined;
  confirm?: Confirm | undefined;
  signal?: AbortSignal | undefined;
}

/** Throws where the caller may not touch what the paths lead to by now; `place` is where one does. Called in the turn in which it was opened. */
export type Confirm = (place: string) => void;

export interface CopyOptions {
  overwrite: boolean;
  parents: boolean;
  cause: Cause;
  /** Of each place that is written, or that something is moved from. */
  confirm?: Confirm | undefined;
  signal?: AbortSignal | undefined;
}

interface MkdirOptions {
  mode?: number | undefined;
  confirm?: Confirm | undefined;
}

export interface Written {
  path: string;
  content: string;
  size: number;
  revision: number;
  changed: boolean;
  created: boolean;
}

/**
 * The folder: its only writer, and the only source of its change events. A change is published in the turn in which it was
 * made, so the watch's later word about it is known by its content and dropped.
 */
export class Workspace extends Reader {
  readonly journal: Journal;
  readonly options: WorkspaceOptions;
  /** Plugged in by the sidecar when documents are on. */
  liveText: LiveText | undefined;
  /** Plugged in while the folder is watched: resolves when all that happened to these paths until now is told. Rejects when the watch ends. */
  settled: ((paths: readonly string[]) => Promise<void>) | undefined;
  /** Told of each file that is about to be changed or removed by a call, in the turn in which it will be. */
  witness: ((path: string) => void) | undefined;
  readonly #inPlaceFolder: string;
  readonly #temporaries: Temporaries;
  readonly #contents: KnownContents;
  readonly #echoes: Echoes;
  readonly #batches: Batches;
  readonly #onProblem: WorkspaceDependencies['onProblem'];
  readonly #now: () => number;
  readonly #turns = new Map<string, Promise<void>>();

  constructor(dependencies: WorkspaceDependencies, options: WorkspaceOptions) {
    const containment = new Containment(options.root, options);
    const journal = new Journal(dependencies, { keep: options.keepChanges });
    const contents = new KnownContents({ journal, now: dependencies.now });
    super({ containment, contents, ignored: options.ignored });
    this.options = options;
    this.journal = journal;
    this.#contents = contents;
    this.#temporaries = new Temporaries(dependencies.state.folder);
    this.#inPlaceFolder = path.join(dependencies.state.folder, 'in-place');
    this.#echoes = new Echoes({ containment: this.containment, journal: this.journal }, options);
    this.#onProblem = dependencies.onProblem;
    this.#now = dependencies.now;
    this.#batches = new Batches(
      {
        containment: this.containment,
        journal: this.journal,
        state: dependencies.state,
        temporaries: this.#temporaries,
        durability: options.durability,
        liveText: () => this.liveText,
        witness: (path) => this.witness?.(path),
        contentOf: (path, descriptor, stat, signal) => this.#contents.of(path, descriptor, stat, signal),
        known: (path) => this.#contents.last(path),
        rememberMove: (from, to) => this.#echoes.rememberMove(from, to),
      },
      options,
    );
  }

  /** Finishes what a crash cut short: writes in place, a batch, and temporary files that were left. */
  recover(): void {
    finishInPlace(this.containment, this.#inPlaceFolder);
    try {
      this.#batches.recover();
    } catch (error) {
      // What is in the way may be gone at the next start; until then the rest of the folder is of use.
      this.#onProblem(`A batch of changes that a crash cut short could be neither finished nor undone: ${(error as Error).message}`);
    }
    this.#temporaries.sweep(this.containment);
  }

  close(): void {
    this.#temporaries.close();
    this.journal.close();
  }

  get root(): string {
    return this.containment.root;
  }

  // ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes a file whole. Throws ETAG_MISMATCH with the current ETag; on any error the file is as it was. */
  async write(wirePath: string, content: Content, request: WriteRequest): Promise<Written> {
    return this.#guard(wirePath, async () => {
      const place = this.#placeForWrite(wirePath, request);
      let prepared: Prepared | undefined;
      try {
        if (request.leadsTo !== undefined && place.path !== request.leadsTo)
          throw new OutriggerError('ACCESS_DENIED', `${wirePath} leads to another file by now.`);
        request.confirm?.(place.path);
        const existing = regularOrNothing(place, wirePath);
        // Refused before a byte of a long upload is taken.
        const early = existing === undefined ? undefined : await this.#contentAt(place, wirePath, request.signal);
        checkConditions(wirePath, early, request);
        const durability = request.durability ?? this.options.durability;
        const mode = request.mode ?? (existing === undefined ? 0o666 & ~process.umask() : existing.mode & 0o777);
        const ready = (prepared = await this.#prepare(place, content, mode, durability, request.signal));
        const written = await this.#inTurn(place.path, () => this.#install(place, wirePath, ready, request));
        if (durability === 'full' && written.changed) await syncFolder(place.folder);
        return written;
      } finally {
        prepared?.discard();
        place.close();
      }
    });
  }

  mkdir(wirePath: string, parents: boolean, cause: Cause): { created: boolean; revision: number } {
    const made = this.#mkdir(wirePath, parents, cause);
    return { created: made.length > 0, revision: this.journal.revision };
  }

  /** Removes a file, a link or a folder; what was removed before an abort or error stays removed, and was announced. */
  async remove(
    wirePath: string,
    recursive: boolean,
    request: WriteConditions & { cause: Cause; confirm?: Confirm | undefined; signal?: AbortSignal | undefined },
  ): Promise<number> {
    return this.#guard(wirePath, async () => {
      await this.liveText?.flush(wirePath);
      request.signal?.throwIfAborted();
      using place = this.containment.place(wirePath, false);
      request.confirm?.(place.path);
      const stat = await this.#matched(place, wirePath, request);
      if (stat.isDirectory()) return await this.#removeFolder(wirePath, recursive, request.cause, request.signal);
      const before = this.#contents.before(place.path, stat);
      this.witness?.(place.path);
      fs.unlinkSync(place.at);
      this.#contents.forget(place.path);
      this.journal.record([{ path: wirePath, kind: kindOf(stat), what: 'removed', before, after: null, cause: request.cause }]);
      return 1;
    });
  }

  /** What stands at a place, and meets the conditions in this very turn. */
  async #matched(place: Place, wirePath: string, request: WriteConditions & { signal?: AbortSignal | undefined }): Promise<fs.Stats> {
    const stat = lstatOrThrow(place, wirePath);
    if (request.ifMatch === undefined && request.ifNoneMatch === undefined) return stat;
    for (let attempt = 0; attempt < RETRIES; attempt++) {
      const now = lstatOrThrow(place, wirePath);
      const before = now.isFile() ? await this.#beforeInstall(place, wirePath, request.signal) : undefined;
      if (now.isFile() && !sameState(regularOrNothing(place, wirePath), before)) continue;
      checkConditions(wirePath, before?.content, request);
      return lstatOrThrow(place, wirePath);
    }
    throw new OutriggerError('BUSY_FILE', `${wirePath} kept changing while it was looked at.`);
  }

  /**
   * Renames within the folder; open documents are saved first and follow. To another file system it is a copy, and the removal of what was copied. An abort
   * ends it only before anything is changed. Throws BUSY_FILE when all is at `to`, but what was changed meanwhile stays where it was.
   */
  async move(from: string, to: string, { signal, ...options }: CopyOptions): Promise<number> {
    if (to === from) return this.journal.revision;
    if (to.startsWith(`${from}/`)) throw new OutriggerError('BAD_PATH', `${from} can't be moved into itself.`);
    return this.#guard(from, async () => {
      await this.liveText?.flush(from);
      signal?.throwIfAborted();
      try {
        this.#moveNow(from, to, options);
      } catch (error) {
        if (errnoOf(error) !== 'EXDEV') throw error;
        await this.#moveByCopy(from, to, { signal, ...options });
      }
      return this.journal.revision;
    });
  }

  async #moveByCopy(from: string, to: string, { signal, ...options }: CopyOptions): Promise<void> {
    const held = await this.liveText?.hold([from, to]);
    try {
      for (const document of held?.all ?? []) await document.save();
      const [source, target] = [this.#placeOf(from), this.#placeOf(to)];
      const host = { containment: this.containment, temporaries: this.#temporaries, durability: this.options.durability, now: this.#now };
      const copy = await MoveByCopy.make(host, source, target, signal);
      try {
        this.#moveNow(from, to, options, copy);
        if (this.options.durability === 'full') await this.#syncParent(target);
        const left = await copy.removeSource(target, (path, content) => this.journal.learn(path, content));
        if (left.length > 0) this.#tellLeft(from, to, left, options.cause);
      } finally {
        copy.discard();
      }
    } finally {
      held?.release();
    }
  }

  /** `copy`: what takes the place of `from` where that can't be renamed, which throws EXDEV. */
  #moveNow(from: string, to: string, options: Omit<CopyOptions, 'signal'>, copy?: MoveByCopy): void {
    using source = this.containment.place(from, false);
    options.confirm?.(source.path);
    const stat = lstatOrThrow(source, from);
    using target = this.#placeForWrite(to, { parents: options.parents, cause: options.cause, follow: false });
    options.confirm?.(target.path);
    // By a link on the way, both may be one.
    if (target.path === source.path) return;
    if (target.path.startsWith(`${source.path}/`)) throw new OutriggerError('BAD_PATH', `${from} can't be moved into itself.`);
    const replaced = existingAt(target, source, stat);
    if (replaced !== undefined) {
      if (!options.overwrite) throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
      if (replaced.isDirectory() && !stat.isDirectory())
        throw new OutriggerError('NOT_A_FILE', `${to} is a folder: a file can't take its place.`);
      if (!replaced.isDirectory() && stat.isDirectory())
        throw new OutriggerError('NOT_A_DIRECTORY', `${to} is no folder: a folder can't take its place.`);
      // Else it would be told after all was copied.
      if (replaced.isDirectory() && readNames(target.at, to).length > 0)
        throw new OutriggerError('NOT_EMPTY', `${to} is a folder that is not empty.`);
    }
    source.recheck();
    target.recheck();
    let moved = { stat, content: this.#contents.before(source.path, stat) ?? undefined };
    try {
      if (copy !== undefined) {
        if (copy.from !== source.path) throw new OutriggerError('BUSY_FILE', `${from} was put elsewhere by a link while it was moved.`);
        moved = copy.top;
        copy.install(target);
      }
      // Of two names of one file, rename would leave both.
      else if (replaced !== undefined && isSameFile(replaced, stat)) fs.unlinkSync(source.at);
      else fs.renameSync(source.at, target.at);
    } catch (error) {
      if (errnoOf(error) === 'EXDEV') throw error;
      throw fileError(error, errnoOf(error) === 'ENOENT' || replaced === undefined ? from : to);
    }
    this.#contents.forget(source.path);
    const drafts: ChangeDraft[] = [];
    if (replaced !== undefined) {
      const before = this.#contents.before(target.path, replaced);
      drafts.push({ path: to, kind: kindOf(replaced), what: 'removed', before, after: null, cause: options.cause });
    }
    const known = hashOrNull(moved.content);
    const draft: ChangeDraft = { path: to, kind: kindOf(stat), what: 'moved', from, before: known, after: known, cause: options.cause };
    if (stat.isFile()) draft.size = moved.stat.size;
    if (stat.isDirectory()) this.#echoes.rememberMove(from, to);
    else draft.content = moved.content ?? statIdentity(moved.stat);
    if (copy?.note !== undefined) draft.note = copy.note;
    drafts.push(draft);
    this.journal.record(drafts);
  }

  /** Where a path lies, a link at its end not followed. */
  #placeOf(wirePath: string): string {
    using place = this.containment.place(wirePath, false);
    return place.path;
  }

  async #syncParent(path: string): Promise<void> {
    using folder = this.containment.directory(parentPath(path));
    await syncFolder(folder.at);
  }

  #tellLeft(from: string, to: string, left: readonly LeftBehind[], cause: Cause): never {
    this.journal.record(
      left.map(({ path, stat }) => {
        const content = stat.isDirectory() ? {} : { content: statIdentity(stat) };
        return { path, kind: kindOf(stat), what: 'created', before: null, after: null, cause, ...content };
      }),
    );
    const paths = left.map(({ path }) => path);
    throw new OutriggerError(
      'BUSY_FILE',
      `${from} is at ${to} now, but ${paths.length} entries stay where they were, as they were changed meanwhile or may not be removed: ${paths.slice(0, 3).join(', ')}.`,
    );
  }

  /** Makes many changes, all or none. Throws what stands in the way of the first that can't be made, and nothing is changed then. */
  batch(request: BatchRequest): Promise<BatchOutcome> {
    return this.#guard('The batch', () => this.#batches.run(request));
  }

  /**
   * Copies a file or a folder; links are copied as links. Gives how many entries were made. What `confirm` refuses before anything is made leaves nothing.
   * Throws BAD_PATH when all is copied but what has a name that is not UTF-8.
   */
  async copy(from: string, to: string, { mayRead, ...options }: CopyOptions & { mayRead?: Confirm | undefined }): Promise<number> {
    return this.#guard(from, async () => {
      await this.liveText?.flush(from);
      options.signal?.throwIfAborted();
      let top = this.#toCopy(from, to, options.overwrite, mayRead);
      if (top.kind === 'directory' && options.confirm !== undefined) {
        await this.#foresee(from, to, options.confirm, options.signal);
        top = this.#toCopy(from, to, options.overwrite, mayRead);
      }
      if (top.kind !== 'directory') return this.#copyEntry(top, to, options);
      const { confirm } = options;
      let copied = this.#mkdir(to, options.parents, options.cause, { mode: top.mode, confirm }).length;
      const place = this.#placeOfFolder(from);
      const odd: string[] = [];
      const isOdd = (folder: string, name: Buffer): void => void odd.push(joinPath(folder, escapeName(name)));
      for await (const entry of this.list(from, true, () => true, isOdd)) {
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
    });
  }

  /** What is to be copied, as it stands in this turn. */
  #toCopy(from: string, to: string, overwrite: boolean, mayRead: Confirm | undefined): Entry {
    mayRead?.(from);
    const top = this.entry(from);
    if (top === undefined) throw new OutriggerError('FILE_NOT_FOUND', `${from} is not there.`);
    if (top.kind === 'other') throw new OutriggerError('NOT_A_FILE', `${from} is not a regular file.`);
    if (this.#leadsInto(from, to)) throw new OutriggerError('BAD_PATH', `${from} can't be copied into itself.`);
    if (!overwrite && this.entry(to) !== undefined) throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
    return top;
  }

  /** Asks `confirm` before a folder is copied, so that a copy that it refuses makes nothing. What comes meanwhile it is asked of again, as it is made. */
  async #foresee(from: string, to: string, confirm: Confirm, signal: AbortSignal | undefined): Promise<void> {
    const ownPlace = (path: string): string => joinPath(this.containment.realPath(parentPath(path)), baseName(path));
    const top = ownPlace(to);
    confirm(top);
    const isMerged = this.entry(to) !== undefined;
    for await (const { path: source, kind, name } of this.list(from, true, () => true)) {
      signal?.throwIfAborted();
      const below = source.slice(from.length);
      if (kind === 'other') continue;
      if (isMerged) confirm(kind === 'file' ? this.containment.realPath(to + below) : ownPlace(to + below));
      // Where all is new, what lies below may be where the top may, unless git would take it for its own.
      else if (namesGit(name)) confirm(top + below);
    }
  }

  /** Whether `to` is, or lies in, `from`, links followed. */
  #leadsInto(from: string, to: string): boolean {
    if (to === from || to.startsWith(`${from}/`)) return true;
    using source = this.containment.place(from, false);
    const target = this.containment.realPath(to);
    return target === source.path || target.startsWith(`${source.path}/`);
  }

  /** Takes the watch's word; see Echoes. */
  noticed(reports: readonly Noticed[]): Change[] {
    const changes = this.journal.record(this.#echoes.newsOf(reports));
    for (const { path: wirePath, what, hash } of reports) this.liveText?.seen(wirePath, what === 'removed' ? undefined : hash);
    return changes;
  }

  /** Paths of which the last reports do not say what stands there now: a further look has to. */
  takeDoubtful(): string[] {
    return this.#echoes.takeDoubtful();
  }

  /** Paths that are not as they were told, where calls and programs were at the same folders: a further look has to tell them. */
  takeDifferences(): string[] {
    return this.#echoes.takeDifferences();
  }

  // ── parts of writing ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #prepare(place: Place, content: Content, mode: number, durability: Durability, signal: AbortSignal | undefined): Promise<Prepared> {
    const name = temporaryName();
    this.#temporaries.began(joinPath(parentPath(place.path), name));
    try {
      const prepared = await prepareFile(place.sibling(name), content, mode, durability, signal);
      return { ...prepared, discard: () => this.#discard(prepared) };
    } catch (error) {
      this.#temporaries.ended();
      throw error;
    }
  }

  #discard(prepared: Prepared): void {
    prepared.discard();
    this.#temporaries.ended();
  }

  /** One after the other for one path: each of many at once would else find the file changed by another, again and again. */
  async #inTurn<T>(realPath: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(realPath) ?? Promise.resolve()).then(work);
    const over = turn.then(
      () => {},
      () => {},
    );
    this.#turns.set(realPath, over);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(realPath) === over) this.#turns.delete(realPath);
    }
  }

  async #install(place: Place, wirePath: string, prepared: Prepared, request: WriteRequest): Promise<Written> {
    for (let attempt = 0; attempt < RETRIES; attempt++) {
      const before = await this.#beforeInstall(place, wirePath, request.signal);
      request.signal?.throwIfAborted();
      // From here to the record nothing waits: no other write of ours can come between.
      place.recheck();
      const existing = regularOrNothing(place, wirePath);
      if (!sameState(existing, before)) continue;
      checkConditions(wirePath, before?.content, request);
      if (before !== undefined && existing !== undefined && before.content === prepared.hash && request.mode === undefined) {
        this.journal.learn(wirePath, prepared.hash);
        return {
          path: wirePath,
          content: prepared.hash,
          size: prepared.size,
          revision: this.journal.revision,
          changed: false,
          created: false,
        };
      }
      if (existing !== undefined) this.witness?.(place.path);
      const note = this.#replace(place, wirePath, prepared, existing, request.mode);
      // As a later read will know it: a large file's ETag is not made of its hash.
      const content = prepared.size > HASH_MAX_BYTES ? statIdentity(fs.lstatSync(place.at)) : prepared.hash;
      const draft: ChangeDraft = {
        path: wirePath,
        kind: 'file',
        what: existing === undefined ? 'created' : 'changed',
        before: hashOrNull(before?.content),
        after: hashOrNull(content),
        size: prepared.size,
        cause: request.cause,
        content,
      };
      if (note !== undefined) draft.note = note;
      const drafts = [draft];
      // Written through a link: the target changed, and that is another path.
      if (place.path !== wirePath) drafts.unshift({ ...draft, path: place.path });
      this.journal.record(drafts);
      return {
        path: wirePath,
        content,
        size: prepared.size,
        revision: this.journal.revision,
        changed: true,
        created: existing === undefined,
      };
    }
    throw new OutriggerError('BUSY_FILE', `${wirePath} kept changing while it was to be written.`);
  }

  #replace(
    place: Place,
    wirePath: string,
    prepared: Prepared,
    existing: fs.Stats | undefined,
    mode: number | undefined,
  ): string | undefined {
    if (existing !== undefined && (existing.nlink > 1 || existing.dev !== prepared.stat.dev)) {
      // Both contents are kept in memory and beside the state while it is written.
      if (Math.max(existing.size, prepared.size) > HASH_MAX_BYTES) {
        throw new OutriggerError(
          'INPUT_TOO_LARGE',
          `${wirePath} has several links or is a mount point: at most ${HASH_MAX_BYTES} bytes are written in place.`,
        );
      }
      const { descriptor, stat } = openRegularFile(place, wirePath);
      let before: Uint8Array;
      try {
        before = readWhole(descriptor, stat.size);
      } finally {
        fs.closeSync(descriptor);
      }
      const note = writeInPlace({ at: place.at, path: place.path, mode }, before, fs.readFileSync(prepared.at), this.#inPlaceFolder);
      const now = fs.lstatSync(place.at);
      this.#contents.remember(place.path, now, prepared.hash);
      const why = existing.nlink > 1 ? `has ${existing.nlink} links` : 'is a mount point';
      return `Written in place: the file ${why}.${note === undefined ? '' : ` ${note}`}`;
    }
    const note = existing === undefined ? undefined : keepOwner(prepared.at, existing, prepared.stat);
    fs.renameSync(prepared.at, place.at);
    this.#contents.remember(place.path, fs.lstatSync(place.at), prepared.hash);
    return note;
  }

  async #beforeInstall(
    place: Place,
    wirePath: string,
    signal: AbortSignal | undefined,
  ): Promise<{ stat: fs.Stats; content: string } | undefined> {
    if (regularOrNothing(place, wirePath) === undefined) return undefined;
    let opened: { descriptor: number; stat: fs.Stats };
    try {
      opened = openRegularFile(place, wirePath);
    } catch (error) {
      const known = fileError(error, wirePath);
      if (known.reason === 'FILE_NOT_FOUND') return undefined;
      // A file that may be replaced but not read: its content before stays unknown.
      const stat = regularOrNothing(place, wirePath);
      if (known.reason === 'FILE_PERMISSION' && stat !== undefined) return { stat, content: statIdentity(stat) };
      throw known;
    }
    try {
      return { stat: opened.stat, content: await this.#contents.of(place.path, opened.descriptor, opened.stat, signal) };
    } finally {
      fs.closeSync(opened.descriptor);
    }
  }

  async #contentAt(place: Place, wirePath: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    return (await this.#beforeInstall(place, wirePath, signal))?.content;
  }

  #placeForWrite(wirePath: string, request: { parents?: boolean | undefined; cause: Cause; follow?: boolean }): Place {
    const follow = request.follow ?? true;
    try {
      return this.containment.place(wirePath, follow);
    } catch (error) {
      const known = fileError(error, wirePath);
      const parent = parentPath(wirePath);
      if (known.reason !== 'FILE_NOT_FOUND' || request.parents === false || parent === '' || !this.containment.exists()) throw known;
      this.#mkdir(parent, true, request.cause);
      return this.containment.place(wirePath, follow);
    }
  }

  /** Makes a folder, of which its owner may do all, and those above it when asked; gives the paths made. */
  #mkdir(wirePath: string, parents: boolean, cause: Cause, { mode = 0o777, confirm }: MkdirOptions = {}): string[] {
    const made: string[] = [];
    let end = parents ? endOfName(wirePath, 0) : wirePath.length;
    let place: Place | undefined;
    try {
      for (place = this.containment.place(wirePath.slice(0, end), false); ; ) {
        const isLast = end === wirePath.length;
        if (this.#makeFolder(place, wirePath.slice(0, end), isLast, { mode: isLast ? mode | 0o700 : 0o777, confirm }))
          made.push(wirePath.slice(0, end));
        if (isLast) return made;
        using above = place;
        const start = end + 1;
        end = endOfName(wirePath, start);
        place = this.containment.below(above, wirePath.slice(start, end), wirePath.slice(0, end));
      }
    } catch (error) {
      throw fileError(error, wirePath);
    } finally {
      place?.close();
      this.journal.record(made.map((path) => ({ path, kind: 'directory', what: 'created', before: null, after: null, cause })));
    }
  }

  /** False where one is there. On the way to the last, that is only passed through, and need not be confirmed. */
  #makeFolder(place: Place, wirePath: string, isLast: boolean, { mode, confirm }: MkdirOptions): boolean {
    if (isLast || fs.lstatSync(place.at, { throwIfNoEntry: false }) === undefined) {
      confirm?.(place.path);
      try {
        fs.mkdirSync(place.at, mode);
        return true;
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw fileError(error, wirePath);
      }
    }
    if (this.#isFolder(place, wirePath)) return false;
    throw new OutriggerError(isLast ? 'FILE_EXISTS' : 'NOT_A_DIRECTORY', `${wirePath} exists and is no folder.`);
  }

  /** A link to a folder inside counts; one that leads outside is an error. */
  #isFolder(place: Place, wirePath: string): boolean {
    try {
      this.containment.below(place, '.', wirePath).close();
      return true;
    } catch (error) {
      const known = fileError(error, wirePath);
      if (known.reason === 'NOT_A_DIRECTORY' || known.reason === 'FILE_NOT_FOUND') return false;
      throw known;
    }
  }

  async #removeFolder(wirePath: string, recursive: boolean, cause: Cause, signal: AbortSignal | undefined): Promise<number> {
    let removed = 0;
    let drafts: ChangeDraft[] = [];
    const tell = (): void => {
      removed += drafts.length;
      this.journal.record(drafts);
      drafts = [];
    };
    let sliceEnd = performance.now() + SLICE_MS;
    const top = this.containment.place(wirePath, false);
    top.close();
    // Depth first; a folder is taken up again when all in it is gone.
    const pending: { path: string; emptied: boolean }[] = [{ path: wirePath, emptied: !recursive }];
    try {
      for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
        if (next.emptied) {
          using place = this.containment.place(next.path, false);
          ignoreMissing(() => fs.rmdirSync(place.at));
          drafts.push({ path: next.path, kind: 'directory', what: 'removed', before: null, after: null, cause });
          continue;
        }
        pending.push({ path: next.path, emptied: true });
        using folder = this.containment.directory(next.path);
        // Swapped for a link meanwhile: what that leads to was not asked to be removed.
        if (folder.path !== top.path + next.path.slice(wirePath.length))
          throw new OutriggerError('BUSY_FILE', `${next.path} was replaced by a link while it was removed.`);
        let hasOdd = false;
        for (const name of readNames(folder.at, next.path)) {
          const at = `${folder.at}/${name}`;
          const stat = fs.lstatSync(at, { throwIfNoEntry: false });
          if (stat === undefined) hasOdd ||= seemsOdd(name);
          if (stat === undefined) continue;
          const path = joinPath(next.path, name);
          if (stat.isDirectory()) {
            pending.push({ path, emptied: false });
            continue;
          }
          const before = this.#contents.before(path, stat);
          this.witness?.(path);
          ignoreMissing(() => fs.unlinkSync(at));
          this.#contents.forget(path);
          drafts.push({ path, kind: kindOf(stat), what: 'removed', before, after: null, cause });
          if (performance.now() <= sliceEnd) continue;
          tell();
          signal?.throwIfAborted();
          await new Promise((resolve) => setImmediate(resolve));
          sliceEnd = performance.now() + SLICE_MS;
        }
        if (hasOdd) await removeOdd(folder.at);
      }
    } finally {
      tell();
    }
    return removed;
  }

  #placeOfFolder(wirePath: string): string {
    using place = this.containment.directory(wirePath);
    return place.path;
  }

  /** Gives how many entries were made. `source`: where the entry has to lie; throws BUSY_FILE where a link leads elsewhere by now. */
  async #copyEntry(entry: Entry, to: string, options: CopyOptions & { source?: string }): Promise<number> {
    if (entry.kind === 'directory') return this.#mkdir(to, false, options.cause, { mode: entry.mode, confirm: options.confirm }).length;
    if (entry.kind === 'symlink') return this.#copyLink(entry, to, options);
    // Sockets, devices and pipes have no content to copy.
    if (entry.kind !== 'file') return 0;
    using source = this.containment.place(entry.path, false);
    if (options.source !== undefined && source.path !== options.source)
      throw new OutriggerError('BUSY_FILE', `${entry.path} was put elsewhere by a link while it was copied.`);
    const { descriptor, stat } = openRegularFile(source, entry.path);
    const bytes = new FileBytes(descriptor, 0, stat.size, () => {});
    const { overwrite, ...request } = options;
    try {
      await this.write(to, bytes, { ...request, mode: stat.mode & 0o777, ...(overwrite ? {} : { ifNoneMatch: '*' }) });
      return 1;
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'ETAG_MISMATCH')
        throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
      throw error;
    } finally {
      await bytes.return();
    }
  }

  #copyLink(entry: Entry, to: string, options: CopyOptions): number {
    // Replaced since it was looked at: the next change says so.
    if (entry.target === undefined) return 0;
    using place = this.#placeForWrite(to, { ...options, follow: false });
    options.confirm?.(place.path);
    const existing = fs.lstatSync(place.at, { throwIfNoEntry: false });
    if (existing?.isDirectory() === true) throw notAFile(existing, to);
    const name = temporaryName();
    this.#temporaries.began(joinPath(parentPath(place.path), name));
    try {
      fs.symlinkSync(entry.target, place.sibling(name));
      fs.renameSync(place.sibling(name), place.at);
    } catch (error) {
      fs.rmSync(place.sibling(name), { force: true });
      throw error;
    } finally {
      this.#temporaries.ended();
    }
    const what = existing === undefined ? 'created' : 'changed';
    this.journal.record([
      { path: to, kind: 'symlink', what, before: null, after: null, cause: options.cause, content: statIdentity(fs.lstatSync(place.at)) },
    ]);
    return 1;
  }

  async #guard<T>(wirePath: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      // A root that was deleted under us makes every call fail in its own way; the reason is one.
      if (!(error instanceof OutriggerError) && (error as { code?: unknown }).code !== undefined && !this.containment.exists())
        throw this.containment.gone();
      throw (error as { code?: unknown }).code === undefined || error instanceof OutriggerError ? error : fileError(error, wirePath);
    }
  }
}

/** Where the name ends that starts there. */
function endOfName(wirePath: string, start: number): number {
  const end = wirePath.indexOf('/', start);
  return end < 0 ? wirePath.length : end;
}

/** What has a name that is not UTF-8, which nobody was told of. */
async function removeOdd(folder: string): Promise<void> {
  for (const name of oddNames(folder))
    await fs.promises.rm(Buffer.concat([Buffer.from(`${folder}/`), name]), { recursive: true, force: true });
}

/** Bytes that are no ASCII as `\\xNN`. */
function escapeName(name: Buffer): string {
  return name.toString('latin1').replace(/[^\x20-\x7e]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** For what is to be gone, and may be gone already. */
function ignoreMissing(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
