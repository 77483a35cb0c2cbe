import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserBlocks } from './user-blocks.ts';

const skip = process.platform === 'linux' ? false : 'abstract sockets are of Linux';
/** Nobody's users: blocks of this name are claimed and never run as. */
const FROM = 1_000_000_000 + process.pid * 1000;

test('nobody gets a block that another one has', { skip }, async () => {
  const one = new UserBlocks({ from: FROM, count: 12 }, 4);
  const two = new UserBlocks({ from: FROM, count: 12 }, 4);
  const claims = [await one.claim(), ...(await Promise.all([two.claim(), two.claim()]))];
  assert.deepEqual(new Set(claims.map((block) => block?.from)), new Set([FROM, FROM + 4, FROM + 8]));
  assert.deepEqual(new Set(claims.map((block) => block?.count)), new Set([4]));
  assert.deepEqual([await one.claim(), await two.claim()], [undefined, undefined], 'who has some shares none');
  two.close();
  assert.notEqual(await one.claim(), undefined, 'what was given back can be claimed');
  one.close();
});

test('who finds all blocks claimed shares one', { skip }, async () => {
  const one = new UserBlocks({ from: FROM + 100, count: 4 }, 4);
  const two = new UserBlocks({ from: FROM + 100, count: 4 }, 4);
  const block = await one.claim();
  assert.deepEqual(await two.claim(), block);
  two.close();
  assert.deepEqual(await two.claim(), block);
  one.close();
});
