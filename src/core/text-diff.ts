// How one text became another, as few small edits; and the same edits moved onto a text that changed meanwhile. Offsets are UTF-16 code units. Work is
// counted, not timed: the same texts always give the same edits, and 1 MB stays in the tens of milliseconds whatever it holds (bounds: sequence-diff.ts).

import { keepSameWords } from './same-words.ts';
import { diffSequences, type Hunk, pushHunk, type Work } from './sequence-diff.ts';
import type { TextEdit } from './text-edit.ts';

export type { TextEdit };

/** `place`: where what it inserts stands in the text of those who made it. */
export interface MovedEdit extends TextEdit {
  place: number;
}

export type TextDelta = ({ retain: number } | { insert: string } | { delete: number })[];

const maxSteps = 12_000_000;
// Hunks up to this length are compared word by word, as long as the words of the whole answer stay below maxWordChars.
const maxHunkChars = 8192;
const maxWordChars = 400_000;
const maxPairedLines = 60_000;
// Longer lines (minified files) are cut where their content says so, into pieces of minPieceChars … maxPieceChars.
const longLineChars = 1024;
const minPieceChars = 16;
const maxPieceChars = 512;

/**
 * Edits that turn `before` into `after`: apply to the old text, in order, never inside a surrogate pair. Whole lines stay whole: an inserted or removed
 * block begins at a line start where it can, so that two sides that did the same thing describe it the same way.
 */
export function diffText(before: string, after: string): TextEdit[] {
  if (before === after) return [];
  const { prefix, suffix } = commonEnds(before, after);
  const beforeEnd = before.length - suffix;
  const afterEnd = after.length - suffix;
  if (prefix === beforeEnd || prefix === afterEnd) {
    return settleEdits(before, [{ at: prefix, remove: beforeEnd - prefix, insert: after.slice(prefix, afterEnd) }]);
  }
  // What is between the common ends is widened to whole lines, the same number of characters on both sides.
  const start = prefix > 0 ? before.lastIndexOf('\n', prefix - 1) + 1 : 0;
  const newline = before.indexOf('\n', beforeEnd);
  const kept = newline < 0 ? suffix : newline + 1 - beforeEnd;
  const edits = new Refiner().refine(before.slice(start, beforeEnd + kept), after.slice(start, afterEnd + kept));
  for (const edit of edits) edit.at += start;
  const refine = (old: string, fresh: string, at: number): TextEdit[] => {
    const refiner = new Refiner();
    refiner.refineText(old, fresh, at);
    return refiner.edits;
  };
  const settled = settleEdits(before, edits);
  const calm = keepSameWords(before, after, settled, refine);
  return calm === settled ? settled : settleEdits(before, calm);
}

/** Throws RangeError when the edits are unsorted, overlap or reach beyond the text. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const parts: string[] = [];
  let end = 0;
  for (const edit of edits) {
    checkEdit(edit, end);
    if (edit.at + edit.remove > text.length) throw new RangeError(`Edit at ${edit.at} reaches beyond the text of ${text.length}`);
    parts.push(text.slice(end, edit.at), edit.insert);
    end = edit.at + edit.remove;
  }
  parts.push(text.slice(end));
  return parts.join('');
}

/**
 * `theirs` (base → disk) in the coordinates of the live text, where `ours` (base → live) already happened. Edits that don't meet are all kept; where they
 * meet, what either side removed is gone and both insertions stay, ours first where they stand at one place. What both sides did alike (the same edit; the same inserted lines at the
 * same place) is not done again. With `base`, places where both sides reached the same text by different edits are recognised too.
 * Those that came to touch, as ours took away what was between them, are still apart.
 */
