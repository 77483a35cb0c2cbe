import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Change, FeedItem } from '../../contract/events.ts';
import { ResourceFeed } from './resource-feed.ts';

const caller: Caller = { id: 'a', name: 'A', kind: 'agent', access: 'read' };

interface Source {
  feed: ResourceFeed;
  send(item: FeedItem): void;
  fail(error: OutriggerError): void;
  /** Inputs of the calls so far. */
  calls: unknown[];
  told: string[];
  stalled: boolean;
  away: boolean;
  signal: AbortSignal | undefined;
}

/** A feed whose `changes.watch` says what the test wants. */
function source(maxFollowed = 10): Source {
  let emit: ((item: unknown) => unknown) | undefined;
  let reject: ((error: OutriggerError) => void) | undefined;
  const dispatch: Dispatch = (request) => {
    assert.equal(request.name, 'changes.watch');
    made.calls.push(request.input);
    made.signal = request.signal;
    emit = request.emit;
    void emit?.({ type: 'ready', cursor: 'e-0' });
    return new Promise((_resolve, refuse) => {
      reject = refuse;
      request.signal.addEventListener('abort', () => refuse(request.signal.reason));
    });
  };
  const reader = {
    updated: (uri: string) => void made.told.push(uri),
    listChanged: () => void made.told.push('list'),
    congested: () => made.stalled,
    away: () => made.away,
  };
  const made: Source = {
    feed: new ResourceFeed({ dispatch, caller, transport: 'mcp' }, () => reader, { maxFollowed, everyMs: 5, againAfterMs: 20 }),
    send: (item) => void emit?.(item),
    fail: (error) => reject?.(error),
    calls: [],
    told: [],
    stalled: false,
    away: false,
    signal: undefined,
  };
  return made;
}

function change(path: string, what: Change['what'] = 'changed', more: Partial<Change> = {}): Change {
  return {
    type: 'change',
    revision: 1,
    cursor: 'e-1',
    path,
    kind: 'file',
    what,
    before: null,
    after: null,
    cause: { kind: 'outside' },
    at: 0,
    ...more,
  };
}

describe('news', () => {
  test('of one time are told once for each resource, by the URI that the client knows', async () => {
    const { feed, send, told } = source();
    feed.follow('a', 'uri:a');
    feed.follow('b', 'uri:b');
    await feed.start();
    for (let n = 0; n < 100; n++) send(change('a'));
    send(change('c'));
    await eventually(() => assert.deepEqual(told, ['uri:a']));
    send(change('b', 'removed'));
    await eventually(() => assert.deepEqual(told, ['uri:a', 'list', 'uri:b']));
    feed.unfollow('a', 'uri:a');
    send(change('a'));
    send(change('b'));
    await eventually(() => assert.deepEqual(told.slice(3), ['uri:b']));
    feed.close();
  });

  test('of a folder that moves reach all that are followed below it, and nothing of like name', async () => {
    const { feed, send, told } = source();
    for (const path of ['old/a', 'new/b', 'older', 'new']) feed.follow(path, path);
    await feed.start();
    send(change('new', 'moved', { kind: 'directory', from: 'old' }));
    await eventually(() => assert.deepEqual(told.toSorted(), ['list', 'new', 'new/b', 'old/a']));
    feed.close();
  });

  test('that were lost are told as if all had changed', async () => {
    const { feed, send, told } = source();
    feed.follow('a', 'a');
    await feed.start();
    send({ type: 'resync', cursor: 'e-9', reason: 'gone' });
    await eventually(() => assert.deepEqual(told, ['list', 'a']));
    feed.close();
  });

  test('wait for a reader that is away, each resource once, until it is said to be back', async () => {
    const made = source();
    made.feed.follow('a', 'a');
    made.feed.follow('b', 'b');
    await made.feed.start();
    made.send(change('a'));
    made.away = true;
    for (let n = 0; n < 3; n++) made.send(change('b', 'removed'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    made.feed.unfollow('a', 'a');
    made.away = false;
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(made.told, []);
    made.feed.resume();
    await eventually(() => assert.deepEqual(made.told, ['list', 'b']));
    made.feed.close();
  });

  test('wait in one piece for a reader that takes nothing', async () => {
    const made = source();
    made.feed.follow('a', 'a');
    await made.feed.start();
    made.stalled = true;
    for (let n = 0; n < 3; n++) {
      made.send(change('a'));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.deepEqual(made.told, []);
    made.stalled = false;
    await eventually(() => assert.deepEqual(made.told, ['a']));
    made.feed.close();
  });
});

test('beyond the most, no further resource is followed', () => {
  const { feed } = source(2);
  feed.follow('a', 'a');
  feed.follow('b', 'b');
  feed.follow('a', 'a again');
  assert.throws(() => feed.follow('c', 'c'), { reason: 'TOO_MANY' });
  feed.unfollow('a', 'a');
  feed.unfollow('a', 'a again');
  feed.follow('c', 'c');
});

test('a resource is told by each spelling that was asked for, until that spelling is no more; beyond eight, none is taken', async () => {
  const { feed, send, told } = source(2);
  await feed.start();
  for (let n = 0; n < 8; n++) feed.follow('a', `a ${n}`);
  feed.follow('a', 'a 7');
  assert.throws(() => feed.follow('a', 'a 8'), { reason: 'TOO_MANY' });
  for (let n = 2; n < 8; n++) feed.unfollow('a', `a ${n}`);
  send(change('a'));
  await eventually(() => assert.deepEqual(told, ['a 0', 'a 1']));
  feed.unfollow('a', 'a 0');
  send(change('a'));
  await eventually(() => assert.deepEqual(told.slice(2), ['a 1']));
  feed.close();
});

test('a feed that breaks off goes on where it was, unless the sidecar stops', async () => {
  const { feed, send, fail, calls } = source();
  await feed.start();
  send(change('a', 'changed', { cursor: 'e-7' }));
  fail(new OutriggerError('TOO_MANY', 'later'));
  await eventually(() => assert.deepEqual(calls, [{ git: false }, { git: false, cursor: 'e-7' }]));
  fail(new OutriggerError('STOPPING', 'over'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(calls.length, 2);
  feed.close();
});

test('closing ends the call behind it, and what is refused is told to whoever started it', async () => {
  const made = source();
  await made.feed.start();
  made.feed.close();
  assert.equal(made.signal?.aborted, true);
  await assert.rejects(made.feed.start(), { reason: 'CANCELED' });
  const dispatch: Dispatch = () => Promise.reject(new OutriggerError('ACCESS_DENIED', 'no'));
  const refused = new ResourceFeed({ dispatch, caller, transport: 'mcp' }, () => ({ updated: () => {}, listChanged: () => {} }));
  await assert.rejects(refused.start(), { reason: 'ACCESS_DENIED' });
});
