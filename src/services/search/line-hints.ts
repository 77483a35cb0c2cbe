// What stands in every line that matches, and how to find it fast: a search looks at few lines closely.

import { runFinder } from './byte-run.ts';
import { sourceOf } from './pattern-source.ts';
import type { PatternTree } from './pattern-tree.ts';
import { symbolsOfCodePoint } from './trigram/fold.ts';
import { planOfText } from './trigram/match-facts.ts';
import { orOf, type Plan } from './trigram/plan-tree.ts';

/** Gives a place in the next line that may match, at `from` or after it; -1 where there is none. To be asked in ascending order. */
export type FindHint = (from: number) => number;

/** One of these runs of characters, or of sets with few, stands in every match. */
type Runs = readonly (readonly PatternTree[])[];

const asciiLimit = 0x80;
/** Those of a line break, which no trigram has. */
const noSymbols = symbolsOfCodePoint(10);
const mostFinders = 4;
const mostRuns = 16;
const mostInRun = 16;
/** A set of more characters says little. */
const mostInSet = 3;
const leastInRun = 2;
/** Up to here Node's search goes from one first byte to the next, which is fastest where that is rare. */
const anchorBytes = 6;
const leastAnchorBytes = 3;
/** In a thousand bytes of text. */
const rareEnough = 10;

/** Of what stands in every line that matches. */
export interface Hints {
  find(bytes: Buffer): FindHint;
  /** It is no longer than that. */
  bytes: number;
  /** What the trigrams satisfy of bytes in which it stands. */
  plan: Plan;
}

/** Undefined where nothing is known of what stands in a matching line. */
export function hintsFor(tree: PatternTree): Hints | undefined {
  const runs = requiredRuns(tree);
  if (runs === undefined || runs.some((run) => run.length < leastInRun)) return undefined;
  const bytes = Math.max(...runs.map((run) => run.reduce((sum, part) => sum + bytesOf(part), 0)));
  return { find: findHints(runs), bytes, plan: orOf(runs.map((run) => planOfText(run.map(symbolsOf).join('')))) };
}

function findHints(runs: Runs): Hints['find'] {
  const byExpression = expressionHints(runs);
  if (runs.length > mostFinders) return byExpression;
  const finders = runs.map(finderOf);
  const others = othersOf(runs.flat());
  // Finders of sets know their ASCII alone.
  return (bytes) => (others.some((character) => bytes.includes(character)) ? byExpression(bytes) : nearest(bytes, finders));
}

function codePointsOf(part: PatternTree): number[] {
  if (part.kind === 'character') return [part.codePoint];
  if (part.kind !== 'set') return [];
  return [...part.ascii.flatMap((isIn, codePoint) => (isIn ? [codePoint] : [])), ...part.also];
}

/** At most. */
function bytesOf(part: PatternTree): number {
  return Math.max(...codePointsOf(part).map((codePoint) => Buffer.byteLength(String.fromCodePoint(codePoint))));
}

/** Those of the index; where characters do not have the same, none is asked for there. */
function symbolsOf(part: PatternTree): string {
  const [symbols = noSymbols, ...others] = new Set(codePointsOf(part).map(symbolsOfCodePoint));
  return others.length === 0 ? symbols : noSymbols;
}

/** A pattern that is one run, and what finds it in bytes, but for characters beyond ASCII that it takes as well. */
export interface WholeRun {
  find: Finder;
  bytes: number;
  also: readonly Buffer[];
  /** Only where no word goes on beside it. */
  word: boolean;
}

/** Undefined where there is more to it. */
export function wholeRun(tree: PatternTree): WholeRun | undefined {
  const parts = tree.kind === 'sequence' ? tree.of : [tree];
  const [first, inner, last] = parts;
  if (parts.length === 3 && inner !== undefined && isWordEdge(first, 'word-start') && isWordEdge(last, 'word-end')) {
    const run = wholeRun(inner);
    return run === undefined || run.word ? undefined : { ...run, word: true };
  }
  const text = textOfRun(parts);
  if (text !== undefined) return { find: textFinder(text), bytes: text.length, also: [], word: false };
  const isRun = parts.length <= mostInRun && parts.every((part) => isNarrow(part) && !isBeyondAscii(part));
  return isRun ? { find: finderOf(parts), bytes: parts.length, also: othersOf(parts), word: false } : undefined;
}

function isWordEdge(part: PatternTree | undefined, asserts: 'word-start' | 'word-end'): boolean {
  return part?.kind === 'assertion' && part.asserts === asserts;
}

/** Characters beyond ASCII in sets. */
function othersOf(parts: readonly PatternTree[]): Buffer[] {
  const others = new Set(parts.flatMap((part) => (part.kind === 'set' ? part.also : [])));
  return [...others].map((codePoint) => Buffer.from(String.fromCodePoint(codePoint)));
}

function isBeyondAscii(part: PatternTree): boolean {
  return part.kind === 'character' && part.codePoint >= asciiLimit;
}

function requiredRuns(tree: PatternTree): Runs | undefined {
  switch (tree.kind) {
    case 'character':
    case 'set':
      return isNarrow(tree) ? [[tree]] : undefined;
    case 'assertion':
      return undefined;
    case 'repeat':
      return tree.least > 0 ? requiredRuns(tree.of) : undefined;
    case 'choice': {
      const all = tree.of.map(requiredRuns);
      if (all.includes(undefined)) return undefined;
      const runs = all.flatMap((each) => each ?? []);
      return runs.length <= mostRuns ? runs : undefined;
    }
    case 'sequence':
      return bestOf(partsOf(tree.of));
  }
}

