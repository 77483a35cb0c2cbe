import { setTimeout as wait } from 'node:timers/promises';
import { markedWith } from './process-facts.ts';

/** Between two looks: others are served meanwhile. */
const BETWEEN_LOOKS_MS = 5;
/** What forks on and on is not followed for ever. */
const MOST_MS = 3000;

/** Says which programs are meant, by the value of the mark in their environment. */
type Meant = (mark: string) => boolean;

/**
 * Ends programs by the mark in their environment, wherever they went: made to stand still first, so that none of them forks while others are
 * looked for, then killed. Those who ask at the same time share the looks. On Linux; elsewhere nothing is found.
 */
export class Strays {
  readonly #name: string;
  readonly #meant = new Set<Meant>();
  #hunting: Promise<void> | undefined;

  /** `name`: of the variable that is the mark. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Resolves when none is left, or after 3 s. Never rejects. */
  async end(meant: Meant): Promise<void> {
    this.#meant.add(meant);
    this.#hunting ??= this.#hunt();
    await this.#hunting;
  }

  async #hunt(): Promise<void> {
    // Who asks in the same turn shares the first look.
    await Promise.resolve();
    const until = performance.now() + MOST_MS;
    const still = new Set<number>();
    const others = new Set<number>();
    let found: number[] = [];
    do {
      const before = still.size;
      const isMeant = (mark: string): boolean => [...this.#meant].some((meant) => meant(mark));
      // A look may take long where many fork: each is stopped when it is seen.
      found = markedWith(this.#name, isMeant, others, (pid) => {
        if (!still.has(pid)) signalOne(pid, 'SIGSTOP');
        still.add(pid);
      });
      if (found.length === 0) break;
      // Nobody forks any more.
      if (still.size === before) for (const pid of found) signalOne(pid, 'SIGKILL');
      await wait(BETWEEN_LOOKS_MS);
    } while (performance.now() < until);
    for (const pid of found) signalOne(pid, 'SIGKILL');
    // In this very turn: who asks from now on begins anew.
    this.#meant.clear();
    this.#hunting = undefined;
  }
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile, or belongs to another user.
  }
}
