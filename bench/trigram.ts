// The trigram index of a tree: how long it takes to build with one and two threads, how large it is, how much memory that takes, and how fast queries and
// changes are. Beside `cindex` of codesearch where it is on PATH. `node bench/trigram.ts --tree DIR [--rounds 3]`; the tree is only read.

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { rgPath } from '@vscode/ripgrep';
import { planQuery } from '../src/services/search/trigram/plan.ts';
import { TrigramIndex } from '../src/services/search/trigram/trigram-index.ts';
import { median, quantile, type Row, report } from './measure.ts';

const { values } = parseArgs({
  options: {
    tree: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    child: { type: 'string' },
    folder: { type: 'string' },
  },
});

const patterns: { says: string; pattern: string; regex?: boolean }[] = [
  { says: 'rare name', pattern: 'sched_fork' },
  { says: 'no match', pattern: 'no_such_name_anywhere' },
  { says: 'phrase', pattern: 'the quick brown fox' },
  { says: 'common name', pattern: 'copy_from_user' },
  { says: 'three names', pattern: 'vfs_fsync_range|sched_fork|do_exit_group', regex: true },
  { says: 'anchored', pattern: '^static int __init \\w+_module_init', regex: true },
  { says: 'suffix', pattern: '[A-Z]+_RESUME', regex: true },
  { says: 'optional letter', pattern: 'dev_?err', regex: true },
];
const maxFileBytes = 16 * 1024 * 1024;
const changes = 50;
const peerProgram = 'cindex';
/** A pattern is selective when it leaves at most this share of the files. */
const selectiveShare = 0.03;

interface Measured {
  buildMs: number;
  /** Above what the process had before the start: the list of files is not the index's. */
  peakMb: number;
  files: number;
  textBytes: number;
  indexBytes: number;
  residentBytes: number;
  restartMs: number;
  queries: { says: string; files: number | 'all'; ms: number }[];
  changeMs: number[];
}

if (values.tree === undefined) {
  console.error('Say which tree: node bench/trigram.ts --tree DIR');
  process.exitCode = 2;
} else if (values.child === undefined) await measureAll(path.resolve(values.tree), Math.max(1, Number(values.rounds)));
else await measureHere(path.resolve(values.tree), Number(values.child), values.folder as string);

async function measureAll(root: string, rounds: number): Promise<void> {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-bench-trigram-'));
  try {
    const results: Record<'1' | '2', Measured[]> = { 1: [], 2: [] };
    const peerMs: number[] = [];
    // In turns, so that a busy moment hits all of them. The first round fills the system's cache of the files and is not counted.
    for (let round = 0; round <= rounds; round++) {
      for (const threads of ['1', '2'] as const) {
        const measured = await measureInChild(root, threads, path.join(scratch, `segments-${threads}`));
        if (round > 0) results[threads].push(measured);
        console.log(`${threads} threads: ${measured.buildMs.toFixed(0)} ms, peak ${measured.peakMb.toFixed(0)} MB`);
      }
      const ms = cindex(root, path.join(scratch, 'codesearch'));
      if (ms !== null) console.log(`cindex: ${ms.toFixed(0)} ms`);
      if (ms !== null && round > 0) peerMs.push(ms);
    }
    print(results, peerMs);
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true });
  }
}

