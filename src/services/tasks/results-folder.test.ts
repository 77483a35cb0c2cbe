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
