import { Worker } from 'node:worker_threads';
import { OutriggerError } from '../../contract/errors.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { createGlobFilter } from './globs.ts';
import type { OnFound, TextQuery, Walk } from './ripgrep.ts';
import type { LineLimits } from './rg-events.ts';
import type { FromPlain, PlainOrder } from './plain-search-worker.ts';

/** An expression that a JavaScript engine can't get done with is ended after this. */
const TIMEOUT_MS = 60_000;
const FILES_PER_ORDER = 256;

/**
 * Search without ripgrep: slower, ignore files are not read (only the watch's ignore globs count), and a pattern is one of JavaScript. It runs in a thread of
 * its own, which can be ended.
 */
export class PlainSearch {
  readonly #workspace: Workspace;
  readonly #running = new Set<Worker>();

  constructor(dependencies: { workspace: Workspace }) {
    this.#workspace = dependencies.workspace;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running].map((worker) => worker.terminate()));
  }

  /** Throws BAD_PATTERN for a malformed glob. */
  async files(walk: Walk, signal: AbortSignal): Promise<string[]> {
    const files: string[] = [];
    for await (const file of this.#walk(walk)) {
      signal.throwIfAborted();
      files.push(file);
    }
    return files.sort();
  }

  /** Throws BAD_PATTERN, PROCESS_TIMEOUT, and what `signal` was aborted with. */
  async search(query: TextQuery, walk: Walk, limits: LineLimits, found: OnFound, signal: AbortSignal): Promise<void> {
    const files = await this.files(walk, signal);
    const worker = new Worker(new URL('./plain-search-worker.ts', import.meta.url), {
      workerData: { query, limits, root: this.#workspace.root } satisfies PlainOrder,
      name: 'search',
      execArgv: [],
    });
    this.#running.add(worker);
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => {});
    worker.on('error', reject);
    worker.on('exit', () => reject(new OutriggerError('CANCELED', 'The search was ended.')));
    const timer = setTimeout(
      () => reject(new OutriggerError('PROCESS_TIMEOUT', `The search took longer than ${TIMEOUT_MS} ms and was ended.`)),
      TIMEOUT_MS,
    );
    const aborted = (): void => reject(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    try {
      for (let at = 0; at < files.length; at += FILES_PER_ORDER) {
        const answer = new Promise<FromPlain>((resolve) => worker.once('message', resolve));
        worker.postMessage(files.slice(at, at + FILES_PER_ORDER));
        const said = await Promise.race([answer, failed]);
        if (said.problem !== undefined) throw new OutriggerError('BAD_PATTERN', said.problem);
        for (const { file, matches } of said.found) if (!(await Promise.race([found(file, matches), failed]))) return;
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      this.#running.delete(worker);
      await worker.terminate();
    }
  }

  async *#walk(walk: Walk): AsyncGenerator<string, void, undefined> {
    const wanted = createGlobFilter(walk);
    const entry = walk.path === '' ? undefined : this.#workspace.entry(walk.path);
    if (entry?.kind === 'file') {
      yield walk.path;
      return;
    }
    const isShown = (path: string): boolean => walk.hidden || !path.slice(path.lastIndexOf('/') + 1).startsWith('.');
    const enter = (path: string): boolean =>
      isShown(path) && !this.#workspace.liesInGit(path) && (walk.ignored || !this.#workspace.options.ignored(path));
    for await (const { path, kind } of this.#workspace.list(walk.path, true, enter))
      if (kind === 'file' && isShown(path) && wanted(path) && (walk.ignored || !this.#workspace.options.ignored(path))) yield path;
  }
}
