import path from 'node:path';
import { OutriggerError } from '../contract/errors.ts';
import type { FeedItem } from '../contract/events.ts';
import type { PeerCall } from '../core/peer.ts';
import type { Emitter } from '../core/emitter.ts';
import { SharedWatch, type WatchNews } from './shared-watch.ts';
import type {
  CallOptions,
  Disposable,
  FileHash,
  FileStat,
  FileText,
  GlobOptions,
  GlobResult,
  SearchQuery,
  SearchResult,
  WatchEvent,
  WorkspaceBackend,
} from './workspace-backend.ts';

/** A feed that a child ended is asked for again after so long. */
const ASK_AGAIN_MS = 1000;

/** The part of a supervisor that is used. */
export interface SidecarPort {
  readonly state: { name: string };
  onState(listener: (state: { name: string }) => void): () => void;
  request(method: string, params: unknown, options?: CallOptions): Promise<unknown>;
  stream(method: string, params: unknown, options?: CallOptions): Pick<PeerCall, 'items' | 'result'>;
  stop(): Promise<void>;
}

/** A folder as the child sidecar reads it. Calls fail while the child is down; watches go on where they were when it is back. */
export class SidecarBackend implements WorkspaceBackend {
  readonly #root: string;
  readonly #port: SidecarPort;
  readonly #watch: SharedWatch;

  constructor(root: string, port: SidecarPort) {
    this.#root = path.resolve(root);
    this.#port = port;
    this.#watch = new SharedWatch((news) => followChanges(port, news));
  }

  getRoot(): string {
    return this.#root;
  }

  async readFile(wirePath: string, options?: CallOptions): Promise<FileText> {
    return (await this.#port.request('readFile', { path: wirePath }, options)) as FileText;
  }

  async stat(wirePath: string, options?: CallOptions): Promise<FileStat> {
    return (await this.#port.request('stat', { path: wirePath }, options)) as FileStat;
  }

  async hashFile(wirePath: string, options?: CallOptions): Promise<FileHash> {
    return (await this.#port.request('hashFile', { path: wirePath }, options)) as FileHash;
  }

  async glob(pattern: string | readonly string[], { exclude, limit, ...options }: GlobOptions = {}): Promise<GlobResult> {
    return (await this.#port.request('glob', { pattern, exclude, limit }, options)) as GlobResult;
  }

  async search(query: SearchQuery, options?: CallOptions): Promise<SearchResult> {
    return (await this.#port.request('search', query, options)) as SearchResult;
  }

  watch(pattern: string | readonly string[], listener: (event: WatchEvent) => void, onUnavailable?: () => void): Disposable {
    return this.#watch.add(pattern, listener, onUnavailable);
  }

  async close(): Promise<void> {
    this.#watch.end();
    await this.#port.stop();
  }
}

/** The feed of changes across children: each new one is asked for what came after the last cursor, and so is one that ended a feed. */
function followChanges(port: SidecarPort, news: Emitter<WatchNews>): Disposable {
  let cursor: string | undefined;
  let begun = false;
  let current: AbortController | undefined;
  let later: NodeJS.Timeout | undefined;

  const run = async (signal: AbortSignal): Promise<void> => {
    const input = cursor === undefined ? { git: false } : { git: false, cursor };
    try {
      // Without a cursor nobody knows what happened since the last feed.
      if (begun && cursor === undefined) news.emit('event', { what: 'resync', path: '' });
      begun = true;
      for await (const item of port.stream('changes.watch', input, { signal }).items) {
        const known = item as FeedItem;
        cursor = known.cursor;
        for (const event of watchEvents(known)) news.emit('event', event);
      }
    } catch (error) {
      if (signal.aborted || !(error instanceof OutriggerError)) return;
      if (error.reason === 'NO_OPERATION' || error.reason === 'PART_OFF') return news.emit('unavailable', undefined);
      if (error.reason === 'BAD_CURSOR') cursor = undefined;
    }
    // A lost child: the next one is asked when it is ready. One that is there is asked again.
    if (!signal.aborted) later = setTimeout(() => begin(port.state), ASK_AGAIN_MS).unref();
  };
  const begin = ({ name }: { name: string }): void => {
    if (name === 'failed') news.emit('unavailable', undefined);
    if (name !== 'ready') return;
    clearTimeout(later);
    current?.abort();
    current = new AbortController();
    void run(current.signal);
  };
  const off = port.onState(begin);
  begin(port.state);
  return {
    dispose: () => {
      off();
      clearTimeout(later);
      current?.abort();
    },
  };
}

function watchEvents(item: FeedItem): WatchEvent[] {
  if (item.type === 'resync') return [{ what: 'resync', path: '' }];
  if (item.type !== 'change') return [];
  // All below it moved as well, and of none of that there is an item.
  if (item.kind === 'directory') return item.what === 'moved' ? [{ what: 'resync', path: '' }] : [];
  if (item.what !== 'moved') return [{ what: item.what, path: item.path }];
  const created: WatchEvent = { what: 'created', path: item.path };
  return item.from === undefined ? [created] : [{ what: 'removed', path: item.from }, created];
}
