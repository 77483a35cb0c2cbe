import { isCodeFile } from '../run/code-places.ts';
import { nameOf } from '../file-paths.ts';
import type { RunRecord } from '../run/run-record.ts';
import type { Place } from './problem-lines.ts';

const ofRun = /^(?:file:\/\/)?(?:\/mnt\/data\/|\.\/)?/;

/** Where a place that a run named is in the workspace; undefined: nowhere there. */
export function placeInRun(
  { file, line, column }: Place,
  { path, firstLine, beside }: Pick<RunRecord, 'path' | 'firstLine' | 'beside'>,
): { path: string; line: number; column: number | undefined } | undefined {
  // Of a selection the indent that its lines share was left out.
  if (isCodeFile(file)) return { path, line: firstLine + line - 1, column: firstLine === 1 ? column : undefined };
  const name = file.replace(ofRun, '');
  const other = beside.find((one) => one === name || nameOf(one) === name);
  return other === undefined ? undefined : { path: other, line, column };
}

/**
 * The path in the workspace of a file that a program named; undefined: it lies outside, or nobody says where the workspace is.
 * `folder`: in which the program runs. `root`: of the workspace, as the program sees it.
 */
export function pathOfProgram(file: string, folder: string, root: string | undefined): string | undefined {
  const plain = file.startsWith('file://') ? file.slice('file://'.length) : file;
  const absolute = plain.startsWith('/');
  if (absolute && (root === undefined || !plain.startsWith(`${root}/`))) return undefined;
  const names: string[] = [];
  for (const name of (absolute ? plain.slice((root ?? '').length) : `${folder}/${plain}`).split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names.join('/');
}
