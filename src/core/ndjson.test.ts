import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/kit/seed.ts';
import { LineSplitter } from './ndjson.ts';

const seed = testSeed();

function split(chunks: Uint8Array[], maxLineBytes: number): string[] {
  const seen: string[] = [];
  const splitter = new LineSplitter(maxLineBytes, { line: (text) => seen.push(text), bad: (problem) => seen.push(`<${problem}>`) });
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return seen;
}

test('lines come out whole however the bytes are cut, characters too (long form)', () => {
  const line = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).filter((text) => !/[\r\n]/.test(text) && text.isWellFormed());
  fc.assert(
    fc.property(fc.array(line, { maxLength: 10 }), fc.array(fc.nat(200), { maxLength: 20 }), (lines, cuts) => {
      const bytes = new TextEncoder().encode(lines.map((text) => `${text}\n`).join(''));
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.slice(at[index], end));
      assert.deepEqual(split(chunks, 1000), lines);
    }),
    { seed },
  );
});

test('a line that is too long is reported once and skipped to its end; what follows is fine', () => {
  const text = new TextEncoder().encode(`ok\n${'x'.repeat(25)}\nfine\n`);
  const bytewise = Array.from(text, (byte) => Uint8Array.of(byte));
  assert.deepEqual(split([text], 10), ['ok', '<too-long>', 'fine']);
  assert.deepEqual(split(bytewise, 10), ['ok', '<too-long>', 'fine']);
});

test('bytes that are no UTF-8 spoil their line only; \\r\\n and empty lines are no matter', () => {
  const bytes = new Uint8Array([0xff, 0xfe, 10, 97, 13, 10, 10, 13, 10, 98]);
  assert.deepEqual(split([bytes], 10), ['<not-utf8>', 'a', 'b']);
});
