import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import type { FoundLine } from '../../contract/search.ts';
import { foundLine, shownBytes } from './found-line.ts';
import { cutLine } from './rg-events.ts';
import { unitsOf } from './units.ts';

/** All of the line is decoded, then cut. */
function decoded(bytes: Buffer, places: readonly number[], maxLineLength: number): FoundLine {
  const line: FoundLine = { line: 7, text: bytes.toString(), ranges: [] };
  const toUnits = unitsOf(bytes);
  for (let at = 0; at < places.length; at += 2)
    line.ranges?.push([toUnits(places[at] as number), Math.min(toUnits(places[at + 1] as number), line.text.length)]);
  if (!isUtf8(bytes)) line.raw = true;
  return line.text.length > maxLineLength ? cutLine(line, maxLineLength) : line;
}

test('a long line is shown as one that was decoded whole and cut, wherever it is cut and whatever it is made of', () => {
  const seed = testSeed();
  const random = new Random(seed);
  for (let round = 0; round < 2000; round++) {
    const letters = random.of([
      ['a', 'b', ' '],
      ['a', 'b', ' ', 'é', '漢', '🙂'],
      ['🙂', 'é'],
    ]);
    const filler = (most: number): string => Array.from({ length: random.below(most) }, () => random.of(letters)).join('');
    const broken = random.below(8) === 0 ? Buffer.from('ff', 'hex') : Buffer.alloc(0);
    const parts = [Buffer.from(filler(random.of([5, 90, 400]))), broken];
    const places: number[] = [];
    const maxLineLength = 20 + random.below(100);
    for (let match = 0; match < 1 + random.below(5); match++) {
      const start = Buffer.concat(parts).length;
      const text = Buffer.from(random.of(['needle', 'nädel', '🙂']));
      parts.push(text, Buffer.from(filler(random.of([3, 40, 400]))));
      if (start <= (places[0] ?? start) + shownBytes({ maxLineLength })) places.push(start, start + text.length);
    }
    const bytes = Buffer.concat(parts);
    assert.deepEqual(foundLine(7, bytes, places, { maxLineLength }), decoded(bytes, places, maxLineLength), `SEED=${seed}, round ${round}`);
  }
});

test('however little of a long line is shown, its first match is there, with what it becomes', () => {
  for (const [letter, after] of [
    ['x', 90],
    ['漢', 90],
    ['🙂', 90],
    ['x', 9000],
    ['é', 9000],
  ] as const)
    for (const maxLineLength of [20, 21, 40, 59, 60, 61, 64, 100, 180, 1000]) {
      const before = letter.repeat(2000);
      const bytes = Buffer.from(`${before}needle${letter.repeat(after)}`);
      const start = Buffer.byteLength(before);
      for (const line of [
        foundLine(1, bytes, [start, start + 6], { maxLineLength }),
        cutLine({ line: 1, text: bytes.toString(), ranges: [[before.length, before.length + 6]], replacements: ['pin'] }, maxLineLength),
      ]) {
        const [[from, to] = [0, 0]] = line.ranges ?? [];
        assert.equal(line.text.slice(from, to), 'needle', `${letter} ${maxLineLength}`);
        const isToItsEnd = (line.cutAt ?? 0) + line.text.length === bytes.toString().length;
        assert.ok(isToItsEnd || Math.abs(from - Math.min(60, Math.floor(maxLineLength / 3))) <= 1, `${from} units before it`);
        if (line.replacements !== undefined) assert.deepEqual(line.replacements, ['pin']);
      }
    }
});
