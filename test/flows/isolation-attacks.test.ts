import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import type { Part } from '../../src/services/exec/isolation/plan.ts';
import { AttackRange, attackLimits, buildLauncher, rangeFolder } from '../kit/attacks/attack-range.ts';
import { attacks, mustBeContained } from '../kit/attacks/attack-table.ts';
import { requireTool } from '../kit/require-tools.ts';

const linux = process.platform === 'linux';
const base = rangeFolder();
after(() => fs.rmSync(base, { recursive: true, force: true }));
const skip = linux ? requireTool('cc', 'bwrap') || buildLauncher(base) : 'the launcher is for Linux';
const isRoot = process.getuid?.() === 0;
const asRoot = isRoot ? skip : 'needs root';
/** Nobody: a pod's usual user. */
const STRANGER = 65_532;

/** What the sidecar does, and what it does where nobody but bubblewrap may make namespaces, or nothing can be forked. */
const rungs = [
  { rung: 3, name: 'namespaces', starts: 'server' },
  { rung: 2, name: 'landlock', starts: 'server' },
  { rung: 3, name: 'namespaces by bubblewrap', starts: 'program' },
  { rung: 2, name: 'landlock by a program for each cage', starts: 'program' },
] as const;

const compilerBombs = [
  {
    says: 'an include without an end',
    program: 'cc',
    file: 'a.c',
    code: '#include "/dev/zero"\n',
    reasons: ['memory', 'timeout', 'cpu', 'exit'],
  },
  {
    says: 'an array that fills the disk',
    program: 'cc',
    file: 'a.c',
    code: 'char big[1ul << 36] = {1}; int main(void) { return big[0]; }\n',
    reasons: ['disk', 'memory', 'timeout', 'cpu', 'exit'],
  },
  {
    says: 'templates without a floor',
    program: 'c++',
    file: 'a.cpp',
    code: 'template <int N> struct A { static const long v = A<N - 1>::v + A<N - 2>::v * N; A<N + 1> *p; };\n#pragma GCC diagnostic ignored "-w"\nint main() { return A<900000>::v; }\n',
    reasons: ['memory', 'timeout', 'cpu', 'exit'],
  },
];

for (const { rung, name, starts } of rungs) {
  describe(`on rung ${rung}, ${name},`, { skip }, () => {
    const range = skip === false ? new AttackRange(base, rung, [], starts) : (undefined as never);
    after(() => range?.close());

    test('the probe claims all protections', async () => {
      await range.open();
      const { isolation, evidence } = await range.sandbox.open();
      assert.deepEqual({ rung: isolation.rung, open: isolation.open }, { rung, open: [] }, JSON.stringify(evidence));
    });
    for (const attack of attacks) test(attack.says, () => mustBeContained(range, attack));

    test('a client that goes away ends all of it within 200 ms', async () => {
      const going = new AbortController();
      setTimeout(() => going.abort(), 300);
      const { end, left } = await range.attack('stops_its_group', { signal: going.signal });
      assert.equal(end.reason, 'canceled');
      assert.ok(end.wallMs < 500, `${end.wallMs} ms`);
      assert.equal(left, 0);
    });

    test('a flood of output takes little memory of ours', async () => {
      await range.attack('output_flood');
      const before = process.memoryUsage().rss;
      let most = before;
      const looking = setInterval(() => {
        most = Math.max(most, process.memoryUsage().rss);
      }, 2);
      await range.attack('output_flood');
      clearInterval(looking);
      assert.ok(most - before < attackLimits.outputBytes + 8 * 1024 * 1024, `${most - before} bytes`);
    });

    for (const bomb of compilerBombs)
      test(`the compiler is held too: ${bomb.says}`, async () => {
        const folder = range.folder();
        fs.writeFileSync(path.join(folder, bomb.file), bomb.code);
        const limits = { ...attackLimits, wallMs: 1500, processes: 48 };
        const { end, left, stderr } = await range.run([bomb.program, bomb.file, '-o', 'out'], folder, { limits });
        assert.ok(bomb.reasons.includes(end.reason), `${JSON.stringify(end)} ${stderr.slice(-500)}`);
        assert.ok(end.wallMs < limits.wallMs + 200);
        assert.equal(left, 0);
      });
  });
}

