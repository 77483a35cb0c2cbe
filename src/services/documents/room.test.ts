import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import { FakeChannel } from '../../../test/kit/byte-channel.ts';
import { emptyRoom } from '../../../test/kit/fake-room.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { Pulse } from './pulse.ts';
import { Room } from './room.ts';
import { awarenessMessage, GONE, readMessage, step1Message, step2Message, updateMessage } from './sync-protocol.ts';

const queueLimit = 1024 * 1024;

/** A room of one member who knows nothing yet, and the document in it. */
function oneMember(): { room: Room; text: Y.Text; channel: FakeChannel } {
  const { ydoc, room, join } = emptyRoom();
  const channel = join();
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
  const messages = channel.sent.map((message) => readMessage(message));
  assert.equal(messages[0]?.type, 'step2');
  const reader = new Y.Doc();
  for (const message of messages) if ('update' in message) Y.applyUpdate(reader, message.update);
  assert.equal(reader.getText('content').toString(), 'one two three four ');
});

test('a member that fell behind hears, when it has caught up, who left meanwhile', () => {
  const { room, join } = emptyRoom();
  const [slow, other] = [join(), join()];
  slow.say(step1Message(Y.encodeStateVector(new Y.Doc())));
  other.say(awarenessMessage([{ client: 7, clock: 3, state: '{"user":{"name":"Ada"}}' }]));
  room.flush();
  slow.buffered = queueLimit + 1;
  other.leave();
  room.flush();
  slow.sent.length = 0;
  slow.drain();
  const told = slow.sent.map((message) => readMessage(message)).flatMap((message) => ('entries' in message ? message.entries : []));
  assert.deepEqual(told, [{ client: 7, clock: 4, state: GONE }]);
});

test('a member that is healed of a state that was lost hears who came and who left meanwhile', () => {
  const { room, join } = emptyRoom();
  const [back, other, leaving] = [join(), join(), join()];
  const client = 7;
  leaving.say(awarenessMessage([{ client: 6, clock: 1, state: '{}' }]));
  room.flush();
  back.say(step1Message(Y.encodeStateVector(new Map([[2 ** 34, 1]]))));
  other.say(awarenessMessage([{ client, clock: 1, state: '{}' }]));
  leaving.leave();
  room.flush();
  back.sent.length = 0;
  const nothing = step2Message(Y.encodeStateAsUpdate(new Y.Doc()));
  for (let answers = 0; answers < 2; answers++) back.say(nothing);
  const told = back.sent.map((message) => readMessage(message)).flatMap((message) => ('entries' in message ? message.entries : []));
  assert.deepEqual(told, [
    { client, clock: 1, state: '{}' },
    { client: 6, clock: 2, state: GONE },
  ]);
});

test('who says again and again what it has and reads nothing is asked for it once more, when it has read what waits', () => {
  const { channel } = oneMember();
  // As a channel of Hocuspocus, whose clients are asked each time.
  Object.assign(channel, { stored: () => undefined });
  const again = step1Message(Y.encodeStateVector(new Y.Doc()));
  const asked = (): number => channel.sent.splice(0).filter((message) => readMessage(message).type === 'step1').length;
  for (let i = 0; i < 3; i++) channel.say(again);
  assert.equal(asked(), 3);
  channel.buffered = queueLimit + 1;
  for (let i = 0; i < 100; i++) channel.say(again);
  assert.equal(asked(), 0);
  channel.drain();
  assert.equal(asked(), 1);
  channel.drain();
  assert.equal(asked(), 0);
});

test('who asks again and again at once who is there is told once, and once more when asked later', async () => {
  const { channel } = oneMember();
  const asked = async (times: number): Promise<string[]> => {
    for (let n = 0; n < times; n++) channel.say(Uint8Array.of(3));
    await new Promise((resolve) => setImmediate(resolve));
    return channel.sent.splice(0).map((message) => readMessage(message).type);
  };
  assert.deepEqual(await asked(1000), ['awareness']);
  assert.deepEqual(await asked(1), ['awareness']);
});

