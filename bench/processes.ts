// Programs that are started: the first byte at a client beside a bare spawn, a flood of output beside a bare pipe, the echo of a terminal, and for
// how long a start holds the event loop.
// `node bench/processes.ts [--rounds 60] [--megabytes 1000] [--floods 5]`

import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Client, createClient } from '../src/client/client.ts';
import type { Operations } from '../src/contract/operations.ts';
import { nativeProgram } from '../src/services/processes/native-program.ts';
import { ProgramStarter } from '../src/services/processes/program-starter.ts';
import { benchToken, ourProgram, startOurs } from './contenders.ts';
import { median, quantile, type Row, report } from './measure.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    megabytes: { type: 'string', default: '1000' },
    floods: { type: 'string', default: '5' },
  },
});
const rounds = Number(values.rounds);
const bytes = Number(values.megabytes) * 1_000_000;
const floods = Number(values.floods);
const firstByteGoalMs = 3;
const echoGoalMs = 5;
const flood: [string, ...string[]] = ['head', '-c', String(bytes), '/dev/zero'];

const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-processes-'));
const rows: Row[] = [];
try {
  const ours = await startOurs(folder);
  const client = createClient<Operations>({ url: `http://127.0.0.1:${ours.port}`, token: benchToken });
  await client.call('system.info', {});
  console.log(`processes: ours ${ourProgram().says}, ${rounds} starts, ${floods} floods of ${values.megabytes} MB`);
  rows.push(await measureStarts(client));
  rows.push(...(await measureFloods(client, ours.pid)));
  rows.push(await measureEcho(client));
  client.close();
  await ours.stop();
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
// At last: what this process has grown to makes each spawn of it dearer, that of the peer too.
rows.push(...(await measureHold()));
report(rows);

async function measureStarts(client: Client<Operations>): Promise<Row> {
  const times = { ours: [] as number[], bare: [] as number[] };
  for (let round = -5; round < rounds; round++) {
    const bare = await firstByteOfSpawn();
    const started = performance.now();
    const stream = client.stream('processes.run', { argv: ['echo', 'x'] });
    let ours = Number.NaN;
    for await (const _ of stream) ours = Number.isNaN(ours) ? performance.now() - started : ours;
    await stream.end;
    if (round < 0) continue;
    times.ours.push(ours);
    times.bare.push(bare);
  }
  const [ours, bare] = [median(times.ours), median(times.bare)];
  console.log(`first byte: ours ${ours.toFixed(2)} ms (p95 ${quantile(times.ours, 0.95).toFixed(2)}), bare ${bare.toFixed(2)} ms`);
  return {
    what: 'start to first byte at a client',
    unit: 'ms',
    ours,
    peer: { name: 'spawn', value: bare },
    ratio: bare / ours,
    goal: `≤ bare + ${firstByteGoalMs}`,
    ok: ours <= bare + firstByteGoalMs,
  };
}

/** For how long nothing else is done in a process that starts a program, by how much memory it has: by its launcher, and by Node's spawn. */
async function measureHold(): Promise<Row[]> {
  const ballast: Buffer[] = [];
  const found: Row[] = [];
  for (const megabytes of [0, 50, 100, 300]) {
    while (ballast.length < megabytes) ballast.push(Buffer.alloc(1 << 20, 1));
    const bySpawn = await heldMs(new ProgramStarter());
    const ours = await heldMs(new ProgramStarter({ launcher: nativeProgram('outrigger-launcher') }));
    const resident = Math.round(process.memoryUsage().rss / 1e6);
    found.push({
      what: `a start holds the event loop, ${resident} MB`,
      unit: 'ms',
      ours,
      peer: { name: 'spawn', value: bySpawn },
      ratio: bySpawn / ours,
      goal: '–',
      ok: true,
    });
  }
  return found;
}

/** The median of the longest turns, from each start to its end. */
async function heldMs(starter: ProgramStarter): Promise<number> {
  const longest: number[] = [];
  for (let round = -5; round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    let [worst, last, goesOn] = [0, performance.now(), true];
    const turn = (): void => {
      const now = performance.now();
      worst = Math.max(worst, now - last);
      last = now;
      if (goesOn) setImmediate(turn);
    };
    setImmediate(turn);
    const { stdin, stdout, stderr, exit } = await starter.start({ file: '/bin/true', argv: ['true'], cwd: '/', env: {} });
    for (const output of [stdout, stderr]) output.on('data', () => {});
    stdin.end();
    await exit;
    goesOn = false;
    if (round >= 0) longest.push(worst);
  }
  starter.close();
  return median(longest);
}

function firstByteOfSpawn(): Promise<number> {
  const started = performance.now();
  const child = spawn('echo', ['x'], { stdio: ['ignore', 'pipe', 'ignore'] });
  return new Promise((resolve) => child.stdout.once('data', () => resolve(performance.now() - started)));
}

/** A gigabyte, first with nobody there, then with somebody who runs it and gets every byte as JSON over the WebSocket, which holds it back. */
async function measureFloods(client: Client<Operations>, pid: number): Promise<Row[]> {
  const times = { ours: [] as number[], bare: [] as number[], followed: [] as number[] };
  const before = residentMb(pid);
  const most = { alone: before, followed: before };
  const sampled = async (key: keyof typeof most, work: () => Promise<number>): Promise<number> => {
    const sampling = setInterval(() => (most[key] = Math.max(most[key], residentMb(pid))), 20);
    try {
      return await work();
    } finally {
      clearInterval(sampling);
    }
  };
  for (let round = -1; round < floods; round++) {
    const bare = await floodOfSpawn();
    const ours = await sampled('alone', async () => {
      const { process } = await client.call('processes.start', { argv: flood });
      const ended = await client.call('processes.wait', { id: process.id, timeoutMs: 600_000 });
      if (ended.process.output.stdout.end !== bytes) throw new Error(`${ended.process.output.stdout.end} bytes were counted`);
      return (ended.process.endedAt ?? Number.NaN) - ended.process.startedAt;
    });
    if (round < 0) continue;
    times.ours.push(ours);
    times.bare.push(bare);
  }
  times.followed.push(
    await sampled('followed', async () => {
      const started = performance.now();
      const stream = client.stream('processes.run', { argv: flood, encoding: 'base64', waitMs: 600_000 });
      let seen = 0;
      for await (const { base64 = '' } of stream) seen += Buffer.byteLength(base64, 'base64');
      if (seen !== bytes) throw new Error(`${seen} bytes arrived`);
      return performance.now() - started;
    }),
  );
  const speed = (list: readonly number[]): number => bytes / 1e6 / (median(list) / 1000);
  const [ours, bare, followed] = [speed(times.ours), speed(times.bare), speed(times.followed)];
  const [alone, whileFollowed] = [most.alone - before, most.followed - before];
  return [
    {
      what: 'output of a program, kept with nobody there',
      unit: 'MB/s',
      ours,
      peer: { name: 'pipe', value: bare },
      ratio: ours / bare,
      goal: '≥ 0.5×',
      ok: ours >= bare * 0.5,
    },
    { what: 'memory meanwhile', unit: 'MB', ours: alone, goal: '≤ 64', ok: alone <= 64 },
    {
      what: 'the same, every byte over the WebSocket',
      unit: 'MB/s',
      ours: followed,
      peer: { name: 'pipe', value: bare },
      ratio: followed / bare,
      goal: '–',
      ok: true,
    },
    { what: 'memory meanwhile', unit: 'MB', ours: whileFollowed, goal: '≤ 64', ok: whileFollowed <= 64 },
  ];
}

function floodOfSpawn(): Promise<number> {
  const started = performance.now();
  const [program, ...args] = flood;
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  child.stdout.on('data', () => {});
  return new Promise((resolve) => child.once('close', () => resolve(performance.now() - started)));
}

async function measureEcho(client: Client<Operations>): Promise<Row> {
  const { terminal } = await client.call('terminals.open', { argv: ['cat'] });
  const times: number[] = [];
  let heard: (() => void) | undefined;
  const leaving = new AbortController();
  const stream = client.stream('terminals.attach', { id: terminal.id }, { signal: leaving.signal });
  const reading = (async () => {
    for await (const { type } of stream) if (type === 'output') heard?.();
  })().catch(() => {});
  stream.end.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (let round = -5; round < rounds; round++) {
    const started = performance.now();
    const echo = new Promise<void>((resolve) => (heard = resolve));
    await Promise.all([echo, client.call('terminals.input', { id: terminal.id, text: 'x' })]);
    if (round >= 0) times.push(performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  leaving.abort();
  await reading;
  await client.call('terminals.close', { id: terminal.id });
  const ours = median(times);
  console.log(`echo of a terminal: p50 ${ours.toFixed(2)} ms, p95 ${quantile(times, 0.95).toFixed(2)} ms`);
  return { what: 'echo of a terminal', unit: 'ms', ours, goal: `≤ ${echoGoalMs}`, ok: ours <= echoGoalMs };
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}
