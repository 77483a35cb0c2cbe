// For tests: each attack, and the end that it comes to where it is contained.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { CodeEndReason, EffectiveLimits } from '../../../src/contract/code.ts';
import type { SandboxEnd, SandboxRequest } from '../../../src/services/exec/isolation/sandbox.ts';
import { type AttackRange, attackLimits, foldersOfAll, type Outcome } from './attack-range.ts';

export interface Attack {
  name: string;
  /** A promise, as a test's title has it. */
  says: string;
  reason: CodeEndReason;
  /** The limit may also be met another way. */
  orReason?: CodeEndReason;
  /** Or the program was told of the limit, and ended with this. */
  orExitCode?: number;
  limit?: NonNullable<SandboxEnd['limit']>['name'];
  limits?: Partial<EffectiveLimits>;
  /** What else is to be seen. */
  check?: (outcome: Outcome, range: AttackRange) => void;
  /** Whether it ended when it should. */
  inTime?: (outcome: Outcome) => void;
}

/** What a run is given instead of what it should have. */
export type Lifted = Partial<Omit<SandboxRequest, 'limits'>> & { limits?: Partial<EffectiveLimits> };

/** An attack, or another thing that must hold while one goes on. */
export interface Trial {
  name: string;
  /** A promise, as a test's title has it. */
  says: string;
  /** Throws where it does not. `lifted`: to see that it does. */
  mustHold(range: AttackRange, lifted?: Lifted): Promise<void>;
}

const MEBIBYTE = 1024 * 1024;
/** After a limit of time, of its end or of an abort. */
const SOON_MS = 200;
/** To start an interpreter and to clear away, on a busy machine. */
const SPARE_MS = 600;
const shortly = { wallMs: 500 };

const inTime = (outcome: Outcome): void => {
  const late = outcome.end.wallMs - shortly.wallMs;
  assert.ok(late < SOON_MS, `the tree ended ${late} ms after its limit`);
};
const atOnce = (outcome: Outcome): void => assert.ok(outcome.ms < SPARE_MS, `it took ${outcome.ms} ms`);

