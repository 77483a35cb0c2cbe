import { createHash, randomBytes } from 'node:crypto';
import type { State } from '../state/state.ts';
import type { ManagedFacts } from './managed-process.ts';
import type { ProcessSpec } from './process-spec.ts';

/** Name of the fact that tells this state from others. */
const SALT = 'processes.salt';

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
    return rows.flatMap(({ record }) => this.#read(record) ?? []).sort((a, b) => a.facts.startedAt - b.facts.startedAt);
  }

  /** What the ids of all processes of this state begin with, and of no other: programs are found by it. */
  prefix(): string {
    let salt = this.#state.get(SALT);
    if (salt === undefined) {
      const made = randomBytes(16).toString('hex');
      this.#try(() => this.#state.set(SALT, made));
      salt = made;
    }
    // A copy of the state in another folder is another one.
    return `p-${createHash('sha256').update(`${salt} ${this.#state.folder}`).digest('hex').slice(0, 8)}`;
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

  #read(record: string): ProcessRecord | undefined {
    try {
      const { id, spec, facts } = JSON.parse(record) as ProcessRecord;
      return typeof id === 'string' && Array.isArray(spec.argv) && typeof facts.state === 'string' ? { id, spec, facts } : undefined;
    } catch (error) {
      this.#onProblem(error);
      return undefined;
    }
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onProblem(error);
    }
  }
}
