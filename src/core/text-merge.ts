// Three texts made one: what two sides made of the same base.

import { applyEdits, diffText, isWord, joinTouching, rebaseEdits } from './text-diff.ts';
import type { TextEdit } from './text-edit.ts';

/** What is longer is no word that grew together. UTF-16 code units. */
const maxWordChars = 256;

/** Both sides' changes of `base` in one text; never throws, for any three texts. */
export function merge3(base: string, ours: string, theirs: string): string {
  if (ours === theirs || theirs === base) return ours;
  if (ours === base) return theirs;
  return applyEdits(ours, mergeEdits(base, ours, theirs));
}

/** Edits that bring into `live` what `theirs` made of `base`; `live` was made of that, too. Words that stood apart and meet now get a space between them. */
export function mergeEdits(base: string, live: string, theirs: string): TextEdit[] {
  const edits = rebaseEdits(diffText(base, theirs), diffText(base, live), base);
  const merged = applyEdits(live, edits);
  let words: Set<string> | undefined;
  let apart = -1;
  const space = (at: number): string => {
    if (at === apart || !isWord(merged.charCodeAt(at - 1)) || !isWord(merged.charCodeAt(at))) return '';
    words ??= new Set([...wordsOf(live), ...wordsOf(theirs)]);
    if (!isGrown(merged, at, words)) return '';
    apart = at;
    return ' ';
  };
  let shift = 0;
  const spaced = edits.map(({ at, remove, insert }) => {
    const start = at + shift;
    shift += insert.length - remove;
    return { at, remove, insert: space(start) + insert + space(start + insert.length) };
  });
  return joinTouching(spaced);
}

/** Whether two words of `words` meet at `at` and make one that is none of them. */
function isGrown(text: string, at: number, words: ReadonlySet<string>): boolean {
  let from = at;
  while (at - from <= maxWordChars && isWord(text.charCodeAt(from - 1))) from--;
  let to = at;
  while (to - at <= maxWordChars && isWord(text.charCodeAt(to))) to++;
  return words.has(text.slice(from, at)) && words.has(text.slice(at, to)) && !words.has(text.slice(from, to));
}

function wordsOf(text: string): string[] {
  return text.match(/[\w\u00c0-\u1fff]+/g) ?? [];
}
