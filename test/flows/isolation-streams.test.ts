import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { AttackRange, attackLimits, rangeFolder } from '../kit/attacks/attack-range.ts';
import { buildLauncher } from '../kit/native-programs.ts';
import { requireTool } from '../kit/require-tools.ts';

const base = rangeFolder();
after(() => fs.rmSync(base, { recursive: true, force: true }));
const skip =
  process.platform === 'linux' ? requireTool('cc', 'bwrap') || buildLauncher(path.join(base, 'launcher')) : 'the launcher is for Linux';
const MEBIBYTE = 1024 * 1024;
/** More than all that lies between the program and us can hold. */
const FLOOD_BYTES = 8 * MEBIBYTE;
const generous = { ...attackLimits, outputBytes: 64 * MEBIBYTE, wallMs: 10_000, cpuMs: 10_000 };
const signal = new AbortController().signal;

for (const rung of [3, 2] as const) {
  describe(`on rung ${rung}`, { skip }, () => {
    const range = skip === false ? new AttackRange(base, rung) : (undefined as never);
    after(() => range?.close());
    const bash = (script: string, request = {}) => range.run(['/bin/bash', '-c', script], range.folder(), { limits: generous, ...request });
    /** As `bash`, with what is done to the program while it runs. */
    const started = async (script: string, request = {}) => {
      const said = { stdout: 0, stderr: '' };
      const program = await range.sandbox.startAt(rung, {
        argv: ['/bin/bash', '-c', script],
        env: { PATH: '/usr/bin:/bin' },
        folder: range.folder(),
        readable: [],
        limits: generous,
        memoryMethod: 'tree',
        network: false,
        keepStdinOpen: true,
        signal,
        onOutput: (stream, bytes) => {
          if (stream === 'stdout') said.stdout += bytes.length;
          else said.stderr += Buffer.from(bytes).toString();
        },
        ...request,
      });
      return { program, said };
    };

    test('a program opens its own output by name', async () => {
      const { stdout, stderr, end } = await bash('echo one > /dev/stderr; echo two | tee /dev/stdout; echo three > /proc/self/fd/1');
      assert.deepEqual([end.exitCode, stdout, stderr], [0, 'two\ntwo\nthree\n', 'one\n']);
    });

    test('python opens its own output by name', async () => {
      const code = `open('/dev/stderr', 'w').write('err'); open('/dev/fd/1', 'w').write('out')`;
      const { stdout, stderr, end } = await range.run(['/usr/bin/python3', '-c', code], range.folder());
      assert.deepEqual([end.exitCode, stdout, stderr], [0, 'out', 'err']);
    });

    test('a program opens its own input by name', async () => {
      const { program, said } = await started('cat /dev/stdin /dev/fd/0');
      await program.write(Buffer.from('twelve bytes'));
      program.endInput();
      const end = await program.end;
      assert.deepEqual([end.exitCode, said], [0, { stdout: 12, stderr: '' }]);
    });

    test('a big input arrives whole, and its end with it', async () => {
      const { program, said } = await started('wc -c >&2');
      for (let piece = 0; piece < 64; piece++) await program.write(Buffer.alloc(MEBIBYTE / 2, 'x'));
      program.endInput();
      const end = await program.end;
      assert.deepEqual([end.exitCode, said.stderr.trim()], [0, String(32 * MEBIBYTE)]);
    });

    test('who does not read its input is held up by nothing', async () => {
      const { program, said } = await started('sleep 0.2; echo done');
      void program.write(Buffer.alloc(4 * MEBIBYTE, 'x'));
      const end = await program.end;
      assert.deepEqual([end.reason, end.exitCode, said.stdout], ['exit', 0, 5]);
      assert.ok(end.wallMs < 1500, `${end.wallMs} ms`);
    });

    test('who closes its input lets go of those who write to it (long form)', async () => {
      const { program } = await started('exec 0<&-; sleep 3');
      const from = performance.now();
      for (let piece = 0; piece < 8; piece++) await program.write(Buffer.alloc(MEBIBYTE, 'x'));
      assert.ok(performance.now() - from < 2700, 'before its end');
      assert.equal((await program.end).exitCode, 0);
    });

    test('a slow reader holds a flood back, and gets all of it after the program ended', async () => {
      const { program, said } = await started(`head -c ${FLOOD_BYTES} /dev/zero; echo end >&2`);
      program.pause();
      await wait(200);
      const held = said.stdout;
      assert.ok(held < FLOOD_BYTES / 2, `${held} bytes came`);
      for (let turn = 0; turn < 20; turn++) {
        program.resume();
        await wait(2);
        program.pause();
        await wait(5);
      }
      program.resume();
      const end = await program.end;
      assert.deepEqual([end.exitCode, said], [0, { stdout: FLOOD_BYTES, stderr: 'end\n' }]);
    });

    test('the time of a program ends with it, and not with its slow reader', async () => {
      // As much as fits between us and nobody has read yet.
      const { program, said } = await started('head -c 140000 /dev/zero', { limits: { ...generous, wallMs: 3000 } });
      program.pause();
      await wait(1500);
      program.resume();
      const end = await program.end;
      assert.deepEqual([end.reason, end.exitCode, said.stdout], ['exit', 0, 140_000]);
      assert.ok(end.wallMs < 1300, `${end.wallMs} ms`);
    });

    test('what was written before the time was over arrives', async () => {
      const { stdout, end } = await bash('head -c 50000 /dev/zero; sleep 9', { limits: { ...generous, wallMs: 300 } });
      assert.deepEqual([end.reason, stdout.length], ['timeout', 50_000]);
      assert.ok(end.wallMs < 500, `${end.wallMs} ms`);
    });

    test('a child that holds the output open delays nothing', async () => {
      const { stdout, end, left } = await bash('echo a; sleep 5 & exec 3>/dev/stdout; echo b >&3');
      assert.deepEqual([end.reason, stdout, left], ['exit', 'a\nb\n', 0]);
      assert.ok(end.wallMs < 1500, `${end.wallMs} ms`);
    });

    test('who keeps the supervisor busy with output or with orphans meets its limits all the same', async () => {
      const limits = { ...generous, diskBytes: 4 * MEBIBYTE, outputBytes: 2 ** 40, wallMs: 5000 };
      // Without programs, whose starts would take all of the time on a busy machine.
      const fill = 'printf -v piece %65536s; for i in {1..400}; do printf %s "$piece" > f$i; done';
      const flood = await bash(`cat /dev/zero & ${fill}; wait`, { limits, onOutput: () => {} });
      assert.equal(flood.end.reason, 'disk');
      const orphans = await bash(`(for i in {1..500}; do (true &); done) & ${fill}; sleep 4`, { limits });
      assert.equal(orphans.end.reason, 'disk');
    });
  });
}

test('what is no socket is given to the program as it is', { skip }, () => {
  const launcher = path.join(base, 'launcher');
  const file = path.join(base, 'given');
  const given = fs.openSync(file, 'w');
  const { status } = spawnSync(launcher, ['--cage', '--', '/bin/readlink', '/proc/self/fd/1'], { stdio: ['ignore', given, 'inherit'] });
  fs.closeSync(given);
  assert.deepEqual([status, fs.readFileSync(file, 'utf8').trim()], [0, file]);
});

test('with --no-relay a socket is given to the program as it is', { skip }, () => {
  const ask = (...options: string[]) =>
    spawnSync(path.join(base, 'launcher'), ['--cage', ...options, '--', '/bin/readlink', '/proc/self/fd/1'], { encoding: 'utf8' }).stdout;
  assert.match(ask(), /^pipe:/);
  assert.match(ask('--no-relay'), /^socket:/);
});
