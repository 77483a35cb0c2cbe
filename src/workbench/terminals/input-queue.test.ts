import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputQueue } from './input-queue.ts';

interface Sent {
  text: string;
  answer: (error?: Error) => void;
}

function harness(): { queue: InputQueue; sent: Sent[]; problems: unknown[]; turn: () => Promise<void> } {
  const sent: Sent[] = [];
  const problems: unknown[] = [];
  const queue = new InputQueue(
    (text) =>
      new Promise<void>((resolve, reject) => {
        sent.push({ text, answer: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
    (error) => problems.push(error),
  );
  return { queue, sent, problems, turn: () => new Promise((resolve) => setImmediate(resolve)) };
}

test('one call at a time, in order; what was typed meanwhile goes together', async () => {
  const { queue, sent, turn } = harness();
  for (const letter of 'abc') queue.add(letter);
  assert.deepEqual(
    sent.map(({ text }) => text),
    ['a'],
  );
  sent[0]?.answer();
  await turn();
  assert.deepEqual(
    sent.map(({ text }) => text),
    ['a', 'bc'],
  );
  sent[1]?.answer();
  await turn();
  queue.add('d');
  assert.deepEqual(
    sent.map(({ text }) => text),
    ['a', 'bc', 'd'],
  );
});

test('what could not be typed is said once and dropped, and what is typed later goes out', async () => {
  const { queue, sent, problems, turn } = harness();
  queue.add('rm ');
  queue.add('-rf x\r');
  sent[0]?.answer(new Error('away'));
  await turn();
  assert.equal(problems.length, 1);
  assert.equal(sent.length, 1);
  queue.add('ls\r');
  assert.equal(sent[1]?.text, 'ls\r');
});

test('a long paste goes in pieces that end with whole characters', async () => {
  const { queue, sent, turn } = harness();
  const text = `x${'😀'.repeat(100_000)}`;
  queue.add(text);
  for (let at = 0; at < sent.length; at += 1) {
    sent[at]?.answer();
    await turn();
  }
  assert.ok(sent.length > 1);
  assert.equal(sent.map((one) => one.text).join(''), text);
  for (const one of sent) assert.ok(one.text.isWellFormed());
});
