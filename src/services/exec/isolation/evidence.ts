import { constants } from 'node:os';
import type { EffectiveLimits, IsolationEvidence, IsolationInfo, Protection, RungName } from '../../../contract/code.ts';
import type { SandboxEnd } from './sandbox.ts';

/** From the lowest to the highest. */
export const rungNames: readonly RungName[] = ['none', 'seccomp', 'landlock', 'namespaces'];
const NAMESPACES = 3;
const LANDLOCK = 2;
const SECCOMP = 1;
/** From this ABI on landlock keeps signals and abstract sockets within the cage. */
const SCOPE_ABI = 6;
/** So long after a limit of time the whole tree has ended. */
const LATE_MS = 200;

/** What one attempt came to. */
export interface Ran {
  end: SandboxEnd | undefined;
  stdout: string;
  /** Why it did not run; '' where it did. */
  problem: string;
}

export interface Seen {
  /** Attempts to get out: one line of JSON each. */
  around: Ran;
  /** One attempt over each limit. */
  count: Ran;
  memory: Ran;
  disk: Ran;
  time: Ran;
  output: Ran;
}

export interface Machine {
  /** What makes namespaces here. */
  namespaces: 'launcher' | 'bubblewrap' | undefined;
  /** Version of the cgroups that can be made here. */
  cgroups: 1 | 2 | undefined;
  /** Of landlock; 0: none. */
  abi: number;
  /** The highest rung that is wanted. */
  highest: number;
}

const outside = ['file', 'mode', 'environ', 'signal', 'tcp', 'abstract'];
const words: Record<string, string> = {
  file: "read a file of the sidecar's",
  environ: "read the sidecar's environment",
  signal: 'sent the sidecar a signal',
  tcp: 'connected to a port of this machine',
  abstract: 'connected to an abstract socket of this machine',
  unshare: 'made namespaces',
};

