import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualTimers } from '../../../test/kit/peer-pair.ts';
import { hubFeatures } from '../../contract/hub.ts';
import { TaskNews } from './task-news.ts';

test('a thousand short frames wait for a socket that is full, in their order; what is said beyond that is dropped', () => {
  const timers = new ManualTimers();
  const news = new TaskNews(timers, () => []);
  const told: unknown[] = [];
  let isFull = true;
  const session = { features: new Set(hubFeatures), send: ({ task_id: id }: Record<string, unknown>) => !isFull && told.push(id) > 0 };
  news.connected(session, () => true);
  const say = (number: number): void => news.send(session, { type: 'wake_result', task_id: number, status: 'success' });
  for (let number = 1; number <= 1200; number++) say(number);
  timers.advance(1000);
  assert.deepEqual(told, []);
  isFull = false;
  timers.advance(50);
  say(1201);
  assert.deepEqual(told, [...Array.from({ length: 1000 }, (_, at) => at + 1), 1201]);
  news.disconnected();
  assert.equal(timers.pending, 0);
});
