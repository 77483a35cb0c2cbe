import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputQueue } from './input-queue.ts';

/** A program that has room for nothing until it is let go on. */
function slowProgram(endsForGood = true): { queue: InputQueue; got: string[]; goOn: () => void } {
  const got: string[] = [];
  const room = Promise.withResolvers<void>();
  const queue = new InputQueue({
    write: async (bytes) => {
      got.push(Buffer.from(bytes).toString());
      await room.promise;
    },
    end: () => got.push('(end)'),
    endsForGood,
  });
  return { queue, got, goOn: () => room.resolve() };
}

test('an end that somebody was told of comes, though the one who asked first goes away', async () => {
  const { queue, got, goOn } = slowProgram();
  const leaving = new AbortController();
  const writing = queue.write(Buffer.from('text'));
  const first = queue.end(leaving.signal);
  const second = queue.end();
  leaving.abort(new Error('gone'));
  await assert.rejects(first, /gone/);
  await assert.rejects(queue.write(Buffer.from('late')), { reason: 'BAD_INPUT' });
  goOn();
  await Promise.all([writing, second, queue.end()]);
  assert.deepEqual(got, ['text', '(end)']);
});

test('where all who asked for the end went away, the input goes on', async () => {
  const { queue, got, goOn } = slowProgram();
  const leaving = new AbortController();
  const writing = queue.write(Buffer.from('text'));
  const ends = [queue.end(leaving.signal), queue.end(leaving.signal)];
  leaving.abort(new Error('gone'));
  for (const end of ends) await assert.rejects(end, /gone/);
  const more = queue.write(Buffer.from('more'));
  goOn();
  await Promise.all([writing, more]);
  assert.deepEqual(got, ['text', 'more']);
});

test('in a terminal, each end is one', async () => {
  const { queue, got, goOn } = slowProgram(false);
  goOn();
  for (let times = 0; times < 2; times++) await queue.end();
  await queue.write(Buffer.from('more'));
  assert.deepEqual(got, ['(end)', '(end)', 'more']);
});
