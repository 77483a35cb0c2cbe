import { isDeepStrictEqual } from 'node:util';
import type { State } from '../state/state.ts';
import type { ResultsFolder } from './results-folder.ts';
import type { TaskQueue } from './task-queue.ts';
import { resultStep, taskFileName, taskFiles } from './task-run.ts';

/** Of so many tasks that are over, results that come late are looked for. */
const LATE_TASKS = 100;

interface LeftoverDependencies {
  state: Pick<State, 'folder' | 'removeFile'>;
  queue: TaskQueue;
  results: ResultsFolder;
  held: { has(id: string): boolean; keys(): Iterable<string> };
  now: () => number;
  log: (level: 'info' | 'warn' | 'error', event: string, facts: Record<string, unknown>) => void;
}

/** What agents still write for tasks that are over: put aside, where a person finds it. */
export class Leftovers {
  readonly #dependencies: LeftoverDependencies;
  /** Id → generation, the newest last. */
  readonly #past = new Map<string, number>();

  constructor(dependencies: LeftoverDependencies) {
    this.#dependencies = dependencies;
    for (const { id, generation } of dependencies.queue.history(LATE_TASKS).reverse()) this.#past.set(id, generation);
  }

  /** It is over. */
  add(id: string, generation: number): void {
    this.#past.set(id, generation);
    while (this.#past.size > LATE_TASKS) this.#past.delete(this.#past.keys().next().value as string);
  }

  /** It is held again. */
  delete(id: string): void {
    this.#past.delete(id);
  }

  /** A predecessor may have been killed before it took away what the outbox had, and the files of tasks that were over. */
  tidy(): void {
    const { state, queue, results, held } = this.#dependencies;
    const files = new Set([...held.keys()].map(taskFileName));
    for (const name of taskFiles(state.folder)) if (!files.has(name)) state.removeFile(name);
    for (const id of this.#past.keys()) {
      const found = results.read(id);
      const outcome = queue.outboxOf(id)?.outcome;
      if (held.has(id) || !('value' in found) || outcome === undefined) continue;
      const step = resultStep(found.value);
      const isSame =
        step.type === 'failed'
          ? outcome.kind === 'failed' && outcome.reason === step.reason
          : step.type === 'result' && outcome.kind === 'complete' && isDeepStrictEqual(outcome.result, step.result);
      if (isSame) results.remove(id);
    }
    this.archive();
  }

  /** Puts aside what is there now. Never throws. */
  archive(): void {
    const { results, held, now, log } = this.#dependencies;
    for (const [id, generation] of this.#past) {
      if (held.has(id)) continue;
      try {
        if (results.archive(id, generation, now())) log('warn', 'task.late-result', { task_id: id, generation });
      } catch (error) {
        log('warn', 'task.files-not-removed', { task_id: id, error });
      }
    }
  }
}
