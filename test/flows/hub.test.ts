// The hub against agents by hand: who gets in, how tasks go out and results come back, and what bad agents and bad frames do.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { createClient } from '../../src/client/client.ts';
import type { HubOperations } from '../../src/contract/hub-operations.ts';
import { hubDefaults, startHub } from '../../src/hub/hub.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { type FakeAgent, type Frame, type RunningHub, withHub } from '../kit/hub.ts';
import { runProgram } from '../kit/running-program.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

const all = ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls'];

async function queue({ client }: RunningHub, ...tasks: { description?: string; [more: string]: unknown }[]): Promise<string[]> {
  const { tasks: made } = await client.call('tasks.create', { tasks: tasks.map((task) => ({ description: 'do it', ...task })) as never });
  return made.map(({ id }) => id);
}

async function stateOf({ client }: RunningHub, id: string | undefined): Promise<string> {
  return (await client.call('tasks.get', { id: id ?? '' })).state;
}

async function accepted(agent: FakeAgent): Promise<{ id: string; fence: number; frame: Frame }> {
  const frame = await agent.next('task_assign');
  const [id, fence] = [frame['task_id'] as string, frame['generation'] as number];
  agent.send({ type: 'task_accepted', task_id: id, generation: fence, protocol_version: 1 });
  await agent.next('task_ack');
  return { id, fence, frame };
}

const cut = ({ connection }: RunningHub['client']): Promise<void> =>
  eventually(() => {
    const { state } = connection;
    assert.equal(state.name === 'refused' ? state.error.reason : state.name, 'TOKEN_REVOKED');
  }, 5000);

test('a start that fails leaves nothing open: the next one in the same process has the folder', () =>
  withScratchFolder('hub', async (folder) => {
    const log = (): void => {};
    const options = { ...hubDefaults, port: 0, folder };
    const hub = await startHub({ version: '0', log }, { ...options, folder: path.join(folder, 'other') });
    const routes = (): never => {
      throw new Error('routes of mine');
    };
    await assert.rejects(startHub({ version: '0', log, routes }, options), /routes of mine/);
    await (await startHub({ version: '0', log }, options)).stop();
    fs.writeFileSync(path.join(folder, 'tasks.db'), 'no database');
    await assert.rejects(startHub({ version: '0', log }, options), { reason: 'STORAGE_FAILED' });
    for (const name of ['tasks.db', 'tasks.db-wal', 'tasks.db-shm']) fs.rmSync(path.join(folder, name), { force: true });
    await assert.rejects(startHub({ version: '0', log }, { ...options, port: Number(new URL(hub.url).port) }), { reason: 'TOO_MANY' });
    await (await startHub({ version: '0', log }, options)).stop();
    await hub.stop();
  }));

test('where its folder was removed or replaced while it runs, nothing is acknowledged any more; what is known can be read (long form)', async () => {
  for (const how of ['removed', 'replaced'] as const)
    await withHub(async (running) => {
      const { client, folder, url, logged } = running;
      const agent = await running.agent('a1', { features: all });
      const [id] = await queue(running, { description: 'begun before' });
      const { fence } = await accepted(agent);
      const health = async (): Promise<unknown[]> => {
        const answer = await fetch(`${url}/healthz`);
        return [answer.status, await answer.json()];
      };
      assert.deepEqual(await health(), [200, { status: 'ok' }]);
      fs.renameSync(folder, `${folder}-gone`);
      try {
        if (how === 'replaced') fs.cpSync(`${folder}-gone`, folder, { recursive: true });
        const { retry_after_ms } = await agent.next('goaway', 10_000);
        assert.equal(retry_after_ms, 60_000);
        agent.send({ type: 'task_complete', task_id: id, generation: fence, result: { status: 'success' }, protocol_version: 1 });
        await assert.rejects(queue(running, {}), { reason: 'READ_ONLY' });
        await assert.rejects(client.call('agents.register', { agent: 'a2' }), { reason: 'READ_ONLY' });
        assert.deepEqual(await health(), [503, { status: 'lost' }]);
        assert.equal(await stateOf(running, id), 'running');
        assert.equal(logged.filter(({ event }) => event === 'hub.lost').length, 1);
        const secret = await running.secretOf('a1');
        await assert.rejects(running.agent('a1', { features: all, token: secret }), 'no agent comes in');
        await running.hub.stop();
        assert.equal(fs.existsSync(path.join(folder, 'listening.json')), how === 'replaced', 'what is in the other folder stays');
      } finally {
        fs.rmSync(`${folder}-gone`, { recursive: true, force: true });
      }
    });
});

