import { createHash } from 'node:crypto';
import { type GitPath, gitPath } from './git-path.ts';

export type PatchStatus = 'modified' | 'added' | 'deleted' | 'renamed' | 'copied' | 'type-changed';

/** Some lines of a file that changed, byte for byte: one character of `body` is one byte. */
export interface PatchHunk {
  id: string;
  oldStart: number;
  oldLines: number;
  newStart: number;
  newLines: number;
  heading: string;
  /** Lines as they stand in the patch, each with its mark and its line feed. */
  body: string;
}

export interface PatchFile {
  path: GitPath;
  from?: GitPath;
  status: PatchStatus;
  oldMode: string;
  newMode: string;
  binary: boolean;
  /** What stands before the hunks, one character a byte; undefined where the patch was cut off before it. */
  header: string | undefined;
  hunks: PatchHunk[];
  /** The patch was cut off within this file or before it. */
  cut: boolean;
  /** git does not know it yet: its only hunk is all of it. */
  untracked?: boolean;
}

/** As git has them in raw and patch output, by their letter. */
export const statuses: Readonly<Record<string, PatchStatus>> = {
  M: 'modified',
  A: 'added',
  D: 'deleted',
  R: 'renamed',
  C: 'copied',
  T: 'type-changed',
};
const none = new Uint8Array();

interface RawEntry {
  path: GitPath;
  from: GitPath | undefined;
  status: PatchStatus;
  oldMode: string;
  newMode: string;
}

interface Section {
  header: string;
  hunks: Omit<PatchHunk, 'id'>[];
}

/**
 * `git diff --raw -z --patch` with the prefixes a/ and b/, and core.quotepath off. The list of files comes first and is told by
 * bytes; the patch goes with it file by file. Of a patch that was `cut` off, whole hunks are taken.
 */
export function parsePatch(output: Buffer, cut: boolean): { files: PatchFile[]; listCut: boolean } {
  const { entries, end } = parseRaw(output);
  if (end === undefined) return { files: entries.map((entry) => fileOf(entry, [], true)), listCut: cut };
  const sections = parseSections(output.toString('latin1', end));
  let at = 0;
  const files = entries.flatMap((entry) => {
    const first = `diff --git ${quoted('a/', entry.from ?? entry.path)} ${quoted('b/', entry.path)}\n`;
    const found: Section[] = [];
    // A file that became a link is told as one that went and one that came.
    while (found.length < (entry.status === 'type-changed' ? 2 : 1) && sections[at]?.header.startsWith(first) === true)
      found.push(sections[at++] as Section);
    const file = fileOf(entry, found, cut && at >= sections.length);
    // Its times alone are others than those that the index has.
    const isTouched = found.length === 0 && !file.cut && file.status === 'modified' && file.oldMode === file.newMode;
    return isTouched ? [] : [file];
  });
  return { files, listCut: false };
}

/** A patch of some hunks of a file, to be applied. What happened to its mode or name is left out. */
export function patchOf(file: PatchFile, hunks: readonly PatchHunk[]): string {
  const header = file.status === 'renamed' ? headerInPlace(file) : (file.header ?? '').replace(/^(old|new) mode \d+\n/gm, '');
  const parts = hunks.map(
    ({ oldStart, oldLines, newStart, newLines, body }) => `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@\n${body}`,
  );
  return header + parts.join('');
}

/** The lines that changed in a file besides its name, where it is now. */
function headerInPlace({ path }: PatchFile): string {
  const [before, after] = [quoted('a/', path), quoted('b/', path)];
  // A name with a space ends with a tab, else git would take a part of it for a date.
  const end = before.includes(' ') && !before.startsWith('"') ? '\t\n' : '\n';
  return `diff --git ${before} ${after}\n--- ${before}${end}+++ ${after}${end}`;
}

function fileOf(entry: RawEntry, sections: readonly Section[], cut: boolean): PatchFile {
  const file: PatchFile = {
    path: entry.path,
    status: entry.status,
    oldMode: entry.oldMode,
    newMode: entry.newMode,
    binary: sections.some(({ header }) => /^(Binary files |GIT binary patch)/m.test(header)),
    header: sections[0]?.header,
    hunks: withIds(
      entry.path.bytes,
      sections.flatMap(({ hunks }) => hunks),
    ),
    cut,
  };
  if (entry.from !== undefined) file.from = entry.from;
  return file;
}

