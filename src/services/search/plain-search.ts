import { Worker } from 'node:worker_threads';
import { OutriggerError } from '../../contract/errors.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { createGlobFilter } from './globs.ts';
import type { OnFound, TextQuery, Walk } from './ripgrep.ts';
import type { LineLimits } from './rg-events.ts';
import type { FromPlain, PlainOrder, ToPlain } from './plain-search-worker.ts';

/** An expression that a JavaScript engine can't get done with is ended after this. */
const TIMEOUT_MS = 60_000;
/** The text of the largest file that is read takes a quarter of it. */
const MAX_HEAP_MB = 1024;
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
      resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: MAX_HEAP_MB },
    });
    this.#running.add(worker);
    const ending = new Ending();
    worker.on('error', (error) => ending.end(error));
    worker.on('exit', () => ending.end(new OutriggerError('CANCELED', 'The search was ended.')));
    const timer = setTimeout(
      () => ending.end(new OutriggerError('PROCESS_TIMEOUT', `The search took longer than ${TIMEOUT_MS} ms and was ended.`)),
      TIMEOUT_MS,
    );
    const aborted = (): void => ending.end(signal.reason);
    signal.addEventListener('abort', aborted, { once: true });
    try {
      for (let at = 0; at < files.length; at += FILES_PER_ORDER) {
        for (let said: FromPlain | undefined; said?.done !== true; ) {
          const answer = new Promise<FromPlain>((resolve) => worker.once('message', resolve));
          worker.postMessage((said === undefined ? { files: files.slice(at, at + FILES_PER_ORDER) } : 'go on') satisfies ToPlain);
          said = await ending.orDone(answer);
          if (said.problem !== undefined) throw badPattern(said.problem);
          for (const { file, matches } of said.found) if (!(await ending.orDone(found(file, matches)))) return;
        }
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
    // The watch passes over git folders and what is ignored; who names a place there, by a link too, means it.
    const ignores = !walk.ignored && !this.#workspace.liesInGit(walk.path) && !this.#workspace.options.ignored(walk.path);
    const without = new Set(walk.without);
    const isShown = (path: string): boolean => {
      if (without.has(path)) return false;
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (name.toLowerCase() === '.git' || (!walk.hidden && name.startsWith('.'))) return false;
      return !ignores || !this.#workspace.options.ignored(path);
    };
    for await (const { path, kind } of this.#workspace.list(walk.path, true, isShown))
      if (kind === 'file' && isShown(path) && wanted(path)) yield path;
  }
}

function badPattern({ text, column }: { text: string; column?: number }): OutriggerError {
  return new OutriggerError('BAD_PATTERN', text, { details: { said: text, ...(column === undefined ? {} : { column }) } });
}

/** Something that may end what is under way, one step after the other. (A race with one promise that lives on would keep what each step brought.) */
class Ending {
  #ended: { error: unknown } | undefined;
  #reject: ((error: unknown) => void) | undefined;

  end(error: unknown): void {
    this.#ended ??= { error };
    this.#reject?.(this.#ended.error);
  }

  /** As the step does, or rejects with the end. */
  async orDone<T>(step: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#reject = reject;
      if (this.#ended !== undefined) reject(this.#ended.error);
      step.then(resolve, reject);
    });
  }
}