test("AgentCom's sidecar does a task, its frames as they were recorded but for ids and its token", () =>
  withHub(async (running) => {
    const probe = await running.agent('probe', { identify: false });
    probe.send(
      `{"type":"identify","agent_id":"probe","token":"${await running.secretOf('probe')}","name":"probe","status":"idle","capabilities":["code"],"client_type":"sidecar","protocol_version":1}`,
    );
    assert.deepEqual(await probe.next('identified'), { type: 'identified', agent_id: 'probe' });
    const [one, two] = await queue(
      running,
      { description: 'do "it" now', metadata: { a: 1 }, skipVerification: true },
      { description: 'second' },
    );
    const assigned = await probe.next('task_assign');
    assert.deepEqual(Object.keys(assigned), [
      'type',
      'task_id',
      'description',
      'metadata',
      'generation',
      'assigned_at',
      'skip_verification',
    ]);
    assert.deepEqual([assigned['task_id'], assigned['description'], assigned['metadata']], [one, 'do "it" now', { a: 1 }]);
    probe.send(`{"type":"task_accepted","task_id":"${one}","protocol_version":1}`);
    assert.deepEqual(await probe.next('task_ack'), { type: 'task_ack', task_id: one, status: 'accepted' });
    probe.send(`{"type":"wake_result","task_id":"${one}","status":"success","attempt":1,"protocol_version":1}`);
    probe.send({ type: 'ping', protocol_version: 1 });
    assert.deepEqual(Object.keys(await probe.next('pong')), ['type', 'timestamp']);
    // It holds one, and can hold no other.
    assert.deepEqual(probe.had('task_assign'), []);
    probe.send(
      `{"type":"resource_report","agent_id":"probe","cpu_percent":100,"ram_used_bytes":2987405312,"ram_total_bytes":25276510208,"vram_used_bytes":null,"vram_total_bytes":null,"timestamp":1795157516866,"protocol_version":1}`,
    );
    probe.send(
      `{"type":"task_complete","task_id":"${one}","result":{"status":"success","output":"done","tokens_used":12},"generation":${assigned['generation']},"verification_report":{"task_id":"${one}","run_number":1,"status":"skip","started_at":1795157516071,"duration_ms":0,"timeout_ms":120000,"checks":[],"summary":{"total":0,"passed":0,"failed":0,"errors":0,"timed_out":0}},"verification_history":null,"protocol_version":1}`,
    );
    assert.deepEqual(await probe.next('task_ack'), { type: 'task_ack', task_id: one, status: 'complete' });
    assert.equal(await stateOf(running, one), 'succeeded');
    // The second one is refused as busy; it is given to nobody who was busy a moment ago.
    const second = await probe.next('task_assign');
    assert.equal(second['task_id'], two);
    probe.send(`{"type":"task_rejected","task_id":"${two}","reason":"busy","protocol_version":1}`);
    await eventually(async () => assert.equal(await stateOf(running, two), 'ready'));
    const other = await running.agent('other');
    assert.equal((await other.next('task_assign'))['task_id'], two);
    // After a crash it comes back with what it had.
    other.send({ type: 'task_accepted', task_id: two, protocol_version: 1 });
    await other.next('task_ack');
    other.end();
    const back = await running.agent('other');
    back.send(`{"type":"task_recovering","task_id":"${two}","description":"d","metadata":{},"last_status":"working","protocol_version":1}`);
    const goesOn = await back.next('task_continue');
    back.send(`{"type":"wake_result","task_id":"${two}","status":"timeout","reason":"confirmation_timeout","protocol_version":1}`);
    back.send(
      `{"type":"task_failed","task_id":"${two}","reason":"confirmation_timeout","generation":${goesOn['generation']},"protocol_version":1}`,
    );
    assert.equal((await back.next('task_ack'))['status'], 'retried');
    assert.equal((await running.client.call('tasks.get', { id: two ?? '' })).reason, 'confirmation_timeout');
  }));

/** What is said to somebody who names an agent and a secret, and how it ends. */
async function tried(running: RunningHub, id: string, token: string): Promise<{ said: unknown[]; code: number; reason: string }> {
  const agent = await running.agent(id, { identify: false, token: '' });
  agent.send({ type: 'identify', agent_id: id, token, protocol_version: 1 });
  await eventually(() => assert.notEqual(agent.closed, undefined));
  const { code, reason } = agent.closed as { code: number; reason: string };
  return { said: agent.had('error').map(({ error }) => error), code, reason };
}

test('only who has the secret gets in, each wrong way is named, and who tries on and on has to wait', () =>
  withHub(async (running) => {
    const secret = await running.secretOf('one');
    const other = await running.secretOf('other');
    assert.deepEqual(await tried(running, 'one', 'wrong'), { said: ['invalid_token'], code: 4001, reason: 'invalid_token' });
    const mismatch = await tried(running, 'one', other);
    assert.deepEqual(mismatch, { said: ['token_agent_mismatch'], code: 4001, reason: 'token_agent_mismatch' });
    for (let count = 2; count < 10; count++) await tried(running, 'one', `${secret}x`);
    const waiting = await tried(running, 'one', `${secret}x`);
    assert.deepEqual([waiting.said, waiting.code], [[], 1008]);
    assert.match(waiting.reason, /^cooldown active: retry in \d+s$/);
    // Others are not held up by that, and nothing of a secret is logged.
    await running.agent('other');
    assert.ok(!JSON.stringify(running.logged).includes(secret.slice(-10)));
  }));

test('a right secret gets in while somebody else guesses at its id, from the same address too', () =>
  withHub(async (running) => {
    const secret = await running.secretOf('one');
    for (let count = 0; count < 10; count++) assert.equal((await tried(running, 'one', `guess-${count}`)).code, 4001);
    assert.equal((await tried(running, 'one', 'guess')).code, 1008);
    const first = await running.agent('one', { token: secret });
    // Past what is answered at all.
    for (let count = 0; count < 90; count++) await tried(running, `id-${count}`, 'guess');
    assert.deepEqual(await tried(running, 'one', 'guess'), { said: [], code: 1008, reason: '' });
    assert.deepEqual(await tried(running, 'never-seen', 'guess'), { said: [], code: 1008, reason: '' });
    assert.equal(first.closed, undefined, 'nobody who guesses replaces it');
    await running.agent('one', { token: secret });
  }));

test('an agent that is not known and a wrong secret are answered alike', () =>
  withHub(async (running) => {
    await running.secretOf('one');
    const secret = await running.secretOf('other');
    for (let count = 0; count < 12; count++) {
      const [known, unknown] = [await tried(running, 'one', `guess-${count}`), await tried(running, 'nobody', `guess-${count}`)];
      assert.deepEqual({ ...known, reason: known.reason.replace(/\d+/, 'n') }, { ...unknown, reason: unknown.reason.replace(/\d+/, 'n') });
    }
    // Who has a secret of its own learns no more with it.
    assert.deepEqual((await tried(running, 'third', secret)).said, ['token_agent_mismatch']);
  }));