/** As the C libraries put it. */
const shortWords: readonly (readonly [RegExp, string])[] = [
  [/: (?:Too many open files|No file descriptors available)$/m, 'EMFILE'],
  [/: Too many open files in system$/m, 'ENFILE'],
  [/: (?:Cannot allocate memory|Out of memory)$/m, 'ENOMEM'],
  // Of a program that is started, it may also be the number of all that its user runs where we don't see it, for good.
  [/can't fork: Resource temporarily unavailable$/m, 'EAGAIN'],
  // Of namespaces, the kernel says the same where there may be none.
  [/can't make \/.*: No space left on device$/m, 'ENOSPC'],
  [/: (?:Disk quota|Quota) exceeded$/m, 'EDQUOT'],
];

/** The code of what was short for a moment, by the words of a cage that could not be made. Undefined where the machine can't do it. */
export function shortCodeOf(problem: string): string | undefined {
  return shortWords.find(([words]) => words.test(problem))?.[1];
}

/** Whether a rung can be stood on, by what got through there. */
export function verdictOf(rung: number, around: Ran | undefined, machine: Machine): { works: boolean; why: string } {
  if (rung > machine.highest) return { works: false, why: `Not asked for: the highest is ${machine.highest}.` };
  if (rung === 0) return { works: true, why: 'Plain processes, ended by their group.' };
  if (rung === NAMESPACES && machine.namespaces === undefined)
    return { works: false, why: 'bubblewrap is not on this machine: apt-get install bubblewrap.' };
  if (rung === LANDLOCK && machine.abi === 0) return { works: false, why: 'This kernel has no landlock, or has it switched off.' };
  const tried = triedOf(around);
  if (tried.size === 0) return { works: false, why: `Nothing runs there: ${around?.problem || endWords(around?.end)}.` };
  const needed = rung === SECCOMP ? ['tcp'] : ['file', 'environ', 'tcp'];
  const through = [...needed.filter((name) => tried.get(name) === 0), ...openKernel(tried)];
  if (through.length > 0)
    return { works: false, why: `A program there ${through.map((name) => words[name] ?? `reached ${name}`).join(', and ')}.` };
  return { works: true, why: `Tried: ${[...tried.keys()].join(', ')} were refused${rung === SECCOMP ? ' as far as this rung can' : ''}.` };
}

/** Of an attempt to sleep past a limit of time, ms: how much later than that it ended; Infinity where it never did. */
function latenessOf({ end }: Ran, wallMs: number): number {
  return (end?.wallMs ?? Number.POSITIVE_INFINITY) - wallMs;
}

/** Whether it was its limit of time that ended it, and soon. */
export function endedInTime(ran: Ran, wallMs: number): boolean {
  return ran.end?.reason === 'timeout' && latenessOf(ran, wallMs) <= LATE_MS;
}

/** What holds on a rung, by what was seen there. */
export function evidenceOf(rung: number, seen: Seen, limits: EffectiveLimits, machine: Machine, shortWallMs: number): IsolationEvidence[] {
  const tried = triedOf(seen.around);
  const made = /"made":(\d+)/.exec(seen.count.stdout)?.[1];
  const counted = seen.count.end?.reason === 'processes' || (made !== undefined && Number(made) <= limits.processes);
  const kept = seen.output.stdout.length;
  const byGroup = rung === NAMESPACES && machine.cgroups !== undefined;
  const none = 'nothing on this rung';
  const refused = (names: string[]): Pick<IsolationEvidence, 'held' | 'tried'> => ({
    held: names.every((name) => (tried.get(name) ?? 0) !== 0),
    tried: names.map((name) => `${name}: ${errorWord(tried.get(name))}`).join(', '),
  });
  const kernel = [...tried.keys()].filter((name) => !outside.includes(name));
  // Where the kernel ended all that held too much before we looked, the one that had started them ends by itself.
  const ended = (ran: Ran, reason: string, limit?: keyof EffectiveLimits): Pick<IsolationEvidence, 'held' | 'tried'> => ({
    held: ran.end?.reason === reason || (limit !== undefined && ran.end?.limit?.name === limit),
    tried: `went to twice the limit, and its end was: ${endWords(ran.end)}`,
  });
  const network = rung === NAMESPACES ? (machine.abi >= SCOPE_ABI ? 'seccomp and landlock' : 'a network namespace') : 'seccomp';
  return [
    { protection: 'files', by: ['', '', 'landlock', 'a mount namespace'][rung] || none, ...refused(['file', 'mode', 'environ']) },
    { protection: 'network', by: rung === 0 ? none : network, ...refused(['tcp', 'abstract']) },
    {
      protection: 'processes',
      by: ['', '', 'landlock, another user where root runs it', 'a process namespace'][rung] || none,
      ...refused(['signal', 'environ']),
    },
    {
      protection: 'kernel',
      by: rung === 0 ? none : 'seccomp',
      ...(kernel.length > 0 ? refused(kernel) : { held: false, tried: 'nothing ran' }),
    },
    {
      protection: 'count',
      by: rung === 0 ? none : byGroup ? 'a cgroup and RLIMIT_NPROC' : 'RLIMIT_NPROC and the watcher',
      held: counted,
      tried:
        made === undefined
          ? `forked, and its end was: ${endWords(seen.count.end)}`
          : `made ${made} children under a limit of ${limits.processes}`,
    },
    { protection: 'memory', by: rung === 0 ? none : byGroup ? 'a cgroup' : 'the watcher', ...ended(seen.memory, 'memory', 'memoryBytes') },
    {
      protection: 'disk',
      by: rung === 0 ? none : rung === NAMESPACES ? 'sized tmpfs, the watcher for its folder' : 'the watcher',
      ...ended(seen.disk, 'disk'),
    },
    {
      protection: 'time',
      by: rung === 0 ? 'the process group is killed' : 'the supervisor',
      held: endedInTime(seen.time, shortWallMs),
      tried: `slept past ${shortWallMs} ms, and its end was: ${endWords(seen.time.end)}, ${Math.round(latenessOf(seen.time, shortWallMs))} ms late`,
    },
    {
      protection: 'output',
      by: 'the sidecar, which reads it',
      held: seen.output.end?.reason === 'output' && kept <= limits.outputBytes,
      tried: `wrote twice the limit, of which ${kept} bytes came, and its end was: ${endWords(seen.output.end)}`,
    },
  ];
}

/** What the evidence comes to. */
export function infoOf(rung: number, evidence: readonly IsolationEvidence[]): IsolationInfo {
  const those = (held: boolean): Protection[] => evidence.filter((one) => one.held === held).map(({ protection }) => protection);
  return { rung, name: rungNames[rung] ?? 'none', holds: those(true), open: those(false) };
}

/** By name, the number of the error; 0: it got through. */
function triedOf(ran: Ran | undefined): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of ran?.stdout.split('\n') ?? []) {
    const [, name, error] = /^\{"tried":"(\w+)","error":(\d+)\}$/.exec(line) ?? [];
    if (name !== undefined) found.set(name, Number(error));
  }
  return found;
}

function openKernel(tried: ReadonlyMap<string, number>): string[] {
  return [...tried].filter(([name, error]) => error === 0 && !outside.includes(name)).map(([name]) => name);
}

function errorWord(error: number | undefined): string {
  if (error === undefined) return 'not tried';
  if (error === 0) return 'got through';
  return Object.entries(constants.errno).find(([, value]) => value === error)?.[0] ?? `error ${error}`;
}

function endWords(end: SandboxEnd | undefined): string {
  return end === undefined ? 'it did not run' : [end.reason, end.signal, end.exitCode].filter((word) => word !== null).join(' ');
}
