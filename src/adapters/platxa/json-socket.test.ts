import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { type ByteChannel, closeCodes } from '../../contract/wire.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import { FileNews } from './file-news.ts';
import { servePlatxaSocket } from './json-socket.ts';

interface Frame {
  type: string;
  docName: string;
  payload?: { reason: string; message: string };
  messageId?: number;
}

const caller: Caller = { id: 'main', name: 'main', kind: 'person', access: 'admin' };

/** Opens each document, and tells no news. */
const dispatch: Dispatch = ({ name, signal }) =>
  name === 'documents.open'
    ? Promise.resolve({ output: { readOnly: false } })
    : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

test('a socket may be in 1,000 documents; one more is refused, and the others go on', async () => {
  const frames: Frame[] = [];
  let leave = (): void => undefined;
  let say = (_text: string): void => undefined;
  const socket: TextSocket = {
    send: (text) => frames.push(JSON.parse(text) as Frame),
    buffered: 0,
    onDrain: () => undefined,
    onText: (listener) => (say = listener),
    onBad: () => undefined,
    onClose: (listener) => (leave = listener),
    pause: () => undefined,
    resume: () => undefined,
    close: (code, reason) => assert.fail(`${code} ${reason}`),
  };
  const dependencies = { dispatch, news: new FileNews(dispatch), caller, id: 'request', log: () => undefined, now: () => 0 };
  servePlatxaSocket(socket, dependencies, { maxMessagesPerS: 2000 });
  const names = Array.from({ length: 1001 }, (_, number) => `${number}.txt`);
  for (const docName of [...names, '0.txt']) say(JSON.stringify({ type: 'sync', docName, messageId: 1 }));
  await eventually(() => frames.length === 1002);
  const refused = frames.filter(({ type }) => type !== 'ack');
  assert.deepEqual(
    refused.map(({ type, docName, payload }) => [type, docName, payload?.reason]),
    [['error', '1000.txt', 'TOO_MANY_DOCUMENTS']],
  );
  leave();
});

test('who sends and does not read is not read from until the answers are taken, whatever a document wants meanwhile', async () => {
  let told = 0;
  let paused = false;
  let buffered = 0;
  let drained = (): void => undefined;
  let leave = (): void => undefined;
  let say = (_text: string): void => undefined;
  let channel: ByteChannel | undefined;
  const opening: Dispatch = (request) => {
    channel = request.channel ?? channel;
    return dispatch(request);
  };
  const socket: TextSocket = {
    send: () => told++,
    get buffered() {
      return buffered;
    },
    onDrain: (listener) => (drained = listener),
    onText: (listener) => (say = listener),
    onBad: () => undefined,
    onClose: (listener) => (leave = listener),
    pause: () => (paused = true),
    resume: () => (paused = false),
    close: (code, reason) => assert.fail(`${code} ${reason}`),
  };
  const dependencies = { dispatch: opening, news: new FileNews(dispatch), caller, id: 'request', log: () => undefined, now: () => 0 };
  servePlatxaSocket(socket, dependencies, { maxMessagesPerS: 2000 });
  say(JSON.stringify({ type: 'sync', docName: 'a.txt', messageId: 1 }));
  await eventually(() => told === 1 && !paused);
  buffered = 2 * 1024 * 1024;
  for (let i = 0; i < 10; i++) say('no message');
  await later(10);
  assert.deepEqual([told, paused], [1, true]);
  channel?.pause();
  channel?.resume();
  assert.equal(paused, true);
  buffered = 0;
  drained();
  await eventually(() => told === 11);
  assert.equal(paused, false);
  leave();
});

test('what the document refuses at once is answered by an error with its messageId, and by no ack', async () => {
  const frames: Frame[] = [];
  let leave = (): void => undefined;
  let say = (_text: string): void => undefined;
  const refusing: Dispatch = (request) => {
    const { channel } = request;
    channel?.onMessage(() => channel.close(closeCodes.badMessage, 'The state vector is malformed.'));
    return dispatch(request);
  };
  const socket: TextSocket = {
    send: (text) => frames.push(JSON.parse(text) as Frame),
    buffered: 0,
    onDrain: () => undefined,
    onText: (listener) => (say = listener),
    onBad: () => undefined,
    onClose: (listener) => (leave = listener),
    pause: () => undefined,
    resume: () => undefined,
    close: (code, reason) => assert.fail(`${code} ${reason}`),
  };
  const dependencies = { dispatch: refusing, news: new FileNews(dispatch), caller, id: 'request', log: () => undefined, now: () => 0 };
  servePlatxaSocket(socket, dependencies, { maxMessagesPerS: 2000 });
  const messages = [
    { type: 'sync', payload: { stateVector: [2, 5] } },
    { type: 'presence', payload: { state: {} } },
    { type: 'yjs-update', update: [] },
  ];
  for (const [messageId, message] of messages.entries()) say(JSON.stringify({ ...message, docName: 'a.txt', messageId }));
  say('no message');
  await eventually(() => assert.equal(frames.at(-1)?.payload?.message, 'The message is not JSON.'));
  assert.deepEqual(
    frames.slice(0, -1).map(({ type, docName, payload, messageId }) => [type, docName, payload?.reason, messageId]),
    messages.map((_, messageId) => ['error', 'a.txt', 'BAD_FRAME', messageId]),
  );
  leave();
});
