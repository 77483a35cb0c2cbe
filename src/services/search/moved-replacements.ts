import { applyEdits, diffText, type TextEdit } from '../../core/text-diff.ts';
import { decodeText } from '../workspace/content.ts';
import type { FileMatches } from './rg-replacements.ts';

/** What is replaced in a text, for when somebody types in it. */
export interface TextReplacements {
  /** As it was searched. */
  text: string;
  edits: readonly TextEdit[];
}

/** Undefined for what is no text, before or after, or matches within a character. `from`: where the offsets begin, in bytes. `matches` are in order and do not overlap. */
export function textReplacements(bytes: Buffer, { matches }: Pick<FileMatches, 'matches'>, from: number): TextReplacements | undefined {
  const text = decodeText(bytes);
  if (text === undefined) return undefined;
  const edits: TextEdit[] = [];
  let done = 0;
  let at = 0;
  for (const { start, end, replacement } of matches) {
    const insert = decodeText(replacement);
    if (insert === undefined || !isBoundary(bytes, from + start) || !isBoundary(bytes, from + end)) return undefined;
    at += bytes.toString('utf8', done, from + start).length;
    const remove = bytes.toString('utf8', from + start, from + end).length;
    edits.push({ at, remove, insert });
    at += remove;
    done = from + end;
  }
  return { text, edits };
}

/** The same replaced in what became of the text; undefined where that changed what matches, or what stands right beside it. */
export function replaceInLater({ text, edits }: TextReplacements, later: string): string | undefined {
  const typed = diffText(text, later);
  const moved: TextEdit[] = [];
  let next = 0;
  let shift = 0;
  for (const edit of edits) {
    for (let other = typed[next]; other !== undefined && other.at + other.remove < edit.at; other = typed[++next])
      shift += other.insert.length - other.remove;
    const other = typed[next];
    if (other !== undefined && other.at <= edit.at + edit.remove) return undefined;
    moved.push({ ...edit, at: edit.at + shift });
  }
  return applyEdits(later, moved);
}

/** No character of UTF-8 goes on there. */
function isBoundary(bytes: Buffer, at: number): boolean {
  return ((bytes[at] ?? 0) & 0xc0) !== 0x80;
}
