import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editPathProblem, foldPath } from './edit-path.ts';

test('paths that stay in the folder hold, whatever letters they have', () => {
  for (const path of ['a', 'a/b.ts', '..a/b..', 'ü/日本', 'a b', '.hidden/x']) {
    assert.equal(editPathProblem(path, 'linux'), undefined, path);
    assert.equal(
      editPathProblem(path, 'win32'),
      path === '..a/b..' ? 'has a name that ends with a dot or a space, which Windows leaves away' : undefined,
    );
  }
  assert.equal(editPathProblem('a\\b', 'linux'), undefined);
});

test('paths that lead out, or mean something else than their letters, do not', () => {
  for (const path of ['', '/etc/passwd', '../x', 'a/../../x', 'a//b', './a', 'a/', 'a\0b', '\ud83d', 'x'.repeat(5000), 7, undefined]) {
    assert.notEqual(editPathProblem(path, 'linux'), undefined, String(path));
  }
  for (const path of [
    '..\\x',
    'a\\..\\..\\x',
    'C:\\x',
    'C:x',
    'a:stream',
    'nul',
    'sub/CON.txt',
    'com1',
    'x.',
    'x ',
    '\\\\server\\share\\x',
    'a*b',
  ]) {
    assert.notEqual(editPathProblem(path, 'win32'), undefined, path);
  }
});

test('names that some disks take for one have one key', () => {
  assert.equal(foldPath('A/É.ts'), foldPath('a/e\u0301.TS'));
  assert.notEqual(foldPath('a'), foldPath('b'));
});