test('what a member with more than 1 MiB queued asks for is not worked out until it has taken that', () => {
  const { room, text, channel } = oneMember();
  text.insert(0, 'x'.repeat(5_000_000));
  room.flush();
  channel.sent.length = 0;
  const known = encoding.createEncoder();
  for (const number of [1, (text.doc as Y.Doc).clientID, 1]) encoding.writeVarUint(known, number);
  const ask = step1Message(encoding.toUint8Array(known));
  channel.say(ask);
  const updates = (): number[] => channel.sent.splice(0).flatMap((message) => (message.length > 4_000_000 ? [message.length] : []));
  assert.equal(updates().length, 1);
  channel.buffered = queueLimit + 1;
  const begunMs = threadMs();
  for (let n = 0; n < 1000; n++) channel.say(ask);
  const tookMs = threadMs() - begunMs;
  assert.deepEqual(updates(), []);
  assert.ok(tookMs < 300, `${tookMs} ms`);
  channel.drain();
  assert.equal(updates().length, 1);
});

/** A step 1 of who has so many operations of each of these clients. */
function step1Of(known: Record<number, number>): Uint8Array {
  const clocks = new Map(Object.entries(known).map(([client, clock]) => [Number(client), clock]));
  return step1Message(Y.encodeStateVector(clocks));
}

test('who says again and again at once what it has is answered at once, and once more with all that it lacked by any of these', async () => {
  const { room, text, channel } = oneMember();
  const other = new Y.Doc();
  other.clientID = 2;
  other.getText('content').insert(0, 'theirs');
  const own = (text.doc as Y.Doc).clientID;
  text.insert(0, 'x'.repeat(20));
  Y.applyUpdate(text.doc as Y.Doc, Y.encodeStateAsUpdate(other));
  room.flush();
  channel.sent.length = 0;
  for (let n = 0; n < 1000; n++) channel.say(step1Of({ [own]: 20, 2: n % 2 === 0 ? 6 : 3 }));
  channel.say(step1Of({ [own]: 9, 2: 6 }));
  await new Promise((resolve) => setImmediate(resolve));
  const answers = channel.sent.map((message) => readMessage(message)).filter((message) => message.type === 'step2');
  assert.equal(answers.length, 2);
  const lacking = answers.map(({ update }) => Y.decodeUpdate(update).structs.reduce((sum, { length }) => sum + length, 0));
  assert.deepEqual(lacking, [0, 14]);
});

/** A room whose document is what was logged of it, and a way in. */
function loggedRoom(first = new Y.Doc()) {
  let ydoc = first;
  ydoc.getText('content');
  const logged = [Y.encodeStateAsUpdate(first)];
  const failures: string[] = [];
  const room = new Room(
    ydoc,
    1,
    new Pulse(
      () => undefined,
      (error) => assert.fail(String(error)),
    ),
    {
      applied: (updates) => logged.push(...updates),
      hasRoomFor: () => true,
      heal: () => undefined,
      rebuild: () => {
        ydoc = new Y.Doc();
        for (const update of logged) Y.applyUpdate(ydoc, update);
        ydoc.getText('content');
        return ydoc;
      },
      failed: (what) => failures.push(what),
      presenceChanged: () => undefined,
      emptied: () => undefined,
      now: () => 0,
    },
  );
  const join = (readOnly = false): FakeChannel => {
    const channel = new FakeChannel();
    room.join({ channel, name: 'person Ada', shared: false, isReadOnly: () => readOnly, mayFollow: () => true });
    channel.sent.length = 0;
    return channel;
  };
  return { room, join, failures, logged, store: () => ydoc.store, text: () => ydoc.getText('content').toString() };
}

interface Run {
  client: number;
  clock: number;
  count: number;
  /** The item that the first of them stands behind. */
  origin?: { client: number; clock: number };
}

/** An update of pieces without content. */
function updateOf(runs: readonly Run[]): Uint8Array {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, runs.length);
  for (const { client, clock, count, origin } of runs) {
    encoding.writeVarUint(encoder, count);
    encoding.writeVarUint(encoder, client);
    encoding.writeVarUint(encoder, clock);
    for (let piece = 0; piece < count; piece++) {
      const behind = piece === 0 ? origin : undefined;
      // 1: deleted content; 0: what is gone for good.
      encoding.writeUint8(encoder, behind === undefined ? 0 : 0x81);
      if (behind !== undefined) {
        encoding.writeVarUint(encoder, behind.client);
        encoding.writeVarUint(encoder, behind.clock);
      }
      encoding.writeVarUint(encoder, 1);
    }
  }
  encoding.writeVarUint(encoder, 0);
  return encoding.toUint8Array(encoder);
}

