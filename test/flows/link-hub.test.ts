// Our link at our hub.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nodeTimers } from '../../src/net/timers.ts';
import { WebSockets } from '../../src/net/websocket.ts';
import { Link, type LinkOptions } from '../../src/transports/hub-link/link.ts';
import { eventually } from '../kit/eventually.ts';
import { createFakes } from '../kit/fake-operations.ts';
import { type RunningHub, withHub } from '../kit/hub.ts';
import { FakeTasks, linkOptions } from '../kit/link-harness.ts';
import { withSidecar } from '../kit/sidecar.ts';

interface Linked {
  link: Link;
  tasks: FakeTasks;
  stored: string[];
}

async function withLink(running: RunningHub, options: Partial<LinkOptions>, run: (linked: Linked) => Promise<void>): Promise<void> {
  const sockets = new WebSockets();
  const tasks = new FakeTasks();
  const stored: string[] = [];
  const link = new Link(
    {
      sockets,
      dispatch: createFakes().dispatch,
      tasks,
      timers: nodeTimers,
      now: Date.now,
      monotonic: () => performance.now(),
      random: () => 0.05,
      log: () => undefined,
      storeToken: (token) => void stored.push(token),
    },
    { ...linkOptions, url: `${running.url.replace(/^http/, 'ws')}/ws`, token: await running.secretOf('probe'), ...options },
  );
  link.start();
  try {
    await eventually(() => assert.equal(link.status().state, 'online'));
    await run({ link, tasks, stored });
  } finally {
    await link.stop();
    await sockets.close(1000, '');
  }
}

