import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Barriers } from './barriers.ts';

const none = (): boolean => false;

describe('barriers', () => {
  test('one passes when all that it waits for is told, and not before', () => {
    const barriers = new Barriers();
    barriers.raise(1, new Set(['a', 'b']), 0);
    barriers.raise(2, new Set(), 0);
    const waiting = new Set(['b']);
    assert.deepEqual(
      barriers.passed((path) => waiting.has(path)),
      [2],
    );
    barriers.told('b');
    assert.deepEqual(
      barriers.passed(() => true),
      [1],
    );
    assert.deepEqual(barriers.passed(none), []);
  });

  test('who waits for a file waits for it at its new place, in a renamed folder too', () => {
    const barriers = new Barriers();
    barriers.raise(1, new Set(['a', 'folder/b', 'folders/c']), 0);
    barriers.renamed('a', 'z');
    barriers.renamed('unknown', 'other');
    barriers.folderRenamed('folder', 'moved');
    const [paths] = [...barriers.impatient(2000)];
    assert.deepEqual(new Set(paths), new Set(['a', 'z', 'folder/b', 'moved/b', 'folders/c']));
  });

  test('two seconds are waited, and then two more', () => {
    const barriers = new Barriers();
    assert.equal(barriers.nextAt, Number.POSITIVE_INFINITY);
    barriers.raise(1, new Set(['a']), 100);
    assert.equal(barriers.nextAt, 2100);
    assert.equal([...barriers.impatient(2099)].length, 0);
    assert.equal([...barriers.impatient(2100)].length, 1);
    assert.equal([...barriers.impatient(2101)].length, 0);
    assert.equal(barriers.nextAt, 4100);
  });
});
