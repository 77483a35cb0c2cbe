import assert from 'node:assert/strict';
import * as Y from 'yjs';
import { Pulse } from '../../src/services/documents/pulse.ts';
import { Room } from '../../src/services/documents/room.ts';
import { FakeChannel } from './byte-channel.ts';

/** A room without files around it; whatever it reports as failed fails the test. */
export function emptyRoom() {
  const ydoc = new Y.Doc();
  const fail = (error: unknown): void => assert.fail(String(error));
  const room = new Room(ydoc, 1, new Pulse(() => undefined, fail), {
    applied: () => undefined,
    hasRoomFor: () => true,
    heal: () => undefined,
    rebuild: () => ydoc,
    failed: (_what, error) => fail(error),
    presenceChanged: () => undefined,
    emptied: () => undefined,
    now: () => 0,
  });
  const join = (): FakeChannel => {
    const channel = new FakeChannel();
    room.join({ channel, name: 'person', shared: false, isReadOnly: () => false, mayFollow: () => true });
    return channel;
  };
  return { ydoc, room, join };
}
