// Where hints come from: the kernel, a library that watches whole trees, or one look everywhere after the other.

import { relative, sep } from 'node:path';
import type { subscribe as Subscribe } from '@parcel/watcher';
import { remoteFileSystem } from '../state/file-system.ts';
import type { Degraded, Engine, WatchSettings } from './watch-protocol.ts';

const maxPollMs = 10_000;
/** A sweep takes at most one part in this of the time; polling one in ten. */
const sweepShare = 100;
const pollShare = 10;

export interface HintEngineOptions {
  root: string;
  settings: Pick<WatchSettings, 'engine' | 'ignore' | 'pollMs' | 'sweepMs'>;
  /** @parcel/watcher, which is optional. */
  library(): Promise<{ subscribe: typeof Subscribe }>;
  /** Something may have changed at this path of the folder. */
  onHint(path: string): void;
  /** Something may have changed anywhere. */
  onLost(): void;
  /** Ends when it has been looked everywhere. */
  sweep(): Promise<void>;
}

export class HintEngine {
  readonly #options: HintEngineOptions;
  #name: Engine = 'inotify';
  #degraded: Degraded | null = null;
  #sweepTimer: NodeJS.Timeout | null = null;
  #unsubscribe: (() => Promise<void>) | null = null;
  #stopped = false;

  constructor(options: HintEngineOptions) {
    this.#options = options;
    const { engine } = options.settings;
    const remote = engine === 'auto' ? remoteFileSystem(options.root) : null;
    if (engine === 'parcel') this.#name = 'parcel';
    else if (engine === 'poll') this.#poll('polling was asked for', 'Set the engine to auto to be told of changes as they happen.');
    else if (remote) this.#poll(`${remote} does not announce changes made elsewhere`, 'Use a local volume for changes to be seen at once.');
    else if (process.platform !== 'linux') this.#name = 'parcel';
  }

  get name(): Engine {
    return this.#name;
  }

  /** Why it is not the best one, and what a person can do about it. */
  get degraded(): Degraded | null {
    return this.#degraded;
  }

  /** For an engine that is a library: hints come from then on. Where it can't be used, we poll. */
  async start(): Promise<void> {
    if (this.#name !== 'parcel') return;
    const { root, settings, library, onLost } = this.#options;
    try {
      const { subscribe } = await library();
      const subscription = await subscribe(
        root,
        (error, events) => {
          if (error) onLost();
          else for (const event of events) this.#hint(relative(root, event.path).split(sep).join('/'));
        },
        { ignore: [...settings.ignore] },
      );
      this.#unsubscribe = () => subscription.unsubscribe();
    } catch (error) {
      this.#poll(
        `@parcel/watcher can't be used (${(error as Error).message.split('\n', 1)[0]})`,
        'Install the optional dependency @parcel/watcher.',
      );
    }
  }

  /** The kernel gives no more watches: from now on we poll. */
  fallBack(code: string): void {
    const hint =
      code === 'ENOSPC'
        ? 'Raise it: sysctl fs.inotify.max_user_watches'
        : 'Raise the limits: sysctl fs.inotify.max_user_instances, ulimit -n';
    this.#poll(`no more watches (${code})`, hint);
    if (this.#sweepTimer) this.#schedule(0, 0);
  }

  /** Looks everywhere from time to time, as no engine tells all. */
  beginSweeps(): void {
    this.#schedule(this.#everyMs, 0);
  }

  endSweeps(): void {
    this.#stopped = true;
    if (this.#sweepTimer) clearTimeout(this.#sweepTimer);
  }

  async close(): Promise<void> {
    try {
      await this.#unsubscribe?.();
    } catch {
      // The library finds a folder gone that it watched. No hint of it is heard any more.
    }
  }

  get #everyMs(): number {
    const { pollMs, sweepMs } = this.#options.settings;
    return this.#name === 'polling' ? pollMs : sweepMs;
  }

  #poll(reason: string, hint: string): void {
    this.#name = 'polling';
    this.#degraded = { reason, hint };
  }

  #hint(path: string): void {
    if (path === '') this.#options.onLost();
    else this.#options.onHint(path);
  }

  #schedule(everyMs: number, lastMs: number): void {
    if (this.#stopped) return;
    if (this.#sweepTimer) clearTimeout(this.#sweepTimer);
    const waitMs =
      this.#name === 'polling'
        ? Math.min(Math.max(everyMs, lastMs * pollShare), Math.max(maxPollMs, everyMs))
        : Math.max(everyMs, lastMs * sweepShare);
    this.#sweepTimer = setTimeout(() => void this.#sweep(), waitMs);
  }

  async #sweep(): Promise<void> {
    const started = performance.now();
    await this.#options.sweep();
    this.#schedule(this.#everyMs, performance.now() - started);
  }
}
