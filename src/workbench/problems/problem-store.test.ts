import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import type { ProcessInfo } from '../../contract/processes.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { scriptedOutcome, scriptedStage } from '../../../test/kit/scripted-code.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { RunRecord } from '../run/run-record.ts';
import type { Problem } from './problem.ts';
import { ProblemStore } from './problem-store.ts';

const now = 1_800_000_000_000;

/** A sidecar with processes whose logs grow, and a folder with some files. */
function make(files: readonly string[] = ['a.py', 'src/b.py']) {
  const programs = signal<readonly ProcessInfo[]>([]);
  const current = signal<RunRecord | undefined>(undefined);
  const logs = new Map<string, string>();
  const asked: { id: string; from?: { stdout: number }; last?: number }[] = [];
  const stats: string[] = [];
  const link = { away: false };
  const call = async (name: string, input: { id: string; path: string; from?: { stdout: number }; last?: number }): Promise<unknown> => {
    if (name === 'files.stat') {
      if (link.away) throw Object.assign(new Error('The link is away.'), { reason: 'CONNECTION_LOST' });
      stats.push(input.path);
      return files.includes(input.path) ? { entry: { kind: 'file' } } : { exists: false };
    }
    asked.push(input);
    const log = logs.get(input.id) ?? '';
    const start = input.last === undefined ? (input.from?.stdout ?? 0) : Math.max(0, log.length - input.last);
    return {
      items: [{ stream: 'stdout', offset: start, text: log.slice(start) }],
      next: { stdout: log.length, stderr: 0 },
      ended: programs.value.find(({ id }) => id === input.id)?.state === 'ended',
    };
  };
  const store = new ProblemStore({
    client: { call } as unknown as WorkbenchClient,
    processes: { programs, get: (id) => programs.value.find((one) => one.id === id) },
    run: { current },
    now: () => now,
    drawn: () => Promise.resolve(),
    root: () => '/srv/w',
  });
  const says = (id: string, text: string, change: Partial<ProcessInfo> = {}): void => {
    logs.set(id, (logs.get(id) ?? '') + text);
    const { length } = logs.get(id) ?? '';
    const known = programs.value.find((one) => one.id === id);
    const output = { stdout: { end: length, lost: 0 }, stderr: { end: 0, lost: 0 } };
    const process = { id, title: id, path: '', host: 'local', state: 'running', startedAt: 1, ...known, ...change, output } as ProcessInfo;
    programs.value = [...programs.value.filter((one) => one.id !== id), process];
  };
  store.start();
  return { store, programs, current, logs, asked, stats, says, link };
}

function short({ severity, text, path, line, from }: Problem): string {
  return `${from.kind === 'run' ? 'run' : from.id} ${severity} ${path}:${line ?? '-'} ${text}`;
}

async function hold(store: ProblemStore, ...expected: string[]): Promise<void> {
  await eventually(() => assert.deepEqual(store.all.value.map(short), expected));
}

function record(path: string): RunRecord {
  return new RunRecord({ path, beside: [], title: path, firstLine: 1, language: 'Python', startedAt: now, drawn: () => Promise.resolve() });
}

test('what a process says of files that are there is kept as it grows, each once', async () => {
  const { store, says, asked } = make();
  says('lint', 'a.py:3:1: E501 too long\nsrc/b.py:2:');
  await hold(store, 'lint warning a.py:3 E501 too long');
  says('lint', '1: E501 too long\nnosuch.py:1:1: E501 too long\na.py:3:1: E501 too long\n/srv/w/a.py:1: error: no\n');
  await hold(store, 'lint error a.py:1 no', 'lint warning a.py:3 E501 too long', 'lint warning src/b.py:2 E501 too long');
  assert.deepEqual([store.errors.value, store.warnings.value], [1, 2]);
  // Only what is new was read.
  assert.deepEqual(asked[1]?.from, { stdout: 35, stderr: 0 });
});