export function rebaseEdits(theirs: readonly TextEdit[], ours: readonly TextEdit[], base?: string): MovedEdit[] {
  const live = joinTouching(ours);
  const moved: MovedEdit[] = [];
  let next = 0;
  let shift = 0;
  for (const edit of withoutAgreed(placesOf(joinTouching(theirs)), live, base)) {
    const end = edit.at + edit.remove;
    const behind = edit.place + edit.insert.length;
    // Ours that end at or before this edit's start, insertions at the same place included: ours comes first.
    for (let own = live[next]; own && own.at + own.remove <= edit.at; own = live[++next]) shift += own.insert.length - own.remove;
    const previous = live[next - 1];
    if (edit.remove === 0 && previous && previous.at === edit.at && previous.remove === 0) {
      moved.push(...insertBeside(edit.insert, edit.place, previous.insert, edit.at + shift));
      continue;
    }
    let from = edit.at;
    let ownShift = shift;
    let pending: string | null = edit.insert;
    for (let index = next; ; index++) {
      const own = live[index];
      // A pure insertion of ours at either edge does not meet this edit; inside, it survives between two removals.
      if (!own || own.at >= end) break;
      if (own.at > from) {
        moved.push({ at: from + ownShift, remove: own.at - from, insert: pending ?? '', place: pending ? edit.place : behind });
        pending = null;
      }
      const ownStart = own.at + ownShift;
      ownShift += own.insert.length - own.remove;
      from = Math.max(from, own.at + own.remove);
      if (pending !== null && own.at === edit.at && own.remove === edit.remove) {
        moved.push(...insertBeside(pending, edit.place, own.insert, ownStart + own.insert.length));
        pending = null;
      } else if (pending && (placeOfLines(pending, own.insert) >= 0 || (pending === own.insert && sharesEdge(edit, own)))) {
        pending = '';
      }
      if (from > end) break;
    }
    if (from < end) moved.push({ at: from + ownShift, remove: end - from, insert: pending ?? '', place: pending ? edit.place : behind });
    else if (pending) moved.push({ at: from + ownShift, remove: 0, insert: pending, place: edit.place });
  }
  return moved;
}

/** The same edits as one Yjs delta, for `Y.Text.applyDelta(delta)`; with `sanitize: false` yjs 13 drops a line break at the very end. */
export function toDelta(edits: readonly TextEdit[]): TextDelta {
  const delta: TextDelta = [];
  let end = 0;
  for (const edit of edits) {
    checkEdit(edit, end);
    if (edit.at > end) delta.push({ retain: edit.at - end });
    if (edit.insert) delta.push({ insert: edit.insert });
    if (edit.remove) delta.push({ delete: edit.remove });
    end = edit.at + edit.remove;
  }
  return delta;
}

function checkEdit(edit: TextEdit, end: number): void {
  if (!Number.isInteger(edit.at) || !Number.isInteger(edit.remove) || edit.remove < 0 || edit.at < 0) {
    throw new RangeError(`Edit at ${edit.at} removing ${edit.remove} is no range`);
  }
  if (edit.at < end) throw new RangeError(`Edit at ${edit.at} overlaps or precedes the one that ends at ${end}`);
}

/** The coarse to fine part of the diff: pieces (lines), then pieces that differ in white space only, then words, then characters at the ends. */
class Refiner {
  readonly work: Work = { left: maxSteps };
  wordCharsLeft = maxWordChars;
  readonly edits: TextEdit[] = [];

  refine(before: string, after: string): TextEdit[] {
    const a = new Pieces(before, cutPieces(before));
    const b = new Pieces(after, cutPieces(after));
    for (const hunk of diffPieces(a, b, (piece) => piece, this.work)) this.refineHunk(a, b, hunk);
    return this.edits;
  }

  /** Lines that were only re-indented are still the same lines, however many were added among them. */
  refineHunk(a: Pieces, b: Pieces, hunk: Hunk): void {
    const aCount = hunk.aEnd - hunk.aStart;
    const bCount = hunk.bEnd - hunk.bStart;
    if (aCount === 0 || bCount === 0 || aCount + bCount === 2 || alike(a, b, hunk)) return this.refineRange(a, b, hunk);
    const aLines = a.part(hunk.aStart, hunk.aEnd);
    const bLines = b.part(hunk.bStart, hunk.bEnd);
    // Each line that is equal but for white space becomes one edit; the rest of the hunk lies between such lines.
    let [aAt, bAt] = [0, 0];
    const pairLines = (aEnd: number, bEnd: number): void => {
      for (; aAt < aEnd && bAt < bEnd; aAt++, bAt++) {
        this.refineRange(aLines, bLines, { aStart: aAt, aEnd: aAt + 1, bStart: bAt, bEnd: bAt + 1 });
      }
    };
    for (const inner of diffPieces(aLines, bLines, (piece) => piece.trim(), this.work)) {
      pairLines(inner.aStart, inner.bStart);
      this.refineRange(aLines, bLines, inner);
      aAt = inner.aEnd;
      bAt = inner.bEnd;
    }
    pairLines(aLines.count, bLines.count);
  }

