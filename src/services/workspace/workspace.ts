import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause, Change } from '../../contract/events.ts';
import { joinPath, parentPath } from '../../contract/paths.ts';
import { inTime } from '../../core/in-time.ts';
import type { State } from '../state/state.ts';
import {
  type Content,
  type Durability,
  keepOwner,
  type Prepared,
  prepareFile,
  renameOver,
  syncFolder,
  temporaryName,
} from './atomic-write.ts';
import { Containment, notAFile, openRegularFile, type Place } from './containment.ts';
import { checkConditions, HASH_MAX_BYTES, hashOrNull, readWhole, statIdentity } from './content.ts';
import { Copying } from './copying.ts';
import { Batches, type BatchOptions, type BatchOutcome, type BatchRequest } from './batch.ts';
import { Echoes, type Noticed } from './echoes.ts';
import { fileError } from './file-errors.ts';
import { smallHash } from './file-now.ts';
import { finishInPlace, writeInPlace } from './in-place.ts';
import { Folders } from './folders.ts';
import { type RemovalHost, removeFolder } from './folder-removal.ts';
import { type ChangeDraft, Journal, underBothNames } from './journal.ts';
import { KnownContents } from './known-contents.ts';
import type { LiveText } from './live-text.ts';
import { Moving } from './moving.ts';
import { Reader } from './reader.ts';
import { Standstill } from './standstill.ts';
import { hasMode, kindOf, lstatOrThrow, regularOrNothing, sameState } from './stats.ts';
import { Temporaries } from './temporaries.ts';
import { TwoSides } from './two-sides.ts';
import type { Confirm, CopyOptions, WriteConditions, WriteRequest, Written } from './write-request.ts';

const RETRIES = 5;
/** What stands somewhere for so long was told of, milliseconds. */
const TOLD_AFTER_MS = 2_000;
/** The watch has this long to tell of what is younger: it may have a big folder to read first. */
const TOLD_WITHIN_MS = 1_000;
/** More paths than these are not looked at for their age. */
const MOST_LOOKED_AT = 50;

