import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { testSeed } from '../../../test/kit/seed.ts';
import { cutsText, fitted, jsonSize } from './bounded.ts';

describe('a value that fits', () => {
  for (const value of [null, 'text', 5, [], {}, { a: [1, { b: 'c' }], d: null }]) {
    test(`is left as it is: ${JSON.stringify(value)}`, () => {
      assert.deepEqual(fitted(value, jsonSize(value)), { value, cuts: [] });
    });
  }
});

test('of a long text the beginning and the end stay, and the bytes between are counted', () => {
  const { value, cuts } = fitted({ text: `head ${'é'.repeat(1000)} tail`, etag: 'x' }, 500);
  const { text, etag } = value as { text: string; etag: string };
  assert.equal(etag, 'x');
  assert.match(text, /^head é+\n… \d+ bytes omitted …\né+ tail$/);
  const omitted = 2010 - Buffer.byteLength(text.replace(/\n… \d+ bytes omitted …\n/, ''));
  assert.deepEqual(cuts, [{ at: 'text', omitted, unit: 'bytes' }]);
  assert.ok(text.includes(`… ${omitted} bytes omitted …`));
});

test('of a long list the first and the last stay, and the items between are counted', () => {
  const list = Array.from({ length: 1000 }, (_, n) => ({ n }));
  const { value, cuts } = fitted({ list }, 400);
  const kept = (value as { list: { n: number }[] }).list;
  assert.deepEqual([kept[0], kept.at(-1)], [{ n: 0 }, { n: 999 }]);
  assert.deepEqual(cuts, [{ at: 'list', omitted: 1000 - kept.length, unit: 'items' }]);
});

test('a long text inside of a list is cut where it stands', () => {
  const { value, cuts } = fitted({ list: [{ id: 1, text: 'x'.repeat(5000) }, { id: 2 }] }, 2000);
  assert.deepEqual(
    (value as { list: { id: number }[] }).list.map(({ id }) => id),
    [1, 2],
  );
  assert.deepEqual(
    cuts.map(({ at, unit }) => [at, unit]),
    [['list.0.text', 'bytes']],
  );
});

test('a value that is nested deep is not written again for each level', (t) => {
  let deep: unknown = 'x'.repeat(500_000);
  for (let level = 0; level < 400; level++) deep = level % 2 === 0 ? { a: deep } : [deep];
  const stringify = JSON.stringify;
  let written = 0;
  t.mock.method(JSON, 'stringify', (value: unknown) => {
    const text = stringify(value);
    written += text?.length ?? 0;
    return text;
  });
  const { value, cuts } = fitted(deep, 5000);
  t.mock.restoreAll();
  assert.ok(written < 20 * 500_000, `${written} characters were written`);
  assert.ok(jsonSize(value) <= 6000);
  assert.equal(cuts.length, 1);
  assert.ok(cutsText(cuts).length < 500);
});

test('a field whose name alone is too long is left out, and counted', () => {
  const { value, cuts } = fitted({ ['k'.repeat(5000)]: 1, text: 'x'.repeat(5000) }, 1000);
  assert.deepEqual(Object.keys(value as object), ['text']);
  assert.ok(jsonSize(value) <= 1000);
  assert.deepEqual(cuts.at(-1), { at: '', omitted: 1, unit: 'items' });
});

test('half of a character is not kept', () => {
  for (let length = 200; length < 230; length++) assert.ok((fitted('😀'.repeat(500), length).value as string).isWellFormed());
});

test('what was left out is said in one sentence', () => {
  assert.equal(
    cutsText([
      { at: '', omitted: 3, unit: 'items' },
      { at: 'a.b', omitted: 4, unit: 'bytes' },
    ]),
    'Left out because the answer is too long: 3 items from the middle of the answer; 4 bytes from the middle of "a.b". Ask for a smaller part to see it.',
  );
});

test('any value comes out bounded and of the same kind, with a cut for whatever is missing (long form)', () => {
  let state = testSeed();
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return Math.floor((state / 0x80000000) * below);
  };
  const make = (depth: number): unknown => {
    const kind = random(depth > 3 ? 3 : 5);
    if (kind === 0) return random(1e9);
    if (kind < 3) return ['x', '"\\\n', 'é', '😀'][random(4)]?.repeat(random(2000));
    if (kind === 3) return Array.from({ length: random(14) }, () => make(depth + 1));
    return Object.fromEntries(Array.from({ length: random(12) }, (_, n) => [`field${n}`, make(depth + 1)]));
  };
  for (let round = 0; round < 200; round++) {
    const value = make(0);
    const maxBytes = 500 + random(20_000);
    const { value: kept, cuts } = fitted(value, maxBytes);
    // Deep values keep a little of each part, so the bound is rough for small budgets.
    assert.ok(jsonSize(kept) <= maxBytes * 1.25 + 500, `${jsonSize(kept)} bytes of ${maxBytes}`);
    assert.equal(Array.isArray(kept), Array.isArray(value));
    assert.equal(typeof kept, typeof value);
    if (jsonSize(value) <= maxBytes) assert.deepEqual([kept, cuts], [value, []]);
    else assert.ok(cuts.length > 0);
    assert.ok(cuts.every(({ omitted }) => omitted > 0));
  }
});
