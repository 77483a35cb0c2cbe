import type { Deployment } from '../../contract/deploy.ts';
import type { State } from '../state/state.ts';

/** Deployments in the state database. What can't be stored is forgotten with this sidecar, and nothing else. */
export class DeployStore {
  readonly #state: State;
  readonly #keep: number;
  readonly #onProblem: (error: unknown) => void;

  constructor(dependencies: { state: State; onProblem: (error: unknown) => void }, options: { keep: number }) {
    this.#state = dependencies.state;
    this.#onProblem = dependencies.onProblem;
    this.#keep = options.keep;
  }

  /** Oldest first. */
  all(): Deployment[] {
    const rows = this.#state.statement('SELECT record FROM deployments ORDER BY number').all() as { record: string }[];
    return rows.map(({ record }) => JSON.parse(record) as Deployment);
  }

  put(deployment: Deployment): void {
    try {
      this.#state
        .statement('INSERT INTO deployments(id, record) VALUES(?, ?) ON CONFLICT(id) DO UPDATE SET record = excluded.record')
        .run(deployment.id, JSON.stringify(deployment));
      // Numbers have gaps: each change of a row takes one.
      this.#state
        .statement('DELETE FROM deployments WHERE number NOT IN (SELECT number FROM deployments ORDER BY number DESC LIMIT ?)')
        .run(this.#keep);
    } catch (error) {
      this.#onProblem(error);
    }
  }
}
