import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { FakeChannel } from '../../../test/kit/byte-channel.ts';
import { Pulse } from './pulse.ts';
import { Room } from './room.ts';
import { readMessage, step1Message } from './sync-protocol.ts';

const queueLimit = 1024 * 1024;

/** A room of one member who knows nothing yet, and the document in it. */
function oneMember(): { room: Room; text: Y.Text; channel: FakeChannel } {
  const ydoc = new Y.Doc();
  const fail = (error: unknown): void => assert.fail(String(error));
  const room = new Room(ydoc, 1, new Pulse(() => undefined, fail), {
    applied: () => undefined,
    heal: () => undefined,
    rebuild: () => ydoc,
    failed: (_what, error) => fail(error),
    presenceChanged: () => undefined,
    emptied: () => undefined,
    now: () => 0,
  });
  const channel = new FakeChannel();
  room.join({ channel, name: 'person Ada', shared: false, readOnly: false, mayFollow: () => true });
  channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
  channel.sent.length = 0;
  return { room, text: ydoc.getText('content'), channel };
}

test('a member with more than 1 MiB queued is skipped, and gets the whole state when it has taken that', () => {
  const { room, text, channel } = oneMember();
  const type = (word: string): void => {
    text.insert(text.length, word);
    room.flush();
  };
  channel.buffered = queueLimit;
  type('one ');
  assert.equal(channel.sent.splice(0).length, 1);
  channel.buffered = queueLimit + 1;
  for (const word of ['two ', 'three ', 'four ']) type(word);
  assert.deepEqual(channel.sent, []);
  channel.drain();
  const messages = channel.sent.map(readMessage);
  assert.equal(messages[0]?.type, 'step2');
  const reader = new Y.Doc();
  for (const message of messages) if ('update' in message) Y.applyUpdate(reader, message.update);
  assert.equal(reader.getText('content').toString(), 'one two three four ');
});
