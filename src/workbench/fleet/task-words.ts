import type { HubTaskInfo } from '../../contract/hub-operations.ts';
import { firstLine, type TaskSign } from '../tasks/task-text.ts';
import { clockTime, count, daysBetween, spentTime } from '../words.ts';

const dayMs = 86_400_000;

export function taskSign({ state, attempt, after, runAt, cancelBy, createdAt }: HubTaskInfo): TaskSign {
  switch (state) {
    case 'scheduled':
      if (attempt > 0) return { word: 'Retry', tone: 'retry' };
      return { word: after.length > 0 && runAt <= createdAt ? 'Waiting' : 'Scheduled', tone: 'queued' };
    case 'ready':
      return attempt > 0 ? { word: 'Retry', tone: 'retry' } : { word: 'Queued', tone: 'queued' };
    case 'offered':
      return { word: cancelBy === null ? 'Offered' : 'Stopping', tone: 'offered' };
    case 'running':
      return cancelBy === null ? { word: 'Running', tone: 'running' } : { word: 'Stopping', tone: 'offered' };
    case 'succeeded':
      return { word: 'Done', tone: 'done' };
    case 'failed':
      return { word: 'Failed', tone: 'failed' };
    case 'dead':
      return { word: 'Gave up', tone: 'dead' };
    case 'cancelled':
      return { word: 'Cancelled', tone: 'cancelled' };
  }
}

export function isOver({ state }: Pick<HubTaskInfo, 'state'>): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'dead' || state === 'cancelled';
}

export function isHeld({ state }: Pick<HubTaskInfo, 'state'>): boolean {
  return state === 'offered' || state === 'running';
}

/** What is worth knowing next of a task: the time it has left, what it waits for, or what it came to. `now` in ms since 1970. */
export function nextWords(task: HubTaskInfo, now: number): string {
  const { state, runAt, leaseUntil, cancelBy, progress, after, needs, reason, updatedAt, createdAt } = task;
  switch (state) {
    case 'scheduled':
      if (runAt <= now) return after.length > 0 ? `waits for ${count(after.length, 'task')}` : 'any moment';
      return `${task.attempt > 0 ? 'again' : 'starts'} ${soon(runAt, now)}`;
    case 'ready':
      return needs.length > 0 ? `needs ${needs.join(', ')}` : 'waits for a free agent';
    case 'offered':
      return cancelBy === null ? 'not accepted yet' : `stops ${soon(cancelBy, now)}`;
    case 'running': {
      if (cancelBy !== null) return `stops ${soon(cancelBy, now)}`;
      const percent = progress === null || progress.percent === null ? [] : [`${Math.round(progress.percent)} %`];
      return [...percent, leaseUntil === null ? 'no lease' : leaseWords(leaseUntil, now)].join(' · ');
    }
    case 'succeeded':
      return `after ${spentTime(updatedAt - createdAt)}`;
    case 'failed':
    case 'dead':
    case 'cancelled':
      return firstLine(reason ?? '');
  }
}

/** `0:18 left` */
export function leaseWords(leaseUntil: number, now: number): string {
  return leaseUntil > now ? `${minutes(leaseUntil - now)} left` : 'lease ran out';
}

/** `in 0:41`, `at 02:00`, `3 Nov at 02:00`: the nearer, the finer. */
export function soon(at: number, now: number): string {
  const left = at - now;
  if (left < 3_600_000) return `in ${minutes(Math.max(0, left))}`;
  if (left < dayMs || daysBetween(now, at) <= 1) return `at ${clockTime(at)}`;
  return `${new Date(at).toLocaleDateString('en', { day: 'numeric', month: 'short' })} at ${clockTime(at)}`;
}

/** `0:18`, `61:05`; a second that has begun counts. */
export function minutes(ms: number): string {
  const seconds = Math.ceil(Math.max(0, ms) / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
