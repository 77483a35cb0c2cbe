// How long from the start of the process to a listening port, and how much memory it holds when nothing happens: the bundle
// beside a bare node:http server, in turns. `npm run build && node bench/start.ts [rounds]`; goals: 3.5 times, 90 MB.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';

const idleMs = 3000;
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
const figures = { bare: { ms: [] as number[], mb: [] as number[] }, ours: { ms: [] as number[], mb: [] as number[] } };

try {
  // The first start of each fills the caches of the system and the compile cache, as an image's or a laptop's second start finds them.
  for (let round = -1; round < rounds; round++) {
    for (const name of ['bare', 'ours'] as const) {
      const { ms, mb } = await measure(contenders[name]);
      if (round < 0) continue;
      figures[name].ms.push(ms);
      figures[name].mb.push(mb);
    }
  }
  const of = (name: 'bare' | 'ours', what: 'ms' | 'mb'): number => median(figures[name][what]);
  const row = (name: 'bare' | 'ours'): string =>
    `${name.padEnd(6)} ${of(name, 'ms').toFixed(0).padStart(5)} ms (${Math.min(...figures[name].ms).toFixed(0)}–${Math.max(...figures[name].ms).toFixed(0)})  ${of(name, 'mb').toFixed(1)} MB idle`;
  console.log(
    `to listening, then resident after ${idleMs / 1000} s idle; medians of ${rounds} rounds in turns\n${row('bare')}\n${row('ours')}`,
  );
  console.log(`ratio  ${(of('ours', 'ms') / of('bare', 'ms')).toFixed(2)}`);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

async function measure({ args, sign }: { args: string[]; sign: string }): Promise<{ ms: number; mb: number }> {
  const env = { PATH: process.env['PATH'], HOME: scratch, NODE_COMPILE_CACHE: join(scratch, 'compile') };
  const begun = performance.now();
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  await said(child, sign);
  const ms = performance.now() - begun;
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
  const mb = Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
  return { ms, mb };
}

function said(child: ChildProcess, sign: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes(sign)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}: ${text}`)));
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
