import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinCommand, splitCommand } from './split-command.ts';

const rows: [text: string, argv: string[], sign?: string][] = [
  ['ls', ['ls']],
  ['  ls   -l\t-a\n', ['ls', '-l', '-a']],
  [`say 'it is' "a \\"b\\" \\\\ c"`, ['say', 'it is', 'a "b" \\ c']],
  [`a\\ b c\\'d`, ['a b', "c'd"]],
  [`x '' ""y`, ['x', '', 'y']],
  [`echo "$HOME" '*'`, ['echo', '$HOME', '*']],
  ['cat a | wc', ['cat', 'a', '|', 'wc'], '|'],
  ['echo $HOME', ['echo', '$HOME'], '$'],
  [`pre'mid'"end"`, ['premidend']],
  [`"\\n"`, ['\\n']],
  ['größe 名前', ['größe', '名前']],
];

test('a command line is split at spaces, and quotes keep together; no shell reads it', () => {
  for (const [text, argv, sign] of rows) assert.deepEqual(splitCommand(text), { argv, shellSign: sign }, text);
});

test('what can be no command says why', () => {
  for (const [text, problem] of [
    ['', /Name a program/],
    ['   ', /Name a program/],
    [`'' x`, /no name/],
    [`echo "a`, /quote is open/],
    [`echo 'a`, /quote is open/],
    ['echo \\', /backslash/],
  ] as const) {
    const split = splitCommand(text);
    assert.match('problem' in split ? split.problem : '', problem, text);
  }
});

test('what was joined is split into the same again', () => {
  for (const argv of [
    ['a', 'b c', '', `it's`, '"', '\\', '\\"', 'ä\tb'],
    ['sh', '-c', `echo "$1" 'x' \\; ls`],
  ])
    assert.deepEqual(splitCommand(joinCommand(argv)), { argv, shellSign: undefined });
});
