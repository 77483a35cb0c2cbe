import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../limits.ts';
import { evidenceOf, shortCodeOf } from './evidence.ts';
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
  assert.equal(held({ ...quiet, limit: { name: 'memoryBytes', value: 1 } }), true);
  assert.equal(held({ ...quiet, reason: 'memory', limit: { name: 'memoryBytes', value: 1 } }), true);
  assert.equal(held(quiet), false);
});

test('what the launcher says for want of something that may be there in a moment is told from what can not be here', () => {
  const rows: [string, string | undefined][] = [
    ['pipe: Too many open files', 'EMFILE'],
    ['pipe: No file descriptors available', 'EMFILE'],
    ["can't open /mnt: Too many open files in system", 'ENFILE'],
    ["can't fork: Resource temporarily unavailable", 'EAGAIN'],
    ["can't mount on /tmp: Cannot allocate memory", 'ENOMEM'],
    ["can't make /tmp/outrigger-code-0/run-1: No space left on device", 'ENOSPC'],
    ["can't make /tmp/outrigger-code-0/run-1: Disk quota exceeded\nmore", 'EDQUOT'],
    // user.max_user_namespaces is 0, or user.max_pid_namespaces.
    ['user namespace: No space left on device', undefined],
    ["can't fork: No space left on device", undefined],
    ['bwrap: Creating new namespace failed: nesting depth or /proc/sys/user/max_*_namespaces exceeded (ENOSPC)', undefined],
    ["can't fork: Operation not permitted", undefined],
    ['landlock: Function not implemented', undefined],
    ["can't run /usr/bin/python3: Resource temporarily unavailable", undefined],
    ['', undefined],
  ];
  for (const [problem, code] of rows) assert.equal(shortCodeOf(problem), code, problem);
});
