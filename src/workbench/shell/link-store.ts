import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { ConnectionState, WorkbenchClient } from '../client-port.ts';
import { type LinkWords, linkWords } from './link-words.ts';

/** Two links that come back so close to each other came back together. */
const soonMs = 15_000;

/** The state of the link as the page shows it, ticking while it is not live. */
export class LinkStore {
  readonly state: Signal<ConnectionState>;
  readonly wasLive = signal(false);
  readonly words: ReadonlySignal<LinkWords>;
  readonly live: ReadonlySignal<boolean>;
  readonly #since: Signal<number>;
  readonly #now: Signal<number>;
  readonly #back: Signal<{ at: number; edits: number } | undefined> = signal(undefined);
  readonly #client: WorkbenchClient;
  readonly #clock: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    client: WorkbenchClient,
    waiting: ReadonlySignal<{ edits: number; documents: number }>,
    options: { now: () => number; address: string; readOnly: () => boolean },
  ) {
    this.#client = client;
    this.#clock = options.now;
    this.state = signal(client.connection.state);
    this.#since = signal(options.now());
    this.#now = signal(options.now());
    this.live = computed(() => this.state.value.name === 'live');
    this.words = computed(() =>
      linkWords({
        link: this.state.value,
        since: this.#since.value,
        now: this.#now.value,
        wasLive: this.wasLive.value,
        waiting: waiting.value,
        back: this.#back.value,
        readOnly: options.readOnly(),
        address: options.address,
      }),
    );
    client.connection.on('state', (state) => this.#changed(state));
    this.#tick();
  }

  tryNow(): void {
    this.#client.connection.tryNow();
  }

  /** Edits that had waited were sent. */
  sent(edits: number): void {
    const recent = this.#back.value !== undefined && this.#clock() - this.#back.value.at < 2_000 ? this.#back.value.edits : 0;
    this.#back.value = { at: this.#clock(), edits: recent + edits };
    this.#tick();
  }

  #changed(state: ConnectionState): void {
    if (state.name !== this.state.value.name) this.#since.value = this.#clock();
    if (state.name === 'live') {
      this.wasLive.value = true;
      // Documents have links of their own and may be back first: that is said when it can be seen.
      const { value: back } = this.#back;
      if (back !== undefined && this.state.value.name !== 'live' && this.#clock() - back.at < soonMs)
        this.#back.value = { ...back, at: this.#clock() };
    }
    this.state.value = state;
    this.#tick();
  }

  #tick(): void {
    this.#now.value = this.#clock();
    clearTimeout(this.#timer);
    const quiet = this.state.value.name === 'live' && (this.#back.value === undefined || this.#clock() - this.#back.value.at > 5_000);
    if (!quiet) this.#timer = setTimeout(() => this.#tick(), 250);
  }
}
