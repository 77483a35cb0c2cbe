import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { type TaskHarness, type TaskSetup, withTasks } from '../../../test/kit/task-harness.ts';
import { call, fails } from '../../../test/kit/workspace-harness.ts';
import { createDispatch } from '../../contract/dispatch.ts';
import type { Operation } from '../../contract/operation.ts';
import { tasks as contract } from '../../contract/tasks.ts';
import { taskOperations } from './operations.ts';

type Ask = (name: keyof typeof contract, input?: object) => Promise<Record<string, unknown>>;

/** Calls operations as dispatch does: both sides are checked against the contract. */
async function withOperations(run: (harness: TaskHarness & { ask: Ask }) => Promise<void>, setup: TaskSetup = {}): Promise<void> {
  await withTasks(
    async (harness) => {
      const operations = taskOperations(harness.tasks) as unknown as Record<string, (input: unknown, call: unknown) => unknown>;
      const ask: Ask = async (name, input = {}) => {
        const { input: takes, output } = contract[name] as Operation;
        return output.parse(await operations[name]?.(takes.parse(input), call())) as Record<string, unknown>;
      };
      harness.tasks.connected(harness.hub.session);
      await run({ ...harness, ask });
    },
    { wake: 'exit 0', confirmationTimeoutMs: 10_000, ...setup },
  );
}

test('an agent takes its task, tells of it and hands over the result by operations alone', () =>
  withOperations(async ({ hub, ask, frame, results, tasks }) => {
    hub.assign('t', { metadata: { a: 1 } });
    await frame('wake_result');
    const { held } = (await ask('tasks.list')) as { held: { id: string; state: string }[] };
    assert.deepEqual(
      held.map(({ id, state }) => [id, state]),
      [['t', 'waking_confirmation']],
    );
    await ask('tasks.accept', { id: 't' });
    await ask('tasks.accept', { id: 't' });
    await ask('tasks.progress', { id: 't', progress: 40, text: 'half way' });
    await ask('tasks.log', { id: 't', text: 'a line\n' });
    const got = (await ask('tasks.get', { id: 't' })) as {
      task: { state: string };
      assignment: { metadata: object };
      log: { stdout: string };
    };
    assert.deepEqual([got.task.state, got.assignment.metadata, got.log.stdout], ['working', { a: 1 }, 'a line\n']);
    const progress = await frame('task_progress');
    assert.deepEqual([progress['progress'], progress['execution_event']], [40, { event_type: 'progress', text: 'half way' }]);
    assert.equal((await frame('task_log'))['text'], 'a line\n');
    await ask('tasks.complete', { id: 't', output: 'done', tokensUsed: 5, result: { more: true } });
    assert.deepEqual((await frame('task_complete'))['result'], { more: true, status: 'success', output: 'done', tokens_used: 5 });
    await eventually(() => assert.equal(tasks.list().waiting, 0));
    const { history } = (await ask('tasks.list')) as { history: { id: string; end: string }[] };
    assert.deepEqual([history[0]?.id, history[0]?.end], ['t', 'done']);
    assert.deepEqual(fs.readdirSync(results), []);
  }));

test('an agent says why it can not', () =>
  withOperations(async ({ hub, ask, frame }) => {
    hub.assign('t');
    await frame('wake_result');
    await ask('tasks.fail', { id: 't', reason: 'no such thing', retryable: false });
    const { reason, retryable } = await frame('task_failed');
    assert.deepEqual([reason, retryable], ['no such thing', false]);
  }));

test('its owner cancels a task, and the hub is told that it failed', () =>
  withOperations(async ({ hub, ask, frame }) => {
    hub.assign('t');
    await frame('wake_result');
    await ask('tasks.cancel', { id: 't' });
    assert.equal((await frame('task_failed'))['reason'], 'cancelled by Pia');
    await fails('NOT_FOUND', () => ask('tasks.cancel', { id: 't' }));
  }));

test('what is asked of a task that is not held, or of one that is being verified, is refused', () =>
  withOperations(
    async ({ hub, ask, frame }) => {
      for (const name of ['tasks.get', 'tasks.accept', 'tasks.progress', 'tasks.complete'] as const)
        await fails('NOT_FOUND', () => ask(name, { id: 'no' }));
      hub.assign('t', { verification_steps: [{ type: 'command_succeeds', target: 'sleep 300' }] });
      await frame('wake_result');
      await ask('tasks.complete', { id: 't', output: 'first' });
      await fails('TASK_STATE', () => ask('tasks.complete', { id: 't', output: 'second' }));
      const { queue } = (await ask('tasks.export')) as { queue: { active: { task_id: string } } };
      assert.equal(queue.active.task_id, 't');
    },
    { cancelWithinMs: 500 },
  ));

test('a reason of four million characters and a log of a quarter of a million are taken, and one character more is refused', () =>
  withOperations(async ({ hub, frame, tasks, read }) => {
    const dispatch = createDispatch(
      contract,
      taskOperations(tasks),
      { now: () => 0, log: () => {} },
      { ceiling: () => ({ access: 'admin', why: '' }), maxOutputBytes: 1024, maxCallsPerCaller: 1 },
    );
    const { caller, signal } = call();
    const ask = (name: string, input: object): Promise<unknown> =>
      dispatch({ name, input: { id: 't', ...input }, caller, signal, transport: 'test', requestId: 'r' });
    hub.assign('t');
    await frame('wake_result');
    const [text, reason] = ['x'.repeat(256 * 1024), 'x'.repeat(4 * 1024 * 1024)];
    await fails('BAD_INPUT', () => ask('tasks.log', { text: `${text}y` }));
    assert.equal(tasks.run('t').log.tail('stdout', 1), '');
    await ask('tasks.log', { text });
    assert.equal(tasks.run('t').log.tail('stdout', text.length + 1), text);
    await fails('BAD_INPUT', () => ask('tasks.fail', { reason: `${reason}y` }));
    assert.equal(tasks.held().length, 1);
    await ask('tasks.fail', { reason });
    await frame('task_failed');
    assert.ok(read('results/t.reason.txt') === reason, 'whole, beside the results');
  }));
