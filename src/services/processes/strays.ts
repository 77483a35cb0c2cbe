import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { TimeSlice } from '../../core/time-slice.ts';
import { isUsed, newestPid, pidsNow, unseenSort, valueOf } from './process-facts.ts';

/** Between two looks: others are served meanwhile. */
const BETWEEN_LOOKS_MS = 5;
/** What forks on and on is not followed for ever. */
const MOST_MS = 3000;
/** Looks in a row that found nobody, while other programs came and went. */
const MOST_EMPTY_LOOKS = 5;
/** So many of the newest numbers are tried for what forks on and on. */
const MOST_NEW = 256;

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
  /** Somebody asked since the last look: who was nobody's until then may be meant now. */
  #asked = false;

  /** `name`: of the variable that is the mark. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Resolves when none is left, or 3 s after the last who asked. Never rejects. */
  async end(meant: Meant): Promise<void> {
    this.#meant.add(meant);
    this.#asked = true;
    this.#hunting ??= this.#hunt();
    await this.#hunting;
  }

  async #hunt(): Promise<void> {
    // Who asks in the same turn shares the first look.
    await Promise.resolve();
    const isMeant = (mark: string): boolean => [...this.#meant].some((meant) => meant(mark));
    let hunt = new Hunt(this.#name, isMeant);
    let until = performance.now() + MOST_MS;
    let empty = 0;
    this.#asked = false;
    do {
      if (this.#asked) {
        hunt = new Hunt(this.#name, isMeant);
        until = performance.now() + MOST_MS;
        this.#asked = false;
      }
      const before = hunt.found;
      await hunt.look(until);
      empty = hunt.standing === 0 && !hunt.areLeaving ? empty + 1 : 0;
      if (empty > 0 && !this.#asked && (hunt.sure || empty >= MOST_EMPTY_LOOKS)) break;
      // Nobody forks any more.
      if (hunt.found === before) hunt.kill();
      await wait(BETWEEN_LOOKS_MS);
    } while (performance.now() < until);
    hunt.kill();
    // In this very turn: who asks from now on begins anew.
    this.#meant.clear();
    this.#hunting = undefined;
  }
}

/** One hunt: each look sees what the one before could not have seen. */
class Hunt {
  /** At the last look, nobody was there who could not be looked at, and so may have been meant or have started another. */
  sure = false;
  /** At the last look, some that were killed still gave back what they held: memory, files, locks. */
  areLeaving = false;
  readonly #name: string;
  readonly #isMeant: Meant;
  /** Made to stand still: these start nobody. */
  readonly #still = new Set<number>();
  /** Programs of others, and what is over: not looked at again. */
  readonly #others = new Set<number>([process.pid]);
  /** Whom the last look saw: the number of one that is over may be another program's by now. */
  readonly #standing = new Set<number>();

  constructor(name: string, isMeant: Meant) {
    this.#name = name;
    this.#isMeant = isMeant;
  }

  /** How many were made to stand still so far. */
  get found(): number {
    return this.#still.size;
  }

  /** How many of them the last look saw. */
  get standing(): number {
    return this.#standing.size;
  }

  /** Looks at all programs once. What goes on forking meanwhile is stopped first, or it would end before it is looked at. */
  async look(until: number): Promise<void> {
    this.sure = true;
    this.areLeaving = false;
    this.#standing.clear();
    await this.#chase(until);
    const slice = new TimeSlice();
    for (const pid of pidsNow()) {
      this.#lookAt(pid, true);
      if (!slice.isOver) continue;
      await slice.giveWay();
      await this.#chase(until);
      slice.restart();
    }
  }

  kill(): void {
    for (const pid of this.#standing) signalOne(pid, 'SIGKILL');
  }

  /** Looks at the newest programs, again and again while some of them are meant. */
  async #chase(until: number): Promise<void> {
    for (let before = -1; before !== this.found && performance.now() < until; ) {
      before = this.found;
      const newest = newestPid() ?? 0;
      const slice = new TimeSlice();
      for (let pid = newest; pid > Math.max(0, newest - MOST_NEW); pid--) {
        this.#lookAt(pid, false);
        if (slice.isOver) await slice.giveWay();
      }
      if (before !== this.found) await nextTurn();
    }
  }

  /** Makes it stand still where it is meant. `isListed`: it was there when the look began. */
  #lookAt(pid: number, isListed: boolean): void {
    if (this.#others.has(pid)) return;
    const isThere = isUsed(pid);
    const mark = isThere ? valueOf(pid, this.#name) : undefined;
    if (typeof mark === 'string' && this.#isMeant(mark)) {
      if (!this.#still.has(pid)) signalOne(pid, 'SIGSTOP');
      this.#still.add(pid);
      this.#standing.add(pid);
      return;
    }
    const sort = !isThere ? 'gone' : mark === undefined ? unseenSort(pid) : 'other';
    if (sort === 'other' || sort === 'kernel' || sort === 'zombie') this.#others.add(pid);
    if (sort === 'starting' && this.#still.has(pid)) this.areLeaving = true;
    // What stood still has started nobody since; what anybody else started before it ended, nobody knows.
    if (isListed && sort !== 'other' && sort !== 'kernel' && !this.#still.has(pid)) this.sure = false;
  }
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended meanwhile, or belongs to another user.
  }
}
