import { setImmediate as nextTurn } from 'node:timers/promises';

/** Of work at a time, while others wait. */
const SLICE_MS = 10;
/** So many steps are done in this turn, however busy the machine is. */
const SHORT_STEPS = 100;

/** Does work that comes in steps, and serves others after each 10 ms of it; what is short is done in this turn. Stops between two steps when `signal` is aborted. */
export async function inSlices(steps: Iterable<unknown>, signal?: AbortSignal): Promise<void> {
  let until = performance.now() + SLICE_MS;
  let count = 0;
  for (const _ of steps) {
    if (++count < SHORT_STEPS || performance.now() < until) continue;
    await nextTurn();
    if (signal?.aborted === true) return;
    until = performance.now() + SLICE_MS;
  }
}
