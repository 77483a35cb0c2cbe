import { TimeSlice } from '../../core/time-slice.ts';

/** So many steps are done in this turn, however busy the machine is. */
const SHORT_STEPS = 100;

/** Does work that comes in steps, and serves others after each slice of time; what is short is done in this turn. Stops between two steps when `signal` is aborted. */
export async function inSlices(steps: Iterable<unknown>, signal?: AbortSignal): Promise<void> {
  const slice = new TimeSlice();
  let count = 0;
  for (const _ of steps) {
    if (++count < SHORT_STEPS || !slice.isOver) continue;
    await slice.giveWay();
    if (signal?.aborted === true) return;
  }
}
