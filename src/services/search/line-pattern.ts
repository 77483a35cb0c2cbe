import { isAscii } from 'node:buffer';
import { type Hints, hintsFor, type WholeRun, wholeRun } from './line-hints.ts';
import { type MatchSteps, matchSteps, stepsAtOnce } from './match-steps.ts';
import { type Doubt, doubtOf, sourceOf } from './pattern-source.ts';
import { type PatternTree, readPattern } from './pattern-tree.ts';
import type { TextQuery } from './ripgrep.ts';

const lineFeed = 10;
const asciiLimit = 0x80;
const punctuationBytes = 3;
/** Of a longer line, only what is near to where a match may stand is given to an engine. */
const longLineBytes = 4096;
/** A match may hold so many of ASCII that hardly a byte ends it. */
const mostOfAscii = 100;

/** Starts and ends of matches in bytes of the line, in turns; 'unsure' where ripgrep has to say. */
export type Places = number[] | 'unsure';

/** A line begins at `start`, and its break, or the end of the text, is at `end`; the first hint in it is at `hint`. */
export interface Line {
  start: number;
  end: number;
  hint: number;
}

/** A pattern of which it is known for certain what ripgrep finds for it in a line. */
export interface LinePattern {
  /** What finds lines worth a look, in text without NUL and without a byte order mark. */
  readonly hints: Hints;
  /** All places in the line; those further than `shownBytes` behind the first may be left out. */
  placesIn(bytes: Buffer, line: Line, shownBytes: number): Places;
  /** About how many steps that may take. */
  readonly steps: MatchSteps;
  /** Of a line of so many bytes only stretches are looked at, and not for long. */
  isBrief(length: number): boolean;
  /** Places may be unsure in text that is not ASCII. */
  readonly isUnsure: boolean;
}

/** Undefined where it is not known for certain, or every line would have to be looked at. */
export function linePattern(query: TextQuery, faults: { onlyAscii?: boolean } = {}): LinePattern | undefined {
  const tree = readPattern(query);
  if (tree === undefined) return undefined;
  const hints = hintsFor(tree);
  if (hints === undefined) return undefined;
  const steps = matchSteps(tree);
  const run = wholeRun(tree);
  const expressions = { ascii: new RegExp(sourceOf(tree, 'ascii'), 'g'), wide: new RegExp(sourceOf(tree, 'wide'), 'g') };
  const doubt = doubtOf(tree);
  const inText: LinePattern['placesIn'] = (bytes, { start, end }, shownBytes) => {
    const line = bytes.toString('latin1', start, end);
    if (faults.onlyAscii === true || isAscii(bytes.subarray(start, end))) return placesOf(line, expressions.ascii, 'none', shownBytes);
    return placesOf(line, expressions.wide, doubt, shownBytes);
  };
  const within = bytesWithin(tree);
  const isBrief = (length: number): boolean => within !== undefined && length > longLineBytes;
  const inStretches = within === undefined ? inText : placesInStretches(within, hints, steps, inText);
  const byExpression: LinePattern['placesIn'] = (bytes, line, shownBytes) =>
    (isBrief(line.end - line.start) ? inStretches : inText)(bytes, line, shownBytes);
  return {
    hints,
    placesIn: run === undefined || faults.onlyAscii === true ? byExpression : placesOfRun(run, byExpression),
    steps,
    isBrief,
    isUnsure: doubt !== 'none',
  };
}

/** As the expression would give them. */
function placesOfRun({ find, bytes: length, also, word }: WholeRun, byExpression: LinePattern['placesIn']): LinePattern['placesIn'] {
  return (bytes, line, shownBytes) => {
    const { start, end, hint } = line;
    if (also.length > 0 && also.some((character) => bytes.subarray(start, end).includes(character)))
      return byExpression(bytes, line, shownBytes);
    const text = bytes.subarray(hint, end);
    const skipped = hint - start;
    const places: number[] = [];
    for (let at = find(text, 0); at >= 0 && skipped + at <= (places[0] ?? skipped + at) + shownBytes; ) {
      const before = word && hint + at > start ? (bytes[hint + at - 1] as number) : lineFeed;
      const after = word && at + length < text.length ? (text[at + length] as number) : lineFeed;
      if (before >= asciiLimit || after >= asciiLimit) return byExpression(bytes, line, shownBytes);
      const isMatch = !isWordByte(before) && !isWordByte(after);
      if (isMatch) places.push(skipped + at, skipped + at + length);
      at = find(text, isMatch ? at + length : at + 1);
    }
    return places;
  };
}

