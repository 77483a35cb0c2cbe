import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { HostExit } from './host.ts';

/**
 * A child in a process group of its own. Resolves when it runs; `exit` never rejects, and streams may still hold output then. Throws the system's
 * error.
 */
export async function spawnGroup(
  file: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'argv0' | 'cwd' | 'env' | 'stdio'>,
): Promise<{ child: ChildProcess; exit: Promise<HostExit> }> {
  const child = spawn(file, args, { ...options, detached: process.platform !== 'win32', windowsHide: true });
  // Before it is known whether it runs: a short one has ended by then.
  const exit = new Promise<HostExit>((resolve) => {
    child.once('exit', (exitCode, exitSignal) => resolve({ exitCode, exitSignal }));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  // A signal that came too late is no error of ours, and neither is input that is not read.
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  return { child, exit };
}
