import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fails } from '../../../test/kit/workspace-harness.ts';
import { posixWords } from './posix-words.ts';

const splits: [string, string[]][] = [
  ['agent', ['agent']],
  ['  agent \t run\n', ['agent', 'run']],
  ["agent 'a b'  c", ['agent', 'a b', 'c']],
  ['agent "a b" c', ['agent', 'a b', 'c']],
  [`agent a"b c"'d e'f`, ['agent', 'ab cd ef']],
  [`agent '' ""`, ['agent', '', '']],
  ['agent a\\ b', ['agent', 'a b']],
  ['agent "a\\"b\\\\c\\$d\\`e"', ['agent', 'a"b\\c$d`e']],
  ['agent "a\\nb"', ['agent', 'a\\nb']],
  ["agent 'a\\'", ['agent', 'a\\']],
  ['agent a\\\nb', ['agent', 'ab']],
  ['agent "a\\\nb"', ['agent', 'ab']],
  ['agent ${TASK_ID} "--task=${TASK_DESCRIPTION}"', ['agent', '${TASK_ID}', '--task=${TASK_DESCRIPTION}']],
  ["agent '${TASK_JSON}'", ['agent', '${TASK_JSON}']],
  ['agent $HOME ~ *.ts #no', ['agent', '$HOME', '~', '*.ts', '#no']],
  ["agent '$(x)' '`x`' 'a|b;c>d'", ['agent', '$(x)', '`x`', 'a|b;c>d']],
  ['agent "a|b;c>d&e" \\; \\|', ['agent', 'a|b;c>d&e', ';', '|']],
  ['agent ä "日本"', ['agent', 'ä', '日本']],
];

test('a command line is split by POSIX quoting, and nothing in it is expanded', () => {
  for (const [text, words] of splits) assert.deepEqual(posixWords(text), words, text);
});

test('what needs a shell is refused, with what to do instead', async () => {
  for (const operator of ['|', '||', '&', '&&', ';', '>', '<', '$(', '`', '(', ')'])
    await fails('BAD_INPUT', () => posixWords(`agent a ${operator} b`), /list of arguments|script file/);
  for (const text of ['agent "$(id)"', 'agent "`id`"', 'agent a$(id)']) await fails('BAD_INPUT', () => posixWords(text), /shell/);
});

test('a quote without its end, a backslash at the end and nothing at all are refused', async () => {
  for (const text of ["agent 'a", 'agent "a', 'agent "a\\"', 'agent \\', '', '  \n', "''"])
    await fails('BAD_INPUT', () => posixWords(text));
});
