import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import type { IsolationInfo } from '../../src/contract/code.ts';
import type { Part } from '../../src/services/exec/isolation/plan.ts';
import { AttackRange, attackLimits, rangeFolder } from '../kit/attacks/attack-range.ts';
import { attacks, type Lifted, trials } from '../kit/attacks/attack-table.ts';
import { type Mutation, mutantLauncher } from '../kit/attacks/mutant-launcher.ts';
import { buildLauncher } from '../kit/native-programs.ts';
import { requireTool } from '../kit/require-tools.ts';

const linux = process.platform === 'linux';
const base = rangeFolder();
after(() => fs.rmSync(base, { recursive: true, force: true }));
const skip = linux ? requireTool('cc', 'bwrap') || buildLauncher(path.join(base, 'launcher')) : 'the launcher is for Linux';
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? skip : 'needs root';
/** Nobody, and no other test's: the kernel counts what a user runs wherever it runs. */
const STRANGER = 65_530;

/** What the sidecar does, and what it does where nobody but bubblewrap may make namespaces, or nothing can be forked. */
const rungs = [
  { rung: 3, name: 'namespaces', starts: 'server' },
  { rung: 2, name: 'landlock', starts: 'server' },
  { rung: 3, name: 'namespaces by bubblewrap', starts: 'program' },
  { rung: 2, name: 'landlock by a program for each cage', starts: 'program' },
] as const;

for (const { rung, name, starts } of rungs) {
  describe(`on rung ${rung}, ${name},`, { skip }, () => {
    const range = skip === false ? new AttackRange(base, rung, [], starts) : (undefined as never);
    after(() => range?.close());

    test('the probe claims all protections', async () => {
      await range.open();
      const { isolation, evidence } = await range.sandbox.open();
      assert.deepEqual({ rung: isolation.rung, open: isolation.open }, { rung, open: [] }, JSON.stringify(evidence));
    });
    for (const { says, mustHold } of trials) test(says, () => mustHold(range));
  });
}

for (const { rung, name } of rungs.filter(({ starts }) => starts === 'server')) {
  test(`as a user without any privilege, rung ${rung} contains the same`, { skip: asRoot }, async () => {
    const own = path.join(base, `user-${name}`);
    fs.mkdirSync(own);
    fs.copyFileSync(path.join(base, 'launcher'), path.join(own, 'launcher'));
    fs.chownSync(own, STRANGER, STRANGER);
    const program = path.join(import.meta.dirname, '../kit/attacks/attack-program.ts');
    const child = spawn(process.execPath, [program, String(rung), own], {
      uid: STRANGER,
      gid: STRANGER,
      cwd: own,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: own },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const problems: string[] = [];
    let count = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const said = JSON.parse(line) as { name: string; problem: string | null; isolation?: IsolationInfo };
      count += 1;
      if (said.problem !== null) problems.push(said.problem);
      // Landlock has no right for the mode of a file.
      if (said.isolation !== undefined) assert.deepEqual(said.isolation.open, rung === 2 ? ['files'] : []);
    }
    assert.deepEqual(problems, []);
    assert.equal(count, attacks.length + 1);
  });
}

interface Mutant {
  attack: string;
  rung: 2 | 3;
  /** Parts that the cage is made without, */
  without?: Part[];
  /** a launcher that does not do something, */
  launcher?: Mutation;
  /** or limits that don't limit. */
  lifted?: Lifted;
  /** What the attack's own check has to say then. */
  seen: RegExp;
  /** What gets through takes long, and another one of the same attack is not. */
  isLong?: true;
}

const breach = /BREACH/;
const late = /\d+ still run|ms after its limit/;
const GIBIBYTE = 2 ** 30;
/** For those that end by themselves, on a busy machine. */
const patient = { wallMs: 30_000, cpuMs: 30_000 };
/** What holds processes and memory of the highest rung, one behind the other. */
const counted: Part[] = ['rlimits', 'cgroup', 'watch'];

