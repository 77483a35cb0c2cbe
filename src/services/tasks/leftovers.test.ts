import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { realTimers } from '../../../test/kit/task-harness.ts';
import { Leftovers } from './leftovers.ts';
import { ResultsFolder } from './results-folder.ts';
import { TaskQueue } from './task-queue.ts';

test('late results of the last hundred tasks are put aside, and those of older ones stay where they are', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-leftovers-'));
  try {
    const queue = new TaskQueue(new DatabaseSync(':memory:'), realTimers);
    await queue.write(() => {
      for (let at = 1; at <= 101; at++) queue.remember({ id: `t${at}`, generation: 1, end: 'cancelled', at, description: 'd' });
    });
    const results = new ResultsFolder(path.join(folder, 'results'));
    const state = { folder, removeFile: () => assert.fail('there is none') };
    const leftovers = new Leftovers({ state, queue, results, held: new Map(), now: () => 5, log: () => {} });
    /** Ids of those that stay, of these that come late. */
    const late = (...ids: string[]): string[] => {
      for (const id of ids) fs.writeFileSync(results.resultFile(id), '{}');
      leftovers.archive();
      return results.names();
    };
    assert.deepEqual(late('t1', 't2', 't101'), ['t1']);
    assert.deepEqual(fs.readdirSync(path.join(results.folder, 'late')).sort(), ['t101-1-5.json', 't2-1-5.json']);
    // One more is over.
    leftovers.add('t102', 1);
    assert.deepEqual(late('t2', 't3', 't102').sort(), ['t1', 't2']);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
