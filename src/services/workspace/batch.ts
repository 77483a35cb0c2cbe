import fs from 'node:fs';
import { posix } from 'node:path';
import { isPassingName } from '../../core/passing-name.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { boundedSize } from '../../contract/bound.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import type { BatchChange, BatchResult } from '../../contract/files.ts';
import { joinPath, parentPath } from '../../contract/paths.ts';
import { type State, STATE_HINT } from '../state/state.ts';
import { type Durability, keepOwner, prepareFile, syncFolder, temporaryName } from './atomic-write.ts';
import {
  type BatchFailure,
  type BatchPlan,
  MAX_BATCH_BYTES,
  type NewContent,
  planBatch,
  type PlanRequest,
  type PlanSource,
  type ReadyContent,
} from './batch-plan.ts';
import { BatchLog, type BatchPorts, type BatchRecord, clean, goBack, goForward, recoverBatch, tell } from './batch-record.ts';
import type { FileContent } from './batch-tree.ts';
import { type Containment, exactPlace, openRegularFile, type Place } from './containment.ts';
import { type FileFacts, hashBytes, readWhole, sameFacts, statIdentity } from './content.ts';
import { type EditSteps, EditWork, TURN_MS } from './edit-work.ts';
import { fileError } from './file-errors.ts';
import type { Journal } from './journal.ts';
import type { KnownContents } from './known-contents.ts';
import type { HeldTexts, LiveText } from './live-text.ts';
import type { Standstill } from './standstill.ts';
import { removeTemporary, type Temporaries } from './temporaries.ts';

/** Looks at the folder before a batch gives up: between them something else kept changing it. */
const MAX_LOOKS = 30;
/** Of these, how many wait for open documents to be saved; after that what was typed goes into the file with the batch. */
const SAVING_LOOKS = 6;
/** Folders that are held open while something waits in them. */
const MAX_HELD_FOLDERS = 200;

export interface BatchRequest extends Omit<PlanRequest, 'newMode'>, Pick<PlanSource, 'permit'> {
  /** Works out the text after the edits. Throws what does not fit. */
  edit(change: Extract<BatchChange, { op: 'edit' }>, raw: string): EditSteps;
  durability: Durability | undefined;
  dryRun: boolean;
  /** Largest answer, as rough bytes of JSON: one that could not be given must not be of something that was done. */
  maxAnswerBytes: number;
  signal: AbortSignal;
}

export interface BatchOutcome {
  revision: number;
  changes: BatchResult[];
  undo?: BatchChange[];
  notUndoable?: { change: number; why: string }[];
}

/** What a batch needs of the workspace that it is a part of. */
export interface BatchHost {
  containment: Containment;
  journal: Journal;
  contents: KnownContents;
  state: State;
  temporaries: Temporaries;
  durability: Durability;
  liveText(): LiveText | undefined;
  standstill: Standstill;
  /** Told of each file that is about to be changed or removed. */
  about(path: string, cause: Cause): void;
  /** A folder was moved, and that is told as one change. */
  rememberMove(from: string, to: string, cause: Cause): void;
}

export interface BatchOptions {
  /** For tests: called before each thing that a batch changes; throwing there fails it. */
  beforeStep?: (point: string) => void;
  /** For tests that must be seen to fail: a batch is not recorded before it begins. */
  forgetBatches?: boolean;
}

/** Sets of changes that are made whole or not at all, one set at a time. */
export class Batches {
  readonly #host: BatchHost;
  readonly #ports: BatchPorts;
  readonly #options: BatchOptions;
  #last: Promise<unknown> = Promise.resolve();

  constructor(host: BatchHost, options: BatchOptions) {
    this.#host = host;
    this.#options = options;
    const { containment, journal } = host;
    this.#ports = { containment, journal, log: new BatchLog(host.state), before: options.beforeStep ?? (() => {}) };
  }

