import { type Signal, signal } from '@preact/signals';
import type { Asked } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import { AskedOnce } from '../asked-once.ts';
import type { WorkbenchClient } from '../client-port.ts';
import type { Toasts } from '../shell/toasts.ts';
import type { ProcessStore } from './process-store.ts';
import { endSentence } from './process-words.ts';

export type StartRequest = Asked<Operations['processes.start']>;
export type SignalName = Asked<Operations['processes.signal']>['signal'];

/** What can be done to processes: each says what could not be done. */
export class ProcessActions {
  /** Asked to stop, and not gone yet. */
  readonly stopping: Signal<ReadonlySet<string>> = signal(new Set());
  readonly #client: WorkbenchClient;
  readonly #processes: ProcessStore;
  readonly #toasts: Toasts;
  readonly #once = new AskedOnce();

  constructor(dependencies: { client: WorkbenchClient; processes: ProcessStore; toasts: Toasts }) {
    this.#client = dependencies.client;
    this.#processes = dependencies.processes;
    this.#toasts = dependencies.toasts;
  }

  /** Throws what the operation throws: the form says it beside its fields. */
  async start(request: StartRequest): Promise<ProcessInfo> {
    const { process, existed } = await this.#client.call('processes.start', request);
    this.#processes.note(process);
    if (existed) this.#toasts.say('It runs already', { text: `${process.title} has the tag ${process.tag}. Nothing was started.` });
    else if (process.reason === 'failed') this.#toasts.say(`Not started: ${process.title}`, { text: endSentence(process) });
    return process;
  }

  async stop(id: string): Promise<void> {
    if (this.stopping.value.has(id)) return;
    this.stopping.value = new Set(this.stopping.value).add(id);
    await this.#attempt('Not stopped', () => this.#client.call('processes.stop', { id }));
    const left = new Set(this.stopping.value);
    left.delete(id);
    this.stopping.value = left;
  }

  async restart(id: string): Promise<void> {
    await this.#once.run([`restart ${id}`], () => this.#attempt('Not started again', () => this.#client.call('processes.restart', { id })));
  }

  async remove(id: string): Promise<void> {
    await this.#once.run([`remove ${id}`], () => this.#attempt('Not removed', () => this.#client.call('processes.remove', { id })));
  }

  async signal(id: string, signal: SignalName): Promise<void> {
    await this.#attempt(`${signal} was not sent`, () => this.#client.call('processes.signal', { id, signal }));
  }

  async #attempt(title: string, run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#toasts.fail(title, error);
    }
  }
}
