// Which runs of two integer sequences differ. Bounded: the work is counted, not timed, so the same input always gives the same answer, and what
// would cost too much is answered as one coarse, still correct, hunk. Order of attempts: trim, Myers while few items differ, patience on items
// (then on ever wider groups of items) that occur once on both sides, and again inside each gap.

/** Items [aStart, aEnd) of the first sequence stand where [bStart, bEnd) of the second stand. Hunks are sorted and never touch each other. */
export interface Hunk {
  aStart: number;
  aEnd: number;
  bStart: number;
  bEnd: number;
}

/** Shared by all comparisons that make up one answer; about 3 ns a step. */
export interface Work {
  left: number;
}

const myersStepsPerGap = 1_500_000;
// The trace of d rounds holds d² numbers.
const myersMaxRounds = 1500;
const patienceCostPerItem = 4;
const groupCostPerItem = 30;
const widestGroup = 32;

/** Ids are small non-negative integers below idCount; equal ids mean equal items. */
export function diffSequences(a: Int32Array, b: Int32Array, idCount: number, work: Work): Hunk[] {
  const hunks: Hunk[] = [];
  const counts: Counts = { a: new Int32Array(idCount), b: new Int32Array(idCount), position: new Int32Array(idCount) };
  // An explicit stack in place of recursion: a chain of single anchors may be as deep as the sequence is long.
  const gaps: Hunk[] = [{ aStart: 0, aEnd: a.length, bStart: 0, bEnd: b.length }];
  for (let gap = gaps.pop(); gap; gap = gaps.pop()) {
    let { aStart, aEnd, bStart, bEnd } = gap;
    while (aStart < aEnd && bStart < bEnd && a[aStart] === b[bStart]) {
      aStart++;
      bStart++;
    }
    while (aEnd > aStart && bEnd > bStart && a[aEnd - 1] === b[bEnd - 1]) {
      aEnd--;
      bEnd--;
    }
    if (aStart === aEnd && bStart === bEnd) continue;
    const trimmed = { aStart, aEnd, bStart, bEnd };
    if (aStart === aEnd || bStart === bEnd) {
      pushHunk(hunks, trimmed);
      continue;
    }
    const alone = withoutPartner(a, b, trimmed, counts);
    if (alone === trimmed.aEnd - trimmed.aStart + trimmed.bEnd - trimmed.bStart) {
      pushHunk(hunks, trimmed);
      continue;
    }
    const found = alone > myersMaxRounds ? null : myers(a, b, trimmed, work);
    if (found) {
      for (const hunk of found) pushHunk(hunks, hunk);
      continue;
    }
    const inner = gapsBetweenAnchors(a, b, trimmed, counts, work);
    if (!inner) pushHunk(hunks, trimmed);
    else for (let index = inner.length - 1; index >= 0; index--) gaps.push(inner[index] as Hunk);
  }
  return hunks;
}

/** Adds a hunk behind the last one, and to it where they touch. */
export function pushHunk(hunks: Hunk[], hunk: Hunk): void {
  const last = hunks.at(-1);
  if (last && last.aEnd === hunk.aStart && last.bEnd === hunk.bStart) {
    last.aEnd = hunk.aEnd;
    last.bEnd = hunk.bEnd;
  } else {
    hunks.push(hunk);
  }
}

/** How many items do not occur on the other side at all: no comparison gets by with fewer differences. */
function withoutPartner(a: Int32Array, b: Int32Array, gap: Hunk, counts: Counts): number {
  for (let index = gap.aStart; index < gap.aEnd; index++) counts.b[a[index] as number] = 0;
  for (let index = gap.bStart; index < gap.bEnd; index++) counts.a[b[index] as number] = 0;
  for (let index = gap.aStart; index < gap.aEnd; index++) counts.a[a[index] as number] = 1;
  for (let index = gap.bStart; index < gap.bEnd; index++) counts.b[b[index] as number] = 1;
  let alone = 0;
  for (let index = gap.aStart; index < gap.aEnd; index++) if (counts.b[a[index] as number] === 0) alone++;
  for (let index = gap.bStart; index < gap.bEnd; index++) if (counts.a[b[index] as number] === 0) alone++;
  return alone;
}