const range = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));

function stateVectorOf(clients: number): Uint8Array {
  return Y.encodeStateVector(new Map(range(clients, (client) => [client + 1, 1])));
}

test('who knows 200,000 clients more than the document is answered, and who knows still more is refused, also with read access', () => {
  const has = 1000;
  const ydoc = new Y.Doc();
  Y.applyUpdate(ydoc, updateOf(range(has, (client) => ({ client: client + 1, clock: 0, count: 1 }))));
  const { join } = loggedRoom(ydoc);
  const answered = join(true);
  answered.say(step1Message(stateVectorOf(has + 200_000)));
  assert.deepEqual(answered.closes, []);
  assert.deepEqual(
    answered.sent.map((message) => readMessage(message).type),
    ['step2'],
  );
  const refused = join(true);
  refused.say(step1Message(stateVectorOf(has + 200_001)));
  assert.deepEqual([refused.closes, refused.sent.length], [[4422], 0]);
});

test('presence of 10,000 clients more than are there is read, and of still more it ends the socket', () => {
  const { join } = loggedRoom();
  const echo = (count: number): Uint8Array => awarenessMessage(range(count, (client) => ({ client, clock: 1, state: GONE })));
  const channel = join();
  channel.say(awarenessMessage([{ client: 20_000, clock: 1, state: '{}' }]));
  channel.say(echo(10_001));
  assert.deepEqual(channel.closes, []);
  channel.say(echo(10_002));
  assert.deepEqual(channel.closes, [4422]);
});

test('many small updates cost little where much waits for what nobody knows', () => {
  const { room, join, store } = loggedRoom();
  const channel = join();
  channel.say(updateMessage(updateOf([{ client: 1, clock: 5, count: 99_000 }])));
  for (let client = 0; client < 900; client++)
    for (let clock = 5; clock < 10; clock++) channel.say(updateMessage(updateOf([{ client: 10 + client, clock, count: 1 }])));
  const begunMs = threadMs();
  room.flush();
  const tookMs = threadMs() - begunMs;
  assert.ok(tookMs < 3000, `${tookMs} ms`);
  assert.deepEqual(channel.closes, []);
  channel.say(
    updateMessage(updateOf([{ client: 1, clock: 0, count: 5 }, ...range(100, (client) => ({ client: 10 + client, clock: 0, count: 5 }))])),
  );
  room.flush();
  assert.deepEqual([Y.getState(store(), 1), Y.getState(store(), 10), Y.getState(store(), 200)], [99_005, 10, 0]);
});

const tooMuch: [title: string, most: () => Uint8Array, more: () => Uint8Array][] = [
  [
    '100,000 pieces may wait for what nobody knows; who sends more that wait is refused, and the others go on',
    () => updateOf([{ client: 1, clock: 1, count: 100_000 }]),
    () => updateOf([{ client: 2, clock: 1, count: 1 }]),
  ],
  [
    'something of 1,000 clients may wait for what nobody knows; who sends of more is refused, and the others go on',
    () => updateOf(range(1000, (client) => ({ client: client + 1, clock: 1, count: 1 }))),
    () => updateOf([{ client: 2000, clock: 1, count: 1 }]),
  ],
  [
    '16 MiB may wait for what nobody knows; who sends more that wait is refused, and the others go on (long form)',
    () => pasted(15),
    () => pasted(2),
  ],
];

/** Text in the middle of what is not known. */
function pasted(mebibytes: number): Uint8Array {
  const ydoc = new Y.Doc();
  const text = ydoc.getText('content');
  text.insert(0, 'a');
  const before = Y.encodeStateVector(ydoc);
  text.insert(1, 'x'.repeat(mebibytes * 1024 * 1024));
  return Y.encodeStateAsUpdate(ydoc, before);
}

for (const [title, most, more] of tooMuch) {
  test(title, () => {
    const { room, join, failures, logged, store, text } = loggedRoom();
    const [good, bad, other] = [join(), join(), join()];
    bad.say(updateMessage(most()));
    room.flush();
    assert.deepEqual([bad.closes, failures], [[], []]);
    const kept = logged.length;
    bad.say(updateMessage(more()));
    const ydoc = new Y.Doc();
    ydoc.getText('content').insert(0, 'typed');
    good.say(updateMessage(Y.encodeStateAsUpdate(ydoc)));
    room.flush();
    assert.deepEqual([bad.closes, good.closes, other.closes, failures], [[4422], [], [], ['update']]);
    assert.equal(text(), 'typed');
    assert.equal(logged.length, kept + 1);
    assert.ok(store().pendingStructs !== null, 'what waited before is still there');
  });
}

