import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { answers, withTasks } from '../../../test/kit/task-harness.ts';
import { call, fails } from '../../../test/kit/workspace-harness.ts';
import type { Item } from '../../contract/operation.ts';
import { tasks as contract } from '../../contract/tasks.ts';
import { followLog, watchTasks } from './task-feed.ts';
import type { Tasks } from './tasks.ts';

type News = Item<(typeof contract)['tasks.watch']>;

/** What a watch tells, checked against the contract, and the way to end it. */
function watching(tasks: Tasks): { told: News[]; of: <T extends News['type']>(type: T) => Extract<News, { type: T }>[]; end: () => void } {
  const told: News[] = [];
  const over = new AbortController();
  watchTasks(tasks, call({ signal: over.signal, emit: (item) => void told.push(contract['tasks.watch'].item?.parse(item) as News) })).catch(
    () => {},
  );
  return { told, of: (type) => told.filter((item) => item.type === type) as never, end: () => over.abort(new Error('enough')) };
}

/** All that is told of a log until it ends, in one text for each stream. */
async function logOf(
  tasks: Tasks,
  id: string,
  more: { emit?: () => Promise<void> } = {},
): Promise<{ stdout: string; stderr: string; lost: number }> {
  const log = { stdout: '', stderr: '', lost: 0 };
  const emit = async (item: unknown): Promise<void> => {
    const { stream, text, lost = 0 } = contract['tasks.follow'].item?.parse(item) as Item<(typeof contract)['tasks.follow']>;
    log[stream] += text;
    log.lost += lost;
    await more.emit?.();
  };
  await followLog(tasks, id, call({ emit }));
  return log;
}

test('a watch tells what there is, each step of a task with its progress, and what became of it', () =>
  withTasks(
    async ({ tasks, hub, frame }) => {
      tasks.connected(hub.session);
      const { told, of, end } = watching(tasks);
      await eventually(() => assert.equal(told.at(-1)?.type, 'ready'));
      assert.deepEqual(told, [{ type: 'hub', agent: 'probe', connected: true, refused: null, waiting: 0 }, { type: 'ready' }]);
      hub.assign('t');
      await frame('wake_result');
      await eventually(() => assert.equal(of('task').at(-1)?.task.state, 'waking_confirmation'));
      tasks.progress('t', { progress: 40, event: { event_type: 'progress', text: 'half way' } });
      await eventually(() => assert.equal(of('task').at(-1)?.task.progress?.percent, 40));
      assert.deepEqual([of('task').at(-1)?.task.state, of('task').at(-1)?.task.progress?.text], ['working', 'half way']);

      // The hub is there, and says nothing: the result waits.
      hub.silent.add('task_failed');
      await tasks.say('t', { type: 'failed', reason: 'no such thing', retryable: false });
      await eventually(() => assert.deepEqual(of('released'), [{ type: 'released', id: 't' }]));
      const [first] = of('past');
      assert.deepEqual(
        [first?.past.end, first?.past.reason, first?.past.waits, of('hub').at(-1)?.waiting],
        ['done', 'no such thing', true, 1],
      );
      tasks.disconnected();
      await eventually(() => assert.equal(of('hub').at(-1)?.connected, false));
      hub.silent.clear();
      tasks.connected(hub.session);
      await eventually(() => assert.deepEqual([of('hub').at(-1)?.waiting, of('past').at(-1)?.past.waits], [0, false]));

      // Who comes later is told all of it at once, and nothing twice.
      const later = watching(tasks);
      await eventually(() =>
        assert.deepEqual(
          later.told.map(({ type }) => type),
          ['hub', 'past', 'ready'],
        ),
      );
      end();
      later.end();
    },
    { wake: 'exit 0', confirmationTimeoutMs: 10_000 },
  ));