  refineRange(a: Pieces, b: Pieces, hunk: Hunk): void {
    if (hunk.aEnd - hunk.aStart > 1 && alike(a, b, hunk)) {
      for (let i = hunk.aStart, j = hunk.bStart; i < hunk.aEnd; i++, j++) this.refineText(a.piece(i), b.piece(j), a.base + a.offset(i));
      return;
    }
    const at = a.offset(hunk.aStart);
    const before = a.text.slice(at, a.offset(hunk.aEnd));
    const after = b.text.slice(b.offset(hunk.bStart), b.offset(hunk.bEnd));
    this.refineText(before, after, a.base + at);
  }

  refineText(before: string, after: string, at: number): void {
    const whole = replacement(before, after, at);
    if (!whole) return;
    const size = whole.remove + whole.insert.length;
    if (whole.remove === 0 || whole.insert === '' || size > maxHunkChars || size > this.wordCharsLeft) {
      this.edits.push(whole);
      return;
    }
    this.wordCharsLeft -= size;
    const old = before.slice(whole.at - at, whole.at - at + whole.remove);
    const a = new Pieces(old, cutWords(old));
    const b = new Pieces(whole.insert, cutWords(whole.insert));
    const hunks = withoutConfetti(
      a,
      b,
      diffPieces(a, b, (word) => word, this.work),
    );
    for (const hunk of hunks) {
      const removed = old.slice(a.offset(hunk.aStart), a.offset(hunk.aEnd));
      const inserted = b.text.slice(b.offset(hunk.bStart), b.offset(hunk.bEnd));
      const edit = replacement(removed, inserted, whole.at + a.offset(hunk.aStart));
      if (edit) this.edits.push(edit);
    }
  }
}

/** A text and where its pieces end. */
class Pieces {
  readonly text: string;
  readonly ends: Int32Array | number[];
  /** Offset of this text in the one that the edits are for. */
  readonly base: number;

  constructor(text: string, ends: Int32Array | number[], base = 0) {
    this.text = text;
    this.ends = ends;
    this.base = base;
  }

  get count(): number {
    return this.ends.length;
  }

  offset(piece: number): number {
    return piece === 0 ? 0 : (this.ends[piece - 1] as number);
  }

  piece(index: number): string {
    return this.text.slice(this.offset(index), this.ends[index]);
  }

  part(from: number, to: number): Pieces {
    const start = this.offset(from);
    const ends = Int32Array.from(this.ends.slice(from, to), (end) => end - start);
    return new Pieces(this.text.slice(start, this.offset(to)), ends, this.base + start);
  }
}

function diffPieces(a: Pieces, b: Pieces, keyOf: (piece: string) => string, work: Work): Hunk[] {
  const ids = new Map<string, number>();
  const intern = (pieces: Pieces): Int32Array => {
    const sequence = new Int32Array(pieces.count);
    for (let index = 0; index < sequence.length; index++) {
      const key = keyOf(pieces.piece(index));
      let id = ids.get(key);
      if (id === undefined) {
        id = ids.size;
        ids.set(key, id);
      }
      sequence[index] = id;
    }
    return sequence;
  };
  const [first, second] = [intern(a), intern(b)];
  return diffSequences(first, second, ids.size, work);
}