test('an enrolment token makes one agent known, once; AgentCom asks for it in its own words', () =>
  withHub(async (running) => {
    const { client, url } = running;
    const register = (agent: string, token: string): Promise<Response> =>
      fetch(`${url}/api/onboard/register`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ agent_id: agent }),
      });
    const { token } = await client.call('agents.enrol', {});
    const answer = await register('new', token);
    assert.equal(answer.status, 201);
    const given = (await answer.json()) as Record<string, string>;
    assert.deepEqual([given['agent_id'], given['hub_ws_url'], given['hub_api_url']], ['new', `${url.replace('http', 'ws')}/ws`, url]);
    await running.agent('new', { token: given['token'] ?? '' });
    assert.equal((await register('again', token)).status, 401, 'it was for one agent');
    const open = await client.call('agents.enrol', {});
    const odd = await register('evil agent/../é', open.token);
    assert.equal(odd.status, 400, 'nobody could revoke it');
    assert.match(JSON.stringify(await odd.json()), /BAD_INPUT.*no id of an agent/);
    assert.equal((await register('evil agent', 'nothing')).status, 401);
    assert.equal((await register('evil agent', running.hub.token)).status, 400);
    assert.equal((await register('good', open.token)).status, 201);
    const pinned = await client.call('agents.enrol', { agent: 'that' });
    assert.equal((await register('this', pinned.token)).status, 401, 'it is for another one');
    assert.equal((await register('that', pinned.token)).status, 201);
    assert.equal((await register('that', (await client.call('agents.enrol', {})).token)).status, 409, 'there is one already');
    assert.equal((await register('free', 'nothing')).status, 401);
    assert.equal((await register('free', running.hub.token)).status, 201, 'the owner may');
  }));

test('an agent that is made known is told the address by which it asked', () =>
  withHub(
    async ({ client, url }) => {
      const { port } = new URL(url);
      const register = async (headers: Record<string, string>): Promise<unknown[]> => {
        const { token } = await client.call('agents.enrol', {});
        const asked = http.request(`${url}/api/onboard/register`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        });
        asked.end(JSON.stringify({ agent_id: `agent-${++count}` }));
        const [answer] = (await once(asked, 'response')) as [http.IncomingMessage];
        const said = (await json(answer)) as Record<string, unknown>;
        return [answer.statusCode, said['hub_ws_url'], said['hub_api_url']];
      };
      let count = 0;
      assert.deepEqual(await register({ host: `hub.example.org:${port}` }), [
        201,
        `ws://hub.example.org:${port}/ws`,
        `http://hub.example.org:${port}`,
      ]);
      // A proxy before it that speaks TLS says so.
      assert.deepEqual(await register({ host: 'hub.example.org', 'x-forwarded-proto': 'https' }), [
        201,
        'wss://hub.example.org/ws',
        'https://hub.example.org',
      ]);
      assert.deepEqual(await register({ host: `[::1]:${port}`, 'x-forwarded-proto': 'gopher' }), [
        201,
        `ws://[::1]:${port}/ws`,
        `http://[::1]:${port}`,
      ]);
      assert.equal((await register({ host: 'evil.example.com' }))[0], 403);
    },
    { allowedHosts: ['hub.example.org'] },
  ));

test('where the config of a new link can not be written its enrolment token is not spent, and a refused one leaves no config', () =>
  withHub(({ url, client }) =>
    withScratchFolder('enrol', async (at) => {
      const { token } = await client.call('agents.enrol', {});
      const enrol = async (file: string): Promise<{ code: number; said: string }> => {
        const args = ['link', '--check', '--hub', url, '--enrol', token, '--agent', 'late', file];
        const program = runProgram(process.execPath, [main, ...args], { env: { PATH: process.env['PATH'] }, cwd: at });
        return { code: (await program.ended) as number, said: program.output() };
      };
      const missing = await enrol('nowhere/late.json');
      assert.equal(missing.code, 69);
      assert.match(
        missing.said,
        /nowhere\/late\.json can't be written: there is no folder .*nowhere\. Make it first; the token was not spent\.\n$/,
      );
      assert.deepEqual((await client.call('agents.list', {})).agents, []);
      assert.match((await enrol('late.json')).said, /ok {2}identify {2}The hub knows this agent as late\./);
      assert.match((await enrol('other.json')).said, /does not take late \(401\)/);
      assert.deepEqual(fs.readdirSync(at).sort(), ['late.json', 'root']);
    }),
  ));

test('an enrolment token that has run out makes nobody known', () =>
  withHub(async ({ hub, client }) => {
    const { token, expires } = await client.call('agents.enrol', { expiresInS: 1 });
    const enrol = (): Promise<Response> =>
      fetch(`${hub.url}/api/onboard/register`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ agent_id: 'late' }),
      });
    await new Promise((resolve) => setTimeout(resolve, expires - Date.now() + 20));
    assert.equal((await enrol()).status, 401);
    assert.deepEqual((await client.call('agents.list', {})).agents, []);
  }));

test('databases and the token are for their owner alone', () =>
  withHub(async ({ folder }) => {
    fs.chmodSync(folder, 0o755);
    for (const name of ['agents.db', 'tasks.db', 'token', 'listening.json'])
      assert.equal(fs.statSync(path.join(folder, name)).mode & 0o777, 0o600, name);
    for (const name of fs.readdirSync(folder)) assert.equal(fs.statSync(path.join(folder, name)).mode & 0o077, 0, name);
  }));

test('a secret is replaced without a gap, and one that is revoked ends the connection within a second', () =>
  withHub(async (running) => {
    const { client } = running;
    const before = await running.secretOf('one');
    const agent = await running.agent('one', { features: all });
    const { token, delivered } = await client.call('agents.rotate', { agent: 'one' });
    assert.equal(delivered, true);
    assert.equal((await agent.next('token_rotated'))['token'], token);
    // Until the new one was used, both hold.
    await running.agent('one', { token: before, features: all });
    const renewed = await running.agent('one', { token, features: all });
    const old = await running.agent('one', { identify: false });
    old.send({ type: 'identify', agent_id: 'one', token: before, protocol_version: 1 });
    assert.equal((await old.next('error'))['error'], 'invalid_token');
    const [id] = await queue(running, {});
    await accepted(renewed);
    const begun = performance.now();
    assert.deepEqual(await client.call('agents.revoke', { agent: 'one' }), { secrets: 1, connected: true });
    await eventually(() => assert.equal(renewed.closed?.code, 4001));
    assert.ok(performance.now() - begun < 1000);
    // Its task is somebody else's at once.
    const next = await running.agent('two', { features: all });
    assert.equal((await accepted(next)).id, id);
    await assert.rejects(client.call('agents.revoke', { agent: 'nobody' }), /There is no agent nobody/);
  }));