/** Each attack gets through without what holds it. Without a user of its own are those alone that only look whether they could do harm. */
const mutants: Mutant[] = [
  // The first one, as what others took is taken by it once more; of so much half is enough to be seen.
  { attack: 'memory_of_ours', rung: 3, lifted: { limits: { ...patient, outputBytes: 2 ** 28 } }, seen: /\d{9,} bytes/ },
  { attack: 'fork_bomb', rung: 3, without: counted, lifted: { limits: patient }, seen: breach, isLong: true },
  { attack: 'fork_bomb', rung: 2, without: ['rlimits', 'watch'], lifted: { limits: patient }, seen: breach },
  { attack: 'fork_storm', rung: 3, without: counted, lifted: { limits: patient }, seen: breach },
  { attack: 'fork_storm', rung: 2, without: ['rlimits', 'watch'], lifted: { limits: patient }, seen: breach, isLong: true },
  { attack: 'memory_by_one', rung: 3, without: ['cgroup', 'watch'], lifted: { limits: patient }, seen: breach, isLong: true },
  { attack: 'memory_by_one', rung: 2, without: ['watch'], lifted: { limits: patient }, seen: breach },
  { attack: 'memory_by_eight', rung: 3, without: ['cgroup', 'watch'], lifted: { limits: patient }, seen: breach },
  { attack: 'memory_by_eight', rung: 2, without: ['watch'], lifted: { limits: patient }, seen: breach, isLong: true },
  { attack: 'output_flood', rung: 3, lifted: { limits: { ...patient, outputBytes: 2 ** 26 } }, seen: /67108864 bytes came/ },
  { attack: 'output_flood', rung: 2, lifted: { limits: { ...patient, outputBytes: 2 ** 26 } }, seen: /67108864 bytes came/, isLong: true },
  { attack: 'daemon', rung: 3, launcher: 'leavesAloneAndSeesProcesses', seen: /1 still run/ },
  { attack: 'daemon', rung: 2, launcher: 'leavesAlone', seen: /1 still run/ },
  { attack: 'holds_the_pipe', rung: 3, launcher: 'leavesAloneAndSeesProcesses', seen: /1 still run/ },
  { attack: 'holds_the_pipe', rung: 2, launcher: 'leavesAlone', seen: /1 still run/ },
  { attack: 'ignores_signals', rung: 2, launcher: 'pleads', seen: late },
  { attack: 'stops_its_group', rung: 2, launcher: 'pleads', seen: late },
  // It stops all that it can reach: no less than a namespace is to hold it.
  { attack: 'stops_all', rung: 3, launcher: 'pleads', seen: late },
  { attack: 'client_goes_away', rung: 2, launcher: 'pleads', seen: /[\d.]+ ms/ },
  { attack: 'client_goes_away', rung: 2, launcher: 'deaf', lifted: { limits: { wallMs: 1500 } }, seen: /[\d.]+ ms/ },
  { attack: 'descriptors', rung: 3, launcher: 'leaksDescriptors', seen: /BREACH descriptors \[3\]/ },
  { attack: 'descriptors', rung: 2, launcher: 'leaksDescriptors', seen: /BREACH descriptors \[3\]/ },
  { attack: 'odd_outputs', rung: 2, without: ['landlock', 'user'], seen: /BREACH a hard link/ },
  { attack: 'odd_outputs', rung: 3, launcher: 'keepsModes', without: ['user'], seen: /no program takes rights along/ },
  { attack: 'odd_outputs', rung: 2, launcher: 'keepsClosed', seen: /what it closed can be read/ },
  { attack: 'odd_outputs', rung: 3, launcher: 'keepsOwner', seen: /its files are ours/ },
  // Where folders of runs are in memory, what it writes counts as its own.
  { attack: 'disk_by_many', rung: 3, without: ['watch'], lifted: { limits: { ...patient, memoryBytes: GIBIBYTE } }, seen: breach },
  { attack: 'disk_by_many', rung: 2, without: ['watch'], lifted: { limits: patient }, seen: breach },
  {
    attack: 'disk_in_temporary',
    rung: 3,
    without: ['watch', 'tmpfs'],
    lifted: { limits: { ...patient, memoryBytes: GIBIBYTE } },
    seen: breach,
  },
  { attack: 'disk_in_temporary', rung: 2, without: ['watch'], lifted: { limits: patient }, seen: breach },
  { attack: 'disk_by_one', rung: 2, without: ['rlimits'], lifted: { limits: { ...patient, diskBytes: GIBIBYTE } }, seen: breach },
  { attack: 'inode_flood', rung: 2, without: ['watch'], lifted: { limits: patient }, seen: breach },
  { attack: 'network', rung: 3, without: ['network'], seen: breach },
  { attack: 'network', rung: 2, without: ['network'], seen: breach },
  { attack: 'zombies', rung: 3, launcher: 'waitsForOne', seen: /BREACH an orphan/ },
  { attack: 'zombies', rung: 2, launcher: 'waitsForOne', seen: /BREACH an orphan/ },
  { attack: 'spies', rung: 3, launcher: 'seesTemporary', seen: /BREACH a secret file, BREACH the folder of another run/ },
  { attack: 'spies', rung: 2, without: ['landlock'], seen: /BREACH a secret file, BREACH the folder of another run/ },
  { attack: 'signals_us', rung: 3, launcher: 'seesProcesses', without: ['landlock', 'user'], seen: /BREACH a signal/ },
  { attack: 'signals_us', rung: 2, without: ['landlock', 'user'], seen: /BREACH a signal/ },
  { attack: 'signals_us', rung: 2, without: ['seccomp', 'user'], seen: /BREACH a limit of it/ },
  { attack: 'kernel', rung: 3, without: ['seccomp'], seen: breach },
  { attack: 'kernel', rung: 2, without: ['seccomp'], seen: breach },
  { attack: 'burns_cpu', rung: 2, without: ['watch'], lifted: { limits: patient }, seen: breach },
  { attack: 'leftovers', rung: 3, launcher: 'seesTemporary', seen: /a file in \/tmp/ },
  { attack: 'leftovers', rung: 2, without: ['landlock'], seen: /a file in \/tmp/ },
  { attack: 'leftovers', rung: 3, launcher: 'sharesMemory', seen: /shared memory/ },
  { attack: 'leftovers', rung: 2, without: ['seccomp'], seen: /shared memory/ },
  { attack: 'waits_for_input', rung: 3, lifted: { keepStdinOpen: true, limits: { wallMs: 300 } }, seen: /"reason":"timeout"/ },
  { attack: 'waits_for_input', rung: 2, lifted: { keepStdinOpen: true, limits: { wallMs: 300 } }, seen: /"reason":"timeout"/ },
  { attack: 'types_into_the_terminal', rung: 3, without: ['seccomp'], seen: /BREACH TIOCSTI/ },
  { attack: 'types_into_the_terminal', rung: 2, without: ['seccomp'], seen: /BREACH TIOCSTI/ },
  { attack: 'dumps_core', rung: 3, launcher: 'dumpsCores', seen: /BREACH a core/ },
  { attack: 'dumps_core', rung: 2, launcher: 'dumpsCores', seen: /BREACH a core/ },
  // More than the compiler may name: what it had until then is twice as much as the limit was.
  {
    attack: 'include_bomb',
    rung: 2,
    lifted: { memoryMethod: 'address-space', limits: { ...patient, memoryBytes: 700 * 2 ** 20 } },
    seen: /"exit".*out of memory/s,
  },
  {
    attack: 'array_bomb',
    rung: 2,
    lifted: { limits: { ...patient, fileBytes: GIBIBYTE, diskBytes: GIBIBYTE, memoryBytes: GIBIBYTE } },
    seen: /it was compiled/,
  },
  { attack: 'template_bomb', rung: 2, lifted: { limits: { ...patient, memoryBytes: GIBIBYTE } }, seen: /"exit","exitCode":0/ },
];

