import { isAscii } from 'node:buffer';
import { type FindHint, hintsFor, type WholeRun, wholeRun } from './line-hints.ts';
import { type MatchSteps, matchSteps } from './match-steps.ts';
import { type Doubt, doubtOf, sourceOf } from './pattern-source.ts';
import { readPattern } from './pattern-tree.ts';
import type { TextQuery } from './ripgrep.ts';

const lineFeed = 10;
const asciiLimit = 0x80;
const punctuationBytes = 3;

/** Starts and ends of matches in bytes of the line, in turns; 'unsure' where ripgrep has to say. */
export type Places = number[] | 'unsure';

/** A pattern of which it is known for certain what ripgrep finds for it in a line. */
export interface LinePattern {
  /** Finds lines worth a look, in text without NUL and without a byte order mark. */
  hints(bytes: Buffer): FindHint;
  /** All places in the line that begins at `start` and whose break, or the end of the text, is at `end`; those far behind the first may be left out. */
  placesIn(bytes: Buffer, start: number, end: number, shownBytes: number): Places;
  /** About how many steps that may take. */
  readonly steps: MatchSteps;
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
  const byExpression: LinePattern['placesIn'] = (bytes, start, end, shownBytes) => {
    const line = bytes.toString('latin1', start, end);
    if (faults.onlyAscii === true || isAscii(bytes.subarray(start, end))) return placesOf(line, expressions.ascii, 'none', shownBytes);
    return placesOf(line, expressions.wide, doubt, shownBytes);
  };
  return {
    hints,
    placesIn: run === undefined || faults.onlyAscii === true ? byExpression : placesOfRun(run, byExpression),
    steps,
    isUnsure: doubt !== 'none',
  };
}

/** As the expression would give them. */
function placesOfRun({ find, bytes: length, also, word }: WholeRun, byExpression: LinePattern['placesIn']): LinePattern['placesIn'] {
  return (bytes, start, end, shownBytes) => {
    const line = bytes.subarray(start, end);
    if (also.length > 0 && also.some((character) => line.includes(character))) return byExpression(bytes, start, end, shownBytes);
    const places: number[] = [];
    for (let at = find(line, 0); at >= 0 && at <= (places[0] ?? at) + shownBytes; ) {
      const before = word && at > 0 ? (line[at - 1] as number) : lineFeed;
      const after = word && at + length < line.length ? (line[at + length] as number) : lineFeed;
      if (before >= asciiLimit || after >= asciiLimit) return byExpression(bytes, start, end, shownBytes);
      const isMatch = !isWordByte(before) && !isWordByte(after);
      if (isMatch) places.push(at, at + length);
      at = find(line, isMatch ? at + length : at + 1);
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
