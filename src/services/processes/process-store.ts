import type { State } from '../state/state.ts';
import type { ManagedFacts } from './managed-process.ts';
import type { ProcessSpec } from './process-spec.ts';

/** A process as it is remembered for the next sidecar. */
export interface ProcessRecord {
  id: string;
  spec: ProcessSpec;
  facts: ManagedFacts & {
    /** Whether it is to run, as far as whoever started it is concerned. */
    wanted: boolean;
    /** Of the program with this pid, so that another one with the same number is told from it. */
    startTime?: string;
  };
}

/** Processes in the state database, oldest first. What can't be stored is forgotten with this sidecar, and nothing else. */
export class ProcessStore {
  readonly #state: State;
  readonly #onProblem: (error: unknown) => void;

  constructor(dependencies: { state: State; onProblem: (error: unknown) => void }) {
    this.#state = dependencies.state;
    this.#onProblem = dependencies.onProblem;
  }

  all(): ProcessRecord[] {
    const rows = this.#state.statement('SELECT record FROM processes').all() as { record: string }[];
    return rows.map(({ record }) => JSON.parse(record) as ProcessRecord).sort((a, b) => a.facts.startedAt - b.facts.startedAt);
  }

  put(record: ProcessRecord): void {
    this.#try(() =>
      this.#state
        .statement('INSERT INTO processes(id, record) VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET record = excluded.record')
        .run(record.id, JSON.stringify(record)),
    );
  }

  remove(id: string): void {
    this.#try(() => this.#state.statement('DELETE FROM processes WHERE id = ?').run(id));
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onProblem(error);
    }
  }
}
