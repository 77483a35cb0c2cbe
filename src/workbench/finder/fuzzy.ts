export interface Match {
  /** Higher is better. */
  score: number;
  /** Positions in the text that were matched, ascending. */
  at: number[];
}

const boundary = /[/_\-. ]/;

/**
 * How well the letters of `query` stand in `text` in their order, or undefined when they don't. Letters at the start of a name or
 * word and letters in a row count more, the file name more than its folders, short texts more than long ones.
 * `lower` is `text` in lower case, letter for letter; `nameStart` is where the file name begins.
 */
export function fuzzyMatch(query: string, text: string, lower: string, nameStart = 0): Match | undefined {
  if (query === '') return { score: 0, at: [] };
  // Within the name alone first: what people type is most often a part of it.
  return matchFrom(query, text, lower, nameStart, nameStart) ?? (nameStart > 0 ? matchFrom(query, text, lower, 0, nameStart) : undefined);
}

function matchFrom(query: string, text: string, lower: string, start: number, nameStart: number): Match | undefined {
  const whole = lower.indexOf(query, start);
  if (whole >= 0) {
    const atWord = wordStart(lower, query, start, text) ?? whole;
    return { score: scoreOf(run(atWord, query.length), text, nameStart) + 8, at: run(atWord, query.length) };
  }
  // From the end backwards, so that the last possible place of each letter is known, then forwards to the best of them.
  const latest = new Int32Array(query.length);
  let from = lower.length;
  for (let index = query.length - 1; index >= 0; index -= 1) {
    from = from === 0 ? -1 : lower.lastIndexOf(query[index] as string, from - 1);
    if (from < start) return undefined;
    latest[index] = from;
  }
  const at: number[] = [];
  let next = start;
  for (let index = 0; index < query.length; index += 1) {
    const letter = query[index] as string;
    const limit = latest[index] as number;
    let place = lower.indexOf(letter, next);
    // A letter next to the one before it, or at the start of a word, is what was meant; else the first.
    if (place !== next || index === 0) {
      for (let other = place; other >= 0 && other <= limit; other = lower.indexOf(letter, other + 1)) {
        if (isWordStart(text, other)) {
          place = other;
          break;
        }
      }
    }
    at.push(place);
    next = place + 1;
  }
  return { score: scoreOf(at, text, nameStart), at };
}

function wordStart(lower: string, query: string, start: number, text: string): number | undefined {
  for (let at = lower.indexOf(query, start); at >= 0; at = lower.indexOf(query, at + 1)) if (isWordStart(text, at)) return at;
  return undefined;
}

function run(start: number, length: number): number[] {
  return Array.from({ length }, (_, index) => start + index);
}

function isWordStart(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text[at - 1] as string;
  const here = text[at] as string;
  return boundary.test(before) || (before === before.toLowerCase() && here !== here.toLowerCase());
}

function scoreOf(at: readonly number[], text: string, nameStart: number): number {
  let score = 0;
  for (let index = 0; index < at.length; index += 1) {
    const place = at[index] as number;
    if (isWordStart(text, place)) score += 6;
    if (index > 0 && place === (at[index - 1] as number) + 1) score += 5;
    if (place >= nameStart) score += 3;
    if (place === nameStart) score += 4;
  }
  return score - (text.length - nameStart) * 0.1 - nameStart * 0.02;
}

export interface Candidate {
  text: string;
  lower: string;
  nameStart: number;
}

/** In lower case and of the same length, so that places agree. */
function fold(text: string): string {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  // `İ` becomes an i and a dot: the i stands for it.
  return Array.from(text, (letter) => letter.toLowerCase().slice(0, letter.length)).join('');
}

export function candidate(path: string): Candidate {
  return { text: path, lower: fold(path), nameStart: path.lastIndexOf('/') + 1 };
}

export interface Found<T extends Candidate> {
  candidate: T;
  match: Match;
}

/** The best `most` of the candidates, best first; those of one score in their own order. `bonus` favours e.g. recent ones. */
export function rank<T extends Candidate>(
  query: string,
  candidates: Iterable<T>,
  most: number,
  bonus: (candidate: T) => number = () => 0,
): Found<T>[] {
  const wanted = fold(query).replaceAll(' ', '');
  const best: Found<T>[] = [];
  for (const one of candidates) {
    const match = fuzzyMatch(wanted, one.text, one.lower, one.nameStart);
    if (match === undefined) continue;
    match.score += bonus(one);
    if (best.length === most && match.score <= (best[most - 1] as Found<T>).match.score) continue;
    let place = best.length;
    while (place > 0 && (best[place - 1] as Found<T>).match.score < match.score) place -= 1;
    best.splice(place, 0, { candidate: one, match });
    if (best.length > most) best.pop();
  }
  return best;
}
