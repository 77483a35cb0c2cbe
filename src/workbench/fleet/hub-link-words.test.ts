import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hubLinkWords } from './hub-link-words.ts';

const start = new Date(2026, 10, 20, 10, 38).getTime();

test('a hub that does not answer is asked about after five seconds, a lost one after two', () => {
  const first = (ms: number) => hubLinkWords({ name: 'connecting' }, start, start + ms, false, 'hub:4000');
  assert.deepEqual([first(4000).chip, first(4000).notice], ['Connecting', undefined]);
  assert.equal(first(5000).notice?.title, 'Still connecting to hub:4000.');
  const lost = (ms: number) =>
    hubLinkWords({ name: 'reconnecting', since: start, retryAt: start + 6000 }, start, start + ms, true, 'hub:4000');
  assert.deepEqual([lost(1000).chip, lost(1000).notice], ['Reconnecting', undefined]);
  assert.equal(lost(2000).notice?.text, 'What you see is from then. Agents go on with the tasks that they have. Next try in 4 s.');
  assert.equal(
    hubLinkWords({ name: 'offline', since: start, retryAt: undefined }, start, start + 99_000, true, 'x').notice?.title,
    'Offline since 10:38.',
  );
  assert.equal(hubLinkWords({ name: 'live' }, start, start, true, 'x').chip, 'Live');
});
