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

/** What files.edit takes: by what stands there, so that it holds wherever that has moved meanwhile; by number only where nothing stands. */
export type PlaceEdit = { find: string; replace: string } | { startLine: number; endLine: number; text: string };

/**
 * Puts `lines` in the place of `startLine` to `endLine`, and the edit that gives the old ones back. Each names as many lines around as it takes for it to
 * stand there once.
 */
export function placeEdits(
  text: string,
  { startLine, endLine }: { startLine: number; endLine: number },
  lines: readonly string[],
): { take: PlaceEdit; giveBack: PlaceEdit } {
  const from = startLine - 1;
  const old = text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const taken = lines.map((line) => line + lineBreak);
  const made = [...old.slice(0, from), ...taken, ...old.slice(endLine)];
  return { take: editOf(old, from, endLine, taken), giveBack: editOf(made, from, from + taken.length, old.slice(from, endLine)) };
}

function editOf(lines: readonly string[], from: number, to: number, instead: readonly string[]): PlaceEdit {
  if (lines.length === 0) return { startLine: 1, endLine: 0, text: instead.join('') };
  const whole = lines.join('');
  let [first, last] = [from, to];
  let find = lines.slice(first, last).join('');
  while ((find === '' || whole.indexOf(find) !== whole.lastIndexOf(find)) && find !== whole) {
    [first, last] = [Math.max(0, first - 1), Math.min(lines.length, last + 1)];
    find = lines.slice(first, last).join('');
  }
  return { find, replace: [...lines.slice(first, from), ...instead, ...lines.slice(to, last)].join('') };
}
