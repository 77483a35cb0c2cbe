import type { State } from '../state/state.ts';

/** What is remembered of a session beside its folder. */
export interface SessionRecord {
  id: string;
  entity: string | null;
  createdAt: number;
  usedAt: number;
  /** `original`: what it was called where it comes from, where that is not its name. */
  files: {
    id: string;
    name: string;
    original?: string;
    size: number;
    diskBytes?: number;
    modified: number;
    mark: string;
    sha256: string;
  }[];
  /** That its folder takes on the disk, as the last run and what came and went after it left it. */
  diskBytes?: number;
  /** What is in its folder and is no file of it, as the last run left it: of those that were looked at name and mark, of the others how many. */
  passedOver?: { files: [name: string, mark: string][]; others: number };
  /** `inFile: false`: its bytes are few, and lie in the database. */
  state: { bytes: number; sha256: string; savedAt: number; language: string; inFile?: boolean } | null;
  /** Names of ours in its folder for the time of a run: sources, and what is made of them. */
  lent?: string[];
}

/**
 * Sessions in the state database. What can't be stored is forgotten with this sidecar, and nothing else. Small states have rows of their own,
 * with the facts of them: one statement puts both, and what is said of them in the record of their session does not count.
 */
export class SessionStore {
  readonly #state: State;
  readonly #onProblem: (error: unknown) => void;

  constructor(dependencies: { state: State; onProblem: (error: unknown) => void }) {
    this.#state = dependencies.state;
    this.#onProblem = dependencies.onProblem;
    this.#try(() =>
      this.#state.database.exec(`
        CREATE TABLE IF NOT EXISTS code_states(id TEXT PRIMARY KEY, facts TEXT NOT NULL, content BLOB NOT NULL) STRICT, WITHOUT ROWID;
        DELETE FROM code_states WHERE id NOT IN (SELECT id FROM code_sessions);
      `),
    );
  }

  /** Those whose records can be read. Throws what SQLite throws. */
  all(): SessionRecord[] {
    const sql = 'SELECT record, facts FROM code_sessions LEFT JOIN code_states USING (id)';
    const rows = this.#state.statement(sql).all() as { record: string; facts: string | null }[];
    const sessions: SessionRecord[] = [];
    for (const { record, facts } of rows)
      this.#try(() => {
        const session = JSON.parse(record) as SessionRecord;
        if (facts !== null) session.state = JSON.parse(facts) as SessionRecord['state'];
        else if (session.state?.inFile === false) session.state = null;
        sessions.push(session);
      });
    return sessions;
  }

  put(session: SessionRecord): void {
    this.#try(() => this.#putRecord(session));
  }

  remove(id: string): void {
    this.#try(() => this.#state.statement('DELETE FROM code_sessions WHERE id = ?').run(id));
    this.#try(() => this.#removeState(id));
  }

  /** The bytes of the state of a session, with what it says of them. Throws what SQLite throws. */
  putState({ id, state }: SessionRecord, content: Uint8Array): void {
    const facts = JSON.stringify(state);
    // Nearly always there is one, and nobody else writes: that takes two thirds of the time of one statement for both.
    const { changes } = this.#state.statement('UPDATE code_states SET facts = ?, content = ? WHERE id = ?').run(facts, content, id);
    if (changes === 0) this.#state.statement('INSERT INTO code_states(id, facts, content) VALUES(?, ?, ?)').run(id, facts, content);
  }

  /** The session has none any more, or one in a file. Throws what SQLite throws. */
  dropState(session: SessionRecord): void {
    this.#state.transaction(() => {
      this.#removeState(session.id);
      this.#putRecord(session);
    });
  }

  /** Undefined where there are none. Throws what SQLite throws. */
  state(id: string): Uint8Array | undefined {
    const row = this.#state.statement('SELECT content FROM code_states WHERE id = ?').get(id) as { content: Uint8Array } | undefined;
    return row?.content;
  }

  #putRecord(session: SessionRecord): void {
    this.#state
      .statement('INSERT INTO code_sessions(id, record) VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET record = excluded.record')
      .run(session.id, JSON.stringify(session));
  }

  #removeState(id: string): void {
    this.#state.statement('DELETE FROM code_states WHERE id = ?').run(id);
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#onProblem(error);
    }
  }
}
