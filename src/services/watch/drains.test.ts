import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Drains, type Step } from './drains.ts';

/** What is dirty is a count; each step takes one away. */
function drainsOf(work: { dirty: number; drained: number; step?: () => Step }): Drains {
  return new Drains({
    *drain() {
      for (let left = work.dirty; left > 0; left--) {
        work.dirty--;
        yield work.step?.();
      }
    },
    isDirty: () => work.dirty > 0,
    onDrained: () => void work.drained++,
  });
}

describe('drains', () => {
  test('a flush ends when what was dirty is looked at, and at once where nothing is', async () => {
    const work = { dirty: 0, drained: 0 };
    const drains = drainsOf(work);
    await drains.flush();
    assert.equal(work.drained, 0);
    work.dirty = 5;
    await drains.flush();
    assert.deepEqual(work, { dirty: 0, drained: 1 });
  });

  test('a flush during a drain waits for the next one, which may find what this one has passed', async () => {
    const work: Parameters<typeof drainsOf>[0] = { dirty: 1, drained: 0 };
    const drains = drainsOf(work);
    let second: Promise<void> | undefined;
    let drainedAtSecond = 0;
    work.step = () => {
      if (second !== undefined) return;
      work.dirty++;
      second = drains.flush().then(() => {
        drainedAtSecond = work.drained;
      });
      return;
    };
    await drains.flush();
    await second;
    assert.equal(drainedAtSecond, 2);
    assert.equal(work.dirty, 0);
  });

  test('the loop has its turn when a step asks for it, and when steps take long', async () => {
    const work: Parameters<typeof drainsOf>[0] = { dirty: 3, drained: 0 };
    let turns = 0;
    const seen: number[] = [];
    work.step = () => {
      seen.push(turns);
      setImmediate(() => turns++);
      return 'turn';
    };
    await drainsOf(work).flush();
    assert.deepEqual(seen, [0, 1, 2]);
    work.dirty = 4;
    const from = turns;
    work.step = () => {
      const until = performance.now() + 6;
      while (performance.now() < until);
      seen.push(turns - from);
      setImmediate(() => turns++);
      return undefined;
    };
    await drainsOf(work).flush();
    assert.ok((seen.at(-1) as number) > 0, `all in one turn: ${seen}`);
  });

  test('nobody waits for one that was closed', async () => {
    const work = { dirty: 1, drained: 0 };
    const drains = drainsOf(work);
    const flushed = drains.flush();
    drains.close();
    await flushed;
    await drains.flush();
    drains.schedule(true);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(work, { dirty: 1, drained: 0 });
  });
});
