import type { PeerTimers } from '../../core/peer.ts';
import { type HubFeatures, isOurs, outcomeFrame, type TaskFrame } from './task-frames.ts';
import type { OutboxRow, TaskQueue } from './task-queue.ts';
import type { ResultsFolder } from './results-folder.ts';

/** Sent and not acknowledged, at a hub whose answers name the task; AgentCom's name none, so there it is one. */
const WINDOW = 256;
/** Read at once. */
const READ_AT_ONCE = 16;
/** Of results of megabytes, so much is read and told in one turn of the event loop, characters of JSON; one of them goes whole. */
const TOLD_AT_ONCE = 4 * 1024 * 1024;
/** A socket that is full is asked again after so long. */
const FULL_RETRY_MS = 50;
/** A disk that did not take something is asked again after so long. */
const STORE_RETRY_MS = 1000;
/** What was not answered in this time is sent again; the hub tells by the fence that it is the same. */
const UNANSWERED_MS = 30_000;

/** Without its outcome, which may be megabytes. */
type Told = Omit<OutboxRow, 'outcome' | 'length'>;

export interface HubSession {
  features: HubFeatures;
  /** False: not sent now. */
  send(frame: TaskFrame): boolean;
}

interface SenderDependencies {
  queue: TaskQueue;
  results: ResultsFolder;
  timers: PeerTimers;
  now: () => number;
  log: (level: 'info' | 'warn' | 'error', event: string, facts: Record<string, unknown>) => void;
  /** The disk has it that the hub has it. */
  emptied: () => void;
}

/** Tells the hub what came of tasks, oldest first, again and again until it said that it knows. */
export class OutboxSender {
  readonly #dependencies: SenderDependencies;
  /** Sent in this session, by sequence. */
  readonly #flying = new Map<number, Told>();
  /** Acknowledged, and not yet off the disk. */
  readonly #known = new Set<number>();
  /** Told in part in this session, and the disk did not take the whole. */
  readonly #unkept = new Set<number>();
  #session: HubSession | undefined;
  /** The session to which more is told in the next turn of the event loop. */
  #paused: HubSession | undefined;
  /** The last that was sent in this session. */
  #cursor = 0;
  #retry: unknown;
  /** The hub has them, and the disk did not take that. */
  readonly #unstored: Told[] = [];
  #storing: unknown;
  #unanswered: unknown;
  /** Whose answer that timer waits for. */
  #watched: number | undefined;

  constructor(dependencies: SenderDependencies) {
    this.#dependencies = dependencies;
  }

  connected(session: HubSession): void {
    this.disconnected();
    this.#session = session;
    this.more();
  }

