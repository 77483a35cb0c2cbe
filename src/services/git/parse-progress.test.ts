import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProgress, ProgressReader } from './parse-progress.ts';
import { ProgressFeed } from './progress-feed.ts';

test('a line of progress is read, and what else git says is not taken for one', () => {
  const table: [string, ReturnType<typeof parseProgress>][] = [
    ['Receiving objects:  45% (9/20), 1.20 MiB | 3.00 MiB/s', { phase: 'Receiving objects', done: 9, total: 20, percent: 45 }],
    ['remote: Counting objects: 100% (5/5), done.', { phase: 'Counting objects', done: 5, total: 5, percent: 100 }],
    ['remote: Enumerating objects: 12, done.', { phase: 'Enumerating objects', done: 12, total: null, percent: null }],
    ['Writing objects: 7', { phase: 'Writing objects', done: 7, total: null, percent: null }],
    ['Resolving deltas:   0% (0/3)   ', { phase: 'Resolving deltas', done: 0, total: 3, percent: 0 }],
    ['fatal: Authentication failed', undefined],
    ['remote: Total 5 (delta 0), reused 0 (delta 0)', undefined],
    ["Cloning into 'x'...", undefined],
    ['Port: 80 is taken', undefined],
    ['', undefined],
  ];
  for (const [line, expected] of table) assert.deepEqual(parseProgress(line), expected, line);
});

test('pieces may end anywhere, and a line that never ends is not kept', () => {
  const text = 'Receiving objects:  50% (1/2)\rReceiving objects: 100% (2/2), done.\nResolving deltas: 100% (1/1)\r';
  for (let size = 1; size < text.length; size++) {
    const reader = new ProgressReader();
    const found: string[] = [];
    for (let at = 0; at < text.length; at += size)
      found.push(...reader.add(text.slice(at, at + size)).map(({ phase, percent }) => `${phase} ${percent}`));
    assert.deepEqual(found, ['Receiving objects 50', 'Receiving objects 100', 'Resolving deltas 100'], `${size} at a time`);
  }
  const reader = new ProgressReader();
  for (let at = 0; at < 10; at++) assert.deepEqual(reader.add('x'.repeat(100_000)), []);
  assert.deepEqual(reader.add('\nReceiving objects: 1\n').length, 1);
});

test('a slow listener gets the newest of each phase, and the last', async () => {
  const heard: string[] = [];
  const gates: (() => void)[] = [];
  const feed = new ProgressFeed(({ phase, done }) => {
    heard.push(`${phase} ${done}`);
    return new Promise((resolve) => gates.push(resolve));
  });
  for (let done = 1; done <= 100; done++) feed.add(Buffer.from(`Receiving objects: ${done}% (${done}/100)\r`));
  feed.add(Buffer.from('Resolving deltas: 100% (4/4)\r'));
  const letters = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index));
  for (const one of letters) for (const other of letters) feed.add(Buffer.from(`remote: Made up ${one}${other}: 1\r`));
  const ended = feed.end();
  while (heard.length < 21 || gates.length > 0) {
    gates.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  assert.deepEqual(heard.slice(0, 4), ['Receiving objects 1', 'Receiving objects 100', 'Resolving deltas 4', 'Made up aa 1']);
  assert.equal(heard.length, 21, 'of what the other side makes up, not everything is kept');
});

test('a listener who is gone stops nothing', async () => {
  const feed = new ProgressFeed(() => Promise.reject(new Error('gone')));
  feed.add(Buffer.from('Receiving objects: 1\rResolving deltas: 2\r'));
  await feed.end();
  feed.add(Buffer.from('Receiving objects: 3\r'));
  await feed.end();
});
