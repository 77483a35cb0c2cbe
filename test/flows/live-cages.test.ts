// A program that has many orders, in a cage of each kind: between them all else is ended, and it stands still.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { SandboxedProgram } from '../../src/services/exec/isolation/sandbox.ts';
import { AttackRange, attackLimits, rangeFolder } from '../kit/attacks/attack-range.ts';
import { buildLauncher } from '../kit/native-programs.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';

const base = rangeFolder();
after(() => fs.rmSync(base, { recursive: true, force: true }));
const skip =
  process.platform === 'linux'
    ? requireTool('cc', 'bwrap', 'python3') || buildLauncher(path.join(base, 'launcher'))
    : 'the launcher is for Linux';
const MEBIBYTE = 1024 * 1024;

const cages = [
  { says: 'namespaces', rung: 3, starts: 'server', without: [] },
  { says: 'namespaces without a cgroup', rung: 3, starts: 'server', without: ['cgroup'] },
  { says: 'namespaces by bubblewrap', rung: 3, starts: 'program', without: [] },
  { says: 'landlock', rung: 2, starts: 'server', without: [] },
  { says: 'landlock by a program for each cage', rung: 2, starts: 'program', without: [] },
  { says: 'seccomp', rung: 1, starts: 'server', without: [] },
] as const;

/** Takes lines, and says of each that it is done. */
const obeys = `import ctypes, os, signal, subprocess, sys, threading, time
names = globals()
for line in sys.stdin:
  exec(eval(line), names)
  print("done", flush=True)
`;

interface Obedient {
  program: SandboxedProgram;
  /** Gives what it said, without the word that it is done. */
  order(code: string, limits?: { wallMs?: number; cpuMs?: number; outputBytes?: number }): Promise<string>;
}

async function withObedient(range: AttackRange, work: (one: Obedient) => Promise<void>): Promise<void> {
  const ending = new AbortController();
  const program = await range.sandbox.startAt(range.rung, {
    argv: ['/usr/bin/python3', '-S', '-c', obeys],
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    folder: range.folder(),
    readable: [],
    limits: attackLimits,
    lifeCpuMs: 60_000,
    memoryMethod: 'tree',
    network: false,
    keepStdinOpen: true,
    waits: true,
    signal: ending.signal,
    onOutput: () => {},
  });
  try {
    await work({
      program,
      order: async (code, limits) => {
        let text = '';
        const done = new Promise<void>((resolve) =>
          program.begin?.({ wallMs: 5000, outputBytes: MEBIBYTE, ...limits }, (stream, bytes) => {
            text += Buffer.from(bytes).toString();
            if (stream === 'stdout' && text.includes('done\n')) resolve();
          }),
        );
        await program.write(Buffer.from(`${JSON.stringify(code)}\n`));
        await Promise.race([done, program.end]);
        return text.replace(/done\n$/, '');
      },
    });
  } finally {
    ending.abort();
    await program.gone;
  }
}

