import type { HubAuditEntry, HubTaskInfo } from '../../contract/hub-operations.ts';
import { count, spentTime } from '../words.ts';
import { firstLine } from '../tasks/task-text.ts';

/** One thing that happened to a task, with what came of it. */
export interface Happening {
  /** Of its first entry in the audit. */
  key: number;
  title: string;
  text: string;
  tone: 'plain' | 'running' | 'good' | 'bad' | 'warn';
  /** When it began, ms since 1970. */
  at: number;
}

interface Attempt extends Happening {
  fence: number;
  agent: string;
  number: number;
}

/** What this hub and older ones say in an event; nothing of it is certain. */
interface EventFacts {
  type: string;
  agent?: string;
  fence?: number;
  by?: string;
  reason?: string;
  percent?: number | null;
  text?: string | null;
  leaseUntil?: number;
}

/**
 * What happened to one task, the newest first, of all its entries in the audit in their order. Of each grant there is one happening, from the offer to
 * how it ended; a report under an older fence, or after the end, stands for itself.
 */
export function happenings(entries: readonly HubAuditEntry[], task: Pick<HubTaskInfo, 'maxAttempts'>): Happening[] {
  const told: Happening[] = [];
  let state: HubTaskInfo['state'] | undefined;
  let attempt: Attempt | undefined;
  let number = 0;
  const tell = (entry: HubAuditEntry, title: string, tone: Happening['tone'], text = ''): Happening => {
    const happening = { key: entry.sequence, title, text, tone, at: entry.at };
    told.push(happening);
    return happening;
  };
  const end = (entry: HubAuditEntry, words: string, tone: Happening['tone'], text: string): void => {
    if (attempt === undefined) return void tell(entry, `${words.charAt(0).toUpperCase()}${words.slice(1)}`, tone, text);
    attempt.title = attempt.number > 0 ? `${attemptWords(attempt)}, ${words}` : `Offer to ${attempt.agent}, ${words}`;
    attempt.tone = tone;
    attempt.text = text;
    attempt = undefined;
  };
  for (const entry of entries) {
    const event = entry.event as unknown as EventFacts;
    const agent = event.agent ?? 'an agent';
    const took = attempt === undefined ? '' : ` after ${spentTime(entry.at - attempt.at)}`;
    switch (event.type) {
      case 'create':
        tell(entry, event.by === undefined ? 'Queued' : `Queued by ${event.by}`, 'plain', count(task.maxAttempts, 'attempt'));
        break;
      case 'offer': {
        const begun: Attempt = Object.assign(tell(entry, `Offered to ${agent}, fence ${entry.generation}`, 'running'), {
          fence: entry.generation,
          agent,
          number: 0,
        });
        attempt = begun;
        break;
      }
      case 'accept':
      case 'renew':
      case 'progress':
        if (attempt === undefined) break;
        if (attempt.number === 0) attempt.number = ++number;
        attempt.title = attemptWords(attempt);
        if (event.type === 'progress') attempt.text = progressWords(event);
        break;
      case 'complete':
      case 'fail':
        if (attempt === undefined || event.fence !== attempt.fence) {
          tell(entry, `Late report of ${agent} refused`, 'warn', lateWords(event, entry));
        } else {
          if (attempt.number === 0) attempt.number = ++number;
          if (event.type === 'fail') end(entry, 'failed', 'bad', firstLine(event.reason ?? '') || `It failed${took}.`);
          else if (entry.state === 'succeeded') end(entry, 'done', 'good', `Its result was taken${took}.`);
          else end(entry, 'not taken', 'bad', 'Its verification report does not pass.');
        }
        break;
      case 'refuse':
        end(entry, 'refused', 'warn', firstLine(event.reason ?? '') || 'The agent did not take it.');
        break;
      case 'disown':
        end(entry, 'lost', 'bad', 'The agent came back without it, or may not come back.');
        break;
      case 'cancel':
        if (attempt !== undefined && (entry.state === 'offered' || entry.state === 'running'))
          tell(entry, `Cancellation asked by ${event.by ?? 'somebody'}`, 'warn', event.reason ?? '');
        else {
          if (attempt !== undefined) end(entry, 'cancelled', 'warn', '');
          tell(entry, `Cancelled by ${event.by ?? 'somebody'}`, 'warn', event.reason ?? '');
        }
        break;
      case 'retry':
        number = 0;
        attempt = undefined;
        tell(entry, `Queued again by ${event.by ?? 'somebody'}`, 'plain', `With all ${count(task.maxAttempts, 'attempt')} again.`);
        break;
      case 'released':
        tell(entry, 'A task that it waited for is done', 'plain');
        break;
      case 'tick':
        ticked(entry);
        break;
      default:
    }
    // A holder who reports after that is too late.
    if (entry.state !== 'offered' && entry.state !== 'running') attempt = undefined;
    state = entry.state;
  }
  function ticked(entry: HubAuditEntry): void {
    if (entry.state === 'cancelled') end(entry, 'cancelled', 'warn', 'It was asked to stop, and its time to do so ran out.');
    else if (entry.state === 'failed') end(entry, 'failed', 'bad', 'Its deadline is over.');
    else if (state === 'running') end(entry, 'lost', 'bad', 'The agent fell silent, and the lease ran out.');
    else if (state === 'offered') end(entry, 'not accepted', 'warn', 'No answer came in time.');
    else tell(entry, told.length > 1 ? 'Back in the queue' : 'Its time has come', 'plain');
  }
  return told.reverse();
}

/** How long the lease was when it was last renewed, ms; undefined where that is not known. */
export function leaseLength(entries: readonly HubAuditEntry[]): number | undefined {
  const last = entries.findLast(({ event: { type } }) => type === 'renew' || type === 'accept');
  if (last === undefined) return undefined;
  const { leaseUntil } = last.event as unknown as EventFacts;
  return leaseUntil === undefined || leaseUntil <= last.at ? undefined : leaseUntil - last.at;
}

function attemptWords({ number, agent, fence }: Attempt): string {
  return `Attempt ${number} on ${agent}, fence ${fence}`;
}

function progressWords({ percent, text }: EventFacts): string {
  return [percent === undefined || percent === null ? '' : `${Math.round(percent)} %`, firstLine(text ?? '')]
    .filter((part) => part !== '')
    .join(' · ');
}

function lateWords({ type, fence, reason }: EventFacts, { generation }: HubAuditEntry): string {
  const why = fence !== undefined && fence < generation ? `fence ${fence} < ${generation}` : 'it was over by then';
  const what = type === 'fail' ? `It says: ${firstLine(reason ?? '') || 'failed'}` : 'Its result is kept below';
  return `${what}; ${why}.`;
}
