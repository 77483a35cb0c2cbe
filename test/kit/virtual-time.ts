// One virtual time for several processes in this one: each has a clock and timers of its own, can be stopped for a while, and can be killed.
import type { PeerTimers } from '../../src/core/peer.ts';
import type { Random } from './random.ts';

/** A turn of an event loop, and a commit at its end, take less than so long; whole milliseconds. */
const TURN_MS = 4;
/** Where virtual time begins, milliseconds since 1970. */
const EPOCH_MS = 1_000_000_000_000;

interface Happening {
  at: number;
  /** Of two at one time, the one that was planned first. */
  number: number;
  process: VirtualProcess | undefined;
  run: () => void;
  isOff: boolean;
}

/** What happens, one thing after the other, at times that only grow. */
export class VirtualTime {
  /** Milliseconds. */
  now = 0;
  readonly random: Random;
  readonly #planned: Happening[] = [];
  #number = 0;

  constructor(random: Random) {
    this.random = random;
  }

  /** Plans it in so many milliseconds. It happens in `process`, if that lives then; undefined: it happens in the world. */
  after(ms: number, process: VirtualProcess | undefined, run: () => void): Happening {
    const happening = { at: this.now + Math.max(0, Math.ceil(ms)), number: this.#number++, process, run, isOff: false };
    this.#plan(happening);
    return happening;
  }

  /** Lets all happen until `until`, or until `isEnough` after something happened. */
  async run(until: number, isEnough: () => boolean = () => false): Promise<void> {
    for (let next = this.#planned[0]; next !== undefined && next.at <= until; next = this.#planned[0]) {
      this.#planned.shift();
      const { process } = next;
      if (next.isOff || process?.isDead === true) continue;
      if (process !== undefined && process.stoppedUntil > next.at) {
        this.#plan(Object.assign(next, { at: process.stoppedUntil }));
        continue;
      }
      this.now = next.at;
      next.run();
      // All promises that follow from it are settled when this turn of the real event loop is over.
      await new Promise(setImmediate);
      if (isEnough()) return;
    }
    this.now = until;
  }

  #plan(happening: Happening): void {
    let at = this.#planned.length;
    const isLater = ({ at: time, number }: Happening): boolean =>
      time > happening.at || (time === happening.at && number > happening.number);
    while (at > 0 && isLater(this.#planned[at - 1] as Happening)) at--;
    this.#planned.splice(at, 0, happening);
  }
}

/** A process in virtual time. */
export class VirtualProcess {
  isDead = false;
  /** As SIGSTOP and SIGCONT do: what comes for it waits, its clock goes on. */
  stoppedUntil = 0;
  /** How wrong its clock is set. */
  offsetMs: number;
  readonly #time: VirtualTime;
  readonly #rate: number;
  #turn = 0;

  /** `rate`: milliseconds that its clock counts in one. */
  constructor(time: VirtualTime, { rate = 1, offsetMs = 0 }: { rate?: number; offsetMs?: number } = {}) {
    this.#time = time;
    this.#rate = rate;
    this.offsetMs = offsetMs;
  }

  readonly timers: PeerTimers = {
    set: (run, ms) => this.#time.after(ms / this.#rate, this, run),
    clear: (timer) => {
      if (timer !== undefined) (timer as Happening).isOff = true;
    },
    soon: (run) => {
      // In the order in which it was asked, as of setImmediate.
      this.#turn = Math.max(this.#turn, this.#time.now + this.#time.random.below(TURN_MS));
      this.#time.after(this.#turn - this.#time.now, this, run);
    },
  };

  readonly monotonic = (): number => this.#time.now * this.#rate;

  /** Milliseconds since 1970, as it believes. */
  readonly now = (): number => EPOCH_MS + this.offsetMs + Math.floor(this.monotonic());

  kill(): void {
    this.isDead = true;
  }
}