/** All that must be contained on the two highest rungs. */
export const attacks: readonly Attack[] = [
  { name: 'fork_bomb', says: 'a fork bomb meets the limit of processes', reason: 'exit', orReason: 'processes', limit: 'processes' },
  {
    name: 'fork_storm',
    says: 'children that fork on and on meet it too',
    reason: 'timeout',
    limit: 'wallMs',
    limits: shortly,
    inTime,
  },
  { name: 'memory_by_one', says: 'one process with too much memory is ended', reason: 'memory', limit: 'memoryBytes' },
  { name: 'memory_by_eight', says: 'eight processes that have too much together are ended', reason: 'memory', limit: 'memoryBytes' },
  {
    name: 'output_flood',
    says: 'a flood of output is cut, counted and ended',
    reason: 'output',
    limit: 'outputBytes',
    check: ({ stdout, end }) => {
      assert.equal(stdout.length, MEBIBYTE, `${stdout.length} bytes came`);
      assert.ok(end.omitted.stdout > 0);
    },
  },
  { name: 'daemon', says: 'a daemon of a double fork ends with the run', reason: 'exit', inTime: atOnce },
  {
    name: 'ignores_signals',
    says: 'who ignores all signals ends in time',
    reason: 'timeout',
    limit: 'wallMs',
    limits: shortly,
    inTime,
  },
  {
    name: 'stops_its_group',
    says: 'who stops its own group ends in time',
    reason: 'timeout',
    limit: 'wallMs',
    limits: shortly,
    inTime,
  },
  {
    name: 'stops_all',
    says: 'who stops all that it can reach ends in time',
    reason: 'timeout',
    limit: 'wallMs',
    limits: shortly,
    inTime,
  },
  { name: 'descriptors', says: 'no descriptor of ours leaks into it', reason: 'exit' },
  {
    name: 'odd_outputs',
    says: 'links, pipes, sockets and odd names among its files change nothing outside',
    reason: 'exit',
    check: ({ folder, stderr }, range) => {
      assert.equal(stderr, '');
      const { mode, uid, nlink } = fs.lstatSync(range.secret);
      assert.deepEqual([mode & 0o7777, uid, nlink], [0o644, process.getuid?.(), 1]);
      assert.equal(fs.lstatSync(path.join(folder, 'suid')).mode & 0o7000, 0, 'no program takes rights along');
      assert.equal(fs.lstatSync(path.join(folder, 'closed')).mode & 0o700, 0o700, 'what it closed can be read');
      assert.deepEqual(fs.readdirSync(path.join(folder, 'closed')), ['in'], 'what it closed can be read');
      assert.equal(fs.lstatSync(path.join(folder, 'closed/in')).uid, process.getuid?.(), 'its files are ours');
    },
  },
  { name: 'disk_by_many', says: 'many files that are too much together end it', reason: 'disk', limit: 'diskBytes' },
  {
    name: 'disk_in_temporary',
    says: 'temporary files that are too much together end it, or have no room',
    reason: 'disk',
    limit: 'diskBytes',
    orExitCode: 3,
  },
  {
    name: 'disk_by_one',
    says: 'one file meets its limit',
    reason: 'exit',
    orExitCode: 3,
    check: ({ folder }) => assert.ok(fs.statSync(path.join(folder, 'one')).size <= attackLimits.fileBytes),
  },
  {
    name: 'inode_flood',
    says: 'a flood of empty files is ended',
    reason: 'disk',
    limit: 'newFiles',
    limits: { wallMs: 10_000, cpuMs: 10_000 },
  },
  { name: 'network', says: 'no port, no abstract socket and no socket of another program can be reached', reason: 'exit' },
  { name: 'zombies', says: 'children that nobody waits for leave nothing', reason: 'exit' },
  { name: 'spies', says: 'our files, environment, memory and descriptors, and the folders of others, stay closed', reason: 'exit' },
  { name: 'signals_us', says: 'neither we nor the supervisor can be signalled', reason: 'exit' },
  { name: 'kernel', says: 'namespaces, ptrace, bpf, io_uring, keyctl, userfaultfd and mounts are refused', reason: 'exit' },
  {
    name: 'burns_cpu',
    says: 'many processes that burn the processor meet one limit',
    reason: 'cpu',
    limit: 'cpuMs',
    limits: { cpuMs: 500 },
  },
  {
    name: 'leftovers',
    says: 'nothing is left in /tmp, /dev/shm, /var/tmp, /run, or in shared memory',
    reason: 'exit',
    check: (_, range) => {
      for (const folder of foldersOfAll) assert.ok(!fs.existsSync(path.join(folder, range.mark())), `a file in ${folder}`);
      assert.equal(range.sharedMemory(), undefined, 'shared memory');
    },
  },
  { name: 'holds_the_pipe', says: 'a child that holds the output open does not delay the end', reason: 'exit', inTime: atOnce },
  {
    name: 'waits_for_input',
    says: 'who waits for input is told that there is none',
    reason: 'exit',
    inTime: atOnce,
    check: (outcome) => assert.match(outcome.stdout, /^read ''$/m),
  },
  { name: 'types_into_the_terminal', says: 'nothing can be typed into a terminal of ours', reason: 'exit' },
  {
    name: 'dumps_core',
    says: 'no core is dumped',
    reason: 'signal',
    check: ({ folder, end }) => {
      assert.equal(end.signal, 'SIGABRT');
      assert.deepEqual(fs.readdirSync(folder), ['attacks.py']);
    },
  },
];

const compilerBombs = [
  {
    name: 'include_bomb',
    says: 'an include without an end',
    program: 'cc',
    file: 'a.c',
    code: '#include "/dev/zero"\n',
    reason: 'memory',
  },
  {
    name: 'array_bomb',
    says: 'an array that fills the disk',
    program: 'cc',
    file: 'a.c',
    // It bounds itself: so much is written twice where nobody ends it.
    code: 'char big[1ul << 27] = {1}; int main(void) { return big[0]; }\n',
    reason: 'exit',
    orReason: 'disk',
  },
  {
    name: 'template_bomb',
    says: 'templates that double',
    program: 'c++',
    file: 'a.cpp',
    // 65,535 of them take twice the limit. It bounds itself: so far it goes where nobody ends it.
    code: `template <int D, long P> struct A { static const long v = A<D - 1, 2 * P>::v + A<D - 1, 2 * P + 1>::v; };
template <long P> struct A<0, P> { static const long v = P; };
int main() { return A<15, 1>::v != 0; }
`,
    reason: 'memory',
  },
];

