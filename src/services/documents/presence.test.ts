import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness';
import * as Y from 'yjs';
import type { FakeChannel } from '../../../test/kit/byte-channel.ts';
import { emptyRoom } from '../../../test/kit/fake-room.ts';
import { PresenceMap } from './presence.ts';
import { awarenessMessage, GONE, readMessage } from './sync-protocol.ts';

const ADA = 7;
const adaAt = (clock: number, state = '{"user":{"name":"Ada"}}'): Uint8Array => awarenessMessage([{ client: ADA, clock, state }]);

function presenceRoom() {
  const { room, join } = emptyRoom();
  const names = (): (string | undefined)[] => room.presence.people().map(({ name }) => name);
  return { room, join, names };
}

/** What a channel was told of presence since the last time. */
function told(channel: FakeChannel) {
  return channel.sent.splice(0).flatMap((bytes) => {
    const message = readMessage(bytes);
    return message.type === 'awareness' ? message.entries : [];
  });
}

test('who left stays so, whatever of it others say again that they were told before', () => {
  const { room, join, names } = presenceRoom();
  const [ada, other] = [join(), join()];
  ada.say(adaAt(4));
  room.flush();
  ada.leave();
  room.flush();
  // A stock client says again what it is told, and this was under way.
  other.say(adaAt(4));
  room.flush();
  assert.deepEqual(names(), []);
  assert.deepEqual(told(join()), []);
});

test('who says by itself that it left stays so, too', () => {
  const { room, join, names } = presenceRoom();
  const [ada, other] = [join(), join()];
  ada.say(adaAt(4));
  ada.say(adaAt(5, GONE));
  room.flush();
  other.say(adaAt(4));
  assert.deepEqual(names(), []);
  ada.say(adaAt(6));
  assert.deepEqual(names(), ['Ada']);
});

test('who comes back is there at once with a newer clock, by whichever channel', () => {
  const { room, join, names } = presenceRoom();
  const [ada, other] = [join(), join()];
  ada.say(adaAt(4));
  ada.leave();
  room.flush();
  other.say(adaAt(6));
  assert.deepEqual(names(), ['Ada']);
  const back = join();
  back.say(adaAt(7));
  other.leave();
  assert.deepEqual(names(), ['Ada']);
});

test('who comes back with the clock that it had is there at once, and to those who know that it left as well', (t) => {
  const { room, join, names } = presenceRoom();
  const [first, other] = [join(), join()];
  const ydoc = new Y.Doc();
  const ada = new Awareness(ydoc);
  const theirs = new Awareness(new Y.Doc());
  t.after(() => {
    ada.destroy();
    theirs.destroy();
  });
  const say = (channel: FakeChannel): void => {
    channel.say(awarenessFrame(encodeAwarenessUpdate(ada, [ydoc.clientID])));
    room.flush();
  };
  const hear = (awareness: Awareness, channel: FakeChannel): void => {
    for (const entry of told(channel)) applyAwarenessUpdate(awareness, contentOf(awarenessMessage([entry])), 'room');
  };
  ada.setLocalState({ user: { name: 'Ada' } });
  say(first);
  hear(theirs, other);
  assert.ok(theirs.getStates().has(ydoc.clientID));
  first.leave();
  room.flush();
  hear(theirs, other);
  assert.ok(!theirs.getStates().has(ydoc.clientID));
  const second = join();
  ada.on('update', (_change: unknown, origin: unknown) => origin === 'room' && say(second));
  say(second);
  assert.deepEqual(names(), ['Ada']);
  hear(ada, second);
  hear(theirs, other);
  assert.ok(theirs.getStates().has(ydoc.clientID));
  hear(ada, second);
  assert.deepEqual(told(second), [], 'each says it once');
});

test('who says again what it was told in letters of its own does not make it its own', () => {
  const { room, join, names } = presenceRoom();
  const [ada, other] = [join(), join()];
  ada.say(adaAt(4, '{"user": {"name": "Jos\\u00e9"}}'));
  room.flush();
  other.say(adaAt(4, '{"user":{"name":"José"}}'));
  assert.deepEqual(names(), ['José']);
  ada.leave();
  assert.deepEqual(names(), []);
});

test('of 1,000 who left it is remembered', () => {
  const presence = new PresenceMap<object>();
  const [one, other] = [{}, {}];
  for (const owner of [one, other]) presence.joined(owner);
  const say = (owner: object, client: number, clock: number, state: string): boolean => presence.receive(owner, [{ client, clock, state }]);
  for (let client = 0; client < 1001; client++) {
    say(one, client, 1, '{}');
    say(one, client, 2, GONE);
  }
  say(other, 1, 1, '{}');
  assert.equal(presence.size, 0);
  say(other, 0, 1, '{}');
  assert.equal(presence.size, 1);
});

function awarenessFrame(content: Uint8Array): Uint8Array {
  // Its length fits into one byte.
  assert.ok(content.length < 128);
  return Uint8Array.of(1, content.length, ...content);
}

function contentOf(frame: Uint8Array): Uint8Array {
  assert.equal(frame[1], frame.length - 2);
  return frame.subarray(2);
}
