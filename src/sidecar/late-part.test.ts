import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatePart } from './late-part.ts';

type Operations = Record<string, (input: unknown) => unknown>;

test('is opened at the first call, once, whoever calls meanwhile', async () => {
  let opens = 0;
  const gate = Promise.withResolvers<void>();
  const part = new LatePart(async () => {
    opens++;
    await gate.promise;
    return { operations: { double: (input: number) => 2 * input, negate: (input: number) => -input } };
  });
  const { double, negate } = part.operations(['double', 'negate']) as Operations;
  assert.equal(opens, 0);
  assert.equal(await part.settled(), undefined, 'nobody opens it');
  const calls = [double?.(2), negate?.(3)];
  assert.equal(part.opened, undefined);
  const settled = part.settled();
  gate.resolve();
  assert.deepEqual(await Promise.all(calls), [4, -3]);
  assert.equal(await settled, part.opened);
  assert.equal(double?.(5), 10, 'in the same turn once it is open');
  assert.equal(opens, 1);
});

test('is tried again after it could not be opened', async () => {
  let opens = 0;
  const part = new LatePart(async () => {
    if (++opens === 1) throw new Error('The disk is full.');
    return { operations: { same: (input: number) => input } };
  });
  const { same } = part.operations(['same']) as Operations;
  const first = Promise.allSettled([same?.(1), same?.(2)]);
  assert.equal(await part.settled(), undefined);
  assert.deepEqual(
    (await first).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await same?.(3), 3);
  assert.equal(opens, 2);
});
