import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { eventually } from '../../../test/kit/eventually.ts';
import { CandidateParts } from './candidate-parts.ts';
import type { Candidate } from './file-scan.ts';
import type { OnFound } from './ripgrep.ts';
import { ScanThread } from './scan-thread.ts';
import type { FromScan, ScanOrder, ToScan } from './scan-worker.ts';

const order: ScanOrder = {
  query: { pattern: 'needle', regex: false, caseSensitive: true, word: false, multiline: false, context: 0 },
  limits: { maxLineLength: 1000 },
  onlyAscii: false,
};
const never = new AbortController().signal;

/** Files that all match, each in so many lines. */
function folderOf(t: TestContext, { files, lines }: { files: number; lines: number }): { root: string; candidates: Candidate[] } {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-scan-'));
  t.after(() => fs.rmSync(root, { recursive: true, force: true }));
  const text = `a needle in a line\n`.repeat(lines);
  const candidates = Array.from({ length: files }, (_, number): Candidate => {
    const file = `file-${number}.txt`;
    fs.writeFileSync(path.join(root, file), text);
    const { size, mtimeMs } = fs.statSync(path.join(root, file));
    return { file, facts: { ascii: true, bom: false, binary: false, size, mtimeMs }, parts: undefined };
  });
  return { root, candidates };
}

function threadFor(t: TestContext, root: string): ScanThread {
  const thread = new ScanThread({ root });
  t.after(() => thread.stop());
  return thread;
}

function partsOf(candidates: readonly Candidate[], size = 10): CandidateParts {
  return new CandidateParts(candidates, size);
}

/** Counts matches by file. */
function counter(): { counts: Map<string, number>; found: OnFound } {
  const counts = new Map<string, number>();
  const found: OnFound = async ({ path: file }, matches) => {
    counts.set(file, (counts.get(file) ?? 0) + matches);
    return true;
  };
  return { counts, found };
}

test('a thread tells what is in all files, search after search, and leaves to ripgrep what is not as it is known', async (t) => {
  const { root, candidates } = folderOf(t, { files: 100, lines: 250 });
  fs.appendFileSync(path.join(root, 'file-7.txt'), 'changed since\n');
  const thread = threadFor(t, root);
  for (let search = 0; search < 3; search++) {
    const { counts, found } = counter();
    assert.deepEqual(await thread.search(order, partsOf(candidates), found, never), ['file-7.txt']);
    assert.deepEqual(counts, new Map(candidates.filter(({ file }) => file !== 'file-7.txt').map(({ file }) => [file, 250])));
    await eventually(() => !thread.isBusy);
  }
});

test('whoever wants no more, or takes it back, is let go at once, and the thread is there for the next (long form)', async (t) => {
  const { root, candidates } = folderOf(t, { files: 300, lines: 250 });
  const thread = threadFor(t, root);
  let told = 0;
  assert.equal(await thread.search(order, partsOf(candidates), async () => ++told < 3, never), undefined);
  assert.equal(told, 3);
  await eventually(() => !thread.isBusy);
  const canceled = new AbortController();
  const searching = thread.search(
    order,
    partsOf(candidates),
    async () => canceled.abort(new Error('taken back')) === undefined,
    canceled.signal,
  );
  await assert.rejects(searching, /taken back/);
  await eventually(() => !thread.isBusy);
  const failing = thread.search(order, partsOf(candidates), () => Promise.reject(new Error('the reader is gone')), never);
  await assert.rejects(failing, /the reader is gone/);
  await eventually(() => !thread.isBusy);
  const { counts, found } = counter();
  assert.deepEqual(await thread.search(order, partsOf(candidates), found, never), []);
  assert.equal(counts.size, 300);
});

test('what a thread that died did not get to is left to ripgrep, nothing is told twice, and the next search has another (long form)', async (t) => {
  const { root, candidates } = folderOf(t, { files: 1500, lines: 3 });
  const thread = threadFor(t, root);
  const { counts, found } = counter();
  const left = await thread.search(
    order,
    // More of them than it may tell before anybody listens.
    partsOf(candidates, 500),
    async (file, matches) => {
      if (counts.size === 5) await thread.crashForTest();
      return found(file, matches);
    },
    never,
  );
  const given = new Set([...counts.keys(), ...(left ?? [])]);
  assert.equal(given.size, counts.size + (left?.length ?? 0), 'no file is both told and left');
  assert.ok((left?.length ?? 0) > 100);
  assert.ok(given.size < 1500, 'a part that it was not given is there for others');
  assert.deepEqual([...new Set(counts.values())], [3]);
  await eventually(() => !thread.isBusy);
  const again = counter();
  assert.deepEqual(await thread.search(order, partsOf(candidates), again.found, never), []);
  assert.equal(again.counts.size, 1500);
});

test('a thread waits for who does not listen (long form)', async (t) => {
  const { root, candidates } = folderOf(t, { files: 400, lines: 400 });
  const worker = new Worker(new URL('./scan-worker.ts', import.meta.url), { workerData: { root }, execArgv: [] });
  t.after(() => worker.terminate());
  const heard: FromScan[] = [];
  worker.on('message', (message: FromScan) => heard.push(message));
  const tell = (message: ToScan): void => worker.postMessage(message);
  tell({ type: 'begin', order });
  tell({ type: 'files', candidates });
  await eventually(() => heard.length >= 8);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(heard.length, 8);
  tell({ type: 'heard' });
  await eventually(() => heard.length >= 9);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(heard.length, 9);
});
