import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsedJson } from './json-file.ts';

test('a text is JSON with a mark before it or without', () => {
  assert.deepEqual(parsedJson('\uFEFF{"a": 1}'), { a: 1 });
  assert.deepEqual(parsedJson(' [1]\n'), [1]);
});

test('what is wrong is said with its line, and no secret beside it', () => {
  const problems: [text: string, problem: RegExp][] = [
    ['{"token":hunter2-hunter2}', /^Unexpected token 'h' in line 1$/],
    ['{\n  "a": 1,\n  "token": hunter2-hunter2,\n  "b": 2\n}', /^Unexpected token 'h' in line 3$/],
    ['{\n\n"token":\nhunter2-hunter2-hunter2}', /^Unexpected token 'h' in line 4$/],
    ['{"token":"hunter2', /^Unterminated string in JSON at position 17/],
    ['{"token":"hunter2",}', /^Expected double-quoted property name in JSON at position 19/],
    ['hunter2', /^Unexpected token 'h'$/],
    ['', /^Unexpected end of JSON input$/],
  ];
  for (const [text, problem] of problems) {
    const said = (error: Error): boolean => problem.test(error.message) && !/unter/.test(`${error.message}${error.cause ?? ''}`);
    assert.throws(() => parsedJson(text), said, text);
  }
});
