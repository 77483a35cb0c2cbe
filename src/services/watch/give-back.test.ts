import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { getHeapStatistics } from 'node:v8';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { giveBackWhenIdle } from './give-back.ts';

const lookMs = 150;

function work(ms: number): void {
  for (const until = performance.now() + ms; performance.now() < until; );
}

async function within(ms: number, done: () => boolean): Promise<boolean> {
  for (const until = performance.now() + ms; !done() && performance.now() < until; ) await delay(lookMs);
  return done();
}

test('memory is given back once when work has ended, and again only after more of it', async () => {
  let collected = 0;
  const end = giveBackWhenIdle({ lookMs, quietLooks: 4, collect: () => void collected++ });
  try {
    assert.ok(await within(10_000, () => collected === 1), 'after the start');
    await delay(5 * lookMs);
    assert.equal(collected, 1, 'nothing was done since');
    work(200);
    await delay(2 * lookMs);
    assert.equal(collected, 1, 'it was quiet for a moment only');
    assert.ok(await within(10_000, () => collected === 2), 'after a burst');
  } finally {
    end();
  }
  work(200);
  await delay(4 * lookMs);
  assert.equal(collected, 2, 'it was ended');
});

test('where little more is held than after the last time, nothing is stopped for it', async () => {
  let collected = 0;
  const options = { lookMs, quietLooks: 1, idleShare: 0.5, worthBytes: 100 * 1024 * 1024, collect: () => void collected++ };
  const end = giveBackWhenIdle(options);
  try {
    assert.equal(await within(10 * lookMs, () => collected > 0), process.memoryUsage.rss() > options.worthBytes);
    const before = collected;
    work(200);
    await delay(5 * lookMs);
    assert.equal(collected, before, 'there was work, and nothing was taken');
    const taken = Buffer.alloc(2 * options.worthBytes, 1);
    work(200);
    assert.ok(await within(10_000, () => collected === before + 1), `${taken.length} bytes were taken`);
  } finally {
    end();
  }
});

for (const keepsCode of [false, true]) {
  test(`what a burst of work took from the system goes back to it${keepsCode ? ', and compiled code stays (long form)' : ''}`, async () => {
    const holdsBytes = (): number => getHeapStatistics().total_heap_size;
    for (let round = 0; round < 400; round++) Array.from({ length: 10_000 }, (_, index) => ({ index }));
    const before = holdsBytes();
    const end = giveBackWhenIdle({ lookMs, keepsCode });
    try {
      assert.ok(await within(10_000, () => holdsBytes() < before - 4 * 1024 * 1024), `${before} bytes, then ${holdsBytes()}`);
    } finally {
      end();
    }
  });
}

test('while no descriptor is left, so that nobody can say how much is held, the look is passed over, and a later one gives back', async (t) => {
  const tooMany = Object.assign(new Error('EMFILE: too many open files, uv_resident_set_memory'), { code: 'EMFILE' });
  const asked = t.mock.method(process.memoryUsage, 'rss', () => {
    throw tooMany;
  });
  let collected = 0;
  const end = giveBackWhenIdle({ lookMs, quietLooks: 1, idleShare: 0.5, collect: () => void collected++ });
  try {
    assert.ok(await within(10_000, () => asked.mock.callCount() >= 2), 'it looks on');
    assert.equal(collected, 0);
    asked.mock.restore();
    assert.ok(await within(10_000, () => collected === 1), 'given back');
  } finally {
    end();
  }
});

test('threads that give back at the same time do not end each other', async () => {
  const other = new Worker(
    `const { setFlagsFromString } = require('node:v8');
    require('node:worker_threads').parentPort.postMessage('begun');
    for (;;) for (const flag of ['--expose-gc', '--no-expose-gc']) setFlagsFromString(flag);`,
    { eval: true },
  );
  await once(other, 'message');
  const ends = Array.from({ length: 12 }, () => giveBackWhenIdle({ lookMs: 10, quietLooks: 1, idleShare: 1, keepsCode: true }));
  try {
    // What is thrown in a look is caught by nobody, and fails the test.
    await delay(200);
  } finally {
    for (const end of ends) end();
    await other.terminate();
  }
});
