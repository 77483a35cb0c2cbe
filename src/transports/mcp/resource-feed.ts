import { withinPaths } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { FeedItem } from '../../contract/events.ts';
import { callOperation, type McpCallDependencies } from './mcp-call.ts';

/** Who is told. */
export interface FeedReader {
  updated(uri: string): Promise<void> | void;
  listChanged(): Promise<void> | void;
  /** Whether what was sent before still waits to be taken; then the next news waits too, in one piece. */
  congested?(): boolean;
  /** Whether there is nobody to tell; then the next news waits, each resource once, until `resume`. */
  away?(): boolean;
}

export interface ResourceFeedOptions {
  /** Most resources that one client follows. */
  maxFollowed: number;
  /** News of so many milliseconds are told together, each resource once. */
  everyMs: number;
  /** A feed that broke off is taken up again after so many milliseconds. */
  againAfterMs: number;
}

/** So many URIs of one resource are told of; escapes and empty names make more of them than anybody needs. */
const maxSpellings = 8;
const defaultResourceFeed: ResourceFeedOptions = { maxFollowed: 1000, everyMs: 200, againAfterMs: 1000 };

/**
 * What changes in the workspace, as MCP's notifications for one client. Reads `changes.watch` in the caller's name, from the
 * first time that the client asks for a list or follows a resource.
 */
export class ResourceFeed {
  readonly #deps: McpCallDependencies;
  readonly #reader: () => FeedReader;
  readonly #options: ResourceFeedOptions;
  /** Path → its URIs as the client wrote them, which is what it knows the resource by. */
  readonly #followed = new Map<string, Set<string>>();
  readonly #changed = new Set<string>();
  readonly #stop = new AbortController();
  #listChanged = false;
  #timer: NodeJS.Timeout | undefined;
  #live: Promise<void> | undefined;
  #cursor: string | undefined;

  constructor(dependencies: McpCallDependencies, reader: () => FeedReader, options: ResourceFeedOptions = defaultResourceFeed) {
    this.#deps = dependencies;
    this.#reader = reader;
    this.#options = options;
  }

  /** Resolves when every change from now on will be told. Rejects with what `changes.watch` says. */
  start(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.reject(new OutriggerError('CANCELED', 'The client went away.'));
    this.#live ??= this.#watch();
    return this.#live;
  }

  /** Throws TOO_MANY where one client may not follow so many resources, whatever it follows already. */
  checkCount(resources: number): void {
    const { maxFollowed } = this.#options;
    if (resources > maxFollowed) throw new OutriggerError('TOO_MANY', `One client may follow ${maxFollowed} resources.`);
  }

  /** Tells of the path by this URI as well. Throws TOO_MANY. */
  follow(path: string, uri: string): void {
    const uris = this.#followed.get(path) ?? new Set();
    if (uris.size === 0) this.checkCount(this.#followed.size + 1);
    if (!uris.has(uri) && uris.size >= maxSpellings)
      throw new OutriggerError('TOO_MANY', `This client follows ${path} by ${maxSpellings} URIs already.`);
    this.#followed.set(path, uris.add(uri));
  }

  /** Its other URIs are told of as before. */
  unfollow(path: string, uri: string): void {
    const uris = this.#followed.get(path);
    uris?.delete(uri);
    if (uris?.size !== 0) return;
    this.#followed.delete(path);
    this.#changed.delete(path);
  }

  /** The reader is back: it is told what waits for it. */
  resume(): void {
    this.#schedule();
  }

  /** Ends the call behind it; nothing is told after that. May be called twice. */
  close(): void {
    clearTimeout(this.#timer);
    this.#followed.clear();
    this.#stop.abort(new OutriggerError('CANCELED', 'The client went away.'));
  }

  #watch(): Promise<void> {
    return new Promise((resolve, reject) => {
      const input = { git: false, ...(this.#cursor === undefined ? {} : { cursor: this.#cursor }) };
      const emit = (item: unknown): void => {
        this.#take(item as FeedItem);
        if ((item as FeedItem).type === 'ready') resolve();
      };
      void callOperation(this.#deps, { name: 'changes.watch', input, signal: this.#stop.signal, emit })
        .then(() => new OutriggerError('CANCELED', 'The feed ended.'))
        .catch((error: unknown) => error)
        .then((error) => {
          this.#live = undefined;
          reject(error);
          this.#goOn(error);
        });
    });
  }

  /** A client that follows something goes on being told, from the cursor where the feed broke off. */
  #goOn(error: unknown): void {
    const retryable = error instanceof OutriggerError && error.retryable && error.reason !== 'STOPPING';
    if (this.#stop.signal.aborted || this.#cursor === undefined || !retryable) return;
    setTimeout(() => {
      // Its failure leads here again.
      this.start().catch(() => undefined);
    }, this.#options.againAfterMs).unref();
  }

  #take(item: FeedItem): void {
    this.#cursor = item.cursor;
    if (item.type === 'resync') {
      this.#listChanged = true;
      for (const path of this.#followed.keys()) this.#changed.add(path);
    } else if (item.type === 'change') {
      if (item.what !== 'changed') this.#listChanged = true;
      // A folder that is moved or removed is one change, and all below it is gone with it.
      const touched = item.from === undefined ? [item.path] : [item.path, item.from];
      for (const path of item.kind === 'directory' ? this.#followed.keys() : touched)
        if (this.#followed.has(path) && withinPaths(touched, path)) this.#changed.add(path);
    }
    this.#schedule();
  }

  #schedule(): void {
    if ((!this.#listChanged && this.#changed.size === 0) || this.#stop.signal.aborted) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const reader = this.#reader();
      if (reader.away?.() === true) return;
      if (reader.congested?.() === true) this.#schedule();
      else this.#tell();
    }, this.#options.everyMs).unref();
  }

  #tell(): void {
    const uris = [...this.#changed].flatMap((path) => [...(this.#followed.get(path) ?? [])]);
    const listChanged = this.#listChanged;
    const reader = this.#reader();
    this.#changed.clear();
    this.#listChanged = false;
    const news = [...(listChanged ? [() => reader.listChanged()] : []), ...uris.map((uri) => () => reader.updated(uri))];
    for (const tell of news) {
      // A connection that breaks now is closed by whoever owns it.
      (async () => tell())().catch(() => undefined);
    }
  }
}
