import fs from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import path from 'node:path';
import { isSea } from 'node:sea';
import type { LoadedConfig } from '../config/load.ts';
import { howToBuild, isExecutable, nativeProgram } from '../services/processes/native-program.ts';
import { Processes } from '../services/processes/processes.ts';
import { sharedFallback, workspaceId } from '../services/state/state.ts';
import type { Log } from '../sidecar/log.ts';

/** Set for the process that was started again: `landlock-<abi>`. */
const markName = 'OUTRIGGER_GUARD';
const probeTimeoutMs = 2000;
const maxProbeBytes = 1024;
/** From this ABI on landlock refuses truncation too. https://docs.kernel.org/userspace-api/landlock.html#truncating-files */
const truncateAbi = 3;

export interface GuardOptions {
  platform: NodeJS.Platform;
  /** Where the state of the workspace lies: made, for this user alone, when it is not there. */
  folder: string;
  /** The workspace. What overlaps it never becomes writable. */
  root: string;
  /** The temporary folder of the system. */
  temporary: string;
  /** A folder for compiled code that only guarded processes use; undefined where none is kept. */
  compileCache?: string | undefined;
  /** The launcher, where it is not the one that came along. */
  launcher?: string | undefined;
}

export type Guard = { argv: readonly string[] } | { why: string };

/**
 * What stands before a command so that it, and whatever it starts, writes only: in the state folder, where the search index and the
 * watcher's snapshot are kept; in the temporary folder, which git, sqlite and ripgrep may need; in the folder for compiled code, which
 * makes the next start faster. Where the temporary folder holds the workspace, only what the state falls back to is writable in it. Or
 * why there is no guard. Only looks; whether the kernel enforces it is asked by `underGuard`.
 */
export function guardOf(options: GuardOptions): Guard {
  if (options.platform !== 'linux') return { why: `landlock is a part of Linux, and this is ${options.platform}` };
  const launcher = options.launcher ?? nativeProgram('outrigger-launcher');
  if (launcher === undefined || !isExecutable(launcher)) return { why: `the launcher was not built: ${howToBuild()}` };
  if (!fs.existsSync(options.root)) return { why: `there is no folder ${options.root}` };
  const folder = realPathSoFar(options.folder);
  const root = fs.realpathSync(options.root);
  if (overlap(folder, root)) return { why: `the state folder ${folder} and the workspace ${root} overlap` };
  const argv = [launcher, '--make', folder];
  const temporary = realPathSoFar(options.temporary);
  const fallback = realPathSoFar(sharedFallback(options.temporary));
  if (!overlap(temporary, root)) {
    if (fs.existsSync(temporary)) argv.push('--rw', temporary);
  } else if (!overlap(fallback, root)) argv.push('--make', fallback);
  if (options.compileCache !== undefined) {
    const cache = realPathSoFar(options.compileCache);
    if (!overlap(cache, root)) argv.push('--make', cache);
  }
  return { argv: [...argv, '--'] };
}

/** `landlock` is the ABI of the kernel. */
export type GuardOutcome = { guarded: true; landlock: number } | { guarded: false; why: string };

export interface UnderGuardOptions {
  loaded: Pick<LoadedConfig, 'config' | 'surroundings'>;
  /** All of this process's environment: the process that takes its place gets it too. */
  env: Readonly<Record<string, string | undefined>>;
  /** The launcher, where it is not the one that came along. */
  launcher?: string | undefined;
}

/**
 * Call it before anything reads stdin. Where a guard can be had, this process becomes the same command under the launcher and the call
 * does not return: exec(3) keeps the process id, the parent, stdin, stdout and stderr, so that signals and the exit code need nobody
 * between. An IPC channel does not survive it. Returns in the process that is guarded, and where there is no guard; never throws.
 */
