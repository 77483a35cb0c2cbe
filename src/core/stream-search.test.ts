import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/kit/seed.ts';
import { StreamSearch } from './stream-search.ts';
import { threadMs } from '../../test/kit/loop-hold.ts';

/** Where each occurrence begins in all parts together. */
function starts(find: string, parts: readonly string[], overlapping: boolean): number[] {
  const search = new StreamSearch(find);
  const found: number[] = [];
  let before = 0;
  for (const part of parts) {
    for (let end = search.next(part, 0); end >= 0; end = search.next(part, end)) {
      if (!overlapping) search.restart();
      found.push(before + end - find.length);
    }
    before += part.length;
  }
  return found;
}

function byIndexOf(find: string, text: string, overlapping: boolean): number[] {
  const found: number[] = [];
  for (let at = text.indexOf(find); at >= 0; at = text.indexOf(find, at + (overlapping ? 1 : find.length))) found.push(at);
  return found;
}

test('every occurrence is found where indexOf finds it, wherever the parts end', () => {
  const seed = testSeed();
  const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
    fc.array(fc.constantFrom('a', 'a', 'a', 'b', '\ud83d', '\udca1'), { minLength, maxLength }).map((units) => units.join(''));
  // Repeated, so that what is longer than its start is found too.
  const repeated = (most: number): fc.Arbitrary<string> =>
    fc.tuple(text(1, 4), fc.integer({ min: 1, max: most })).map(([one, times]) => one.repeat(times));
  const property = fc.property(
    fc.array(fc.oneof(text(0, 9), repeated(40)), { maxLength: 5 }),
    fc.oneof(
      text(1, 4),
      repeated(30),
      fc.tuple(repeated(20), text(1, 2), repeated(20)).map((all) => all.join('')),
    ),
    fc.boolean(),
    (parts, find, overlapping) => assert.deepEqual(starts(find, parts, overlapping), byIndexOf(find, parts.join(''), overlapping)),
  );
  fc.assert(property, { seed, numRuns: 5000 });
});

test('what is cut out of the text itself is found, also across parts', () => {
  const seed = testSeed();
  const text = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 300 }).map((units) => units.join(''));
  const property = fc.property(
    text,
    fc.nat(299),
    fc.integer({ min: 1, max: 200 }),
    fc.integer({ min: 1, max: 90 }),
    (whole, at, length, step) => {
      const find = whole.slice(at % whole.length, (at % whole.length) + length);
      const parts = Array.from({ length: Math.ceil(whole.length / step) }, (_, index) => whole.slice(index * step, (index + 1) * step));
      assert.deepEqual(starts(find, parts, true), byIndexOf(find, whole, true));
    },
  );
  fc.assert(property, { seed, numRuns: 3000 });
});

test('a text that repeats itself takes no longer than its length, however long what is looked for is', () => {
  const half = 'a'.repeat(20_000);
  const started = threadMs();
  assert.deepEqual(starts(`${half}b${half}`, ['a'.repeat(2_000_000)], true), []);
  const took = Math.round(threadMs() - started);
  console.log(`40,001 characters in 2,000,000: ${took} ms`);
  // By indexOf it is ten seconds.
  assert.ok(took < 1000, `${took} ms`);
});

test('nothing can not be looked for', () => assert.throws(() => new StreamSearch(''), RangeError));
