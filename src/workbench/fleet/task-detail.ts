import { batch, type Signal, signal } from '@preact/signals';
import type { HubAuditEntry, HubTaskDetail } from '../../contract/hub-operations.ts';
import { errorFacts, type ErrorFacts, isAway } from '../client-port.ts';
import { LogLines } from '../processes/log-lines.ts';
import type { HubClient } from './hub-client.ts';

const MAX_ENTRIES = 10_000;
/** News of a task that does much come at least so far apart, ms. */
const PAUSE_MS = 250;
const LOG_LIMITS = { lines: 5000, characters: 2 * 1024 * 1024 };

/** One task with its history and its log, read anew when something happens to it. */
export class TaskDetail {
  readonly id: string;
  readonly task: Signal<HubTaskDetail | undefined> = signal(undefined);
  readonly entries: Signal<readonly HubAuditEntry[]> = signal([]);
  readonly problem: Signal<ErrorFacts | undefined> = signal(undefined);
  /** Raised when lines came, once a frame at most. */
  readonly logVersion = signal(0);
  /** Chunks of the log that came. */
  readonly logRead = signal(0);
  lines = new LogLines(LOG_LIMITS);
  readonly #client: HubClient;
  #stop = new AbortController();
  #generation = 0;
  #reading = false;
  #again = false;
  #drawing = false;

  constructor(client: HubClient, id: string) {
    this.#client = client;
    this.id = id;
  }

  /** Reads all of it; called anew after the link was lost, it begins again. */
  start(): void {
    this.#stop.abort();
    this.#stop = new AbortController();
    this.lines = new LogLines(LOG_LIMITS);
    this.#generation = 0;
    this.logRead.value = 0;
    this.logVersion.value += 1;
    this.changed();
    void this.#followLog(this.#stop.signal);
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Something happened to it. */
  changed(): void {
    if (this.#reading) {
      this.#again = true;
      return;
    }
    this.#reading = true;
    void this.#read(this.#stop.signal).finally(() => {
      setTimeout(() => {
        this.#reading = false;
        if (!this.#again) return;
        this.#again = false;
        if (!this.#stop.signal.aborted) this.changed();
      }, PAUSE_MS);
    });
  }

  async #read(stopped: AbortSignal): Promise<void> {
    try {
      const [task, { entries }] = await Promise.all([
        this.#client.call('tasks.get', { id: this.id }),
        this.#client.call('tasks.audit', { task: this.id, limit: MAX_ENTRIES }),
      ]);
      batch(() => {
        this.task.value = task;
        this.entries.value = entries;
        this.problem.value = undefined;
      });
    } catch (error) {
      if (!stopped.aborted && !isAway(error)) this.problem.value = errorFacts(error);
    }
  }

  async #followLog(stopped: AbortSignal): Promise<void> {
    try {
      for await (const { stream, text, generation } of this.#client.stream(
        'tasks.log',
        { id: this.id, follow: true },
        { signal: stopped },
      )) {
        if (stopped.aborted) return;
        // Of each attempt the output begins anew.
        if (this.#generation !== 0 && generation !== this.#generation) this.lines.add('stdout', `\n— fence ${generation} —\n`);
        this.#generation = generation;
        this.lines.add(stream, text);
        this.logRead.value += 1;
        this.#drawSoon();
      }
    } catch {
      // What went wrong is said of the task itself; a lost link is told by itself.
    }
  }

  #drawSoon(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.logVersion.value += 1;
    });
  }
}
