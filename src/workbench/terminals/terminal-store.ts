import { effect, type Signal, signal, untracked } from '@preact/signals';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { TerminalInfo } from '../../contract/terminals.ts';
import { AskedOnce } from '../asked-once.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { shownName } from '../shown-name.ts';
import { nameOf } from '../file-paths.ts';
import type { ProcessStore } from '../processes/process-store.ts';
import type { Toasts } from '../shell/toasts.ts';
import type { TerminalNews, TerminalSize } from './terminal-link.ts';

export interface TerminalFacts {
  title: string;
  viewers: TerminalInfo['viewers'];
  size: TerminalSize | undefined;
}

/** What is known of the terminals beside their processes, and what can be done with them. */
export class TerminalStore {
  readonly facts: Signal<ReadonlyMap<string, TerminalFacts>> = signal(new Map());
  /** The size that a terminal would fill here; a new one begins with it. */
  room: TerminalSize | undefined;
  readonly #client: WorkbenchClient;
  readonly #processes: ProcessStore;
  readonly #toasts: Toasts;
  readonly #once = new AskedOnce();
  #asking = false;

  constructor(dependencies: { client: WorkbenchClient; processes: ProcessStore; toasts: Toasts }) {
    this.#client = dependencies.client;
    this.#processes = dependencies.processes;
    this.#toasts = dependencies.toasts;
    effect(() => {
      const unknown = this.#processes.terminals.value.some(({ id }) => !this.facts.peek().has(id));
      if (unknown) untracked(() => void this.refresh());
    });
  }

  title({ id, title }: Pick<ProcessInfo, 'id' | 'title'>): string {
    const words = this.facts.value.get(id)?.title ?? title;
    // A program that sets no title is called by its name.
    return shownName(/^\/\S+$/.test(words) ? nameOf(words) : words);
  }

  note(id: string, news: TerminalNews): void {
    const before = this.facts.value.get(id) ?? { title: this.#processes.get(id)?.title ?? '', viewers: [], size: undefined };
    this.facts.value = new Map(this.facts.value).set(id, { ...before, ...news });
  }

  /** The id of the new terminal; undefined when it could not be opened, which is said. */
  async open(): Promise<string | undefined> {
    try {
      const { terminal } = await this.#client.call('terminals.open', { ...this.room });
      this.#processes.note(terminal.process);
      return terminal.id;
    } catch (error) {
      this.#toasts.fail('No terminal was opened', error);
      return undefined;
    }
  }

  async close(id: string): Promise<boolean> {
    return (await this.#attempt('The terminal was not closed', 'terminals.close', id)) === true;
  }

  async restart(id: string): Promise<void> {
    await this.#attempt('Not started again', 'processes.restart', id);
  }

  /** Answers whether it was done by this. */
  #attempt(title: string, name: 'terminals.close' | 'processes.restart', id: string): Promise<boolean | undefined> {
    return this.#once.run([`${name} ${id}`], async () => {
      try {
        await this.#client.call(name, { id });
        return true;
      } catch (error) {
        this.#toasts.fail(title, error);
        return false;
      }
    });
  }

  /** Asks for titles, sizes and who looks. Never throws. */
  async refresh(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const { terminals } = await this.#client.call('terminals.list', {});
      this.facts.value = new Map(
        terminals.map(({ id, title, viewers, columns, rows }) => [id, { title, viewers, size: { columns, rows } }]),
      );
    } catch {
      // Their processes have titles too; the next terminal asks again.
    } finally {
      this.#asking = false;
    }
  }
}
