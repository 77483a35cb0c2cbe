// The watch's thread. The table of the folder lives here, with settling and hashing, so that a busy main thread loses nothing: what it does not take waits in
// a queue that holds one report a path. Everything comes in as workerData and messages.

import { lstatSync, realpathSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { TimeSlice } from '../../core/time-slice.ts';
import { parentPath } from '../../contract/paths.ts';
import { movedPath } from '../../core/moved-path.ts';
import { Barriers } from './barriers.ts';
import { DirWatch } from './dir-watch.ts';
import type { Fact } from './fact.ts';
import type { HashResult } from './file-hash.ts';
import { giveBackWhenIdle } from './give-back.ts';
import { GitWatch } from './git-watch.ts';
import { Hashing } from './hashing.ts';
import { HintEngine } from './hint-engine.ts';
import { compileIgnore, type Ignore } from './ignore.ts';
import { offlineChanges } from './offline-changes.ts';
import { maxKept, OwnWrites } from './own-writes.ts';
import {
  factsOvertaken,
  factsThatCanWait,
  type FolderMove,
  hasMovedOn,
  leaversOf,
  openFacts,
  pairRenames,
  type Table,
  tableBefore,
  netFacts,
} from './rename-pairs.ts';
import { ReportSender } from './report-sender.ts';
import { type Pending, Settle } from './settle.ts';
import { readSnapshot, type Snapshot } from './snapshot.ts';
import { SnapshotKeeper } from './snapshot-keeper.ts';
import { type EntryKind, type StatKey, sameKey } from './stat-key.ts';
import type {
  Baseline,
  FromWorker,
  OwnChanges,
  OwnWrite,
  ToWorker,
  WatchReport,
  WatchSettings,
  WorkerData,
  WorkerState,
} from './watch-protocol.ts';
import { ToldMoves } from './told-moves.ts';
import { YoungFiles } from './young-files.ts';

const lockPollMs = 20;
/** Above this many renamed directories in the queue, further ones are told entry by entry: those take the place of older reports. */
const maxBorders = 256;

/** Above this many facts, those before a folder's move are told before it, and those of renames of which one half was found without the other. */
const maxHeld = 4096;
/** As many a barrier waits for, until both halves are found of what was renamed before; of a file that is renamed over and over they never are. */
const maxDrainsAwaited = 50;

const noKey: StatKey = { size: 0, mtimeMs: 0, ino: 0 };

class WatchWorker {
  readonly #port: MessagePort;
  readonly #settings: WatchSettings;
  readonly #root: string;
  readonly #ignore: Ignore;
  readonly #watch: DirWatch;
  readonly #git: GitWatch;
  readonly #settle: Settle;
  readonly #sender = new ReportSender((reports, barriers) => this.#post({ type: 'reports', reports, barriers, state: this.#state() }));
  readonly #ownChanges: MessagePort;
  readonly #ownWrites = new OwnWrites();
  readonly #ownMoves = new Set<string>();
  readonly #table: Table = {
    lookup: (path) => this.#watch.lookup(path),
    lstat: (path) => this.#lstat(path),
    isUntold: (path) => this.#settle.isUntold(path),
  };
  readonly #engine: HintEngine;
  #facts: Fact[] = [];
  /** Those before this one had been found when the reading began that goes on now. */
  #readFrom = 0;
  /** Of those before this one, the other halves were looked for wherever they may be. */
  #openFrom = 0;
  /** Old place → new place of files whose rename waits to be told. */
  readonly #leaving = new Map<string, string>();
  readonly #toldMoves = new ToldMoves();
  /** For each recheck under way, the folders that moved and of which nobody had been told when it was asked, in order. */
  readonly #movedMeanwhile = new Set<FolderMove[]>();
  readonly #hashing: Hashing;
  readonly #young: YoungFiles;
  readonly #barriers = new Barriers();
  #timer: NodeJS.Timeout | null = null;
  readonly #snapshots: SnapshotKeeper;
  /** Every file was looked at and compared with the snapshot: what is told from then on is told for a reason. */
  #completed: Promise<void> = Promise.resolve();
  /** Paths that were asked for and not looked at yet. */
  readonly #asked = new Set<string>();
  #rechecked: Promise<void> = Promise.resolve();
  #mark: number;
  /** What the table knows all up to. */
  #seenMark: number;
  #lastFlags = '';
  #stopped = false;

  constructor(port: MessagePort, { settings, ownChanges, mark }: WorkerData) {
    this.#port = port;
    this.#mark = mark;
    this.#seenMark = mark;
    this.#ownChanges = ownChanges;
    // Those of files that are not watched no drain takes.
    ownChanges.on('message', (changes: OwnChanges) => this.#takeOwn(changes));
    this.#settings = settings;
    this.#root = realpathSync(settings.root);
    this.#ignore = compileIgnore(settings.ignore);
    this.#settle = new Settle({ settleMs: settings.settleMs });
    this.#hashing = new Hashing({
      root: this.#root,
      maxBytes: settings.hashMaxBytes,
      isDue: (pending) => this.#settle.isCurrent(pending) && (pending.settled || pending.forced || this.#lookAgain(pending)),
      onHashed: (pending, result, startedAt) => this.#hashed(pending, result, startedAt),
      onMore: () => this.#pump(),
    });
    this.#young = new YoungFiles({
      root: this.#root,
      maxBytes: settings.hashMaxBytes,
      lookup: (path) => this.#watch.lookup(path),
      isWaiting: (path) => this.#settle.has(path),
      onOther: (fact, isRead) => {
        this.#look(fact.path);
        if (isRead && !this.#settle.has(fact.path)) this.#notice(fact, {});
      },
    });
    this.#snapshots = new SnapshotKeeper({
      path: settings.snapshotPath,
      everyMs: settings.snapshotEveryMs,
      catchUp: () => this.#catchUp(),
      directories: () => this.#watch.directories(),
      untold: () => this.#untold(),
      mustWait: () => this.#watch.rootGone || this.#watch.isOpen || this.#sender.hasUntoldMoves,
    });
    this.#engine = new HintEngine({
      root: this.#root,
      settings,
      library: () => import('@parcel/watcher'),
      onHint: (path) => this.#watch.hintPath(path),
      onLost: () => this.#watch.lostHints(),
      sweep: () => this.#sweep(),
    });
    this.#git = new GitWatch({
      root: this.#root,
      arm: this.#engine.name === 'inotify',
      onChanged: () => this.#post({ type: 'git' }),
      onLock: () => this.#pump(),
    });
    this.#watch = new DirWatch({
      root: this.#root,
      ignore: this.#ignore,
      arm: this.#engine.name === 'inotify',
      mayMove: () => this.#sender.borders < maxBorders,
      onFact: (fact) => this.#fact(fact),
      onReading: () => {
        this.#readFrom = this.#facts.length;
      },
      onRead: () => {
        this.#openFrom = this.#readFrom;
      },
      onDrained: () => {
        this.#takeFacts(true);
        this.#pump();
      },
      onIgnored: (name) => {
        if (name === '.git') this.#git.hint();
      },
      onRootGone: (gone) => {
        this.#post({ type: 'root', gone });
        this.#postState();
      },
      onExhausted: (code) => this.#fallBack(code),
    });
  }

  async start(): Promise<void> {
    const started = performance.now();
    const { snapshotPath } = this.#settings;
    const snapshot = snapshotPath === null ? 'none' : readSnapshot(snapshotPath);
    const baseline: Baseline = typeof snapshot === 'string' ? snapshot : 'loaded';
    if (typeof snapshot !== 'string') {
      // What was told since is asked for when this is known.
      this.#mark = snapshot.mark;
      this.#seenMark = snapshot.mark;
    }
    await this.#engine.start();
    await this.#watch.start();
    // Stopped meanwhile: what is begun now, nobody would end.
    if (this.#stopped) return;
    this.#git.start();
    this.#post({
      type: 'ready',
      ms: performance.now() - started,
      baseline,
      mark: typeof snapshot === 'string' ? null : snapshot.mark,
      state: this.#state(),
    });
    this.#completed = this.#lookAtAll(typeof snapshot === 'string' ? null : snapshot);
    await this.#completed;
    if (this.#stopped) return;
    this.#engine.beginSweeps();
    this.#snapshots.begin();
    this.#pump();
  }

  async #lookAtAll(snapshot: Snapshot | null): Promise<void> {
    await this.#watch.complete();
    if (snapshot && !this.#stopped) await this.#compare(snapshot);
  }

  async receive(message: ToWorker): Promise<void> {
    switch (message.type) {
      case 'acknowledge':
        this.#mark = message.mark;
        // What was untold until now is told: the snapshot can say so.
        if (this.#sender.acknowledge()) this.#snapshots.changed();
        return;
      case 'barrier':
        await this.#completed;
        await this.#rechecked;
        await this.#hintsRead();
        if (this.#engine.name === 'inotify') await this.#flush();
        else await this.#lookEverywhere();
        this.#raiseBarrier(message.id, message.paths);
        return;
      case 'sweep':
        await this.#completed;
        await this.#rechecked;
        await this.#sweep();
        this.#raiseBarrier(message.id);
        return;
      case 'recheck':
        for (const path of message.paths) this.#asked.add(path);
        await this.#recheckInTurn(message.paths);
        return;
      case 'stall': {
        const until = performance.now() + message.ms;
        while (performance.now() < until);
        return;
      }
      case 'crash':
        throw new Error('A crash was asked for.');
      case 'stop':
        this.#mark = message.mark;
        await this.#stop();
    }
  }

  async #stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#hashing.stop();
    this.#sender.stop();
    this.#engine.endSweeps();
    if (this.#timer) clearTimeout(this.#timer);
    this.#takeFacts();
    await this.#snapshots.end();
    this.#watch.close();
    this.#git.close();
    await this.#engine.close();
    this.#post({ type: 'stopped' });
    this.#ownChanges.close();
    this.#port.close();
  }

  // Looks

  #fallBack(code: string): void {
    this.#engine.fallBack(code);
    this.#git.disarm();
    this.#postState();
  }

  async #sweep(): Promise<void> {
    await this.#lookEverywhere();
    this.#git.check();
  }

  async #lookEverywhere(): Promise<void> {
    const mark = this.#mark;
    await this.#watch.sweep();
    this.#seenMark = Math.max(this.#seenMark, mark);
  }

  /** Where nothing but a look everywhere finds what changed, as of the last one. */
  async #catchUp(): Promise<number> {
    if (this.#engine.name !== 'inotify') return this.#seenMark;
    const mark = this.#mark;
    await this.#hintsRead();
    await this.#flush();
    this.#takeFacts(true);
    this.#seenMark = Math.max(this.#seenMark, mark);
    return this.#seenMark;
  }

  /** Resolves when what was hinted until now is found, with both halves of renames. */
  async #flush(): Promise<void> {
    await this.#watch.flush();
    const last = this.#facts.at(-1);
    const isLeft = (): boolean => last !== undefined && this.#facts.includes(last);
    for (let drains = 0; this.#watch.isOpen && (drains === 0 || isLeft()) && drains < maxDrainsAwaited; drains++) await this.#watch.flush();
    if (isLeft()) this.#takeFacts();
  }

  // From facts to what waits

  #fact(fact: Fact): void {
    this.#snapshots.changed();
    if (fact.from === undefined) {
      this.#facts.push(fact);
      return;
    }
    this.#receiveOwn();
    // The facts until now have the names of before, and so has what we put.
    this.#takeFacts(false, { from: fact.from, to: fact.path });
    this.#ownWrites.moved(fact.from, fact.path, (path) => this.#isThere(path));
    this.#moveDirectory(fact, fact.from);
  }

  /**
   * The facts of one drain: a file that vanished here and one that appeared there, and are the same file, are a rename. `isDrained`: those whose other halves the
   * next drain may find are left for that. `before`: of a folder's move, in which the other half may be found yet.
   */
  #takeFacts(isDrained = false, before?: FolderMove): void {
    let left = isDrained || this.#facts.length > 0 ? this.#ownWritesLeft(before) : [];
    if (isDrained) this.#lookAtOwn();
    // Those who follow know of it.
    for (const fact of this.#facts) if (fact.what === 'added' && this.#ownWrites.has(fact.path)) fact.what = 'changed';
    let found = this.#facts;
    this.#facts = [];
    if (isDrained && this.#watch.isOpen) {
      const open = openFacts(found, this.#openFrom);
      if (open.size <= maxHeld) {
        found = found.filter((fact) => !open.has(fact) || !this.#facts.push(fact));
        left = left.filter(({ path, key }) => !this.#facts.some((fact) => fact.path === path || fact.key.ino === key.ino));
      }
    }
    this.#readFrom = 0;
    this.#openFrom = 0;
    if (found.length === 0 && left.length === 0) return;
    const facts = netFacts(found);
    const table = before === undefined ? this.#table : tableBefore(this.#table, before);
    const passed = this.#ownWrites.takePassed((write) => hasMovedOn(write, facts, table));
    const froms = pairRenames(facts, leaversOf(facts, [...left, ...passed]), table);
    const arrived = new Set(froms.values());
    const overtaken = factsOvertaken(facts, arrived);
    const waiting = before === undefined || facts.length > maxHeld ? undefined : factsThatCanWait(facts, froms, this.#table, before);
    for (const fact of facts) {
      if (before !== undefined && waiting?.has(fact)) {
        this.#facts.push({ ...fact, path: movedPath(fact.path, before.from, before.to) ?? fact.path });
        continue;
      }
      if (overtaken.has(fact)) continue;
      if (fact.what === 'removed') {
        if (!arrived.has(fact)) this.#notice(fact, {});
        continue;
      }
      if (fact.what === 'known') {
        this.#settle.known(fact.path);
        continue;
      }
      if (fact.what === 'suspect') {
        if (this.#settle.has(fact.path) || this.#young.has(fact.path)) continue;
        this.#notice(fact, {});
        continue;
      }
      const gone = froms.get(fact);
      if (!gone) {
        this.#notice(fact, {});
        continue;
      }
      this.#barriers.renamed(gone.path, fact.path);
      const origin = this.#settle.isUntold(gone.path) ? this.#settle.fromOf(gone.path) : undefined;
      if (origin !== undefined) {
        // On its way from there, and not told yet to have come to where it left.
        this.#leaving.delete(origin);
        this.#settle.drop(gone.path);
        this.#notice(fact, { settled: true, ...(origin === fact.path ? {} : { from: origin }) });
        // Nobody was told that it had left.
        if (origin === fact.path) this.#settle.known(origin);
      } else if (this.#settle.isUntold(gone.path)) {
        // Nobody knows the old name, such as an editor's temporary file: it is simply here.
        this.#notice(gone, {});
        this.#notice(fact, { settled: true });
      } else {
        this.#notice(gone, { silently: true });
        this.#notice(fact, { settled: true, from: gone.path });
      }
    }
    this.#ownWrites.forget(left);
  }

  #receiveOwn(): void {
    for (let next = receiveMessageOnPort(this.#ownChanges); next; next = receiveMessageOnPort(this.#ownChanges))
      this.#takeOwn(next.message as OwnChanges);
  }

  /** `before`: what went along with that folder did not leave its place in it. */
  #ownWritesLeft(before?: FolderMove): OwnWrite[] {
    this.#receiveOwn();
    const stands = (path: string): boolean => this.#watch.lookup(path) !== null || this.#isThere(path);
    return this.#ownWrites.left(
      (path) => stands(path) || (before !== undefined && stands(movedPath(path, before.from, before.to) ?? path)),
    );
  }

  #takeOwn({ writes, moved, coming }: OwnChanges): void {
    const isWatched = ({ path }: OwnWrite): boolean => !withFoldersAbove(path).some((at) => this.#ignore(at, at !== path));
    const moves = [...this.#sender.folderMoves()];
    const placeOf = (path: string): string => (this.#isThere(parentPath(path)) ? path : afterMoves(path, moves));
    if (coming !== undefined && isWatched(coming)) this.#ownWrites.expect(coming, performance.now(), placeOf);
    const watched = writes.filter(isWatched);
    this.#ownWrites.add(watched, performance.now(), placeOf);
    for (const { path } of watched) this.#settle.known(path);
    for (const path of moved) this.#ownMoves.add(path);
  }

  /**
   * Where a program put another file in the place of ours, or one back that we took away, the table may see what it saw before: to whoever follows it is news.
   */
  #lookAtOwn(): void {
    this.#ownWrites.compare(({ path, kind, key }) => {
      const known = this.#watch.lookup(path);
      if (kind !== 'file' || known?.kind !== 'file' || sameKey(known.key, key)) return known !== null;
      return this.#tellAgain(path, key);
    });
    for (const path of this.#ownMoves) {
      const kind = this.#watch.lookup(path)?.kind;
      const isSaid = kind === 'file' ? this.#tellAgain(path) : kind !== 'directory' || this.#tellFolderAgain(path);
      if (isSaid) this.#ownMoves.delete(path);
    }
  }

  /** Unless it is `ours`. False: the table has to look there first. */
  #tellAgain(path: string, ours?: StatKey): boolean {
    if (!this.#watch.look(path)) return false;
    const now = this.#watch.lookup(path);
    if (now?.kind === 'file' && (ours === undefined || !sameKey(now.key, ours))) this.#factOfNow(path, 'file', now.key);
    return true;
  }

  /** With what is in it: to the table it may be what it was. False: it is gone, as we left it, and the table has to see that first. */
  #tellFolderAgain(path: string): boolean {
    if (!this.#isThere(path)) return false;
    this.#factOfNow(path, 'directory', noKey);
    const folders = [path];
    for (let folder = folders.pop(), count = 0; folder !== undefined; folder = folders.pop()) {
      for (const name of this.#watch.entriesOf(folder)?.keys() ?? []) {
        if (++count > maxKept) return true;
        const below = `${folder}/${name}`;
        const known = this.#watch.lookup(below);
        if (known?.kind === 'directory') folders.push(below);
        if (known !== null) this.#factOfNow(below, known.kind, known.key);
      }
    }
    return true;
  }

  /** Twice, it could not be said where it came from. */
  #factOfNow(path: string, kind: EntryKind, key: StatKey): void {
    const isTold = this.#facts.some((fact) => fact.path === path && (fact.what === 'added' || fact.what === 'changed'));
    if (!isTold) this.#facts.push({ path, kind, what: 'changed', key, settled: true });
  }

  #isThere(path: string): boolean {
    return this.#lstat(path) !== undefined;
  }

  /** Undefined also behind a name that can't be looked at: for us it is not there. */
  #lstat(path: string): Stats | undefined {
    try {
      return lstatSync(join(this.#root, path), { throwIfNoEntry: false });
    } catch {
      return undefined;
    }
  }

  #notice(fact: Fact, how: { settled?: boolean; from?: string; silently?: boolean; offline?: boolean }): void {
    const { path, kind, key } = fact;
    // Who waits to say "I was here before" says so before anything else happens here.
    const leaver = this.#leaving.get(path);
    if (leaver !== undefined) this.#tellDeparture(leaver);
    const stillFrom = how.from === undefined && fact.what !== 'removed' ? this.#settle.fromOf(path, key.ino) : undefined;
    const from = how.from ?? stillFrom;
    if (stillFrom === undefined) this.#tellDeparture(path);
    this.#young.forget(path);
    if (how.silently) {
      this.#settle.drop(path);
      return;
    }
    this.#settle.noticed(
      {
        path,
        kind,
        what: fact.what === 'removed' ? 'removed' : 'present',
        key,
        offline: how.offline ?? false,
        untold: fact.what === 'added' && !this.#ownWrites.has(path),
        settled: how.settled ?? fact.settled,
        ...(from === undefined ? {} : { from }),
        ...(fact.replaced === undefined ? {} : { replaced: fact.replaced }),
      },
      performance.now(),
    );
    if (how.from !== undefined) this.#leaving.set(how.from, path);
  }

  /** The rename that waits at `path` can't be told as one any more: that its old place is empty is told now. */
  #tellDeparture(path: string): void {
    const from = this.#settle.dropFrom(path);
    if (from === null) return;
    this.#leaving.delete(from);
    this.#enqueue({ path: from, kind: 'file', what: 'removed', ...noKey, hash: null, offline: false, isNew: false, isCreated: false });
  }

  #moveDirectory(fact: Fact, from: string): void {
    this.#snapshots.directoryMoved();
    for (const moves of this.#movedMeanwhile) moves.push({ from, to: fact.path });
    const after = (path: string): string => movedPath(path, from, fact.path) ?? path;
    const isTaken = (path: string): boolean => movedPath(path, fact.path, '') !== undefined;
    for (const [old, path] of [...this.#leaving]) {
      if (isTaken(old) || isTaken(path)) {
        this.#tellDeparture(path);
        continue;
      }
      this.#leaving.delete(old);
      this.#leaving.set(after(old), after(path));
    }
    // That it is at its new place is told by the rename itself; pending as untold, its removal would be kept back.
    this.#settle.drop(from);
    const { removedBefore, renamed } = this.#settle.moved(from, fact.path, performance.now());
    for (const pending of removedBefore) this.#enqueue(reportOf(pending, null));
    this.#young.folderMoved(from, fact.path);
    this.#barriers.folderRenamed(from, fact.path);
    for (const [old, path] of renamed) this.#barriers.renamed(old, path);
    this.#toldMoves.folderMoved(from, fact.path);
    this.#enqueue({
      path: fact.path,
      kind: 'directory',
      what: 'present',
      ...fact.key,
      hash: null,
      offline: false,
      isNew: true,
      isCreated: true,
      from,
    });
  }

  async #recheckInTurn(asked: string[]): Promise<void> {
    const moves = [...this.#sender.folderMoves()];
    this.#movedMeanwhile.add(moves);
    this.#rechecked = this.#rechecked.then(() => this.#recheck(asked, moves));
    await this.#rechecked;
    this.#movedMeanwhile.delete(moves);
  }

  /** `moves`: what was asked for by its name of before is looked at where it is told to be since. */
  async #recheck(asked: string[], moves: readonly FolderMove[]): Promise<void> {
    await this.#completed;
    await this.#hintsRead();
    const breathe = this.#breathing();
    // Something else may stand at the old place by now.
    const placeOf = (path: string): string => (this.#isThere(path) ? path : afterMoves(path, moves));
    for (const path of asked) {
      this.#watch.look(placeOf(path));
      await breathe();
    }
    await this.#watch.flush();
    this.#takeFacts();
    const gone: { old: string; path: string }[] = [];
    for (const old of asked) {
      await breathe();
      const path = placeOf(old);
      const known = this.#watch.lookup(path);
      // Should it vanish before it is told, that is what is told.
      if (this.#settle.has(path)) this.#settle.known(path);
      else if (known) this.#notice({ path, kind: known.kind, what: 'changed', key: known.key, settled: true }, {});
      else gone.push({ old, path });
      if (known) this.#asked.delete(old);
    }
    // What is in a folder goes before it.
    for (const { old, path } of gone.reverse()) {
      if (!this.#settle.has(path) && this.#watch.lookup(path) === null && !this.#ignore(path, false) && !this.#isThere(path))
        this.#noticeGone(path);
      this.#asked.delete(old);
    }
    this.#pump();
  }

  /** Whoever asks may know it at this place, as it had gone on from the next when it was told to be there. */
  #noticeGone(path: string): void {
    const now = this.#toldMoves.whereIs(path, (at, ino) => this.#watch.lookup(at)?.key.ino === ino);
    const key = now === undefined ? undefined : this.#watch.lookup(now)?.key;
    if (now === undefined || key === undefined) this.#notice({ path, kind: 'file', what: 'removed', key: noKey, settled: true }, {});
    else {
      const settled = !this.#settle.has(now) || this.#settle.isAtRest(now);
      this.#notice({ path: now, kind: 'file', what: 'added', key, settled }, { from: path });
    }
  }

  async #compare(snapshot: Snapshot): Promise<void> {
    const breathe = this.#breathing();
    for (const fact of offlineChanges(snapshot, this.#watch, this.#ignore)) {
      if (fact === undefined) await breathe();
      else if (!this.#settle.has(fact.path)) this.#notice(fact, { offline: true });
    }
  }

  /** Lets others have a turn when this one has had its time. */
  #breathing(): () => Promise<void> {
    const slice = new TimeSlice();
    return async () => {
      if (!slice.isOver) return;
      this.#pump();
      await slice.giveWay();
    };
  }

  // From what waits to reports

  #pump(): void {
    if (this.#stopped) return;
    const now = performance.now();
    const waiting = this.#settle.size > 0 || this.#young.size > 0;
    this.#settle.locked(waiting && this.#git.locked, now);
    let left: Set<string> | undefined;
    for (const pending of this.#settle.take(now)) {
      if (pending.kind === 'file' && pending.what === 'present') {
        this.#hashing.add(pending);
      } else if (
        pending.kind === 'directory' &&
        pending.what === 'removed' &&
        !pending.forced &&
        (left ??= this.#foldersBeingLeft()).has(pending.path)
      ) {
        // For those who follow, what is in a folder that is gone is gone with it: that it moved on is told before.
        this.#settle.again(pending, now);
      } else {
        this.#enqueue(reportOf(pending, null));
        this.#settle.told(pending);
      }
    }
    this.#young.readDue(now);
    if (!this.#settle.held) for (const paths of this.#barriers.impatient(now)) this.#settle.force(paths, now);
    this.#hashing.run();
    this.#passBarriers();
    this.#schedulePump();
    this.#postState();
  }

  /** From which files moved on that are about to be told; not such as were written since and are waited for. */
  #foldersBeingLeft(): Set<string> {
    const folders = new Set<string>();
    for (const [from, path] of this.#leaving) {
      if (!this.#settle.isAtRest(path)) continue;
      for (let folder = parentPath(from); folder !== '' && !folders.has(folder); folder = parentPath(folder)) folders.add(folder);
    }
    return folders;
  }

  #schedulePump(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    const now = performance.now();
    let next = this.#settle.nextDueAt() ?? Number.POSITIVE_INFINITY;
    if (this.#settle.held || this.#settle.overheld) next = Math.min(next, now + lockPollMs);
    next = Math.min(next, this.#young.nextDueAt, this.#barriers.nextAt);
    if (next !== Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#pump(), Math.max(next - now, 1));
  }

  /** What a drain that is under way has found waits for its end: where it went or came from may be found yet. */
  #look(path: string): boolean {
    const [found, readFrom, openFrom] = [this.#facts, this.#readFrom, this.#openFrom];
    if (found.length > maxHeld) {
      const looked = this.#watch.look(path);
      this.#takeFacts();
      return looked;
    }
    // That has it, and the end of the drain tells it.
    if (found.some((fact) => fact.path === path)) return false;
    this.#facts = [];
    const looked = this.#watch.look(path);
    this.#takeFacts();
    this.#facts = [...found, ...this.#facts];
    this.#readFrom = readFrom;
    this.#openFrom = openFrom;
    return looked;
  }

  /** False: it is not what it was when it was noticed, and waits again. */
  #lookAgain(pending: Pending): boolean {
    const looked = this.#look(pending.path);
    if (!this.#settle.isCurrent(pending)) return false;
    if (looked) return true;
    this.#settle.again(pending, performance.now());
    return false;
  }

  #hashed(pending: Pending, result: HashResult, startedAt: number): void {
    if (!this.#settle.isCurrent(pending) || this.#stopped) return;
    if (result.outcome === 'changed') {
      if (this.#lookAgain(pending)) this.#settle.again(pending, performance.now());
      return;
    }
    const { hash, key } = result;
    this.#settle.told(pending);
    if (pending.from !== undefined) {
      this.#leaving.delete(pending.from);
      this.#toldMoves.add(pending.from, pending.path, key.ino, performance.now());
    }
    this.#enqueue({ ...reportOf({ ...pending, key }, hash), ...this.#folderOf(pending) });
    this.#young.told(pending.path, { key, hash }, startedAt);
  }

  /** Where it came by a rename. */
  #folderOf({ path, from }: Pending): Pick<WatchReport, 'folderIno'> {
    const folder = from === undefined ? null : this.#watch.lookup(parentPath(path));
    return folder === null ? {} : { folderIno: folder.key.ino };
  }

  // Out

  #enqueue(report: WatchReport): void {
    for (const path of [report.path, report.from]) if (path !== undefined) this.#snapshots.untold(path);
    this.#barriers.told(report.path);
    this.#sender.add(report);
  }

  /** Of all that waits, or of these files and the folders that they are in. */
  #raiseBarrier(id: number, wanted?: readonly string[]): void {
    this.#takeFacts(true);
    const young = new Set(this.#young.afterReading());
    const waits = (path: string): boolean => this.#settle.has(path) || young.has(path);
    const moves = [...this.#sender.folderMoves()];
    // Of what left its place it is told with where it is now.
    const placesOf = (path: string): string[] =>
      [path, afterMoves(path, moves)].flatMap((at) => [at, this.#leaving.get(at) ?? at]).flatMap(withFoldersAbove);
    const paths = new Set(wanted === undefined ? [...this.#settle.paths(), ...young] : wanted.flatMap(placesOf).filter(waits));
    this.#barriers.raise(id, paths, performance.now());
    this.#pump();
  }

  #passBarriers(): void {
    const waits = (path: string): boolean => this.#settle.has(path) || this.#young.has(path);
    for (const id of this.#barriers.passed(waits)) this.#sender.addBarrier(id);
  }

  #post(message: FromWorker): void {
    this.#port.postMessage(message);
  }

  /** Tells the main thread when something a person would want to know has changed; counts travel with the reports. */
  #postState(): void {
    const state = this.#state();
    const flags = [
      state.engine,
      state.held,
      state.heldTooLong,
      state.rootGone,
      state.degraded?.reason,
      state.overflows,
      state.rescans >> 6,
    ].join();
    if (flags === this.#lastFlags) return;
    this.#lastFlags = flags;
    this.#post({ type: 'state', state });
  }

  #state(): WorkerState {
    const { directories, files, rescans, overflows, stalls, invalidNames, errors } = this.#watch.stats;
    return {
      engine: this.#engine.name,
      directories,
      files,
      rescans,
      overflows: overflows + stalls,
      invalidNames,
      errors,
      held: this.#settle.held,
      heldTooLong: this.#settle.overheld,
      rootGone: this.#watch.rootGone,
      degraded: this.#engine.degraded,
    };
  }

  *#untold(): Generator<string> {
    yield* this.#settle.paths();
    yield* this.#young.paths();
    yield* this.#leaving.keys();
    yield* this.#sender.paths();
    yield* this.#asked;
    yield* this.#ownMoves;
    for (const fact of this.#facts) yield fact.path;
  }

  /** Everything the kernel had queued when the caller spoke has been read: a whole poll of the loop lies between. */
  async #hintsRead(): Promise<void> {
    await nextTurn();
    await nextTurn();
  }
}

function withFoldersAbove(path: string): string[] {
  const paths: string[] = [];
  for (let at = path; at !== ''; at = parentPath(at)) paths.push(at);
  return paths;
}

function afterMoves(path: string, moves: readonly FolderMove[]): string {
  return moves.reduce((at, { from, to }) => movedPath(at, from, to) ?? at, path);
}

function reportOf(pending: Pending, hash: string | null): WatchReport {
  const { path, kind, what, key, offline, untold, isCreated, from, replaced } = pending;
  const more = { ...(from === undefined ? {} : { from }), ...(replaced === undefined ? {} : { replaced }) };
  const isThere = what === 'present';
  return { path, kind, what, ...key, hash, offline, isNew: isThere && untold, isCreated: isThere && isCreated, ...more };
}

if (parentPort) {
  const port = parentPort;
  // The worker lives exactly as long as its port is open.
  try {
    const worker = new WatchWorker(port, workerData as WorkerData);
    port.on('message', (message: ToWorker) => void worker.receive(message));
    await worker.start();
    giveBackWhenIdle();
  } catch (error) {
    port.postMessage({ type: 'failed', message: (error as Error).message } satisfies FromWorker);
    port.close();
  }
}
