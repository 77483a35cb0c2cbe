import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReportQueue } from './report-queue.ts';
import type { WatchReport } from './watch-protocol.ts';

const report = (path: string, hash: string | null, more: Partial<WatchReport> = {}): WatchReport => ({
  path,
  kind: 'file',
  what: hash === null ? 'removed' : 'present',
  size: 1,
  mtimeMs: 1,
  ino: 1,
  hash,
  offline: false,
  isNew: false,
  isCreated: false,
  ...more,
});

const show = ({ path, what, hash, from, folderIno, replaced }: WatchReport): string => {
  const also = [
    ['from', from],
    ['in', folderIno],
    ['for a', replaced],
  ].map(([word, value]) => (value === undefined ? '' : ` ${word} ${value}`));
  return `${what} ${path} ${hash ?? '-'}${also.join('')}`;
};

test('the newest report about a path takes the place of older ones', () => {
  const table: [name: string, added: WatchReport[], taken: string[]][] = [
    ['one path', [report('a', '1'), report('a', '2'), report('a', '3')], ['present a 3']],
    ['made and removed', [report('a', '1'), report('a', null)], ['removed a -']],
    ['a file for a folder', [report('a', null, { kind: 'directory' }), report('a', '1')], ['present a 1 for a directory']],
    [
      'a folder that was known, and one that nobody took yet, made way for files',
      ['a', 'b'].flatMap((name) => [
        report(name, '-', { kind: 'directory', isNew: name === 'b' }),
        report(name, '1', { replaced: 'directory' }),
      ]),
      ['present a 1 for a directory', 'present b 1'],
    ],
    [
      'a file for a folder, then changed',
      [report('a', null, { kind: 'directory' }), report('a', '1'), report('a', '2')],
      ['present a 2 for a directory'],
    ],
    ['order of the last word', [report('a', '1'), report('b', '1'), report('a', '2')], ['present b 1', 'present a 2']],
    ['renamed', [report('b', '1', { from: 'a' })], ['present b 1 from a']],
    ['changed, then renamed', [report('a', '1'), report('b', '1', { from: 'a' })], ['present b 1 from a']],
    ['renamed, then changed', [report('b', '1', { from: 'a' }), report('b', '2')], ['present b 2 from a']],
    [
      'renamed into a folder, then changed',
      [report('d/b', '1', { from: 'a', folderIno: 5 }), report('d/b', '2')],
      ['present d/b 2 from a in 5'],
    ],
    [
      'renamed into a folder, and into another',
      [report('d/b', '1', { from: 'a', folderIno: 5, isNew: true }), report('e/c', '1', { from: 'd/b', folderIno: 6 })],
      ['present e/c 1 from a in 6'],
    ],
    [
      'renamed in a folder, and back',
      [report('d/b', '1', { from: 'd/a', folderIno: 5, isNew: true }), report('d/a', '1', { from: 'd/b', folderIno: 5, isNew: true })],
      ['present d/a 1'],
    ],
    ['renamed, then replaced', [report('b', '1', { from: 'a' }), report('b', '2', { ino: 2 })], ['removed a -', 'present b 2']],
    ['renamed, then removed', [report('b', '1', { from: 'a' }), report('b', null)], ['removed a -', 'removed b -']],
    ['renamed, old name taken again', [report('b', '1', { from: 'a' }), report('a', '2')], ['present b 1 from a', 'present a 2']],
    [
      'renamed, old name taken again, then changed',
      [report('b', '1', { from: 'a' }), report('a', '2'), report('b', '3')],
      ['present a 2', 'present b 3'],
    ],
    ['renamed twice', [report('b', '1', { from: 'a', isNew: true }), report('c', '1', { from: 'b' })], ['present c 1 from a']],
    [
      'renamed over another, then on',
      [report('b', '1', { from: 'a' }), report('c', '1', { from: 'b' })],
      ['removed b -', 'present c 1 from a'],
    ],
    [
      'renamed twice, the first name taken again between',
      [report('b', '1', { from: 'a', isNew: true }), report('a', '2', { ino: 2 }), report('c', '1', { from: 'b' })],
      ['present a 2', 'present c 1'],
    ],
    ['renamed and back', [report('b', '1', { from: 'a', isNew: true }), report('a', '1', { from: 'b', isNew: true })], ['present a 1']],
    [
      'renamed over another, and back',
      [report('b', '1', { from: 'a' }), report('a', '1', { from: 'b', isNew: true })],
      ['removed b -', 'present a 1'],
    ],
    [
      'renamed, replaced by us, and renamed again',
      [report('b', '1', { from: 'a', isNew: true }), report('c', '2', { from: 'b', ino: 2 })],
      ['removed a -', 'present c 2 from b'],
    ],
    [
      'renamed, changed, and renamed again',
      [report('b', '1', { from: 'a', isNew: true }), report('b', '2'), report('c', '2', { from: 'b' })],
      ['present c 2 from a'],
    ],
    [
      'nothing crosses a renamed folder',
      [report('d/f', '1'), report('e', '-', { kind: 'directory', from: 'd' }), report('e/f', '2')],
      ['present d/f 1', 'present e - from d', 'present e/f 2'],
    ],
  ];
  for (const [name, added, taken] of table) {
    const queue = new ReportQueue();
    for (const each of added) queue.add(each);
    assert.deepEqual(queue.take(100).reports.map(show), taken, name);
    assert.equal(queue.size, 0, name);
  }
});

test('a barrier comes out after what was added before it, and what is added later does not replace that', () => {
  const queue = new ReportQueue();
  queue.add(report('a', '1'));
  queue.addBarrier(7);
  queue.add(report('a', '2'));
  assert.deepEqual([...queue.paths()], ['a', 'a']);
  assert.deepEqual(queue.take(1), { reports: [report('a', '1')], barriers: [] });
  assert.deepEqual(queue.take(1), { reports: [report('a', '2')], barriers: [7] });
  assert.equal(queue.borders, 0);
});

test('a hundred thousand changes of ten paths wait as ten reports', () => {
  const queue = new ReportQueue();
  for (let index = 0; index < 100_000; index++) queue.add(report(`f${index % 10}`, `${index}`));
  assert.equal(queue.size, 10);
});