for (const { rung, name } of rungs.filter(({ starts }) => starts === 'server')) {
  test(`as a user without any privilege, rung ${rung} contains the same`, { skip: asRoot, timeout: 60_000 }, async () => {
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
      const said = JSON.parse(line) as { name: string; problem: string | null };
      count += 1;
      if (said.problem !== null) problems.push(said.problem);
    }
    assert.deepEqual(problems, []);
    assert.equal(count, attacks.length + 1);
  });
}

/** What gets through where one part is left out: each attack fails without the part that holds it. */
const mutants: { without: Part; rung: 2 | 3; attack: string; limits?: object }[] = [
  { without: 'seccomp', rung: 3, attack: 'kernel' },
  { without: 'seccomp', rung: 2, attack: 'kernel' },
  { without: 'network', rung: 3, attack: 'network' },
  { without: 'network', rung: 2, attack: 'network' },
  { without: 'landlock', rung: 2, attack: 'spies' },
  { without: 'rlimits', rung: 2, attack: 'disk_by_one', limits: { diskBytes: 2 ** 40 } },
  { without: 'watch', rung: 2, attack: 'memory_by_eight' },
  { without: 'watch', rung: 2, attack: 'disk_by_many' },
  { without: 'watch', rung: 3, attack: 'disk_by_many' },
  { without: 'watch', rung: 2, attack: 'inode_flood', limits: { wallMs: 10_000, cpuMs: 10_000 } },
  { without: 'watch', rung: 2, attack: 'burns_cpu', limits: { cpuMs: 500, wallMs: 6000 } },
  { without: 'tmpfs', rung: 3, attack: 'disk_in_temporary' },
];

// Nothing here is about time.
describe('the attacks are real:', { skip: asRoot, concurrency: 2 }, () => {
  for (const { without, rung, attack, limits } of mutants) {
    test(`without ${without}, ${attack} gets through on rung ${rung}`, async () => {
      const range = new AttackRange(base, rung, [without, ...(without === 'watch' || without === 'tmpfs' ? (['cgroup'] as const) : [])]);
      try {
        await range.open();
        const generous = { ...attackLimits, memoryBytes: attack === 'disk_in_temporary' ? 2 ** 30 : attackLimits.memoryBytes };
        const { breaches, end, stderr } = await range.attack(attack, { limits: { ...generous, ...limits } });
        assert.notDeepEqual(breaches, [], `${JSON.stringify(end)} ${stderr}`);
      } finally {
        await range.close();
      }
    });
  }

  test('without cgroup, rlimits and watcher a fork bomb is not held on rung 3', async () => {
    const range = new AttackRange(base, 3, ['cgroup', 'rlimits', 'watch']);
    try {
      const { breaches } = await range.attack('fork_bomb');
      assert.notDeepEqual(breaches, []);
    } finally {
      await range.close();
    }
  });
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
  const cases: { rung: 0 | 1 | 2 | 3; without: Part[] }[] = [
    { rung: 3, without: [] },
    { rung: 2, without: [] },
    { rung: 1, without: [] },
    { rung: 0, without: [] },
    { rung: 2, without: ['watch'] },
  ];
  for (const { rung, without } of cases) {
    test(`rung ${rung}${without.map((part) => ` without ${part}`).join('')}`, async () => {
      const range = new AttackRange(base, rung, without);
      try {
        await range.open();
        const { isolation } = await range.sandbox.open();
        assert.equal(isolation.rung, rung);
        for (const { protection, attack } of claims) {
          const { breaches, stdout } = await range.attack(attack);
          const claimed = isolation.holds.includes(protection);
          assert.equal(breaches.length === 0, claimed, `${protection} was claimed ${claimed ? 'held' : 'open'}, and it was: ${stdout}`);
        }
      } finally {
        await range.close();
      }
    });
  }
});
