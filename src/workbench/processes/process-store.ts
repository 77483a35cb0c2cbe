import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ProcessInfo } from '../../contract/processes.ts';
import { type ErrorFacts, errorFacts, isAbsent, type WorkbenchClient } from '../client-port.ts';
import { until } from '../until.ts';
import { isRunning } from './process-words.ts';

/** News come once a second while something is used; older figures mean that nothing is. */
const freshMs = 2_500;
const againMs = 1_000;

interface Use {
  cpuMs: number;
  at: number;
  /** Of one processor. */
  share: number;
}

/** All processes of the sidecar as they are now, followed over lost links. */
export class ProcessStore {
  /** Newest start first; undefined until they are known. */
  readonly all: Signal<readonly ProcessInfo[] | undefined> = signal(undefined);
  /** Why none can be seen by this caller at all. */
  readonly absent: Signal<ErrorFacts | undefined> = signal(undefined);
  /** Those that run in no terminal. */
  readonly programs: ReadonlySignal<readonly ProcessInfo[]>;
  readonly terminals: ReadonlySignal<readonly ProcessInfo[]>;
  readonly running: ReadonlySignal<number>;
  /** Ticks while a share of the processor may have gone stale. */
  readonly tick = signal(0);
  /** Bytes of each log that were read on this page. */
  readonly read: Signal<ReadonlyMap<string, number>> = signal(new Map());
  readonly #client: WorkbenchClient;
  readonly #now: () => number;
  readonly #uses = new Map<string, Use>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #started = false;

  constructor(dependencies: { client: WorkbenchClient; now: () => number }) {
    this.#client = dependencies.client;
    this.#now = dependencies.now;
    this.programs = computed(() => (this.all.value ?? []).filter(({ terminal }) => terminal !== true));
    this.terminals = computed(() => (this.all.value ?? []).filter(({ terminal }) => terminal === true));
    this.running = computed(() => this.programs.value.filter(isRunning).length);
  }

  get(id: string): ProcessInfo | undefined {
    return this.all.value?.find((process) => process.id === id);
  }

  /** Resolves when `all` is known: at once, but right after the page was opened. */
  known(): Promise<void> {
    return until(() => this.all.value !== undefined);
  }

  /** What an answer said of one, before the news of it come. */
  note(process: ProcessInfo): void {
    if (this.all.value !== undefined && this.get(process.id) === undefined) this.#put(process);
  }

  noteRead(id: string, { stdout, stderr }: { stdout: number; stderr: number }): void {
    this.read.value = new Map(this.read.value).set(id, stdout + stderr);
  }

  /** Of one processor: 0.5 is half of it; undefined while that is not known. */
  share(id: string): number | undefined {
    const use = this.#uses.get(id);
    if (use === undefined) return undefined;
    return this.#now() - use.at > freshMs ? 0 : use.share;
  }

  /** Follows them from now on; resolves at once. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    void this.#follow();
  }

  async #follow(): Promise<void> {
    for (;;) {
      try {
        // A stream that begins anew tells all there is, and then that it did.
        let fresh: Map<string, ProcessInfo> | undefined = new Map();
        const onResume = (): Record<string, never> => {
          fresh = new Map();
          return {};
        };
        for await (const item of this.#client.stream('processes.watch', {}, { onResume })) {
          if (item.type === 'process') {
            if (fresh === undefined) this.#put(item.process);
            else fresh.set(item.process.id, item.process);
            this.#measure(item.process);
          } else if (item.type === 'removed') this.#remove(item.id);
          else if (fresh !== undefined) {
            this.#set([...fresh.values()]);
            fresh = undefined;
          }
        }
      } catch (error) {
        if (isAbsent(error)) {
          this.absent.value = errorFacts(error);
          this.#set([]);
          return;
        }
        // The link is away for the moment.
      }
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }

  #put(process: ProcessInfo): void {
    const before = this.all.value ?? [];
    const known = before.some(({ id }) => id === process.id);
    this.#set(known ? before.map((one) => (one.id === process.id ? process : one)) : [process, ...before]);
  }

  #set(all: readonly ProcessInfo[]): void {
    this.all.value = all.toSorted((a, b) => Number(isRunning(b)) - Number(isRunning(a)) || b.startedAt - a.startedAt);
  }

  #remove(id: string): void {
    this.#uses.delete(id);
    this.all.value = this.all.value?.filter((one) => one.id !== id);
  }

  #measure({ id, cpuMs, state }: ProcessInfo): void {
    const at = this.#now();
    const before = this.#uses.get(id);
    if (cpuMs === undefined || state === 'ended') this.#uses.delete(id);
    else if (before === undefined || cpuMs < before.cpuMs) this.#uses.set(id, { cpuMs, at, share: 0 });
    else if (at > before.at) this.#uses.set(id, { cpuMs, at, share: (cpuMs - before.cpuMs) / (at - before.at) });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.tick.value += 1), freshMs + 100);
  }
}
