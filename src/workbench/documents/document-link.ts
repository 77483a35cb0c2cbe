import { messageAuth, WebsocketProvider } from 'y-websocket';
import { readAuthMessage } from 'y-protocols/auth';
import type { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';
import { encodePath } from '../file-paths.ts';

export interface DocumentLinkEvents {
  /** All that the sidecar has is here, and the other way round. */
  onSynced: () => void;
  onLost: () => void;
  /** What was sent is not taken: the caller may only read. Said again of what is sent later. */
  onDenied: () => void;
  /** The sidecar won't have it: a close code of 44xx. Not tried again. */
  onRefused: (code: number) => void;
  /** The page's own link is lost as well. */
  isAway: () => boolean;
}

/** A document's own connection to the sidecar. */
export interface DocumentLink {
  tryNow(): void;
  close(): void;
}

export type OpenDocumentLink = (path: string, doc: Y.Doc, awareness: Awareness, events: DocumentLinkEvents) => DocumentLink;

const maxBackoffMs = 4_000;

/**
 * Links by the stock provider; `address` is that of the sidecar, `ws://host:port`. While the page's own link is lost, they are tried when `isThere` says
 * that somebody answers: browsers let each WebSocket that failed make the next wait longer, Firefox up to a minute, which would pass after all is well.
 */
export function documentLinks(address: string, isThere: () => Promise<boolean>): OpenDocumentLink {
  const waiting = new Set<WebsocketProvider>();
  let looking: ReturnType<typeof setTimeout> | undefined;
  const look = async (): Promise<void> => {
    const is = await isThere().catch(() => false);
    looking = undefined;
    if (!is) return lookLater();
    for (const provider of waiting) provider.connect();
    waiting.clear();
  };
  const lookLater = (): void => {
    if (waiting.size > 0) looking ??= setTimeout(() => void look(), Math.random() * maxBackoffMs);
  };
  return (path, doc, awareness, events) => {
    // Pages in one browser meet at the sidecar, not behind its back: what it has not seen is not saved.
    const provider = new WebsocketProvider(`${address}/ws/doc`, encodePath(path), doc, {
      awareness,
      maxBackoffTime: maxBackoffMs,
      disableBc: true,
      shouldReconnect: ({ code }) => {
        if (isRefusal(code) || !events.isAway()) return !isRefusal(code);
        waiting.add(provider);
        lookLater();
        return false;
      },
    });
    provider.on('sync', (synced: boolean) => {
      if (synced) events.onSynced();
      else events.onLost();
    });
    provider.messageHandlers[messageAuth] = (_encoder, decoder) => readAuthMessage(decoder, doc, () => events.onDenied());
    provider.on('connection-close', (event: CloseEvent | null) => {
      const code = event?.code ?? 0;
      if (!isRefusal(code)) return;
      provider.disconnect();
      events.onRefused(code);
    });
    return {
      tryNow: () => {
        waiting.delete(provider);
        if (provider.wsconnected) return;
        provider.disconnect();
        provider.connect();
      },
      close: () => {
        waiting.delete(provider);
        provider.destroy();
      },
    };
  };
}

function isRefusal(code: number): boolean {
  return code >= 4400 && code <= 4499;
}
