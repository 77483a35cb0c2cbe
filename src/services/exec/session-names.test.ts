import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameAmong, numbered, originalOf, safeName } from './session-names.ts';

test('a name is made harmless: its last part, letters, digits, dots and dashes', () => {
  const cases: [string, string | undefined][] = [
    ['a.txt', 'a.txt'],
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\x\\report v1.pdf', 'report_v1.pdf'],
    ['.bashrc', '_.bashrc'],
    ['.outrigger-1', '_.outrigger-1'],
    ['ü b$c', '__b_c'],
    ['-rf', '-rf'],
    ['a\0b\n', 'a_b_'],
    ['..', undefined],
    ['/', undefined],
    ['', undefined],
    ['___', undefined],
    ['äöü', undefined],
    [`${'x'.repeat(300)}.tar`, `${'x'.repeat(251)}.tar`],
    ['y'.repeat(300), 'y'.repeat(255)],
  ];
  for (const [name, safe] of cases) assert.equal(safeName(name), safe, JSON.stringify(name));
});

test('a number stands before the extension, and a name stays within 255 bytes of whole characters', () => {
  const cases: [string, number, string][] = [
    ['a.csv', 1, 'a.csv'],
    ['a.csv', 2, 'a-2.csv'],
    ['a.tar.gz', 3, 'a.tar-3.gz'],
    ['none', 2, 'none-2'],
    ['.bashrc', 2, '.bashrc-2'],
    ['a-2.csv', 2, 'a-2-2.csv'],
    [`${'x'.repeat(251)}.tar`, 12, `${'x'.repeat(248)}-12.tar`],
    ['é'.repeat(127), 2, `${'é'.repeat(126)}-2`],
    [`a.${'x'.repeat(253)}`, 2, `a.${'x'.repeat(251)}-2`],
  ];
  for (const [name, number, expected] of cases) assert.equal(numbered(name, number), expected);
});

test('an original is the same however its path is written', () => {
  const names = ['a', './a', '/a', 'x/../a', '\\a', 'src//a', 'src\\a'];
  assert.deepEqual(names.map(originalOf), ['a', 'a', 'a', 'x/../a', 'a', 'src/a', 'src/a']);
});

test('the place of the same original is taken, but for one that the same call has filled', () => {
  const there = [{ name: 'a-2.txt', original: 'a.txt' }, { name: 'a.txt' }, { name: 'b.txt', original: 'other' }];
  const nameOf = (wanted: string, original: string, ...filled: string[]): string => nameAmong(there, { wanted, original }, new Set(filled));
  assert.equal(nameOf('a.txt', 'a.txt'), 'a.txt');
  assert.equal(nameOf('a.txt', 'a.txt', 'a.txt'), 'a-2.txt');
  assert.equal(nameOf('a.txt', 'a.txt', 'a.txt', 'a-2.txt'), 'a-3.txt');
  assert.equal(nameOf('b.txt', 'b.txt'), 'b-2.txt');
  assert.equal(nameOf('b.txt', 'other'), 'b.txt');
  // Of the same original, and wanted under a name of its own.
  assert.equal(nameOf('c.txt', 'other'), 'c.txt');
});
