import { randomUUID } from 'node:crypto';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Change, FeedItem } from '../../contract/events.ts';
import { errorFrame } from './json-message.ts';

/** One frame for all sockets of a caller; `change` is what it is about. */
export type NewsListener = (frame: string, change: Change | undefined) => void;

interface Feed {
  listeners: Set<NewsListener>;
  ended: AbortController;
}

/** What changes in the folder, as `file-changed` frames. Sockets of one caller see the same, so they share one watch. */
export class FileNews {
  readonly #dispatch: Dispatch;
  readonly #feeds = new Map<Caller, Feed>();

  constructor(dispatch: Dispatch) {
    this.#dispatch = dispatch;
  }

  /** Returns the way to stop. */
  join(caller: Caller, listener: NewsListener): () => void {
    let feed = this.#feeds.get(caller);
    if (feed === undefined) {
      feed = { listeners: new Set(), ended: new AbortController() };
      this.#feeds.set(caller, feed);
      void this.#run(caller, feed);
    }
    const { listeners, ended } = feed;
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      if (this.#feeds.get(caller)?.ended === ended) this.#feeds.delete(caller);
      ended.abort(new OutriggerError('CANCELED', 'Nobody listens any more.'));
    };
  }

  async #run(caller: Caller, feed: Feed): Promise<void> {
    const tell: NewsListener = (frame, change) => {
      for (const listener of feed.listeners) listener(frame, change);
    };
    const emit = (item: unknown): void => {
      const news = item as FeedItem;
      if (news.type === 'change') tell(changeFrame(news), news);
      else if (news.type === 'resync') tell(lostFrame(), undefined);
    };
    try {
      await this.#dispatch({
        name: 'changes.watch',
        input: { git: false },
        caller,
        transport: 'platxa',
        requestId: randomUUID(),
        signal: feed.ended.signal,
        emit,
      });
    } catch (error) {
      if (this.#feeds.get(caller) === feed) this.#feeds.delete(caller);
      // A token that ended, or a sidecar that stops, ends the sockets as well.
      if (feed.ended.signal.aborted || caller.ended?.aborted === true || (error instanceof OutriggerError && error.reason === 'STOPPING'))
        return;
      tell(errorFrame({ reason: 'TOO_MANY', message: 'Changes of files are not told any more: connect again.' }), undefined);
    }
  }
}

/** The seed's frame for a file with other content; what else may happen is told by one field more. */
function changeFrame({ path, what, from, kind }: Change): string {
  const change = what === 'changed' ? undefined : what === 'removed' ? 'deleted' : what;
  return JSON.stringify({ type: 'file-changed', path, change, from, kind: kind === 'directory' ? kind : undefined });
}

export function lostFrame(): string {
  return errorFrame({ reason: 'BAD_CURSOR', message: 'Some changes of files were not told: list the files anew.' });
}
