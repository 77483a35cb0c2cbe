import type { FoundFile, FoundLine } from '../../contract/search.ts';

/** A row of the results: a file, or a line in it. */
export type SearchRow =
  | { kind: 'file'; path: string; hits: number; open: boolean }
  | { kind: 'hit'; path: string; line: number; column: number; parts: HitPart[] };

export interface HitPart {
  text: string;
  hit: boolean;
}

/** Characters shown before the first match: enough to see what it stands in, few enough that it is in sight. */
const lead = 14;
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

export function rowsOf(files: readonly FoundFile[], closed: ReadonlySet<string>): SearchRow[] {
  const rows: SearchRow[] = [];
  for (const { path, lines } of files) {
    const open = !closed.has(path);
    rows.push({ kind: 'file', path, hits: lines.length, open });
    if (open) for (const line of lines) rows.push({ kind: 'hit', path, line: line.line, column: columnOf(line), parts: partsOf(line) });
  }
  return rows;
}

/** Where the first match begins, from 1. */
function columnOf({ ranges, cutAt = 0 }: FoundLine): number {
  return cutAt + (ranges?.[0]?.[0] ?? 0) + 1;
}

/** The line with its matches marked; what stands before the first is cut so far that it can be seen. */
export function partsOf({ text, ranges = [], cutAt }: FoundLine): HitPart[] {
  const indent = text.length - text.trimStart().length;
  const first = ranges[0]?.[0] ?? 0;
  const from = first - indent <= lead ? Math.min(indent, first) : first - lead;
  const to = Math.min(text.length, from + mostShown);
  const parts: HitPart[] = [];
  const add = (start: number, end: number, hit: boolean): void => {
    if (end > start) parts.push({ text: oneLine(text.slice(start, end)), hit });
  };
  let at = from;
  for (const [start, end] of ranges) {
    if (start >= to) break;
    add(at, start, false);
    add(Math.max(start, at), Math.min(end, to), true);
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