test('a secret that an agent was sent lets it in, whatever was made while it was away', () =>
  withHub(async (running) => {
    const { client } = running;
    const rotate = (): Promise<{ token: string; delivered: boolean }> => client.call('agents.rotate', { agent: 'one' });
    const agent = await running.agent('one', { features: all });
    const { token } = await rotate();
    assert.equal((await agent.next('token_rotated'))['token'], token);
    agent.end();
    await eventually(async () => assert.equal((await client.call('agents.list', {})).agents[0]?.state, 'offline'));
    for (let count = 0; count < 2; count++) assert.equal((await rotate()).delivered, false);
    await running.agent('one', { token, features: all });
    assert.equal((await client.call('agents.list', {})).agents[0]?.secrets, 2);
  }));

test('what agents and tasks say of themselves does nothing to the terminal of who looks at them', () =>
  withHub(async (running) => {
    await running.agent('one', { capabilities: ['\u001b]0;owned\u0007cap'] });
    await queue(running, { description: '\u001b[2Jgone', needs: ['none'] });
    const program = runProgram(process.execPath, [main, 'hub', '--state', running.folder, 'show'], {
      env: { PATH: process.env['PATH'] },
      cwd: running.folder,
    });
    assert.equal(await program.ended, 0);
    assert.ok(program.output().includes('\\u001b]0;owned\\u0007cap\n') && program.output().includes('\\u001b[2Jgone\n'));
  }));

test('who came with a secret that is revoked is cut: nothing more is taken from it, and it is told nothing more', () =>
  withHub(async (running) => {
    const { client, url } = running;
    const agent = createClient<HubOperations>({ url, token: await running.secretOf('one') });
    const other = createClient<HubOperations>({ url, token: await running.secretOf('other') });
    try {
      const ask = (asked: typeof agent): Promise<unknown> => asked.call('tasks.create', { tasks: [{ description: 'x' }] as never });
      await Promise.all([ask(agent), ask(other)]);
      const followed = agent.stream('hub.follow', {})[Symbol.asyncIterator]();
      let isFollowing = false;
      const first = followed.next().then(() => (isFollowing = true));
      await eventually(() => (isFollowing ? true : ask(other).then(() => false)));
      await first;
      const { tasks: before } = await client.call('hub.info', {});
      await client.call('agents.revoke', { agent: 'one' });
      await cut(agent);
      await assert.rejects(async () => {
        while ((await followed.next()).done !== true);
      });
      await assert.rejects(ask(agent), { reason: 'TOKEN_REVOKED' });
      assert.deepEqual((await client.call('hub.info', {})).tasks, before);
      await ask(other);
    } finally {
      agent.close();
      other.close();
    }
  }));

test('who came with a secret is cut when a newer one is used in its place', () =>
  withHub(async (running) => {
    const { client, url } = running;
    const agent = createClient<HubOperations>({ url, token: await running.secretOf('one') });
    try {
      await agent.call('hub.info', {});
      const { token } = await client.call('agents.rotate', { agent: 'one' });
      await agent.call('hub.info', {});
      await running.agent('one', { token });
      await cut(agent);
    } finally {
      agent.close();
    }
  }));

test('of two connections of one agent the newest counts', () =>
  withHub(async (running) => {
    const first = await running.agent('one', { features: all });
    const second = await running.agent('one', { features: all });
    await eventually(() => assert.equal(first.closed?.code, 4003));
    await queue(running, {});
    await accepted(second);
    const { agents } = await running.client.call('agents.list', {});
    assert.deepEqual(
      agents.map(({ id, state, tasks }) => [id, state, tasks.length]),
      [['one', 'online', 1]],
    );
  }));

test('what an older connection says late counts for nothing, and a check of the way in disturbs nobody', () =>
  withHub(async (running) => {
    const token = await running.secretOf('one');
    const identify = (epoch: number, held: object[]): object => ({
      type: 'identify',
      agent_id: 'one',
      token,
      features: all,
      held,
      epoch,
      credit: 1,
      protocol_version: 1,
    });
    const older = await running.agent('one', { identify: false });
    const newer = await running.agent('one', { identify: false });
    newer.send(identify(2, []));
    await newer.next('identified');
    const [id] = await queue(running, {});
    const { fence } = await accepted(newer);
    older.send(identify(1, []));
    await eventually(() => assert.equal(older.closed?.code, 1012));
    const check = await running.agent('one', { identify: false });
    check.send({ type: 'identify', agent_id: 'one', token, client_type: 'check', protocol_version: 1 });
    await check.next('identified');
    newer.send({ type: 'task_complete', task_id: id, generation: fence, result: {}, protocol_version: 1 });
    assert.equal((await newer.next('task_ack'))['status'], 'complete');
  }));

