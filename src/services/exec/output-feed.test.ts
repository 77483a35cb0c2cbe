import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodeItem } from '../../contract/code.ts';
import { OutputFeed } from './output-feed.ts';

const turn = (): Promise<void> => new Promise(setImmediate);

function flow(): { pause: () => void; resume: () => void; told: string[] } {
  const told: string[] = [];
  return { told, pause: () => void told.push('pause'), resume: () => void told.push('resume') };
}

test('a character that comes in two pieces is sent whole, and what never becomes one as U+FFFD', async () => {
  const items: CodeItem[] = [];
  const feed = new OutputFeed({ stage: 'run', emit: (item) => void items.push(item) });
  const [one, two] = [Buffer.from('aä').subarray(0, 2), Buffer.from('ä').subarray(1)];
  feed.push('stdout', one);
  feed.push('stderr', Buffer.from('e'));
  feed.push('stdout', two);
  feed.push('stdout', Buffer.from([0xc3]));
  await feed.end();
  assert.deepEqual(
    items.map((item) => item.type === 'output' && [item.stream, item.text]),
    [
      ['stdout', 'a'],
      ['stderr', 'e'],
      ['stdout', 'ä'],
      ['stdout', '\ufffd'],
    ],
  );
  assert.deepEqual(feed.bytes, { stdout: 4, stderr: 1 });
});

test('a mark of the byte order is sent as it came, wherever it stands', async () => {
  const texts: string[] = [];
  const feed = new OutputFeed({ stage: 'run', emit: (item) => void (item.type === 'output' && texts.push(item.text)) });
  for (const piece of [[0xef, 0xbb], [0xbf, 0x61], Buffer.from('\ufeff')]) feed.push('stdout', Buffer.from(piece));
  await feed.end();
  assert.deepEqual([texts.join(''), feed.bytes.stdout], ['\ufeffa\ufeff', 7]);
});

test('a caller that reads slowly holds the program back, by pieces of one byte as well, and lets it go again', async () => {
  for (const [size, most] of [
    [64 * 1024, 8],
    [1, 2000],
  ] as const) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const control = flow();
    const feed = new OutputFeed({ stage: 'run', emit: () => promise });
    feed.control(control);
    let count = 0;
    for (; control.told.length === 0 && count < 10_000; count++) feed.push('stdout', Buffer.alloc(size, 'x'));
    assert.ok(count <= most, `${count} pieces of ${size} bytes were taken`);
    resolve();
    await feed.end();
    assert.deepEqual(control.told, ['pause', 'resume']);
  }
});

test('a caller that takes no more does not hold the program back, and the end says why', async () => {
  const control = flow();
  const feed = new OutputFeed({ stage: 'run', emit: () => Promise.reject(new Error('gone')) });
  feed.control(control);
  for (let count = 0; count < 10; count++) feed.push('stdout', Buffer.alloc(100_000, 'x'));
  await turn();
  await turn();
  assert.equal(control.told.at(-1), 'resume');
  feed.push('stdout', Buffer.alloc(1_000_000, 'x'));
  assert.equal(control.told.at(-1), 'resume');
  await assert.rejects(feed.end(), /gone/);
});

test('what a filter keeps is not counted, and what it makes of it stands in its place', async () => {
  const items: CodeItem[] = [];
  const feed = new OutputFeed({
    stage: 'run',
    emit: (item) => void items.push(item),
    filter: (_, text, isLast) =>
      text === 'a[mark]b' ? ['a', { type: 'display', data: { 'text/plain': 'x' } }, 'b'] : isLast ? ['', 'held'] : [text],
  });
  feed.push('stdout', Buffer.from('a[mark]b'));
  await feed.end();
  assert.deepEqual(
    items.map((item) => (item.type === 'output' ? item.text : item.type)),
    ['a', 'display', 'b', 'held', 'held'],
  );
  assert.equal(feed.bytes.stdout, 6);
});
