// Three texts made one: what two sides made of the same base.

import { applyEdits, diffText, isWord, joinTouching, rebaseEdits } from './text-diff.ts';
import type { TextEdit } from './text-edit.ts';

/** Both sides' changes of `base` in one text; never throws, for any three texts. */
export function merge3(base: string, ours: string, theirs: string): string {
  if (ours === theirs || theirs === base) return ours;
  if (ours === base) return theirs;
  return applyEdits(ours, mergeEdits(base, ours, theirs));
}

/**
 * Edits that bring into `live` what `theirs` made of `base`; `live` was made of that, too. Words that stood apart, each in the text that it is from, and meet
 * now get a space between them.
 */
export function mergeEdits(base: string, live: string, theirs: string): TextEdit[] {
  const edits = rebaseEdits(diffText(base, theirs), diffText(base, live), base);
  let end = -1;
  // What stands before the place, and what followed that in its own text.
  let [last, next] = [Number.NaN, Number.NaN];
  const spaced = edits.map(({ at, remove, insert, place }, index) => {
    if (at !== end) [last, next] = [live.charCodeAt(at - 1), live.charCodeAt(at)];
    end = at + remove;
    const [before, after] = [theirs.charCodeAt(place - 1), theirs.charCodeAt(place + insert.length)];
    let spacedInsert = insert;
    if (insert !== '') {
      if (isGrown(last, next, before, insert.charCodeAt(0))) spacedInsert = ` ${insert}`;
      [last, next] = [insert.charCodeAt(insert.length - 1), after];
    } else if (before === last || (isWord(before) && isWord(after))) {
      // Theirs, too, says what follows there.
      next = after;
    }
    const isFollowed = edits[index + 1]?.at === end;
    if (!isFollowed && isGrown(last, next, live.charCodeAt(end - 1), live.charCodeAt(end))) spacedInsert += ' ';
    return { at, remove, insert: spacedInsert };
  });
  return joinTouching(spaced);
}

/** Whether two words meet that stood apart: `next` stood behind `last`, and `before` before `first`. */
function isGrown(last: number, next: number, before: number, first: number): boolean {
  return isWord(last) && !isWord(next) && !isWord(before) && isWord(first);
}
