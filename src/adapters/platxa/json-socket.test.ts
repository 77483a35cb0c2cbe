import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import { FileNews } from './file-news.ts';
import { servePlatxaSocket } from './json-socket.ts';

interface Frame {
  type: string;
  docName: string;
  payload?: { reason: string };
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