test('frames that make no sense are answered and survived, too many end the connection, and others never notice', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const nobody = await running.agent('two', { identify: false });
    nobody.send({ type: 'ping' });
    assert.equal((await nobody.next('error'))['error'], 'not_identified');
    nobody.send('{');
    assert.equal((await nobody.next('error'))['error'], 'invalid_json');
    for (const [text, error] of [
      ['{"no":"type"}', 'missing_type'],
      ['[1]', 'invalid_json'],
      ['nothing', 'invalid_json'],
      ['{"type":"make_coffee"}', 'validation_failed'],
      ['{"type":"task_complete","task_id":7,"generation":"1"}', 'validation_failed'],
      ['{"type":"task_accepted"}', 'validation_failed'],
      ['{"type":"identify","agent_id":"one","token":"x"}', 'already_identified'],
    ] as const) {
      agent.send(text);
      assert.equal((await agent.next('error'))['error'], error, text);
    }
    // Of tasks that there are not, or that are not its own.
    agent.send({ type: 'task_complete', task_id: 'none', generation: 1, protocol_version: 1 });
    assert.deepEqual(await agent.next('error'), {
      type: 'error',
      error: 'task_complete_failed: not_found',
      task_id: 'none',
      generation: 1,
    });
    agent.send({ type: 'task_progress', task_id: 'none', progress: 5, protocol_version: 1 });
    agent.send({ type: 'state_report', task_id: 'none', protocol_version: 1 });
    assert.equal((await agent.next('state_report_ack'))['action'], 'abort');
    agent.send({ type: 'task_recovering', task_id: 'none', protocol_version: 1 });
    await agent.next('task_reassign');
    const other = await running.agent('other', { features: all });
    for (let count = 0; count < 120; count++) agent.send('junk');
    await eventually(() => assert.equal(agent.closed?.code, 1008));
    const big = await running.agent('big', { features: all });
    big.send('x'.repeat(5 * 1024 * 1024));
    await eventually(() => assert.equal(big.closed?.code, 1009));
    await queue(running, {});
    await accepted(other);
  }));

test('a connection that is lost for a moment costs nothing: the task goes on under its fence', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const [id] = await queue(running, {});
    const { fence } = await accepted(agent);
    agent.end();
    await running.agent('two', { features: all });
    const back = await running.agent('one', { features: all, held: [{ task_id: id, generation: fence, state: 'working' }], credit: 0 });
    back.send({ type: 'task_complete', task_id: id, generation: fence, result: { output: 'ok' }, protocol_version: 1 });
    assert.deepEqual(await back.next('task_ack'), { type: 'task_ack', task_id: id, status: 'complete', generation: fence });
    // The acknowledgement may be lost: said again, it is answered alike, and counts once.
    back.send({ type: 'task_complete', task_id: id, generation: fence, result: { output: 'ok' }, protocol_version: 1 });
    assert.equal((await back.next('task_ack'))['status'], 'complete');
    const { entries } = await running.client.call('tasks.audit', {});
    assert.equal(entries.filter((entry) => entry.event.type === 'complete').length, 1);
  }));

test('who comes back without its task has lost it: another one gets it, and a late result is refused and kept', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const [id] = await queue(running, {});
    const { fence } = await accepted(agent);
    agent.end();
    const back = await running.agent('one', { features: all, held: [], credit: 0 });
    const other = await running.agent('two', { features: all });
    const again = await accepted(other);
    assert.ok(again.id === id && again.fence > fence);
    back.send({ type: 'task_complete', task_id: id, generation: fence, result: { output: 'late' }, protocol_version: 1 });
    assert.equal((await back.next('error'))['error'], 'task_complete_failed: stale_generation');
    // Who never had that grant leaves nothing here.
    other.send({ type: 'task_complete', task_id: id, generation: fence, result: { output: 'forged' }, protocol_version: 1 });
    assert.equal((await other.next('error'))['error'], 'task_complete_failed: never_held');
    other.send({ type: 'task_complete', task_id: id, generation: again.fence, result: { output: 'right' }, protocol_version: 1 });
    await other.next('task_ack');
    const task = await running.client.call('tasks.get', { id: id ?? '' });
    assert.deepEqual([task.state, task.result], ['succeeded', { output: 'right' }]);
    assert.deepEqual(
      task.late.map((late) => [late.fence, late.agent, late.result]),
      [[fence, 'one', { output: 'late' }]],
    );
    // And who lists what is not its own is told to let it go.
    const third = await running.agent('three', { identify: false });
    third.send({
      type: 'identify',
      agent_id: 'three',
      token: await running.secretOf('three'),
      features: all,
      held: [{ task_id: id, generation: fence, state: 'working' }],
      protocol_version: 1,
    });
    const { nack } = await third.next('identified');
    assert.deepEqual(nack, [{ task_id: id, generation: fence, state: 'working' }]);
  }));

test('who has more than it can name loses none of it, and all of it is renewed', () =>
  withHub(
    async (running) => {
      const agent = await running.agent('one', { features: all, credit: 3 });
      const ids = await queue(running, {}, {}, {});
      const grants = [await accepted(agent), await accepted(agent), await accepted(agent)];
      const say = async (back: FakeAgent, more: object): Promise<Frame> => {
        const named = {
          held: [{ task_id: ids[0], generation: grants.find(({ id }) => id === ids[0])?.fence, state: 'done' }],
          held_more: true,
        };
        back.send({ credit: 0, protocol_version: 1, ...named, ...more });
        return back.next('type' in more && more.type === 'ping' ? 'pong' : 'identified');
      };
      agent.end();
      const other = await running.agent('two', { features: all });
      const back = await running.agent('one', { identify: false });
      const identified = await say(back, { type: 'identify', agent_id: 'one', token: await running.secretOf('one'), features: all });
      assert.equal(identified['nack'], undefined);
      // Longer than a lease.
      for (let count = 0; count < 8; count++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        assert.equal((await say(back, { type: 'ping' }))['nack'], undefined);
      }
      assert.deepEqual(other.had('task_assign'), []);
      for (const { id, fence } of grants) {
        back.send({ type: 'task_complete', task_id: id, generation: fence, result: {}, protocol_version: 1 });
        assert.equal((await back.next('task_ack'))['status'], 'complete');
      }
    },
    { leaseMs: 500 },
  ));

test('a lease that nobody renews ends, pings renew it, and what is not held any more is named in the pong', () =>
  withHub(
    async (running) => {
      const agent = await running.agent('one', { features: all });
      const [id] = await queue(running, {});
      const { fence } = await accepted(agent);
      for (let count = 0; count < 6; count++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        agent.send({ type: 'ping', held: [{ task_id: id, generation: fence }], credit: 0, protocol_version: 1 });
        assert.equal((await agent.next('pong'))['nack'], undefined);
      }
      assert.equal(await stateOf(running, id), 'running');
      await agent.next('task_reassign');
      agent.send({ type: 'ping', held: [{ task_id: id, generation: fence }], credit: 0, protocol_version: 1 });
      assert.deepEqual((await agent.next('pong'))['nack'], [{ task_id: id, generation: fence }]);
    },
    { leaseMs: 300 },
  ));

