import assert from 'node:assert/strict';
import os from 'node:os';
import { test } from 'node:test';
import { indexThreads, memoryHere, throwIfTooLarge } from './index-memory.ts';

const MIB = 1024 * 1024;

test('an index is built by as many threads as there is memory for, and not where it would take all that there is', () => {
  for (const [mib, threads] of [
    [24_000, 2],
    [512, 2],
    [511, 1],
    [128, 1],
  ] as const)
    assert.equal(indexThreads(mib * MIB), threads, `${mib} MiB`);
  for (const [mib, files] of [
    [216, 0],
    [256, 78_255],
    [512, 300_000],
  ] as const)
    throwIfTooLarge(mib * MIB, files);
  for (const [mib, files, needed] of [
    [215, 0, 216],
    [192, 78_255, 255],
    [256, 300_000, 363],
  ] as const)
    assert.throws(() => throwIfTooLarge(mib * MIB, files), {
      message: `to build one takes up to ${needed} MiB of memory here, and there are ${mib}.`,
    });
});

test('the memory that there is is that of the machine, or what its container may take of it', () => {
  const given: [constrained: number, memory: number][] = [
    [0, os.totalmem()],
    [2 ** 53, os.totalmem()],
    [128 * MIB, 128 * MIB],
  ];
  for (const [constrained, memory] of given) assert.equal(memoryHere(constrained), memory);
});
