/** One set of ASCII characters after the other. */
export type ByteRun = readonly (readonly boolean[])[];

const byteValues = 256;

/**
 * Finds a run in bytes, at a place or after it; gives -1 where there is none. R. Nigel Horspool, "Practical fast searching in strings" (1980), with sets
 * instead of characters: of a run of ten, one byte in ten is looked at.
 */
export function runFinder(run: ByteRun): (bytes: Uint8Array, from: number) => number {
  const last = run.length - 1;
  const skips = new Uint8Array(byteValues).fill(run.length);
  for (const [at, set] of run.entries()) for (const [byte, isIn] of set.entries()) if (isIn && at < last) skips[byte] = last - at;
  const sets = new Uint8Array(byteValues * run.length);
  for (const [at, set] of run.entries()) for (const [byte, isIn] of set.entries()) sets[byteValues * at + byte] = isIn ? 1 : 0;
  return (bytes, from) => {
    const end = bytes.length;
    for (let at = from + last; at < end; at += skips[bytes[at] as number] as number) {
      let matched = last;
      while (matched >= 0 && sets[byteValues * matched + (bytes[at - last + matched] as number)] === 1) matched--;
      if (matched < 0) return at - last;
    }
    return -1;
  };
}
