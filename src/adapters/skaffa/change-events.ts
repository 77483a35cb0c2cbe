import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';

/** The part of a connection that events go through; false when the other side reads too slowly for this one. */
export interface EventSink {
  event(event: string, data: unknown): boolean;
}

const retryMs = 20;

/**
 * The feed of changes as `event` frames, for hosts that read no streams: `change`, `git`, `resync` and `ready`, with what the items of
 * `changes.watch` hold. A host that reads slowly gets them later, none is left out. `watch-ended` says why there will be no more.
 */
export class ChangeEvents {
  readonly #dispatch: Dispatch;
  #sink: EventSink | undefined;
  #feed: AbortController | undefined;

  constructor(dispatch: Dispatch) {
    this.#dispatch = dispatch;
  }

  /** Where events go; before that nothing can be watched. */
  attach(sink: EventSink): void {
    this.#sink = sink;
  }

  /** Begins, or does nothing when it has begun. `cursor` goes on from an earlier event. */
  watch(caller: Caller, requestId: string, cursor: unknown): { watching: true } {
    const sink = this.#sink;
    if (sink === undefined) throw new OutriggerError('STARTING', 'The connection is not up yet.');
    if (this.#feed === undefined) {
      this.#feed = new AbortController();
      void this.#run(sink, caller, requestId, cursor, this.#feed.signal);
    }
    return { watching: true };
  }

  unwatch(): { watching: false } {
    this.#feed?.abort(new OutriggerError('CANCELED', 'The host watches no more.'));
    this.#feed = undefined;
    return { watching: false };
  }

  async #run(sink: EventSink, caller: Caller, requestId: string, cursor: unknown, signal: AbortSignal): Promise<void> {
    const send = async (event: string, data: unknown): Promise<void> => {
      // The journal keeps what is to come: waiting here costs nothing but time.
      while (!signal.aborted && !sink.event(event, data)) await new Promise((resolve) => setTimeout(resolve, retryMs));
    };
    let error: unknown;
    try {
      const input = cursor === undefined ? {} : { cursor };
      const emit = (item: unknown): Promise<void> => send((item as { type: string }).type, item);
      await this.#dispatch({ name: 'changes.watch', input, caller, transport: 'stdio', requestId, signal, emit });
    } catch (failure) {
      error = failure;
    }
    if (signal.aborted) return;
    this.#feed = undefined;
    const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'The feed of changes ended.');
    await send('watch-ended', { reason: known.reason, message: known.message });
  }
}
