import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { BLOCK_PATHS, SortedPaths, sortInTurns } from './sorted-paths.ts';

test('paths stay in order whatever comes and goes', () => {
  const random = new Random(testSeed());
  for (const size of [0, 1, 3 * BLOCK_PATHS]) {
    const paths = new Set(Array.from({ length: size }, () => `${random.below(1e6)}`));
    const sorted = new SortedPaths([...paths].sort());
    for (let round = 0; round < 20; round++) {
      for (let change = random.below(round === 10 ? 20_000 : 20); change >= 0; change--) {
        const path = `${random.below(1e6)}`;
        const known = paths.has(path) ? path : random.below(2) === 0 ? undefined : paths.values().next().value;
        if (known === undefined) {
          paths.add(path);
          sorted.add(path);
        } else {
          paths.delete(known);
          sorted.remove(known);
        }
      }
      const { blocks } = sorted;
      assert.deepEqual(blocks.flat(), [...paths].sort());
      assert.ok(blocks.every(({ length }) => length > 0 && length <= 2 * BLOCK_PATHS));
    }
  }
});

test('a path that comes or goes leaves all blocks but its own as they are', () => {
  const sorted = new SortedPaths(Array.from({ length: 10 * BLOCK_PATHS }, (_, number) => `f${String(number).padStart(6, '0')}`));
  const before = new Set(sorted.blocks);
  const others = (): number => sorted.blocks.filter((block) => !before.has(block)).length;
  sorted.add('f030000-new');
  assert.equal(others(), 1);
  sorted.remove('f030000-new');
  sorted.remove('f000000');
  assert.equal(others(), 2);
  assert.equal(sorted.blocks.flat().length, 10 * BLOCK_PATHS - 1);
});

test('what is sorted in turns is in the order of sort', async () => {
  const random = new Random(testSeed());
  for (const size of [0, 1, BLOCK_PATHS, 5 * BLOCK_PATHS + 7]) {
    const paths = Array.from({ length: size }, () => `${random.of(['a/', 'ä', 'Z', '😀', ''])}${random.below(1e6)}`);
    assert.deepEqual(await sortInTurns(paths), [...paths].sort());
  }
  await assert.rejects(sortInTurns(['a'], AbortSignal.abort(new Error('enough'))), /enough/);
});
