import { constants } from 'node:os';
import type { CodeEndReason, EffectiveLimits } from '../../../contract/code.ts';
import type { HostExit } from '../../processes/host.ts';
import type { CgroupUse } from './cgroup.ts';
import type { RunBounds, SandboxEnd, SandboxUse } from './sandbox.ts';

/** As timeout(1) has it. */
const TIMEOUT_EXIT_CODE = 124;
/** What the launcher ends with when the cage could not be made. */
const OWN_FAILURE = 125;
const MAX_PROBLEM_LENGTH = 500;

/** What native/supervise.h says at the end, in its units. */
export interface CageReport {
  exit: number | null;
  signal: number | null;
  ended: '' | 'asked' | 'wall' | 'cpu' | 'memory' | 'disk' | 'hold' | 'files' | 'depth' | 'tasks';
  cpu_ms: number;
  max_rss_kib: number;
  most_kib: number;
  most_tasks: number;
  written_kib: number;
  written_files: number;
  /** Bytes that its folder had room for; below 0: it has more than it may hold. */
  hold_left: number;
  strays: number;
  wall_ms: number;
  /** All that the program wrote, most of which is on its way; -1 where that is not known. */
  stdout_bytes: number;
  stderr_bytes: number;
  problem: string;
}

/** What it says of one order of a program that has many. */
export interface CageRest {
  ended: number;
  cpu_us: number;
  most_kib: number;
  most_tasks: number;
  /** All that the program wrote since its start; -1 where that is not known. */
  stdout_bytes: number;
  stderr_bytes: number;
}

export interface Ending {
  exit: HostExit;
  supervised: boolean;
  /** Undefined where there is no supervisor, or it was killed. */
  report: CageReport | undefined;
  /** Why we ended it, where we did. */
  asked: 'output' | 'canceled' | 'timeout' | 'memory' | undefined;
  cgroup: CgroupUse | undefined;
  limits: EffectiveLimits;
  bounds: RunBounds;
  wallMs: number;
  omitted: { stdout: number; stderr: number };
  /** Of the supervisor's own stderr, where nothing else came. */
  said: string;
}

/** Undefined where it is none. */
export function reportOf(text: string): CageReport | undefined {
  return parsed(text);
}

/** Undefined where it is none. */
export function restOf(text: string): CageRest | undefined {
  return parsed(text);
}

/** What an order came to that its program lived through. */
export function useOf(rest: CageRest, cgroup: CgroupUse | undefined, limits: EffectiveLimits): SandboxUse {
  return {
    ended: rest.ended,
    cpuMs: rest.cpu_us / 1000,
    memoryBytes: Math.max(cgroup?.memoryBytes ?? 0, rest.most_kib * 1024),
    limit: isRefused(rest, cgroup, limits) ? 'processes' : isOutOfMemory(cgroup) ? 'memoryBytes' : null,
  };
}

/** What a run came to, of what the supervisor, the kernel and we ourselves know of it. */
export function endOf(ending: Ending): SandboxEnd {
  const { report, cgroup, wallMs, omitted } = ending;
  const [reason, limit] = reasonOf(ending);
  const most = { ...ending.limits, ...ending.bounds };
  const timedOut = reason === 'timeout' || reason === 'cpu';
  const signal = report === undefined ? ending.exit.exitSignal : signalName(report.signal);
  return {
    reason,
    exitCode: timedOut ? TIMEOUT_EXIT_CODE : reason === 'failed' ? null : report === undefined ? ending.exit.exitCode : report.exit,
    signal: timedOut || reason === 'failed' ? null : signal,
    limit: limit === null ? null : { name: limit, value: most[limit] },
    wallMs,
    cpuMs: report?.cpu_ms ?? null,
    memoryBytes: report === undefined ? null : Math.max(cgroup?.memoryBytes ?? 0, report.most_kib * 1024, report.max_rss_kib * 1024),
    omitted,
    problem: reason === 'failed' ? problemOf(ending) : null,
  };
}

