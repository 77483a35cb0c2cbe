import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileChange, typedBy } from '../../../test/kit/file-change.ts';
import type { Change } from '../../contract/events.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { FeedStore } from './feed-store.ts';

const change = (revision: number, name: string, path = 'a.py', more: Partial<Change> = {}): Change =>
  fileChange({ revision, at: revision * 1000, path, cause: typedBy(name), ...more });

async function feedOf(changes: readonly Change[]): Promise<FeedStore> {
  const client = { call: async () => ({ changes: [...changes], cursor: 'e-9' }) } as unknown as WorkbenchClient;
  const feed = new FeedStore(client);
  await feed.load();
  return feed;
}

test('a row never reaches over a change of its file that the filter hides', async () => {
  const feed = await feedOf([change(1, 'Ada'), change(2, 'Ben'), change(3, 'Ada'), change(4, 'Ben', 'b.py'), change(5, 'Ada')]);
  const ends = (): number[][] => feed.rows.value.map(({ first, last }) => [first, last]);
  feed.setFilter({ without: new Set(['person:Ben']) });
  assert.deepEqual(ends(), [
    [1, 1],
    [3, 5],
  ]);
  feed.add(change(6, 'Ben'));
  feed.add(change(7, 'Ada'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(ends(), [
    [1, 1],
    [3, 5],
    [7, 7],
  ]);
});

test('a page that stays open for long forgets the oldest rows with their changes', async () => {
  const feed = await feedOf([change(1, 'Ada')]);
  for (let revision = 2; revision <= 12_500; revision++) feed.add(change(revision, revision % 2 === 0 ? 'Ben' : 'Ada'));
  await eventually(() => assert.equal(feed.rows.value.at(-1)?.last, 12_500));
  assert.equal(feed.rows.value.length, feed.range.value.count);
  assert.equal(feed.rows.value[0]?.first, feed.range.value.first);
});

test('of a move that is told in two, as one may see the places alone, both are shown once, whatever comes again', async () => {
  const feed = await feedOf([change(1, 'Ada', 'b.py')]);
  const left = change(2, 'Ada', 'mine', { kind: 'directory', what: 'removed' });
  const came = change(2, 'Ada', 'too', { kind: 'directory', what: 'created' });
  for (const one of [left, left, came, left, came, change(1, 'Ada', 'b.py')]) feed.add(one);
  await eventually(() => assert.equal(feed.rows.value.at(-1)?.path, 'too'));
  assert.deepEqual(
    feed.rows.value.flatMap(({ paths }) => paths),
    ['b.py', 'mine', 'too'],
  );
});

test('a restore of what somebody left whom the filter hides is a row of its own', async () => {
  const byCall: Change['cause'] = { kind: 'connection', who: [{ name: 'Ada', kind: 'person' }] };
  const restored = (revision: number, before: string, after: string): Change =>
    change(revision, 'Ada', 'a.py', { before, after, cause: byCall });
  const typed = [change(1, 'Ben', 'a.py', { before: 't', after: 'u' }), change(2, 'Ben', 'a.py', { before: 'u', after: 'v' })];
  const feed = await feedOf([...typed, restored(3, 'v', 't'), restored(4, 't', 'u')]);
  feed.setFilter({ without: new Set(['person:Ben']) });
  assert.deepEqual(
    feed.rows.value.map(({ key }) => key),
    ['r3', 'r4'],
  );
});

test('what a file is called now is known by the moves since', async () => {
  const feed = await feedOf([
    change(1, 'Ada', 'x/a.py'),
    change(2, 'Ada', 'y', { what: 'moved', from: 'x', kind: 'directory' }),
    change(3, 'Ada', 'y/b.py', { what: 'moved', from: 'y/a.py' }),
    change(4, 'Ada', 'x/a.py', { what: 'created' }),
  ]);
  assert.equal(feed.pathNow('x/a.py', 1), 'y/b.py');
  assert.equal(feed.pathNow('x/a.py', 4), 'x/a.py');
});
