// Words that a comparison took away at one place and put back at another although they never moved. To whoever edits the text
// at the same time they would be new characters: who removes such a word would find it there again.

import { longestIncreasing } from './sequence-diff.ts';
import type { TextEdit } from './text-edit.ts';

/** More text than this is moved or replaced, not edited around. */
const maxTouchedChars = 8192;
const maxRegionChars = 16_384;
/** To look for all words of a region in the whole text costs so many characters at most. */
const maxLookedAt = 50_000_000;
/** Shorter words happen to be in many texts. */
const minWordChars = 3;
const wordPattern = /[\p{L}\p{N}_]{3,}/gu;

/**
 * The same change with every word left alone that both texts have exactly once, in one order, as far as less is touched then. `refine` compares what stands between two
 * such words and gives edits for a text that begins at `at`. Returns `edits` itself where no word was taken away and put back.
 */
export function keepSameWords(
  before: string,
  after: string,
  edits: TextEdit[],
  refine: (before: string, after: string, at: number) => TextEdit[],
): TextEdit[] {
  const region = touchedTwice(before, edits);
  if (region === undefined) return edits;
  const { first, last, start, end, afterStart, afterEnd } = region;
  const old = before.slice(start, end);
  const fresh = after.slice(afterStart, afterEnd);
  const inOld = wordsThereOnce(old);
  const inFresh = wordsThereOnce(fresh);
  const common = [...inOld].flatMap(([word, at]) => {
    const freshAt = inFresh.get(word);
    // A word that stands elsewhere as well is no sign of anything.
    if (freshAt === undefined || !isThereOnce(before, word) || !isThereOnce(after, word)) return [];
    return [{ word, at, freshAt }];
  });
  const kept = longestIncreasing(common.map(({ freshAt }) => freshAt));
  const result = edits.slice(0, first);
  let at = 0;
  let freshAt = 0;
  const between = (oldEnd: number, freshEnd: number): void => {
    const [oldGap, freshGap] = [old.slice(at, oldEnd), fresh.slice(freshAt, freshEnd)];
    if (oldGap !== freshGap) result.push(...refine(oldGap, freshGap, start + at));
  };
  for (const index of kept) {
    const anchor = common[index] as (typeof common)[number];
    between(anchor.at, anchor.freshAt);
    at = anchor.at + anchor.word.length;
    freshAt = anchor.freshAt + anchor.word.length;
  }
  between(old.length, fresh.length);
  result.push(...edits.slice(last + 1));
  // A word that did move is not worth what stayed around it.
  return touchedChars(before, result) < touchedChars(before, edits) ? result : edits;
}

/** Characters that are taken away or put there, but for blanks. */
function touchedChars(before: string, edits: readonly TextEdit[]): number {
  return edits.reduce((sum, { at, remove, insert }) => sum + withoutBlanks(before.slice(at, at + remove)) + withoutBlanks(insert), 0);
}

function withoutBlanks(text: string): number {
  return text.replace(/\s+/g, '').length;
}

/** From the first to the last edit that touches a word which another (or the same) puts back; undefined: there is no such word, or too much to look at. */
function touchedTwice(
  before: string,
  edits: readonly TextEdit[],
): { first: number; last: number; start: number; end: number; afterStart: number; afterEnd: number } | undefined {
  if (edits.every((edit) => edit.remove === 0) || edits.every((edit) => edit.insert === '')) return undefined;
  if (edits.reduce((chars, edit) => chars + edit.remove + edit.insert.length, 0) > maxTouchedChars) return undefined;
  const removed = new Map<string, number>();
  for (const [index, edit] of edits.entries())
    for (const [word] of before.slice(edit.at, edit.at + edit.remove).matchAll(wordPattern)) removed.set(word, index);
  let first = edits.length;
  let last = -1;
  for (const [index, edit] of edits.entries()) {
    for (const [word] of edit.insert.matchAll(wordPattern)) {
      const from = removed.get(word);
      if (from === undefined) continue;
      first = Math.min(first, from, index);
      last = Math.max(last, from, index);
    }
  }
  if (last < 0) return undefined;
  const grown = (until: number): number => edits.slice(0, until).reduce((chars, edit) => chars + edit.insert.length - edit.remove, 0);
  const start = (edits[first] as TextEdit).at;
  const final = edits[last] as TextEdit;
  const end = final.at + final.remove;
  if (end - start > maxRegionChars || ((end - start) / minWordChars) * before.length > maxLookedAt) return undefined;
  return { first, last, start, end, afterStart: start + grown(first), afterEnd: end + grown(last + 1) };
}

function isThereOnce(text: string, word: string): boolean {
  const at = text.indexOf(word);
  return at >= 0 && text.lastIndexOf(word) === at;
}

/** Where each word stands that stands there once. */
function wordsThereOnce(text: string): Map<string, number> {
  const places = new Map<string, number>();
  const more = new Set<string>();
  for (const { 0: word, index } of text.matchAll(wordPattern)) {
    if (more.has(word)) continue;
    if (places.delete(word)) more.add(word);
    else places.set(word, index);
  }
  return places;
}
