import type { FoundFile, FoundLine } from '../../contract/search.ts';

/** A row of the results: a file, or a line in it. */
export type SearchRow =
  | { kind: 'file'; path: string; hits: number; open: boolean }
  | { kind: 'hit'; path: string; line: number; column: number; parts: HitPart[] };

export interface HitPart {
  text: string;
  hit: boolean;
  /** What a match would become. */
  becomes?: string;
}

/** Characters shown before the first match: enough to see what it stands in, few enough that it is in sight. */
const lead = 14;
/** Where what it becomes is to be seen, too. */
const leadBesideReplacement = 8;
const mostShown = 200;

/** Files that came in several pieces become one, in order of their path. */
export function mergeFiles(files: readonly FoundFile[]): FoundFile[] {
  const byPath = new Map<string, FoundLine[]>();
  for (const { path, lines } of files) {
    const known = byPath.get(path);
    if (known === undefined) byPath.set(path, [...lines]);
    else known.push(...lines);
  }
  return [...byPath].map(([path, lines]) => ({ path, lines })).sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** Names a file, or one line of it, among what was left out. */
export function keyOf(path: string, line?: number): string {
  // No path holds a NUL.
  return line === undefined ? path : `${path}\0${line}`;
}

/** The inverse of keyOf. */
export function placeOf(key: string): { path: string; line?: number } {
  const [path = '', line] = key.split('\0');
  return line === undefined ? { path } : { path, line: Number(line) };
}

/**
 * What stays left out when the same search found anew: a file while it is found at all; a line while its file's lines are
 * found as they were, for else the number may be another line's.
 */
export function stillLeftOut(leftOut: ReadonlySet<string>, before: readonly FoundFile[], now: readonly FoundFile[]): Set<string> {
  if (leftOut.size === 0) return new Set();
  const linesIn = (files: readonly FoundFile[]): Map<string, string> =>
    new Map(files.map(({ path, lines }) => [path, JSON.stringify(lines.map(({ line, text, cutAt }) => [line, text, cutAt]))]));
  const then = linesIn(before);
  const found = linesIn(now);
  return new Set(
    [...leftOut].filter((key) => {
      const { path, line } = placeOf(key);
      return found.has(path) && (line === undefined || found.get(path) === then.get(path));
    }),
  );
}

/** What is still to be replaced. */
export function withoutLeftOut(files: readonly FoundFile[], leftOut: ReadonlySet<string>): readonly FoundFile[] {
  if (leftOut.size === 0) return files;
  return files
    .filter(({ path }) => !leftOut.has(keyOf(path)))
    .map(({ path, lines }) => ({ path, lines: lines.filter(({ line }) => !leftOut.has(keyOf(path, line))) }))
    .filter(({ lines }) => lines.length > 0);
}

export function countMatches(files: readonly FoundFile[]): number {
  return files.reduce((sum, { lines }) => sum + lines.reduce((inFile, { ranges }) => inFile + (ranges?.length ?? 0), 0), 0);
}

export function rowsOf(files: readonly FoundFile[], closed: ReadonlySet<string>): SearchRow[] {
  const rows: SearchRow[] = [];
  for (const { path, lines } of files) {
    const open = !closed.has(path);
    rows.push({ kind: 'file', path, hits: lines.length, open });
    if (open) for (const line of lines) rows.push({ kind: 'hit', path, line: line.line, column: columnOf(line), parts: partsOf(line) });
  }
  return rows;
}

/** Where the row of the same file or line is; -1 where there is none. */
export function indexOfRow(rows: readonly SearchRow[], sought: SearchRow): number {
  const nameOf = (row: SearchRow): string => keyOf(row.path, row.kind === 'hit' ? row.line : undefined);
  return rows.findIndex((row) => nameOf(row) === nameOf(sought));
}

/** Where the first match begins, from 1. */
function columnOf({ ranges, cutAt = 0 }: FoundLine): number {
  return cutAt + (ranges?.[0]?.[0] ?? 0) + 1;
}

/** The line with its matches marked; what stands before the first is cut so far that it can be seen. */
export function partsOf({ text, ranges = [], replacements, cutAt }: FoundLine): HitPart[] {
  const indent = text.length - text.trimStart().length;
  const first = ranges[0]?.[0] ?? 0;
  const before = replacements === undefined ? lead : leadBesideReplacement;
  const from = first - indent <= before ? Math.min(indent, first) : first - before;
  const to = Math.min(text.length, from + mostShown);
  const parts: HitPart[] = [];
  const add = (start: number, end: number, hit: boolean, becomes?: string): void => {
    if (end > start || (becomes ?? '') !== '')
      parts.push({ text: oneLine(text.slice(start, end)), hit, ...(becomes === undefined ? {} : { becomes: oneLine(becomes) }) });
  };
  let at = from;
  for (const [index, [start, end]] of ranges.entries()) {
    if (start > to || (start === to && end > start)) break;
    add(at, start, false);
    add(Math.max(start, at), Math.min(end, to), true, replacements?.[index]);
    at = Math.max(at, Math.min(end, to));
  }
  add(at, to, false);
  if (from > indent || (cutAt !== undefined && from === 0)) parts.unshift({ text: '…', hit: false });
  return parts;
}

/** A match over several lines stands in one row. */
function oneLine(text: string): string {
  return text.replaceAll(/\r?\n\s*/g, ' ⏎ ');
}