/** Is told of a file by its real path. */
type Witness = (path: string, cause: Cause) => void;

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
  /** Plugged in while the folder is watched: told of each file that is about to be put in place, in the turn in which it will be. */
  placing: ((path: string, stat: fs.Stats) => void) | undefined;
  /** Programs that go through the folder by paths, and callers who must not lead them elsewhere meanwhile. */
  readonly sides = new TwoSides();
  /** Git is changing files of the folder. */
  readonly standstill = new Standstill();
  readonly #inPlaceFolder: string;
  readonly #temporaries: Temporaries;
  readonly #contents: KnownContents;
  readonly #echoes: Echoes;
  readonly #folders: Folders;
  readonly #removal: RemovalHost;
  readonly #moving: Moving;
  readonly #copying: Copying;
  readonly #batches: Batches;
  readonly #onProblem: WorkspaceDependencies['onProblem'];
  readonly #now: () => number;
  readonly #turns = new Map<string, Promise<void>>();
  readonly #witnesses = new Set<Witness>();

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
    this.#echoes = new Echoes({ containment, journal, contents }, options);
    this.#folders = new Folders({ containment, journal });
    this.#onProblem = dependencies.onProblem;
    this.#now = dependencies.now;
    const host = {
      containment,
      journal,
      contents,
      temporaries: this.#temporaries,
      folders: this.#folders,
      durability: options.durability,
      liveText: () => this.liveText,
      standstill: this.standstill,
      about: (path: string, cause: Cause) => this.#about(path, cause),
      rememberMove: (from: string, to: string, cause: Cause) => this.#echoes.rememberMove(from, to, cause),
    };
    this.#removal = host;
    this.#moving = new Moving({ ...host, now: dependencies.now });
    this.#copying = new Copying({ ...host, reader: this, write: (...args) => this.write(...args) });
    this.#batches = new Batches({ ...host, state: dependencies.state }, options);
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

  /** `witness` is called in the turn in which a file is changed or removed by us, before it is. Returns the way to stop. */
  onAbout(witness: Witness): () => void {
    this.#witnesses.add(witness);
    return () => this.#witnesses.delete(witness);
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
        const mode = modeFor(existing, request.mode);
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

  /** For what has to be there already no folders are made. */
  #placeForWrite(wirePath: string, request: WriteRequest): Place {
    if (request.ifMatch === undefined) return this.#folders.placeForWrite(wirePath, request);
    try {
      return this.#folders.placeForWrite(wirePath, { ...request, parents: false });
    } catch (error) {
      const known = fileError(error, wirePath);
      if (known.reason === 'FILE_NOT_FOUND') checkConditions(wirePath, undefined, request);
      throw known;
    }
  }

  mkdir(wirePath: string, parents: boolean, cause: Cause): { created: boolean; revision: number } {
    const made = this.#folders.make(wirePath, parents, cause);
    return { created: made.length > 0, revision: this.journal.revision };
  }

  /** Of a file whose content is a document's to write; none where it is gone. */
  giveMode(wirePath: string, mode: number): void {
    using place = this.containment.place(wirePath, true);
    const stat = regularOrNothing(place, wirePath);
    if (stat === undefined || hasMode(stat, mode)) return;
    const { descriptor } = openRegularFile(place, wirePath);
    try {
      fs.fchmodSync(descriptor, mode);
    } catch (error) {
      throw fileError(error, wirePath);
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** Removes a file, a link or a folder; what was removed before an abort or error stays removed, and was announced. */
  async remove(
    wirePath: string,
    recursive: boolean,
    request: WriteConditions & { cause: Cause; confirm?: Confirm | undefined; signal?: AbortSignal | undefined },
  ): Promise<number> {
    return this.#guard(wirePath, async () => {
      for (let attempt = 1; ; attempt++) {
        await this.liveText?.flush(wirePath);
        await this.standstill.over(request.signal);
        request.signal?.throwIfAborted();
        using place = this.containment.place(wirePath, false);
        request.confirm?.(place.path);
        const stat = await this.#matched(place, wirePath, request);
        if (recursive && stat.isDirectory()) this.liveText?.letGoOfReplaced(wirePath);
        if (stat.isDirectory())
          return await removeFolder(this.#removal, wirePath, { recursive, cause: request.cause, signal: request.signal });
        // A call that wrote to the document meanwhile found its file there: to be saved after this it would make that anew.
        if (attempt < RETRIES && this.liveText?.read(wirePath)?.unsaved === true) continue;
        const before = this.#contents.before(place.path, stat) ?? smallHash(place, wirePath, stat);
        this.#about(place.path, request.cause);
        const isConditional = request.ifMatch !== undefined || request.ifNoneMatch !== undefined;
        // Who was told may have read all of it.
        if (isConditional && !sameState(fs.lstatSync(place.at, { throwIfNoEntry: false }), { stat })) {
          if (attempt < RETRIES) continue;
          throw new OutriggerError('BUSY_FILE', `${wirePath} kept changing while it was to be removed.`);
        }
        fs.unlinkSync(place.at);
        this.#contents.forget(place.path);
        const draft: ChangeDraft = { path: wirePath, kind: kindOf(stat), what: 'removed', before, after: null, cause: request.cause };
        this.journal.record(underBothNames(draft, place.path));
        return 1;
      }
    });
  }

  /** What stands at a place, and meets the conditions in this very turn. */
  async #matched(place: Place, wirePath: string, request: WriteConditions & { signal?: AbortSignal | undefined }): Promise<fs.Stats> {
    const stat = lstatOrThrow(place, wirePath);
    if (request.ifMatch === undefined && request.ifNoneMatch === undefined) return stat;
    for (let attempt = 0; attempt < RETRIES; attempt++) {
      const now = lstatOrThrow(place, wirePath);
      const before = now.isFile() ? await this.#beforeInstall(place, wirePath, request.signal) : undefined;
      if (now.isFile() && !sameState(fs.lstatSync(place.at, { throwIfNoEntry: false }), before)) continue;
      checkConditions(wirePath, before?.content, request);
      return lstatOrThrow(place, wirePath);
    }
    throw new OutriggerError('BUSY_FILE', `${wirePath} kept changing while it was looked at.`);
  }

  /** Renames within the folder; open documents are saved first and follow. See Moving for what an abort does, and BUSY_FILE. */
  async move(from: string, to: string, options: CopyOptions): Promise<number> {
    if (to.startsWith(`${from}/`)) throw new OutriggerError('BAD_PATH', `${from} can't be moved into itself.`);
    return this.#guard(from, async () => {
      if (to === from) {
        using place = this.containment.place(from, false);
        lstatOrThrow(place, from);
        return this.journal.revision;
      }
      await this.#areTold([from], options.signal);
      await this.liveText?.flush(from);
      await this.standstill.over(options.signal);
      options.signal?.throwIfAborted();
      await this.#moving.move(from, to, options);
      return this.journal.revision;
    });
  }

  /**
   * Copies a file or a folder; links are copied as links. Gives how many entries were made. What `confirm` refuses before anything is made leaves nothing.
   * Throws BAD_PATH when all is copied but what has a name that is not UTF-8.
   */
  copy(from: string, to: string, options: CopyOptions & { mayRead?: Confirm | undefined }): Promise<number> {
    return this.#guard(from, async () => {
      // A call that wrote to the document meanwhile may have given its file another mode already.
      for (let attempt = 1; attempt === 1 || (attempt <= RETRIES && this.liveText?.read(from)?.unsaved === true); attempt++)
        await this.liveText?.flush(from);
      options.signal?.throwIfAborted();
      return await this.#copying.copy(from, to, options);
    });
  }

  /** Makes many changes, all or none. Throws what stands in the way of the first that can't be made, and nothing is changed then. */
  batch(request: BatchRequest): Promise<BatchOutcome> {
    return this.#guard('The batch', async () => {
      await this.#areTold(
        request.changes.flatMap((change) => (change.op === 'move' ? [change.from] : [])),
        request.signal,
      );
      return await this.#batches.run(request);
    });
  }

  /** Takes the watch's word; see Echoes. */
  noticed(reports: readonly Noticed[]): Change[] {
    const changes = this.journal.record(this.#echoes.newsOf(reports));
    for (const { path: wirePath, what, hash } of reports) this.liveText?.seen(wirePath, what === 'removed' ? undefined : hash);
    return changes;
  }

  /** Whether a path was told to be moved, and what stands there is about to be removed. */
  isLeaving(wirePath: string): boolean {
    return this.#moving.isLeaving(wirePath);
  }

  /** Paths of which the last reports do not say what stands there now: a further look has to. */
  takeDoubtful(): string[] {
    return this.#echoes.takeDoubtful();
  }

  /** Paths that are not as they were told, where calls and programs were at the same folders: a further look has to tell them. */
  takeDifferences(): string[] {
    return this.#echoes.takeDifferences();
  }

  /** A program may have put there a moment ago what is moved on now: that is told first, so that who has it open goes along. */
  async #areTold(paths: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    if (this.settled === undefined || !(paths.length > MOST_LOOKED_AT || paths.some((one) => this.#isYoung(one)))) return;
    // Without its word the move is as good; a watch that ends says so elsewhere.
    await inTime(this.settled(paths), TOLD_WITHIN_MS, signal).catch(() => {});
    signal?.throwIfAborted();
  }

  #isYoung(wirePath: string): boolean {
    try {
      using place = this.containment.place(wirePath, false);
      return this.#now() - lstatOrThrow(place, wirePath).ctimeMs < TOLD_AFTER_MS;
    } catch {
      // The move says what is wrong.
      return false;
    }
  }

  #about(path: string, cause: Cause): void {
    for (const witness of this.#witnesses) witness(path, cause);
  }

  // ── parts of writing ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #prepare(place: Place, content: Content, mode: number, durability: Durability, signal: AbortSignal | undefined): Promise<Prepared> {
    await this.standstill.over(signal);
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
      let before: { stat: fs.Stats; content: string } | undefined;
      do {
        await this.standstill.over(request.signal);
        before = replaceable(place, wirePath) === undefined ? undefined : await this.#beforeInstall(place, wirePath, request.signal);
      } while (this.standstill.isOn);
      request.signal?.throwIfAborted();
      // From here to the record nothing waits: no other write of ours can come between.
      if (place.recheck() !== place.path)
        throw new OutriggerError('BUSY_FILE', `The folder of ${wirePath} was moved while it was to be written.`);
      request.confirm?.(place.path);
      const existing = replaceable(place, wirePath);
      if (!sameState(existing, before)) continue;
      checkConditions(wirePath, before?.content, request);
      if (before?.content === prepared.hash && existing !== undefined && hasMode(existing, request.mode)) {
        // Nothing is learnt of it: where a program has just put it there, the watch has that to tell.
        return {
          path: wirePath,
          content: prepared.hash,
          size: prepared.size,
          revision: this.journal.revision,
          changed: false,
          created: false,
        };
      }
      if (existing !== undefined) this.#about(place.path, request.cause);
      const replaced = this.#replace(place, wirePath, prepared, existing, request);
      if (replaced === undefined) continue;
      // As a later read will know it: a large file's ETag is not made of its hash. What stands there by now may be a program's already.
      const content = prepared.size > HASH_MAX_BYTES ? statIdentity(prepared.stat) : prepared.hash;
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
      if (replaced.note !== undefined) draft.note = replaced.note;
      this.journal.record(place.path === wirePath ? [draft] : [{ ...draft, path: place.path }, ...this.#seenByWay(draft, place.path)]);
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

  /** What changed at `realPath` as it is seen by a way through a link; nothing where that leads elsewhere by now. The watch sees a link where the path is one. */
  #seenByWay(draft: ChangeDraft, realPath: string): ChangeDraft[] {
    try {
      if (this.containment.realPath(draft.path) !== realPath) return [];
      using place = this.containment.place(draft.path, false);
      const stat = fs.lstatSync(place.at);
      return [stat.isSymbolicLink() ? { ...draft, content: statIdentity(stat) } : draft];
    } catch {
      // It was taken away: what was written is written.
      return [];
    }
  }

  /** With what could not be kept, in words. Undefined where what was to be replaced was changed or moved away this moment, or came: nothing was written. */
  #replace(
    place: Place,
    wirePath: string,
    prepared: Prepared,
    existing: fs.Stats | undefined,
    { mode, replaced }: WriteRequest,
  ): { note: string | undefined } | undefined {
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
      const file = { at: place.at, path: place.path, mode, existing };
      const written = writeInPlace(file, before, fs.readFileSync(prepared.at), this.#inPlaceFolder);
      if (written === undefined) return undefined;
      this.#contents.forget(place.path);
      const why = existing.nlink > 1 ? `has ${existing.nlink} links` : 'is a mount point';
      return { note: `Written in place: the file ${why}.${written.note === undefined ? '' : ` ${written.note}`}` };
    }
    // Made, or given another one, since the new one was begun.
    if (!hasMode(prepared.stat, modeFor(existing, mode))) fs.chmodSync(prepared.at, modeFor(existing, mode));
    const note = existing === undefined ? undefined : keepOwner(prepared.at, existing, prepared.stat);
    this.placing?.(place.path, prepared.stat);
    // Who was told may have read all of the file that goes.
    if (!sameState(replaceable(place, wirePath), existing && { stat: existing })) return undefined;
    if (existing === undefined || !this.containment.byDescriptor) fs.renameSync(prepared.at, place.at);
    else if (!renameOver(prepared, place.at, existing, replaced)) return undefined;
    // A program may have moved it on already, or written into it: written it is all the same, and what is there now the next read finds.
    this.#contents.forget(place.path);
    return { note };
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

/** What a write would replace. Links were followed to get there: one that stands there now came since, and may lead anywhere. */
function replaceable(place: Place, wirePath: string): fs.Stats | undefined {
  const stat = fs.lstatSync(place.at, { throwIfNoEntry: false });
  if (stat?.isSymbolicLink() === true)
    throw new OutriggerError('BUSY_FILE', `A link took the place of ${wirePath} while it was to be written.`);
  if (stat === undefined || stat.isFile()) return stat;
  throw notAFile(stat, wirePath);
}

/** The mode of a file that is written: what is asked for, else that which it has, else that of a new one. */
function modeFor(existing: fs.Stats | undefined, asked: number | undefined): number {
  return asked ?? (existing === undefined ? 0o666 & ~process.umask() : existing.mode & 0o777);
}