test('a watch tells why the hub refuses this agent for good', () =>
  withTasks(async ({ tasks, hub }) => {
    tasks.connected(hub.session);
    const { of, end } = watching(tasks);
    await eventually(() => assert.equal(of('hub').at(-1)?.refused, null));
    tasks.disconnected();
    tasks.refused('invalid_token');
    await eventually(() => assert.deepEqual([of('hub').at(-1)?.connected, of('hub').at(-1)?.refused], [false, 'invalid_token']));
    end();
  }));

test('that a task waits for the word of the hub after a restart is told, and that it goes on', () =>
  withTasks(
    async (harness) => {
      harness.tasks.connected(harness.hub.session);
      harness.hub.assign('t');
      await eventually(() => assert.equal(harness.tasks.list().held[0]?.record.state, 'working'));
      const { tasks, hub } = await harness.again();
      const { of, end } = watching(tasks);
      await eventually(() => assert.deepEqual([of('task')[0]?.task.recovering, of('hub')[0]?.connected], [true, false]));
      tasks.connected(hub.session);
      await eventually(() => assert.equal(of('task').at(-1)?.task.recovering, false));
      end();
    },
    { wake: 'touch "$OUTRIGGER_RESULTS/$OUTRIGGER_TASK_ID.started"; sleep 300', cancelWithinMs: 500 },
  ));

test('a log is followed from what is kept to the end of its task, both streams, with no half characters', () =>
  withTasks(
    async ({ tasks, hub, put }) => {
      tasks.connected(hub.session);
      await fails('NOT_FOUND', () => logOf(tasks, 't'));
      hub.assign('t');
      await eventually(() => assert.match(tasks.run('t').log.tail('stdout', 100), /grün/));
      const followed = logOf(tasks, 't');
      tasks.log('t', 'stderr', 'careful\n');
      put('root/go', '');
      const { stdout, stderr, lost } = await followed;
      assert.deepEqual([stdout, stderr, lost], ['grün\nlater ü\n', 'careful\n', 0]);
    },
    {
      wake: `printf 'gr\\303'; sleep 0.1; printf '\\274n\\n'; until [ -e go ]; do sleep 0.02; done; echo 'later ü'; ${answers({ status: 'success' })}`,
    },
  ));

test('of a log that grows faster than it is read the oldest is left out, and said to be lost', () =>
  withTasks(
    async ({ tasks, hub }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await eventually(() => assert.equal(tasks.list().held[0]?.record.state, 'waking'));
      const line = `${'x'.repeat(99)}\n`;
      let isFirst = true;
      // A megabyte comes while the first piece is read.
      const emit = async (): Promise<void> => {
        if (!isFirst) return;
        isFirst = false;
        for (let count = 0; count < 100; count++) tasks.log('t', 'stdout', line.repeat(100));
        void tasks.cancel('t', 'Pia');
      };
      tasks.log('t', 'stdout', 'first\n');
      const { stdout, lost } = await logOf(tasks, 't', { emit });
      assert.equal(stdout.length + lost, 'first\n'.length + 1_000_000);
      assert.ok(lost > 700_000, `${lost} bytes are lost`);
    },
    { wake: 'sleep 300', cancelWithinMs: 500 },
  ));

test('who follows a log has the end of it when the sidecar stops, and does not hold up the stop', () =>
  withTasks(
    async ({ tasks, hub }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await eventually(() => assert.notEqual(tasks.run('t').log.chunk('stdout', 0, true), undefined));
      const following = logOf(tasks, 't');
      await tasks.stop();
      assert.match((await following).stdout, /begun/);
    },
    { wake: 'echo begun; exec sleep 100' },
  ));

test('progress is refused once a task is over, also while its programs are being ended (long form)', () =>
  withTasks(
    async ({ tasks, hub, frame }) => {
      tasks.connected(hub.session);
      hub.assign('t');
      await frame('task_complete');
      await fails('NOT_FOUND', () => tasks.progress('t', { progress: 99 }));
      assert.equal(tasks.progressOf('t'), undefined);
    },
    { wake: `${answers({ status: 'success', output: 'x' })}\nsleep 3` },
  ));
