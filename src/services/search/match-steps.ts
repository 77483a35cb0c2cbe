// How long an engine that goes back may take at worst, told from the pattern and the line before it is asked.

import type { PatternTree } from './pattern-tree.ts';

export interface MatchSteps {
  /** About how many steps at worst in any line of so many bytes; none where they never matter. */
  atMost(length: number): number;
  /** The same of one line, which is looked at for it. */
  inLine(bytes: Uint8Array, start: number, end: number): number;
}

/** What an engine does in a few milliseconds. */
export const stepsAtOnce = 4_000_000;

const asciiLimit = 0x80;
/** Without loops, so many are no more work than to read the line. */
const fewWays = 16;

interface Loop {
  /** What it passes over; characters beyond ASCII may be among it. */
  ascii: readonly boolean[];
  /** How many more times than it must. */
  spare: number;
}

export function matchSteps(tree: PatternTree): MatchSteps {
  const loops: Loop[] = [];
  const ways = waysBesides(tree, loops);
  const isQuick = loops.length === 0 && ways <= fewWays;
  if (isQuick) return { atMost: () => 0, inLine: () => 0 };
  const product = (length: number, passes: (loop: Loop) => number): number =>
    loops.reduce((steps, loop) => steps * (1 + Math.min(passes(loop), loop.spare)), length * ways);
  return {
    atMost: (length) => product(length, () => length),
    inLine: (bytes, start, end) => product(end - start, ({ ascii }) => longestRun(bytes, start, end, ascii)),
  };
}

/** From one place, with each loop taken once; gathers the loops. */
function waysBesides(tree: PatternTree, loops: Loop[]): number {
  switch (tree.kind) {
    case 'character':
    case 'set':
    case 'assertion':
      return 1;
    case 'sequence':
      return tree.of.reduce((product, part) => product * waysBesides(part, loops), 1);
    case 'choice':
      return tree.of.reduce((sum, part) => sum + waysBesides(part, loops), 0);
    case 'repeat': {
      const { of, least, most } = tree;
      if (most === 1) return 1 + waysBesides(of, loops);
      if (most > least) loops.push({ ascii: asciiOf(of), spare: most - least });
      return 1;
    }
  }
}

function asciiOf(tree: PatternTree): readonly boolean[] {
  if (tree.kind === 'set') return tree.ascii;
  return Array.from({ length: asciiLimit }, (_, byte) => tree.kind === 'character' && tree.codePoint === byte);
}

function longestRun(bytes: Uint8Array, start: number, end: number, ascii: readonly boolean[]): number {
  const passes = new Uint8Array(256).fill(1);
  for (const [byte, isIn] of ascii.entries()) passes[byte] = isIn ? 1 : 0;
  let longest = 0;
  let from = start;
  for (let at = start; at < end; at++) {
    if (passes[bytes[at] as number] === 1) continue;
    longest = Math.max(longest, at - from);
    from = at + 1;
  }
  return Math.max(longest, end - from);
}
