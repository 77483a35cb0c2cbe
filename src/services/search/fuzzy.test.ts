import assert from 'node:assert/strict';
import { test } from 'node:test';
import fuzzysort from 'fuzzysort';
import { livingBytes } from '../../../test/kit/living-bytes.ts';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { Fuzzy } from './fuzzy.ts';
import { blocksOf } from './sorted-paths.ts';

const LEAST = 0.2;
const { signal } = new AbortController();
const words = [
  'src',
  'core',
  'Main',
  'index',
  'readme',
  'fork',
  'Sched',
  'net',
  'driver',
  'test',
  'util',
  'zod',
  'page',
  'Button',
  'a',
  'io',
];
const queries = ['main', 'readme', 'srcidx', 'e', 'ts', 'btn', 'io main', 'forkc', 'schednet', 'nothing_like_this'];

function pathsBy(random: Random, count: number): string[] {
  const name = (): string => random.of(words) + (random.below(3) === 0 ? `_${random.below(50)}` : random.of(words));
  const path = (): string => `${Array.from({ length: 1 + random.below(4) }, name).join('/')}.${random.of(['ts', 'c', 'md'])}`;
  return [...new Set(Array.from({ length: count }, path))].sort();
}

function scores(results: readonly { score: number }[]): number[] {
  return results.map(({ score }) => score);
}

test('of few texts those are found that fuzzysort finds, as it counts and scores them', async () => {
  const random = new Random(testSeed());
  const paths = pathsBy(random, 700);
  const fuzzy = new Fuzzy<string>((path) => path, LEAST);
  for (const query of queries) {
    const { found, total } = await fuzzy.find(query, blocksOf(paths), 50, signal);
    const all = fuzzysort.go(query, paths, { limit: 50, threshold: LEAST });
    assert.deepEqual(scores(found), scores(all), query);
    assert.equal(total, all.total, query);
    for (const { item, score, indexes } of found) {
      const single = fuzzysort.single(query, item);
      assert.deepEqual([score, indexes], [single?.score, single?.indexes], `${query}: ${item}`);
    }
  }
});

test('of many texts the best are those that fuzzysort finds best', async () => {
  const paths = pathsBy(new Random(7), 60_000);
  const fuzzy = new Fuzzy<string>((path) => path, LEAST);
  for (const query of queries) {
    const { found, total } = await fuzzy.find(query, blocksOf(paths), 20, signal);
    const all = fuzzysort.go(query, paths, { limit: 20, threshold: LEAST });
    assert.deepEqual(scores(found), scores(all), query);
    assert.equal(total > found.length, all.total > all.length, query);
  }
});

test('where those that look best are no match, all others are compared', async () => {
  // A word for each letter, with so many others between that fuzzysort finds little in it.
  const far = Array.from({ length: 1000 }, (_, number) => `${[...'needle'].join(`/${'x/'.repeat(60)}`)}${number}`);
  const fuzzy = new Fuzzy<string>((path) => path, LEAST);
  const { found, total } = await fuzzy.find('needle', [far, ['b/xneedle']], 1, signal);
  assert.deepEqual([found.map(({ item }) => item), total], [['b/xneedle'], 1]);
});

test('items of the same text are each found', async () => {
  const items = [1, 2, 3].map((number) => ({ name: 'same', number }));
  const { found } = await new Fuzzy<(typeof items)[number]>(({ name }) => name, LEAST).find('sa', [items], 10, signal);
  assert.deepEqual(new Set(found.map(({ item }) => item.number)), new Set([1, 2, 3]));
});

test('a search whose caller is gone ends between two turns', async () => {
  const paths = pathsBy(new Random(1), 60_000);
  const gone = new AbortController();
  const search = new Fuzzy<string>((path) => path, LEAST).find('e', blocksOf(paths), 20_000, gone.signal);
  setImmediate(() => gone.abort(new Error('gone')));
  await assert.rejects(search, /gone/);
});

test('what is kept of a path takes less room than three of it', async () => {
  const blocks = blocksOf(pathsBy(new Random(3), 50_000));
  const fuzzy = new Fuzzy<string>((path) => path, LEAST);
  const bytes = blocks.flat().join('').length;
  const before = livingBytes();
  for (const query of queries) await fuzzy.find(query, blocks, 100, signal);
  const kept = livingBytes() - before;
  assert.ok(kept < 3 * bytes, `${kept} bytes for ${bytes}`);
});