test('an offer that is not accepted in time goes to somebody else', () =>
  withHub(
    async (running) => {
      const silent = await running.agent('silent', { features: all });
      const [id] = await queue(running, {});
      await silent.next('task_assign');
      const other = await running.agent('other', { features: all });
      const { id: got, fence } = await accepted(other);
      assert.ok(got === id && fence === 2);
    },
    { acceptWithinMs: 200 },
  ));

test('a report of AgentCom that says no status says nothing of the result, which counts', () =>
  withHub(async (running) => {
    const agent = await running.agent('one');
    for (const report of [{}, { summary: { total: 0 } }, { status: null }]) {
      await queue(running, {});
      const { id, fence } = await accepted(agent);
      agent.send({ type: 'task_complete', task_id: id, generation: fence, result: { output: 'x' }, verification_report: report });
      assert.equal((await agent.next('task_ack'))['status'], 'complete');
      assert.equal(await stateOf(running, id), 'succeeded');
    }
    await queue(running, {});
    const { id, fence } = await accepted(agent);
    agent.send({ type: 'task_failed', task_id: id, generation: fence, reason: 'no', verification_report: {} });
    assert.equal((await agent.next('task_ack'))['status'], 'retried');
  }));

test('a result whose verification failed does not count, and attempts end in the dead letters', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const [id] = await queue(running, { maxAttempts: 2, backoffMs: 0 });
    const report = { task_id: id, run_number: 1, status: 'fail', started_at: 1, duration_ms: 1, timeout_ms: 1, checks: [], summary: {} };
    for (const status of ['retried', 'dead_letter']) {
      const { fence } = await accepted(agent);
      agent.send({ type: 'task_complete', task_id: id, generation: fence, result: { output: 'x' }, verification_report: report });
      assert.equal((await agent.next('task_ack'))['status'], status);
      agent.send({ type: 'ping', credit: 1, held: [], protocol_version: 1 });
    }
    assert.equal(await stateOf(running, id), 'dead');
    // An operator gives it all its attempts again.
    await running.client.call('tasks.retry', { id: id ?? '' });
    const { fence } = await accepted(agent);
    const reason = 'r'.repeat(1_000_000);
    agent.send({ type: 'task_failed', task_id: id, generation: fence, reason, retryable: false, protocol_version: 1 });
    await agent.next('task_ack');
    const task = await running.client.call('tasks.get', { id: id ?? '' });
    assert.equal(task.reason, reason, 'whole');
  }));

test('a cancelled task is over for whoever has it, and in the end whatever that one says', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const [id, waiting] = await queue(running, {}, { after: [] });
    const { fence } = await accepted(agent);
    assert.equal((await running.client.call('tasks.cancel', { id: waiting ?? '' })).state, 'cancelled');
    await running.client.call('tasks.cancel', { id: id ?? '', reason: 'not needed' });
    const told = await agent.next('task_cancelled');
    assert.deepEqual([told['task_id'], told['generation']], [id, fence]);
    agent.send({ type: 'task_failed', task_id: id, generation: fence, reason: 'cancelled', protocol_version: 1 });
    await agent.next('task_ack');
    assert.equal(await stateOf(running, id), 'cancelled');
    // Said again it is as it is; what succeeded can't be cancelled any more.
    assert.equal((await running.client.call('tasks.cancel', { id: id ?? '' })).state, 'cancelled');
    agent.send({ type: 'ping', credit: 1, held: [], protocol_version: 1 });
    const [other] = await queue(running, {});
    const held = await accepted(agent);
    agent.send({ type: 'task_complete', task_id: other, generation: held.fence, result: {}, protocol_version: 1 });
    await agent.next('task_ack');
    await assert.rejects(running.client.call('tasks.cancel', { id: other ?? '' }), { reason: 'TASK_STATE' });
  }));

test('tasks go by priority, to those who can do them, after those before them, and once for one key', () =>
  withHub(async (running) => {
    const [low, urgent] = await queue(running, { priority: 'low' }, { priority: 'urgent' });
    const [gpu] = await queue(running, { needs: ['gpu'] });
    const [pinned] = await queue(running, { agent: 'two' });
    const [first] = await queue(running, { key: 'same', needs: ['never'] });
    const [again] = await queue(running, { key: 'same', needs: ['never'] });
    assert.equal(first, again);
    const [late] = await queue(running, { after: [low], priority: 'urgent', agent: 'one' });
    const one = await running.agent('one', { features: all, credit: 3 });
    const got = [await accepted(one), await accepted(one)];
    assert.deepEqual(
      got.map(({ id }) => id),
      [urgent, low],
    );
    const two = await running.agent('two', { features: all, capabilities: ['gpu', 'code'], credit: 5 });
    assert.deepEqual(new Set([(await accepted(two)).id, (await accepted(two)).id]), new Set([gpu, pinned]));
    assert.equal(await stateOf(running, late), 'scheduled');
    one.send({ type: 'task_complete', task_id: low, generation: got[1]?.fence, result: {}, protocol_version: 1 });
    assert.equal((await accepted(one)).id, late);
    await assert.rejects(queue(running, { after: ['none'] }), { reason: 'NOT_FOUND' });
  }));

test('a thousand progress frames do not hold up the completion behind them', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const [id] = await queue(running, {});
    const { fence } = await accepted(agent);
    for (let count = 0; count < 1000; count++)
      agent.send({ type: 'task_progress', task_id: id, progress: count % 100, generation: fence, protocol_version: 1 });
    agent.send({ type: 'task_complete', task_id: id, generation: fence, result: {}, protocol_version: 1 });
    const begun = performance.now();
    await agent.next('task_ack');
    assert.ok(performance.now() - begun < 2000);
    const { entries } = await running.client.call('tasks.audit', {});
    assert.ok(entries.filter(({ event }) => event.type === 'progress').length < 20);
  }));

