import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathSuggestions } from './path-suggestions.ts';

test('paths are completed, folders too, those that begin so first', () => {
  const files = ['models/loan.py', 'models/deep/member.py', 'README.md', 'tests/models_test.py'];
  assert.deepEqual(pathSuggestions(files, 'mod'), [
    'models',
    'models/deep',
    'models/loan.py',
    'models/deep/member.py',
    'tests/models_test.py',
  ]);
  assert.deepEqual(pathSuggestions(files, 'mod', 'folders'), ['models', 'models/deep']);
  assert.deepEqual(pathSuggestions(files, 'nothing'), []);
  assert.equal(
    pathSuggestions(
      Array.from({ length: 100_000 }, (_, at) => `folder/file ${at}`),
      '',
    ).length,
    12,
  );
});
