/** A timer that is so late was held back: this process was busy, or stood still with its machine. */
const LATE_MS = 50;
/** In which what came in that time is read. */
const READ_WITHIN_MS = 250;

/**
 * Does it after so long. Where this process stood still as that time ran out, a timer goes before what came in time is read, such as the end of the program
 * that it is for: that is read first. Returns how to call it off.
 */
export function timeLimit(ms: number, over: () => void): () => void {
  const due = performance.now() + ms;
  let timer = setTimeout(() => {
    if (performance.now() - due < LATE_MS) over();
    else timer = setTimeout(over, READ_WITHIN_MS);
  }, ms);
  return () => clearTimeout(timer);
}
