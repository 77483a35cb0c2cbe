// What becomes of programs from one life of a sidecar to the next: records that are taken up, kills at the worst moment, what is left behind.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { fails, isAlive, type ProcessHarness, sh, textOf, withTable } from '../../../test/kit/process-harness.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import { LocalHost } from './local-host.ts';
import { Processes } from './processes.ts';

test('a record of a host that is not there any more, and one that can not be read, do not keep the sidecar from starting', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-processes-')));
  try {
    let id = '';
    const problems: unknown[] = [];
    await withTable(
      async ({ ask, state }) => {
        ({ id } = (await ask('processes.start', { argv: ['echo', 'kept'], host: 'app', restart: { when: 'always' } })).process);
        await ask('processes.wait', { id, until: 'text', text: 'kept' });
        state.statement(`INSERT INTO processes(id, record) VALUES('p-broken', '{')`).run();
      },
      { folder, hosts: { app: new LocalHost(new Processes({ env: process.env })) } },
    );
    await withTable(
      async ({ ask, stream }) => {
        const there = await ask('processes.get', { id });
        assert.equal(there.host, 'app');
        assert.match(textOf((await stream('processes.output', { id })).items), /^kept\n/);
        await fails('BAD_INPUT', ask('processes.restart', { id }));
      },
      { folder, onProblem: (problem) => problems.push(problem) },
    );
    assert.equal(problems.length, 1);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** What the next sidecar makes of a process, the only one or `name`, were this one killed now: its folder is copied as it is. */
async function whenKilledNow(folder: string, use: (process: ProcessInfo) => void, name?: string): Promise<void> {
  const copy = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-processes-')));
  try {
    fs.cpSync(folder, copy, { recursive: true, filter: (file) => !path.basename(file).startsWith('lock') });
    await withTable(
      async ({ table }) => {
        use(name === undefined ? (table.list()[0] as ProcessInfo) : table.get(name));
      },
      { folder: copy },
    );
  } finally {
    fs.rmSync(copy, { recursive: true, force: true });
  }
}

/** A table on a folder of its own, with a look at the folder after a run that hangs while `slow.now` is set. */
async function withSlowLook(run: (harness: ProcessHarness & { folder: string; slow: { now: boolean } }) => Promise<void>): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-processes-')));
  const slow = { now: false };
  const looked = Promise.withResolvers<void>();
  const hooks = { before: async () => {}, after: async () => (slow.now ? looked.promise : undefined) };
  try {
    await withTable(
      async (harness) => {
        try {
          await run({ ...harness, folder, slow });
        } finally {
          looked.resolve();
        }
      },
      { folder, hooks },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const service = { restart: { when: 'always', most: 1000 }, checkpoint: true };

test('a service runs again when the sidecar is killed while its stop still looks at the folder', () =>
  withSlowLook(async ({ ask, table, folder, slow }) => {
    await ask('processes.start', { argv: ['sleep', '300'], ...service });
    slow.now = true;
    void table.stop();
    await eventually(() => table.list()[0]?.state === 'ended');
    await whenKilledNow(folder, ({ state, reason }) => assert.notEqual(state, 'ended', reason));
  }));

test('a service runs again when the sidecar is killed while it is started again', () =>
  withSlowLook(async ({ ask, table, folder, slow }) => {
    const { process } = await ask('processes.start', { argv: ['sleep', '300'], ...service });
    slow.now = true;
    const restarting = ask('processes.restart', { id: process.id });
    await eventually(() => table.list()[0]?.state === 'ended');
    restarting.catch(() => {});
    await whenKilledNow(folder, ({ state, reason }) => assert.notEqual(state, 'ended', reason));
  }));

test('a service that is started again while the sidecar stops runs again with the next one', () =>
  withSlowLook(async ({ ask, table, folder }) => {
    const stubborn = sh(`trap '' TERM; echo up; while true; do sleep 0.1; done`);
    const { process } = await ask('processes.start', { argv: stubborn, ...service });
    await ask('processes.wait', { id: process.id, until: 'text', text: 'up' });
    const restarting = ask('processes.restart', { id: process.id, graceMs: 400 });
    await Promise.all([assert.rejects(restarting), table.stop()]);
    await whenKilledNow(folder, ({ state, reason }) => assert.notEqual(state, 'ended', reason));
  }));

test('a service that was stopped stays so, whenever the sidecar is killed: at once, or while it was being started again', () =>
  withSlowLook(async ({ ask, table, folder, slow }) => {
    const stubborn = sh(`trap '' TERM; echo up; while true; do sleep 0.1; done`);
    const { process } = await ask('processes.start', { argv: stubborn, ...service });
    await ask('processes.wait', { id: process.id, until: 'text', text: 'up' });
    const stopping = ask('processes.stop', { id: process.id, graceMs: 60_000 });
    // The copy's end of what was left running is an end here as well.
    await whenKilledNow(folder, ({ state, reason }) => assert.deepEqual([state, reason], ['ended', 'lost']));
    await stopping;
    await ask('processes.restart', { id: process.id });
    await ask('processes.wait', { id: process.id, until: 'text', text: 'up' });
    slow.now = true;
    const restarting = ask('processes.restart', { id: process.id, graceMs: 0 });
    restarting.catch(() => {});
    await eventually(() => table.list()[0]?.state === 'ended');
    void ask('processes.stop', { id: process.id }).catch(() => {});
    await whenKilledNow(folder, ({ state, reason }) => assert.deepEqual([state, reason], ['ended', 'stopped']));
  }));

test('a program that is not to run always is not started again, however the sidecar ended', () =>
  withSlowLook(async ({ ask, table, folder, slow }) => {
    await ask('processes.start', { argv: ['sleep', '300'], checkpoint: true, restart: { when: 'on-failure', most: 1000 } });
    slow.now = true;
    void table.stop();
    await eventually(() => table.list()[0]?.state === 'ended');
    await whenKilledNow(folder, ({ state, reason }) => assert.deepEqual([state, reason], ['ended', 'stopped']));
  }));

test('a service that there was no room to start again does not come back beside the one that took its place', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-processes-')));
  try {
    const looked = Promise.withResolvers<void>();
    const hooks = { before: async () => {}, after: () => looked.promise };
    await withTable(
      async ({ ask, table }) => {
        const { process } = await ask('processes.start', { argv: ['sleep', '300'], ...service });
        const restarting = ask('processes.restart', { id: process.id });
        restarting.catch(() => {});
        await eventually(() => table.list()[0]?.state === 'ended');
        await ask('processes.start', { argv: ['sleep', '300'] });
        looked.resolve();
        await fails('TOO_MANY_PROCESSES', restarting);
        await whenKilledNow(folder, ({ id, state }) => assert.deepEqual([id, state], [process.id, 'ended']), process.id);
      },
      { folder, hooks, maxRunning: 1 },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a service that its policy gave up stays so with the next sidecar', () =>
  withSlowLook(async ({ ask, folder }) => {
    const { process } = await ask('processes.start', { argv: ['false'], restart: { when: 'always', most: 1 } });
    await eventually(async () => (await ask('processes.get', { id: process.id })).state === 'ended');
    await whenKilledNow(folder, ({ state, reason }) => assert.deepEqual([state, reason], ['ended', 'exit']));
  }));

test('nothing of a sidecar that is alive is ended by what is recovered from another state', () =>
  withTable(async ({ ask }) => {
    const { process } = await ask('processes.start', { argv: ['sleep', '300'] });
    await withTable(async () => {});
    assert.equal((await ask('processes.get', { id: process.id })).state, 'running');
  }));

test('what a program left that was started again in a later life is ended with the sidecar, though nothing else was started', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-processes-')));
  const argv = sh(`[ -e again ] || { touch again; exit; }; setsid sh -c 'echo $$ > far; exec sleep 300' > /dev/null 2>&1 & sleep 0.5`);
  let id = '';
  let far = 0;
  try {
    await withTable(
      async ({ ask }) => {
        ({ id } = (await ask('processes.start', { argv })).process);
        await ask('processes.wait', { id });
      },
      { folder },
    );
    await withTable(
      async ({ ask, at }) => {
        await ask('processes.restart', { id });
        await ask('processes.wait', { id });
        far = Number(fs.readFileSync(at('far'), 'utf8'));
        assert.ok(isAlive(far));
      },
      { folder },
    );
    assert.ok(!isAlive(far));
  } finally {
    if (far > 0 && isAlive(far)) process.kill(far, 'SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
