// Searching a large folder: ours, asked over its WebSocket, beside ripgrep started for each query. Both in turns, warm, to the same number of lines.
// Where Debian's codesearch is on PATH, csearch has its turn too, for the queries that it can express; its lines are counted and not compared.
// `node bench/search.ts --tree DIR [--rounds 7]`; without a tree, the packages of this project.

import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { rgPath } from '@vscode/ripgrep';
import { type Client, createClient } from '../src/client/client.ts';
import type { Operations } from '../src/contract/operations.ts';
import { benchToken, ourProgram, startOurs } from './contenders.ts';
import { median, quantile, type Row, report } from './measure.ts';

interface Query {
  name: string;
  pattern: string;
  regex?: boolean;
  caseSensitive?: boolean;
  word?: boolean;
}

const { values } = parseArgs({
  options: { tree: { type: 'string' }, rounds: { type: 'string', default: '7' }, 'keep-state': { type: 'string' } },
});
const run = promisify(execFile);
const rounds = Number(values.rounds);
const tree = fs.realpathSync(values.tree ?? path.join(import.meta.dirname, '..', 'node_modules'));
const isKernel = fs.existsSync(path.join(tree, 'Kconfig'));
const queries: Query[] = isKernel
  ? [
      { name: 'rare identifier', pattern: 'kmem_cache_init_late' },
      { name: 'rare, in huge headers', pattern: 'dup_mm_exe_file' },
      { name: 'rare, mixed case', pattern: 'CONFIG_SCHED_AUTOGROUP' },
      { name: 'no match', pattern: 'zzz_no_such_identifier' },
      { name: 'rare phrase', pattern: 'GNU General Public License as published' },
      { name: 'literal, any case', pattern: 'mutex_destroy', caseSensitive: false },
      { name: 'alternation', pattern: 'kmemleak_scan|dup_task_struct|vmalloc_to_pfn', regex: true },
      { name: 'anchored', pattern: '^static void __exit_mm', regex: true },
      { name: 'prefix of a literal', pattern: 'copy_process\\w+', regex: true },
      { name: 'whole word', pattern: 'fork_init', word: true },
      { name: 'common identifier', pattern: 'copy_from_user' },
      { name: 'suffix', pattern: '[A-Z]+_RESUME', regex: true },
      { name: 'nothing to narrow', pattern: '\\w\\(\\)', regex: true },
    ]
  : [
      { name: 'rare identifier', pattern: 'createRelativePositionFromTypeIndex' },
      { name: 'rare message', pattern: 'cannot be used as a JSX component' },
      { name: 'no match', pattern: 'zzz_no_such_identifier' },
      { name: 'identifier', pattern: 'readyState' },
      { name: 'option of a compiler', pattern: 'noImplicitAny' },
      { name: 'literal, any case', pattern: 'websocketserver', caseSensitive: false },
      { name: 'message, any case', pattern: 'unexpected token', caseSensitive: false },
      { name: 'alternation', pattern: 'ECONNREFUSED|ECONNRESET|ETIMEDOUT', regex: true },
      { name: 'marks of work to do', pattern: 'TODO|FIXME|XXX', regex: true },
      { name: 'anchored', pattern: '^export default function', regex: true },
      { name: 'prefix of a literal', pattern: 'createServer\\w+', regex: true },
      { name: 'middle left open', pattern: 'use[A-Z]\\w+Effect', regex: true },
      { name: 'call with a quote', pattern: 'require\\(["\']node:fs["\']\\)', regex: true },
      { name: 'whole word', pattern: 'awareness', word: true },
      { name: 'whole word, common', pattern: 'resolve', word: true },
      { name: 'common identifier', pattern: 'hasOwnProperty' },
      { name: 'very common word', pattern: 'Promise' },
      { name: 'common, any case', pattern: 'deprecated', caseSensitive: false },
      { name: 'suffix', pattern: '[A-Z]+_ERROR', regex: true },
      { name: 'declarations', pattern: 'function\\s+\\w+\\(', regex: true },
      { name: 'nothing to narrow', pattern: '\\w\\(\\)', regex: true },
    ];
