import { failureText } from '../failure-text.ts';
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { SymbolKind } from '../../contract/search.ts';
import { isCanceled, type WorkbenchClient } from '../client-port.ts';

export interface FoundSymbol {
  name: string;
  kind: SymbolKind;
  line: number;
  column: number;
  path: string;
  /** What it stands in. */
  container?: string | undefined;
  /** 0 at the top; of a symbol of the workspace always 0. */
  depth: number;
}

const pauseMs = 60;
const most = 100;

/** Symbols of one document, in order, or of the workspace, by name. */
export class SymbolChoices {
  readonly found: ReadonlySignal<readonly FoundSymbol[]>;
  /** Why there are none. */
  readonly problem: Signal<string | undefined> = signal(undefined);
  readonly loading = signal(false);
  readonly #found: Signal<readonly FoundSymbol[]> = signal([]);
  readonly #client: WorkbenchClient;
  #asked = '';
  #canceled = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: WorkbenchClient) {
    this.#client = client;
    this.found = this.#found;
  }

  /** Of the document at `path`; asked once while the finder is open. */
  ofDocument(path: string): void {
    if (this.#asked === `@${path}`) return;
    this.#ask(`@${path}`, 0, async (signal) => {
      const { symbols } = await this.#client.call('files.outline', { path }, { signal });
      return symbols.map(({ name, kind, line, column, depth }) => ({ name, kind, line, column, depth, path }));
    });
  }

  ofWorkspace(query: string): void {
    if (this.#asked === `#${query}`) return;
    this.#ask(`#${query}`, pauseMs, async (signal) => {
      const { symbols } = await this.#client.call('search.symbols', { query, limit: most }, { signal });
      return symbols.map((symbol) => ({ ...symbol, depth: 0 }));
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#canceled.abort();
  }

  #ask(what: string, afterMs: number, find: (signal: AbortSignal) => Promise<FoundSymbol[]>): void {
    this.stop();
    this.#asked = what;
    const canceled = new AbortController();
    this.#canceled = canceled;
    this.loading.value = true;
    this.problem.value = undefined;
    const run = async (): Promise<void> => {
      try {
        const found = await find(canceled.signal);
        if (!canceled.signal.aborted) this.#found.value = found;
      } catch (error) {
        if (canceled.signal.aborted || isCanceled(error)) return;
        this.#found.value = [];
        this.problem.value = failureText(error);
      } finally {
        if (this.#canceled === canceled) this.loading.value = false;
      }
    };
    this.#timer = setTimeout(() => void run(), afterMs);
  }
}
