import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CodeEndReason, EffectiveLimits } from '../../../contract/code.ts';
import { type CageReport, type Ending, endOf, reportOf, restOf, useOf } from './ending.ts';

const limits: EffectiveLimits = {
  wallMs: 1000,
  cpuMs: 1000,
  memoryBytes: 64 * 1024 * 1024,
  processes: 8,
  outputBytes: 1000,
  fileBytes: 1000,
  diskBytes: 10_000,
};
const quiet: CageReport = {
  exit: 0,
  signal: null,
  ended: '',
  cpu_ms: 5,
  max_rss_kib: 1000,
  most_kib: 0,
  most_tasks: 1,
  written_kib: 0,
  written_files: 0,
  hold_left: 10_000,
  strays: 0,
  wall_ms: 10,
  stdout_bytes: 0,
  stderr_bytes: 0,
  problem: '',
};
const plain: Ending = {
  exit: { exitCode: 0, exitSignal: null },
  supervised: true,
  report: quiet,
  asked: undefined,
  cgroup: undefined,
  limits,
  bounds: { sessionBytes: 50_000, newFiles: 500, folderDepth: 100 },
  wallMs: 12,
  omitted: { stdout: 0, stderr: 0 },
  said: '',
};
const killed = { exit: null, signal: 9 };