export async function underGuard(options: UnderGuardOptions): Promise<GuardOutcome> {
  const mark = /^landlock-(\d+)$/.exec(options.env[markName] ?? '');
  if (mark !== null) return { guarded: true, landlock: Number(mark[1]) };
  try {
    return await replaceProcess(options);
  } catch (error) {
    return { guarded: false, why: (error as Error).message };
  }
}

/** Says once what came of it: `stdio.guarded`, or `stdio.unguarded` with the reason. */
export function logGuard(log: Log, outcome: GuardOutcome): void {
  if (!outcome.guarded) log('warn', 'stdio.unguarded', { reason: outcome.why });
  else log('info', 'stdio.guarded', { landlock: outcome.landlock, open: outcome.landlock < truncateAbi ? 'truncation' : undefined });
}

async function replaceProcess({ loaded, env, launcher }: UnderGuardOptions): Promise<GuardOutcome> {
  const { config, surroundings } = loaded;
  const { execve } = process;
  const [, command, ...args] = process.argv;
  if (command === undefined) return { guarded: false, why: 'the program was not started from a file' };
  // Code that others run must not come from a guarded process: the cache of everybody is not its to write.
  const shared = getCompileCacheDir();
  const compileCache = shared === undefined ? undefined : path.join(path.dirname(shared), 'guarded');
  const guard = guardOf({
    platform: process.platform,
    folder: stateFolder(config.root, config.state, surroundings),
    root: config.root,
    temporary: surroundings.temporary,
    compileCache,
    launcher,
  });
  if ('why' in guard) return { guarded: false, why: guard.why };
  if (execve === undefined) return { guarded: false, why: `Node ${process.versions.node} can't replace its own process` };
  const landlock = await probe(guard.argv[0] as string, env);
  if (typeof landlock === 'string') return { guarded: false, why: landlock };
  const again: Record<string, string> = { [markName]: `landlock-${landlock}` };
  if (compileCache !== undefined) again['NODE_COMPILE_CACHE'] = compileCache;
  // A single executable is its own script, and takes every argument for the command's.
  const program = isSea() ? [process.execPath] : [process.execPath, ...process.execArgv, command];
  const argv = [...guard.argv, ...program, ...args];
  // A failure would end this process with a dump instead of an error: the probe has run the same file a moment ago.
  return execve.call(process, guard.argv[0] as string, argv, { ...env, ...again });
}

/** The ABI of landlock when the kernel enforces it, or why there is no guard. */
async function probe(launcher: string, env: UnderGuardOptions['env']): Promise<number | string> {
  const { exitCode, stdout } = await new Processes({ env }).run({
    argv: [launcher, '--probe'],
    cwd: path.dirname(launcher),
    timeoutMs: probeTimeoutMs,
    maxOutputBytes: maxProbeBytes,
  });
  if (exitCode !== 0) return `the launcher's probe ended with ${exitCode}`;
  const { landlock, enforced } = JSON.parse(stdout.toString()) as { landlock: number; enforced: boolean };
  if (landlock === 0) return 'this kernel has no landlock, or has it switched off';
  return enforced ? landlock : `the kernel says landlock ABI ${landlock}, and does not enforce it`;
}

/** Where the state will lie, as services/state chooses it. */
function stateFolder(root: string, given: string | undefined, surroundings: LoadedConfig['surroundings']): string {
  if (given !== undefined) return given;
  const id = workspaceId(root);
  const home = surroundings.stateHome === undefined ? undefined : path.join(surroundings.stateHome, 'outrigger', id);
  if (home !== undefined && !overlap(realPathSoFar(home), fs.realpathSync(root))) return home;
  return path.join(sharedFallback(surroundings.temporary), id);
}

function overlap(one: string, other: string): boolean {
  return holds(one, other) || holds(other, one);
}

function holds(folder: string, file: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** The real path of what need not be there yet. */
function realPathSoFar(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const absolute = path.resolve(file);
    const parent = path.dirname(absolute);
    return parent === absolute ? absolute : path.join(realPathSoFar(parent), path.basename(absolute));
  }
}