/**
 * The id says what changes and between which lines, wherever in the file that stands. Hunks that are alike are told apart by
 * their number and how many there are: when one of them goes, the ids of all of them do.
 */
export function withIds(path: Uint8Array, hunks: readonly Omit<PatchHunk, 'id'>[]): PatchHunk[] {
  const counts = new Map<string, number>();
  for (const { body } of hunks) counts.set(body, (counts.get(body) ?? 0) + 1);
  const seen = new Map<string, number>();
  return hunks.map((hunk) => {
    const turn = (seen.get(hunk.body) ?? 0) + 1;
    seen.set(hunk.body, turn);
    const hash = createHash('sha256')
      .update(path)
      .update('\0')
      .update(hunk.body, 'latin1')
      .update(`\0${turn}/${counts.get(hunk.body)}`);
    return { id: hash.digest('hex').slice(0, 20), ...hunk };
  });
}

/** `:mode mode hash hash status NUL path NUL`, or two paths; `end` is where the patch begins, undefined when it was cut off before. */
function parseRaw(output: Buffer): { entries: RawEntry[]; end: number | undefined } {
  const entries: RawEntry[] = [];
  let at = 0;
  const next = (): Buffer | undefined => {
    const nul = output.indexOf(0, at);
    if (nul < 0) return undefined;
    const piece = output.subarray(at, nul);
    at = nul + 1;
    return piece;
  };
  while (output[at] === 0x3a) {
    const fields = next()?.toString('latin1').slice(1).split(' ');
    const [oldMode = '', newMode = '', , , letter = ''] = fields ?? [];
    const isPair = /^[RC]/.test(letter);
    const first = next();
    const second = isPair ? next() : undefined;
    if (first === undefined || (isPair && second === undefined)) return { entries, end: undefined };
    const status = statuses[letter[0] ?? ''];
    const path = gitPath(second ?? first, none);
    if (status === undefined || path === undefined) continue;
    entries.push({ path, from: second === undefined ? undefined : gitPath(first, none), status, oldMode, newMode });
  }
  if (entries.length === 0 && at === 0) return { entries, end: 0 };
  return { entries, end: output[at] === 0 ? at + 1 : undefined };
}

function parseSections(text: string): Section[] {
  const sections: Section[] = [];
  let at = 0;
  const line = (): string | undefined => {
    const end = text.indexOf('\n', at);
    if (end < 0) return undefined;
    const found = text.slice(at, end + 1);
    at = end + 1;
    return found;
  };
  let section: Section | undefined;
  for (let current = line(); current !== undefined; current = line()) {
    const start = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)\n$/s.exec(current);
    if (current.startsWith('diff --git ')) sections.push((section = { header: current, hunks: [] }));
    else if (section === undefined) continue;
    else if (start === null) section.header += current;
    else {
      const [, oldStart, oldLines = '1', newStart, newLines = '1', heading = ''] = start;
      const hunk = { oldStart: Number(oldStart), oldLines: Number(oldLines), newStart: Number(newStart), newLines: Number(newLines) };
      const end = endOfHunk(text, at, hunk.oldLines, hunk.newLines);
      if (end === undefined) break;
      section.hunks.push({ ...hunk, heading: Buffer.from(heading, 'latin1').toString(), body: text.slice(at, end) });
      at = end;
    }
  }
  return sections;
}

/** Where the lines end that the head of a hunk promised; undefined when they were cut off. */
function endOfHunk(text: string, start: number, oldLines: number, newLines: number): number | undefined {
  let at = start;
  let [old, fresh] = [oldLines, newLines];
  while (old > 0 || fresh > 0 || text[at] === '\\') {
    const end = text.indexOf('\n', at);
    if (end < 0) return undefined;
    const mark = text[at];
    if (mark !== '+' && mark !== '\\') old--;
    if (mark !== '-' && mark !== '\\') fresh--;
    at = end + 1;
  }
  return at;
}

/** A name as it stands in the head of a patch: in quotes where it holds what would break the line. */
function quoted(prefix: string, { bytes }: GitPath): string {
  const text = prefix + Buffer.from(bytes).toString('latin1');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what git quotes.
  if (!/[\x00-\x1f"\\\x7f]/.test(text)) return text;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
  return `"${text.replace(/[\x00-\x1f"\\\x7f]/g, (one) => `\\${letters[one] ?? one.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`;
}

const letters: Readonly<Record<string, string>> = {
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '"': '"',
  '\\': '\\',
};
