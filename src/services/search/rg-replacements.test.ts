import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fails } from '../../../test/kit/workspace-harness.ts';
import { ReplacementReader } from './rg-replacements.ts';

const begin = (path: string): string => JSON.stringify({ type: 'begin', data: { path: { text: path } } });
const end = JSON.stringify({ type: 'end', data: { path: { text: 'any' } } });

function line(number: number, count: number, replacement = 'b'): string {
  const submatches = Array.from({ length: count }, (_, at) => ({
    match: { text: 'a' },
    replacement: { text: replacement },
    start: at,
    end: at + 1,
  }));
  return JSON.stringify({ type: 'match', data: { path: { text: 'any' }, line_number: number, absolute_offset: 0, submatches } });
}

const all = { stripPlace: (path: string) => path, isWanted: () => true };

test('of a file with a line that did not come whole nothing is kept, nor counted', () => {
  const reader = new ReplacementReader(all, { matches: 10, bytes: 1000 });
  reader.push(begin('long'), false);
  reader.push(line(1, 8), false);
  reader.push(line(2, 3), true);
  for (let number = 3; number < 100; number++) reader.push(line(number, 8), false);
  assert.deepEqual(reader.push(end, false), { path: 'long', matches: [], tooLong: true });
  reader.push(begin('short'), false);
  reader.push(line(1, 8), false);
  assert.equal(reader.push(end, false)?.matches.length, 8);
});

test('a line that stays as it is may be as long as it will', () => {
  const reader = new ReplacementReader({ ...all, isWanted: (path, number) => path !== 'a' || number !== 2 }, { matches: 10, bytes: 1000 });
  reader.push(begin('a'), false);
  reader.push(line(1, 1), false);
  reader.push(line(2, 100), true);
  const file = reader.push(end, false);
  assert.deepEqual([file?.matches.length, file?.tooLong], [1, false]);
  reader.push(begin('a'), false);
  reader.push(line(2, 1), false);
  assert.equal(reader.push(end, false), undefined);
});

test('matches of all files, and what they become, have a bound together', async () => {
  const read = (each: number, replacement: string): Promise<void> =>
    Promise.resolve().then(() => {
      const reader = new ReplacementReader(all, { matches: 10, bytes: 100 });
      for (const name of ['a', 'b']) for (const json of [begin(name), line(1, each, replacement), end]) reader.push(json, false);
    });
  await read(5, 'x'.repeat(10));
  await fails('OUTPUT_TOO_LARGE', () => read(6, 'x'), /10 places/);
  await fails('OUTPUT_TOO_LARGE', () => read(5, 'x'.repeat(11)), /100 bytes/);
});