function reasonOf(ending: Ending): [CodeEndReason, keyof EffectiveLimits | keyof RunBounds | null] {
  const { report, asked, cgroup, limits, exit } = ending;
  if (report !== undefined && report.problem !== '') return ['failed', null];
  if (asked === 'output') return ['output', 'outputBytes'];
  if (asked === 'canceled') return ['canceled', null];
  if (asked === 'memory') return ['memory', 'memoryBytes'];
  // One that waited for its work has its time kept by us.
  if (asked === 'timeout' && report?.ended === 'asked') return ['timeout', 'wallMs'];
  const outOfMemory = isOutOfMemory(cgroup);
  if (report === undefined) {
    if (asked === 'timeout') return ['timeout', 'wallMs'];
    if (outOfMemory) return ['memory', 'memoryBytes'];
    if (exit.exitCode === OWN_FAILURE && ending.said.includes('outrigger-launcher: ')) return ['failed', null];
    if (exit.exitCode !== 0 && ending.said.startsWith('bwrap: ')) return ['failed', null];
    // What ended is the supervisor: of the program nothing is known.
    if (ending.supervised) return ['failed', null];
    return [exit.exitCode === null ? 'signal' : 'exit', null];
  }
  switch (report.ended) {
    case 'wall':
      return ['timeout', 'wallMs'];
    case 'cpu':
      return ['cpu', 'cpuMs'];
    case 'memory':
      return ['memory', 'memoryBytes'];
    case 'disk':
      return ['disk', 'diskBytes'];
    case 'files':
      return ['disk', 'newFiles'];
    case 'depth':
      return ['disk', 'folderDepth'];
    case 'hold':
      return ['disk', 'sessionBytes'];
    case 'tasks':
      return ['processes', 'processes'];
    case 'asked':
      // Not by us.
      return ['failed', null];
    case '':
      break;
  }
  const signal = signalName(report.signal);
  const failed = report.exit !== 0;
  if (signal === 'SIGXCPU') return ['cpu', 'cpuMs'];
  if (signal === 'SIGXFSZ') return ['disk', report.hold_left > 0 ? 'fileBytes' : 'sessionBytes'];
  if (failed && (outOfMemory || report.max_rss_kib * 1024 >= limits.memoryBytes)) return ['memory', 'memoryBytes'];
  // It went on after a fork was refused, or after it lost a child: that is its own affair, and worth a word.
  const met = isRefused(report, cgroup, limits)
    ? 'processes'
    : outOfMemory
      ? 'memoryBytes'
      : report.written_kib * 1024 > limits.diskBytes
        ? 'diskBytes'
        : report.hold_left < 0 || (failed && report.hold_left === 0)
          ? 'sessionBytes'
          : null;
  if (met === 'diskBytes' || (met === 'sessionBytes' && report.hold_left < 0)) return ['disk', met];
  return [signal === null ? 'exit' : 'signal', met];
}

function isRefused({ most_tasks: most }: CageReport | CageRest, cgroup: CgroupUse | undefined, limits: EffectiveLimits): boolean {
  return (cgroup?.forksRefused ?? 0) > 0 || most >= limits.processes;
}

function isOutOfMemory(cgroup: CgroupUse | undefined): boolean {
  return (cgroup?.outOfMemory ?? 0) > 0;
}

function parsed<Line>(text: string): Line | undefined {
  try {
    return text === '' ? undefined : (JSON.parse(text) as Line);
  } catch {
    return undefined;
  }
}

function problemOf({ report, said, exit }: Ending): string {
  const isSaid = said.includes('outrigger-launcher: ') || said.startsWith('bwrap: ');
  const how = exit.exitCode === null ? `by ${exit.exitSignal}` : `with ${exit.exitCode}`;
  const lost =
    report === undefined ? `The supervisor ended ${how}, and told nothing of the program.` : 'Somebody else ended the supervisor.';
  const words = isSaid ? said : lost;
  return (report?.problem || words)
    .replace(/^outrigger-launcher: /, '')
    .trim()
    .slice(0, MAX_PROBLEM_LENGTH);
}

function signalName(number: number | null): string | null {
  if (number === null) return null;
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `SIG${number}`;
}