/** 1 for each byte that a match may hold; undefined where that is almost any. */
function bytesWithin(tree: PatternTree): Uint8Array | undefined {
  const within = new Uint8Array(256);
  mark(tree, within);
  return within.subarray(0, asciiLimit).reduce((sum, isIn) => sum + isIn, 0) > mostOfAscii ? undefined : within;
}

function mark(tree: PatternTree, within: Uint8Array): void {
  switch (tree.kind) {
    case 'character':
      for (const byte of Buffer.from(String.fromCodePoint(tree.codePoint))) within[byte] = 1;
      break;
    case 'set':
      for (const [byte, isIn] of tree.ascii.entries()) if (isIn) within[byte] = 1;
      if (tree.beyond !== 'none' || tree.also.length > 0) within.fill(1, asciiLimit);
      break;
    case 'repeat':
      mark(tree.of, within);
      break;
    case 'sequence':
    case 'choice':
      for (const part of tree.of) mark(part, within);
      break;
    case 'assertion':
      break;
  }
}

/**
 * A match lies between two bytes that it can't hold, or the line's ends; those bytes are looked at for what must not stand beside it. Unsure where all that
 * would take too many steps.
 */
function placesInStretches(within: Uint8Array, hints: Hints, steps: MatchSteps, inText: LinePattern['placesIn']): LinePattern['placesIn'] {
  return (bytes, { start, end, hint }, shownBytes) => {
    const next = hints.find(bytes.subarray(start, end));
    const places: number[] = [];
    let taken = 0;
    for (let at = hint - start; at >= 0 && at <= (places[0] ?? at) + shownBytes; ) {
      let from = start + at;
      let to = from;
      while (from > start && within[bytes[from - 1] as number] === 1) from--;
      while (to < end && within[bytes[to] as number] === 1) to++;
      const textStart = Math.max(start, from - 1);
      const textEnd = Math.min(end, to + 1);
      taken += steps.atMost(textEnd - textStart);
      if (taken > stepsAtOnce) return 'unsure';
      const found = inText(bytes, { start: textStart, end: textEnd, hint: start + at }, shownBytes);
      if (found === 'unsure') return found;
      for (const place of found) places.push(textStart - start + place);
      if (to === end) break;
      at = next(to - start);
    }
    return places;
  };
}

function isWordByte(byte: number): boolean {
  const small = byte | 32;
  return (small >= 97 && small <= 122) || (byte >= 48 && byte <= 57) || byte === 95;
}

/**
 * Where there is doubt, the expression matches wherever ripgrep does, and perhaps elsewhere. A match that only looked at ASCII is one of ripgrep's as
 * well: no choice that led to it is another there, and none that comes before it leads to a match.
 */
function placesOf(line: string, expression: RegExp, doubt: Doubt, shownBytes: number): Places {
  const places: number[] = [];
  expression.lastIndex = 0;
  for (let match = expression.exec(line); match !== null; match = expression.exec(line)) {
    const start = match.index;
    const end = expression.lastIndex;
    if (doubt !== 'none' && isDoubtful(line, start, end, doubt)) return 'unsure';
    if (start > (places[0] ?? start) + shownBytes) break;
    places.push(start, end);
  }
  return places;
}

function isDoubtful(line: string, start: number, end: number, doubt: Doubt): boolean {
  for (let at = start; at < end; at++) if (line.charCodeAt(at) >= asciiLimit) return true;
  if (doubt === 'inside') return false;
  const before = start > 0 && line.charCodeAt(start - 1) >= asciiLimit;
  const after = end < line.length && line.charCodeAt(end) >= asciiLimit;
  if (doubt === 'beside') return before || after;
  return (before && !isPunctuation(line, start - punctuationBytes)) || (after && !isPunctuation(line, end));
}

/** U+2010 to U+2027: dashes, quotes, bullets and dots, which are not in words in any version of Unicode. */
function isPunctuation(line: string, at: number): boolean {
  const last = line.charCodeAt(at + 2);
  return line.charCodeAt(at) === 0xe2 && line.charCodeAt(at + 1) === 0x80 && last >= 0x90 && last <= 0xa7;
}
