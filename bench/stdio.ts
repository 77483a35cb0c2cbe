// The child of a desktop app: small reads over stdin and stdout beside a bare loop of NDJSON and readFile, then a rare identifier and an outline, as such a
// host asks for them. `node bench/stdio.ts [--rounds 5] [--seconds 3] [--tree DIR]`; searched is DIR, else the packages of this project.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { ourProgram } from './contenders.ts';
import { cpuMs, median, quantile, type Row, report } from './measure.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    tree: { type: 'string' },
    queries: { type: 'string', default: '50' },
  },
});
const rounds = Number(values.rounds);
const queries = Number(values.queries);
const tree = path.resolve(values.tree ?? path.join(import.meta.dirname, '..', 'node_modules'));
const rare = fs.existsSync(path.join(tree, 'Kconfig')) ? 'dup_mm_exe_file' : 'createSyncedCaretBroker';
const atOnce = 16;
const readGoal = 0.4;
const outlineLines = 5000;

interface Answer {
  id: string;
  ok: boolean;
  result?: Record<string, unknown>;
  error?: unknown;
}

/** A child that answers lines with lines. */
class LineChild {
  readonly pid: number;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<string, PromiseWithResolvers<Record<string, unknown>>>();
  #count = 0;

  constructor(args: readonly string[], env: Record<string, string>) {
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'], env: { PATH: process.env['PATH'], ...env } });
    this.pid = this.#child.pid ?? 0;
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { id, ok, result, error } = JSON.parse(line) as Answer;
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (ok) waiting?.resolve(result ?? {});
      else waiting?.reject(new Error(JSON.stringify(error)));
    });
  }

  ask(method: string, params: object): Promise<Record<string, unknown>> {
    const id = String(++this.#count);
    const waiting = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, waiting);
    this.#child.stdin.write(`${JSON.stringify({ id, method, params })}\n`);
    return waiting.promise;
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.stdin.end();
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(late);
  }
}

const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-stdio-'));
const root = path.join(folder, 'work');
fs.mkdirSync(root);
fs.writeFileSync(path.join(root, 'small.txt'), 'A line of a small file.\n'.repeat(50).slice(0, 1000));
fs.writeFileSync(path.join(root, 'large.tsx'), component(outlineLines));
const started: LineChild[] = [];
const rows: Row[] = [];
try {
  console.log(`stdio: ours ${ourProgram().says}, rounds ${rounds}`);
  const ours = ourChild(root, 'state');
  const bare = start([path.join(import.meta.dirname, 'peer-stdio.ts'), root]);
  const results = { ours: [] as Result[], bare: [] as Result[] };
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const)) {
      const result = await reads(name === 'ours' ? ours : bare);
      if (round >= 0) results[name].push(result);
    }
  }
  const of = (name: 'ours' | 'bare', key: keyof Result): number => median(results[name].map((result) => result[key]));
  for (const name of ['bare', 'ours'] as const)
    console.log(
      `${name.padEnd(5)} ${of(name, 'perSecond').toFixed(0)} reads/s, ${of(name, 'cpuUs').toFixed(0)} µs CPU a read, p50 of one at a time ${of(name, 'aloneMs').toFixed(2)} ms`,
    );
  const ratio = of('ours', 'perSecond') / of('bare', 'perSecond');
  rows.push({
    what: 'stdio: small reads',
    unit: '/s',
    ours: of('ours', 'perSecond'),
    peer: { name: 'bare NDJSON loop', value: of('bare', 'perSecond') },
    ratio,
    goal: `≥ ${readGoal}`,
    ok: ratio >= readGoal,
  });
  rows.push(await asked(ours, `outline of ${outlineLines} lines of TSX`, 20, 'outline', { path: 'large.tsx' }));
  const searching = ourChild(tree, 'tree-state');
  await searching.ask('index.wait', { timeoutMs: 600_000 });
  rows.push(await asked(searching, `rare identifier in ${path.basename(tree)}`, 3, 'search', { pattern: rare }));
} finally {
  await Promise.all(started.map((child) => child.stop()));
  fs.rmSync(folder, { recursive: true, force: true });
}
report(rows);

interface Result {
  perSecond: number;
  cpuUs: number;
  aloneMs: number;
}

function start(args: readonly string[]): LineChild {
  const child = new LineChild(args, { HOME: folder });
  started.push(child);
  return child;
}

function ourChild(of: string, state: string): LineChild {
  return start([ourProgram().file, 'stdio', '--root', of, '--state', path.join(folder, state)]);
}

async function reads(child: LineChild): Promise<Result> {
  const alone: number[] = [];
  for (let count = 0; count < 200; count++) {
    const begun = performance.now();
    await child.ask('readFile', { path: 'small.txt' });
    alone.push(performance.now() - begun);
  }
  const begun = performance.now();
  const until = begun + Number(values.seconds) * 1000;
  const before = cpuMs(child.pid);
  let count = 0;
  const reader = async (): Promise<void> => {
    for (; performance.now() < until; count++) await child.ask('readFile', { path: 'small.txt' });
  };
  await Promise.all(Array.from({ length: atOnce }, reader));
  const seconds = (performance.now() - begun) / 1000;
  return { perSecond: count / seconds, cpuUs: ((cpuMs(child.pid) - before) * 1000) / count, aloneMs: median(alone) };
}

/** p50 of one call after the other, the first ten left out. */
async function asked(child: LineChild, what: string, goalMs: number, method: string, params: object): Promise<Row> {
  const times: number[] = [];
  for (let count = 0; count < queries + 10; count++) {
    const begun = performance.now();
    await child.ask(method, params);
    if (count >= 10) times.push(performance.now() - begun);
  }
  console.log(`${what}: p50 ${median(times).toFixed(2)} ms, p95 ${quantile(times, 0.95).toFixed(2)} ms`);
  return { what: `stdio: ${what}, p50`, unit: 'ms', ours: median(times), goal: `≤ ${goalMs} ms`, ok: median(times) <= goalMs };
}

/** Components with props, hooks, handlers and markup, as people write them. */
function component(lines: number): string {
  const one = (index: number): string => `interface Props${index} {
  title: string;
  onPick?: (id: number) => void;
}

export function Panel${index}({ title, onPick }: Props${index}) {
  const [open, setOpen] = useState(false);
  const rows = useMemo(() => items.filter((item) => item.group === ${index}), [items]);
  const pick = (id: number) => {
    setOpen(false);
    onPick?.(id);
  };
  return (
    <section className="panel" aria-label={title}>
      <h2 onClick={() => setOpen(!open)}>{title} ({rows.length})</h2>
      {open && (
        <ul>
          {rows.map((row) => <li key={row.id} onClick={() => pick(row.id)}>{row.name}</li>)}
        </ul>
      )}
    </section>
  );
}
`;
  let text = "import { useMemo, useState } from 'react';\n\nconst items: { id: number; name: string; group: number }[] = [];\n\n";
  for (let index = 0; text.split('\n').length < lines; index++) text += `${one(index)}\n`;
  return text;
}
