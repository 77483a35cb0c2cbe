import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/kit/seed.ts';
import { PartedText, type Replaced } from './parted-text.ts';

function ended(steps: Generator<undefined, Replaced>): Replaced {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

test('changes of a text in parts do what they do to the whole one, however short the parts are', () => {
  const seed = testSeed();
  const maxLength = 10_000;
  const text = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
    fc.array(fc.constantFrom('a', 'a', 'a', 'b'), { minLength, maxLength }).map((units) => units.join(''));
  const changes = fc.array(fc.record({ find: text(1, 9), replace: text(0, 9), all: fc.boolean() }), { maxLength: 8 });
  const property = fc.property(text(0, 60), changes, fc.integer({ min: 1, max: 8 }), (content, given, partChars) => {
    const parted = new PartedText(content, partChars);
    let whole = content;
    for (const { find, replace, all } of given) {
      const pieces = whole.split(find);
      const isOnly = whole.indexOf(find) === whole.lastIndexOf(find);
      const changed = pieces.join(replace);
      const isTooLong = changed.length > Math.max(whole.length, maxLength);
      const expected = pieces.length === 1 ? 'not-found' : !all && !isOnly ? 'ambiguous' : isTooLong ? 'too-long' : 'done';
      if (expected === 'done') whole = changed;
      assert.equal(ended(all ? parted.replaceAll(find, replace, maxLength) : parted.replaceOnly(find, replace, maxLength)), expected);
      assert.equal(parted.toString(), whole);
    }
  });
  fc.assert(property, { seed, numRuns: 3000 });
});

test('what would be too long is left as it is; what grows no longer is not asked', () => {
  const parted = new PartedText('abab', 1);
  assert.equal(ended(parted.replaceAll('a', 'xx', 5)), 'too-long');
  assert.equal(ended(parted.replaceOnly('aba', 'xxxxx', 5)), 'too-long');
  assert.equal(parted.toString(), 'abab');
  assert.equal(ended(parted.replaceAll('a', 'xx', 6)), 'done');
  assert.equal(ended(parted.replaceAll('x', 'y', 1)), 'done');
  assert.equal(parted.toString(), 'yybyyb');
});
