/**
 * Does what nobody waits for when the answer of this turn of the event loop is on its way: connections hold what they are to write until the end of the turn,
 * and what was put off before they were given anything would be done before that.
 */
export function afterwards(work: () => void): void {
  setImmediate(() => setImmediate(work));
}
