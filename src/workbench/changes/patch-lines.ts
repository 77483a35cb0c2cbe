import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';

export interface PatchFile {
  title: string;
  lines: { kind: 'add' | 'del' | 'hunk' | 'same'; text: string }[];
}

/** A unified patch as lines to show, file by file, with the names of these in order. Stops at `most` lines. */
export function patchFiles(patch: string, names: readonly string[], most: number): { files: PatchFile[]; cut: boolean } {
  const files: PatchFile[] = [];
  let header: string | undefined;
  let place = -1;
  let current: PatchFile | undefined;
  let inHunk = false;
  let total = 0;
  for (const line of patch.split('\n')) {
    if (line.startsWith('diff --git ')) {
      inHunk = false;
      // What a link took the place of comes first, under the same header.
      if (line !== header) place += 1;
      header = line;
      current = { title: names[place] ?? line.slice('diff --git '.length), lines: [] };
      files.push(current);
    } else if (line.startsWith('@@ ')) {
      inHunk = true;
      current?.lines.push({ kind: 'hunk', text: line.replace(/^@@ -(\d+)\S* \+(\d+)\S* @@/, 'Line $2').trim() });
    } else if (inHunk && current !== undefined && line !== '' && !line.startsWith('\\')) {
      const kind = line.startsWith('+') ? 'add' : line.startsWith('-') ? 'del' : 'same';
      current.lines.push({ kind, text: line.slice(1) });
      total += 1;
      if (total >= most) return { files, cut: true };
    }
  }
  return { files, cut: false };
}

const kinds = { added: 'add', removed: 'del', context: 'same' } as const;

/** The same of hunks that came as data. */
export function patchFileOf({ path, hunks }: Output<Operations['git.hunks']>['files'][number]): PatchFile {
  const lines = hunks.flatMap(({ newStart, heading, lines: inside }): PatchFile['lines'] => [
    { kind: 'hunk', text: `Line ${newStart} ${heading}`.trim() },
    ...inside.map(({ kind, text }) => ({ kind: kinds[kind], text })),
  ]);
  return { title: path, lines };
}