/** Characters that follow each other make one run. */
function* partsOf(of: readonly PatternTree[]): Generator<Runs> {
  let run: PatternTree[] = [];
  for (const part of of) {
    if (isNarrow(part)) {
      run.push(part);
      continue;
    }
    // An assertion takes no room.
    if (part.kind === 'assertion') continue;
    if (run.length > 0) yield [run];
    run = [];
    const runs = requiredRuns(part);
    if (runs !== undefined) yield runs;
  }
  if (run.length > 0) yield [run];
}

function bestOf(candidates: Iterable<Runs>): Runs | undefined {
  let best: Runs | undefined;
  for (const runs of candidates) if (best === undefined || worth(runs) > worth(best)) best = runs;
  return best?.map((run) => (textOfRun(run) === undefined ? longestAscii(run).slice(0, mostInRun) : run));
}

/** Sets are looked for byte by byte. */
function longestAscii(run: readonly PatternTree[]): readonly PatternTree[] {
  let longest: PatternTree[] = [];
  let current: PatternTree[] = [];
  for (const part of run) {
    current = isBeyondAscii(part) ? [] : [...current, part];
    if (current.length > longest.length) longest = current;
  }
  return longest;
}

function worth(runs: Runs): number {
  return Math.min(mostInRun, ...runs.map((run) => run.length)) - Math.log2(runs.length);
}

function isNarrow(tree: PatternTree): boolean {
  if (tree.kind !== 'set') return tree.kind === 'character';
  return tree.beyond === 'none' && tree.also.length + tree.ascii.filter(Boolean).length <= mostInSet;
}

function textOfRun(run: readonly PatternTree[]): Buffer | undefined {
  let text = '';
  for (const part of run) {
    if (part.kind !== 'character') return undefined;
    text += String.fromCodePoint(part.codePoint);
  }
  return Buffer.from(text);
}

/** The first place at `from` or after it, or -1. */
export type Finder = (bytes: Buffer, from: number) => number;

function nearest(bytes: Buffer, finders: readonly Finder[]): FindHint {
  const next = finders.map(() => -1);
  return (from) => {
    let best = -1;
    for (let index = 0; index < finders.length; index++) {
      let at = next[index] as number;
      if (at < from) {
        at = (finders[index] as Finder)(bytes, from);
        if (at < 0) at = Number.POSITIVE_INFINITY;
        next[index] = at;
      }
      if (at !== Number.POSITIVE_INFINITY && (best < 0 || at < best)) best = at;
    }
    return best;
  };
}

function finderOf(run: readonly PatternTree[]): Finder {
  const text = textOfRun(run);
  if (text !== undefined) return textFinder(text);
  return runFinder(run.map((part) => (part.kind === 'set' ? part.ascii : oneOfAscii(part))));
}

function oneOfAscii(part: PatternTree): boolean[] {
  return Array.from({ length: asciiLimit }, (_, byte) => part.kind === 'character' && part.codePoint === byte);
}

/** Looks for its rarest byte, where that is rare. */
function textFinder(text: Buffer): Finder {
  let shift = 0;
  for (let at = 1; at <= text.length - Math.min(leastAnchorBytes, text.length); at++)
    if (frequencyOf(text[at] as number) < frequencyOf(text[shift] as number)) shift = at;
  if (frequencyOf(text[shift] as number) > rareEnough) return (bytes, from) => bytes.indexOf(text, from);
  const anchor = text.subarray(shift, shift + anchorBytes);
  return (bytes, from) => {
    for (let at = bytes.indexOf(anchor, from + shift); at >= 0; at = bytes.indexOf(anchor, at + 1)) {
      const start = at - shift;
      let matched = 0;
      while (matched < text.length && bytes[start + matched] === text[matched]) matched++;
      if (matched === text.length) return start;
    }
    return -1;
  };
}

function expressionHints(runs: Runs): (bytes: Buffer) => FindHint {
  const choice: PatternTree = { kind: 'choice', of: runs.map((of) => ({ kind: 'sequence', of })) };
  const expression = new RegExp(sourceOf(choice, 'wide'), 'g');
  return (bytes) => {
    const text = bytes.toString('latin1');
    return (from) => {
      expression.lastIndex = from;
      return expression.exec(text)?.index ?? -1;
    };
  };
}

/** About how often a byte stands in a thousand bytes of source text. */
function frequencyOf(byte: number): number {
  return byte < frequencies.length ? (frequencies[byte] as number) : 1;
}

const letterFrequencies = [40, 9, 25, 25, 60, 12, 10, 12, 40, 2, 5, 25, 15, 40, 40, 18, 1, 40, 40, 50, 18, 7, 6, 5, 9, 1];
const frequencies = Array.from({ length: 128 }, (_, byte) => {
  const letter = letterFrequencies[(byte | 32) - 97];
  if (letter !== undefined && byte > 64) return byte >= 97 ? letter : Math.max(1, letter / 12);
  if (byte === 32) return 150;
  if (byte === 95) return 15;
  return '.(),;*/0'.includes(String.fromCharCode(byte)) ? 12 : '#$%&+?@^`|~!'.includes(String.fromCharCode(byte)) ? 1 : 6;
});
