import type { State } from '../state/state.ts';

/** What is remembered of a session beside its folder. */
export interface SessionRecord {
  id: string;
  entity: string | null;
  createdAt: number;
  usedAt: number;
  files: { id: string; name: string; size: number; modified: number; mark: string; sha256: string }[];
  state: { bytes: number; sha256: string; savedAt: number; language: string } | null;
  /** Names of ours in its folder for the time of a run: sources, and what is made of them. */
  lent?: string[];
}

/** Sessions in the state database. What can't be stored is forgotten with this sidecar, and nothing else. */
export class SessionStore {
  readonly #state: State;
  readonly #onProblem: (error: unknown) => void;

  constructor(dependencies: { state: State; onProblem: (error: unknown) => void }) {
    this.#state = dependencies.state;
    this.#onProblem = dependencies.onProblem;
  }

  all(): SessionRecord[] {
    const rows = this.#state.statement('SELECT record FROM code_sessions').all() as { record: string }[];
    return rows.map(({ record }) => JSON.parse(record) as SessionRecord);
  }

  put(session: SessionRecord): void {
    this.#try(() =>
      this.#state
        .statement('INSERT INTO code_sessions(id, record) VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET record = excluded.record')
        .run(session.id, JSON.stringify(session)),
    );
  }

  remove(id: string): void {
    this.#try(() => this.#state.statement('DELETE FROM code_sessions WHERE id = ?').run(id));
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onProblem(error);
    }
  }
}