  disconnected(): void {
    const { timers } = this.#dependencies;
    timers.clear(this.#retry);
    timers.clear(this.#unanswered);
    timers.clear(this.#storing);
    this.#storing = undefined;
    for (const { sequence } of this.#unstored.splice(0)) this.#known.delete(sequence);
    this.#session = undefined;
    this.#paused = undefined;
    this.#flying.clear();
    this.#unkept.clear();
    this.#watched = undefined;
    this.#cursor = 0;
  }

  /** Everything that can be sent now is on its way: lesser things may be sent. */
  get isQuiet(): boolean {
    return this.#flying.size === 0 && this.#dependencies.queue.waiting === this.#known.size;
  }

  /** Sends what may be sent. */
  more(): void {
    const session = this.#session;
    if (session === undefined || this.#paused === session) return;
    const window = isOurs(session.features) ? WINDOW : 1;
    let left = TOLD_AT_ONCE;
    while (this.#flying.size < window) {
      const rows = this.#dependencies.queue.outboxAfter(this.#cursor, Math.min(READ_AT_ONCE, window - this.#flying.size), left);
      if (rows.length === 0) break;
      for (const row of rows) {
        if (!this.#send(session, row)) return;
        left -= row.length;
      }
      if (left <= 0) {
        this.#goOnLater(session);
        break;
      }
    }
    this.#watchAnswers();
  }

  #goOnLater(session: HubSession): void {
    this.#paused = session;
    this.#dependencies.timers.soon(() => {
      if (this.#paused !== session) return;
      this.#paused = undefined;
      this.more();
    });
  }

  /** The hub has it. False where nothing of this task waits. */
  acked(id: string, generation: number | undefined): boolean {
    return this.#settle(id, generation, ({ sequence }) => {
      if (this.#unkept.has(sequence)) throw new Error('The hub has a part of it, and the whole is kept nowhere else yet.');
    });
  }

  /** The hub does not want it, now or ever: it stays for an operator. Without an id, the one that is on its way is meant. */
  refused(id: string | undefined, generation: number | undefined, error: string): boolean {
    const meant = id ?? this.#flying.values().next().value?.id;
    if (meant === undefined) return false;
    const { queue, results, log, now } = this.#dependencies;
    return this.#settle(meant, generation, (row) => {
      log('warn', 'task.result-refused', { task_id: row.id, generation: row.generation, error });
      const [posted] = queue.outboxAfter(row.sequence - 1, 1);
      if (posted?.sequence === row.sequence) results.archiveOutcome(row.id, row.generation, now(), posted.outcome);
    });
  }

  /** The hub may not have heard what was sent last. */
  sendAgainAfter(ms: number): void {
    this.#watchAnswers(Math.min(ms, UNANSWERED_MS));
  }

  #send(session: HubSession, row: OutboxRow): boolean {
    const { queue, timers, results } = this.#dependencies;
    if (this.#known.has(row.sequence)) {
      this.#cursor = row.sequence;
      return true;
    }
    this.#unkept.delete(row.sequence);
    const frame = outcomeFrame(row, session.features, (ending, text) => {
      try {
        results.keepWhole(row.id, ending, text, () => queue.outboxIds(Number.MAX_SAFE_INTEGER).map(({ id }) => id));
      } catch (error) {
        this.#unkept.add(row.sequence);
        this.#dependencies.log('warn', 'task.not-kept-whole', { task_id: row.id, error });
      }
    });
    // Before it is sent: the answer may come within the call.
    this.#flying.set(row.sequence, { sequence: row.sequence, id: row.id, generation: row.generation });
    if (!session.send(frame)) {
      this.#flying.delete(row.sequence);
      timers.clear(this.#retry);
      this.#retry = timers.set(() => this.more(), FULL_RETRY_MS);
      return false;
    }
    this.#cursor = Math.max(this.#cursor, row.sequence);
    return this.#session === session;
  }

  #settle(id: string, generation: number | undefined, before: (row: Told) => void): boolean {
    const isIt = (row: Told): boolean => row.id === id && (generation === undefined || row.generation === generation);
    const row = [...this.#flying.values()].find(isIt);
    if (row === undefined || this.#known.has(row.sequence)) return false;
    const { log } = this.#dependencies;
    try {
      before(row);
    } catch (error) {
      // It stays in the outbox, and is told again after a while.
      log('warn', 'task.not-archived', { task_id: id, error });
      return true;
    }
    this.#flying.delete(row.sequence);
    this.#known.add(row.sequence);
    // The next need not wait for the disk: what is sent twice counts once.
    this.#forget(row, true);
    this.more();
    return true;
  }

  /** What could not be stored is tried again for as long as the hub is there; after that, it is told again. */
  #forget(row: Told, isFirst: boolean): void {
    const { queue, log, emptied, timers } = this.#dependencies;
    const session = this.#session;
    const leave = (): void => {
      this.#known.delete(row.sequence);
      emptied();
    };
    queue
      .write(() => queue.unpost(row.sequence))
      .then(leave, (error: unknown) => {
        if (isFirst) log('warn', 'task.not-stored', { task_id: row.id, error });
        if (this.#session !== session) return leave();
        this.#unstored.push(row);
        this.#storing ??= timers.set(() => {
          this.#storing = undefined;
          for (const one of this.#unstored.splice(0)) this.#forget(one, false);
        }, STORE_RETRY_MS);
      });
  }

  /** The time is that of the one that was sent first: answers for others are none for it. */
  #watchAnswers(ms?: number): void {
    const { timers, log } = this.#dependencies;
    const [oldest] = this.#flying.keys();
    if (ms === undefined && oldest === this.#watched) return;
    timers.clear(this.#unanswered);
    this.#watched = oldest;
    if (oldest === undefined) return;
    this.#unanswered = timers.set(() => {
      log('warn', 'task.result-unanswered', { results: this.#flying.size });
      this.#flying.clear();
      this.#watched = undefined;
      this.#cursor = 0;
      this.more();
    }, ms ?? UNANSWERED_MS);
  }
}
