import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PresenceColors, presenceColors, stableHash } from './presence-colors.ts';

const clashing = (): [string, string] => {
  const byHash = new Map<number, string>();
  for (let index = 0; ; index += 1) {
    const name = `person:${index}`;
    const wished = stableHash(name) % presenceColors;
    const other = byHash.get(wished);
    if (other !== undefined) return [other, name];
    byHash.set(wished, name);
  }
};

test('a name has the same colour on every page', () => {
  assert.equal(new PresenceColors().of('person:guest'), new PresenceColors().of('person:guest'));
});

test('of two who wish for one colour the second gets the next free one, and both keep theirs', () => {
  const [first, second] = clashing();
  const colors = new PresenceColors();
  const one = colors.of(first);
  const two = colors.of(second);
  assert.equal(two, (one % presenceColors) + 1);
  assert.deepEqual([colors.of(first), colors.of(second)], [one, two]);
});

test('twelve people have twelve colours, and a thirteenth shares one', () => {
  const colors = new PresenceColors();
  const given = Array.from({ length: 12 }, (_, index) => colors.of(`person:${index}`));
  assert.deepEqual(
    given.toSorted((a, b) => a - b),
    Array.from({ length: 12 }, (_, index) => index + 1),
  );
  const thirteenth = colors.of('person:late');
  assert.ok(thirteenth >= 1 && thirteenth <= 12);
});
