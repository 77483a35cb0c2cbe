import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { buildSegments } from './build-segments.ts';

interface Built {
  indexed: number[];
  missing: number[];
  unreadable: number[];
  unwritten: number[];
  deaths: number;
  started: number;
  segments: string[];
}

async function build(
  files: number,
  threads: number,
  onThread: (thread: Worker, count: number) => void,
  signal?: AbortSignal,
): Promise<Built> {
  const scratch = mkdtempSync(join(tmpdir(), 'trigram-build-'));
  const root = join(scratch, 'root');
  const folder = join(scratch, 'segments');
  mkdirSync(root);
  mkdirSync(folder);
  const built: Built = { indexed: [], missing: [], unreadable: [], unwritten: [], deaths: 0, started: 0, segments: [] };
  try {
    const paths = Array.from({ length: files }, (_, number) => `${number}.txt`);
    for (const path of paths) writeFileSync(join(root, path), `content of ${path}`);
    mkdirSync(join(root, 'folder'));
    paths.push('gone.txt', 'folder');
    const settings = { root, folder, maxFileBytes: 10_000, partBytes: 64 * 1024, sequence: 1, name: 'build' };
    const handlers = {
      onSegment: ({ numbers }: { numbers: number[] }) => void built.indexed.push(...numbers),
      onMissing: (numbers: readonly number[]) => void built.missing.push(...numbers),
      onUnreadable: (numbers: readonly number[]) => void built.unreadable.push(...numbers),
      onUnwritten: (numbers: readonly number[]) => void built.unwritten.push(...numbers),
      onThreadDied: () => void built.deaths++,
      onThread: (thread: Worker) => onThread(thread, ++built.started),
    };
    await buildSegments(paths, threads, settings, handlers, signal);
    built.segments = readdirSync(folder);
    return built;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const ascending = (numbers: number[]): number[] => numbers.toSorted((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

test('every file is told once, by several threads', async () => {
  const { indexed, missing, unreadable, segments, started } = await build(2000, 2, () => {});
  assert.deepEqual(ascending(indexed), upTo(2000));
  assert.deepEqual({ missing, unreadable }, { missing: [2000], unreadable: [2001] });
  assert.equal(started, 2);
  assert.ok(segments.length >= 1 && segments.length <= 2);
});

test('a thread that dies is replaced by another, which takes its files (long form)', async () => {
  const { indexed, missing, unreadable, deaths } = await build(2000, 2, (thread, count) => {
    if (count === 1) thread.once('message', () => void thread.terminate());
  });
  assert.equal(deaths, 1);
  assert.deepEqual(ascending(indexed), upTo(2000));
  assert.deepEqual([...new Set(missing)], [2000]);
  assert.deepEqual([...new Set(unreadable)], [2001]);
});

test('files whose threads die twice are left unread, and the build ends (long form)', async () => {
  const { indexed, missing, unreadable, deaths } = await build(1000, 1, (thread) => void thread.terminate());
  assert.ok(deaths >= 2);
  assert.deepEqual(indexed, []);
  assert.deepEqual(missing, []);
  assert.deepEqual(ascending(unreadable), upTo(1002));
});

test('an aborted build rejects with the reason, and its threads end (long form)', async () => {
  const abort = new AbortController();
  const threads: Promise<unknown>[] = [];
  const built = build(
    3000,
    2,
    (thread) => {
      threads.push(new Promise((resolve) => thread.once('exit', resolve)));
      thread.once('message', () => abort.abort(new Error('enough')));
    },
    abort.signal,
  );
  await assert.rejects(built, /enough/);
  assert.equal(threads.length, 2);
  await Promise.all(threads);
  await assert.rejects(
    build(1, 1, () => {}, abort.signal),
    /enough/,
  );
});
