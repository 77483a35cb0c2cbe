import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatheredItems } from './gathered-items.ts';

test('few items all stay, in order', () => {
  const gathered = new GatheredItems(10_000);
  for (let n = 0; n < 50; n++) gathered.add({ n });
  assert.deepEqual([gathered.items.length, gathered.items[49], gathered.count, gathered.omitted], [50, { n: 49 }, 50, 0]);
});

test('of many the first and the last stay, the others are counted, and what is held stays small', () => {
  const gathered = new GatheredItems(10_000);
  for (let n = 0; n < 100_000; n++) gathered.add({ n });
  const { items, count, omitted } = gathered;
  assert.deepEqual([items[0], items.at(-1), count], [{ n: 0 }, { n: 99_999 }, 100_000]);
  assert.equal(items.length + omitted, count);
  const size = JSON.stringify(items).length;
  assert.ok(size > 5000 && size < 15_000, `${size} characters are kept`);
});

test('one item larger than all room is kept when it is the first, for whoever cuts it', () => {
  const gathered = new GatheredItems(100);
  gathered.add('x'.repeat(1000));
  gathered.add('y'.repeat(1000));
  assert.deepEqual([gathered.items.length, gathered.count, gathered.omitted], [1, 2, 1]);
});
