import type { TaskProgress } from '../../contract/tasks.ts';
import type { PeerTimers } from '../../core/peer.ts';
import { isOurs, type TaskFrame } from './task-frames.ts';
import type { HubSession } from './outbox-sender.ts';
import type { TaskRun } from './task-run.ts';

/** Of each task, progress is told at most so often; logs go with it. */
const BEAT_MS = 250;
/** A socket that is full is asked again after so long. */
const FULL_RETRY_MS = 50;
/** Short frames that wait for a full socket. More are lost, as with the connection: what counts is in the outbox. */
const MOST_WAITING = 1000;
/**
 * For each restart, so much is added to offsets in a log: it begins anew, and a hub takes what stands within what it has for told again. How
 * much that is nobody remembers; more than a program writes from one to the next. A million of them are still safe integers.
 */
const RESTART_BYTES = 2 ** 33;

export interface Progress {
  progress?: number | undefined;
  event?: Record<string, unknown> | undefined;
}

/** What the hub is told of tasks while they run: the newest progress of each, and what their programs write. Results are never here. */
export class TaskNews {
  readonly #timers: PeerTimers;
  readonly #runs: () => readonly TaskRun[];
  readonly #progress = new Map<string, Progress>();
  /** What was said last of each, also when the hub has heard it; for people. */
  readonly #latest = new Map<string, TaskProgress>();
  #waiting: TaskFrame[] = [];
  #session: HubSession | undefined;
  /** Nothing of more weight is on its way. */
  #mayTell: () => boolean = () => true;
  #beat: unknown;
  #retry: unknown;

  constructor(timers: PeerTimers, runs: () => readonly TaskRun[]) {
    this.#timers = timers;
    this.#runs = runs;
  }

  connected(session: HubSession, mayTell: () => boolean): void {
    this.#session = session;
    this.#mayTell = mayTell;
    for (const { log } of this.#runs()) log.rewind();
    this.soon();
  }

  disconnected(): void {
    this.#session = undefined;
    this.#waiting = [];
    this.#timers.clear(this.#beat);
    this.#timers.clear(this.#retry);
    this.#beat = undefined;
    this.#retry = undefined;
  }

  /** Only the newest counts. `at`: milliseconds since 1970. */
  progress(id: string, progress: Progress, at: number): void {
    this.#progress.set(id, progress);
    const text = progress.event?.['text'];
    this.#latest.set(id, {
      ...(progress.progress === undefined ? {} : { percent: progress.progress }),
      ...(typeof text === 'string' ? { text } : {}),
      at,
    });
    this.soon();
  }

  latest(id: string): TaskProgress | undefined {
    return this.#latest.get(id);
  }

  /** There is more to tell. */
  soon(): void {
    if (this.#session === undefined) return;
    this.#beat ??= this.#timers.set(() => {
      this.#beat = undefined;
      this.#tell();
    }, BEAT_MS);
  }

  /** In order, also when the socket is full. */
  send(session: HubSession, frame: TaskFrame): void {
    if (session !== this.#session && this.#session !== undefined) return;
    if (this.#waiting.length === 0 && session.send(frame)) return;
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(frame);
    this.#retryLater();
  }

  /** The end of a log goes before the result, and how far it was does not matter any more. */
  over({ id, record, log }: TaskRun): void {
    this.#progress.delete(id);
    this.#latest.delete(id);
    if (this.#session?.features.has('logs') === true) this.#sendLog(this.#session, record, log, true);
  }

  #retryLater(): void {
    this.#retry ??= this.#timers.set(() => {
      this.#retry = undefined;
      const session = this.#session;
      while (session !== undefined && this.#waiting[0] !== undefined) {
        if (!session.send(this.#waiting[0])) return this.#retryLater();
        this.#waiting.shift();
      }
    }, FULL_RETRY_MS);
  }

  #tell(): void {
    const session = this.#session;
    if (session === undefined) return;
    if (!this.#mayTell() || this.#waiting.length > 0) return this.soon();
    for (const { id, record, log } of this.#runs()) {
      if (session.features.has('logs') && !this.#sendLog(session, record, log, false)) return this.soon();
      const progress = this.#progress.get(id);
      if (progress === undefined) continue;
      const frame = {
        type: 'task_progress',
        task_id: id,
        ...(progress.progress === undefined
          ? {}
          : { progress: isOurs(session.features) ? progress.progress : Math.round(progress.progress) }),
        ...(progress.event === undefined ? {} : { execution_event: progress.event }),
        ...(isOurs(session.features) ? { generation: record.generation } : {}),
      };
      if (!session.send(frame)) return this.soon();
      this.#progress.delete(id);
    }
  }

  /** False where the socket is full. */
  #sendLog(session: HubSession, { id, generation, restarts = 0 }: TaskRun['record'], log: TaskRun['log'], last: boolean): boolean {
    for (let chunk = log.next(last); chunk !== undefined; chunk = log.next(last)) {
      const { stream, text, bytes } = chunk;
      const offset = restarts * RESTART_BYTES + chunk.offset;
      if (!session.send({ type: 'task_log', task_id: id, generation, stream, offset, text, bytes })) return false;
      log.sent(chunk);
    }
    return true;
  }
}
