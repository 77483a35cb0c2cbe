import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeId } from '../../contract/code.ts';
import { newId } from './ids.ts';

test('ids are what the contract says, no two alike, and each character as likely as the others', () => {
  const ids = Array.from({ length: 10_000 }, newId);
  for (const id of ids.slice(0, 100)) assert.ok(codeId().safeParse(id).success, id);
  assert.equal(new Set(ids).size, ids.length);
  const counts = new Map<string, number>();
  for (const character of ids.join('')) counts.set(character, (counts.get(character) ?? 0) + 1);
  assert.equal(counts.size, 62);
  const expected = (ids.length * 21) / 62;
  for (const [character, count] of counts) assert.ok(Math.abs(count - expected) < expected / 5, `${character}: ${count} of ${expected}`);
});