/** Myers' greedy walk (An O(ND) Difference Algorithm, 1986) with its trace kept for the way back; null when it would cost more than allowed. */
function myers(a: Int32Array, b: Int32Array, gap: Hunk, work: Work): Hunk[] | null {
  const aLength = gap.aEnd - gap.aStart;
  const bLength = gap.bEnd - gap.bStart;
  const rounds = Math.min(aLength + bLength, myersMaxRounds);
  if (Math.abs(aLength - bLength) > rounds) return null;
  const allowed = Math.min(work.left, myersStepsPerGap);
  const offset = rounds + 1;
  // The furthest x on each diagonal x - y; -1 where no walk has been.
  const reach = new Int32Array(2 * rounds + 3).fill(-1);
  reach[offset + 1] = 0;
  const trace: Int32Array[] = [];
  let steps = 0;
  for (let round = 0; round <= rounds; round++) {
    // Diagonals that have left the grid can't come back: only those inside are walked.
    const low = -round + 2 * Math.max(0, round - bLength);
    const high = round - 2 * Math.max(0, round - aLength);
    for (let diagonal = low; diagonal <= high; diagonal += 2) {
      const left = reach[offset + diagonal - 1] as number;
      const up = reach[offset + diagonal + 1] as number;
      let x = diagonal === -round || (diagonal !== round && left < up) ? up : left + 1;
      let y = x - diagonal;
      const from = x;
      while (x < aLength && y < bLength && a[gap.aStart + x] === b[gap.bStart + y]) {
        x++;
        y++;
      }
      reach[offset + diagonal] = x;
      steps += 2 + x - from;
      if (x >= aLength && diagonal === aLength - bLength) {
        work.left -= steps;
        return walkBack(trace, round, gap);
      }
    }
    if (steps > allowed) break;
    trace.push(reach.slice(offset - round - 1, offset + round + 2));
  }
  work.left -= steps;
  return null;
}

function walkBack(trace: Int32Array[], lastRound: number, gap: Hunk): Hunk[] {
  let x = gap.aEnd - gap.aStart;
  let y = gap.bEnd - gap.bStart;
  const reversed: Hunk[] = [];
  for (let round = lastRound; round > 0; round--) {
    const reach = trace[round - 1] as Int32Array;
    // reach holds diagonals -round … round of the round before, so diagonal k is at index k + round.
    const diagonal = x - y;
    const left = reach[round + diagonal - 1] as number;
    const up = reach[round + diagonal + 1] as number;
    const inserted = diagonal === -round || (diagonal !== round && left < up);
    const fromX = inserted ? up : left;
    const fromY = fromX - (inserted ? diagonal + 1 : diagonal - 1);
    const step: Hunk = {
      aStart: gap.aStart + fromX,
      aEnd: gap.aStart + (inserted ? fromX : fromX + 1),
      bStart: gap.bStart + fromY,
      bEnd: gap.bStart + (inserted ? fromY + 1 : fromY),
    };
    const next = reversed.at(-1);
    if (next && next.aStart === step.aEnd && next.bStart === step.bEnd) {
      next.aStart = step.aStart;
      next.bStart = step.bStart;
    } else {
      reversed.push(step);
    }
    x = fromX;
    y = fromY;
  }
  return reversed.reverse();
}

interface Counts {
  a: Int32Array;
  b: Int32Array;
  position: Int32Array;
}