/** Lines with their '\n'; a long line in pieces whose borders depend on the characters around them only, so that an edit moves few borders. */
function cutPieces(text: string): number[] {
  const ends: number[] = [];
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline + 1;
    if (end - start > longLineChars) cutLongLine(text, start, end, ends);
    ends.push(end);
    start = end;
  }
  return ends;
}

function cutLongLine(text: string, start: number, end: number, ends: number[]): void {
  let pieceStart = start;
  let hash = 0;
  for (let index = start; index < end - 1; index++) {
    const code = text.charCodeAt(index);
    // Shifting out of 32 bits forgets: only the last characters count.
    hash = ((hash << 6) + code * 0x9e3779b1) | 0;
    const length = index + 1 - pieceStart;
    if (length < minPieceChars || isHighSurrogate(code)) continue;
    if ((hash >>> 24) % 48 === 0 || length >= maxPieceChars) {
      ends.push(index + 1);
      pieceStart = index + 1;
    }
  }
}

/** Runs of letters and digits, runs of blanks, and every other character for itself; scripts without spaces by character. */
function cutWords(text: string): number[] {
  const ends: number[] = [];
  let previous = -1;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const kind = wordKind(code);
    if (index > 0 && (kind === 0 || kind !== previous) && !isLowSurrogate(code)) ends.push(index);
    previous = kind;
  }
  if (text.length > 0) ends.push(text.length);
  return ends;
}