/** All that must hold on the two highest rungs. */
export const trials: readonly Trial[] = [
  ...attacks.map((attack) => ({
    name: attack.name,
    says: attack.says,
    mustHold: (range: AttackRange, lifted?: Lifted) => mustBeContained(range, attack, lifted),
  })),
  {
    name: 'client_goes_away',
    says: 'a client that goes away ends all of it within 200 ms',
    async mustHold(range, lifted) {
      const going = new AbortController();
      let wentAt = Number.POSITIVE_INFINITY;
      const leave = (): void => {
        wentAt = performance.now();
        going.abort();
      };
      const { end, endedAt, left } = await range.attack('stops_its_group', {
        signal: going.signal,
        // A moment after its last word it has stopped: one that still starts would end by being asked.
        onOutput: () => setTimeout(leave, 100),
        ...withLimits(lifted),
      });
      assert.ok(endedAt - wentAt < 200, `${endedAt - wentAt} ms`);
      assert.equal(end.reason, 'canceled');
      assert.equal(left, 0);
    },
  },
  {
    name: 'memory_of_ours',
    says: 'a flood of output takes little memory of ours',
    async mustHold(range, lifted) {
      await range.attack('output_flood');
      const before = process.memoryUsage().rss;
      let most = before;
      const looking = setInterval(() => {
        most = Math.max(most, process.memoryUsage().rss);
      }, 2);
      await range.attack('output_flood', withLimits(lifted)).finally(() => clearInterval(looking));
      assert.ok(most - before < attackLimits.outputBytes + 8 * MEBIBYTE, `${most - before} bytes`);
    },
  },
  ...compilerBombs.map(({ name, says, program, file, code, reason, orReason }) => ({
    name,
    says: `the compiler is held too: ${says}`,
    async mustHold(range: AttackRange, lifted?: Lifted) {
      const folder = range.folder();
      fs.writeFileSync(path.join(folder, file), code);
      const request = withLimits(lifted, { wallMs: 5000, cpuMs: 5000, processes: 48 });
      const { end, left, stderr } = await range.run([program, file, '-o', 'out'], folder, request);
      const seen = `${JSON.stringify(end)} ${stderr.slice(-500)}`;
      assert.ok([reason, orReason].includes(end.reason), seen);
      assert.notEqual(end.exitCode, 0, `it was compiled: ${seen}`);
      assert.ok(end.wallMs < request.limits.wallMs + SOON_MS);
      assert.equal(left, 0);
    },
  })),
];

/** Runs it, and throws where it is not contained or not named. On a busy machine what is about time has another two attempts. */
export async function mustBeContained(
  range: AttackRange,
  attack: Attack,
  lifted?: Lifted,
  attempts = lifted === undefined ? 3 : 1,
): Promise<void> {
  const outcome = await range.attack(attack.name, withLimits(lifted, attack.limits));
  const { end, breaches, stdout, stderr, left } = outcome;
  const seen = `${attack.name}: ${breaches.join(', ')} ${JSON.stringify(end)} ${stdout.slice(0, 500)} ${stderr.slice(-500)}`;
  assert.deepEqual(breaches, [], seen);
  assert.equal(left, 0, `${left} still run after ${attack.name}`);
  if (attack.orExitCode === undefined || end.exitCode !== attack.orExitCode) {
    assert.ok([attack.reason, attack.orReason].includes(end.reason), seen);
    assert.equal(end.limit?.name ?? null, attack.limit ?? null, seen);
    assert.ok(end.reason !== 'exit' || end.exitCode === 0, `it came to nothing: ${seen}`);
  }
  attack.check?.(outcome, range);
  try {
    attack.inTime?.(outcome);
  } catch (error) {
    if (attempts <= 1) throw error;
    await mustBeContained(range, attack, lifted, attempts - 1);
  }
}

function withLimits(lifted: Lifted = {}, limits: Partial<EffectiveLimits> = {}): Partial<SandboxRequest> & { limits: EffectiveLimits } {
  return { ...lifted, limits: { ...attackLimits, ...limits, ...lifted.limits } };
}
