import type { DocumentInfo, documents as table } from '../../contract/documents.ts';
import type { Implementations } from '../../contract/operation.ts';
import type { Documents, DocumentNews } from './documents.ts';

const MAX_WAITING_NEWS = 1000;

export function documentOperations(documents: Documents): Implementations<typeof table> {
  return {
    'documents.list': (_input, call) => ({ documents: documents.list().filter((info) => documents.isToldTo(info.path, call)) }),

    'documents.watch': async (_input, call) => {
      const told = new Set<string>();
      const send = (news: DocumentNews): Promise<void> | void => {
        const isTold = ({ path }: DocumentInfo): boolean => documents.isToldTo(path, call);
        const changed = news.changed.filter(isTold);
        // Of one that leads elsewhere now, nothing more is heard.
        const hidden = news.changed.filter((info) => !isTold(info)).map(({ path }) => path);
        const closed = [...news.closed, ...hidden].filter((path) => told.delete(path));
        for (const { path } of changed) told.add(path);
        if (changed.length > 0 || closed.length > 0) return call.emit({ changed, closed });
      };
      // Waiting news are joined per document: a slow reader gets the newest, and memory is bounded by the open documents.
      let waiting: DocumentNews = { changed: documents.list(), closed: [] };
      let wake: (() => void) | undefined;
      const stop = documents.onNews((news) => {
        waiting = joinNews(waiting, news);
        wake?.();
      });
      const aborted = (): void => wake?.();
      call.signal.addEventListener('abort', aborted, { once: true });
      try {
        // An empty list is news, too: the reader knows that it has all.
        await call.emit({ changed: [], closed: [] });
        for (;;) {
          const news = waiting;
          waiting = { changed: [], closed: [] };
          await send(news);
          if (waiting.changed.length === 0 && waiting.closed.length === 0) await new Promise<void>((resolve) => (wake = resolve));
          if (call.signal.aborted) throw call.signal.reason;
        }
      } finally {
        stop();
        call.signal.removeEventListener('abort', aborted);
      }
    },

    'documents.open': async ({ path }, call) => {
      const info = call.channel === undefined ? await documents.look(path, call) : await documents.join(path, call.channel, call);
      return {
        ...info,
        readOnly: !documents.mayWrite(info.path, call.caller),
        socket: `/ws/doc/${path.split('/').map(encodeURIComponent).join('/')}`,
      };
    },

    'documents.flush': async () => {
      await documents.flush('');
      const left = documents.list().filter((info) => info.state !== 'saved' && info.state !== 'deleted');
      const saved = documents.list().filter((info) => info.state === 'saved');
      return {
        saved: saved.map((info) => info.path),
        failed: left.map((info) => ({ path: info.path, problem: info.problem ?? 'People keep typing in it.' })),
      };
    },
  };
}

function joinNews(older: DocumentNews, newer: DocumentNews): DocumentNews {
  const changed = new Map([...older.changed, ...newer.changed].map((info) => [info.path, info]));
  const closed = new Set([...older.closed.filter((path) => !changed.has(path)), ...newer.closed]);
  for (const path of newer.closed) changed.delete(path);
  return { changed: [...changed.values()], closed: [...closed].slice(-MAX_WAITING_NEWS) };
}
