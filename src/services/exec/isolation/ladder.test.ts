import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { buildLauncher } from '../../../../test/kit/native-programs.ts';
import { withScratchFolder } from '../../../../test/kit/scratch-folder.ts';
import { withSmallDisk } from '../../../../test/kit/small-disk.ts';
import { Processes } from '../../processes/processes.ts';
import { LadderSandbox } from './ladder.ts';
import { climb, type Climbed, type RungSandbox } from './probe.ts';

const folder = fs.mkdtempSync('/tmp/outrigger-ladder-');
after(() => fs.rmSync(folder, { recursive: true, force: true }));
fs.chmodSync(folder, 0o711);
const skip = buildLauncher(path.join(folder, 'launcher'));

function ladderIn(scratch: string, launcher = path.join(folder, 'launcher')): LadderSandbox {
  const processes = new Processes({ env: process.env });
  const find = (program: string, options: { from: string; searchPath: string | undefined }): string | undefined =>
    processes.find(program, options);
  return new LadderSandbox({ launcher, find, searchPath: process.env['PATH'], now: () => performance.now(), log: () => {} }, { scratch });
}

/** What was found; without time, which a busy machine keeps badly. */
const found = ({ isolation }: Climbed): unknown => [isolation.rung, isolation.open.filter((protection) => protection !== 'time')];