test('what a program writes can be read while it runs, each piece once', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const [id] = await queue(running, {});
    const { fence } = await accepted(agent);
    const follow = running.client.stream('tasks.log', { id: id ?? '', follow: true });
    for (const [offset, text] of [
      [0, 'one\n'],
      [4, 'two\n'],
      [4, 'two\n'],
      [8, 'drei ä\n'],
    ] as const)
      agent.send({ type: 'task_log', task_id: id, generation: fence, stream: 'stdout', offset, text, protocol_version: 1 });
    let said = '';
    for await (const entry of follow) {
      said += entry.text;
      if (said.includes('ä')) break;
    }
    assert.equal(said, 'one\ntwo\ndrei ä\n');
  }));

test('a task whose time is over is forgotten whole, and whoever still speaks of it, or stands on it, goes on', () =>
  withHub(
    async (running) => {
      const { client, url, hub } = running;
      const agent = await running.agent('one', { features: all });
      const [failed] = await queue(running, {});
      const { fence: of } = await accepted(agent);
      agent.send({ type: 'task_failed', task_id: failed, generation: of, reason: 'no', retryable: false, protocol_version: 1 });
      await agent.next('task_ack');
      agent.send({ type: 'ping', credit: 1, held: [], protocol_version: 1 });
      const [id] = await queue(running, { key: 'k' });
      const { fence } = await accepted(agent);
      const newsOf = new Set<string>();
      const news = client.stream('hub.follow', {});
      const followed = (async () => {
        for await (const { tasks: changed } of news) for (const task of changed) newsOf.add(task.id);
      })().catch(() => {});
      const log = client.stream('tasks.log', { id: id ?? '', follow: true })[Symbol.asyncIterator]();
      agent.send({ type: 'task_log', task_id: id, generation: fence, stream: 'stdout', offset: 0, text: 'x', protocol_version: 1 });
      assert.equal((await log.next()).value?.text, 'x');
      const complete = { type: 'task_complete', task_id: id, generation: fence, result: { n: 1 }, protocol_version: 1 };
      agent.send(complete);
      await agent.next('task_ack');

      await eventually(async () => assert.rejects(client.call('tasks.get', { id: id ?? '' }), { reason: 'NOT_FOUND' }), 10_000);
      assert.equal((await log.next()).done, true, 'its log ends');
      await assert.rejects(client.call('tasks.retry', { id: id ?? '' }), { reason: 'NOT_FOUND' });
      const ask = async (method: string, path: string): Promise<number> =>
        (await fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${hub.token}` } })).status;
      assert.deepEqual(
        [await ask('GET', `/api/tasks/${id}`), await ask('POST', `/api/tasks/${id}/retry`), await ask('POST', `/api/tasks/${id}/cancel`)],
        [404, 404, 404],
      );
      // Its agent had lost the answer, and says it again.
      agent.send(complete);
      assert.equal((await agent.next('error'))['error'], 'task_complete_failed: not_found');
      agent.send({ type: 'ping', credit: 1, held: [{ task_id: id, generation: fence }], protocol_version: 1 });
      while ((await agent.next('pong'))['nack'] === undefined);
      assert.equal(agent.closed, undefined);

      const { tasks, more } = await client.call('tasks.list', { before: id ?? '' });
      assert.deepEqual([tasks.map((task) => task.id), more], [[failed], false]);
      const { entries } = await client.call('tasks.audit', {});
      assert.deepEqual(entries.at(-1)?.event, { type: 'forget', tasks: 1, entries: 4 });
      const counts = (await client.call('hub.info', {})).tasks;
      assert.deepEqual([counts['succeeded'], counts['failed']], [0, 1]);
      const [again] = await queue(running, { key: 'k' });
      assert.notEqual(again, id);
      await eventually(() => assert.ok(newsOf.has(id ?? '') && newsOf.has(again ?? '')));
      client.close();
      await followed;
    },
    // Half a second; what failed stays.
    { keepDays: 0.5 / 86_400, keepFailedDays: 0 },
  ));

test('who looks on hears of tasks that change for the sake of others', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const states = new Map<string, string>();
    const news = running.client.stream('hub.follow', {});
    const followed = (async () => {
      for await (const { tasks: changed } of news) for (const { id, state } of changed) states.set(id, state);
    })().catch(() => {});
    // From when on it is followed nobody says.
    await eventually(() => (states.size > 0 ? true : queue(running, { needs: ['never'] }).then(() => false)));
    const [first] = await queue(running, {});
    const [second] = await queue(running, { after: [first] });
    const [third] = await queue(running, { after: [second] });
    const { id, fence } = await accepted(agent);
    agent.send({ type: 'task_failed', task_id: id, generation: fence, reason: 'no', retryable: false, protocol_version: 1 });
    await agent.next('task_ack');
    const seen = (): unknown[] => [first, second, third].map((task) => states.get(task ?? ''));
    await eventually(() => assert.deepEqual(seen(), ['failed', 'cancelled', 'cancelled']), 5000);
    running.client.close();
    await followed;
  }));

test('ids of tasks sort by age, also of those that are asked for together', () =>
  withHub(async (running) => {
    const ids = [...(await queue(running, ...Array.from({ length: 100 }, () => ({})))), ...(await queue(running, {}))];
    assert.deepEqual(ids, ids.toSorted());
  }));

test('a hub that goes tells its agents when to come back, and one that comes finds all as it was', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: all });
    const [id, open] = await queue(running, {}, { needs: ['never'] });
    const { fence } = await accepted(agent);
    await running.restart();
    const away = await agent.next('goaway');
    assert.ok((away['retry_after_ms'] as number) > 0);
    await eventually(() => assert.equal(agent.closed?.code, 1012));
    assert.deepEqual([await stateOf(running, id), await stateOf(running, open)], ['running', 'ready']);
    const back = await running.agent('one', { features: all, held: [{ task_id: id, generation: fence, state: 'working' }] });
    back.send({ type: 'task_complete', task_id: id, generation: fence, result: {}, protocol_version: 1 });
    await back.next('task_ack');
    assert.equal(await stateOf(running, id), 'succeeded');
  }));

test('more connections than may come at once are told when to come, before anything else is done for them', () =>
  withHub(
    async (running) => {
      await running.secretOf('one');
      const asked = await Promise.allSettled(Array.from({ length: 30 }, () => running.agent('one', { identify: false })));
      const refused = asked.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
      assert.ok(refused.length >= 15 && refused.length < 30, `${refused.length} were refused`);
      for (const { reason } of refused) assert.match(String(reason), /503/);
    },
    { connectsPerS: 10 },
  ));

test('an agent that asks by a name that the hub does not know is not told that its secret is refused', () =>
  withHub(async ({ url }) => {
    const answerTo = (where: string, host: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${where}`, { headers: { host } });
        socket.on('unexpected-response', (_request, { statusCode = 0 }) => resolve(statusCode));
        socket.on('open', () => (resolve(101), socket.terminate()));
        socket.on('error', reject);
      });
    assert.deepEqual([await answerTo('/ws', 'hub.example'), await answerTo('/ws?x=1', 'hub.example')], [421, 421]);
    assert.deepEqual([await answerTo('/ws', 'localhost'), await answerTo('/rpc', 'hub.example')], [101, 403]);
  }));