test('an update of many clients is looked at before Yjs takes it: what waits in it ends the socket, and where nothing does it is taken (long form)', () => {
  const { room, join, store } = loggedRoom();
  const clients = 60_000;
  const quickly = (update: Uint8Array): FakeChannel => {
    const channel = join();
    channel.say(updateMessage(update));
    const begunMs = performance.now();
    room.flush();
    assert.ok(performance.now() - begunMs < 5000);
    return channel;
  };
  const gaps = quickly(updateOf(range(clients, (client) => ({ client: client + 1, clock: 1, count: 1 }))));
  assert.deepEqual(gaps.closes, [4422]);
  const dangling = quickly(
    updateOf(range(clients, (client) => ({ client: client + 1, clock: 0, count: 1, origin: { client: 99_999, clock: 0 } }))),
  );
  assert.deepEqual(dangling.closes, [4422]);
  const behindOneGap = range(clients, (client) => ({ client: client + 1, clock: 0, count: 1, origin: { client: 99_999, clock: 1 } }));
  assert.deepEqual(quickly(updateOf([...behindOneGap, { client: 99_999, clock: 1, count: 1 }])).closes, [4422]);
  const twice = range(clients, (client) => [0, 1].map((clock) => ({ client: client + 1, clock, count: 1 }))).flat();
  assert.deepEqual(quickly(updateOf(twice)).closes, [4422]);
  assert.equal(store().clients.size, 0);
  const chain = range(clients, (client) => ({
    client: client + 1,
    clock: 0,
    count: 1,
    ...(client === 0 ? {} : { origin: { client, clock: 0 } }),
  }));
  const held = quickly(updateOf([...chain, { client: 99_999, clock: 1, count: 1 }]));
  assert.deepEqual(held.closes, []);
  assert.equal(store().clients.size, clients);
});

test('who may only read is told so when they bring something of their own, and not for what everybody has', () => {
  const ydoc = new Y.Doc();
  const text = ydoc.getText('content');
  text.insert(0, 'one two');
  text.delete(0, 4);
  const { join } = loggedRoom(ydoc);
  const told = (change: (theirs: Y.Doc) => void): string[] => {
    const theirs = new Y.Doc();
    Y.applyUpdate(theirs, Y.encodeStateAsUpdate(ydoc));
    change(theirs);
    const channel = join(true);
    channel.say(step2Message(Y.encodeStateAsUpdate(theirs, Y.encodeStateVector(ydoc))));
    return channel.sent.map((message) => readMessage(message).type);
  };
  assert.deepEqual(
    told(() => {}),
    [],
  );
  assert.equal(told((theirs) => theirs.getText('content').insert(0, 'mine')).length, 1);
  assert.equal(told((theirs) => theirs.getText('content').delete(0, 1)).length, 1);
  const channel = join(true);
  channel.say(step2Message(Uint8Array.of(1, 2, 3)));
  assert.equal(channel.closes.length, 1);
});

/** What a client sends who changes a document so, each step as an update. */
function updatesOf(...steps: ((ydoc: Y.Doc) => void)[]): Uint8Array[] {
  const ydoc = new Y.Doc();
  const updates: Uint8Array[] = [];
  ydoc.on('update', (update: Uint8Array) => updates.push(update));
  for (const step of steps) ydoc.transact(() => step(ydoc));
  return updates;
}

function nested(levels: number): unknown[] {
  let value: unknown[] = [];
  for (let level = 1; level < levels; level++) value = [value];
  return value;
}

const deepValues: Readonly<Record<string, (ydoc: Y.Doc, value: unknown[]) => void>> = {
  embed: (ydoc, value) => ydoc.getText('notes').insertEmbed(0, value),
  format: (ydoc, value) => ydoc.getText('content').insert(0, 'x', { format: value }),
  map: (ydoc, value) => ydoc.getMap('notes').set('deep', value),
  'document in it': (ydoc, value) => ydoc.getMap('notes').set('deep', new Y.Doc({ meta: value })),
};

