/** Of work in one turn of the event loop, ms. */
const SLICE_MS = 8;

/**
 * Long work is done in slices of time, so that others, who have their turn of the event loop between two of them, wait no longer than that. The first begins
 * when this is made.
 */
export class TimeSlice {
  #endsAt = performance.now() + SLICE_MS;

  get isOver(): boolean {
    return performance.now() >= this.#endsAt;
  }

  /** Another begins, in this turn. */
  restart(): void {
    this.#endsAt = performance.now() + SLICE_MS;
  }

  /** Resolves in the next turn, when another begins; rejects with the signal's reason where that is aborted by then. */
  async giveWay(signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    this.restart();
  }
}