  /** See recoverBatch. */
  recover(): void {
    recoverBatch(this.#ports);
  }

  /** Makes all changes or none. Throws the first thing that stands in the way, with all of them in its details. */
  async run(request: BatchRequest): Promise<BatchOutcome> {
    const before = this.#last;
    const mine = (async () => {
      await before;
      request.signal.throwIfAborted();
      this.#settle();
      return await new Batch(this.#host, this.#ports, this.#options, request).run();
    })();
    this.#last = mine.catch(() => {});
    return mine;
  }

  /** One before that is half done: its record is the way back, and there is room for one. Throws INTERNAL where there is no way still. */
  #settle(): void {
    let left: ReturnType<BatchLog['left']>;
    try {
      left = this.#ports.log.left();
    } catch {
      // Where nothing can be read of the state, the next batch can't be stored, either, and says so.
      return;
    }
    if (left === undefined) return;
    try {
      recoverBatch(this.#ports);
    } catch (error) {
      // All of it is done; what it kept aside stays.
      if (left.record.phase === 'clean') return;
      throw new OutriggerError('INTERNAL', 'A batch before this one is half done and can not be undone yet, so nothing was changed.', {
        cause: error,
      });
    }
  }
}

/** `path`: where it waits; `folder`: the same folder, whatever other programs call it meanwhile. */
type Ready = ReadyContent & { path: string; folder: Place | undefined };

class Batch {
  readonly #host: BatchHost;
  readonly #ports: BatchPorts;
  readonly #options: BatchOptions;
  readonly #request: BatchRequest;
  readonly #planRequest: PlanRequest;
  readonly #durability: Durability;
  readonly #read = new Map<string, { facts: FileFacts; content: FileContent }>();
  readonly #edits = new Map<BatchChange, EditWork>();
  readonly #ready = new Map<string, Ready>();
  readonly #folders = new Map<string, Place>();
  #readBytes = 0;
  #held: HeldTexts | undefined;
  #opened = false;
  readonly #slice = new TimeSlice();

  constructor(host: BatchHost, ports: BatchPorts, options: BatchOptions, request: BatchRequest) {
    this.#host = host;
    this.#ports = ports;
    this.#options = options;
    this.#request = request;
    this.#planRequest = { ...request, newMode: 0o666 & ~process.umask() };
    this.#durability = request.durability ?? host.durability;
  }

  async run(): Promise<BatchOutcome> {
    try {
      await this.#hold();
      for (let look = 0, waits = 0; look < MAX_LOOKS; look++) {
        if (!this.#request.dryRun) await this.#host.standstill.over(this.#request.signal);
        this.#request.signal.throwIfAborted();
        // From here nothing waits: what the plan saw is what is changed.
        let plan = planBatch(this.#planRequest, this.#source());
        const lacking = this.#lacking(plan, look);
        if (lacking !== undefined) {
          await lacking();
          // That edits take long says nothing about the files; each is waited for once, where its text stays as it is.
          if (plan.unedited.length > 0 && waits++ < this.#request.changes.length) look--;
          continue;
        }
        if (plan.failures.length > 0) throw refusal(plan.failures, this.#request.changes.length);
        const outcome = this.#outcome(plan);
        if (this.#request.dryRun || plan.steps.length === 0) return outcome;
        if (look >= SAVING_LOOKS && this.#prepareTyped(plan)) plan = planBatch(this.#planRequest, this.#source());
        const missing = this.#missing(plan);
        if (missing.length > 0) {
          await this.#prepareAll(missing);
          continue;
        }
        this.#commit(plan);
        outcome.revision = this.#host.journal.revision;
        if (this.#durability === 'full') await this.#syncFolders(plan);
        return outcome;
      }
      throw new OutriggerError('BUSY_FILE', 'The files of the batch kept changing while it was prepared. Nothing was changed.');
    } finally {
      this.#held?.release();
      try {
        for (const { path, folder } of this.#ready.values()) {
          removeTemporary(this.#host.containment, path, folder);
          this.#host.temporaries.ended();
        }
      } finally {
        for (const folder of this.#folders.values()) folder.close();
      }
    }
  }

  // ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #hold(): Promise<void> {
    this.#held?.release();
    this.#opened = false;
    const paths = this.#request.changes.flatMap((change) => (change.op === 'move' ? [change.from, change.to] : [change.path]));
    this.#held = await this.#host.liveText()?.hold(paths);
    if (this.#request.dryRun) return;
    for (const document of this.#held?.all ?? []) await document.save();
  }

  /** What has to be waited for before a plan holds; undefined when nothing has. */
  #lacking(plan: BatchPlan, look: number): (() => Promise<void>) | undefined {
    if (this.#opened) return () => this.#hold();
    if (plan.unread.length > 0)
      return async () => {
        this.#slice.restart();
        for (const { path, whole } of plan.unread) await this.#readFile(path, whole);
      };
    if (plan.unedited.length > 0)
      return async () => {
        this.#slice.restart();
        for (const change of plan.unedited) await this.#workOf(change).finish(() => this.#giveWay());
      };
    // As a read does. To be saved nothing has to be for a dry run.
    if (plan.stale.length > 0)
      return async () => {
        for (const document of plan.stale) await document.refresh();
      };
    if (this.#request.dryRun) return undefined;
    if (plan.unsaved.length === 0 || look >= SAVING_LOOKS) return undefined;
    return async () => {
      for (const document of plan.unsaved) await document.save();
    };
  }

  #source(): PlanSource {
    const { containment, journal } = this.#host;
    using root = containment.directory('');
    const rootStat = fs.statSync(root.at);
    let editMs = TURN_MS;
    return {
      rootStat,
      look: (path) => look(containment, path),
      names: (path) => {
        using folder = containment.directory(path);
        return fs.readdirSync(folder.at).filter((name) => !isPassingName(name));
      },
      realPath: (path) => containment.realPath(path),
      targetOf: (path) => targetOf(containment, path),
      content: (path, stat, whole) => {
        const read = this.#read.get(path);
        if (read === undefined || !sameFacts(read.facts, stat)) return undefined;
        return whole && read.content.bytes === undefined && read.content.refused !== true ? undefined : read.content;
      },
      document: (path) => {
        const held = this.#held?.at(path);
        if (held === undefined && this.#host.liveText()?.read(path) !== undefined) this.#opened = true;
        return held;
      },
      ready: (content) => this.#ready.get(keyOf(content)),
      edit: (change, raw) => {
        const started = performance.now();
        try {
          return this.#workOf(change).result(raw, editMs);
        } finally {
          editMs -= performance.now() - started;
        }
      },
      permit: this.#request.permit,
      known: (path) => this.#host.contents.last(path) ?? journal.known(path),
    };
  }

  #workOf(change: Extract<BatchChange, { op: 'edit' }>): EditWork {
    let work = this.#edits.get(change);
    if (work === undefined) this.#edits.set(change, (work = new EditWork((raw) => this.#request.edit(change, raw))));
    return work;
  }

  async #readFile(path: string, whole: boolean): Promise<void> {
    await this.#giveWay();
    const { signal } = this.#request;
    let opened: { descriptor: number; stat: fs.Stats };
    using place = this.#host.containment.place(path, false);
    try {
      opened = openRegularFile(place, path);
    } catch (error) {
      const known = fileError(error, path);
      // Gone, or no file any more: the next look sees that.
      if (known.reason === 'FILE_NOT_FOUND' || known.reason === 'NOT_A_FILE') return;
      const stat = fs.lstatSync(place.at, { throwIfNoEntry: false });
      if (known.reason !== 'FILE_PERMISSION' || stat === undefined) throw error;
      // It may be replaced, moved and removed all the same; its content stays unknown.
      this.#read.set(path, {
        facts: stat,
        content: { id: statIdentity(stat), size: stat.size, bom: false, bytes: undefined, refused: true },
      });
      return;
    }
    const { descriptor, stat } = opened;
    try {
      let bytes: Uint8Array | undefined;
      if (whole) {
        this.#readBytes += stat.size;
        if (this.#readBytes > MAX_BATCH_BYTES)
          throw new OutriggerError('INPUT_TOO_LARGE', `A batch reads ${MAX_BATCH_BYTES} bytes of files at most.`);
        bytes = readWhole(descriptor, stat.size);
      }
      const id = bytes === undefined ? await this.#host.contents.of(path, descriptor, stat, signal) : hashBytes(bytes);
      const start = Buffer.alloc(3);
      const bom = fs.readSync(descriptor, start, 0, 3, 0) === 3 && start.equals(Buffer.from([0xef, 0xbb, 0xbf]));
      this.#read.set(path, { facts: stat, content: { id, size: stat.size, bom, bytes } });
    } finally {
      fs.closeSync(descriptor);
    }
  }

  async #giveWay(): Promise<void> {
    if (this.#slice.isOver) await this.#slice.giveWay(this.#request.signal);
  }

  #outcome(plan: BatchPlan): BatchOutcome {
    const { maxAnswerBytes, returnBefore } = this.#request;
    const outcome: BatchOutcome = { revision: this.#host.journal.revision, changes: plan.results };
    // What dispatch adds to it is little.
    const room = maxAnswerBytes - 1000;
    if (returnBefore && plan.notUndoable.length > 0) outcome.notUndoable = plan.notUndoable;
    if (boundedSize(outcome, room) > room)
      throw new OutriggerError('OUTPUT_TOO_LARGE', 'What there is to say of so many changes is too long. Nothing was changed.');
    if (returnBefore && plan.notUndoable.length === 0) {
      if (boundedSize([outcome, plan.undo], room) <= room) outcome.undo = plan.undo;
      else outcome.notUndoable = [{ change: 0, why: 'The changes that undo it are too long for one answer.' }];
    }
    return outcome;
  }

  // ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Writes contents beside where they will be. */
  async #prepareAll(contents: readonly NewContent[]): Promise<void> {
    this.#slice.restart();
    for (const content of contents) {
      await this.#giveWay();
      await this.#host.standstill.over(this.#request.signal);
      try {
        await this.#prepare(content);
      } catch (error) {
        this.#request.signal.throwIfAborted();
        throw refusal([failureOf(content.change, this.#pathOf(content.change), error)], this.#request.changes.length);
      }
    }
  }

  #missing(plan: BatchPlan): NewContent[] {
    return plan.contents.filter((content) => !this.#ready.has(keyOf(content)));
  }

  /** Where somebody types all the time, the text is another one after each wait: it is written in this very turn. True when it was. */
  #prepareTyped(plan: BatchPlan): boolean {
    const missing = this.#missing(plan);
    if (missing.length === 0 || missing.some(({ typed, bytes }) => !typed || bytes === undefined)) return false;
    for (const content of missing) {
      const { bytes = new Uint8Array(), mode, like } = content;
      const { place, ready } = this.#begin(content);
      try {
        const descriptor = fs.openSync(place.at, 'wx', mode);
        try {
          fs.writeFileSync(descriptor, bytes);
          fs.fchmodSync(descriptor, mode);
          if (this.#durability !== 'none') fs.fdatasyncSync(descriptor);
          const stat = fs.fstatSync(descriptor);
          if (like !== undefined) ready.note = keepOwner(place.at, like, stat);
          ready.mark = { ino: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs };
        } finally {
          fs.closeSync(descriptor);
        }
      } catch (error) {
        throw refusal([failureOf(content.change, this.#pathOf(content.change), error)], this.#request.changes.length);
      } finally {
        place.close();
      }
    }
    return true;
  }

  /** Whatever comes of it, what is made at the place is removed in the end. */
  #begin(content: NewContent): { place: Place; ready: Ready } {
    const name = temporaryName();
    const path = joinPath(content.folder, name);
    const place = this.#host.containment.place(path, false);
    const folder = this.#heldFolder(place, content.folder);
    this.#ports.before('prepare');
    this.#host.temporaries.began(path);
    const ready: Ready = { name, path, folder, mark: { ino: 0 }, note: undefined };
    this.#ready.set(keyOf(content), ready);
    return { place, ready };
  }

  /** The one that a place is in, held open to the end. Undefined where too many are, or it is another one already. */
  #heldFolder(place: Place, path: string): Place | undefined {
    const { dev, ino } = fs.statSync(place.folder);
    const key = `${dev} ${ino}`;
    const held = this.#folders.get(key);
    if (held !== undefined || this.#folders.size >= MAX_HELD_FOLDERS) return held;
    let folder: Place;
    try {
      folder = this.#host.containment.directory(path);
    } catch {
      // Renamed this moment: what is made in it fails, or is found by its path.
      return undefined;
    }
    if (fs.statSync(folder.folder).ino === ino) {
      this.#folders.set(key, folder);
      return folder;
    }
    folder.close();
    return undefined;
  }

  async #prepare(content: NewContent): Promise<void> {
    const { place: made, ready } = this.#begin(content);
    using place = made;
    if (content.bytes === undefined) {
      fs.mkdirSync(place.at, 0o777);
      ready.mark = { ino: fs.lstatSync(place.at).ino };
      return;
    }
    const { stat } = await prepareFile(place.at, content.bytes, content.mode, this.#durability, this.#request.signal);
    if (content.like !== undefined) ready.note = keepOwner(place.at, content.like, stat);
    ready.mark = { ino: stat.ino, size: stat.size, mtimeMs: stat.mtimeMs };
  }

  /** Waits for nothing. From the moment that the record is stored the batch is to be; what fails after that is undone here. */
  #commit(plan: BatchPlan): void {
    const ports = this.#ports;
    const record: BatchRecord = {
      phase: 'forward',
      steps: plan.steps,
      drafts: plan.drafts,
      temporaries: [...this.#ready.values()].map(({ path }) => path),
      asides: plan.asides,
    };
    ports.before('record');
    try {
      if (this.#options.forgetBatches !== true) ports.log.begin(record, this.#durability !== 'none');
    } catch (error) {
      throw new OutriggerError('DISK_FULL', `The state can't be written, so nothing was changed: ${(error as Error).message}`, {
        cause: error,
        hint: STATE_HINT,
      });
    }
    for (const { path, kind, what } of plan.drafts)
      if (kind === 'file' && (what === 'changed' || what === 'removed')) this.#host.about(path, this.#request.cause);
    try {
      goForward(ports, record);
    } catch (error) {
      this.#undo(record, error);
    }
    for (const { from, to } of plan.movedFolders) this.#host.rememberMove(from, to, this.#request.cause);
    for (const { document, raw, content } of plan.texts) document.wrote(raw, content);
    tell(ports, record);
    try {
      clean(ports, record);
    } catch {
      // All is done and told. What was kept aside is removed before the next batch, or at the next start.
    }
  }

  #undo(record: BatchRecord, error: unknown): never {
    const change = record.steps[this.#ports.log.begun - 1]?.change ?? 0;
    try {
      goBack(this.#ports, record, this.#ports.log.begun);
    } catch (cause) {
      throw new OutriggerError('INTERNAL', 'The batch failed, and not all of it could be undone: that is tried again at the next start.', {
        cause: new AggregateError([error, cause], 'A batch is half done.'),
      });
    }
    throw refusal([failureOf(change, this.#pathOf(change), error)], this.#request.changes.length);
  }

  #pathOf(change: number): string {
    const asked = this.#request.changes[change] as BatchChange;
    return asked.op === 'move' ? asked.from : asked.path;
  }

  async #syncFolders(plan: BatchPlan): Promise<void> {
    const folders = new Set(
      plan.drafts.flatMap(({ path, from }) => [path, from ?? path]).map((path) => path.slice(0, Math.max(path.lastIndexOf('/'), 0))),
    );
    for (const path of folders) {
      try {
        using folder = this.#host.containment.directory(path);
        await syncFolder(folder.at);
      } catch {
        // Gone with the batch, or since.
      }
    }
  }
}

function look(containment: Containment, path: string): ReturnType<PlanSource['look']> {
  try {
    using place = exactPlace(containment, path);
    const stat = fs.lstatSync(place.at, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    return { kind: stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'other', stat };
  } catch (error) {
    const known = fileError(error, path);
    if (known.reason === 'FILE_NOT_FOUND' || known.reason === 'NOT_A_DIRECTORY') return undefined;
    throw known;
  }
}

function targetOf(containment: Containment, path: string): string | undefined {
  let target: string;
  try {
    using place = exactPlace(containment, path);
    target = fs.readlinkSync(place.at);
  } catch {
    // Another program took it away this moment.
    return undefined;
  }
  const [, names = ''] = /^(?:\.\.?\/)*(.*)$/s.exec(target) ?? [];
  // What is above a name, or in it, depends on what that leads to.
  if (posix.isAbsolute(target) || names.split('/').some((name) => ['', '.', '..'].includes(name))) return undefined;
  return containment.pathOf(posix.join(containment.root, parentPath(path), target));
}

/** The same content for the same change in the same folder need not be written again. */
function keyOf({ change, at, hash, mode, folder }: NewContent): string {
  return JSON.stringify([change, at, hash, mode, folder]);
}

function failureOf(change: number, path: string, error: unknown): BatchFailure {
  const known = fileError(error, path);
  if (known.reason === 'INTERNAL') throw error;
  return { change, path, reason: known.reason, message: known.message };
}

function refusal(failures: readonly BatchFailure[], count: number): OutriggerError {
  const first = failures[0] as BatchFailure;
  const more = failures.length === 1 ? '' : ` ${failures.length - 1} more of the ${count} changes can't be made.`;
  return new OutriggerError(first.reason, `Change ${first.change} of the batch: ${first.message}${more} Nothing was changed.`, {
    details: { change: first.change, path: first.path, failures },
  });
}
