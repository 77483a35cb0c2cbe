import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shownName, shownText } from './shown-name.ts';

test('what turns or hides a part of a name is shown by its code', () => {
  assert.equal(shownName('\u202Etxt.eman'), '\\u202Etxt.eman');
  assert.equal(shownName('a\u2066b\u2069c\u200E\u200F'), 'a\\u2066b\\u2069c\\u200E\\u200F');
  assert.equal(shownName('a\u200Bb\u00ADc\uFEFFd\ne\u{E0041}'), 'a\\u200Bb\\u00ADc\\uFEFFd\\u000Ae\\u{E0041}');
});

test('names as people write them stay as they are, in any script', () => {
  for (const name of [
    'loan.py',
    'שלום.txt',
    'עמוד 1.md',
    '日本語.txt',
    '👩\u200D👩\u200D👧.png',
    'می\u200Cخواهم.txt',
    '❤\uFE0F.txt',
    '\u0600\u0661\u0662.txt',
    '',
  ])
    assert.equal(shownName(name), name);
});

test('in lines of text tabs and line ends stay, and what turns or hides a part of them is shown', () => {
  const text = '\tif (a\u202E) {\r\n\u200B}\r\n\rb\u001B[2K\r';
  assert.equal(shownText(text), '\tif (a\\u202E) {\r\n\\u200B}\r\n\\u000Db\\u001B[2K\r');
});