describe('the ladder', { skip }, () => {
  test('a disk that is full for a moment is no evidence: the next climb is as high as ever (long form)', (context) =>
    withSmallDisk(context, 40_000, async (scratch) => {
      fs.chmodSync(scratch, 0o711);
      const [never, once] = [ladderIn(scratch), ladderIn(scratch)];
      try {
        const wanted = found(await never.open());
        const filler = path.join(scratch, 'filler');
        const fill = (leaving: number): void => {
          const { bavail, bsize } = fs.statfsSync(scratch);
          fs.writeFileSync(filler, Buffer.alloc(bavail * bsize - leaving));
        };
        // For nothing, for the programs that try, and for less than they are to be kept from.
        for (const leaving of [0, 64 * 1024, 1024 * 1024, 2 * 1024 * 1024]) {
          fill(leaving);
          await assert.rejects(once.open(), { reason: 'DISK_FULL' }, `${leaving} bytes`);
          fs.rmSync(filler);
        }
        assert.deepEqual(found(await once.open()), wanted);
        assert.deepEqual(
          fs.readdirSync(scratch).filter((name) => name.startsWith('probe-')),
          [],
        );
      } finally {
        await Promise.all([never.stop(), once.stop()]);
      }
    }));

  test('neither are descriptors that are short for a moment (long form)', () =>
    withScratchFolder('ladder', async (scratch) => {
      fs.chmodSync(scratch, 0o711);
      const program = `
        import fs from 'node:fs';
        import { Processes } from ${JSON.stringify(path.join(import.meta.dirname, '../../processes/processes.ts'))};
        import { LadderSandbox } from ${JSON.stringify(path.join(import.meta.dirname, 'ladder.ts'))};
        const processes = new Processes({ env: process.env });
        const find = (program, options) => processes.find(program, options);
        const [launcher, scratch] = process.argv.slice(1);
        const ladder = () => new LadderSandbox({ launcher, find, searchPath: process.env.PATH, now: () => performance.now(), log: () => {} }, { scratch });
        const found = ({ isolation }) => [isolation.rung, isolation.open.filter((protection) => protection !== 'time')];
        const seen = [];
        const usual = ladder();
        const wanted = JSON.stringify(found(await usual.open()));
        await usual.stop();
        for (const free of [0, 5, 9, 14, 20, 30, 45]) {
          const one = ladder();
          const taken = [];
          for (;;) try { taken.push(fs.openSync('/dev/null')); } catch { break; }
          for (const descriptor of taken.splice(0, free)) fs.closeSync(descriptor);
          const short = await one.open().then((climbed) => JSON.stringify(found(climbed)), ({ reason, message }) => reason ?? message);
          for (const descriptor of taken) fs.closeSync(descriptor);
          seen.push([free, short === wanted ? 'as wanted' : short, JSON.stringify(found(await one.open())) === wanted]);
          await one.stop();
        }
        console.log(JSON.stringify(seen));`;
      const argv = [process.execPath, '--input-type=module', '-e', program, path.join(folder, 'launcher'), scratch];
      const { stdout, stderr, status } = spawnSync('sh', ['-c', 'ulimit -n 256; exec "$@"', 'sh', ...argv], {
        encoding: 'utf8',
        timeout: 90_000,
      });
      assert.equal(status, 0, stderr);
      const seen = JSON.parse(stdout) as [number, string, boolean][];
      assert.deepEqual(
        seen.filter(([, short, again]) => !again || !['as wanted', 'TOO_MANY_PROCESSES'].includes(short)),
        [],
      );
      assert.equal(seen[0]?.[1], 'TOO_MANY_PROCESSES');
    }));

  test('what no program can be given is refused for what it is', () =>
    withScratchFolder('ladder', async (scratch, root) => {
      const ladder = ladderIn(scratch);
      const start = (argument: string, program = 'true'): Promise<unknown> =>
        ladder.startAt(0, {
          argv: [program, argument],
          env: {},
          folder: root,
          readable: [],
          limits: { wallMs: 1000, cpuMs: 1000, memoryBytes: 2 ** 28, processes: 9, outputBytes: 99, fileBytes: 99, diskBytes: 99 },
          memoryMethod: 'address-space',
          network: false,
          keepStdinOpen: false,
          signal: new AbortController().signal,
          onOutput: () => {},
        });
      await assert.rejects(start('a\0b'), { reason: 'BAD_INPUT', message: 'An argument or a variable of true holds a NUL, and none can.' });
      await assert.rejects(start('x'.repeat(1024 * 1024)), {
        reason: 'BAD_INPUT',
        message: /^The arguments .* are more than the system takes\.$/,
      });
      // As on a mount with noexec.
      const compiled = path.join(root, 'compiled');
      fs.writeFileSync(compiled, '', { mode: 0o644 });
      await assert.rejects(start('', compiled), { reason: 'FILE_PERMISSION', message: /compiled may not be run .*noexec/ });
      await ladder.stop();
    }));

  test('a limit of time that a busy machine once kept late is tried once more', () =>
    withScratchFolder('ladder', async (scratch) => {
      const ladder = ladderIn(scratch);
      const options = { launcher: path.join(folder, 'launcher'), scratch, highest: 0, namespaces: undefined, cgroups: undefined, abi: 0 };
      const timeOf = async (lateTimes: number): Promise<unknown> => {
        let slept = 0;
        const startAt: RungSandbox['startAt'] = async (rung, request) => {
          const program = await ladder.startAt(rung, request);
          if (!request.argv.some((argument) => argument.startsWith('time='))) return program;
          const wallMs = request.limits.wallMs + (++slept > lateTimes ? 100 : 1000);
          return { ...program, end: program.end.then((end) => ({ ...end, reason: 'timeout', wallMs })) };
        };
        const { evidence } = await climb({ startAt }, options);
        return [evidence.find(({ protection }) => protection === 'time')?.held, slept];
      };
      assert.deepEqual(await timeOf(1), [true, 2]);
      assert.deepEqual(await timeOf(2), [false, 2]);
      await ladder.stop();
    }));

  test('that other programs of its user leave no room for one more does not open a limit of memory', () =>
    withScratchFolder('ladder', async (scratch) => {
      fs.chmodSync(scratch, 0o711);
      const ladder = ladderIn(scratch);
      const startAt: RungSandbox['startAt'] = (rung, request) => {
        const isIt = request.argv.some((argument) => argument.startsWith('memory='));
        return ladder.startAt(rung, isIt ? { ...request, limits: { ...request.limits, processes: 1 } } : request);
      };
      const options = { launcher: path.join(folder, 'launcher'), scratch, highest: 1, namespaces: undefined, cgroups: undefined, abi: 0 };
      const { isolation, evidence } = await climb({ startAt }, options);
      assert.equal(isolation.rung, 1);
      const memory = evidence.find(({ protection }) => protection === 'memory');
      assert.deepEqual([memory?.held, memory?.tried], [true, 'went to twice the limit, and its end was: memory SIGKILL']);
      await ladder.stop();
    }));

  test('what the machine can not do is found out once', () =>
    withScratchFolder('ladder', async (scratch) => {
      const broken = path.join(scratch, 'launcher');
      fs.writeFileSync(broken, 'no program', { mode: 0o755 });
      const ladder = ladderIn(scratch, broken);
      const climbed = await ladder.open();
      assert.equal(climbed.isolation.rung, 0);
      assert.equal(await ladder.open(), climbed);
      await ladder.stop();
    }));
});
