// What agents and callers could make a hub hold, up to its bounds and beyond them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { InProcessBus } from '../../src/hub/bus.ts';
import { hashSecret } from '../../src/hub/secrets.ts';
import { TaskLogs } from '../../src/hub/task-logs.ts';
import { nodeTimers } from '../../src/net/timers.ts';
import { ResultsFolder } from '../../src/services/tasks/results-folder.ts';
import { eventually } from '../kit/eventually.ts';
import { withHub } from '../kit/hub.ts';
import { runProgram } from '../kit/running-program.ts';

const features = ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls'];
const MIB = 1024 * 1024;

describe('a hub', { concurrency: true }, () => {
  test('an agent that reads nothing is given up, and others get its work', { timeout: 60_000 }, () =>
    withHub(
      async ({ client, agent }) => {
        const deaf = await agent('deaf', { features, credit: 1000 });
        deaf.socket.pause();
        const description = 'x'.repeat(100_000);
        for (let count = 0; count < 4; count++)
          await client.call('tasks.create', { tasks: Array.from({ length: 100 }, () => ({ description })) as never });
        const creditOfDeaf = async (): Promise<number | undefined> =>
          (await client.call('agents.list', {})).agents.find(({ id }) => id === 'deaf')?.credit;
        await eventually(async () => assert.equal(await creditOfDeaf(), 0), 20_000);
        const other = await agent('other', { features, credit: 1 });
        await other.next('task_assign', 10_000);
        deaf.socket.resume();
        await eventually(() => assert.equal(deaf.closed?.code, 4004), 20_000);
      },
      { acceptWithinMs: 500 },
    ),
  );

  test('a connection that does not say who it is is closed after ten seconds', { timeout: 30_000 }, () =>
    withHub(async ({ agent }) => {
      const nobody = await agent('nobody', { identify: false });
      const begun = performance.now();
      await eventually(() => assert.equal(nobody.closed?.code, 4001), 15_000);
      assert.ok(performance.now() - begun > 9000);
    }),
  );

  test('connections beyond the most are refused before the handshake, and one that ends makes room', () =>
    withHub(
      async ({ url, agent, logged }) => {
        const first = await agent('one');
        await agent('two');
        const refused = await new Promise<number>((resolve, reject) => {
          const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`);
          socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
          socket.on('open', () => reject(new Error('it was let in')));
          socket.on('error', () => {});
        });
        assert.equal(refused, 429);
        first.end();
        await eventually(() => assert.ok(logged.some(({ event }) => event === 'hub.agent-offline')));
        await agent('three');
      },
      // The socket of the client that made them known counts too.
      { maxAgents: 3 },
    ));

  test('too many tasks at once, one that is too long and a list that is too long are refused whole', () =>
    withHub(async ({ client }) => {
      const create = (...tasks: object[]): Promise<unknown> => client.call('tasks.create', { tasks: tasks as never });
      await create(...Array.from({ length: 100 }, () => ({ description: 'x' })));
      await assert.rejects(create(...Array.from({ length: 101 }, () => ({ description: 'x' }))), { reason: 'BAD_INPUT' });
      await create({ description: 'x'.repeat(100_000) });
      await assert.rejects(create({ description: 'x'.repeat(100_001) }), { reason: 'BAD_INPUT' });
      await assert.rejects(create({ description: 'x', metadata: { all: 'x'.repeat(17 * MIB) } }), { reason: 'INPUT_TOO_LARGE' });
      await assert.rejects(client.call('tasks.list', { limit: 1001 }), { reason: 'BAD_INPUT' });
      assert.equal((await client.call('hub.info', {})).tasks['ready'], 101);
    }));

  test('at most two secrets of an agent hold, and none lies on the disk', () =>
    withHub(async ({ client, agent, folder, secretOf }) => {
      const first = await secretOf('one');
      await agent('one', { token: first });
      const { token: unused } = await client.call('agents.rotate', { agent: 'one' });
      const { token: third } = await client.call('agents.rotate', { agent: 'one' });
      const { agents } = await client.call('agents.list', {});
      assert.equal(agents[0]?.secrets, 2);
      const refused = await agent('one', { identify: false });
      refused.send({ type: 'identify', agent_id: 'one', token: unused, protocol_version: 1 });
      assert.equal((await refused.next('error'))['error'], 'invalid_token');
      await agent('one', { token: first });
      await agent('one', { token: third });
      const { token: enrolment } = await client.call('agents.enrol', {});
      const stored = fs
        .readdirSync(folder)
        .flatMap((name) => (name.startsWith('agents.db') ? [fs.readFileSync(path.join(folder, name), 'latin1')] : []));
      assert.ok(
        stored.some((text) => text.includes(hashSecret(third))),
        'the check looks where they would be',
      );
      for (const secret of [first, unused, third, enrolment]) assert.ok(stored.every((text) => !text.includes(secret)));
      if (process.platform !== 'win32') assert.equal(fs.statSync(path.join(folder, 'token')).mode & 0o077, 0);
    }));
});

test('days that make no sense are refused before a hub starts', { timeout: 60_000 }, async () => {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-days-'));
  try {
    const main = path.join(import.meta.dirname, '../../src/cli/main.ts');
    for (const [flag, text] of [
      ['--keep-days', '-1'],
      ['--keep-days', '1.5'],
      ['--keep-days', '36526'],
      ['--keep-failed-days', 'never'],
    ] as const) {
      const args = ['hub', '--port', '0', '--state', at, `${flag}=${text}`];
      const program = runProgram(process.execPath, [main, ...args], { env: { PATH: process.env['PATH'] }, cwd: at });
      assert.notEqual(await program.ended, 0);
      assert.ok(program.output().includes(`${flag} ${text} is no number of days from 0 (for ever) to 36525.`), program.output());
    }
    assert.deepEqual(fs.readdirSync(at), []);
  } finally {
    fs.rmSync(at, { recursive: true, force: true });
  }
});

test('the log of a forgotten task is gone, and who follows it is woken', async () => {
  const logs = new TaskLogs(new InProcessBus(nodeTimers));
  let woken = 0;
  logs.follow('t', () => woken++);
  logs.add('t', { task_id: 't', generation: 1, stream: 'stdout', offset: 0, text: 'x' });
  logs.forget('t');
  logs.forget('nobody');
  assert.deepEqual(logs.after('t', 0), []);
  await eventually(() => assert.equal(woken, 2));
});

test('of what the program of a task writes the end is kept, and of tasks those that wrote last', () => {
  const logs = new TaskLogs(new InProcessBus(nodeTimers));
  const add = (task: string, offset: number, text: string): void =>
    logs.add(task, { task_id: task, generation: 1, stream: 'stdout', offset, text });
  for (let count = 0; count < 40; count++) add('long', count * 65_536, `${count}`.padEnd(65_536, '.'));
  const kept = logs.after('long', 0);
  assert.equal(kept.length, 16);
  assert.ok(kept.at(-1)?.text.startsWith('39.') && kept.at(-1)?.sequence === 40);
  for (let count = 0; count < 1000; count++) add(`task-${count}`, 0, 'x');
  assert.deepEqual(logs.after('long', 0), []);
  assert.equal(logs.after('task-0', 0).length, 1);
});

test('a result file that is too large is never read', () => {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-results-'));
  try {
    const results = new ResultsFolder(at);
    fs.writeFileSync(results.resultFile('t'), '{"status":"success"}');
    assert.deepEqual(results.read('t'), { value: { status: 'success' } });
    // Still JSON: blanks up to the bound, and one more.
    fs.truncateSync(results.resultFile('t'), 0);
    fs.writeFileSync(results.resultFile('t'), `{"status":"success"}${' '.repeat(64 * MIB)}`);
    assert.ok('unfinished' in results.read('t'));
  } finally {
    fs.rmSync(at, { recursive: true, force: true });
  }
});
