// For tests: the exec agent, built from its source, as process 1 of a container that bubblewrap makes: a root without Node, processes of
// its own, user 101, the agent's volume and the workspace shared with whoever plays the sidecar.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { dialUnix } from '../../src/net/dial-unix.ts';
import { AgentHost } from '../../src/services/processes/agent-host.ts';
import type { HostExit, HostRequest } from '../../src/services/processes/host.ts';
import { buildNative } from './native-programs.ts';
import { eventually } from './eventually.ts';
import { childrenOf } from './process-memory.ts';

const source = path.join(import.meta.dirname, '../../native/exec-agent.c');
const isRoot = process.getuid?.() === 0;
export const appUser = 101;
/** The pod's fsGroup. */
export const sharedGroup = 5000;

/** As users have it, at a path; with flags for the compiler one that was built with them. Throws what the compiler says. */
export function buildAgent(file: string, flags?: readonly string[]): void {
  const strict = ['-Wall', '-Wextra', '-Werror', '-fstack-protector-strong'];
  if (flags !== undefined) execFileSync('cc', [...strict, ...flags, source, '-o', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  else assert.equal(buildNative('outrigger-exec-agent', file), false);
}

export interface AgentVolume {
  folder: string;
  agent: string;
  socket: string;
  tokenFile: string;
  workspace: string;
  remove(): void;
}

/** The volume of the agent with the agent and a token in it, as the init container leaves it, and a workspace. */
export function agentVolume(built: string): AgentVolume {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-agent-'));
  const [volume, workspace] = ['agent', 'workspace'].map((name) => path.join(folder, name)) as [string, string];
  for (const one of [volume, workspace]) {
    fs.mkdirSync(one);
    if (isRoot) fs.chownSync(one, 10_001, sharedGroup);
    fs.chmodSync(one, 0o2775);
  }
  const agent = path.join(volume, 'outrigger-exec-agent');
  const tokenFile = path.join(volume, 'token');
  execFileSync(built, ['--copy-to', agent, '--make-token', tokenFile]);
  return {
    folder,
    agent,
    tokenFile,
    workspace,
    socket: path.join(volume, 'socket'),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

export function hostOf(volume: Pick<AgentVolume, 'socket' | 'tokenFile'>, patienceMs = 5000): AgentHost {
  return new AgentHost(
    { dial: dialUnix, random: Math.random },
    { name: 'app', socket: volume.socket, tokenFile: volume.tokenFile, patienceMs },
  );
}

export interface AgentContainer extends AgentVolume {
  host: AgentHost;
  /** Of the agent, as seen from outside. */
  pid: number;
  /** What the agent and the wrapped program said. */
  said(): string;
  /** The exit code of the container, or the signal. */
  readonly ended: Promise<number | string>;
  /** Everything below the agent but the processes that serve and keep connections, zombies included. */
  programs(): { pid: number; name: string; state: string }[];
  /** The processes that serve connections. */
  connections(): number[];
  /** Their parents, which end what is left when one is killed. */
  keepers(): number[];
}

/** Runs with an agent in a container, and fails when something of it is left. */
export async function withAgent(
  built: string,
  run: (container: AgentContainer) => Promise<void>,
  { args = [], wrap }: { args?: string[]; wrap?: string[] } = {},
): Promise<void> {
  const volume = agentVolume(built);
  const inside = ['/agent/outrigger-exec-agent', '--socket', '/agent/socket', '--token-file', '/agent/token', '--mode', '0660'];
  const child = spawn('bwrap', [...container(volume), ...inside, ...args, ...(wrap === undefined ? [] : ['--', ...wrap])], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const host = hostOf(volume);
  try {
    await run({ ...volume, host, ...(await seen(child)) });
    await host.close();
  } finally {
    await host.close();
    await endContainer(child);
    volume.remove();
  }
}

/** The agent first: bubblewrap waits for it, and nobody would for what bubblewrap leaves. */
async function endContainer(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  if (child.exitCode !== null || child.signalCode !== null) return;
  for (const { pid } of childrenOf(child.pid as number)) killQuietly(pid);
  await ended;
}

/** A root that has what is in /usr but Node. Root changes to the app's user for real; others get a user namespace. */
function container(volume: AgentVolume): string[] {
  const nodes = ['/usr/bin/node', '/usr/bin/nodejs', '/usr/sbin/node'].filter((file) => fs.existsSync(file));
  return [
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--as-pid-1', '--die-with-parent', '--clearenv'],
    ...[
      '--ro-bind',
      '/usr',
      '/usr',
      '--tmpfs',
      '/usr/local',
      ...nodes.flatMap((file) => ['--ro-bind', '/dev/null', fs.realpathSync(file)]),
    ],
    ...['bin', 'sbin', 'lib', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--chmod', '1777', '/tmp'],
    ...[
      '--perms',
      '0755',
      '--dir',
      '/mnt',
      '--bind',
      path.dirname(volume.agent),
      '/agent',
      '--bind',
      volume.workspace,
      '/mnt/workspace',
      '--chdir',
      '/',
    ],
    ...['--setenv', 'PATH', '/usr/bin:/bin', '--setenv', 'FROM_THE_CONTAINER', 'yes'],
    ...(isRoot
      ? ['--', 'setpriv', `--reuid=${appUser}`, `--regid=${appUser}`, `--groups=${sharedGroup}`, '--']
      : ['--unshare-user', '--uid', String(appUser), '--gid', String(appUser), '--']),
  ];
}

async function seen(child: ChildProcess): Promise<Omit<AgentContainer, keyof AgentVolume | 'host'>> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(child, 'exit').then(([code, signal]) => (code ?? signal) as number | string);
  await eventually(() => assert.match(said, /serves at/));
  const [agent] = childrenOf(child.pid as number);
  assert.ok(agent !== undefined, said);
  const ownBelow = (parent: number): number[] =>
    childrenOf(parent)
      .filter(({ pid }) => fs.existsSync(`/proc/${pid}/exe`) && commandOf(pid) === commandOf(agent.pid))
      .map(({ pid }) => pid);
  const keepers = (): number[] => ownBelow(agent.pid);
  const connections = (): number[] => keepers().flatMap(ownBelow);
  const programs = (): { pid: number; name: string; state: string }[] => {
    const own = [...keepers(), ...connections()];
    return below(agent.pid).filter(({ pid }) => !own.includes(pid));
  };
  return { pid: agent.pid, said: () => said, ended, programs, connections, keepers };
}

function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It ended meanwhile.
    return '';
  }
}

/** All descendants of a process, zombies included. */
export function below(root: number): { pid: number; name: string; state: string }[] {
  const all = new Map<number, { parent: number; name: string; state: string }>();
  for (const entry of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = fs.readFileSync(`/proc/${entry}/stat`, 'utf8');
      const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      all.set(Number(entry), { parent: Number(parent), name: stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')), state });
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (pid: number): boolean => {
    const parent = all.get(pid)?.parent;
    return parent !== undefined && (parent === root || isBelow(parent));
  };
  return [...all].filter(([pid]) => isBelow(pid)).map(([pid, { name, state }]) => ({ pid, name, state }));
}

/** What may have ended meanwhile. */
export function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

export interface RunOutcome extends HostExit {
  stdout: string;
  stderr: string;
}

/** Runs to the end of the program and of its output. */
export async function runOn(
  host: AgentHost,
  argv: HostRequest['argv'],
  { input, ...request }: Partial<HostRequest> & { input?: string } = {},
): Promise<RunOutcome> {
  const program = await host.start({ argv, cwd: '/', env: {}, ...request });
  const [stdout, stderr] = [textOf(program.stdout), textOf(program.stderr)];
  if (input !== undefined) await program.write(Buffer.from(input));
  program.endInput();
  return { ...(await program.exit), stdout: await stdout, stderr: await stderr };
}

export async function textOf(stream: NodeJS.ReadableStream | undefined): Promise<string> {
  if (stream === undefined) return '';
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/** Collects output; `until` resolves when the pattern stands in it. */
export function heard(stream: NodeJS.ReadableStream): { text(): string; until(pattern: RegExp): Promise<void> } {
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { text: () => text, until: (pattern) => eventually(() => assert.match(text, pattern)) };
}
