/** One side of a conflict: who it is by its marker, and its lines. */
export interface ConflictSide {
  label: string;
  lines: readonly string[];
}

/** Lines are numbered from 1; the markers belong to the conflict. */
export type ConflictPart =
  | { kind: 'same'; startLine: number; lines: readonly string[] }
  | { kind: 'conflict'; startLine: number; endLine: number; ours: ConflictSide; base: ConflictSide | undefined; theirs: ConflictSide };

export type Conflict = Extract<ConflictPart, { kind: 'conflict' }>;
export type ConflictChoice = 'ours' | 'theirs' | 'both';

const marker = /^(<{7}|\|{7}|={7}|>{7})(?: (.*))?$/;

/** A file as git leaves it in the middle of a merge, cut into what is agreed and what is not. Marks without their partners are text. */
export function conflictParts(text: string): ConflictPart[] {
  const lines = text.split(/\r\n|\r|\n/);
  // What follows the last break is no line.
  if (lines.at(-1) === '') lines.pop();
  const parts: ConflictPart[] = [];
  let at = 0;
  let sameFrom = 0;
  while (at < lines.length) {
    const conflict = lines[at]?.startsWith('<<<<<<<') === true ? conflictAt(lines, at) : undefined;
    if (conflict === undefined) {
      at += 1;
      continue;
    }
    if (at > sameFrom) parts.push({ kind: 'same', startLine: sameFrom + 1, lines: lines.slice(sameFrom, at) });
    parts.push(conflict);
    at = conflict.endLine;
    sameFrom = at;
  }
  if (lines.length > sameFrom) parts.push({ kind: 'same', startLine: sameFrom + 1, lines: lines.slice(sameFrom) });
  return parts;
}

function conflictAt(lines: readonly string[], start: number): Conflict | undefined {
  const [, sign, label = ''] = marker.exec(lines[start] ?? '') ?? [];
  if (sign === undefined) return undefined;
  const ours: ConflictSide & { lines: string[] } = { label, lines: [] };
  const theirs: ConflictSide & { lines: string[] } = { label: '', lines: [] };
  let base: (ConflictSide & { lines: string[] }) | undefined;
  let side = ours;
  for (let at = start + 1; at < lines.length; at += 1) {
    const line = lines[at] ?? '';
    const [, found, said = ''] = marker.exec(line) ?? [];
    if (found?.startsWith('<') === true) return undefined;
    if (found?.startsWith('|') === true && side === ours) {
      base = { label: said, lines: [] };
      side = base;
    } else if (found?.startsWith('=') === true && side !== theirs) side = theirs;
    else if (found?.startsWith('>') === true && side === theirs) {
      theirs.label = said;
      return { kind: 'conflict', startLine: start + 1, endLine: at + 1, ours, base, theirs };
    } else side.lines.push(line);
  }
  return undefined;
}

/** The lines that take a conflict's place. */
export function resolvedLines({ ours, theirs }: Conflict, choice: ConflictChoice): readonly string[] {
  if (choice === 'both') return [...ours.lines, ...theirs.lines];
  return choice === 'ours' ? ours.lines : theirs.lines;
}

/** What files.edit takes for it: whole lines, each with its break. */
export function asEdit(startLine: number, endLine: number, lines: readonly string[]): { startLine: number; endLine: number; text: string } {
  return { startLine, endLine, text: lines.map((line) => `${line}\n`).join('') };
}