test('a clock that is set back keeps no agent out', async () => {
  let ahead = 0;
  await withHub(
    async (running) => {
      await running.agent('one');
      ahead = -3_600_000;
      await running.agent('one');
    },
    { now: () => Date.now() + ahead },
  );
});

test("AgentCom's HTTP paths answer as it does", () =>
  withHub(async (running) => {
    const ask = async (
      method: string,
      where: string,
      body?: object,
      token = running.hub.token,
    ): Promise<[number, Record<string, unknown>]> => {
      const response = await fetch(`${running.url}${where}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return [response.status, (await response.json()) as Record<string, unknown>];
    };
    const [status, made] = await ask('POST', '/api/tasks', { description: 'x', priority: 'high', max_retries: 1, metadata: { a: 1 } });
    assert.deepEqual([status, made['status'], made['priority'], typeof made['created_at']], [201, 'queued', 'high', 'number']);
    const id = made['task_id'] as string;
    const [, listed] = await ask('GET', '/api/tasks?status=queued&priority=high');
    assert.equal(listed['count'], 1);
    for (const none of ['priority=low', 'priority=none', 'status=none', 'status=queued&priority=urgent']) {
      assert.equal((await ask('GET', `/api/tasks?${none}`))[1]['count'], 0, none);
      assert.equal((await ask('GET', `/api/tasks?${none}`, undefined, 'wrong'))[0], 401, none);
    }
    assert.equal((await ask('GET', '/api/tasks?status=completed'))[1]['count'], 0);
    assert.deepEqual((await ask('GET', `/api/tasks/${id}`))[1]['metadata'], { a: 1 });
    assert.equal((await ask('GET', '/api/tasks/none'))[0], 404);
    assert.equal((await ask('POST', `/api/tasks/${id}/cancel`, {}))[1]['status'], 'cancelled');
    assert.equal((await ask('POST', `/api/tasks/${id}/retry`, {}))[1]['status'], 'queued');
    const [pushed] = await ask('POST', '/api/admin/push-task', { agent_id: 'one', description: 'for one', metadata: {} });
    assert.equal(pushed, 201);
    await running.agent('one');
    assert.equal(((await ask('GET', '/api/agents'))[1]['agents'] as unknown[]).length, 1);
    for (const where of ['/api/tasks/stats', '/api/tasks/dead-letter', '/api/metrics', '/api/schemas', '/health'])
      assert.equal((await ask('GET', where))[0], 200, where);
    for (const [method, where, status] of [
      ['DELETE', '/api/tasks', 405],
      ['DELETE', `/api/tasks/${id}`, 405],
      ['PUT', '/api/tasks/stats', 405],
      ['POST', '/api/agents', 405],
      ['GET', '/api/onboard/register', 405],
      ['PROPFIND', '/api/tasks', 501],
    ] as const)
      assert.equal((await ask(method, where))[0], status, `${method} ${where}`);
    assert.equal((await ask('GET', '/api/tasks', undefined, 'wrong'))[0], 401);
    assert.equal((await ask('POST', '/api/tasks', { priority: 'high' }))[0], 400);
    // An agent asks with its own secret, but does not rule.
    const secret = await running.secretOf('one');
    assert.equal((await ask('POST', '/api/tasks', { description: 'by an agent' }, secret))[0], 201);
    assert.equal((await ask('POST', '/api/agents.revoke', { agent: 'one' }, secret))[0], 403);
  }));

test('who waits for a task by the command line waits on while the hub is started anew', () =>
  withHub(async (running) => {
    const waiting = spawn(process.execPath, [main, 'hub', 'add', 'it takes a while', '--wait', '--url', running.url], {
      env: { ...process.env, OUTRIGGER_HUB_TOKEN: running.hub.token },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const said = { out: '', err: '' };
      waiting.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text));
      waiting.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text));
      await eventually(() => assert.match(said.out, /^task-\S+\n$/), 20_000);
      await running.hub.stop();
      await eventually(() => assert.match(said.err, /does not answer; it is asked again/), 20_000);
      await running.restart();
      const over = once(waiting, 'close');
      await running.client.call('tasks.cancel', { id: said.out.trim() });
      assert.deepEqual(await over, [1, null]);
      assert.match(said.out, /^task-\S+\ncancelled/);
      assert.equal(said.err.match(/does not answer/g)?.length, 1);
    } finally {
      waiting.kill('SIGKILL');
    }
  }));
