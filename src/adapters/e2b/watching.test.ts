import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Asking } from '../code-api/ask.ts';
import { E2bWatches } from './watching.ts';

const caller: Caller = { id: 'one', name: 'one', kind: 'agent', access: 'read' };

/** A folder of which a feed tells what the test says; `feeds`: how many are open. */
class FakeFeed {
  emit: (item: object) => unknown = () => undefined;
  feeds = 0;
  readonly asking: Asking = { dispatch: this.#dispatch(), caller, transport: 'e2b', requestId: 'r', signal: new AbortController().signal };

  #dispatch(): Dispatch {
    return async ({ name, input, emit, signal }) => {
      if (name === 'files.stat') {
        const { path } = input as { path: string };
        if (path === 'a/swapped') throw new OutriggerError('PATH_ESCAPES', 'a/swapped leads out of the workspace.');
        return { output: { entry: { path, name: path, kind: 'directory', size: 0, mode: 0o755, modified: 0 } } } as never;
      }
      this.feeds++;
      this.emit = (item) => emit?.(item);
      this.emit({ type: 'ready' });
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      this.feeds--;
      throw signal.reason as Error;
    };
  }

  written(path: string): void {
    this.emit({ type: 'change', what: 'changed', path, kind: 'file' });
  }
}

const reasonIs = (reason: string) => (error: unknown) => error instanceof OutriggerError && error.reason === reason;

test('there are a hundred watchers that are asked, and no more', async () => {
  const feed = new FakeFeed();
  const watches = new E2bWatches('/w');
  const ids: unknown[] = [];
  for (let number = 0; number < 100; number++) ids.push((await watches.create(feed.asking, { path: 'a' }))['watcherId']);
  await assert.rejects(watches.create(feed.asking, { path: 'a' }), reasonIs('TOO_MANY'));
  watches.remove(feed.asking, { watcherId: ids[0] });
  await watches.create(feed.asking, { path: 'a' });
  watches.close();
  await eventually(() => assert.equal(feed.feeds, 0));
});

test('of a watcher that nobody asks ten thousand events are kept, and who asks then is told that some are missing, once', async () => {
  const feed = new FakeFeed();
  const watches = new E2bWatches('/w');
  const input = await watches.create(feed.asking, { path: 'a' });
  for (let number = 0; number < 10_000; number++) feed.written(`a/${number}`);
  await eventually(() => assert.equal((watches.events(feed.asking, input)['events'] as unknown[]).length, 10_000));
  for (let number = 0; number < 10_001; number++) feed.written(`a/${number}`);
  await new Promise(setImmediate);
  assert.throws(() => watches.events(feed.asking, input), reasonIs('BAD_CURSOR'));
  feed.written('a/last');
  await eventually(() => assert.deepEqual(watches.events(feed.asking, input), { events: [{ name: 'last', type: 'EVENT_TYPE_WRITE' }] }));
  watches.close();
});

test('a watcher whose feed missed something says so each time, after what came before', async () => {
  const feed = new FakeFeed();
  const watches = new E2bWatches('/w');
  const input = await watches.create(feed.asking, { path: 'a' });
  feed.written('a/before');
  feed.emit({ type: 'resync', cursor: '', reason: '' });
  await eventually(() => assert.equal(feed.feeds, 0));
  assert.deepEqual(watches.events(feed.asking, input), { events: [{ name: 'before', type: 'EVENT_TYPE_WRITE' }] });
  for (let time = 0; time < 2; time++) assert.throws(() => watches.events(feed.asking, input), reasonIs('BAD_CURSOR'));
  watches.remove(feed.asking, input);
});

test('a watcher goes on where a link took the place of a folder before its entry was looked at', async () => {
  const feed = new FakeFeed();
  const watches = new E2bWatches('/w');
  const input = await watches.create(feed.asking, { path: 'a', includeEntry: true });
  feed.written('a/swapped');
  feed.written('a/after');
  const told: string[] = [];
  await eventually(() => {
    const events = watches.events(feed.asking, input)['events'] as Record<string, unknown>[];
    told.push(...events.map(({ name, entry }) => `${name as string} ${entry === undefined ? 'without' : 'with'} an entry`));
    assert.deepEqual(told, ['swapped without an entry', 'after with an entry']);
  });
  watches.close();
});

test('a watcher that nobody asks for ten minutes ends', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const feed = new FakeFeed();
    const watches = new E2bWatches('/w');
    const input = await watches.create(feed.asking, { path: 'a' });
    mock.timers.tick(9 * 60_000);
    watches.events(feed.asking, input);
    mock.timers.tick(9 * 60_000);
    watches.events(feed.asking, input);
    mock.timers.tick(10 * 60_000 - 1);
    assert.equal(feed.feeds, 1);
    mock.timers.tick(1);
    assert.throws(() => watches.events(feed.asking, input), reasonIs('FILE_NOT_FOUND'));
    await new Promise(setImmediate);
    assert.equal(feed.feeds, 0);
  } finally {
    mock.timers.reset();
  }
});
