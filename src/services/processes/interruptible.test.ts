import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interruptible } from './interruptible.ts';

test('an expression that an engine is caught in is left after its time, and the next work is done', () => {
  const interruptible = new Interruptible();
  const started = performance.now();
  assert.equal(
    interruptible.run(() => /(a+)+$/.test(`${'a'.repeat(50)}b`), 5),
    undefined,
  );
  assert.ok(performance.now() - started < 1000);
  assert.equal(
    interruptible.run(() => 7, 1000),
    7,
  );
  assert.throws(() => interruptible.run(() => assert.fail('what fails is heard'), 1000), /what fails is heard/);
});
