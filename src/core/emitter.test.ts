import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from './emitter.ts';

test('all listeners hear, also past one that throws or leaves meanwhile', () => {
  const errors: unknown[] = [];
  const heard: string[] = [];
  const emitter = new Emitter<{ news: number }>((error) => errors.push(error));
  const leave = emitter.on('news', (value) => {
    heard.push(`first ${value}`);
    leave();
  });
  emitter.on('news', () => {
    throw new Error('mine');
  });
  const last = (value: number): number => heard.push(`last ${value}`);
  emitter.on('news', last);
  const leaveTwin = emitter.on('news', last);
  emitter.emit('news', 1);
  leaveTwin();
  emitter.emit('news', 2);
  assert.deepEqual(heard, ['first 1', 'last 1', 'last 1', 'last 2']);
  assert.equal(errors.length, 2);
});
