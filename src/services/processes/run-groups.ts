import type { State } from '../state/state.ts';
import { isMarked, runningNow } from './process-facts.ts';

/** Name of the fact. */
const GROUPS = 'processes.groups';
/** In the environment of programs that the sidecar runs for itself, and of no others: so a group is told from one with the same number. */
const MARK = 'OUTRIGGER_RUN';

/**
 * The process groups of what the sidecar runs for itself, kept in the state: what a kill -9 of it leaves of them is found by the next one. Who left
 * its group is not. What can't be stored is not found, and nothing else.
 */
export class RunGroups {
  /** For each of these programs. */
  readonly env: Readonly<Record<string, string>>;
  readonly #state: State;
  readonly #mark: string;

  /** `mark`: of this state, and of no other. */
  constructor({ state, mark }: { state: State; mark: string }) {
    this.env = { [MARK]: mark };
    this.#state = state;
    this.#mark = mark;
  }

  /** These run now, and no others. */
  put(groups: readonly number[]): void {
    try {
      this.#state.set(GROUPS, JSON.stringify(groups));
    } catch {
      // The disk is full, or the state was closed.
    }
  }

  /** Of those that ran last, what still runs. On Linux; elsewhere nothing is found. */
  left(): number[] {
    const known = this.#known();
    if (known.size === 0) return [];
    const members = runningNow().filter(({ group, pid }) => known.has(group) && isMarked(pid, MARK, this.#mark));
    return [...new Set(members.map(({ group }) => group))];
  }

  #known(): Set<unknown> {
    try {
      return new Set(JSON.parse(this.#state.get(GROUPS) ?? '[]') as unknown[]);
    } catch {
      return new Set();
    }
  }
}
