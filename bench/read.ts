// Small files over HTTP: ours, with token, checks and a log line a call, beside a bare fastify route that reads the same file. Both are up at once and
// take turns; the load is autocannon with 16 connections. `node bench/read.ts [--rounds 5] [--seconds 4]`

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { benchToken, type Contender, ourProgram, startOurs, startPeer } from './contenders.ts';
import { cpuMs, median, type Row, report } from './measure.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    'node-args': { type: 'string', default: '' },
    'our-args': { type: 'string', default: '' },
  },
});
const goal = 0.55;
const size = 1000;
const connections = 16;
const cannon = path.join(path.dirname(new URL(import.meta.resolve('autocannon')).pathname), 'autocannon.js');

interface Way {
  name: string;
  contender: Contender;
  path: string;
  args: readonly string[];
  /** What it is compared with: the same method, bare. */
  peer?: Way;
}

interface Result {
  perSecond: number;
  cpuUs: number;
  p50: number;
  p99: number;
}

const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-read-'));
const started: Contender[] = [];
let rows: Row[] = [];
try {
  const ours = await startOurs(folder, { nodeArgs: values['node-args'], args: values['our-args'] });
  started.push(ours);
  fs.writeFileSync(path.join(ours.root, 'small.txt'), 'A line of a small file.\n'.repeat(size).slice(0, size));
  const bare = await startPeer('fastify', path.join(import.meta.dirname, 'peer-fastify.ts'), [ours.root], folder);
  started.push(bare);
  const token = ['-H', `authorization=Bearer ${benchToken}`];
  const json = ['-m', 'POST', '-H', 'content-type=application/json', '-b'];
  const bareGet: Way = { name: 'bare GET', contender: bare, path: '/files/small.txt', args: [] };
  const barePost: Way = { name: 'bare POST', contender: bare, path: '/read', args: [...json, '{"name":"small.txt"}'] };
  const ways: Way[] = [
    bareGet,
    barePost,
    { name: 'GET files.read', contender: ours, path: '/api/files.read?path=small.txt', args: token, peer: bareGet },
    {
      name: 'POST files.read',
      contender: ours,
      path: '/api/files.read',
      args: [...token, ...json, '{"path":"small.txt"}'],
      peer: barePost,
    },
    { name: 'GET files/{path}', contender: ours, path: '/api/files/small.txt', args: token, peer: bareGet },
  ];
  console.log(
    `read: ours ${ourProgram().says}, a file of ${size} bytes, ${connections} connections, rounds ${values.rounds}, ${values.seconds} s each`,
  );
  const results = await measure(ways.filter(({ name }) => name.includes(values.only)));
  rows = rowsOf(ways, results);
} finally {
  await Promise.all(started.map((contender) => contender.stop()));
  fs.rmSync(folder, { recursive: true, force: true });
}
report(rows);

async function measure(ways: readonly Way[]): Promise<Map<string, Result[]>> {
  const results = new Map<string, Result[]>(ways.map(({ name }) => [name, []]));
  // The first turn only warms up.
  for (let round = -1; round < Number(values.rounds); round++) {
    const first = (round + 1) % ways.length;
    for (const way of [...ways.slice(first), ...ways.slice(0, first)]) {
      const result = await shoot(way, round < 0 ? 2 : Number(values.seconds));
      if (round < 0) continue;
      results.get(way.name)?.push(result);
      console.log(
        `round ${round + 1} ${way.name.padEnd(18)} ${result.perSecond.toFixed(0)} requests/s, ${result.cpuUs.toFixed(0)} µs CPU, p50 ${result.p50} p99 ${result.p99} ms`,
      );
    }
  }
  return results;
}

async function shoot(way: Way, seconds: number): Promise<Result> {
  const { contender } = way;
  const before = cpuMs(contender.pid);
  const child = spawn(
    process.execPath,
    [cannon, '-j', '-c', String(connections), '-d', String(seconds), ...way.args, `http://127.0.0.1:${contender.port}${way.path}`],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  const cpu = cpuMs(contender.pid) - before;
  const found = JSON.parse(text) as {
    requests: { average: number; total: number };
    latency: { p50: number; p99: number };
    non2xx: number;
    errors: number;
  };
  if (found.non2xx + found.errors > 0) throw new Error(`${way.name}: ${found.non2xx} refusals, ${found.errors} errors`);
  return { perSecond: found.requests.average, cpuUs: (cpu * 1000) / found.requests.total, p50: found.latency.p50, p99: found.latency.p99 };
}

function rowsOf(ways: readonly Way[], results: ReadonlyMap<string, readonly Result[]>): Row[] {
  const of = (way: Way, value: (result: Result) => number): number => median((results.get(way.name) ?? []).map(value));
  const perSecond = (way: Way): number => of(way, (result) => result.perSecond);
  console.log(`\nmedians of ${values.rounds}`);
  for (const way of ways) {
    console.log(
      `  ${way.name.padEnd(18)} ${perSecond(way).toFixed(0)} requests/s, ${of(way, (result) => result.cpuUs).toFixed(0)} µs CPU a request`,
    );
  }
  console.log('');
  return ways.flatMap((way): Row[] => {
    const { peer } = way;
    if (peer === undefined || !results.has(peer.name) || !results.has(way.name)) return [];
    const ratio = perSecond(way) / perSecond(peer);
    const theirs = { name: `fastify, ${peer.name}`, value: perSecond(peer) };
    return [
      { what: `small file, ${way.name}`, unit: '1/s', ours: perSecond(way), peer: theirs, ratio, goal: `≥ ${goal}`, ok: ratio >= goal },
    ];
  });
}
