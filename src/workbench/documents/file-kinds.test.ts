import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileKind } from './file-kinds.ts';

test('a file is known by its name, else by its extension', () => {
  assert.equal(fileKind('deploy/Dockerfile').language, 'Dockerfile');
  assert.equal(fileKind('models/Loan.PY').grammar, 'python');
  assert.equal(fileKind('shelf.png').language, 'Image');
  assert.deepEqual(fileKind('.gitignore'), { language: 'Plain text', icon: 'doc' });
  assert.deepEqual(fileKind('notes'), { language: 'Plain text', icon: 'file' });
});

test('names that every object has are names of files like others', () => {
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
    assert.deepEqual(fileKind(`src/${name}`), { language: 'Plain text', icon: 'file' }, name);
    assert.deepEqual(fileKind(`loan.${name}`), { language: 'Plain text', icon: 'file' }, `.${name}`);
  }
});
