// Servers of the peers of hub-peers.ts, on a unix socket in a folder of their own: durable as ours is, else as they come.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pause } from './hub-process.ts';

export interface PeerServer {
  /** With its version. */
  name: string;
  /** Redis: its socket. PostgreSQL: the folder of its socket. */
  socket: string;
  stop: () => Promise<void>;
}

const START_MS = 30_000;
const STOP_MS = 15_000;
const GIVE_UP_MS = 500;

/** Each write is in the append-only file and synced before its answer. undefined: it is not installed. */
export async function startRedis(): Promise<PeerServer | undefined> {
  const program = find('redis-server');
  if (program === undefined) return undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-bench-redis-'));
  const socket = path.join(folder, 'redis.sock');
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
  const child = spawn(program, ['--port', '0', '--unixsocket', socket, '--dir', folder, ...durable], { stdio: ['ignore', 'pipe', 'pipe'] });
  const version = /v=(\S+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
  return await started(child, { name: `Redis ${version}`, folder, socket, sign: /ready to accept connections/, signal: 'SIGTERM' });
}

/**
 * synchronous_commit and fsync on. It has room in memory and in its log for the whole run, so that no checkpoint falls into one. undefined: it is
 * not installed, or we are root and there is nobody else to run it as.
 */
export async function startPostgres(): Promise<PeerServer | undefined> {
  const [server, init] = [find('postgres'), find('initdb')];
  const owner = process.getuid?.() === 0 ? ownerOf('postgres') : undefined;
  if (server === undefined || init === undefined || (process.getuid?.() === 0 && owner === undefined)) return undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-bench-postgres-'));
  if (owner !== undefined) fs.chownSync(folder, owner.uid, owner.gid);
  const data = path.join(folder, 'data');
  const as = { cwd: folder, ...owner };
  execFileSync(init, ['-D', data, '-U', 'bench', '-A', 'trust', '--no-locale', '-E', 'UTF8'], {
    ...as,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=on', 'synchronous_commit=on', 'log_min_messages=log'];
  const room = ['shared_buffers=512MB', 'max_wal_size=8GB', 'checkpoint_timeout=1h'];
  const child = spawn(server, ['-D', data, ...[...settings, ...room].flatMap((setting) => ['-c', setting])], {
    ...as,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const version = /\) (\S+)/.exec(execFileSync(server, ['--version'], { encoding: 'utf8' }))?.[1] ?? '';
  // Fast shutdown: it does not wait for those who are connected.
  return await started(child, {
    name: `PostgreSQL ${version}`,
    folder,
    socket: folder,
    sign: /ready to accept connections/,
    signal: 'SIGINT',
  });
}

async function started(
  child: ChildProcess,
  { name, folder, socket, sign, signal }: { name: string; folder: string; socket: string; sign: RegExp; signal: NodeJS.Signals },
): Promise<PeerServer> {
  const ended = once(child, 'exit');
  // At once; on SIGKILL PostgreSQL would leave its own programs behind.
  const end = (): void => void child.kill('SIGQUIT');
  const remove = (): void => fs.rmSync(folder, { recursive: true, force: true });
  // Where this program ends otherwise: nothing can be awaited there, and what still ends writes to its folder.
  const giveUp = (): void => {
    end();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, GIVE_UP_MS);
    remove();
  };
  process.once('exit', giveUp);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-10_000);
    });
  const stop = async (): Promise<void> => {
    child.kill(signal);
    const late = setTimeout(end, STOP_MS);
    await ended;
    clearTimeout(late);
    process.off('exit', giveUp);
    remove();
  };
  for (const until = performance.now() + START_MS; !sign.test(text); await pause(20)) {
    if (child.exitCode === null && performance.now() < until) continue;
    await stop();
    throw new Error(`${name} did not start: ${text}`);
  }
  return { name, socket, stop };
}

/** Debian keeps PostgreSQL's programs off PATH. */
function find(program: string): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = fs.existsSync(debian) ? fs.readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', ...versions.map((version) => path.join(debian, version, 'bin'))];
  return folders.map((folder) => path.join(folder, program)).find((file) => fs.existsSync(file));
}

/** PostgreSQL refuses to run as root. */
function ownerOf(name: string): { uid: number; gid: number } | undefined {
  const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(fs.readFileSync('/etc/passwd', 'utf8')) ?? [];
  return uid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}
