// How long from the start of the process to a listening port, how much memory it holds when nothing happens, and how long it takes to end after it ran a
// program: the bundle beside a bare node:http server, in turns. `npm run build && node bench/start.ts [rounds]`; goals: 3.5 times, 90 MB.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const idleMs = 3000;
const token = 'token-of-the-bench-of-starts-0123456789';
const rounds = Math.max(5, Number(process.argv[2] ?? 7));
const bundle = join(import.meta.dirname, '..', 'dist', 'outrigger.mjs');
if (!existsSync(bundle)) throw new Error('There is no bundle: npm run build');

const scratch = mkdtempSync(join(tmpdir(), 'outrigger-bench-start-'));
const workspace = join(scratch, 'workspace');
mkdirSync(workspace);
for (let index = 0; index < 100; index++) writeFileSync(join(workspace, `file-${index}.txt`), `${index}\n`);
const bare = join(scratch, 'bare.mjs');
writeFileSync(
  bare,
  `import { createServer } from 'node:http';
createServer((_request, response) => response.end('ok')).listen(0, '127.0.0.1', () => process.stderr.write('listening\\n'));`,
);

const contenders = {
  bare: { args: [bare], sign: 'listening' },
  ours: { args: [bundle, 'serve', workspace, '--port', '0'], sign: 'sidecar.listening' },
};
type Figure = 'ms' | 'mb' | 'stopMs';
const none = (): Record<Figure, number[]> => ({ ms: [], mb: [], stopMs: [] });
const figures = { bare: none(), ours: none() };

try {
  // The first start of each fills the caches of the system and the compile cache, as an image's or a laptop's second start finds them.
  for (let round = -1; round < rounds; round++) {
    for (const name of ['bare', 'ours'] as const) {
      const measured = await measure(contenders[name]);
      if (round < 0) continue;
      for (const figure of ['ms', 'mb', 'stopMs'] as const) figures[name][figure].push(measured[figure]);
    }
  }
  const of = (name: 'bare' | 'ours', what: Figure): number => median(figures[name][what]);
  const row = (name: 'bare' | 'ours'): string =>
    `${name.padEnd(6)} ${of(name, 'ms').toFixed(0).padStart(5)} ms (${Math.min(...figures[name].ms).toFixed(0)}–${Math.max(...figures[name].ms).toFixed(0)})  ${of(name, 'mb').toFixed(1)} MB idle  ${of(name, 'stopMs').toFixed(0)} ms to its end`;
  console.log(
    `to listening, then resident after ${idleMs / 1000} s idle, then from SIGTERM to the end; medians of ${rounds} rounds in turns\n${row('bare')}\n${row('ours')}`,
  );
  console.log(`ratio  ${(of('ours', 'ms') / of('bare', 'ms')).toFixed(2)}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function measure({ args, sign }: { args: string[]; sign: string }): Promise<Record<Figure, number>> {
  const env = { PATH: process.env['PATH'], HOME: scratch, NODE_COMPILE_CACHE: join(scratch, 'compile'), OUTRIGGER_TOKEN: token };
  const begun = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const said = listen(child, sign);
  await said.sign;
  const ms = performance.now() - begun;
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  if (child.exitCode !== null || child.signalCode !== null)
    throw new Error(`ended with ${child.exitCode ?? child.signalCode} by itself: ${said.text()}`);
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const mb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  const url = /"url":"([^"]+)"/.exec(said.text())?.[1];
  if (url !== undefined) await runProgram(url);
  const ended = once(child, 'exit');
  const stopped = performance.now();
  child.kill('SIGTERM');
  await ended;
  return { ms, mb, stopMs: performance.now() - stopped };
}

async function runProgram(url: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/api/processes.run`, { method: 'POST', headers, body: JSON.stringify({ argv: ['true'] }) });
  if (!answer.ok) throw new Error(await answer.text());
  await answer.text();
}

/** `sign` is kept when it has said that. */
function listen(child: ChildProcess, expected: string): { sign: Promise<void>; text: () => string } {
  let text = '';
  const sign = new Promise<void>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes(expected)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
  return { sign, text: () => text };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
