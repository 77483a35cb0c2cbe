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

/** What is served on a socket, whose other end says texts and leaves. */
function serve(by: Dispatch) {
  const frames: Frame[] = [];
  const reading = { paused: false, buffered: 0, drained: (): void => undefined };
  let leave = (): void => undefined;
  let say = (_text: string): void => undefined;
  const socket: TextSocket = {
    send: (text) => frames.push(JSON.parse(text) as Frame),
    get buffered() {
      return reading.buffered;
    },
    onDrain: (listener) => (reading.drained = listener),
    onText: (listener) => (say = listener),
    onBad: () => undefined,
    onClose: (listener) => (leave = listener),
    pause: () => (reading.paused = true),
    resume: () => (reading.paused = false),
    close: (code, reason) => assert.fail(`${code} ${reason}`),
  };
  const dependencies = { dispatch: by, news: new FileNews(dispatch), caller, id: 'request', log: () => undefined, now: () => 0 };
  servePlatxaSocket(socket, dependencies, { maxMessagesPerS: 2000 });
  return { frames, reading, say, leave };
}

test('a socket may be in 1,000 documents; one more is refused, and the others go on', async () => {
  const { frames, say, leave } = serve(dispatch);
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
  let channel: ByteChannel | undefined;
  const opening: Dispatch = (request) => {
    channel = request.channel ?? channel;
    return dispatch(request);
  };
  const { frames, say, leave, reading } = serve(opening);
  say(JSON.stringify({ type: 'sync', docName: 'a.txt', messageId: 1 }));
  await eventually(() => frames.length === 1 && !reading.paused);
  reading.buffered = 2 * 1024 * 1024;
  for (let i = 0; i < 10; i++) say('no message');
  await later(10);
  assert.deepEqual([frames.length, reading.paused], [1, true]);
  channel?.pause();
  channel?.resume();
  assert.equal(reading.paused, true);
  reading.buffered = 0;
  reading.drained();
  await eventually(() => frames.length === 11);
  assert.equal(reading.paused, false);
  leave();
});

test('what the document refuses at once is answered by an error with its messageId, and by no ack', async () => {
  const refusing: Dispatch = (request) => {
    const { channel } = request;
    channel?.onMessage(() => channel.close(closeCodes.badMessage, 'The state vector is malformed.'));
    return dispatch(request);
  };
  const { frames, say, leave } = serve(refusing);
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
