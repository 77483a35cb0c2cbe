import type { PeerTimers } from '../../core/peer.ts';
import type { TaskRun } from './task-run.ts';

/** A task is stopped when so much of its lease went by without a renewal: the hub's clock may be faster than ours. */
const LEASE_SHARE = 0.9;

interface LeaseDependencies {
  timers: PeerTimers;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  /** What is held now. */
  active: () => readonly TaskRun[];
  over: (run: TaskRun) => void;
}

/** Stops what runs without the hub's word for too long: by then somebody else may have it. */
export class LeaseWatch {
  readonly #dependencies: LeaseDependencies;
  #leaseMs: number | undefined;
  #timer: unknown;

  constructor(dependencies: LeaseDependencies) {
    this.#dependencies = dependencies;
  }

  /** Undefined: a task may run for as long as it likes. */
  setLease(ms: number | undefined): void {
    // What ran without one has one from now on.
    if (this.#leaseMs === undefined) for (const run of this.#running()) run.leaseFrom = this.#dependencies.monotonic();
    this.#leaseMs = ms;
    this.#look();
  }

  /** All that was held when the hub was asked, at this time of the monotonic clock; what came since has a lease that began later. */
  renewedAt(sentAt: number): void {
    for (const run of this.#dependencies.active()) run.leaseFrom = Math.max(run.leaseFrom, sentAt);
    this.#look();
  }

  /** The hub said of this one alone that it is ours. When it did is not known, so its lease begins when the hub was asked. */
  begins(run: TaskRun): void {
    run.leaseFrom = Math.max(run.leaseFrom, run.askedAt);
    this.#look();
  }

  stop(): void {
    this.#leaseMs = undefined;
    this.#dependencies.timers.clear(this.#timer);
  }

  #look(): void {
    const { timers, monotonic, over } = this.#dependencies;
    timers.clear(this.#timer);
    if (this.#leaseMs === undefined) return;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const run of this.#running()) {
      const leftMs = run.leaseFrom + this.#leaseMs * LEASE_SHARE - monotonic();
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
      else over(run);
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#timer = timers.set(() => this.#look(), nextMs);
  }

  /** One that waits for the hub's word runs nothing. */
  #running(): TaskRun[] {
    return this.#dependencies.active().filter(({ recovering, isOffered }) => !recovering && !isOffered);
  }
}
