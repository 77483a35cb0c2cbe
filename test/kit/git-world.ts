import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { OutriggerError } from '../../src/contract/errors.ts';
import { Git, type GitDependencies, type GitOptions } from '../../src/services/git/git.ts';
import { status } from '../../src/services/git/status.ts';
import { nativeProgram } from '../../src/services/processes/native-program.ts';
import { Processes } from '../../src/services/processes/processes.ts';

/** A workspace with a repository, and the git of a user beside ours. */
export interface GitWorld {
  /** The workspace; a repository unless the test says otherwise. */
  root: string;
  folder: string;
  git: Git;
  processes: Processes;
  /** How often documents were saved. */
  flushed: () => number;
  /** The user's own git. */
  run(...args: string[]): string;
  runIn(folder: string, ...args: string[]): string;
  put(name: string, content?: string | Buffer): string;
  file(name: string): string;
  /** Commits everything, by the user's own git. */
  save(message: string): string;
  make(options: Partial<GitOptions>, dependencies?: Partial<GitDependencies>): Git;
}

export interface GitSetup {
  init?: boolean;
  identity?: boolean;
  /** The workspace is this folder of the repository. */
  below?: string;
}

/** The user's own git looks after no repository that is soon gone: it takes a quarter of each commit to see that there is nothing to do. */
const unkept = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'maintenance.auto', GIT_CONFIG_VALUE_0: 'false' };

/** In a temporary folder that goes away, with all programs that were started. */
export async function withRepository(run: (world: GitWorld) => Promise<void>, setup: GitSetup = {}): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-git-')));
  const home = path.join(folder, 'home');
  const top = path.join(folder, 'work');
  const root = path.join(top, setup.below ?? '');
  fs.mkdirSync(home);
  fs.mkdirSync(root, { recursive: true });
  const identity = setup.identity === false ? '' : '[user]\n\tname = Uma User\n\temail = uma@example.org\n';
  fs.writeFileSync(path.join(home, '.gitconfig'), `${identity}[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n`);
  const env = { PATH: process.env['PATH'], HOME: home, LC_ALL: 'C', GIT_CONFIG_NOSYSTEM: '1' };
  const runIn = (where: string, ...args: string[]): string =>
    execFileSync('git', args, { cwd: where, env: { ...env, ...unkept }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  if (setup.init !== false) runIn(top, 'init', '-q');
  const processes = new Processes({ env, launcher: nativeProgram('outrigger-launcher') });
  let flushes = 0;
  const flush = (): Promise<void> => Promise.resolve(void flushes++);
  const make: GitWorld['make'] = (options, dependencies = {}) =>
    new Git(
      { processes, flush, holdSaves: () => flush().then(() => () => {}), ...dependencies },
      {
        root,
        timeoutMs: 20_000,
        networkTimeoutMs: 20_000,
        init: false,
        name: 'Side Car',
        email: 'sidecar@example.org',
        coAuthors: false,
        maxTextBytes: 1024 * 1024,
        fileRemotes: false,
        credentialFolder: path.join(folder, 'credentials'),
        ...options,
      },
    );
  const put = (name: string, content: string | Buffer = `${name}\n`): string => {
    const file = path.join(root, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
    return file;
  };
  const save = (message: string): string => {
    runIn(root, 'add', '--all');
    runIn(root, 'commit', '-qm', message);
    return runIn(root, 'rev-parse', 'HEAD');
  };
  try {
    await run({
      root,
      folder,
      git: make({}),
      processes,
      flushed: () => flushes,
      run: (...args) => runIn(root, ...args),
      runIn,
      put,
      file: (name) => fs.readFileSync(path.join(root, name), 'utf8'),
      save,
      make,
    });
  } finally {
    await processes.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** For assert.rejects: the reason, and what the message says. */
export function fails(reason: string, message: RegExp = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof OutriggerError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.match(error.message, message);
    return true;
  };
}

/** `staged unstaged path` of each change. */
export async function names(git: Git, ignored = false): Promise<string[]> {
  const entries = (await status(git, ignored))?.entries ?? [];
  return entries.map(({ path: { shown }, staged, unstaged }) => `${staged ?? '-'} ${unstaged ?? '-'} ${shown}`);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie that nobody has waited for yet runs no more.
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** main and side, which changed the same line of `a`, and each a file of its own. */
export function diverge({ put, save, run }: GitWorld): { base: string; side: string; main: string } {
  put('a', 'base\n');
  const base = save('base');
  run('checkout', '-qb', 'side');
  put('a', 'side\n');
  put('of-side');
  const side = save('side');
  run('checkout', '-q', 'main');
  put('a', 'main\n');
  put('of-main');
  return { base, side, main: save('main') };
}

/** Whoever writes a file of `slow/` says so, and waits until it may go on. */
export function slowly({ run, put, folder }: GitWorld): { begun: () => boolean; goOn: () => void } {
  const [begun, free] = [path.join(folder, 'begun'), path.join(folder, 'free')];
  run('config', 'filter.slow.smudge', `touch '${begun}'; while [ ! -e '${free}' ]; do sleep 0.02; done; cat`);
  put('.gitattributes', 'slow/** filter=slow\n');
  return { begun: () => fs.existsSync(begun), goOn: () => fs.writeFileSync(free, '') };
}

/** Of the repository: lines for the shell. */
export function hook({ root }: GitWorld, name: string, text: string): void {
  fs.writeFileSync(path.join(root, '.git/hooks', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** Whether an error refuses because these files would be overwritten. */
export function losing(...files: string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(fails('GIT_WOULD_OVERWRITE')(error));
    assert.deepEqual((error as OutriggerError).details, { files });
    return true;
  };
}
