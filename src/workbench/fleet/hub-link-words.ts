import type { ConnectionState } from '../client-port.ts';
import { clockTime } from '../words.ts';

export interface HubLinkWords {
  tone: 'live' | 'connecting' | 'reconnecting' | 'offline';
  chip: string;
  notice: { title: string; text: string } | undefined;
}

const slowAfterMs = 5_000;
/** Links that come back at once are not worth a word. */
const noticeAfterMs = 2_000;

/** What the page says about its link. Pure: `since` is when `link` became what it is, times in ms since 1970. */
export function hubLinkWords(link: ConnectionState, since: number, now: number, wasLive: boolean, address: string): HubLinkWords {
  if (link.name === 'live') return { tone: 'live', chip: 'Live', notice: undefined };
  if (!wasLive || link.name === 'refused' || link.name === 'closed' || link.name === 'idle') {
    const slow = now - since >= slowAfterMs;
    const notice = { title: `Still connecting to ${address}.`, text: 'Is `outrigger hub` running?' };
    return { tone: 'connecting', chip: 'Connecting', notice: slow ? notice : undefined };
  }
  const begun = link.name === 'connecting' ? since : link.since;
  const kept = 'What you see is from then. Agents go on with the tasks that they have.';
  if (link.name === 'offline')
    return { tone: 'offline', chip: 'Offline', notice: { title: `Offline since ${clockTime(begun)}.`, text: kept } };
  const next =
    link.name === 'connecting' || link.retryAt === undefined
      ? 'Trying now.'
      : `Next try in ${Math.max(1, Math.ceil((link.retryAt - now) / 1000))} s.`;
  const notice = now - begun >= noticeAfterMs ? { title: 'Reconnecting.', text: `${kept} ${next}` } : undefined;
  return { tone: 'reconnecting', chip: 'Reconnecting', notice };
}
