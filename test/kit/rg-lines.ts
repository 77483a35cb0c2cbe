import { execFileSync } from 'node:child_process';
import { rgPath } from '@vscode/ripgrep';
import type { Asked } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';

export type TextQuery = Asked<Operations['search.text']>;

/** What ripgrep itself finds: `path:line [ranges]` of each matching line, sorted; 'refused' when the pattern is none. */
export function rgLines(root: string, query: TextQuery): string[] | 'refused' {
  const args = [
    '--json',
    '--no-config',
    ...(query.regex === true ? [] : ['-F']),
    query.caseSensitive === false ? '-i' : '-s',
    ...(query.word === true ? ['-w'] : []),
    ...(query.multiline === true ? ['-U'] : []),
    ...(query.include ?? []).flatMap((glob) => ['-g', glob]),
    '-e',
    query.pattern,
    '--',
    './',
  ];
  let output: string;
  try {
    output = execFileSync(rgPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    if (status === 2) return 'refused';
    output = stdout;
  }
  return output
    .split('\n')
    .filter((json) => json.startsWith('{"type":"match"'))
    .map((json) => lineOf((JSON.parse(json) as { data: Match }).data))
    .sort();
}

interface Match {
  path: { text: string };
  lines: { text?: string; bytes?: string };
  line_number: number;
  submatches: { start: number; end: number }[];
}

function lineOf({ path, lines, line_number, submatches }: Match): string {
  const bytes = lines.text === undefined ? Buffer.from(lines.bytes ?? '', 'base64') : Buffer.from(lines.text);
  const { length } = bytes.toString().replace(/\r?\n$/, '');
  const ranges = submatches.map(({ start, end }) => [
    Math.min(bytes.toString('utf8', 0, start).length, length),
    Math.min(bytes.toString('utf8', 0, end).length, length),
  ]);
  return `${path.text.slice(2)}:${line_number} ${JSON.stringify(ranges)}`;
}
