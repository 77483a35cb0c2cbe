import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { countUnits, unitsOf } from './units.ts';

test('units are counted as they are in the text, of text and of what is none, however long', () => {
  const seed = testSeed();
  const random = new Random(seed);
  const pieces = ['a', 'é', '漢', '🙂']
    .map((text) => Buffer.from(text))
    .concat(['ff', '80', 'e282', 'f09f99'].map((hex) => Buffer.from(hex, 'hex')));
  for (let round = 0; round < 40; round++) {
    const kinds = random.of([pieces.slice(0, 1), pieces.slice(0, 4), pieces, pieces.slice(5, 6)]);
    const bytes = Buffer.concat(Array.from({ length: random.below(40_000) }, () => random.of(kinds)));
    const says = `SEED=${seed}, round ${round}`;
    assert.equal(countUnits(bytes, 0, bytes.length), bytes.toString().length, says);
    const toUnits = unitsOf(bytes);
    const from = random.below(bytes.length + 1);
    assert.equal(toUnits(from), bytes.toString('utf8', 0, from).length, says);
    assert.equal(toUnits(bytes.length), bytes.toString('utf8', 0, from).length + bytes.toString('utf8', from).length, says);
    assert.equal(toUnits(0), 0, says);
  }
});
