import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { test } from 'node:test';
import { isOverAfter } from '../../../test/kit/deadline.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { fails, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { plainWalk } from './catalogue.ts';
import { PlainSearch } from './plain-search.ts';

const MiB = 1024 * 1024;

/** Paths of files with a line that matches. */
async function find(plain: PlainSearch, pattern: string): Promise<string[]> {
  const files: string[] = [];
  const query = { pattern, regex: true, caseSensitive: true, word: false, multiline: false, context: 0 };
  const found = ({ path }: { path: string }): Promise<boolean> => Promise.resolve(files.push(path) > 0);
  await plain.search(query, plainWalk, { maxLineLength: 100 }, found, new AbortController().signal);
  return files;
}

test('an expression that is not done after a minute is ended', (t) =>
  withWorkspace(async (harness) => {
    harness.put('slow.txt', `${'a'.repeat(60)}!`);
    const plain = new PlainSearch(harness);
    t.mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const started = once(process, 'worker');
      const search = find(plain, '^(a+)+$');
      await started;
      await isOverAfter(t, 60_000, search);
      await fails('PROCESS_TIMEOUT', () => search);
    } finally {
      await plain.stop();
    }
  }));

test('a glob of many stars holds nobody up, and one that stands for too many is refused', () =>
  withWorkspace(async (harness) => {
    harness.put(`${'a'.repeat(60)}.txt`);
    const plain = new PlainSearch(harness);
    const { signal } = new AbortController();
    const started = threadMs();
    assert.deepEqual(await plain.files({ ...plainWalk, include: [`${'*a'.repeat(6)}*b`] }, signal), []);
    const took = threadMs() - started;
    assert.ok(took < 1000, `${took} ms`);
    for (const glob of ['{a,b}'.repeat(100), '{a', '[a'])
      await fails('BAD_PATTERN', () => plain.files({ ...plainWalk, exclude: [glob] }, signal));
  }));

test('a file of more than 128 MiB is left out, and the others are searched', () =>
  withWorkspace(async (harness) => {
    harness.put('small.txt', 'needle\n');
    const descriptor = fs.openSync(harness.at('large.txt'), 'w');
    const lines = Buffer.alloc(MiB, `${'x'.repeat(1023)}\n`);
    fs.writeSync(descriptor, 'needle\n');
    for (let size = 0; size < 128; size++) fs.writeSync(descriptor, lines);
    fs.closeSync(descriptor);
    assert.deepEqual(await find(new PlainSearch(harness), 'needle'), ['small.txt']);
  }));