const most = 10_000;
const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-search-'));
const rows: Row[] = [];
try {
  console.log(`search in ${tree}: ours ${ourProgram().says}, rounds ${rounds}`);
  let ours = await startOurs(folder, { root: tree, args: '--watch-ignore **/.git' });
  let client = createClient<Operations>({ url: `http://127.0.0.1:${ours.port}`, token: benchToken });
  const cold = await untilReady(client);
  const { files, textBytes, indexBytes } = await client.call('index.status', {});
  console.log(
    `first start: ready for search after ${(cold / 1000).toFixed(1)} s; ${files} files, ${mb(textBytes)} MB of text, index ${mb(indexBytes)} MB (${((indexBytes / textBytes) * 100).toFixed(1)} %), RSS ${rss(ours.pid)} MB`,
  );
  client.close();
  await ours.stop();
  // What it said of itself is read from its log.
  fs.rmSync(path.join(folder, 'ours.log'));
  ours = await startOurs(folder, { root: tree, args: '--watch-ignore **/.git' });
  client = createClient<Operations>({ url: `http://127.0.0.1:${ours.port}`, token: benchToken });
  console.log(`second start: ready for search after ${((await untilReady(client)) / 1000).toFixed(1)} s, RSS ${rss(ours.pid)} MB\n`);
  const codesearch = indexForCsearch();
  console.log('                          ours p50      p95  ripgrep p50   ratio   lines   read  how    csearch p50');
  for (const query of queries) rows.push(...(await measure(client, query, codesearch)));
  rows.push(await measureFuzzy(client));
  rows.push(await measureFreshness(client));
  client.close();
  await ours.stop();
  rows.push(await measureLoop());
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
report(rows);

async function untilReady(client: Client<Operations>): Promise<number> {
  const started = performance.now();
  await client.call('index.wait', { timeoutMs: 600_000 });
  return performance.now() - started;
}

async function measure(client: Client<Operations>, query: Query, codesearch: string | undefined): Promise<Row[]> {
  const times: { ours: number[]; theirs: number[]; csearch: number[] } = { ours: [], theirs: [], csearch: [] };
  let lines = 0;
  let searched: number | undefined;
  let engine = '';
  for (let round = -1; round < rounds; round++) {
    const started = performance.now();
    const { name: _name, ...question } = query;
    const stream = client.stream('search.text', { ...question, maxResults: most });
    for await (const _ of stream);
    const end = await stream.end;
    const between = performance.now();
    const theirs = await ripgrep(query);
    const after = performance.now();
    // It knows no whole words.
    const csearched = codesearch === undefined || query.word === true ? undefined : await csearch(codesearch, query);
    if (Math.min(theirs, most) !== end.matches) throw new Error(`${query.name}: ours ${end.matches} lines, ripgrep ${theirs}`);
    ({ matches: lines, engine } = end);
    ({ searched } = end);
    if (round < 0) continue;
    times.ours.push(between - started);
    times.theirs.push(after - between);
    if (csearched !== undefined) times.csearch.push(csearched);
  }
  const ours = median(times.ours);
  const theirs = median(times.theirs);
  const ratio = theirs / ours;
  console.log(
    `${query.name.padEnd(24)} ${ours.toFixed(1).padStart(8)} ${quantile(times.ours, 0.95).toFixed(1).padStart(8)} ${theirs.toFixed(1).padStart(12)} ${ratio.toFixed(1).padStart(7)} ${String(lines).padStart(7)} ${String(searched ?? '-').padStart(6)}  ${engine.padEnd(5)} ${times.csearch.length === 0 ? '' : median(times.csearch).toFixed(1).padStart(11)}`,
  );
  const isRareLiteral =
    searched !== undefined && searched <= 60 && query.regex !== true && query.caseSensitive !== false && query.word !== true;
  const goal = isRareLiteral
    ? 100
    : searched !== undefined && searched <= 600
      ? 10
      : searched !== undefined && searched <= 4000
        ? 4
        : undefined;
  const ok = goal === undefined ? ours <= theirs * 1.2 + 20 : ratio >= goal;
  const row: Row = {
    what: `search: ${query.name}`,
    unit: 'ms',
    ours,
    peer: { name: 'ripgrep', value: theirs },
    ratio,
    goal: goal === undefined ? '≤ 1.2× + 20 ms' : `≥ ${goal}`,
    ok,
  };
  if (times.csearch.length === 0) return [row];
  const peer = { name: 'csearch', value: median(times.csearch) };
  return [row, { what: row.what, unit: 'ms', ours, peer, ratio: peer.value / ours, goal: '≥ 1', ok: ours <= peer.value }];
}

/** The file of csearch's index; undefined where it is not installed. */
function indexForCsearch(): string | undefined {
  const file = path.join(folder, 'csearch-index');
  try {
    execFileSync('cindex', [tree], { env: { ...process.env, CSEARCHINDEX: file }, stdio: 'ignore' });
    return file;
  } catch {
    console.log('csearch is not on PATH (Debian: apt-get install codesearch), and is left out');
    return undefined;
  }
}

/** Milliseconds. */
async function csearch(file: string, { pattern, regex, caseSensitive }: Query): Promise<number> {
  const expression = regex === true ? pattern : pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const args = ['-n', ...(caseSensitive === false ? ['-i'] : []), expression];
  const started = performance.now();
  await run('csearch', args, { env: { ...process.env, CSEARCHINDEX: file }, maxBuffer: 1 << 30 }).catch((error: unknown) => error);
  return performance.now() - started;
}

/** Lines that it finds. */
async function ripgrep({ pattern, regex, caseSensitive, word }: Query): Promise<number> {
  const args = [
    '--json',
    '--no-config',
    ...(regex ? [] : ['-F']),
    caseSensitive === false ? '-i' : '-s',
    ...(word ? ['-w'] : []),
    '-e',
    pattern,
    './',
  ];
  const { stdout } = await run(rgPath, args, { cwd: tree, maxBuffer: 1 << 30 }).catch((error: { stdout: string }) => error);
  let lines = 0;
  for (let at = stdout.indexOf('{"type":"match"'); at >= 0; at = stdout.indexOf('{"type":"match"', at + 1)) lines++;
  return lines;
}

async function measureFuzzy(client: Client<Operations>): Promise<Row> {
  const times: number[] = [];
  for (const query of ['forkc', 'schedcore', 'readme', 'drvnet', 'mmslab', 'idx'].flatMap((each) => Array(rounds).fill(each) as string[])) {
    const started = performance.now();
    await client.call('search.files', { query, limit: 100 });
    times.push(performance.now() - started);
  }
  const ours = median(times.slice(rounds));
  return { what: 'search: paths by their letters', unit: 'ms', ours, goal: '≤ 15 ms', ok: ours <= 15 };
}

/** From the event of a change to the answer that holds it. */
async function measureFreshness(client: Client<Operations>): Promise<Row> {
  const times: number[] = [];
  const file = 'outrigger-bench-changed.txt';
  try {
    for (let round = 0; round < 20; round++) {
      const { revision } = await client.call('files.write', { path: file, text: `changed_in_round_${round}\n` });
      const started = performance.now();
      await client.call('index.wait', { revision });
      times.push(performance.now() - started);
    }
  } finally {
    await client.call('files.remove', { path: file });
  }
  const ours = median(times);
  return { what: 'search: a changed file can be found', unit: 'ms', ours, goal: '≤ 20 ms', ok: ours <= 20 };
}

/** How long the sidecar lets others wait while a JavaScript engine is caught in an expression (there is no ripgrep then). */
async function measureLoop(): Promise<Row> {
  const root = path.join(folder, 'caught');
  const state = path.join(folder, 'caught-state');
  fs.mkdirSync(root);
  fs.mkdirSync(state);
  fs.writeFileSync(path.join(root, 'a.txt'), `${'a'.repeat(64)}b\n`);
  const ours = await startOurs(state, { root, args: '--search-ripgrep /none/rg' });
  const client = createClient<Operations>({ url: `http://127.0.0.1:${ours.port}`, token: benchToken });
  try {
    await client.call('system.info', {});
    const canceled = new AbortController();
    const stream = client.stream('search.text', { pattern: '(a+)+$', regex: true }, { signal: canceled.signal });
    stream.end.catch(() => undefined);
    const times: number[] = [];
    for (const until = performance.now() + 3000; performance.now() < until; ) {
      const started = performance.now();
      await client.call('system.info', {});
      times.push(performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    canceled.abort();
    const worst = Math.max(...times);
    return { what: 'search: longest wait beside a caught expression', unit: 'ms', ours: worst, goal: '≤ 50 ms', ok: worst <= 50 };
  } finally {
    client.close();
    await ours.stop();
  }
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

function rss(pid: number): string {
  const kb = /VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return (Number(kb) / 1024).toFixed(0);
}
