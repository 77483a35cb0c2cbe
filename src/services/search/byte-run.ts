/** One set of ASCII characters after the other; at least two. */
export type ByteRun = readonly (readonly boolean[])[];

const byteValues = 256;

/**
 * Finds a run in bytes, at a place or after it; gives -1 where there is none. After R. Nigel Horspool, "Practical fast searching in strings" (1980), with sets
 * instead of characters, and with pairs of bytes, which tell more than one where letters are common: of a run of ten, two bytes in nine are looked at.
 */
export function runFinder(run: ByteRun): (bytes: Uint8Array, from: number) => number {
  const last = run.length - 1;
  const skips = new Uint8Array(byteValues * byteValues).fill(last);
  const sets = new Uint8Array(byteValues * run.length);
  for (const [at, set] of run.entries()) {
    for (const [byte, isIn] of set.entries()) {
      if (!isIn) continue;
      sets[byteValues * at + byte] = 1;
      for (const [next, isNext] of run[at + 1]?.entries() ?? []) if (isNext) skips[byteValues * byte + next] = last - at - 1;
    }
  }
  return (bytes, from) => {
    const end = bytes.length;
    for (let at = from + last; at < end; ) {
      const skip = skips[((bytes[at - 1] as number) << 8) | (bytes[at] as number)] as number;
      if (skip > 0) {
        at += skip;
        continue;
      }
      let matched = last;
      while (matched >= 0 && sets[byteValues * matched + (bytes[at - last + matched] as number)] === 1) matched--;
      if (matched < 0) return at - last;
      at++;
    }
    return -1;
  };
}
