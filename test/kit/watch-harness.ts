// For tests: a folder under watch, the state that its reports add up to, and the folder's true state to compare with.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { WatchOptions, WatchReport } from '../../src/services/watch/watch.ts';
import { Watch } from '../../src/services/watch/watch.ts';
import { withScratchFolder } from './scratch-folder.ts';

/** Path → kind, and the hash of a file. */
export type State = Map<string, string>;

export interface Watched {
  root: string;
  /** A folder beside the root, for snapshots and other things that are not watched. */
  beside: string;
  watch: Watch;
  state: State;
  reports: WatchReport[];
  write: (name: string, content: string) => void;
  /** Waits for the barrier, then compares the sum of all reports with the folder. */
  exact: (hint?: string) => Promise<void>;
  at: (name: string) => string;
}

const ignored = new Set(['.git', 'node_modules', '__pycache__', '.venv']);
export const silentLog = { info: () => {}, warn: () => {}, error: (event: string, fields?: object) => console.error(event, fields) };

export async function withFolder(run: (root: string, beside: string) => Promise<void>): Promise<void> {
  await withScratchFolder('watch', (folder, root) => run(root, folder));
}

export async function withWatch(
  options: Partial<WatchOptions>,
  run: (watched: Watched) => Promise<void>,
  prepare: (root: string, beside: string) => void | Promise<void> = () => {},
): Promise<void> {
  await withFolder(async (root, beside) => {
    await prepare(root, beside);
    const watched = watchFolder(root, beside, options);
    try {
      await watched.watch.start();
      await run(watched);
    } finally {
      await watched.watch.stop();
    }
  });
}

/** Not started yet. The state begins with what the folder holds now. */
export function watchFolder(root: string, beside: string, options: Partial<WatchOptions>, state: State = scan(root)): Watched {
  const watch = new Watch({ log: silentLog }, { root, ...options });
  const reports: WatchReport[] = [];
  watch.onReports((batch) => {
    for (const report of batch) {
      reports.push(report);
      applyReport(state, report);
    }
  });
  const at = (name: string): string => path.join(root, name);
  const exact = async (hint = ''): Promise<void> => {
    await watch.barrier();
    assertSame(state, scan(root), hint);
  };
  return { root, beside, watch, state, reports, at, exact, write: (name, content) => fs.writeFileSync(at(name), content) };
}

export function applyReport(state: State, report: WatchReport): void {
  if (report.what === 'removed') {
    state.delete(report.path);
    return;
  }
  if (report.from !== undefined) {
    const inside = `${report.from}/`;
    if (report.kind === 'directory') {
      for (const [name, entry] of [...state]) {
        if (!name.startsWith(inside)) continue;
        state.delete(name);
        state.set(`${report.path}/${name.slice(inside.length)}`, entry);
      }
    }
    state.delete(report.from);
  }
  state.set(report.path, report.kind === 'file' ? `file ${report.hash}` : report.kind);
}

export function scan(root: string, isIgnored: (name: string) => boolean = (name) => ignored.has(name)): State {
  const state: State = new Map();
  const stack = [''];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const entry of fs.readdirSync(path.join(root, at), { withFileTypes: true })) {
      if (isIgnored(entry.name) || /^\.(outrigger-.*\.tmp|nfs[0-9a-f]{24})$/.test(entry.name) || entry.name.includes('\ufffd')) continue;
      const name = at === '' ? entry.name : `${at}/${entry.name}`;
      if (entry.isDirectory()) {
        state.set(name, 'directory');
        stack.push(name);
      } else if (entry.isSymbolicLink()) {
        state.set(name, 'symlink');
      } else if (entry.isFile()) {
        state.set(name, `file ${sha256(fs.readFileSync(path.join(root, name)))}`);
      } else {
        state.set(name, 'other');
      }
    }
  }
  return state;
}

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export function assertSame(reported: State, real: State, hint = ''): void {
  const wrong: string[] = [];
  for (const [name, entry] of real)
    if (reported.get(name) !== entry) wrong.push(`${name}: is ${entry}, reported ${reported.get(name) ?? 'never'}`);
  for (const [name, entry] of reported) if (!real.has(name)) wrong.push(`${name}: is gone, reported ${entry}`);
  assert.deepEqual(wrong.slice(0, 10), [], `${wrong.length} of ${real.size} entries differ. ${hint}`);
}

export async function eventually(check: () => boolean, what: string, withinMs = 5000): Promise<void> {
  const until = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > until) assert.fail(`${what} did not happen within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

/** Random changes of a folder: create, write, append, rename, delete, of files and directories. mulberry32 gives the numbers. */
export class Storm {
  readonly #root: string;
  #state: number;
  #next = 0;

  constructor(root: string, seed: number) {
    this.#root = root;
    this.#state = seed >>> 0;
  }

  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  step(): void {
    const directories = this.#directories();
    const directory = directories[this.below(directories.length)] as string;
    const entries = fs.readdirSync(directory);
    const some = entries.length > 0 ? path.join(directory, entries[this.below(entries.length)] as string) : null;
    const other = directories[this.below(directories.length)] as string;
    const fresh = path.join(this.random() < 0.3 && entries.length > 0 ? directory : other, `n${this.below(12)}-${this.#next++}`);
    try {
      switch (this.below(10)) {
        case 0:
          fs.mkdirSync(path.join(directory, `d${this.below(6)}`, `e${this.below(3)}`), { recursive: true });
          break;
        case 1:
        case 2:
          fs.writeFileSync(path.join(directory, `f${this.below(8)}`), `content ${this.random()}`);
          break;
        case 3:
          if (some) fs.appendFileSync(some, `more ${this.#next++}`);
          break;
        case 4:
          if (some) fs.renameSync(some, fresh);
          break;
        case 5:
          if (some) fs.renameSync(some, path.join(other, path.basename(some)));
          break;
        case 6:
          if (some) fs.rmSync(some, { recursive: true });
          break;
        case 7: {
          const temporary = path.join(directory, '.outrigger-storm.tmp');
          fs.writeFileSync(temporary, `whole ${this.random()}`);
          fs.renameSync(temporary, path.join(directory, `f${this.below(8)}`));
          break;
        }
        case 8:
          if (directory !== this.#root) {
            fs.renameSync(directory, fresh);
            fs.writeFileSync(path.join(fresh, 'after-the-move'), `${this.#next++}`);
            if (this.random() < 0.5) fs.mkdirSync(directory);
          }
          break;
        default:
          fs.symlinkSync('nowhere', path.join(directory, `l${this.below(4)}`));
      }
    } catch (error) {
      // A step that the folder does not allow now (a directory into itself, a name that is taken) is no step.
      if (!/^(EEXIST|ENOENT|ENOTDIR|EISDIR|ENOTEMPTY|EINVAL|ELOOP)$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  #directories(): string[] {
    const found = [this.#root];
    for (let index = 0; index < found.length && found.length < 60; index++) {
      const directory = found[index] as string;
      for (const entry of fs.readdirSync(directory, { withFileTypes: true }))
        if (entry.isDirectory()) found.push(path.join(directory, entry.name));
    }
    return found;
  }
}

/** Of one path, in their order. */
export function of(reports: readonly WatchReport[], name: string): WatchReport[] {
  return reports.filter((report) => report.path === name);
}

/** Runs a script in a process of its own, to its end. */
export function child(script: string, ...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, ['-e', script, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
    running.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`The child ended with ${code}`))));
  });
}