for (const [name, put] of Object.entries(deepValues))
  test(`a value of 500 levels may be in a document; one of more is refused, and brings nobody down: ${name}`, () => {
    const { room, join, failures } = loggedRoom();
    const send = (channel: FakeChannel, levels: number): void => {
      for (const update of updatesOf((ydoc) => put(ydoc, nested(levels)))) channel.say(updateMessage(update));
      room.flush();
    };
    const [fair, greedy] = [join(), join()];
    send(fair, 500);
    send(greedy, 501);
    assert.deepEqual([fair.closes, greedy.closes, failures], [[], [4422], ['update']]);
    const late = join();
    late.say(step1Message(Uint8Array.of(0)));
    assert.equal(readMessage(late.sent.at(-1) as Uint8Array).type, 'step2');
  });

test('a value so deep that it can be read and not be written is refused', () => {
  const { room, join, text } = loggedRoom();
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const encoder = encoding.createEncoder();
  for (const number of [1, 1, 7, 0, 5, 1]) encoding.writeVarUint(encoder, number);
  encoding.writeVarString(encoder, 'content');
  encoding.writeVarString(encoder, deep);
  encoding.writeVarUint(encoder, 0);
  const greedy = join();
  greedy.say(updateMessage(encoding.toUint8Array(encoder)));
  room.flush();
  assert.deepEqual([greedy.closes, text()], [[4422], '']);
  join().say(step1Message(Uint8Array.of(0)));
});

test('types in one another go down 500 levels; who makes more is refused, and what others sent in the same turn is taken', () => {
  const { room, join, text, store } = loggedRoom();
  const deeper = (ydoc: Y.Doc): void => {
    let inner = ydoc.getMap('notes');
    for (let next = inner.get('in'); next instanceof Y.Map; next = inner.get('in')) inner = next;
    for (let level = 0; level < 250; level++) inner = inner.set('in', new Y.Map());
  };
  const [first, second, third, gone] = updatesOf(deeper, deeper, deeper, (ydoc) => ydoc.getMap('notes').delete('in'));
  const [greedy, fair] = [join(), join()];
  for (const channel of [greedy, fair]) channel.say(step1Message(Uint8Array.of(0)));
  for (const update of [first, second]) greedy.say(updateMessage(update as Uint8Array));
  room.flush();
  assert.deepEqual(greedy.closes, []);
  const [typed] = updatesOf((ydoc) => ydoc.getText('content').insert(0, 'fair'));
  greedy.say(updateMessage(third as Uint8Array));
  fair.say(updateMessage(typed as Uint8Array));
  greedy.say(updateMessage(gone as Uint8Array));
  room.flush();
  assert.deepEqual([greedy.closes, fair.closes, text()], [[4422], [], 'fair']);
  assert.ok(store().clients.size > 0);
  fair.sent.length = 0;
  const [more] = updatesOf((ydoc) => ydoc.getText('content').insert(0, 'more '));
  const other = join();
  other.say(step1Message(Uint8Array.of(0)));
  other.say(updateMessage(more as Uint8Array));
  room.flush();
  assert.equal(fair.sent.filter((message) => readMessage(message).type === 'update').length, 1);
});

test('what is no text ends the socket that puts it into the text of the file; elsewhere in the document it may be', () => {
  for (const put of [(text: Y.Text) => text.insertEmbed(0, { image: 'a.png' }), (text: Y.Text) => text.insertEmbed(0, new Y.Map())]) {
    const { room, join, text } = loggedRoom();
    const [bold, embed] = updatesOf(
      (ydoc) => ydoc.getText('content').insert(0, 'abc', { bold: true }),
      (ydoc) => put(ydoc.getText('content')),
    );
    const [fair, greedy] = [join(), join()];
    fair.say(updateMessage(bold as Uint8Array));
    greedy.say(updateMessage(embed as Uint8Array));
    room.flush();
    assert.deepEqual([fair.closes, greedy.closes, text()], [[], [4422], 'abc']);
    const [elsewhere] = updatesOf((ydoc) => put(ydoc.getText('notes')));
    fair.say(updateMessage(elsewhere as Uint8Array));
    room.flush();
    assert.deepEqual(fair.closes, []);
  }
});
