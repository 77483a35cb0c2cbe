// Runs a mounted image as a pod would: process 1 of namespaces of its own, so that the image's ports are free whatever else runs.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram, type RunningProgram } from './running-program.ts';

export interface ContainerSetup {
  /** Root file system of the image. */
  image: string;
  argv: readonly string[];
  /** All of it: nothing of ours goes in. */
  env: Readonly<Record<string, string>>;
  user: string;
  /** Besides the user's own group. */
  groups?: readonly number[];
  /** Folder outside → path inside. */
  mounts: readonly { from: string; to: string }[];
  readOnlyRoot: boolean;
}

export interface Container {
  readonly program: RunningProgram;
  /** Runs the test's Node in the network of the container; gives its stdout, throws with its stderr. */
  probe(script: string, input: unknown): Promise<unknown>;
  /** Runs a program in the container, as an engine's health check; gives its exit code. */
  exec(argv: readonly string[], env?: Readonly<Record<string, string>>): number | null;
  /** SIGTERM to process 1; gives the exit code. */
  stop(): Promise<number | string>;
}

// Everything happens in the mount namespace, so nothing has to be undone.
const start = `set -e
ip link set lo up 2> /dev/null || perl -e 'socket(S,2,2,0); ioctl(S,0x8914,pack("a16sx14","lo",0x41)) or die'
root=$1; shift; readonly=$1; shift; mounts=$1; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$mounts" -gt 0 ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; mounts=$((mounts - 1)); done
[ "$readonly" = no ] || mount -o remount,bind,ro "$root"
exec "$@"`;

export function runContainer(setup: ContainerSetup): Container {
  const { image, argv, env, user, groups = [], mounts, readOnlyRoot } = setup;
  const inside = (more: Readonly<Record<string, string>> = {}): string[] => {
    const all = Object.entries({ ...env, ...more }).map(([name, value]) => `${name}=${value}`);
    return ['chroot', `--userspec=${user}`, `--groups=${groups.join(',')}`, image, '/usr/bin/env', '-i', ...all];
  };
  const outside = ['--mount', '--propagation', 'private', '--net', '--pid', '--fork', '--kill-child', 'sh', '-c', start, 'sh'];
  const program = runProgram(
    'unshare',
    [
      ...outside,
      image,
      readOnlyRoot ? 'yes' : 'no',
      String(mounts.length),
      ...mounts.flatMap(({ from, to }) => [from, to]),
      ...inside(),
      ...argv,
    ],
    {
      env: { PATH: process.env['PATH'] },
      cwd: '/',
    },
  );
  const first = (): number => {
    const { pid } = program.child;
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  };
  return {
    program,
    probe: (script, input) =>
      new Promise((resolve, reject) => {
        const child = spawn(
          'nsenter',
          [`--net=/proc/${first()}/ns/net`, process.execPath, join(import.meta.dirname, script), JSON.stringify(input)],
          { stdio: ['ignore', 'pipe', 'pipe'] },
        );
        let out = '';
        let err = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
        child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
        child.once('close', (code) =>
          code === 0 ? resolve(JSON.parse(out)) : reject(new Error(`the probe ended with ${code}:\n${err}\n${program.output()}`)),
        );
      }),
    exec: (command, more) => spawnSync('nsenter', [`--target=${first()}`, '--mount', '--net', '--pid', ...inside(more), ...command]).status,
    stop: () => {
      process.kill(first(), 'SIGTERM');
      return program.ended;
    },
  };
}
