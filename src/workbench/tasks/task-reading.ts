import { type Signal, signal } from '@preact/signals';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { errorFacts, type ErrorFacts, isAway, type WorkbenchClient } from '../client-port.ts';
import { LogLines } from '../processes/log-lines.ts';

const LOG_LIMITS = { lines: 5000, characters: 2 * 1024 * 1024 };
/** It is read again at most so often, however much happens to it. */
const PAUSE_MS = 250;

export interface TaskReadingDependencies {
  client: WorkbenchClient;
  /** Resolves when the page was drawn; for as long as it is hidden, not at all. */
  drawn: () => Promise<void>;
}

/** One task with its assignment and its log. What was read of it stays when it is over: the sidecar keeps neither. */
export class TaskReading {
  readonly id: string;
  readonly read: Signal<Output<Operations['tasks.get']> | undefined> = signal(undefined);
  /** Why it could not be read. */
  readonly problem: Signal<ErrorFacts | undefined> = signal(undefined);
  readonly isFollowing = signal(false);
  readonly logVersion = signal(0);
  lines = new LogLines(LOG_LIMITS);
  readonly #dependencies: TaskReadingDependencies;
  #stop = new AbortController();
  #isReading = false;
  #again = false;
  #isDrawing = false;

  constructor(dependencies: TaskReadingDependencies, id: string) {
    this.#dependencies = dependencies;
    this.id = id;
  }

  /** It is held, or something of it has changed. Reads it, and follows its log where that is not done; resolves at once. */
  changed(): void {
    if (!this.isFollowing.value) void this.#follow();
    if (this.#isReading) {
      this.#again = true;
      return;
    }
    this.#isReading = true;
    void this.#read().finally(() =>
      setTimeout(() => {
        this.#isReading = false;
        if (this.#again && !this.#stop.signal.aborted) this.changed();
        this.#again = false;
      }, PAUSE_MS),
    );
  }

  stop(): void {
    this.#stop.abort();
  }

  async #read(): Promise<void> {
    try {
      this.read.value = await this.#dependencies.client.call('tasks.get', { id: this.id });
      this.problem.value = undefined;
    } catch (error) {
      const facts = errorFacts(error);
      // That it is over is told by the list.
      if (!isAway(error) && facts.reason !== 'NOT_FOUND') this.problem.value = facts;
    }
  }

  async #follow(): Promise<void> {
    const { client } = this.#dependencies;
    const { signal: stopped } = this.#stop;
    this.isFollowing.value = true;
    // Each time it is told from the first byte that is kept. What is shown stays until the first of that has come.
    let isNew = true;
    const onResume = (): { id: string } => {
      isNew = true;
      return { id: this.id };
    };
    try {
      for await (const { stream, text, lost } of client.stream('tasks.follow', { id: this.id }, { signal: stopped, onResume })) {
        if (stopped.aborted) return;
        if (isNew) this.lines = new LogLines(LOG_LIMITS);
        isNew = false;
        this.lines.add(stream, text, lost);
        this.#drawSoon();
      }
    } catch {
      // It is over, which the list tells.
    } finally {
      this.isFollowing.value = false;
    }
  }

  #drawSoon(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    void this.#dependencies.drawn().then(() => {
      this.#isDrawing = false;
      this.logVersion.value += 1;
    });
  }
}
