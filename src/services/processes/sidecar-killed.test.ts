// A sidecar that is killed (kill -9): what it had started is ended, and the next one says so.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { buildLauncher } from '../../../test/kit/native-programs.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { isAlive, textOf, withTable } from '../../../test/kit/process-harness.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { withEnvironment } from './process-facts.ts';

const program = path.join(import.meta.dirname, '..', '..', '..', 'test', 'kit', 'process-table-program.ts');
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-killed-'));
const launcher = path.join(scratch, 'launcher');
const noLauncher = process.platform !== 'linux' ? 'the launcher is for Linux' : requireTool('cc');
before(() => assert.equal(buildLauncher(launcher), noLauncher));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

interface Killed {
  folder: string;
  /** Of twenty programs that ran when it was killed, half of which had left their group. */
  ids: string[];
  pids: number[];
  /** What a program left in the folder in which all of them ran. */
  read(name: string): string;
}

interface KilledSetup {
  /** A script that runs to its end before. */
  run?: string;
  /** One that goes on when it has said something. */
  leave?: string;
  launcher?: string;
}

/** A sidecar with twenty programs is killed. */
async function withKilled(use: (killed: Killed) => Promise<void>, setup: KilledSetup = {}): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-processes-')));
  const root = path.join(folder, 'root');
  fs.mkdirSync(root);
  let child: ChildProcess | undefined;
  let facts: { ids: string[]; pids: number[] } = { ids: [], pids: [] };
  try {
    child = spawn(process.execPath, [program, folder, JSON.stringify(setup)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit').then(([code]) => assert.fail(`it ended with ${code} before it was killed`));
    ended.catch(() => {});
    const said = once(child.stdout!.setEncoding('utf8'), 'data');
    const [line] = (await Promise.race([said, ended])) as [string];
    facts = JSON.parse(line) as typeof facts;
    assert.equal(facts.pids.length, 20);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    await use({ folder, ...facts, read: (name) => fs.readFileSync(path.join(root, name), 'utf8') });
  } finally {
    child?.kill('SIGKILL');
    for (const pid of facts.pids.filter(isAlive)) process.kill(-pid, 'SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Leaves the group before its starter ends, which the group ends with. */
const leaves = `setsid sh -c 'echo $$ > far; exec sleep 300' > /dev/null 2>&1 & while [ ! -s far ]; do sleep 0.02; done`;

test('what a sidecar that was killed left running is ended at the next start, and said to be lost', () =>
  withKilled(async ({ folder, ids, pids }) => {
    assert.ok(pids.some(isAlive));
    await withTable(
      async ({ ask, stream }) => {
        assert.deepEqual(pids.filter(isAlive), []);
        for (const id of ids) {
          const { state, reason } = await ask('processes.get', { id });
          assert.deepEqual({ state, reason }, { state: 'ended', reason: 'lost' });
          assert.equal(textOf((await stream('processes.output', { id })).items), 'said before\n');
          assert.deepEqual(withEnvironment(`OUTRIGGER_PROCESS=${id}`), []);
        }
      },
      { folder, maxRunning: 100, keepEnded: 100 },
    );
  }));

test('a sidecar that was killed leaves nothing, not even what left its group and whose starter had ended', () =>
  withKilled(
    async ({ folder, read }) => {
      const far = Number(read('far'));
      assert.ok(isAlive(far));
      await withTable(async () => assert.ok(!isAlive(far)), { folder });
    },
    { run: leaves },
  ));

test('where the launcher starts them, all end without a next start: asked first, and made to when they do not', { skip: noLauncher }, () =>
  withKilled(
    async ({ folder, ids, pids, read }) => {
      const far = Number(read('far'));
      await eventually(() => assert.deepEqual([...pids, far].filter(isAlive), []));
      for (const id of ids) assert.deepEqual(withEnvironment(`OUTRIGGER_PROCESS=${id}`), []);
      assert.deepEqual([read('asked'), read('heard')], ['to end\n', 'once\n']);
      await withTable(
        async ({ ask, stream }) => {
          for (const id of ids) {
            assert.equal((await ask('processes.get', { id })).reason, 'lost');
            assert.equal(textOf((await stream('processes.output', { id })).items), 'said before\n');
          }
        },
        { folder, maxRunning: 100, keepEnded: 100 },
      );
    },
    {
      // The first leaves its group; of the second, the starter ends at once when it is asked.
      run: `setsid sh -c 'trap "echo to end > asked; exit" TERM; echo $$ > near; sleep 300 & wait' > /dev/null 2>&1 &
        while [ ! -s near ]; do sleep 0.02; done
        ${leaves}`,
      leave: `sh -c 'trap "sleep 0.1; echo once >> heard" TERM; echo $$ > in; sleep 300 & wait; sleep 0.2' &
        while [ ! -s in ]; do sleep 0.02; done; echo up; wait`,
      launcher,
    },
  ),
);
