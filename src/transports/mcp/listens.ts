import type { ResourceFeed } from './resource-feed.ts';
import type { McpResources } from './resources.ts';

/** The `subscriptions/listen` requests of one client, each of which follows resources for as long as it lasts. */
export class Listens {
  readonly #resources: McpResources;
  readonly #feed: ResourceFeed;
  /** URI → path, for each of them. */
  readonly #open = new Set<Map<string, string>>();

  constructor(resources: McpResources, feed: ResourceFeed) {
    this.#resources = resources;
    this.#feed = feed;
  }

  /**
   * Resolves when every change from now on will be told, until `signal` is aborted. Throws TOO_MANY, and what `files.stat` and
   * `changes.watch` say; nothing of it is followed then.
   */
  async add(uris: readonly string[], signal: AbortSignal): Promise<void> {
    const wanted = new Set(uris);
    this.#feed.checkCount(wanted.size);
    const listen = new Map<string, string>();
    const end = (): void => this.#end(listen);
    this.#open.add(listen);
    signal.addEventListener('abort', end, { once: true });
    try {
      for (const uri of wanted) {
        const path = await this.#resources.checked(uri, signal);
        signal.throwIfAborted();
        this.#feed.follow(path, uri);
        listen.set(uri, path);
      }
      await this.#feed.start();
      signal.throwIfAborted();
    } catch (error) {
      signal.removeEventListener('abort', end);
      this.#end(listen);
      throw error;
    }
  }

  #end(listen: Map<string, string>): void {
    this.#open.delete(listen);
    for (const [uri, path] of listen) if (![...this.#open].some((other) => other.has(uri))) this.#feed.unfollow(path, uri);
  }
}
