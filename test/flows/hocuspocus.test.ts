// The wire of Hocuspocus: the npm package @hocuspocus/provider as it is, and by hand what it does not say.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as encoding from 'lib0/encoding';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { closeCodes } from '../../src/contract/wire.ts';
import { eventually } from '../kit/eventually.ts';
import { type CollabSocket, openCollab } from '../kit/hocuspocus-client.ts';
import { type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

const mib = 1024 * 1024;

interface Setting extends RunningSidecar {
  collab(options?: { token?: string; query?: string }): CollabSocket;
}

function withCollab(run: (setting: Setting) => Promise<void>, setup: SidecarSetup = {}): Promise<void> {
  const sockets: CollabSocket[] = [];
  return withSidecar(
    async (running) => {
      const collab: Setting['collab'] = (options = { token: running.token }) => {
        const socket = openCollab(running.url, options);
        sockets.push(socket);
        return socket;
      };
      try {
        await run({ ...running, collab });
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    },
    { ...setup, config: { 'documents.saveIdleMs': '60', ...setup.config } },
  );
}

const connections = async ({ client }: RunningSidecar): Promise<number> =>
  (await client.call('documents.list', {})).documents.reduce((sum, info) => sum + info.connections, 0);

test('people with stock providers edit files together, many on one socket, with presence, and with those of y-websocket', () =>
  withCollab(async ({ put, file, url, token, collab }) => {
    put('a.txt', 'one\n');
    put('sub/b é%.txt', 'two\r\n');
    const [ann, bob] = [collab(), collab()];
    const [annA, annB, bobA, bobB] = [ann.open('a.txt'), ann.open('sub/b é%.txt'), bob.open('a.txt'), bob.open('sub/b é%.txt')];
    const scopes = [annA, annB, bobA, bobB].map((client) => client.synced());
    await Promise.all(scopes);
    assert.deepEqual([annA.text.toString(), annB.text.toString()], ['one\n', 'two\n']);
    assert.equal(annA.provider.authorizedScope, 'read-write');
    const other = openYjsClient(url, { token, room: 'a.txt' });
    try {
      await other.synced();
      annA.text.insert(0, 'ann ');
      bobA.text.insert(bobA.text.length, 'bob\n');
      other.text.insert(0, 'other ');
      annB.text.insert(0, 'more ');
      annA.provider.setAwarenessField('user', { name: 'Ann', color: '#005b8a' });
      await eventually(() => {
        const text = annA.text.toString();
        assert.deepEqual(text.replace('other ', '').replace('ann ', ''), 'one\nbob\n');
        assert.deepEqual([bobA.text.toString(), other.text.toString(), file('a.txt')], [text, text, text]);
        assert.deepEqual([bobB.text.toString(), file('sub/b é%.txt')], ['more two\n', 'more two\r\n']);
      });
      const names = (states: Map<number, { user?: { name: string } }>): (string | undefined)[] =>
        [...states.values()].map(({ user }) => user?.name).filter((name) => name !== undefined);
      await eventually(() => assert.deepEqual(names(bobA.provider.awareness?.getStates() as never), ['Ann']));
      assert.deepEqual(names(other.provider.awareness.getStates() as never), ['Ann']);
      assert.deepEqual(names(bobB.provider.awareness?.getStates() as never), []);
    } finally {
      other.destroy();
    }
  }));

test('two providers of one document on one socket are two, where they name their sessions', () =>
  withCollab(async (running) => {
    running.put('a.txt', 'one\n');
    const socket = running.collab();
    const [left, right] = [socket.open('a.txt', { sessionAwareness: true }), socket.open('a.txt', { sessionAwareness: true })];
    await Promise.all([left.synced(), right.synced()]);
    assert.equal(await connections(running), 2);
    left.text.insert(0, 'left ');
    await eventually(() => assert.equal(right.text.toString(), 'left one\n'));
    left.destroy();
    await eventually(async () => assert.equal(await connections(running), 1));
    right.text.insert(0, 'right ');
    await eventually(() => assert.equal(running.file('a.txt'), 'right left one\n'));
  }));

test('what is told to be synced outlives a kill, and who comes back has it once', () =>
  withScratchFolder('hocuspocus', async (folder, root) => {
    fs.writeFileSync(path.join(root, 'a.txt'), 'one\n');
    const flags = { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' };
    const options = { root, state: path.join(folder, 'state'), port: 0, flags };
    const first = await spawnSidecar(options);
    const ann = openCollab(first.url, { token: processToken });
    let second: SidecarProcess | undefined;
    try {
      const client = ann.open('a.txt');
      await client.synced();
      client.text.insert(0, 'typed ');
      assert.equal(client.provider.hasUnsyncedChanges, true);
      await client.synced();
      await first.kill();
      assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'one\n');
      second = await spawnSidecar({ ...options, port: Number(new URL(first.url).port) });
      const late = openCollab(second.url, { token: processToken });
      try {
        const other = late.open('a.txt');
        await other.synced();
        client.text.insert(0, 'after ');
        await eventually(() => assert.equal(other.text.toString(), 'after typed one\n'), 10_000);
        await client.synced();
        assert.equal(client.text.toString(), 'after typed one\n');
      } finally {
        late.destroy();
      }
    } finally {
      ann.destroy();
      await second?.kill();
      await first.kill();
    }
  }));

test('who comes back after the state was lost is told that all is synced when it was merged', () =>
  withScratchFolder('hocuspocus', async (folder, root) => {
    fs.writeFileSync(path.join(root, 'a.txt'), 'one\n');
    const options = { root, state: path.join(folder, 'state'), port: 0 };
    const first = await spawnSidecar(options);
    const ann = openCollab(first.url, { token: processToken });
    let second: SidecarProcess | undefined;
    try {
      const client = ann.open('a.txt');
      await client.synced();
      await first.kill();
      fs.rmSync(options.state, { recursive: true });
      client.text.insert(0, 'typed ');
      second = await spawnSidecar({ ...options, port: Number(new URL(first.url).port) });
      await eventually(() => assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'typed one\n'), 10_000);
      await client.synced();
      client.text.insert(0, 'more ');
      await client.synced();
      assert.equal(client.text.toString(), 'more typed one\n');
    } finally {
      ann.destroy();
      await second?.kill();
      await first.kill();
    }
  }));

test('a document is refused with the reason, and the others on its socket go on', () =>
  withCollab(async ({ put, root, client, token, collab }) => {
    put('in/a.txt');
    put('out.txt');
    fs.writeFileSync(path.join(root, 'in/binary'), Uint8Array.of(0, 1, 2, 0));
    const { secret } = await client.call('tokens.create', { name: 'limited', access: 'write', paths: ['in'] });
    const socket = collab({ token: secret });
    const good = socket.open('in/a.txt');
    await good.synced();
    const refusals = async (name: string, own = secret): Promise<string[]> => {
      const bad = socket.open(name, { token: own });
      await eventually(() => bad.refusals.length > 0);
      const { refusals: reasons } = bad;
      bad.destroy();
      return reasons;
    };
    assert.match((await refusals('out.txt')).join(), /out\.txt/);
    assert.match((await refusals('in/../out.txt')).join(), /\.\./);
    assert.match((await refusals('in/binary')).join(), /not text/);
    assert.match((await refusals('in')).join(), /folder/);
    assert.match((await refusals('out.txt', '')).join(), /token/i);
    assert.match((await refusals('out.txt', `${token}x`)).join(), /token/i);
    // Each may have a token of its own.
    const other = socket.open('out.txt', { token });
    await other.synced();
    good.text.insert(0, 'good ');
    await good.synced();
    assert.deepEqual(socket.closes, []);
  }));

test('a token may come with the upgrade alone', () =>
  withCollab(async ({ put, file, token, collab }) => {
    put('a.txt', 'one\n');
    const person = collab({ query: `?token=${token}` }).open('a.txt');
    await person.synced();
    person.text.insert(0, 'typed ');
    await eventually(() => assert.equal(file('a.txt'), 'typed one\n'));
  }));

test('who may only read is told so, sees what others write, and that nothing of its own is taken', () =>
  withCollab(async ({ put, file, client, collab }) => {
    put('a.txt', 'one\ntwo\n');
    const writer = collab().open('a.txt');
    await writer.synced();
    writer.text.delete(4, 4);
    const { secret } = await client.call('tokens.create', { name: 'reader', access: 'read' });
    const reader = collab({ token: secret }).open('a.txt');
    await reader.synced();
    assert.equal(reader.provider.authorizedScope, 'readonly');
    reader.provider.forceSync();
    await reader.synced();
    reader.text.insert(0, 'never ');
    writer.text.insert(0, 'written ');
    await eventually(() => assert.match(reader.text.toString(), /written/));
    assert.equal(reader.provider.unsyncedChanges, 1);
    await writer.synced();
    await eventually(() => assert.equal(file('a.txt'), 'written one\n'));
    assert.equal(writer.text.toString(), 'written one\n');
  }));

test('who may write, but not where git takes programs from, is told so there', () =>
  withCollab(async ({ put, root, client, clientOf, collab }) => {
    put('.git/hooks/post-commit', 'kept\n');
    fs.symlinkSync('.git/hooks', path.join(root, 'link'));
    put('a.txt', 'one\n');
    const { secret } = await client.call('tokens.create', { name: 'writer', access: 'write' });
    const socket = collab({ token: secret });
    for (const [name, scope] of [
      ['.git/hooks/post-commit', 'readonly'],
      ['link/post-commit', 'readonly'],
      ['a.txt', 'read-write'],
    ] as const) {
      const person = socket.open(name);
      await person.synced();
      assert.equal(person.provider.authorizedScope, scope, name);
      assert.equal((await clientOf(secret).call('documents.open', { path: name })).readOnly, scope === 'readonly', name);
      assert.equal((await client.call('documents.open', { path: name })).readOnly, false, name);
    }
  }));

test('a sync that is forced is answered both ways', () =>
  withCollab(async ({ put, collab }) => {
    put('a.txt', 'one\n');
    const person = collab().open('a.txt');
    await person.synced();
    for (let i = 0; i < 3; i++) {
      person.provider.forceSync();
      assert.equal(person.provider.unsyncedChanges, 1);
      await person.synced();
    }
  }));

test('a token that is revoked ends its socket, and what opens documents again is the next one', () =>
  withCollab(async ({ put, file, client, url, token, collab }) => {
    put('a.txt', 'one\n');
    const made = await client.call('tokens.create', { name: 'revoked', access: 'write' });
    let current = made.secret;
    const socket = collab();
    const person = socket.open('a.txt', { token: () => current });
    await person.synced();
    // One that brought its token with the upgrade, and opened nothing.
    const idle = new WebSocket(`${url.replace(/^http/, 'ws')}/collab?token=${current}`);
    await once(idle, 'open');
    await client.call('tokens.revoke', { id: made.id });
    assert.equal((await once(idle, 'close'))[0], closeCodes.tokenEnded);
    await eventually(() => assert.deepEqual(socket.closes, [closeCodes.tokenEnded]));
    await eventually(() => assert.match(person.refusals.join(), /token/i));
    current = token;
    socket.cut();
    await person.synced();
    person.text.insert(0, 'again ');
    await eventually(() => assert.equal(file('a.txt'), 'again one\n'));
    // Another token in mid-life: its holder comes anew.
    const next = await client.call('tokens.create', { name: 'next', access: 'read' });
    current = next.secret;
    await person.provider.sendToken();
    await eventually(() => assert.equal(person.provider.authorizedScope, 'readonly'));
    assert.equal(socket.closes.at(-1), closeCodes.replaced);
    // The same once more.
    await person.provider.sendToken();
    await person.synced();
    assert.equal(socket.closes.length, 3);
  }));

test('where another file is behind a name, providers come back to that', () =>
  withCollab(async ({ put, root, collab }) => {
    put('one.txt', 'first\n');
    put('two.txt', 'second\n');
    const link = path.join(root, 'link.txt');
    fs.symlinkSync('one.txt', link);
    const socket = collab();
    const [person, other] = [socket.open('link.txt'), socket.open('two.txt')];
    await Promise.all([person.synced(), other.synced()]);
    fs.symlinkSync('two.txt', `${link}.new`);
    fs.renameSync(`${link}.new`, link);
    await eventually(() => assert.equal(person.text.toString(), 'second\n'));
    assert.deepEqual(socket.closes, [closeCodes.replaced]);
    await Promise.all([person.synced(), other.synced()]);
  }));

test('who may not look where a file was moved is told that it is closed', () =>
  withCollab(async ({ put, client, collab }) => {
    put('in/a.txt', 'one\n');
    put('in/b.txt', 'two\n');
    const { secret } = await client.call('tokens.create', { name: 'limited', access: 'write', paths: ['in'] });
    const socket = collab({ token: secret });
    const [moved, stays] = [socket.open('in/a.txt'), socket.open('in/b.txt')];
    await Promise.all([moved.synced(), stays.synced()]);
    await client.call('files.move', { from: 'in/a.txt', to: 'out.txt' });
    await eventually(() => assert.match(moved.closes.join(), /moved to where you may not look/));
    moved.text.insert(0, 'lost ');
    stays.text.insert(0, 'more ');
    await stays.synced();
    assert.equal(moved.provider.hasUnsyncedChanges, true);
    assert.deepEqual(socket.closes, []);
    assert.equal((await client.call('files.read', { path: 'out.txt' })).text, 'one\n');
  }));

test('a cut in the midst of typing loses and doubles nothing', () =>
  withCollab(async ({ put, file, collab }) => {
    put('a.txt', '');
    const socket = collab();
    const [person, other] = [socket.open('a.txt'), collab().open('a.txt')];
    await Promise.all([person.synced(), other.synced()]);
    for (let i = 0; i < 40; i++) {
      person.text.insert(person.text.length, `${i} `);
      if (i % 8 === 3) socket.cut();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const all = Array.from({ length: 40 }, (_, i) => `${i} `).join('');
    await person.synced();
    await eventually(() => assert.deepEqual([other.text.toString(), file('a.txt')], [all, all]));
  }));

test('who leaves a document leaves its room, and may come back', () =>
  withCollab(async (running) => {
    running.put('a.txt', 'one\n');
    const person = running.collab().open('a.txt');
    for (let i = 0; i < 3; i++) {
      await person.synced();
      assert.equal(await connections(running), 1);
      person.provider.detach();
      await eventually(async () => assert.equal(await connections(running), 0));
      person.provider.isAuthenticated = false;
      person.provider.synced = false;
      person.provider.attach();
    }
    await person.synced();
  }));

// ── by hand ────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Raw {
  socket: WebSocket;
  messages: Uint8Array[];
  closed: Promise<number>;
}

async function openRaw(url: string): Promise<Raw> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/collab`);
  const messages: Uint8Array[] = [];
  socket.on('message', (data: Buffer) => messages.push(new Uint8Array(data)));
  socket.on('error', () => undefined);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await once(socket, 'open');
  return { socket, messages, closed };
}

function message(address: string, ...parts: (number | string | Uint8Array)[]): Uint8Array {
  return encoding.encode((encoder) => {
    encoding.writeVarString(encoder, address);
    for (const part of parts) {
      if (typeof part === 'number') encoding.writeVarUint(encoder, part);
      else if (typeof part === 'string') encoding.writeVarString(encoder, part);
      else encoding.writeVarUint8Array(encoder, part);
    }
  });
}

const auth = (address: string, token: string): Uint8Array => message(address, 2, 0, token, '4.8.0');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('who says not who it is gets no document, and is closed after ten seconds; so is who sends too much before', { timeout: 60_000 }, () =>
  withCollab(async ({ put, url, token, client }) => {
    put('a.txt', 'one\n');
    const begun = performance.now();
    const [silent, wrong, flood, good] = [await openRaw(url), await openRaw(url), await openRaw(url), await openRaw(url)];
    wrong.socket.send(auth('a.txt', 'wrong'.repeat(8)));
    wrong.socket.send(message('a.txt', 0, 0, Uint8Array.of(0)));
    good.socket.send(auth('a.txt', token));
    flood.socket.send(message('a.txt', 0, 2, new Uint8Array(300 * 1024)));
    assert.equal(await flood.closed, 1006);
    assert.ok(performance.now() - begun < 9000);
    assert.equal(await silent.closed, closeCodes.tokenEnded);
    assert.equal(await wrong.closed, closeCodes.tokenEnded);
    assert.ok(performance.now() - begun > 9000);
    assert.deepEqual(wrong.messages.map(hex), [hex(message('a.txt', 2, 1, 'That token does not hold here.'))]);
    // Who said so stays.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(good.socket.readyState, WebSocket.OPEN);
    assert.equal((await client.call('documents.list', {})).documents[0]?.connections, 1);
    good.socket.close();
  }),
);

test('a hundred who say not who they are hold up nobody who says so with the upgrade', () =>
  withCollab(async ({ put, url, token, collab }) => {
    put('a.txt', 'one\n');
    const strangers = await Promise.all(Array.from({ length: 100 }, () => openRaw(url)));
    await assert.rejects(openRaw(url), /429/);
    const person = collab({ query: `?token=${token}` }).open('a.txt');
    await person.synced();
    strangers[0]?.socket.terminate();
    await eventually(async () => (await openRaw(url)).socket.terminate());
    for (const { socket } of strangers) socket.terminate();
  }));

test('what is no message closes the socket; what is for no open document, and what nobody knows, is passed over', () =>
  withCollab(async ({ put, url, token }) => {
    put('a.txt', 'one\n');
    const broken = [
      Uint8Array.of(9, 1),
      message('a.txt', 2, 0).subarray(0, 8),
      message('x'.repeat(5000), 0, 0),
      Uint8Array.of(1, 97, 0x80),
    ];
    for (const bytes of broken) {
      const raw = await openRaw(url);
      raw.socket.send(bytes);
      assert.equal(await raw.closed, closeCodes.badMessage);
    }
    const { socket, messages, closed } = await openRaw(url);
    socket.send(Uint8Array.of(9));
    await eventually(() => assert.deepEqual(messages.map(hex), ['0a']));
    for (const type of [0, 1, 3, 4, 5, 6, 7, 8, 11, 200]) socket.send(message('a.txt', type, 'anything'));
    socket.send(auth('a.txt', token));
    for (const type of [5, 6, 8, 11, 200]) socket.send(message('a.txt', type, 'anything'));
    socket.send(Uint8Array.of(10));
    // Step 1 of somebody who has nothing; an update as an answer, which is told to be stored.
    socket.send(message('a.txt', 0, 0, Uint8Array.of(0)));
    const ydoc = new Y.Doc();
    ydoc.getText('content').insert(0, 'typed ');
    socket.send(message('a.txt', 4, 1, Y.encodeStateAsUpdate(ydoc)));
    await eventually(() => assert.ok(messages.some((one) => hex(one) === hex(message('a.txt', 8, 1)))));
    assert.ok(messages.some((one) => hex(one) === hex(message('a.txt', 2, 2, 'read-write'))));
    socket.send(message('a.txt', 0, 2, Uint8Array.of(255, 255)));
    // A broken update ends the document for its sender, and no other.
    await eventually(() => assert.ok(messages.some((one) => hex(one).startsWith(hex(message('a.txt', 7))))));
    socket.send(Uint8Array.of(9));
    await eventually(() => assert.equal(hex(messages.at(-1) ?? new Uint8Array()), '0a'));
    socket.close();
    await closed;
  }));

test('a socket has a thousand documents at most', () =>
  withCollab(async (running) => {
    const { put, url, token } = running;
    put('a.txt', 'one\n');
    const { socket, messages } = await openRaw(url);
    for (let i = 0; i <= 1000; i++) socket.send(auth(`a.txt\0${i}`, token));
    await eventually(() => assert.ok(messages.some((one) => hex(one).startsWith(hex(message('a.txt\x001000', 2, 1))))), 20_000);
    await eventually(async () => assert.equal(await connections(running), 1000), 20_000);
    socket.close();
    await eventually(async () => assert.equal(await connections(running), 0), 20_000);
  }));

/** Says it until 8 MiB of it are not taken; far more answers than the buffers of two sockets hold. Gives how often. */
async function sayUntilHeldUp(socket: WebSocket, words: Uint8Array): Promise<number> {
  let sent = 0;
  while (sent < 60_000 && socket.bufferedAmount < 8 * mib) {
    for (let i = 0; i < 100; i++) socket.send(words);
    sent += 100;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(socket.bufferedAmount >= 8 * mib, `all of ${sent} were taken`);
  return sent;
}

test('who sends and never reads is not read from, however much is to be told to it', { timeout: 60_000 }, () =>
  withCollab(async ({ put, url, token, client }) => {
    put('a.txt', 'one\n');
    const { socket, messages } = await openRaw(url);
    const address = `a.txt\0${'x'.repeat(4000)}`;
    socket.send(auth(address, token));
    socket.send(message(address, 0, 0, Uint8Array.of(0)));
    await eventually(() => assert.ok(messages.length > 2));
    socket.pause();
    const nothing = message(address, 0, 2, Uint8Array.of(0, 0));
    const sent = await sayUntilHeldUp(socket, nothing);
    assert.equal((await client.call('documents.list', {})).documents.length, 1);
    socket.resume();
    const stored = hex(message(address, 8, 1));
    await eventually(
      () => assert.equal(messages.filter((one) => one.length < address.length + 6 && hex(one) === stored).length, sent),
      50_000,
    );
    socket.close();
  }),
);

test('nor is who says its token again and again, and never reads', { timeout: 60_000 }, () =>
  withCollab(async ({ put, url, token }) => {
    put('a.txt', 'one\n');
    const { socket, messages } = await openRaw(url);
    const address = `a.txt\0${'x'.repeat(4000)}`;
    const granted = hex(message(address, 2, 2, 'read-write'));
    const again = auth(address, token);
    socket.send(again);
    await eventually(() => assert.ok(messages.some((one) => hex(one) === granted)));
    socket.pause();
    const sent = 1 + (await sayUntilHeldUp(socket, again));
    for (let i = 0; i < 100; i++) socket.send(Uint8Array.of(9));
    socket.resume();
    const told = (): number => messages.filter((one) => one.length < address.length + 20 && hex(one) === granted).length;
    await eventually(() => assert.equal(told(), sent), 50_000);
    const pongs = messages.filter((one) => hex(one) === '0a').length;
    assert.ok(pongs > 0 && pongs < 100, `${pongs} answers to 100 pings at once`);
    socket.close();
  }),
);
