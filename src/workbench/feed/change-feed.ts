import type { Change, FeedItem } from '../../contract/events.ts';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';

export interface FeedListener {
  change?(change: Change): void;
  git?(): void;
  /** What happened in between is not known: look anew. */
  resync?(): void;
}

const againMs = 1_000;

/** The one reader of the workspace's changes; everything on the page that is kept fresh subscribes here. */
export class ChangeFeed {
  readonly #client: WorkbenchClient;
  readonly #listeners = new Set<FeedListener>();
  #stop = new AbortController();

  constructor(client: WorkbenchClient) {
    this.#client = client;
  }

  /** Answers how to stop. */
  subscribe(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Follows all that comes after `cursor`, over lost links, until `stop`. */
  start(cursor: string): void {
    this.stop();
    this.#stop = new AbortController();
    void this.#follow(cursor, this.#stop.signal);
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(from: string, signal: AbortSignal): Promise<void> {
    let cursor: string | undefined = from;
    while (!signal.aborted) {
      try {
        for await (const item of this.#client.watchChanges(cursor, { signal })) {
          cursor = item.cursor;
          this.#tell(item);
        }
      } catch (error) {
        // A cursor of another time is no use; all else is tried again from where it was.
        if (errorFacts(error).reason === 'BAD_CURSOR') {
          cursor = undefined;
          this.#each((listener) => listener.resync?.());
        }
        await new Promise((resolve) => setTimeout(resolve, againMs));
      }
    }
  }

  #tell(item: FeedItem): void {
    if (item.type === 'change') this.#each((listener) => listener.change?.(item));
    else if (item.type === 'git') this.#each((listener) => listener.git?.());
    else if (item.type === 'resync') this.#each((listener) => listener.resync?.());
  }

  #each(tell: (listener: FeedListener) => void): void {
    for (const listener of this.#listeners) tell(listener);
  }
}
