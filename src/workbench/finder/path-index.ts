import { type Signal, signal } from '@preact/signals';
import type { Change } from '../../contract/events.ts';
import { errorFacts, isCanceled, type WorkbenchClient } from '../client-port.ts';
import { movedPath } from '../../core/moved-path.ts';
import { type Candidate, candidate } from './fuzzy.ts';

const mostPaths = 300_000;
const idlePaths = 20_000;

/** All files of the workspace by path, for Go to file. Listed once, then kept by the feed. */
export class PathIndex {
  readonly files = new Map<string, Candidate>();
  /** Files and folders; undefined until listed whole. */
  readonly entries: Signal<number | undefined> = signal(undefined);
  readonly loading = signal(false);
  readonly #client: WorkbenchClient;
  readonly #roots: () => readonly string[];
  readonly #folders = new Set<string>();
  /** Told while a list comes in, which may be of before. */
  readonly #meanwhile: Change[] = [];
  #loaded = false;
  /** What is being listed was given up: it is listed anew after that. */
  #isStale = false;

  /** `roots`: what is looked through. */
  constructor(client: WorkbenchClient, roots: () => readonly string[] = () => ['']) {
    this.#client = client;
    this.#roots = roots;
  }

  /** Lists the workspace if that was not done. `modest`: only as far as costs nothing. */
  async load(modest = false): Promise<void> {
    if (this.#loaded || this.loading.value) return;
    this.loading.value = true;
    try {
      let isWhole = true;
      // Of a folder that was moved past the list, nobody tells what is in it.
      for (let roots = this.#roots(); roots.length > 0; roots = this.#tellAgain()) {
        for (const root of roots) isWhole = (await this.#list(root, modest ? idlePaths : mostPaths)) && isWhole;
      }
      this.#loaded = isWhole || !modest;
      if (this.#loaded) this.#count();
    } catch (error) {
      // Without the list nothing is found; the next look asks again.
      if (!isCanceled(error)) this.#loaded = false;
    } finally {
      this.loading.value = false;
      this.#meanwhile.length = 0;
    }
    if (this.#isStale) this.reload();
  }

  /** Answers whether that was all. Throws what `files.list` throws; a root that is a file is one. */
  async #list(root: string, limit: number): Promise<boolean> {
    try {
      const stream = this.#client.stream('files.list', { path: root, recursive: true, limit });
      for await (const { path, kind } of stream) {
        if (path === '.git' || path.endsWith('/.git')) continue;
        if (kind === 'directory') this.#folders.add(path);
        else this.files.set(path, candidate(path));
      }
      return !(await stream.end).truncated;
    } catch (error) {
      const { reason } = errorFacts(error);
      if (root === '' || (reason !== 'NOT_A_DIRECTORY' && reason !== 'FILE_NOT_FOUND')) throw error;
      if (reason === 'NOT_A_DIRECTORY') this.files.set(root, candidate(root));
      return true;
    }
  }

  reload(): void {
    this.#isStale = this.loading.value;
    if (this.#isStale) return;
    this.#loaded = false;
    this.files.clear();
    this.#folders.clear();
    void this.load(true);
  }

  apply(change: Change): void {
    if (this.loading.value) this.#meanwhile.push(change);
    this.#take(change);
    if (this.entries.value !== undefined) this.#count();
  }

  /** What was told meanwhile, once more; answers the folders that were moved. */
  #tellAgain(): string[] {
    const told = this.#meanwhile.splice(0);
    for (const change of told) this.#take(change);
    return told.filter(({ what, kind }) => what === 'moved' && kind === 'directory').map(({ path }) => path);
  }

  #take({ path, what, kind, from }: Change): void {
    if (what === 'moved' && from !== undefined) this.#move(from, path);
    if (what === 'removed') this.#remove(path, kind);
    else if (kind === 'directory') this.#folders.add(path);
    else if (!this.files.has(path)) this.files.set(path, candidate(path));
  }

  #remove(path: string, kind: Change['kind']): void {
    this.files.delete(path);
    if (!this.#folders.delete(path) && kind !== 'directory') return;
    for (const known of [...this.files.keys()]) if (known.startsWith(`${path}/`)) this.files.delete(known);
    for (const known of [...this.#folders]) if (known.startsWith(`${path}/`)) this.#folders.delete(known);
  }

  #move(from: string, to: string): void {
    for (const known of [...this.files.keys()]) {
      const moved = movedPath(known, from, to);
      if (moved === undefined) continue;
      this.files.delete(known);
      this.files.set(moved, candidate(moved));
    }
    for (const known of [...this.#folders]) {
      const moved = movedPath(known, from, to);
      if (moved === undefined) continue;
      this.#folders.delete(known);
      this.#folders.add(moved);
    }
  }

  #count(): void {
    this.entries.value = this.files.size + this.#folders.size;
  }
}
