// For tests: each attack, and the end that it comes to where it is contained.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { CodeEndReason, EffectiveLimits } from '../../../src/contract/code.ts';
import { type AttackRange, attackLimits, type Outcome } from './attack-range.ts';

export interface Attack {
  name: string;
  /** A promise, as a test's title has it. */
  says: string;
  reason: CodeEndReason;
  /** The limit may also be met another way. */
  orReason?: CodeEndReason;
  limit?: keyof EffectiveLimits;
  limits?: Partial<EffectiveLimits>;
  /** What else is to be seen. */
  check?: (outcome: Outcome, range: AttackRange) => void;
  /** Whether it ended when it should. */
  inTime?: (outcome: Outcome) => void;
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
      assert.equal(stdout.length, MEBIBYTE);
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
      assert.deepEqual(fs.readdirSync(path.join(folder, 'closed')), ['in'], 'what it closed can be read');
      assert.equal(fs.lstatSync(path.join(folder, 'closed/in')).uid, process.getuid?.(), 'its files are ours');
    },
  },
  { name: 'disk_by_many', says: 'many files that are too much together end it', reason: 'disk', limit: 'diskBytes' },
  {
    name: 'disk_by_one',
    says: 'one file meets its limit',
    reason: 'exit',
    check: ({ folder }) => assert.ok(fs.statSync(path.join(folder, 'one')).size <= attackLimits.fileBytes),
  },
  {
    name: 'inode_flood',
    says: 'a flood of empty files is ended',
    reason: 'disk',
    limit: 'diskBytes',
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
      for (const folder of ['/tmp', '/dev/shm', '/var/tmp', '/run', '/run/lock', '/'])
        assert.equal(fs.existsSync(path.join(folder, range.mark())), false, folder);
      const key = 0x5afe0000 + (process.pid % 0xffff);
      assert.doesNotMatch(fs.readFileSync('/proc/sysvipc/shm', 'utf8'), new RegExp(`^\\s*${key}\\s`, 'm'));
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

/** Runs it, and throws where it is not contained or not named. On a busy machine what is about time has another two attempts. */
export async function mustBeContained(range: AttackRange, attack: Attack, attempts = 3): Promise<void> {
  const outcome = await range.attack(attack.name, { limits: { ...attackLimits, ...attack.limits } });
  const seen = `${attack.name}: ${JSON.stringify(outcome.end)} ${outcome.stdout.slice(0, 500)} ${outcome.stderr.slice(-500)}`;
  assert.deepEqual(outcome.breaches, [], seen);
  assert.equal(outcome.left, 0, `${outcome.left} still run after ${attack.name}`);
  assert.ok([attack.reason, attack.orReason].includes(outcome.end.reason), seen);
  assert.equal(outcome.end.limit, attack.limit ?? null, seen);
  attack.check?.(outcome, range);
  try {
    attack.inTime?.(outcome);
  } catch (error) {
    if (attempts <= 1) throw error;
    await mustBeContained(range, attack, attempts - 1);
  }
}
