import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LinkFacts, linkWords } from './link-words.ts';

const start = new Date(2026, 10, 20, 10, 38).getTime();
const facts = (more: Partial<LinkFacts>): LinkFacts => ({
  link: { name: 'live' },
  since: start,
  now: start,
  wasLive: true,
  waiting: { edits: 0, documents: 0 },
  back: undefined,
  readOnly: false,
  address: 'localhost:3000',
  ...more,
});

test('a first connection shows nothing, then its shape, then a question', () => {
  const at = (ms: number) => linkWords(facts({ link: { name: 'connecting' }, wasLive: false, now: start + ms }));
  assert.deepEqual([at(100).skeleton, at(100).notice], [false, undefined]);
  assert.deepEqual([at(200).skeleton, at(200).notice], [true, undefined]);
  assert.equal(at(5000).notice?.title, 'Still connecting to localhost:3000.');
});

test('a lost link says nothing for two seconds, then how many edits wait and when it tries again', () => {
  const at = (ms: number) =>
    linkWords(
      facts({ link: { name: 'reconnecting', since: start, retryAt: start + 6000 }, now: start + ms, waiting: { edits: 3, documents: 1 } }),
    );
  assert.equal(at(1000).notice, undefined);
  assert.equal(at(1000).chip, '3 unsynced');
  assert.equal(at(2000).notice?.text, 'Keep typing: 3 edits wait here and are sent when the link is back. Next try in 4 s.');
});

test('offline says since when, what is kept and what can be done', () => {
  const words = linkWords(
    facts({ link: { name: 'offline', since: start, retryAt: undefined }, now: start + 90_000, waiting: { edits: 27, documents: 2 } }),
  );
  assert.equal(words.chip, 'Offline · 27');
  assert.equal(words.notice?.title, 'Offline since 10:38.');
  assert.match(words.notice?.text ?? '', /27 edits in 2 documents are kept in this browser\./);
  assert.deepEqual(words.notice?.actions, ['try', 'copy']);
});

test('a link that is back says once what was sent', () => {
  const at = (ms: number) => linkWords(facts({ back: { at: start, edits: 27 }, now: start + ms }));
  assert.equal(at(100).chip, 'Live · 27 edits sent');
  assert.equal(at(10_000).chip, 'Live');
});

test('who can only read is not told to type', () => {
  for (const name of ['reconnecting', 'offline'] as const) {
    const { notice } = linkWords(facts({ link: { name, since: start, retryAt: undefined }, now: start + 90_000, readOnly: true }));
    assert.match(notice?.text ?? '', /^What is open can be read on\. /);
  }
});

test('one edit is one edit', () => {
  const words = linkWords(
    facts({ link: { name: 'reconnecting', since: start, retryAt: undefined }, now: start + 3000, waiting: { edits: 1, documents: 1 } }),
  );
  assert.equal(words.notice?.text, 'Keep typing: 1 edit waits here and is sent when the link is back. Trying now.');
});
