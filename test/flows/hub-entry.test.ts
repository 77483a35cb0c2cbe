// Who gets in to the hub: secrets, enrolment, revocation, and the connection that counts.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { createClient } from '../../src/client/client.ts';
import type { HubOperations } from '../../src/contract/hub-operations.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { accepted, allFeatures, queue, type RunningHub, withHub } from '../kit/hub.ts';
import { runProgram } from '../kit/running-program.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

const cut = ({ connection }: RunningHub['client']): Promise<void> =>
  eventually(() => {
    const { state } = connection;
    assert.equal(state.name === 'refused' ? state.error.reason : state.name, 'TOKEN_REVOKED');
  }, 5000);

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
    const agent = await running.agent('one', { features: allFeatures });
    const { token, delivered } = await client.call('agents.rotate', { agent: 'one' });
    assert.equal(delivered, true);
    assert.equal((await agent.next('token_rotated'))['token'], token);
    // Until the new one was used, both hold.
    await running.agent('one', { token: before, features: allFeatures });
    const renewed = await running.agent('one', { token, features: allFeatures });
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
    const next = await running.agent('two', { features: allFeatures });
    assert.equal((await accepted(next)).id, id);
    await assert.rejects(client.call('agents.revoke', { agent: 'nobody' }), /There is no agent nobody/);
  }));

test('a secret that an agent was sent lets it in, whatever was made while it was away', () =>
  withHub(async (running) => {
    const { client } = running;
    const rotate = (): Promise<{ token: string; delivered: boolean }> => client.call('agents.rotate', { agent: 'one' });
    const agent = await running.agent('one', { features: allFeatures });
    const { token } = await rotate();
    assert.equal((await agent.next('token_rotated'))['token'], token);
    agent.end();
    await eventually(async () => assert.equal((await client.call('agents.list', {})).agents[0]?.state, 'offline'));
    for (let count = 0; count < 2; count++) assert.equal((await rotate()).delivered, false);
    await running.agent('one', { token, features: allFeatures });
    assert.equal((await client.call('agents.list', {})).agents[0]?.secrets, 2);
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
    const first = await running.agent('one', { features: allFeatures });
    const second = await running.agent('one', { features: allFeatures });
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
      features: allFeatures,
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
