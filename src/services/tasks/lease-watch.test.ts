import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../../test/kit/eventually.ts';
import { answers, type TaskHarness, withTasks } from '../../../test/kit/task-harness.ts';
import { nodeTimers } from '../../net/timers.ts';

const ids = ({ tasks }: TaskHarness): string[] => tasks.held().map(({ task_id: id }) => id);

test('what a hub with leases offers is begun when the hub has heard that it was taken', () =>
  withTasks(
    async (harness) => {
      const { hub, tasks, frame } = harness;
      hub.silent.add('task_accepted');
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_accepted');
      await new Promise(setImmediate);
      assert.equal(harness.logged.includes('task.step'), false);
      assert.deepEqual(ids(harness), ['t']);
      // Of an older grant.
      hub.say({ type: 'task_ack', task_id: 't', status: 'accepted', generation: 0 });
      assert.equal(harness.logged.includes('task.step'), false);
      hub.say({ type: 'task_ack', task_id: 't', status: 'accepted', generation: 1 });
      await frame('task_complete');
    },
    { wake: answers({ status: 'success' }) },
  ));

test('where the word of the hub got lost, it comes when both meet again', () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      hub.silent.add('task_accepted');
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_accepted');
      tasks.disconnected();
      tasks.connected(hub.session);
      await frame('task_recovering');
      await frame('task_complete');
    },
    { wake: answers({ status: 'success' }) },
  ));

test('a hub without leases says no such word, and is not waited for', () =>
  withTasks(
    async ({ hub, tasks, frame }) => {
      hub.silent.add('task_accepted');
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_complete');
    },
    { wake: answers({ status: 'success' }), features: [] },
  ));

test('a lease counts from when the hub was asked, however long its answer took', () => {
  let clock = 0;
  return withTasks(
    async (harness) => {
      const { hub, tasks, frame } = harness;
      hub.silent.add('task_accepted');
      tasks.connected(hub.session);
      tasks.setLease(10_000);
      hub.assign('t');
      await frame('task_accepted');
      clock = 5000;
      hub.say({ type: 'task_ack', task_id: 't', status: 'accepted', generation: 1 });
      clock = 8900;
      // What was asked for before says nothing of it.
      tasks.renewedAt(-1);
      assert.deepEqual(ids(harness), ['t']);
      clock = 9000;
      tasks.renewedAt(-1);
      assert.deepEqual(ids(harness), []);
    },
    { wake: 'exec sleep 300', monotonic: () => clock, cancelWithinMs: 500 },
  );
});

test('tasks that come together after a long absence of the hub are all begun', () => {
  let clock = 0;
  return withTasks(
    async (harness) => {
      const { hub, tasks } = harness;
      tasks.connected(hub.session);
      tasks.setLease(10_000);
      clock = 60_000;
      hub.assign('a');
      hub.assign('b');
      await eventually(() => assert.equal(hub.of('wake_result').length + hub.of('task_complete').length, 4));
      assert.equal(harness.logged.includes('task.lease-over'), false);
    },
    { wake: answers({ status: 'success' }), concurrency: 2, monotonic: () => clock },
  );
});

test('a lease that is longer than a timer can wait is not looked at again and again', () => {
  let looks = 0;
  const set = (run: () => void, ms: number): unknown => {
    if (ms > 1_000_000_000) looks++;
    return nodeTimers.set(run, ms);
  };
  return withTasks(
    async ({ hub, tasks, frame }) => {
      tasks.connected(hub.session);
      tasks.setLease(30 * 86_400_000);
      hub.assign('t');
      await frame('wake_result');
      looks = 0;
      await sleep(50);
      assert.equal(looks, 0);
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/t.started"; exec sleep 300', timers: { ...nodeTimers, set }, cancelWithinMs: 500 },
  );
});
