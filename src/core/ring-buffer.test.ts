import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/kit/seed.ts';
import { RingBuffer } from './ring-buffer.ts';

test('a ring buffer holds the newest values, oldest first', () => {
  const seed = testSeed();
  const property = fc.property(
    fc.integer({ min: 1, max: 5 }),
    fc.array(fc.option(fc.nat(), { nil: 'clear' as const })),
    (capacity, steps) => {
      const ring = new RingBuffer<number>(capacity);
      let model: number[] = [];
      for (const step of steps) {
        if (step === 'clear') ring.clear();
        else ring.push(step);
        model = step === 'clear' ? [] : [...model, step].slice(-capacity);
        assert.deepEqual(
          Array.from({ length: ring.length }, (_, index) => ring.at(index)),
          model,
        );
        assert.deepEqual([ring.at(-1), ring.at(model.length)], [undefined, undefined]);
      }
    },
  );
  fc.assert(property, { seed });
  for (const capacity of [0, -1, Number.NaN]) assert.throws(() => new RingBuffer(capacity), RangeError);
});
