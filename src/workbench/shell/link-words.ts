import type { ConnectionState } from '../client-port.ts';
import { clockTime, count } from '../words.ts';

export interface LinkFacts {
  link: ConnectionState;
  /** When `link` became what it is, ms since 1970. */
  since: number;
  now: number;
  /** Whether the workspace was ever reached from this page. */
  wasLive: boolean;
  /** Edits that the sidecar does not have yet. */
  waiting: { edits: number; documents: number };
  /** The last time the link came back, and how many edits were sent then. */
  back: { at: number; edits: number } | undefined;
  /** Nothing can be typed here. */
  readOnly: boolean;
  /** Where the sidecar is expected, e.g. `localhost:3000`. */
  address: string;
}

export type LinkTone = 'live' | 'connecting' | 'reconnecting' | 'offline';

export interface LinkNotice {
  tone: 'reconnecting' | 'offline';
  title: string;
  text: string;
  actions: readonly ('try' | 'copy')[];
}

export interface LinkWords {
  tone: LinkTone;
  /** In the chip. */
  chip: string;
  /** The chip spelt out, for those who hear it. */
  name: string;
  notice: LinkNotice | undefined;
  /** Nothing is known of the workspace yet: its shape is shown in grey. */
  skeleton: boolean;
}

/** A skeleton that flashes up is worse than a blank moment. */
const skeletonAfterMs = 150;
const slowAfterMs = 5_000;
/** Links that come back at once are not worth a word. */
const noticeAfterMs = 2_000;
const backForMs = 4_000;

/** What the page says about the link. Pure: the same facts give the same words. */
export function linkWords(facts: LinkFacts): LinkWords {
  const { link, now, since, wasLive, waiting, back, readOnly } = facts;
  if (link.name === 'live') {
    const sent = back !== undefined && back.edits > 0 && now - back.at < backForMs ? `Live · ${count(back.edits, 'edit')} sent` : 'Live';
    return { tone: 'live', chip: sent, name: `Link: ${sent}`, notice: undefined, skeleton: false };
  }
  if (!wasLive || link.name === 'refused' || link.name === 'closed') return connecting(facts);
  const begun = link.name === 'reconnecting' || link.name === 'offline' ? link.since : since;
  if (link.name === 'offline') {
    const chip = waiting.edits > 0 ? `Offline · ${waiting.edits}` : 'Offline';
    const kept =
      waiting.edits > 0
        ? `${count(waiting.edits, 'edit')} in ${count(waiting.documents, 'document')} ${waiting.edits === 1 ? 'is' : 'are'} kept in this browser.`
        : readOnly
          ? 'What is open can be read on.'
          : 'You can go on typing: edits are kept in this browser.';
    return {
      tone: 'offline',
      chip,
      name: waiting.edits > 0 ? `Offline, ${count(waiting.edits, 'edit')} not sent` : 'Offline',
      notice: {
        tone: 'offline',
        title: `Offline since ${clockTime(begun)}.`,
        text: `${kept} Files, search, runs and terminals need the sidecar.`,
        actions: waiting.edits > 0 ? ['try', 'copy'] : ['try'],
      },
      skeleton: false,
    };
  }
  const chip = waiting.edits > 0 ? `${waiting.edits} unsynced` : 'Reconnecting';
  const kept =
    waiting.edits > 0
      ? `Keep typing: ${count(waiting.edits, 'edit')} ${waiting.edits === 1 ? 'waits here and is' : 'wait here and are'} sent when the link is back.`
      : readOnly
        ? 'What is open can be read on.'
        : 'Keep typing: edits wait here and are sent when the link is back.';
  return {
    tone: 'reconnecting',
    chip,
    name: waiting.edits > 0 ? `Reconnecting, ${count(waiting.edits, 'edit')} not sent` : 'Reconnecting',
    notice:
      now - begun >= noticeAfterMs
        ? { tone: 'reconnecting', title: 'Reconnecting.', text: `${kept} ${nextTry(link, now)}`, actions: ['try'] }
        : undefined,
    skeleton: false,
  };
}

function connecting({ since, now, address }: LinkFacts): LinkWords {
  const waited = now - since;
  const slow: LinkNotice = {
    tone: 'reconnecting',
    title: `Still connecting to ${address}.`,
    text: 'Is `npm start` running?',
    actions: ['try'],
  };
  return {
    tone: 'connecting',
    chip: 'Connecting',
    name: 'Connecting',
    notice: waited >= slowAfterMs ? slow : undefined,
    skeleton: waited >= skeletonAfterMs,
  };
}

function nextTry(link: ConnectionState, now: number): string {
  if (!('retryAt' in link) || link.retryAt === undefined) return 'Trying now.';
  return `Next try in ${Math.max(1, Math.ceil((link.retryAt - now) / 1000))} s.`;
}
