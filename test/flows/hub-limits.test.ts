// What agents and callers could make a hub hold, up to its bounds and beyond them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
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
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { main } from '../kit/command.ts';

const features = ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls'];
const MIB = 1024 * 1024;

// Not among the others: it takes time from them.
test('an agent that reads gets several tasks of four megabytes at once, one after the other', () =>
  withHub(async ({ client, agent }) => {
    const text = 'x'.repeat(3_900_000);
    for (let count = 0; count < 5; count++)
      await client.call('tasks.create', { tasks: [{ description: 'large', metadata: { text } }] as never });
    const reader = await agent('reader', { features, credit: 5 });
    for (let count = 0; count < 5; count++) {
      const { task_id, generation } = await reader.next('task_assign', 20_000);
      reader.send({ type: 'task_accepted', task_id, generation });
      assert.equal((await reader.next('task_ack', 20_000))['task_id'], task_id);
    }
    assert.equal(reader.closed, undefined);
  }));

describe('a hub', { concurrency: true }, () => {
  test('an agent that reads nothing is given up, and others get its work', () =>
    withHub(
      async ({ client, agent }) => {
        const deaf = await agent('deaf', { features, credit: 1000 });
        deaf.socket.pause();
        await client.call('tasks.create', { tasks: Array.from({ length: 100 }, () => ({ description: 'x' })) as never });
        const creditOfDeaf = async (): Promise<number | undefined> =>
          (await client.call('agents.list', {})).agents.find(({ id }) => id === 'deaf')?.credit;
        await eventually(async () => assert.equal(await creditOfDeaf(), 0), 20_000);
        const other = await agent('other', { features, credit: 1 });
        await other.next('task_assign', 10_000);
      },
      { acceptWithinMs: 500 },
    ));

  test('an agent that reads none of what waits for it is closed, and learns why if it reads on within five seconds', () =>
    withHub(async ({ client, agent, logged }) => {
      const deaf = await agent('deaf', { features, credit: 1000 });
      deaf.socket.pause();
      const isGivenUp = (): boolean => logged.some(({ event, facts }) => event === 'hub.agent-offline' && facts['agentId'] === 'deaf');
      const description = 'x'.repeat(100_000);
      for (let count = 0; count < 20 && !isGivenUp(); count++)
        await client.call('tasks.create', { tasks: Array.from({ length: 20 }, () => ({ description })) as never });
      await eventually(isGivenUp);
      deaf.socket.resume();
      await eventually(() => assert.equal(deaf.closed?.code, 4004));
      const facts = (await client.call('agents.list', {})).agents.find(({ id }) => id === 'deaf');
      assert.deepEqual([facts?.state, facts?.credit], ['offline', 0]);
      const other = await agent('other', { features, credit: 1 });
      await other.next('task_assign', 10_000);
    }));

  test('a connection that does not say who it is is closed after ten seconds (long form)', () =>
    withHub(async ({ agent }) => {
      const nobody = await agent('nobody', { identify: false });
      const begun = performance.now();
      await eventually(() => assert.equal(nobody.closed?.code, 1008), 15_000);
      assert.ok(performance.now() - begun > 9000);
    }));

  test('whoever has not said who he is may say a hundred things that make no sense, and no more', () =>
    withHub(async ({ agent, secretOf }) => {
      const nobody = await agent('nobody', { identify: false });
      for (let count = 0; count < 100; count++) nobody.send('x');
      await eventually(() => assert.equal(nobody.had('error').length, 100));
      assert.equal(nobody.closed, undefined);
      nobody.send({ type: 'identify', agent_id: 'nobody' });
      nobody.send({ type: 'identify', agent_id: 'nobody', token: await secretOf('nobody'), protocol_version: 1 });
      await eventually(() => assert.deepEqual(nobody.closed, { code: 1008, reason: 'too many bad frames' }));
      assert.deepEqual(nobody.had('identified'), []);
    }));

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

  test('keys, groups and capabilities that the store would take for one another are refused', () =>
    withHub(async ({ client }) => {
      const create = (task: object): Promise<unknown> => client.call('tasks.create', { tasks: [{ description: 'x', ...task }] as never });
      for (const task of [{ key: 'job-\ud83d' }, { group: '\udc00' }, { needs: ['ok', 'gpu-\ud800'] }])
        await assert.rejects(create(task), { reason: 'BAD_INPUT', message: /half a character \(a lone surrogate\)/ });
      for (const key of ['job-\ufffd', 'job-😀']) await create({ key, group: key, needs: [key] });
      assert.equal((await client.call('hub.info', {})).tasks['ready'], 2);
    }));

  test('what an agent says of itself has bounds', () =>
    withHub(async ({ agent, secretOf, client }) => {
      const one = await agent('one', { identify: false });
      const identify = { type: 'identify', agent_id: 'one', token: await secretOf('one'), protocol_version: 1 };
      const labels = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, number) => [`label-${number}`, 'x']));
      const long = 'x'.repeat(257);
      for (const [field, said] of [
        ['labels', { labels: labels(101) }],
        ['labels.os', { labels: { os: long } }],
        ['labels', { labels: { [long]: 'x' } }],
        ['features', { features: Array.from({ length: 101 }, () => 'leases') }],
        ['features.0', { features: [long] }],
        ['client_type', { client_type: long }],
        ['version', { version: long }],
      ] as const) {
        one.send({ ...identify, ...said });
        const { error, errors } = await one.next('error');
        assert.deepEqual([error, (errors as { field: string }[]).map((problem) => problem.field)], ['validation_failed', [field]]);
      }
      const longest = 'x'.repeat(256);
      one.send({ ...identify, labels: { ...labels(99), [longest]: longest }, features: ['leases', longest], version: longest });
      await one.next('identified');
      assert.equal(Object.keys((await client.call('agents.list', {})).agents[0]?.labels ?? {}).length, 100);
    }));

  test('a task that is larger than an agent can be told of is refused, with those beside it; the largest that is not is done', () =>
    withHub(async ({ client, agent }) => {
      const one = await agent('one', { features, credit: 1 });
      const create = (...tasks: object[]): Promise<unknown> => client.call('tasks.create', { tasks: tasks as never });
      for (const large of [
        { metadata: { text: 'x'.repeat(4_000_000) } },
        { metadata: { text: 'ä'.repeat(2_000_000) } },
        { fileHints: [{ path: 'a', text: 'x'.repeat(4_000_000) }] },
        { verificationSteps: [{ type: 'file_exists', target: 'x'.repeat(4_000_000) }] },
      ]) {
        await assert.rejects(create({ description: 'x' }, { description: 'x', ...large }), {
          reason: 'INPUT_TOO_LARGE',
          message: /^tasks\[1\] takes 4000\d{3} bytes as an agent is told of it; it may take 4000000\.$/,
        });
      }
      assert.equal((await client.call('hub.info', {})).tasks['ready'], 0);
      const text = 'x'.repeat(3_999_500);
      await create({ description: 'x', metadata: { text } });
      const { task_id: id, generation, metadata } = await one.next('task_assign', 10_000);
      assert.deepEqual(metadata, { text });
      one.send({ type: 'task_complete', task_id: id, generation, result: {}, protocol_version: 1 });
      await one.next('task_ack');
      assert.equal(one.closed, undefined);
    }));

  test('an agent that says it can do more than a thousand things is not let in', () =>
    withHub(async ({ agent, secretOf }) => {
      const one = await agent('one', { identify: false });
      const identify = { type: 'identify', agent_id: 'one', token: await secretOf('one'), protocol_version: 1 };
      const capabilities = Array.from({ length: 1001 }, (_, number) => `can-${number}`);
      one.send({ ...identify, capabilities });
      const { error, errors } = await one.next('error');
      assert.deepEqual([error, (errors as { field: string }[]).map(({ field }) => field)], ['validation_failed', ['capabilities']]);
      assert.deepEqual(one.had('identified'), []);
      one.send({ ...identify, capabilities: capabilities.slice(1) });
      await one.next('identified');
    }));

  test('of more than a thousand tasks AgentCom’s list lacks the oldest', () =>
    withHub(async ({ hub, url, client }) => {
      for (let count = 0; count < 11; count++)
        await client.call('tasks.create', { tasks: Array.from({ length: 91 }, () => ({ description: 'x' })) as never });
      const answer = await fetch(`${url}/api/tasks`, { headers: { authorization: `Bearer ${hub.token}` } });
      const { tasks, count } = (await answer.json()) as { tasks: { id: string }[]; count: number };
      const { tasks: newest } = await client.call('tasks.list', { limit: 1000 });
      assert.deepEqual([count, tasks.map(({ id }) => id)], [1000, newest.map(({ id }) => id)]);
      assert.equal((await client.call('tasks.list', { before: tasks.at(-1)?.id ?? '' })).tasks.length, 1);
    }));

  test('a stop waits two seconds for a request that does not end, and cuts its connection', () =>
    withHub(async ({ hub, url }) => {
      const socket = net.connect(Number(new URL(url).port), '127.0.0.1');
      const closed = once(socket, 'close');
      socket.on('error', () => {});
      const head = ['POST /api/tasks HTTP/1.1', 'host: 127.0.0.1', `authorization: Bearer ${hub.token}`, 'content-type: application/json'];
      socket.write([...head, 'content-length: 100', 'expect: 100-continue', '', '{'].join('\r\n'));
      await once(socket, 'data');
      const begun = performance.now();
      const giveUp = setTimeout(() => socket.destroy(), 10_000);
      await hub.stop();
      clearTimeout(giveUp);
      const took = performance.now() - begun;
      assert.ok(took > 1900 && took < 9000, `${took} ms`);
      await closed;
    }));

  test('what failed is kept for ninety days, longer than what succeeded, and goes whole then', async () => {
    let ahead = 0;
    await withHub(
      async (running) => {
        const { tasks } = await running.client.call('tasks.create', {
          tasks: [0, 1, 2].map(() => ({ description: 'x', maxAttempts: 1 })) as never,
        });
        const [succeeded = '', failed = '', dead = ''] = tasks.map(({ id }) => id);
        const agent = await running.agent('one', { features, credit: 3 });
        for (const { id } of tasks) {
          const { generation } = await agent.next('task_assign');
          const end =
            id === succeeded ? { type: 'task_complete', result: {} } : { type: 'task_failed', reason: 'no', retryable: id === dead };
          agent.send({ task_id: id, generation, protocol_version: 1, ...end });
          await agent.next('task_ack');
        }
        const has = (id: string): Promise<boolean> =>
          running.client.call('tasks.get', { id }).then(
            () => true,
            (error: { reason: string }) => error.reason !== 'NOT_FOUND',
          );
        ahead = 89.99 * 86_400_000;
        await running.restart();
        await eventually(async () => assert.equal(await has(succeeded), false));
        assert.deepEqual([await has(failed), await has(dead)], [true, true]);
        ahead = 90 * 86_400_000;
        await running.restart();
        await eventually(async () => assert.deepEqual([await has(failed), await has(dead)], [false, false]));
        assert.deepEqual((await running.client.call('tasks.audit', { task: failed })).entries, []);
      },
      { now: () => Date.now() + ahead },
    );
  });

  test('a secret that nobody was sent is replaced by the next one, and none lies on the disk', () =>
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

test('days that make no sense are refused before a hub starts', async () => {
  const at = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-days-'));
  try {
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

test('a lease in which no link could come back is refused before a hub starts', () =>
  withScratchFolder('lease', async (_folder, at) => {
    const args = ['hub', '--port', '0', '--state', at, '--lease-ms=2999'];
    const program = runProgram(process.execPath, [main, ...args], { env: { PATH: process.env['PATH'] }, cwd: at });
    assert.notEqual(await program.ended, 0);
    assert.ok(program.output().includes('--lease-ms 2999 is less than 3000 ms: '), program.output());
    assert.deepEqual(fs.readdirSync(at), []);
  }));

test('of tasks that are more than one answer can have AgentCom’s list has the newest (long form)', () =>
  withHub(async ({ hub, url, client }) => {
    const description = 'x'.repeat(99_000);
    for (let count = 0; count < 8; count++)
      await client.call('tasks.create', { tasks: Array.from({ length: 100 }, () => ({ description })) as never });
    const headers = { authorization: `Bearer ${hub.token}` };
    const answer = await fetch(`${url}/api/tasks`, { headers });
    assert.equal(answer.status, 200);
    const { tasks, count } = (await answer.json()) as { tasks: { id: string }[]; count: number };
    assert.ok(count > 100 && count < 700, `${count} tasks`);
    const newest: string[] = [];
    for (let more = true; more; ) {
      const before = newest.at(-1);
      const page = await client.call('tasks.list', { limit: 1000, ...(before === undefined ? {} : { before }) });
      newest.push(...page.tasks.map(({ id }) => id));
      ({ more } = page);
    }
    assert.equal(newest.length, 800);
    assert.deepEqual(
      tasks.map(({ id }) => id),
      newest.slice(0, count),
    );
  }));

test('the log of a forgotten task is gone, and who follows it is woken', async () => {
  const logs = new TaskLogs(new InProcessBus(nodeTimers));
  let woken = 0;
  logs.follow('t', () => woken++);
  logs.add('t', { task_id: 't', generation: 1, stream: 'stdout', offset: 0, text: 'x', bytes: undefined });
  logs.forget('t');
  logs.forget('nobody');
  assert.deepEqual(logs.after('t', 0), []);
  await eventually(() => assert.equal(woken, 2));
});

test('of what the program of a task writes the end is kept, and of tasks those that wrote last', () => {
  const logs = new TaskLogs(new InProcessBus(nodeTimers));
  const add = (task: string, offset: number, text: string): void =>
    logs.add(task, { task_id: task, generation: 1, stream: 'stdout', offset, text, bytes: undefined });
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
