import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutriggerError } from '../../contract/errors.ts';
import type { Batch } from '../../contract/wire.ts';
import { DocumentChannel, type Opened } from './document-channel.ts';
import { readAddressed, syncStatusMessage } from './messages.ts';

const opened: Opened = { caller: { id: 'a', name: 'Ann', kind: 'person', access: 'write' }, scope: 'read-write' };

function channelOf(address: string): { channel: DocumentChannel; reasons: Set<object>; sent: Batch[]; got: Uint8Array[] } {
  const reasons = new Set<object>();
  const sent: Batch[] = [];
  const got: Uint8Array[] = [];
  const channel = new DocumentChannel(address, {
    buffered: 0,
    send: (batch) => void sent.push(batch),
    pause: (reason) => void reasons.add(reason),
    resume: (reason) => void reasons.delete(reason),
    ended: () => {},
  });
  channel.onMessage((message) => got.push(message));
  return { channel, reasons, sent, got };
}

test('what comes before a document is open waits; beyond a bound nothing more is read', () => {
  const { channel, reasons, got } = channelOf('a.txt');
  const messages = [Uint8Array.of(1), new Uint8Array(256 * 1024), Uint8Array.of(2)];
  channel.receive(messages[0] as Uint8Array);
  assert.equal(reasons.size, 0);
  channel.receive(messages[1] as Uint8Array);
  channel.receive(messages[2] as Uint8Array);
  assert.deepEqual([reasons.size, got], [1, []]);
  // The pause of a document is another one.
  channel.pause();
  channel.begin(opened);
  assert.deepEqual([reasons.size, got], [1, messages]);
  channel.resume();
  assert.equal(reasons.size, 0);
});

test('one that ended holds up nobody, says nothing, and tells those who ask later, too', async () => {
  const { channel, reasons, sent, got } = channelOf('a.txt');
  const closes: number[] = [];
  channel.onClose((code) => closes.push(code));
  channel.receive(new Uint8Array(512 * 1024));
  channel.pause();
  channel.stored(true);
  const reason = new OutriggerError('CANCELED', 'It was left.');
  channel.end(4403, reason);
  channel.end(1000, reason);
  channel.begin(opened);
  channel.send({ messages: [Uint8Array.of(0)] });
  channel.onClose((code) => closes.push(code));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([reasons.size, sent, got, closes], [0, [], [], [4403, 4403]]);
  assert.equal(channel.signal.reason, reason);
});

test('a batch is made once for all channels of an address, and not of what y-websocket alone knows', () => {
  const [ann, bob, session] = [channelOf('ä.txt'), channelOf('ä.txt'), channelOf('ä.txt\0session')];
  const batch: Batch = { messages: [Uint8Array.of(0, 2, 0), Uint8Array.of(2, 0, 0), Uint8Array.of(1, 1, 0)] };
  for (const { channel } of [ann, bob, session]) channel.send(batch);
  assert.equal(ann.sent[0], bob.sent[0]);
  const read = (sent: readonly Batch[]): [string, number[]][] =>
    sent.flatMap(({ messages }) => messages.map(readAddressed)).map(({ address, rest }) => [address, [...rest]]);
  const expected = (address: string): [string, number[]][] => [
    [address, [0, 2, 0]],
    [address, [1, 1, 0]],
  ];
  assert.deepEqual([read(ann.sent), read(session.sent)], [expected('ä.txt'), expected('ä.txt\0session')]);
  assert.equal(session.channel.path, 'ä.txt');
});

test('all that was stored in a turn is told in one write', async () => {
  const { channel, sent } = channelOf('a.txt');
  for (const isStored of [true, false, true]) channel.stored(isStored);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    sent.map(({ messages }) => messages),
    [[true, false, true].map((isStored) => syncStatusMessage('a.txt', isStored))],
  );
});