const mayDumpNothing = linux && /^Max core file size +\S+ +0 /m.test(fs.readFileSync('/proc/self/limits', 'utf8'));

describe('the attacks are real:', { skip: asRoot, concurrency: 2 }, () => {
  for (const { attack, rung, without = [], launcher, lifted = {}, seen, isLong } of mutants) {
    const needless = attack === 'dumps_core' && mayDumpNothing ? 'no process may dump a core here: ulimit -Hc' : false;
    const words = [...without.map((part) => `without ${part}`), launcher, Object.keys(lifted.limits ?? {}).join(' and ')];
    const how = `${words.filter(Boolean).join(', ')}${isLong ? ' (long form)' : ''}`;
    test(`${attack} on rung ${rung} is seen where it gets through: ${how}`, { skip: needless }, async () => {
      const range = new AttackRange(base, rung, without, 'server', await mutantLauncher(base, launcher ?? 'asItIs'));
      try {
        await range.open();
        // What makes namespaces is found out by the probe; rung 2 needs nothing of it.
        if (rung === 3) await range.sandbox.open();
        const trial = trials.find(({ name }) => name === attack);
        assert.ok(trial !== undefined);
        await assert.rejects(trial.mustHold(range, lifted), seen);
      } finally {
        await range.close();
      }
    });
  }
});

test('of each attack it is known that it would be seen', () => {
  const names = [...new Set(mutants.filter(({ isLong }) => isLong !== true).map(({ attack }) => attack))];
  assert.deepEqual(names.sort(), trials.map(({ name }) => name).sort());
});

describe('the probe says what attacks then see:', { skip, concurrency: 2 }, () => {
  const claims = [
    { protection: 'files', attack: 'spies' },
    { protection: 'network', attack: 'network' },
    { protection: 'kernel', attack: 'kernel' },
    { protection: 'count', attack: 'fork_bomb' },
    { protection: 'memory', attack: 'memory_by_eight' },
    { protection: 'disk', attack: 'disk_by_many' },
  ] as const;
  // Where nothing holds, all of them take what they can get.
  const cases: { rung: 0 | 1 | 2 | 3; without: Part[]; isLong?: true }[] = [
    { rung: 3, without: [] },
    { rung: 2, without: [] },
    { rung: 1, without: [] },
    { rung: 0, without: [], isLong: true },
    { rung: 2, without: ['watch'] },
  ];
  for (const { rung, without, isLong } of cases) {
    test(`rung ${rung}${without.map((part) => ` without ${part}`).join('')}${isLong ? ' (long form)' : ''}`, async () => {
      const range = new AttackRange(base, rung, without);
      try {
        await range.open();
        const { isolation } = await range.sandbox.open();
        assert.equal(isolation.rung, rung);
        for (const { protection, attack } of claims) {
          // Where nothing holds it, it is seen when it has come through, be the machine slow.
          const { breaches, stdout } = await range.attack(attack, { limits: { ...attackLimits, ...patient } });
          const claimed = isolation.holds.includes(protection);
          assert.equal(breaches.length === 0, claimed, `${protection} was claimed ${claimed ? 'held' : 'open'}, and it was: ${stdout}`);
        }
      } finally {
        await range.close();
      }
    });
  }
});
