import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DocumentLink } from './document-link.ts';
import { presenceMessage, readDocumentMessage } from './y-messages.ts';

test('nobody is told of a presence of his own, and of who spoke for very many the newest thousand are known', () => {
  const sent: string[] = [];
  const link = new DocumentLink(
    { send: (text) => void sent.push(text), buffered: 0, pause: () => {}, resume: () => {} },
    'a.txt',
    () => {},
  );
  const told = (client: number): number => {
    sent.length = 0;
    link.channel.send({ messages: [presenceMessage({ client, clock: 1, state: '{}' })] });
    return sent.length;
  };
  link.presence(7, '{}');
  assert.deepEqual([told(7), told(8)], [0, 1]);
  for (let client = 100; client < 1100; client++) link.presence(client, 'null');
  assert.deepEqual([told(7), told(100), told(1099)], [1, 0, 0]);
  // Who speaks again is new again.
  link.presence(100, '{}');
  link.presence(2000, 'null');
  assert.deepEqual([told(100), told(101), told(2000)], [0, 1, 0]);
});

test('what a client says of itself is newer than what it said before by another socket: Yjs passes over an older clock', () => {
  const clocks: number[] = [];
  for (const state of ['{}', '{"back":true}']) {
    const link = new DocumentLink({ send: () => {}, buffered: 0, pause: () => {}, resume: () => {} }, 'a.txt', () => {});
    link.channel.onMessage((bytes) => {
      const message = readDocumentMessage(bytes);
      if (message.kind === 'presence') clocks.push(...message.entries.map(({ clock }) => clock));
    });
    for (let count = 0; count < 3; count++) link.presence(7, state);
    link.close(1006);
  }
  assert.equal(clocks.length, 6);
  // One more than the last is said of a client that left.
  for (const [at, clock] of clocks.entries()) if (at > 0) assert.ok(clock > (clocks[at - 1] as number) + (at === 3 ? 1 : 0), clocks.join());
});
