import { type Signal, signal } from '@preact/signals';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { TerminalInfo } from '../../contract/terminals.ts';
import { type ErrorFacts, errorFacts, type WorkbenchClient } from '../client-port.ts';
import { InputQueue } from './input-queue.ts';

export interface TerminalSize {
  columns: number;
  rows: number;
}

/** What shows the terminal. A write resolves when it was taken in: the sidecar waits for that. */
export interface TerminalDisplay {
  /** Makes it empty, and of this size. */
  reset(size: TerminalSize): void;
  resize(size: TerminalSize): void;
  write(text: string): Promise<void>;
}

export type LinkPhase = 'attaching' | 'attached' | 'ended';

export interface TerminalNews {
  title?: string;
  viewers?: TerminalInfo['viewers'];
  size?: TerminalSize;
}

export interface TerminalLinkDependencies {
  client: WorkbenchClient;
  display: TerminalDisplay;
  onNews: (news: TerminalNews) => void;
  /** Whether the sidecar can be asked now. */
  isLive: () => boolean;
  /** Something was typed that did not arrive. */
  onLostInput: (error: unknown) => void;
}

/** One terminal of the sidecar on one display: shown as it is, typed into in order, attached again by itself after a lost link. */
export class TerminalLink {
  readonly phase: Signal<LinkPhase> = signal('attaching');
  readonly problem: Signal<ErrorFacts | undefined> = signal(undefined);
  /** The process as it was when it had ended. */
  readonly end: Signal<ProcessInfo | undefined> = signal(undefined);
  readonly #dependencies: TerminalLinkDependencies;
  readonly #id: string;
  readonly #input: InputQueue;
  /** What was typed while the screen was on its way. */
  #early = '';
  #stop = new AbortController();

  constructor(dependencies: TerminalLinkDependencies, id: string) {
    this.#dependencies = dependencies;
    this.#id = id;
    this.#input = new InputQueue(
      (text) => dependencies.client.call('terminals.input', { id, text }),
      (error) => dependencies.onLostInput(error),
    );
  }

  /** Also once its program, that had ended, was started again. Resolves at once. */
  start(): void {
    this.stop();
    this.#stop = new AbortController();
    this.phase.value = 'attaching';
    this.problem.value = undefined;
    this.end.value = undefined;
    void this.#follow(this.#stop.signal);
  }

  stop(): void {
    this.#stop.abort();
    this.#input.clear();
    this.#early = '';
  }

  /** Goes out once the screen is there. What is typed while the sidecar is away, or when the program has ended, goes nowhere. */
  type(text: string): void {
    if (this.phase.value === 'attached') this.#input.add(text);
    else if (this.phase.value === 'attaching' && this.#dependencies.isLive()) this.#early += text;
  }

  /** For all who look at it. Never throws: a size that was not taken is offered again with the next. */
  async setSize(size: TerminalSize): Promise<void> {
    if (this.phase.value !== 'attached') return;
    await this.#dependencies.client.call('terminals.resize', { id: this.#id, ...size }).catch(() => undefined);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { client, display, onNews } = this.#dependencies;
    const onResume = (): { id: string } => {
      this.phase.value = 'attaching';
      this.#early = '';
      return { id: this.#id };
    };
    try {
      const stream = client.stream('terminals.attach', { id: this.#id }, { signal, onResume });
      for await (const item of stream) {
        if (signal.aborted) return;
        if (item.type === 'screen') {
          const { columns, rows } = item;
          display.reset({ columns, rows });
          onNews({ size: { columns, rows } });
          await display.write(item.text);
          if (signal.aborted) return;
          this.phase.value = 'attached';
          this.#input.add(this.#early);
          this.#early = '';
        } else if (item.type === 'output') await display.write(item.text);
        else if (item.type === 'size') {
          const { columns, rows } = item;
          display.resize({ columns, rows });
          onNews({ size: { columns, rows } });
        } else if (item.type === 'title') onNews({ title: item.title });
        else onNews({ viewers: item.viewers });
      }
      this.end.value = (await stream.end).terminal.process;
    } catch (error) {
      if (signal.aborted) return;
      this.problem.value = errorFacts(error);
    }
    if (signal.aborted) return;
    this.phase.value = 'ended';
    onNews({ viewers: [] });
  }
}