function wordKind(code: number): 0 | 1 | 2 {
  if (code === 32 || code === 9) return 2;
  if ((code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95) return 1;
  return code >= 0xc0 && code < 0x2000 ? 1 : 0;
}

/** As many lines on both sides, and those at the same place share half of their text at their ends: they are the same lines. */
function alike(a: Pieces, b: Pieces, hunk: Hunk): boolean {
  const lines = hunk.aEnd - hunk.aStart;
  if (lines !== hunk.bEnd - hunk.bStart || lines > maxPairedLines) return false;
  let common = 0;
  let larger = 0;
  for (let i = hunk.aStart, j = hunk.bStart; i < hunk.aEnd; i++, j++) {
    const [old, fresh] = [a.piece(i), b.piece(j)];
    const { prefix, suffix } = commonEnds(old, fresh);
    common += prefix + suffix;
    larger += Math.max(old.length, fresh.length);
  }
  return common * 2 >= larger;
}

/**
 * Words count as kept only where at least half of their old or of their new line is kept: brackets and short words that happen to be in both texts tie
 * nothing together, and a line that is new stays in one piece.
 */
function withoutConfetti(a: Pieces, b: Pieces, hunks: Hunk[]): Hunk[] {
  if (hunks.length < 2) return hunks;
  const [linesA, linesB] = [new LineShares(a), new LineShares(b)];
  let [i, j] = [0, 0];
  for (const hunk of hunks) {
    for (; i < hunk.aStart; i++, j++) {
      linesA.keep(i);
      linesB.keep(j);
    }
    [i, j] = [hunk.aEnd, hunk.bEnd];
  }
  const kept: Hunk[] = [];
  [i, j] = [0, 0];
  for (const hunk of hunks) {
    // One short word with new ones grown onto both its sides was not kept: it only looks so.
    const alone = kept.length > 0 && hunk.bStart - j === 1 && hunk.bEnd > hunk.bStart && b.piece(j).length <= 2 && isGrown(b, j);
    for (; i < hunk.aStart; i++, j++) {
      if (alone || (!linesA.isKept(i) && !linesB.isKept(j))) pushHunk(kept, { aStart: i, aEnd: i + 1, bStart: j, bEnd: j + 1 });
    }
    pushHunk(kept, { ...hunk });
    [i, j] = [hunk.aEnd, hunk.bEnd];
  }
  return kept;
}

/** No white space on either side. */
function isGrown(words: Pieces, index: number): boolean {
  return index > 0 && index + 1 < words.count && /\S$/.test(words.piece(index - 1)) && /^\S/.test(words.piece(index + 1));
}

/** How much of each line of a text is kept; blanks don't count. */
class LineShares {
  readonly words: Pieces;
  readonly lineOf: Int32Array;
  readonly total: number[] = [0];
  readonly kept: number[] = [0];

  constructor(words: Pieces) {
    this.words = words;
    this.lineOf = new Int32Array(words.count);
    let line = 0;
    for (let word = 0; word < words.count; word++) {
      this.lineOf[word] = line;
      this.total[line] = (this.total[line] as number) + this.weight(word);
      if (words.text.charCodeAt(words.offset(word)) === newlineCode) {
        line++;
        this.total.push(0);
        this.kept.push(0);
      }
    }
  }

  keep(word: number): void {
    const line = this.lineOf[word] as number;
    this.kept[line] = (this.kept[line] as number) + this.weight(word);
  }

  isKept(word: number): boolean {
    const line = this.lineOf[word] as number;
    return (this.kept[line] as number) * 2 >= (this.total[line] as number);
  }

  weight(word: number): number {
    const start = this.words.offset(word);
    return wordKind(this.words.text.charCodeAt(start)) === 2 ? 0 : (this.words.ends[word] as number) - start;
  }
}

/**
 * One edit without the common ends. Inside one word, or where text only came or went, to the character; where several words were replaced, by whole
 * words, so that no letter of the old text is kept in the middle of something new.
 */
function replacement(before: string, after: string, at: number): TextEdit | null {
  if (before === after) return null;
  let { prefix, suffix } = commonEnds(before, after);
  const edit = (): TextEdit => ({
    at: at + prefix,
    remove: before.length - prefix - suffix,
    insert: after.slice(prefix, after.length - suffix),
  });
  const exact = edit();
  if (exact.remove === 0 || exact.insert === '') return exact;
  if (isOneWord(before, prefix, before.length - suffix) && isOneWord(after, prefix, after.length - suffix)) return exact;
  while (prefix > 0 && (insideWord(before, prefix) || insideWord(after, prefix))) prefix--;
  while (suffix > 0 && (insideWord(before, before.length - suffix) || insideWord(after, after.length - suffix))) suffix--;
  return edit();
}

function isOneWord(text: string, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (wordKind(text.charCodeAt(index)) !== 1) return false;
  return true;
}

function insideWord(text: string, at: number): boolean {
  return at > 0 && at < text.length && wordKind(text.charCodeAt(at - 1)) === 1 && wordKind(text.charCodeAt(at)) === 1;
}

/** Lengths of what two texts share at both ends, not overlapping, and never half of a surrogate pair. */
function commonEnds(before: string, after: string): { prefix: number; suffix: number } {
  const shorter = Math.min(before.length, after.length);
  let prefix = 0;
  while (prefix < shorter && before.charCodeAt(prefix) === after.charCodeAt(prefix)) prefix++;
  if (prefix > 0 && isHighSurrogate(before.charCodeAt(prefix - 1))) prefix--;
  let suffix = 0;
  const most = shorter - prefix;
  while (suffix < most && before.charCodeAt(before.length - 1 - suffix) === after.charCodeAt(after.length - 1 - suffix)) suffix++;
  if (suffix > 0 && isLowSurrogate(before.charCodeAt(before.length - suffix))) suffix--;
  return { prefix, suffix };
}

/** Joins edits that touch and gives each pure insertion or removal, which can often stand at several places, its one place. */
function settleEdits(before: string, edits: readonly TextEdit[]): TextEdit[] {
  const joined = joinTouching(edits);
  for (let index = 0; index < joined.length; index++) {
    const edit = joined[index] as TextEdit;
    const previous = joined[index - 1];
    const lowest = previous ? previous.at + previous.remove + 1 : 0;
    const highest = (joined[index + 1]?.at ?? before.length + 1) - 1;
    if (edit.remove > 0 && edit.insert !== '') widen(before, edit, lowest, highest);
    else slide(before, edit, lowest, highest);
    // Lines that came have no word in common with what stood there before, though that may end or begin like one of theirs.
    if (edit.remove === 0 && edit.insert.includes('\n') && cutsWord(before, edit)) widen(before, edit, lowest, highest);
  }
  return joined;
}

function cutsWord(before: string, { at, insert }: TextEdit): boolean {
  const joinsBefore = isWord(before.charCodeAt(at - 1)) && isWord(insert.charCodeAt(0));
  return joinsBefore || (isWord(insert.charCodeAt(insert.length - 1)) && isWord(before.charCodeAt(at)));
}

/** A replacement takes whole words: half a word of one side and half of the other make one that nobody wrote. */
function widen(before: string, edit: TextEdit, lowest: number, highest: number): void {
  const limit = Math.min(highest, edit.at + edit.remove + maxWidened);
  let from = edit.at;
  if (isWord(before.charCodeAt(edit.at)) || isWord(edit.insert.charCodeAt(0))) {
    while (from > lowest && edit.at - from < maxWidened && isWord(before.charCodeAt(from - 1))) from--;
  }
  let end = edit.at + edit.remove;
  if (isWord(before.charCodeAt(end - 1)) || isWord(edit.insert.charCodeAt(edit.insert.length - 1))) {
    while (end < limit && isWord(before.charCodeAt(end))) end++;
  }
  edit.insert = before.slice(from, edit.at) + edit.insert + before.slice(edit.at + edit.remove, end);
  edit.remove = end - from;
  edit.at = from;
}

/** The place is the last one where the block is whole lines; where none is, the last where it cuts no word in two; else the last of all. */
function slide(before: string, edit: TextEdit, lowest: number, highest: number): void {
  const block = edit.remove > 0 ? before.slice(edit.at, edit.at + edit.remove) : edit.insert;
  const size = block.length;
  const end = edit.at + edit.remove;
  let right = 0;
  while (end + right < highest && before.charCodeAt(end + right) === block.charCodeAt(right % size)) right++;
  let left = 0;
  while (edit.at - left > lowest && before.charCodeAt(edit.at - 1 - left) === block.charCodeAt(size - 1 - (left % size))) left++;
  let last: number | null = null;
  let words: number | null = null;
  let lines: number | null = null;
  for (let offset = right; offset >= -left; offset--) {
    const first = ((offset % size) + size) % size;
    const at = edit.at + offset;
    const closing = block.charCodeAt((first + size - 1) % size);
    if (at > 0 && isHighSurrogate(before.charCodeAt(at - 1))) continue;
    if (isLowSurrogate(block.charCodeAt(first)) || isHighSurrogate(closing)) continue;
    last ??= offset;
    if (closing === newlineCode && (at === 0 || before.charCodeAt(at - 1) === newlineCode)) {
      lines = offset;
      break;
    }
    const cutsBefore = isWord(before.charCodeAt(at - 1)) && isWord(block.charCodeAt(first));
    const cutsAfter = isWord(closing) && isWord(before.charCodeAt(at + edit.remove));
    if (!cutsBefore && !cutsAfter) words ??= offset;
  }
  const offset = lines ?? words ?? last ?? 0;
  if (offset === 0) return;
  const first = ((offset % size) + size) % size;
  edit.at += offset;
  if (edit.remove === 0) edit.insert = block.slice(first) + block.slice(0, first);
}

const newlineCode = 10;
const maxWidened = 64;

/** Letters of alphabets that write words, digits and underscore. NaN (no character) is none. */
export function isWord(code: number): boolean {
  return (
    (code >= 48 && code <= 57) ||
    (code >= 65 && code <= 90) ||
    (code >= 97 && code <= 122) ||
    code === 95 ||
    (code >= 0xc0 && code < 0x2000)
  );
}

export function joinTouching(edits: readonly TextEdit[]): TextEdit[] {
  const joined: TextEdit[] = [];
  let end = 0;
  for (const edit of edits) {
    checkEdit(edit, end);
    end = edit.at + edit.remove;
    if (edit.remove === 0 && edit.insert === '') continue;
    const last = joined.at(-1);
    if (last && last.at + last.remove === edit.at) {
      last.remove += edit.remove;
      last.insert += edit.insert;
    } else {
      joined.push({ ...edit });
    }
  }
  return joined;
}

/** The same edits, with their places in the text that they lead to. */
function placesOf(edits: readonly TextEdit[]): MovedEdit[] {
  let shift = 0;
  return edits.map((edit) => {
    const place = edit.at + shift;
    shift += edit.insert.length - edit.remove;
    return { ...edit, place };
  });
}

/** Theirs without what ours did too: equal edits, and groups of meeting edits that lead to the same text. */
function withoutAgreed(theirs: MovedEdit[], ours: TextEdit[], base: string | undefined): MovedEdit[] {
  const left: MovedEdit[] = [];
  let own = 0;
  for (let index = 0; index < theirs.length; ) {
    // A group: edits of both sides that meet, directly or through each other.
    const group = [theirs[index++] as MovedEdit];
    let start = (group[0] as TextEdit).at;
    let end = start + (group[0] as TextEdit).remove;
    while (own < ours.length && endOf(ours[own] as TextEdit) < start) own++;
    const first = own;
    for (let grew = true; grew; ) {
      grew = false;
      for (let next = ours[own]; next && next.at <= end; next = ours[++own]) {
        start = Math.min(start, next.at);
        end = Math.max(end, endOf(next));
        grew = true;
      }
      for (let next = theirs[index]; next && next.at <= end && own > first; next = theirs[++index]) {
        group.push(next);
        end = Math.max(end, endOf(next));
        grew = true;
      }
    }
    const mates = ours.slice(first, own);
    const remaining = group.filter((edit) => !mates.some((mate) => sameEdit(mate, edit)));
    if (remaining.length === 0) continue;
    if (base !== undefined && mates.length > 0 && sameResult(base, start, end, group, mates)) continue;
    left.push(...remaining);
  }
  return left;
}

function sameResult(base: string, start: number, end: number, theirs: TextEdit[], ours: TextEdit[]): boolean {
  const text = base.slice(start, end);
  const moved = (edits: TextEdit[]): TextEdit[] => edits.map((edit) => ({ ...edit, at: edit.at - start }));
  return applyEdits(text, moved(theirs)) === applyEdits(text, moved(ours));
}

function sameEdit(one: TextEdit, other: TextEdit): boolean {
  return one.at === other.at && one.remove === other.remove && one.insert === other.insert;
}

/** The one replaces a part of what the other replaces, from the same start or up to the same end. */
function sharesEdge(one: TextEdit, other: TextEdit): boolean {
  return one.remove > 0 && other.remove > 0 && (one.at === other.at || endOf(one) === endOf(other));
}

function endOf(edit: TextEdit): number {
  return edit.at + edit.remove;
}

/** Both sides put text at the same place, ours ends at `ownEnd`: lines of theirs that ours put there too are not put again. */
function insertBeside(insert: string, place: number, own: string, ownEnd: number): MovedEdit[] {
  if (insert === own || placeOfLines(insert, own) >= 0) return [];
  const from = placeOfLines(own, insert);
  if (from < 0) return insert ? [{ at: ownEnd, remove: 0, insert, place }] : [];
  const end = from + own.length;
  const edits: MovedEdit[] = [];
  if (from > 0) edits.push({ at: ownEnd - own.length, remove: 0, insert: insert.slice(0, from), place });
  if (end < insert.length) edits.push({ at: ownEnd, remove: 0, insert: insert.slice(end), place: place + end });
  return edits;
}

/** Where `lines`, a block of whole lines with more than blanks in it, stands as whole lines in `text`; -1: nowhere. */
function placeOfLines(lines: string, text: string): number {
  const opens = lines.startsWith('\n');
  const closes = lines.endsWith('\n');
  if ((!opens && !closes) || lines.trim() === '') return -1;
  for (let place = text.indexOf(lines); place >= 0; place = text.indexOf(lines, place + 1)) {
    const end = place + lines.length;
    const startsLine = opens || place === 0 || text.charCodeAt(place - 1) === newlineCode;
    const endsLine = closes || end === text.length || text.charCodeAt(end) === newlineCode;
    if (startsLine && endsLine) return place;
  }
  return -1;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code <= 0xdfff;
}
