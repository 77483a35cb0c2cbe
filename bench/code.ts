// Code runs: isolation beside a bare spawn, what is warm beside what is cold, recompiling, runs a second, and whole requests beside a runner
// that starts `sh -c "compile && run"` for each. `node bench/code.ts [--rounds 30] [--seconds 5]`

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createClient } from '../src/client/client.ts';
import type { CodeOutcome } from '../src/contract/code.ts';
import type { Operations } from '../src/contract/operations.ts';
import { LadderSandbox } from '../src/services/exec/isolation/ladder.ts';
import { languages } from '../src/services/exec/languages.ts';
import { defaultLimits } from '../src/services/exec/limits.ts';
import { Processes } from '../src/services/processes/processes.ts';
import { benchToken, ourProgram, startOurs, startPeer } from './contenders.ts';
import { median, quantile, type Row, report } from './measure.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' }, seconds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
/** Calls after which a sidecar is no longer one that has just started. */
const worked = 500;
/** Sources of a compiled language, each run twice. */
const compiledRounds = 5;
/** So often one follows the other, where each is asked for some seconds. */
const requestTurns = 5;
const hello = "print('hello')\n";
const rows: Row[] = [];
const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-code-'));
fs.chmodSync(folder, 0o711);
const stops: (() => Promise<unknown>)[] = [];
const least = (what: string, unit: string, ours: number, goal: number, peer?: Row['peer']): void =>
  void rows.push({
    what,
    unit,
    ours,
    ...(peer === undefined ? {} : { peer, ratio: ours / peer.value }),
    goal: `≥ ${goal}`,
    ok: ours >= goal,
  });
/** `most` is of ours over the peer. */
const times = (what: string, ours: number, name: string, value: number, most: number): void =>
  void rows.push({ what, unit: 'ms', ours, peer: { name, value }, ratio: ours / value, goal: `≤ ${most}×`, ok: ours / value <= most });