describe('an end is named by what was seen:', () => {
  const cases: { says: string; given: Partial<Ending>; report?: Partial<CageReport>; reason: CodeEndReason; limit: string | null }[] = [
    { says: 'a quiet end', given: {}, reason: 'exit', limit: null },
    { says: 'a signal', given: {}, report: { exit: null, signal: 11 }, reason: 'signal', limit: null },
    { says: 'the supervisor at the limit of time', given: {}, report: { ...killed, ended: 'wall' }, reason: 'timeout', limit: 'wallMs' },
    { says: 'the kernel at the limit of the processor', given: {}, report: { exit: null, signal: 24 }, reason: 'cpu', limit: 'cpuMs' },
    { says: 'a file that is too big', given: {}, report: { exit: null, signal: 25 }, reason: 'disk', limit: 'fileBytes' },
    { says: 'too many files', given: {}, report: { ...killed, ended: 'files' }, reason: 'disk', limit: 'newFiles' },
    { says: 'folders that lie too deep', given: {}, report: { ...killed, ended: 'depth' }, reason: 'disk', limit: 'folderDepth' },
    { says: 'too much written by one that has ended', given: {}, report: { written_kib: 20 }, reason: 'disk', limit: 'diskBytes' },
    {
      says: 'the watcher of what a session holds',
      given: {},
      report: { ...killed, ended: 'hold' },
      reason: 'disk',
      limit: 'sessionBytes',
    },
    { says: 'too much in a session of one that has ended', given: {}, report: { hold_left: -1 }, reason: 'disk', limit: 'sessionBytes' },
    {
      says: 'a failure in a session that is full',
      given: {},
      report: { exit: 1, hold_left: 0 },
      reason: 'exit',
      limit: 'sessionBytes',
    },
    { says: 'the watcher of memory', given: {}, report: { ...killed, ended: 'memory' }, reason: 'memory', limit: 'memoryBytes' },
    {
      says: 'the kernel out of memory',
      given: { cgroup: { memoryBytes: 1, outOfMemory: 1, forksRefused: 0 } },
      report: killed,
      reason: 'memory',
      limit: 'memoryBytes',
    },
    {
      says: 'a child out of memory, which the program lived through',
      given: { cgroup: { memoryBytes: 1, outOfMemory: 1, forksRefused: 0 } },
      reason: 'exit',
      limit: 'memoryBytes',
    },
    {
      says: 'a failure at the edge of memory',
      given: {},
      report: { exit: 1, max_rss_kib: 65_536 },
      reason: 'memory',
      limit: 'memoryBytes',
    },
    {
      says: 'a refused fork, which the program lived through',
      given: { cgroup: { memoryBytes: 1, outOfMemory: 0, forksRefused: 3 } },
      reason: 'exit',
      limit: 'processes',
    },
    {
      says: 'output over its limit',
      given: { asked: 'output' },
      report: { ...killed, ended: 'asked' },
      reason: 'output',
      limit: 'outputBytes',
    },
    { says: 'a caller who went', given: { asked: 'canceled' }, report: { ...killed, ended: 'asked' }, reason: 'canceled', limit: null },
    { says: 'somebody who ended the supervisor', given: {}, report: { ...killed, ended: 'asked' }, reason: 'failed', limit: null },
    { says: 'our own clock', given: { asked: 'timeout', report: undefined }, reason: 'timeout', limit: 'wallMs' },
    { says: 'a cage that could not be made', given: {}, report: { exit: 125, problem: 'can not open /x' }, reason: 'failed', limit: null },
  ];
  for (const { says, given, report, reason, limit } of cases) {
    test(says, () => {
      const end = endOf({ ...plain, report: { ...quiet, ...report }, ...given });
      assert.deepEqual({ reason: end.reason, limit: end.limit?.name ?? null }, { reason, limit });
      if (reason === 'timeout' || reason === 'cpu') assert.deepEqual([end.exitCode, end.signal], [124, null]);
    });
  }

  test('memory is the most that anybody saw', () => {
    const cgroup = { memoryBytes: 5_000_000, outOfMemory: 0, forksRefused: 0 };
    assert.equal(endOf({ ...plain, cgroup }).memoryBytes, 5_000_000);
    assert.equal(endOf({ ...plain, report: { ...quiet, most_kib: 9000 } }).memoryBytes, 9000 * 1024);
  });

  test('of a program whose supervisor ended without a report nothing is said but that', () => {
    const lost: Ending = { ...plain, report: undefined, exit: { exitCode: 125, exitSignal: null }, said: 'words of the program\n' };
    const { reason, exitCode, problem } = endOf(lost);
    assert.deepEqual(
      { reason, exitCode, problem },
      { reason: 'failed', exitCode: null, problem: 'The supervisor ended with 125, and told nothing of the program.' },
    );
    const killedOne = endOf({ ...lost, exit: { exitCode: null, exitSignal: 'SIGKILL' } });
    assert.deepEqual(
      [killedOne.reason, killedOne.signal, killedOne.problem?.slice(0, 32)],
      ['failed', null, 'The supervisor ended by SIGKILL,'],
    );
    // Without one, it is the program's own end.
    assert.deepEqual([endOf({ ...lost, supervised: false }).reason, endOf({ ...lost, supervised: false }).exitCode], ['exit', 125]);
  });

  test('what bubblewrap says of itself is the problem', () => {
    const end = endOf({ ...plain, report: undefined, exit: { exitCode: 1, exitSignal: null }, said: 'bwrap: No permissions\n' });
    assert.deepEqual({ reason: end.reason, problem: end.problem }, { reason: 'failed', problem: 'bwrap: No permissions' });
  });
});

test('what one order took is told with the limit that it met', () => {
  const rest = { ended: 2, cpu_us: 12_345, most_kib: 900, most_tasks: 3, stdout_bytes: 0, stderr_bytes: 0 };
  const cgroup = { memoryBytes: 1000, outOfMemory: 0, forksRefused: 0 };
  assert.deepEqual(useOf(rest, undefined, limits), { ended: 2, cpuMs: 12.345, memoryBytes: 900 * 1024, limit: null });
  assert.equal(useOf(rest, { ...cgroup, memoryBytes: 5_000_000 }, limits).memoryBytes, 5_000_000);
  assert.equal(useOf({ ...rest, most_tasks: limits.processes }, cgroup, limits).limit, 'processes');
  assert.equal(useOf(rest, { ...cgroup, forksRefused: 1, outOfMemory: 1 }, limits).limit, 'processes');
  assert.equal(useOf(rest, { ...cgroup, outOfMemory: 1 }, limits).limit, 'memoryBytes');
});

test('a report that was cut off is none', () => {
  assert.equal(reportOf('{"exit":0,'), undefined);
  assert.equal(reportOf(''), undefined);
  assert.equal(restOf(''), undefined);
});