test('all features are agreed on, and a task goes out, is renewed, and its result comes back', () =>
  withHub(
    (running) =>
      withLink(running, { allow: 'read' }, async ({ link, tasks }) => {
        assert.deepEqual(link.status().features, ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls']);
        const { tasks: made } = await running.client.call('tasks.create', { tasks: [{ description: 'do it' }] as never });
        const assigned = (): { task_id: string; generation: number } | undefined =>
          tasks.heard.find((frame) => (frame as { type?: string }).type === 'task_assign') as
            | { task_id: string; generation: number }
            | undefined;
        await eventually(() => assigned() !== undefined);
        const { task_id, generation } = assigned() ?? { task_id: '', generation: 0 };
        tasks.holding = [{ task_id, generation, state: 'working' }];
        tasks.free = 0;
        assert.equal(tasks.session?.send({ type: 'task_accepted', task_id, generation }), true);
        const before = tasks.heard.length;
        await eventually(() => tasks.heard.slice(before).some((what) => Object.hasOwn(what as object, 'renewedAt')));
        tasks.session?.send({ type: 'task_complete', task_id, result: { status: 'success' }, generation, verification_report: null });
        await eventually(async () => (await running.client.call('tasks.get', { id: made[0]?.id ?? '' })).state === 'succeeded');
        assert.deepEqual(link.status().odd, {});
      }),
    { heartbeatMs: 100, pongTimeoutMs: 90 },
  ));

test('the hub calls operations over it, as far as the owner allows', () =>
  withHub((running) =>
    withLink(running, { allow: 'read' }, async () => {
      const call = async (operation: string, input: object): Promise<unknown> =>
        ((await running.client.call('agents.call', { agent: 'probe', operation, input } as never)) as { output: unknown }).output;
      assert.deepEqual(await call('echo.unary', { text: 'over the hub' }), { text: 'over the hub', who: 'Hub' });
      await assert.rejects(call('echo.write', { path: 'a' }), { reason: 'ACCESS_DENIED' });
    }),
  ));

test('over HTTP an agent is called with a JSON body, or with bytes that go up to it beside an input in the query', () =>
  withHub((running) =>
    withLink(running, { allow: 'write' }, async () => {
      const ask = async (query: string, type: string, body: string): Promise<[number, Record<string, unknown>]> => {
        const headers = { authorization: `Bearer ${running.hub.token}`, 'content-type': type };
        const answer = await fetch(`${running.url}/api/agents.call${query}`, { method: 'POST', headers, body });
        return [answer.status, (await answer.json()) as Record<string, unknown>];
      };
      const asked = JSON.stringify({ agent: 'probe', operation: 'echo.unary', input: { text: 'by JSON' } });
      assert.deepEqual(await ask('', 'application/json; charset=utf-8', asked), [
        200,
        { output: { text: 'by JSON', who: 'Hub' }, items: [] },
      ]);
      assert.deepEqual(
        (await ask('', 'application/json', '{')).map((part) => (typeof part === 'object' ? part['reason'] : part)),
        [400, 'BAD_INPUT'],
      );
      const input = encodeURIComponent(JSON.stringify({ path: 'a/b' }));
      const bytes = 'ü'.repeat(300_000);
      const [status, { output }] = await ask(`?agent=probe&operation=bytes.in&input=${input}`, 'application/octet-stream', bytes);
      assert.deepEqual([status, (output as { length: number }).length, (output as { path: string }).path], [200, 600_000, 'a/b']);
    }),
  ));

test('bytes of an agent that nobody reads are not sent for ever: whoever asks after that is answered', () =>
  withHub((running) =>
    withLink(running, { allow: 'read' }, async () => {
      const input = { path: 'a', length: 5_000_000 };
      const facts = Array.from({ length: 100 }, () =>
        running.client.call('agents.read', { agent: 'probe', operation: 'bytes.out', input } as never),
      );
      await Promise.allSettled(facts);
      const asked = { agent: 'probe', operation: 'echo.unary', input: { text: 'still there' } };
      const { output } = (await running.client.call('agents.call', asked as never)) as { output: unknown };
      assert.deepEqual(output, { text: 'still there', who: 'Hub' });
    }),
  ));

test('bytes of an agent come by agents.read and items by agents.call; the other way round is refused and not waited for', () =>
  withHub((running) =>
    withLink(running, { allow: 'read' }, async () => {
      const read = async (operation: string, input: object): Promise<number> => {
        let length = 0;
        const { bytes } = await running.client.download('agents.read', { agent: 'probe', operation, input } as never);
        for await (const chunk of bytes) length += chunk.length;
        return length;
      };
      const called = (operation: string, input: object): Promise<unknown> =>
        running.client.call('agents.call', { agent: 'probe', operation, input } as never);
      const long = { path: 'a', length: 5_000_000 };
      assert.equal(await read('bytes.out', long), 5_000_000);
      assert.equal(await read('bytes.out', { path: 'a', length: 0 }), 0);
      await assert.rejects(read('bytes.out', { path: 'missing' }), { reason: 'FILE_NOT_FOUND', message: 'There is no such file.' });
      await assert.rejects(called('bytes.out', long), { reason: 'BAD_INPUT', message: /bytes.out answers with bytes.*agents.read/ });
      assert.equal(((await called('items.count', { to: 1000 })) as { items: unknown[] }).items.length, 1000);
      await assert.rejects(read('items.count', { to: 1000, padding: 10_000 }), {
        reason: 'BAD_INPUT',
        message: /items.count answers with items.*agents.call/,
      });
    }),
  ));

test('a hub that restarts is found again', () =>
  withHub((running) =>
    withLink(running, {}, async ({ link }) => {
      await running.restart();
      await eventually(() => assert.equal(link.status().sessions, 2), 15_000);
    }),
  ));

test('a new secret is stored, used with the next identify, and the old one holds no more after that (long form)', () =>
  withHub((running) =>
    withLink(running, {}, async ({ link, stored }) => {
      const { token, delivered } = await running.client.call('agents.rotate', { agent: 'probe' });
      assert.equal(delivered, true);
      await eventually(() => assert.deepEqual(stored, [token]));
      assert.equal(link.status().sessions, 1);
      await running.restart();
      await eventually(() => assert.equal(link.status().sessions, 2), 15_000);
      const { agents } = await running.client.call('agents.list', {});
      assert.equal(agents[0]?.secrets, 1);
    }),
  ));

test('a revoked agent is cut at once and does not come back', () =>
  withHub((running) =>
    withLink(running, {}, async ({ link }) => {
      const at = performance.now();
      await running.client.call('agents.revoke', { agent: 'probe' });
      await eventually(() => assert.equal(link.status().state, 'refused'));
      assert.ok(performance.now() - at < 1000);
      assert.equal(link.status().attempts, 1);
    }),
  ));

test('a sidecar whose secret the hub refuses says so in its health, and stays what it is besides', () =>
  withHub(async (running) => {
    await running.secretOf('known');
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-link-'));
    const config = path.join(folder, 'config.json');
    const hub_url = `${running.url.replace('http', 'ws')}/ws`;
    fs.writeFileSync(config, JSON.stringify({ agent_id: 'known', token: 'ogr_known_wrong', hub_url, wake_command: ['true'] }), {
      mode: 0o600,
    });
    try {
      await withSidecar(
        async ({ client }) => {
          await eventually(async () => {
            const { checks } = await client.call('system.health', {});
            const link = checks.find(({ name }) => name === 'link');
            assert.deepEqual([link?.ok, /invalid_token/.test(JSON.stringify(link))], [false, true], JSON.stringify(checks));
          });
          assert.equal((await client.call('files.list', {})).path, '');
        },
        { config: { 'link.config': config }, mayLogErrors: true },
      );
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }));
