import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../limits.ts';
import { evidenceOf } from './evidence.ts';
import type { SandboxEnd } from './sandbox.ts';

const quiet: SandboxEnd = {
  reason: 'exit',
  exitCode: 0,
  signal: null,
  limit: null,
  wallMs: 10,
  cpuMs: 5,
  memoryBytes: 1000,
  omitted: { stdout: 0, stderr: 0 },
  problem: null,
};

test('memory is held where the kernel ended all that held too much, and whoever started them lived on', () => {
  const held = (end: SandboxEnd): boolean | undefined => {
    const ran = { end: quiet, stdout: '', problem: '' };
    const seen = { around: ran, count: ran, memory: { ...ran, end }, disk: ran, output: ran, time: ran };
    const machine = { abi: 6, cgroups: 1 as const };
    return evidenceOf(3, seen, defaultLimits, machine as never, 150).find(({ protection }) => protection === 'memory')?.held;
  };
  assert.equal(held({ ...quiet, limit: 'memoryBytes' }), true);
  assert.equal(held({ ...quiet, reason: 'memory', limit: 'memoryBytes' }), true);
  assert.equal(held(quiet), false);
});
