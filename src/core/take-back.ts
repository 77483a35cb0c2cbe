// What one side did to a text or a file is taken back, and what others did to it meanwhile stays. Pure: no I/O, no clock.

import { applyEdits, diffText, type TextEdit } from './text-diff.ts';

/** Text of one hunk that is shown of a clash, code units. */
const MAX_SHOWN = 2000;
/** Texts longer than this are taken back whole or not at all, bytes. */
const MAX_MERGED_BYTES = 4 * 1024 * 1024;

/** A place that both the run and others changed, so that the one can't be had without the other. */
export interface Clash {
  /** hunk: some lines of a text; file: the whole of it, which is no text, was removed, or is not known well enough. */
  kind: 'hunk' | 'file';
  /** First line of the hunk in the file as it is now, from 1. */
  line?: number;
  /** What the run left there; of a file only whether it is there. */
  run: string | null;
  /** What would stand there without the run. */
  without: string | null;
  now: string | null;
}

/** What to do where both changed something: leave it as it is now, or as it would be without the run. */
export type SharedChoice = 'keep' | 'remove';

/** null: there is no file. */
export type Content = Uint8Array | null;

export interface TakenBack<T> {
  result: T;
  clashes: Clash[];
}

/**
 * `base` is what the run left, `alone` what would be there without it, `now` what others made of `base` since. Gives `now`
 * without what the run did.
 */
export function takeBack(base: Content, alone: Content, now: Content, shared: SharedChoice): TakenBack<Content> {
  if (sameContent(base, alone) || sameContent(now, alone)) return { result: now, clashes: [] };
  if (sameContent(now, base)) return { result: alone, clashes: [] };
  const texts = [base, alone, now].map((content) => (content === null ? undefined : textOf(content)));
  const [baseText, aloneText, nowText] = texts;
  if (baseText === undefined || aloneText === undefined || nowText === undefined)
    return { result: shared === 'keep' ? now : alone, clashes: [wholeFile(base, alone, now)] };
  const { result, clashes } = takeBackText(baseText, aloneText, nowText, shared);
  return { result: Buffer.from(result), clashes };
}

/** The same for texts. Edits that do not meet, or only at the start of a line, do not clash. */
export function takeBackText(base: string, alone: string, now: string, shared: SharedChoice): TakenBack<string> {
  if (base === alone || now === alone) return { result: now, clashes: [] };
  if (now === base) return { result: alone, clashes: [] };
  const theirs = diffText(base, now);
  // What somebody took back by hand already is not done again.
  const done = Map.groupBy(theirs, ({ at }) => at);
  const ours = diffText(base, alone).filter((edit) => done.get(edit.at)?.some((other) => sameEdit(edit, other)) !== true);
  const lineAt = lineCounter(now);
  const edits: TextEdit[] = [];
  const clashes: Clash[] = [];
  let shift = 0;
  for (const group of groupsOf(base, ours, theirs)) {
    if (group.theirs.length === 0) for (const edit of group.ours) edits.push({ ...edit, at: edit.at + shift });
    else if (group.ours.length > 0) {
      const made = base.slice(group.start, group.end);
      const without = applyEdits(made, moved(group.ours, -group.start));
      const present = applyEdits(made, moved(group.theirs, -group.start));
      const at = group.start + shift;
      if (without !== present) {
        clashes.push({ kind: 'hunk', line: lineAt(at), run: shown(made), without: shown(without), now: shown(present) });
        if (shared === 'remove') edits.push({ at, remove: present.length, insert: without });
      }
    }
    for (const edit of group.theirs) shift += edit.insert.length - edit.remove;
  }
  return { result: applyEdits(now, edits), clashes };
}

/** A clash of which nothing finer is known. */
export function wholeFile(base: Content, alone: Content, now: Content): Clash {
  return { kind: 'file', run: presence(base), without: presence(alone), now: presence(now) };
}

export function sameContent(one: Content, other: Content): boolean {
  return one === null || other === null ? one === other : Buffer.compare(one, other) === 0;
}

/** Undefined for what is no UTF-8 text, or too long to compare. */
export function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_MERGED_BYTES || bytes.includes(0)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

interface Group {
  start: number;
  end: number;
  ours: TextEdit[];
  theirs: TextEdit[];
}

/** Edits of both sides in order, those that meet, directly or through others, together. */
function groupsOf(base: string, ours: readonly TextEdit[], theirs: readonly TextEdit[]): Group[] {
  const all = [...ours.map((edit) => ({ edit, own: true })), ...theirs.map((edit) => ({ edit, own: false }))];
  // Of two insertions at one place what comes back stands first.
  all.sort((a, b) => a.edit.at - b.edit.at || endOf(a.edit) - endOf(b.edit) || Number(b.own) - Number(a.own));
  const groups: Group[] = [];
  for (const { edit, own } of all) {
    const last = groups.at(-1);
    const others = own ? last?.theirs : last?.ours;
    // The last ones reach furthest: looked at from the first, a group would take the square of its size.
    if (last === undefined || others?.findLast((other) => meet(base, other, edit)) === undefined) {
      groups.push({ start: edit.at, end: endOf(edit), ours: own ? [edit] : [], theirs: own ? [] : [edit] });
      continue;
    }
    (own ? last.ours : last.theirs).push(edit);
    last.end = Math.max(last.end, endOf(edit));
  }
  return groups;
}

/** `first` begins no later than `second`. */
function meet(base: string, first: TextEdit, second: TextEdit): boolean {
  if (second.at !== endOf(first)) return second.at < endOf(first);
  return !isLineStart(base, second.at) || !isWholeLines(base, first) || !isWholeLines(base, second);
}

function isLineStart(text: string, at: number): boolean {
  return at === 0 || text.charCodeAt(at - 1) === 10;
}

/** An insertion that leaves the line it stands at alone. */
function isWholeLines(base: string, edit: TextEdit): boolean {
  return edit.remove > 0 || edit.insert.endsWith('\n') || edit.at === base.length;
}

function moved(edits: readonly TextEdit[], by: number): TextEdit[] {
  return edits.map((edit) => ({ ...edit, at: edit.at + by }));
}

function endOf(edit: TextEdit): number {
  return edit.at + edit.remove;
}

function sameEdit(one: TextEdit, other: TextEdit): boolean {
  return one.at === other.at && one.remove === other.remove && one.insert === other.insert;
}

/** Gives the line of a place, from 1. Each place is at or after the one before. */
function lineCounter(text: string): (at: number) => number {
  let line = 1;
  let next = text.indexOf('\n');
  return (at) => {
    for (; next >= 0 && next < at; next = text.indexOf('\n', next + 1)) line++;
    return line;
  };
}

function shown(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN).toWellFormed()}…` : text;
}

function presence(content: Content): string | null {
  return content === null ? null : `${content.length} bytes`;
}
