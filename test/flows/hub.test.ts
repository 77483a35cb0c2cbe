// The hub against agents by hand: how tasks go out and results come back, and what bad agents and bad frames do.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { hubDefaults, startHub } from '../../src/hub/hub.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { accepted, allFeatures, type FakeAgent, type Frame, queue, type RunningHub, withHub } from '../kit/hub.ts';
import { runProgram } from '../kit/running-program.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

async function stateOf({ client }: RunningHub, id: string | undefined): Promise<string> {
  return (await client.call('tasks.get', { id: id ?? '' })).state;
}

test('a start that fails leaves nothing open: the next one in the same process has the folder', () =>
  withScratchFolder('hub', async (folder) => {
    const log = (): void => {};
    const options = { ...hubDefaults, port: 0, folder };
    await assert.rejects(startHub({ version: '0', log }, { ...options, token: '' }), { reason: 'BAD_INPUT', message: /at least 16 char/ });
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
      const agent = await running.agent('a1', { features: allFeatures });
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
        await assert.rejects(running.agent('a1', { features: allFeatures, token: secret }), 'no agent comes in');
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

test('frames that make no sense are answered and survived, too many end the connection, and others never notice', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: allFeatures });
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
    const other = await running.agent('other', { features: allFeatures });
    for (let count = 0; count < 120; count++) agent.send('junk');
    await eventually(() => assert.equal(agent.closed?.code, 1008));
    const big = await running.agent('big', { features: allFeatures });
    big.send('x'.repeat(5 * 1024 * 1024));
    await eventually(() => assert.equal(big.closed?.code, 1009));
    await queue(running, {});
    await accepted(other);
  }));

test('a connection that is lost for a moment costs nothing: the task goes on under its fence', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: allFeatures });
    const [id] = await queue(running, {});
    const { fence } = await accepted(agent);
    agent.end();
    await running.agent('two', { features: allFeatures });
    const back = await running.agent('one', {
      features: allFeatures,
      held: [{ task_id: id, generation: fence, state: 'working' }],
      credit: 0,
    });
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
    const agent = await running.agent('one', { features: allFeatures });
    const [id] = await queue(running, {});
    const { fence } = await accepted(agent);
    agent.end();
    const back = await running.agent('one', { features: allFeatures, held: [], credit: 0 });
    const other = await running.agent('two', { features: allFeatures });
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
      features: allFeatures,
      held: [{ task_id: id, generation: fence, state: 'working' }],
      protocol_version: 1,
    });
    const { nack } = await third.next('identified');
    assert.deepEqual(nack, [{ task_id: id, generation: fence, state: 'working' }]);
  }));

test('who has more than it can name loses none of it, and all of it is renewed', () =>
  withHub(
    async (running) => {
      const agent = await running.agent('one', { features: allFeatures, credit: 3 });
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
      const other = await running.agent('two', { features: allFeatures });
      const back = await running.agent('one', { identify: false });
      const identified = await say(back, {
        type: 'identify',
        agent_id: 'one',
        token: await running.secretOf('one'),
        features: allFeatures,
      });
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
      const agent = await running.agent('one', { features: allFeatures });
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
      const silent = await running.agent('silent', { features: allFeatures });
      const [id] = await queue(running, {});
      await silent.next('task_assign');
      const other = await running.agent('other', { features: allFeatures });
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
    const agent = await running.agent('one', { features: allFeatures });
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
    const agent = await running.agent('one', { features: allFeatures });
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
    const one = await running.agent('one', { features: allFeatures, credit: 3 });
    const got = [await accepted(one), await accepted(one)];
    assert.deepEqual(
      got.map(({ id }) => id),
      [urgent, low],
    );
    const two = await running.agent('two', { features: allFeatures, capabilities: ['gpu', 'code'], credit: 5 });
    assert.deepEqual(new Set([(await accepted(two)).id, (await accepted(two)).id]), new Set([gpu, pinned]));
    assert.equal(await stateOf(running, late), 'scheduled');
    one.send({ type: 'task_complete', task_id: low, generation: got[1]?.fence, result: {}, protocol_version: 1 });
    assert.equal((await accepted(one)).id, late);
    await assert.rejects(queue(running, { after: ['none'] }), { reason: 'NOT_FOUND' });
  }));

test('a thousand progress frames do not hold up the completion behind them', () =>
  withHub(async (running) => {
    const agent = await running.agent('one', { features: allFeatures });
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
    const agent = await running.agent('one', { features: allFeatures });
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
      const agent = await running.agent('one', { features: allFeatures });
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
    const agent = await running.agent('one', { features: allFeatures });
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
    const agent = await running.agent('one', { features: allFeatures });
    const [id, open] = await queue(running, {}, { needs: ['never'] });
    const { fence } = await accepted(agent);
    await running.restart();
    const away = await agent.next('goaway');
    assert.ok((away['retry_after_ms'] as number) > 0);
    await eventually(() => assert.equal(agent.closed?.code, 1012));
    assert.deepEqual([await stateOf(running, id), await stateOf(running, open)], ['running', 'ready']);
    const back = await running.agent('one', { features: allFeatures, held: [{ task_id: id, generation: fence, state: 'working' }] });
    back.send({ type: 'task_complete', task_id: id, generation: fence, result: {}, protocol_version: 1 });
    await back.next('task_ack');
    assert.equal(await stateOf(running, id), 'succeeded');
  }));

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
