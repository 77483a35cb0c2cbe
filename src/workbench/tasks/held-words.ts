import type { HeldTaskInfo, PastTask } from '../../contract/tasks.ts';
import { count, shortAge } from '../words.ts';
import type { HubFacts } from './task-store.ts';
import { firstLine, type TaskSign } from './task-text.ts';

/** How a task stands on this machine, in a word. */
export function heldSign({ state, recovering }: Pick<HeldTaskInfo, 'state' | 'recovering'>): TaskSign {
  if (recovering) return { word: 'Waits for the hub', tone: 'retry' };
  switch (state) {
    case 'accepted':
      return { word: 'Accepted', tone: 'offered' };
    case 'waking':
      return { word: 'Waking', tone: 'running' };
    case 'waking_confirmation':
      return { word: 'Woken', tone: 'running' };
    case 'working':
      return { word: 'Working', tone: 'running' };
    case 'verifying':
      return { word: 'Verifying', tone: 'running' };
  }
}

/** What that means, as a sentence. */
export function heldSentence({ state, recovering }: Pick<HeldTaskInfo, 'state' | 'recovering'>): string {
  if (recovering) return 'The sidecar was started anew. The task goes on when the hub says so.';
  switch (state) {
    case 'accepted':
      return 'It is stored here, and begins when the hub has heard so.';
    case 'waking':
      return 'Its wake program runs, or is started again in a moment.';
    case 'waking_confirmation':
      return 'Its wake program ended well; the agent has not said yet that it began.';
    case 'working':
      return 'The agent has begun.';
    case 'verifying':
      return 'The agent has given its result, and the steps that prove it are taken.';
  }
}

/** What stands beside its state: how far it is, the attempt, its age. `now` in ms since 1970. */
export function heldNote({ attempts, acceptedAt, progress }: HeldTaskInfo, now: number): string {
  const percent = progress?.percent === undefined ? [] : [`${Math.round(progress.percent)} %`];
  return [...percent, ...(attempts === 0 ? [] : [`attempt ${attempts}`]), shortAge(acceptedAt, now)].join(' · ');
}

/** `42 % · editing the report`; empty where its agent said nothing. */
export function progressWords({ progress }: Pick<HeldTaskInfo, 'progress'>): string {
  if (progress === undefined) return '';
  const { percent, text = '' } = progress;
  return [percent === undefined ? '' : `${Math.round(percent)} %`, firstLine(text)].filter((part) => part !== '').join(' · ');
}

/** What became of a task, in a word. */
export function pastSign({ end, reason }: Pick<PastTask, 'end' | 'reason'>): TaskSign {
  if (end === 'cancelled') return { word: 'Cancelled', tone: 'cancelled' };
  if (end === 'abandoned') return { word: 'Given away', tone: 'queued' };
  return reason === undefined ? { word: 'Done', tone: 'done' } : { word: 'Failed', tone: 'failed' };
}

/** What became of it, as a sentence. */
export function pastSentence({ end, reason, waits }: Pick<PastTask, 'end' | 'reason' | 'waits'>): string {
  if (waits) return 'The hub has not acknowledged its result yet. It is on the disk, and told again until the hub has it.';
  if (end === 'cancelled') return reason === undefined ? 'The hub took it back.' : 'The hub knows that it was cancelled.';
  if (end === 'abandoned') return 'The hub gave it to somebody else; its programs were ended.';
  return reason === undefined ? 'The hub has its result.' : 'The hub knows that it failed.';
}

/** What stands beside that: a result that waits, why it failed, its age. */
export function pastNote({ at, reason, waits, verification }: PastTask, now: number): string {
  const why = firstLine(reason ?? '');
  const proof = verification === undefined || reason !== undefined ? '' : verifiedWords(verification);
  return [waits ? 'not told yet' : '', why, proof, shortAge(at, now)].filter((part) => part !== '').join(' · ');
}

/** `2 of 3 checks passed` */
export function verifiedWords({ passed, total }: NonNullable<PastTask['verification']>): string {
  return `${passed} of ${count(total, 'check')} passed`;
}

/** How the hub is, for the foot of the list. */
export function hubWords({ agent, connected, refused, waiting }: HubFacts): string {
  const how = connected ? `From the hub, as ${agent}` : refused === null ? `The hub is away from ${agent}` : `The hub refuses ${agent}`;
  return waiting === 0 ? how : `${how} · ${count(waiting, 'result')} wait${waiting === 1 ? 's' : ''}`;
}

/** What it means that the hub is not there, and what is to be done where it does not come back by itself. */
export function awayWords({ agent, refused, waiting }: HubFacts, isRecovering: boolean): string {
  const [how, then] =
    refused === null
      ? ['The hub is not reached.', 'when it is back']
      : [
          `The hub refuses ${agent} (${refused}) and is not asked again: ` +
            'put a token that holds into the config of the link, and start the sidecar again.',
          'after that',
        ];
  const held = isRecovering ? `What waits for its word goes on ${then}.` : 'Programs go on as long as their lease lasts.';
  const results =
    waiting === 1
      ? `1 result waits on the disk, and is told ${then}.`
      : `${count(waiting, 'result')} wait on the disk, and are told ${then}.`;
  return [how, held, ...(waiting === 0 ? [] : [results])].join(' ');
}