function print(results: Record<'1' | '2', Measured[]>, peerMs: readonly number[]): void {
  const last = results[2].at(-1) as Measured;
  const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
  const share = (100 * last.indexBytes) / last.textBytes;
  console.log(`\n${last.files} files, ${mb(last.textBytes)} of text, index ${mb(last.indexBytes)}, resident ${mb(last.residentBytes)}`);
  console.log('query                 candidates        ms');
  for (const { says, files, ms } of last.queries)
    console.log(`${says.padEnd(20)} ${String(files).padStart(11)} ${ms.toFixed(2).padStart(9)}`);
  const builds = (threads: '1' | '2'): number => median(results[threads].map(({ buildMs }) => buildMs));
  const selective = last.queries.filter(({ files }) => files !== 'all' && files <= selectiveShare * last.files).map(({ says }) => says);
  const timesOf = (says: string): number[] =>
    results[2].flatMap(({ queries }) => queries.filter((query) => query.says === says).map(({ ms }) => ms));
  const slowest = Math.max(...selective.map((says) => median(timesOf(says))));
  const peer = peerMs.length > 0 ? { name: 'cindex', value: median(peerMs) } : null;
  const built = (threads: '1' | '2', goal: number): Row => {
    const ours = builds(threads);
    const ratio = peer ? peer.value / ours : Number.NaN;
    const compared = peer ? { peer, ratio, goal: `≥ ${goal}`, ok: ratio >= goal } : { goal: '-', ok: true };
    return { what: `trigram: build with ${threads} thread${threads === '1' ? '' : 's'}`, unit: 'ms', ours, ...compared };
  };
  const within = (what: string, unit: string, ours: number, most: number): Row => ({
    what: `trigram: ${what}`,
    unit,
    ours,
    goal: `≤ ${most} ${unit}`,
    ok: ours <= most,
  });
  report([
    built('1', 1.25),
    built('2', 2.5),
    within('index, of the text', '%', share, 15),
    within('peak memory above the list of files, 2 threads', 'MB', median(results[2].map(({ peakMb }) => peakMb)), 300),
    within('restart, nothing changed', 'ms', median(results[2].map(({ restartMs }) => restartMs)), 1000),
    within('slowest selective query, p50', 'ms', slowest, 3),
    within('one changed file, p50', 'ms', quantile(last.changeMs, 0.5), 5),
    within('one changed file, p90', 'ms', quantile(last.changeMs, 0.9), 5),
  ]);
}

function measureInChild(root: string, threads: string, folder: string): Promise<Measured> {
  fs.rmSync(folder, { recursive: true, force: true });
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(import.meta.filename, ['--tree', root, '--child', threads, '--folder', folder]);
    let measured: Measured | null = null;
    child.on('message', (message) => {
      measured = message as Measured;
    });
    child.once('exit', (code, signal) =>
      measured ? resolve(measured) : reject(new Error(`The measuring process ended with ${code ?? signal}.`)),
    );
  });
}

async function measureHere(root: string, threads: number, folder: string): Promise<void> {
  const options = { root, folder, threads, maxFileBytes };
  const index = new TrigramIndex({ log: { info: () => {}, warn: console.error, error: console.error } }, options);
  const files = list(root);
  const beforeMb = process.resourceUsage().maxRSS / 1024;
  const { ms: buildMs } = await index.start(files);
  const peakMb = process.resourceUsage().maxRSS / 1024 - beforeMb;
  const status = index.status();
  const queries = patterns.map(({ says, pattern, regex = false }) => {
    const times: number[] = [];
    let found: ReturnType<TrigramIndex['candidates']> = 'all';
    for (let turn = 0; turn < 9; turn++) {
      const startedMs = performance.now();
      found = index.candidates(planQuery(pattern, { regex, caseSensitive: true, word: false, multiline: false }));
      times.push(performance.now() - startedMs);
    }
    return { says, files: found === 'all' ? found : found.files.length, ms: median(times) };
  });
  // Files of an ordinary size. That they are the same as before makes no difference: they are read again.
  const ordinary = files.filter(({ size }) => size > 5000 && size < 100_000);
  const changeMs: number[] = [];
  for (let turn = 0; turn < changes && ordinary.length > 0; turn++) {
    const { path: changed } = ordinary[Math.floor((turn * ordinary.length) / changes)] as { path: string };
    const startedMs = performance.now();
    await index.update([changed], []);
    changeMs.push(performance.now() - startedMs);
  }
  await index.stop();
  const again = new TrigramIndex({}, options);
  const { ms: restartMs } = await again.start(files);
  await again.stop();
  process.send?.({ buildMs, peakMb, ...status, restartMs, queries, changeMs } satisfies Measured);
}

/** The files that ripgrep would search. */
function list(root: string): { path: string; size: number; mtimeMs: number }[] {
  const names = execFileSync(rgPath, ['--files', '--null', './'], { cwd: root, maxBuffer: 2 ** 30, encoding: 'utf8' });
  return names.split('\0').flatMap((name) => {
    if (name === '') return [];
    const { size, mtimeMs } = fs.lstatSync(path.join(root, name));
    return [{ path: name.slice(2), size, mtimeMs }];
  });
}

/** Null where there is no cindex. */
function cindex(root: string, index: string): number | null {
  fs.rmSync(index, { force: true });
  const startedMs = performance.now();
  try {
    execFileSync(peerProgram, [root], { env: { ...process.env, CSEARCHINDEX: index }, stdio: 'ignore' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  return performance.now() - startedMs;
}