for (const { says, rung, starts, without } of cages) {
  describe(`in a cage of ${says},`, { skip }, () => {
    const range = skip === false ? new AttackRange(base, rung, without, starts) : (undefined as never);
    after(() => range?.close());

    test('what an order started is ended, counted and measured, and the next one finds all as it was', () =>
      withObedient(range, ({ program, order }) => {
        const start =
          'x = 1\nsubprocess.Popen(["sleep", "30"], start_new_session=True)\nif os.fork() == 0:\n  os.setsid()\n  while True: pass';
        return order(`${start}\ntime.sleep(0.3)\nbig = b"x" * ${40 * MEBIBYTE}\ndel big`).then(async () => {
          const use = await program.settle?.();
          assert.ok(use !== undefined && use.ended === 2 && use.limit === null, JSON.stringify(use));
          assert.ok(use.cpuMs > 50 && use.cpuMs < 2000 && use.memoryBytes > 40 * MEBIBYTE, JSON.stringify(use));
          assert.equal(await order('print(x)'), '1\n');
          const next = await program.settle?.();
          assert.ok(next !== undefined && next.ended === 0 && next.cpuMs < 60, JSON.stringify(next));
          assert.ok(next.memoryBytes > 2 * MEBIBYTE && next.memoryBytes < 40 * MEBIBYTE, JSON.stringify(next));
        });
      }));

    test('it stands still until something comes, with all of its threads', () =>
      withObedient(range, async ({ program, order }) => {
        const counts =
          'n = 0\ndef count():\n  global n\n  while True:\n    n += 1\n    time.sleep(0.001)\nthreading.Thread(target=count, daemon=True).start()';
        await order(counts);
        await program.settle?.();
        await new Promise((resolve) => setTimeout(resolve, 300));
        const begun = Number(await order('print(n)\ntime.sleep(0.1)'));
        assert.ok(begun < 150, `${begun} steps in a rest of 300 ms`);
        await eventually(async () => assert.ok(Number(await order('time.sleep(0.05)\nprint(n)')) > begun + 20));
      }));

    test('a limit of processor time is of each order, and may be another for each', () =>
      withObedient(range, async ({ program, order }) => {
        const burn = 't = time.process_time()\nwhile time.process_time() - t < 0.3: pass\nprint("burnt")';
        for (const cpuMs of [500, 500, 800]) {
          assert.equal(await order(burn, { cpuMs }), 'burnt\n');
          assert.ok(((await program.settle?.())?.cpuMs ?? 0) >= 290);
        }
        assert.equal(await order(burn, { cpuMs: 100 }), '');
        const { reason, limit, cpuMs = 0 } = await program.end;
        assert.deepEqual([reason, limit?.name], ['cpu', 'cpuMs']);
        assert.ok(cpuMs !== null && cpuMs > 80 && cpuMs < 500, `${cpuMs} ms`);
        assert.equal(await program.settle?.(), undefined);
      }));

    test('what others wrote before they were ended is nothing of the next order', () =>
      withObedient(range, async ({ program, order }) => {
        const noisy = 'if os.fork() == 0:\n  os.setsid()\n  while True: os.write(1, b"noise " * 100)';
        for (let round = 0; round < 3; round++) {
          await order(noisy, { outputBytes: 1024 * MEBIBYTE });
          assert.ok(((await program.settle?.())?.ended ?? 0) > 0);
          assert.equal(await order('print("own")'), 'own\n');
        }
      }));

    test('what its reader had not taken by then is nothing of the next order either', () =>
      withObedient(range, async ({ program, order }) => {
        // Some of it may come before the word that the order is done.
        const noisy = 'if os.fork() == 0:\n  os.setsid()\n  while True: os.write(1, b"noise " * 10_000)';
        await order(noisy, { outputBytes: 1024 * MEBIBYTE });
        program.pause?.();
        // Until there is room nowhere: between the two, in the supervisor, and before it.
        await new Promise((resolve) => setTimeout(resolve, 200));
        const settling = program.settle?.();
        setTimeout(() => program.resume?.(), 50);
        assert.ok(((await settling)?.ended ?? 0) > 0);
        assert.equal((await order('print("own")')).slice(0, 100), 'own\n');
      }));

    test('one that ends in its rest is over, and says so', () =>
      withObedient(range, async ({ program, order }) => {
        await order('def leave():\n  time.sleep(0.01)\n  os._exit(7)\nthreading.Thread(target=leave).start()');
        await program.settle?.();
        await eventually(async () => {
          program.begin?.({ wallMs: 1000, outputBytes: 1000 }, () => {});
          await program.write(Buffer.from('"pass"\n'));
          const end = await Promise.race([program.end, new Promise<undefined>((resolve) => setTimeout(resolve, 10))]);
          assert.deepEqual([end?.reason, end?.exitCode], ['exit', 7]);
        });
        assert.equal(await program.settle?.(), undefined);
      }));

    test('one that ended just before its order was called done says how it ended', () =>
      withObedient(range, async ({ program, order }) => {
        await order('def leave():\n  time.sleep(0.02)\n  os._exit(7)\nthreading.Thread(target=leave).start()');
        // Nobody here looks what came meanwhile.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
        assert.equal(await program.settle?.(), undefined);
        const { reason, exitCode } = await program.end;
        assert.deepEqual([reason, exitCode], ['exit', 7]);
        const begun = performance.now();
        await program.gone;
        assert.ok(performance.now() - begun < 900, 'it was told that its end is known');
      }));
  });
}