test('a watch that says all anew, a new start and a removal take back what was said', async () => {
  const { store, programs, logs, says } = make();
  says('watch', 'a.py:1: error: one\na.py:2: error: two\n');
  await hold(store, 'watch error a.py:1 one', 'watch error a.py:2 two');
  says('watch', '\u001b[2J\u001b[3J\u001b[Ha.py:2: error: two\n');
  await hold(store, 'watch error a.py:2 two');
  says('watch', '10:00:00 - File change detected. Starting incremental compilation...\n');
  await hold(store);
  says('watch', 'a.py:4: error: four\n');
  await hold(store, 'watch error a.py:4 four');
  logs.set('watch', '');
  says('watch', 'a.py:5: error: five\n', { startedAt: 2 });
  await hold(store, 'watch error a.py:5 five');
  programs.value = [];
  await hold(store);
});

test('of one that is over the last line counts without its end; one that ended long ago is not read', async () => {
  const { store, says, asked } = make();
  says('old', 'a.py:1: error: old', { state: 'ended', endedAt: now - 3_600_000 });
  says('new', 'a.py:2: error: new', { state: 'ended', endedAt: now - 1_000 });
  await hold(store, 'new error a.py:2 new');
  says('new', '');
  await new Promise(setImmediate);
  assert.deepEqual(
    asked.map(({ id }) => id),
    ['new'],
  );
});

test('of much that came at once the end is read', async () => {
  const { store, says, asked } = make();
  says('server', 'a.py:1: error: first\n');
  await hold(store, 'server error a.py:1 first');
  says('server', `${'x'.repeat(200_000)}\na.py:2: error: last\n`);
  await hold(store, 'server error a.py:1 first', 'server error a.py:2 last');
  assert.equal(asked[1]?.last, 65_536);
});

test('who floods with problems is bounded, in what is kept and in what is asked', async () => {
  const { store, says, stats } = make();
  says('flood', Array.from({ length: 500 }, (_, at) => `a.py:${at + 1}: error: no\nx${at}.py:1: error: no\n`).join(''));
  await eventually(() => assert.equal(store.all.value.length, 200));
  // The newest are what is to be mended now.
  assert.equal(store.all.value.at(-1)?.line, 500);
  assert.ok(stats.length <= 30, `${stats.length} files were asked for`);
});

test('a run says what is wrong until the file is run again; what has its line nowhere is said of the file', async () => {
  const { store, current } = make();
  const failing = record('a.py');
  current.value = failing;
  failing.take({
    type: 'output',
    stage: 'run',
    stream: 'stderr',
    text: 'Traceback (most recent call last):\n  File "/mnt/data/code.py", line 4, in f\n',
  });
  failing.take({ type: 'output', stage: 'run', stream: 'stderr', text: 'ZeroDivisionError: division by zero\n' });
  assert.deepEqual(store.all.value, []);
  failing.end(scriptedOutcome({ exitCode: 1, program: scriptedStage({ exitCode: 1 }) }), now);
  await hold(store, 'run error a.py:4 ZeroDivisionError: division by zero');
  store.moved('a.py', 'c.py');
  await hold(store, 'run error c.py:4 ZeroDivisionError: division by zero');
  const other = record('src/b.py');
  current.value = other;
  other.end(scriptedOutcome({ exitCode: 3, program: scriptedStage({ exitCode: 3 }) }), now);
  await hold(store, 'run error c.py:4 ZeroDivisionError: division by zero', 'run error src/b.py:- Exited 3');
  store.removed('src');
  await hold(store, 'run error c.py:4 ZeroDivisionError: division by zero');
  const fine = record('c.py');
  current.value = fine;
  fine.end(scriptedOutcome(), now);
  await hold(store);
});

test('what a process said is not lost with a link that goes while its files are looked for', async () => {
  const { store, says, asked, link } = make();
  link.away = true;
  says('check', 'a.py:3:1: E501 too long\n', { state: 'ended', endedAt: now });
  await eventually(() => assert.equal(asked.length, 1));
  await new Promise(setImmediate);
  assert.deepEqual(store.all.value, []);
  link.away = false;
  // All of them are told again when it is back.
  says('check', '');
  await hold(store, 'check warning a.py:3 E501 too long');
});

test('what was cleared comes back when it is said again', async () => {
  const { store, says } = make();
  says('lint', 'a.py:3:1: E501 too long\n');
  await hold(store, 'lint warning a.py:3 E501 too long');
  store.clear();
  await hold(store);
  says('lint', 'a.py:3:1: E501 too long\n');
  await hold(store, 'lint warning a.py:3 E501 too long');
});