/** The gaps that are left once items (or groups of 2, 4, … items) that occur exactly once on both sides are matched in order; null: no such item. */
function gapsBetweenAnchors(a: Int32Array, b: Int32Array, gap: Hunk, counts: Counts, work: Work): Hunk[] | null {
  const items = gap.aEnd - gap.aStart + gap.bEnd - gap.bStart;
  work.left -= items * patienceCostPerItem;
  if (work.left < 0) return null;
  let sideA = a.subarray(gap.aStart, gap.aEnd);
  let sideB = b.subarray(gap.bStart, gap.bEnd);
  let { anchors, common } = uniqueAnchors(sideA, sideB, counts);
  for (let width = 2; anchors.length === 0 && common && width <= widestGroup; width *= 2) {
    work.left -= items * groupCostPerItem;
    if (work.left < 0 || sideA.length <= width / 2 || sideB.length <= width / 2) return null;
    const groups = pairUp(sideA, sideB, width / 2);
    sideA = groups.a;
    sideB = groups.b;
    const size = groups.idCount;
    ({ anchors, common } = uniqueAnchors(sideA, sideB, {
      a: new Int32Array(size),
      b: new Int32Array(size),
      position: new Int32Array(size),
    }));
  }
  if (anchors.length === 0) return null;
  const gaps: Hunk[] = [];
  let { aStart, bStart } = gap;
  for (const [atA, atB] of anchors) {
    gaps.push({ aStart, aEnd: gap.aStart + atA, bStart, bEnd: gap.bStart + atB });
    // The anchor is one item; the rest of a wide group is found again by the trim of the next gap.
    aStart = gap.aStart + atA + 1;
    bStart = gap.bStart + atB + 1;
  }
  gaps.push({ aStart, aEnd: gap.aEnd, bStart, bEnd: gap.bEnd });
  return gaps;
}

function uniqueAnchors(a: Int32Array, b: Int32Array, counts: Counts): { anchors: [number, number][]; common: boolean } {
  for (const id of a) counts.a[id] = counts.b[id] = 0;
  for (const id of b) counts.a[id] = counts.b[id] = 0;
  for (const id of a) (counts.a[id] as number)++;
  for (let index = 0; index < b.length; index++) {
    const id = b[index] as number;
    (counts.b[id] as number)++;
    counts.position[id] = index;
  }
  const inA: number[] = [];
  const inB: number[] = [];
  let common = false;
  for (let index = 0; index < a.length; index++) {
    const id = a[index] as number;
    if (counts.b[id] === 0) continue;
    common = true;
    if (counts.a[id] === 1 && counts.b[id] === 1) {
      inA.push(index);
      inB.push(counts.position[id] as number);
    }
  }
  return { anchors: longestIncreasing(inB).map((index) => [inA[index] as number, inB[index] as number]), common };
}

/** Each position gets the id of the pair (item here, item `distance` further): doubling the distance doubles the width of the group. */
function pairUp(a: Int32Array, b: Int32Array, distance: number): { a: Int32Array; b: Int32Array; idCount: number } {
  const ids = new Map<number, number>();
  const pair = (side: Int32Array): Int32Array => {
    const paired = new Int32Array(side.length - distance);
    for (let index = 0; index < paired.length; index++) {
      const key = (side[index] as number) * 0x4000000 + (side[index + distance] as number);
      let id = ids.get(key);
      if (id === undefined) {
        id = ids.size;
        ids.set(key, id);
      }
      paired[index] = id;
    }
    return paired;
  };
  return { a: pair(a), b: pair(b), idCount: ids.size };
}

/** Indexes of one longest strictly increasing subsequence (patience sorting). */
export function longestIncreasing(values: number[]): number[] {
  const tails: number[] = [];
  const previous = new Int32Array(values.length);
  for (let index = 0; index < values.length; index++) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((values[tails[middle] as number] as number) < (values[index] as number)) low = middle + 1;
      else high = middle;
    }
    previous[index] = low > 0 ? (tails[low - 1] as number) : -1;
    tails[low] = index;
  }
  const sequence: number[] = [];
  for (let index = tails.at(-1) ?? -1; index >= 0; index = previous[index] as number) sequence.push(index);
  return sequence.reverse();
}