try {
  console.log(`code: ours ${ourProgram().says}, ${rounds} rounds in turns`);
  await isolation();
  const ours = await startOurs(folder, { args: '--code-at-once 4' });
  stops.push(() => ours.stop());
  // In one that keeps nothing warm, each is started for its run.
  const coldFolder = path.join(folder, 'cold');
  fs.mkdirSync(coldFolder, { mode: 0o711 });
  const cold = await startOurs(coldFolder, { args: '--code-at-once 4 --code-warm 0' });
  stops.push(() => cold.stop());
  await runs(ours.port, cold.port);
  const peer = await startPeer('runner', path.join(import.meta.dirname, 'peer-runner.ts'), [], folder);
  stops.push(() => peer.stop());
  await requests(ours.port, peer.port);
} finally {
  for (const stop of stops.reverse()) await stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
report(rows);

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Each in turn, after one round that only warms up. */
async function inTurns<Name extends string>(ways: Record<Name, () => Promise<unknown>>, count = rounds): Promise<Record<Name, number>> {
  const found = Object.fromEntries(Object.keys(ways).map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -1; round < count; round++)
    for (const name of Object.keys(ways) as Name[]) {
      const ms = await timed(ways[name]);
      if (round >= 0) found[name].push(ms);
    }
  return Object.fromEntries(Object.entries<number[]>(found).map(([name, list]) => [name, median(list)])) as Record<Name, number>;
}

async function bare(argv: readonly [string, ...string[]], cwd: string): Promise<void> {
  const [program, ...args] = argv;
  const child = spawn(program, args, { cwd, env: { PATH: '/usr/bin:/bin', HOME: '/tmp' }, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  await once(child, 'close');
}

async function isolation(): Promise<void> {
  const scratch = path.join(folder, 'ladder');
  const work = path.join(scratch, 'work');
  fs.mkdirSync(work, { recursive: true, mode: 0o711 });
  fs.writeFileSync(path.join(work, 'code.py'), hello);
  const processes = new Processes({ env: process.env });
  const launcher = path.join(import.meta.dirname, '..', 'dist', 'bin', 'outrigger-launcher');
  const ladder = new LadderSandbox(
    {
      launcher,
      find: (name, options) => processes.find(name, options),
      searchPath: process.env['PATH'],
      now: () => performance.now(),
      log: () => {},
    },
    { scratch },
  );
  const opened = await ladder.open();
  console.log(`rung ${opened.isolation.rung} (${opened.isolation.name}), as ${process.getuid?.() === 0 ? 'root' : 'a user'}`);
  const at = (rung: number) => async (): Promise<void> => {
    const program = await ladder.startAt(rung, {
      argv: ['/usr/bin/python3', `${rung === 3 ? '/mnt/data' : work}/code.py`],
      env: { PATH: '/usr/bin:/bin', HOME: '/tmp' },
      folder: work,
      readable: [],
      limits: defaultLimits,
      memoryMethod: 'address-space',
      network: false,
      keepStdinOpen: false,
      signal: new AbortController().signal,
      onOutput: () => {},
    });
    const end = await program.end;
    if (end.exitCode !== 0) throw new Error(`rung ${rung}: ${JSON.stringify(end)}`);
  };
  const found = await inTurns({
    bare: () => bare(['/usr/bin/python3', 'code.py'], work),
    rung2: at(Math.min(2, opened.isolation.rung)),
    rung3: at(opened.isolation.rung),
  });
  times('python hello, landlock', found.rung2, 'bare spawn', found.bare, 1.1);
  times(`python hello, ${opened.isolation.name}`, found.rung3, 'bare spawn', found.bare, 1.6);
  await ladder.stop();
}

async function runs(port: number, coldPort: number): Promise<void> {
  const client = createClient<Operations>({ url: `http://127.0.0.1:${port}`, token: benchToken });
  const coldClient = createClient<Operations>({ url: `http://127.0.0.1:${coldPort}`, token: benchToken });
  const run = async (language: string, code: string, more: object = {}, one = client): Promise<CodeOutcome> => {
    const stream = one.stream('code.run', { language, code, ...more });
    for await (const _ of stream);
    const end = await stream.end;
    if (end.exitCode !== 0) throw new Error(`${language}: ${JSON.stringify(end)}`);
    return end;
  };
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 120));
  const work = path.join(folder, 'bare');
  fs.mkdirSync(work);
  fs.writeFileSync(path.join(work, 'code.py'), hello);
  fs.writeFileSync(path.join(work, 'code.js'), "console.log('hello');\n");
  const cold = (language: string, code: string) => async (): Promise<void> => {
    const { used } = await run(language, code, {}, coldClient);
    if (used.interpreter !== 'cold') throw new Error(`a run of ${language} was ${used.interpreter}`);
  };
  const warm = async (language: string, code: string): Promise<number> => {
    const list: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await pause();
      const ms = await timed(async () => {
        const { used } = await run(language, code);
        if (used.interpreter !== 'warm' && round > 1) throw new Error(`round ${round} was ${used.interpreter}`);
      });
      if (round > 1) list.push(ms);
    }
    return median(list);
  };
  const { session } = await run('py', 'x = 1', { keepState: true });
  const inSession = (): Promise<CodeOutcome> => run('py', 'x += 1', { session, keepState: true });
  const young = await inTurns({ cold: cold('py', hello), live: inSession });
  times('python in a live session, after a start', young.live, 'cold', young.cold, 0.1);
  // An engine compiles what it has run often: what follows is of sidecars that have been at work.
  for (let count = 0; count < worked; count++) await inSession();
  for (let count = 0; count < worked / 5; count++) await run('py', hello, {}, coldClient);
  const python = await inTurns({ bare: () => bare(['/usr/bin/python3', 'code.py'], work) });
  times('python hello, warm', await warm('py', hello), 'bare spawn', python.bare, 0.45);
  const js = await inTurns({
    cold: cold('js', "console.log('hello');\n"),
    ts: cold('ts', "const a: string = 'hello';\nconsole.log(a);\n"),
  });
  times('javascript hello, warm', await warm('js', "console.log('hello');\n"), 'cold', js.cold, 0.12);
  times('typescript hello', js.ts, 'javascript', js.cold, 1.15);
  const live = await inTurns({ cold: cold('py', hello), live: inSession });
  times('python in a live session', live.live, 'cold', live.cold, 0.1);

  for (const code of ['cpp', 'rs', 'go', 'd']) {
    const language = languages.find((one) => one.code === code);
    if (language === undefined) continue;
    const [wholes, agains]: [number[], number[]] = [[], []];
    for (let round = 0; round < compiledRounds; round++) {
      const source = `${language.sample}\n// ${Math.random()}\n`;
      const first = await run(code, source);
      wholes.push((first.compile?.wallMs ?? 0) + (first.program?.wallMs ?? 0));
      agains.push(await timed(() => run(code, source)));
    }
    times(`${code}: compiled already, the whole run`, median(agains), 'compiled and run', median(wholes), 0.05);
  }
  const java = languages.find((one) => one.code === 'java');
  if (java !== undefined) {
    fs.writeFileSync(path.join(work, 'Code.java'), java.sample);
    const found = await inTurns(
      {
        plain: async () => {
          await bare(['/usr/bin/javac', 'Code.java'], work);
          await bare(['/usr/bin/java', 'Code'], work);
        },
        ours: () => run('java', `${java.sample}// ${Math.random()}\n`),
      },
      6,
    );
    times('java hello', found.ours, 'javac && java', found.plain, 0.6);
  }

  let done = 0;
  const until = performance.now() + seconds * 1000;
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (performance.now() < until) {
        await run('py', hello);
        done++;
      }
    }),
  );
  least('single-use isolated Python, a core', '/s', done / ((performance.now() - begun) / 1000) / os.availableParallelism(), 70);

  let worst = 0;
  for (const [language, code] of [
    ['py', 'while True: pass\n'],
    ['js', 'for (;;);\n'],
    ['bash', 'sleep 100 & sleep 100 & wait\n'],
  ] as const) {
    const stream = client.stream('code.run', { language, code, limits: { wallMs: 500 } });
    for await (const _ of stream);
    const { program } = await stream.end;
    worst = Math.max(worst, (program?.wallMs ?? Number.POSITIVE_INFINITY) - 500);
  }
  rows.push({ what: 'the tree is dead after its limit', unit: 'ms', ours: worst, goal: '≤ 200', ok: worst <= 200 });

  const leaving: number[] = [];
  for (let count = 0; count < 10; count++) {
    // What is started sees the time it sleeps for in its arguments, as we do from outside.
    const mark = `100.${process.pid}${count}`;
    const going = new AbortController();
    const stream = client.stream(
      'code.run',
      {
        language: 'bash',
        code: `sleep ${mark} & sleep ${mark}
`,
      },
      { signal: going.signal },
    );
    const over = (async () => {
      for await (const _ of stream);
    })().catch(() => {});
    while (programsWith(mark) < 2) await wait(5);
    const begun = performance.now();
    going.abort();
    while (programsWith(mark) > 0) await wait(1);
    leaving.push(performance.now() - begun);
    await over;
  }
  const slowest = Math.max(...leaving);
  rows.push({
    what: 'the tree is dead after its client went, the slowest of ten',
    unit: 'ms',
    ours: slowest,
    goal: '≤ 200',
    ok: slowest <= 200,
  });
  client.close();
  coldClient.close();
}

