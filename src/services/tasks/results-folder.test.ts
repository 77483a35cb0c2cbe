import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { ResultsFolder } from './results-folder.ts';

test('of late results the newest thousand are kept, and what else lies beside them', () =>
  withScratchFolder('results', (_folder, root) => {
    const results = new ResultsFolder(root);
    const late = path.join(root, 'late');
    fs.mkdirSync(late);
    fs.writeFileSync(path.join(late, 'notes.txt'), '');
    // As tasks come: neither in the order of their ids, nor in that of their files.
    for (let at = 1; at <= 1002; at++) results.archiveOutcome(`t${5000 - at}`, 1, at, {});
    const there = new Set(fs.readdirSync(late));
    assert.deepEqual(
      [there.size, there.has('notes.txt'), there.has('t4998-1-2.json'), there.has('t4997-1-3.json'), there.has('t3998-1-1002.json')],
      [1001, true, false, true, true],
    );
  }));

/** Of the end of a task that the hub was told of at that time, seconds since 1970. */
function toldAt(results: ResultsFolder, id: string, at: number, ending: '.reason.txt' | '.whole.json', bytes = 0): void {
  const file = results.resultFile(id).replace(/\.json$/, ending);
  fs.writeFileSync(file, '');
  fs.truncateSync(file, bytes);
  fs.utimesSync(file, at, at);
}

test('of what was too long for the hub a thousand files are kept, the newest and those of results that wait for its word', () =>
  withScratchFolder('results', (_folder, root) => {
    const results = new ResultsFolder(root);
    for (const name of ['result.json', 'notes.txt', 't.started']) fs.writeFileSync(path.join(root, name), '{}');
    // As tasks come: neither in the order of their ids, nor in that of their files.
    for (let at = 1; at <= 1001; at++) toldAt(results, `t/${5000 - at}`, at, at % 2 === 0 ? '.reason.txt' : '.whole.json');
    const waiting = ['t/4999', 't/4997', 'new'];
    const file = results.keepWhole('new', '.reason.txt', 'why', () => waiting);
    assert.equal(fs.readFileSync(file, 'utf8'), 'why');
    const left = fs.readdirSync(root);
    const isLeft = (at: number): boolean => left.some((name) => name.startsWith(`t_${5000 - at}-`));
    assert.equal(left.length, 1003);
    assert.deepEqual([1, 2, 3, 4, 5, 1001].map(isLeft), [true, false, true, false, true, true]);
    for (const name of ['result.json', 'notes.txt', 't.started', 'new.reason.txt']) assert.ok(left.includes(name), name);
  }));

test('of what was too long for the hub a gigabyte is kept, the newest and what waits for its word', () =>
  withScratchFolder('results', (_folder, root) => {
    const results = new ResultsFolder(root);
    for (let at = 1; at <= 20; at++) toldAt(results, `t${at}`, at, '.whole.json', 60 * 1024 * 1024);
    results.keepWhole('new', '.whole.json', '{}', () => ['new', 't1']);
    const left = fs.readdirSync(root).flatMap((name) => (name === 'new.whole.json' ? [] : [Number(/^t(\d+)/.exec(name)?.[1])]));
    assert.deepEqual(
      left.toSorted((a, b) => a - b),
      [1, ...Array.from({ length: 16 }, (_, at) => at + 5)],
    );
  }));

test('a result is never taken for what was too long of another one', () =>
  withScratchFolder('results', (_folder, root) => {
    const results = new ResultsFolder(root);
    results.keepWhole('t', '.whole.json', '{"status":"success"}', () => ['t']);
    assert.deepEqual(results.read('t.whole'), { unfinished: undefined });
  }));

test('of late results that take more than a gigabyte the newest are kept', () =>
  withScratchFolder('results', (_folder, root) => {
    const results = new ResultsFolder(root);
    const late = path.join(root, 'late');
    for (let at = 1; at <= 20; at++) {
      // That much in name alone.
      fs.writeFileSync(results.resultFile('t'), '');
      fs.truncateSync(results.resultFile('t'), 60 * 1024 * 1024);
      assert.ok(results.archive('t', at, at));
    }
    const kept = fs.readdirSync(late).map((name) => Number(/-(\d+)\.json$/.exec(name)?.[1]));
    assert.deepEqual(
      kept.toSorted((a, b) => a - b),
      Array.from({ length: 17 }, (_, at) => at + 4),
    );
  }));
