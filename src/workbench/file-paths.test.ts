import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movedPath } from '../core/moved-path.ts';
import { compareNames, encodePath, foldersAbove, isWithin, nameProblem } from './file-paths.ts';

test('names are ordered as people count, and two different names are never equal', () => {
  const names = ['b.py', 'file10', 'a.py', 'file9', 'A.py', '__init__.py'];
  assert.deepEqual(names.toSorted(compareNames), ['__init__.py', 'A.py', 'a.py', 'b.py', 'file9', 'file10']);
});

test('a moved folder takes what is below it along, and nothing that only begins like it', () => {
  assert.equal(movedPath('a/b/c', 'a/b', 'x'), 'x/c');
  assert.equal(movedPath('a/b', 'a/b', 'x'), 'x');
  assert.equal(movedPath('a/bc', 'a/b', 'x'), undefined);
  assert.equal(isWithin('a/b', 'a/bc'), false);
  assert.deepEqual(foldersAbove('a/b/c'), ['a/b', 'a']);
});

test('addresses hold each name encoded', () => {
  assert.equal(encodePath('a b/c#d?.py'), 'a%20b/c%23d%3F.py');
});

test('a name that can not be used says why', () => {
  const taken = (name: string): boolean => name === 'loan.py';
  const table: [string, RegExp | undefined][] = [
    ['', /Give it a name/],
    ['loan.py', /exists here already/],
    ['../x', /not names/],
    ['a//b', /slash too many/],
    ['/a', /relative/],
    ['é'.repeat(128), /255 bytes/],
    ['new/deep.py', undefined],
  ];
  for (const [name, expected] of table) {
    const problem = nameProblem(name, taken);
    if (expected === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? '', expected);
  }
});