function programsWith(argument: string): number {
  return fs.readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument);
    } catch {
      return false;
    }
  }).length;
}

async function requests(oursPort: number, peerPort: number): Promise<void> {
  const ask = async (port: number, address: string, headers: Record<string, string>, body: object): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${port}${address}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok || !text.includes('hello')) throw new Error(`${response.status} ${text.slice(0, 300)}`);
  };
  const ours = (): Promise<void> =>
    ask(
      oursPort,
      '/api/code.run',
      { authorization: `Bearer ${benchToken}`, accept: 'application/x-ndjson' },
      { language: 'py', code: hello },
    );
  const peer = (): Promise<void> => ask(peerPort, '/', {}, { language: 'py', code: hello });
  const taking = async (atOnce: number, one: () => Promise<void>, forMs: number): Promise<number[]> => {
    const taken: number[] = [];
    const until = performance.now() + forMs;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        while (performance.now() < until) taken.push(await timed(one));
      }),
    );
    return taken;
  };
  const load = async (atOnce: number, one: () => Promise<void>): Promise<{ perSecond: number; p50: number; p99: number }> => {
    const begun = performance.now();
    const taken = await taking(atOnce, one, seconds * 1000);
    return { perSecond: (taken.length * 1000) / (performance.now() - begun), p50: median(taken), p99: quantile(taken, 0.99) };
  };
  const [our, their]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < requestTurns; turn++) {
    our.push(...(await taking(1, ours, (seconds * 1000) / requestTurns)));
    their.push(...(await taking(1, peer, (seconds * 1000) / requestTurns)));
  }
  rows.push({ what: 'hello over HTTP, 1 at once, p50', unit: 'ms', ours: median(our), goal: '≤ 7', ok: median(our) <= 7 });
  times('the same beside sh -c (goal: a third)', median(our), 'runner', median(their), 1 / 3);
  const full = await load(4, ours);
  for (const atOnce of [10, 50]) {
    const many = await load(atOnce, ours);
    const share = many.perSecond / full.perSecond;
    rows.push({ what: `${atOnce} at once, throughput over that of 4`, unit: '×', ours: share, goal: '≥ 0.85', ok: share >= 0.85 });
    const spread = many.p99 / many.p50;
    rows.push({
      what: `${atOnce} at once, p99 / p50 (p50 ${many.p50.toFixed(0)} ms)`,
      unit: '×',
      ours: spread,
      goal: '≤ 3',
      ok: spread <= 3,
    });
  }
}
