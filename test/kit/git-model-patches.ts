// What the program git says of differences, taken apart: latin1, one character a byte.
import assert from 'node:assert/strict';
import type { Answer } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { type GitFolder, shown } from './git-model-folder.ts';

export interface TwinHunk {
  head: string;
  oldStart: number;
  oldLines: number;
  /** Each with its mark and its line feed. */
  lines: string[];
}

export interface TwinFile {
  path: string;
  from: string | undefined;
  status: string;
  oldMode: string;
  newMode: string;
  oldHash: string;
  binary: boolean;
  hunks: TwinHunk[];
}

/** Of `git diff` with these arguments, in git's order. Files in conflict are left out. */
export function patchFiles(folder: GitFolder, args: readonly string[], command: readonly string[] = ['diff']): TwinFile[] {
  const all = [...command, '--find-renames', '--ignore-submodules=dirty', '--diff-filter=u'];
  const words = folder.list(...all, '--raw', '--no-abbrev', '-z', ...args);
  const sections = folder
    .git([...all, '--patch', '--unified=3', ...args])
    .toString('latin1')
    .split(/^(?=diff --git )/m)
    .filter((section) => section.startsWith('diff --git '));
  const files: TwinFile[] = [];
  for (let at = 0; at < words.length; ) {
    const [oldMode = '', newMode = '', oldHash = '', , letter = ''] = (words[at++] ?? '').slice(1).split(' ');
    const from = /^[RC]/.test(letter) ? words[at++] : undefined;
    const path = words[at++] ?? '';
    const status = letter[0] ?? '';
    const own = sections.splice(0, status === 'T' ? 2 : 1);
    files.push({ path, from, status, oldMode, newMode, oldHash, binary: own.some(isBinary), hunks: own.flatMap(hunksOf) });
  }
  return files;
}

function isBinary(section: string): boolean {
  return /^Binary files /m.test(section.split(/^@@ /m)[0] ?? '');
}

function hunksOf(section: string): TwinHunk[] {
  return section
    .split(/^(?=@@ )/m)
    .slice(1)
    .map((text) => {
      const [head = '', ...lines] = text.split(/(?<=\n)/);
      const [, oldStart = '0', oldLines = '1'] = /^@@ -(\d+)(?:,(\d+))? /.exec(head) ?? [];
      return { head: head.trimEnd(), oldStart: Number(oldStart), oldLines: Number(oldLines), lines };
    });
}

/** The old content with some of the hunks done to it. */
export function withHunks(base: string, hunks: readonly TwinHunk[]): string {
  const lines = base === '' ? [] : base.split(/(?<=\n)/);
  let text = '';
  let at = 0;
  for (const { oldStart, oldLines, lines: body } of hunks) {
    const start = oldLines === 0 ? oldStart : oldStart - 1;
    text += lines.slice(at, start).join('');
    at = start + oldLines;
    let isTaken = false;
    for (const line of body) {
      if (line.startsWith('\\')) {
        if (isTaken) text = text.replace(/\n$/, '');
        continue;
      }
      isTaken = line.startsWith(' ') || line.startsWith('+');
      if (isTaken) text += line.slice(1);
    }
  }
  return text + lines.slice(at).join('');
}

const states = { M: 'modified', T: 'type-changed', A: 'added', D: 'deleted', R: 'renamed', C: 'copied', U: 'unmerged' } as const;
export const stateOf = (letter = '.') => states[letter as keyof typeof states] ?? null;

export function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}

export function isRaw(name: string): boolean {
  return shown(name) !== utf8(name);
}

export function factsOf({ path, from, status }: TwinFile) {
  return {
    path: shown(path),
    ...(from === undefined ? {} : { from: shown(from) }),
    ...(isRaw(path) ? { raw: true } : {}),
    status: stateOf(status),
  };
}

export function countsOf({ hunks }: TwinFile): { added: number; removed: number } {
  const count = (mark: string): number => hunks.flatMap(({ lines }) => lines.filter((line) => line.startsWith(mark))).length;
  return { added: count('+'), removed: count('-') };
}

const marks = { context: ' ', added: '+', removed: '-' } as const;

/** What git.hunks says, beside it. */
export function assertHunks(said: Answer<Operations['git.hunks']> | undefined, known: readonly TwinFile[]): void {
  const ours = said?.files.map(({ hunks, oldMode, newMode, omittedHunks, untracked, ...facts }) => ({
    ...facts,
    ...(oldMode === undefined ? {} : { modes: `${oldMode} ${newMode}` }),
    omittedHunks,
    untracked,
    hunks: hunks.map(
      ({ oldStart, oldLines, newStart, newLines, heading, lines }) =>
        `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@ ${heading}\n${lines
          .map(({ kind, text, noNewline }) => `${marks[kind]}${text}\n${noNewline === true ? '\\ No newline at end of file\n' : ''}`)
          .join('')}`,
    ),
  }));
  const theirs = known.map((file) => ({
    ...factsOf(file),
    binary: file.binary,
    ...countsOf(file),
    ...(file.oldMode !== file.newMode && !['A', 'D'].includes(file.status) ? { modes: `${file.oldMode} ${file.newMode}` } : {}),
    omittedHunks: 0,
    untracked: undefined,
    hunks: file.hunks.map(({ head, lines }) => {
      const counted = head.replaceAll(/([-+]\d+)(?=[ @])/g, '$1,1').replace(/(@@ .* @@)$/, '$1 ');
      return utf8(`${counted}\n${lines.join('')}`);
    }),
  }));
  assert.deepEqual(ours, theirs);
}
