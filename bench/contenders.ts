// The programs that are measured, each in a process of its own on a free loopback port: ours as it is started by hand, and the peers.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

export interface Contender {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  stop(): Promise<void>;
}

export const benchToken = 'token-of-the-benchmarks-0123456789';

const project = path.dirname(import.meta.dirname);
const bundle = path.join(project, 'dist', 'outrigger.mjs');
const startMs = 30_000;

/** What is run as ours: the bundle where it is as new as the sources, else the sources. `OUTRIGGER_BENCH=source` or `bundle` settles it. */
export function ourProgram(): { file: string; says: string } {
  const source = { file: path.join(project, 'src', 'cli', 'main.ts'), says: 'from source' };
  const asked = process.env['OUTRIGGER_BENCH'];
  if (asked === 'bundle') return { file: bundle, says: 'as the bundle' };
  if (asked === 'source' || !fs.existsSync(bundle)) return source;
  const built = fs.statSync(bundle).mtimeMs;
  const newest = fs
    .readdirSync(path.join(project, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .reduce((latest, entry) => Math.max(latest, fs.statSync(path.join(entry.parentPath, entry.name)).mtimeMs), 0);
  return newest > built ? { ...source, says: 'from source (the bundle is older)' } : { file: bundle, says: 'as the bundle' };
}

/** Ours, with the defaults but for the number of requests a minute, which a benchmark is above. Its log goes to a file. */
export async function startOurs(
  folder: string,
  extra: { nodeArgs?: string; args?: string; root?: string } = {},
): Promise<Contender & { root: string }> {
  const root = extra.root ?? path.join(folder, 'workspace');
  fs.mkdirSync(root, { recursive: true });
  const log = path.join(folder, 'ours.log');
  const args = [
    'serve',
    root,
    '--port',
    '0',
    '--state',
    path.join(folder, 'state'),
    '--limits-requests-per-minute',
    '10000000',
    ...words(extra.args),
  ];
  const child = startNode([...words(extra.nodeArgs), ourProgram().file, ...args], log, folder);
  const [, port] = await said(child, log, /"url":"http:\/\/127\.0\.0\.1:(\d+)"[^]*"event":"sidecar\.ready"/);
  return { ...contender('outrigger', child, Number(port)), root };
}

function words(text = ''): string[] {
  return text.split(' ').filter(Boolean);
}

/** `file` is run with `args` and a free port as PORT; it is there when that port answers. */
export async function startPeer(name: string, file: string, args: readonly string[], folder: string): Promise<Contender> {
  const port = await freePort();
  const log = path.join(folder, `${name}.log`);
  const child = startNode([file, ...args], log, folder, { HOST: '127.0.0.1', PORT: String(port) });
  await said(child, log, /listening|running at/);
  return contender(name, child, port);
}

function startNode(args: readonly string[], log: string, folder: string, env: Record<string, string> = {}): ChildProcess {
  const output = fs.openSync(log, 'a');
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], HOME: folder, OUTRIGGER_TOKEN: benchToken, NODE_ENV: 'production', ...env },
    stdio: ['ignore', output, output],
  });
  fs.closeSync(output);
  return child;
}

function contender(name: string, child: ChildProcess, port: number): Contender {
  const ended = once(child, 'exit');
  return {
    name,
    pid: child.pid ?? 0,
    port,
    async stop() {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    },
  };
}

async function said(child: ChildProcess, log: string, sign: RegExp): Promise<RegExpExecArray> {
  for (const until = Date.now() + startMs; Date.now() < until && child.exitCode === null; ) {
    const match = sign.exec(fs.readFileSync(log, 'utf8'));
    if (match !== null) return match;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`It did not start: ${fs.readFileSync(log, 'utf8')}`);
}

/** One that nobody has now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}
