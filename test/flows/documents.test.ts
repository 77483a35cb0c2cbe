import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import type { OutriggerError } from '../../src/contract/errors.ts';
import { hashBytes } from '../../src/services/workspace/content.ts';
import { awarenessMessage } from '../../src/services/documents/sync-protocol.ts';
import { eventually } from '../kit/eventually.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient, type YjsClient } from '../kit/yjs-client.ts';

type Open = (room: string, options?: Partial<Parameters<typeof openYjsClient>[1]>) => YjsClient;

/** Runs with a way to open clients, all of which are closed before the sidecar is. */
async function withDocuments(
  run: (running: RunningSidecar, open: Open) => Promise<void>,
  config: Record<string, string> = {},
  prepare?: (root: string) => void,
): Promise<void> {
  await withSidecar(
    async (running) => {
      const clients: YjsClient[] = [];
      try {
        await run(running, (room, options = {}) => {
          const client = openYjsClient(running.url, { token: running.token, room, ...options });
          clients.push(client);
          return client;
        });
      } finally {
        for (const client of clients) client.destroy();
      }
    },
    { config: { 'documents.saveIdleMs': '60', ...config }, ...(prepare === undefined ? {} : { prepare }) },
  );
}

const write =
  (name: string, content: string | Buffer) =>
  (root: string): void =>
    fs.writeFileSync(path.join(root, name), content);

test('the stock provider works on /{room}, /yjs/{room} and /ws/doc/{path}, and all are one document', () =>
  withDocuments(
    async ({ file }, open) => {
      const bases = ['', '/yjs', '/ws/doc'].map((base) => open('folder/a b.txt', { base }));
      await Promise.all(bases.map((client) => client.synced()));
      for (const client of bases) assert.equal(client.text.toString(), 'one\n');
      bases[0]?.text.insert(0, 'zero\n');
      await eventually(() => bases.every((client) => client.text.toString() === 'zero\none\n'));
      await eventually(() => assert.equal(file('folder/a b.txt'), 'zero\none\n'));
    },
    {},
    (root) => {
      fs.mkdirSync(path.join(root, 'folder'));
      fs.writeFileSync(path.join(root, 'folder/a b.txt'), 'one\n');
    },
  ));

test('rooms with ?, # and % in their names are opened through /ws/doc with encoded names', () =>
  withDocuments(async ({ put }, open) => {
    for (const name of ['what?.txt', 'no#1.txt', '100%.txt', 'ünï😀.txt']) {
      put(name, name);
      const client = open(encodeURIComponent(name));
      await client.synced();
      assert.equal(client.text.toString(), name);
    }
  }));

test('a room of the stock provider is the file of its name, also with a % in it that the provider leaves alone', () =>
  withDocuments(async ({ put }, open) => {
    for (const name of ['100% sure.txt', '50%ü.txt', '%ff 😀.txt', '5%.txt']) {
      put(name, name);
      const client = open(name, { base: '/ws/doc' });
      await client.synced();
      assert.equal(client.text.toString(), name);
    }
  }));

const formats: [name: string, raw: string][] = [
  ['LF', 'a\nb\n'],
  ['CRLF', 'a\r\nb\r\n'],
  ['CR', 'a\rb\r'],
  ['a byte order mark and CRLF', '\uFEFFa\r\nb\r\n'],
  ['mixed line ends', 'a\r\nb\nc\r\nd\n'],
  ['CR alone beside LF and CRLF', 'a 10%\r20%\r\n\rb\nc\r\r\nd\r'],
  ['mostly CR alone', 'a\r\rb\rc\n\r\nd\r'],
  ['no line end at the end', 'a\r\nb'],
];
for (const [name, raw] of formats) {
  test(`a file with ${name} keeps them where nobody typed`, () =>
    withDocuments(
      async ({ file, client }, open) => {
        const person = open('f.txt');
        await person.synced();
        assert.ok(!person.text.toString().includes('\r'), 'the document knows LF alone');
        person.text.insert(1, 'A');
        await eventually(() => assert.equal(file('f.txt'), raw.replace('a', 'aA')));
        const { text } = await client.call('files.read', { path: 'f.txt' });
        assert.equal(text, raw.replace('a', 'aA').replace('\uFEFF', ''));
      },
      {},
      write('f.txt', raw),
    ));
}

test('binary, invalid and oversize files, folders and escapes are refused for good, with a reason', () =>
  withDocuments(
    async ({ put, root, client }, open) => {
      put('nul.bin', Buffer.from([65, 0, 66]));
      put('latin1.txt', Buffer.from([0xe9, 0x20, 0xe8]));
      put('big.txt', 'x'.repeat(3000));
      fs.mkdirSync(path.join(root, 'folder'));
      fs.symlinkSync('/etc/passwd', path.join(root, 'link'));
      const table: [room: string, code: number, reason: string][] = [
        ['nul.bin', 4415, 'DOCUMENT_BINARY'],
        ['latin1.txt', 4415, 'DOCUMENT_BINARY'],
        ['big.txt', 4415, 'DOCUMENT_TOO_LARGE'],
        ['folder', 4415, 'NOT_A_FILE'],
        ['link', 4403, 'PATH_ESCAPES'],
        ['..%2F..%2Fetc%2Fpasswd', 4415, 'BAD_PATH'],
      ];
      for (const [room, code, reason] of table) {
        const person = open(room);
        await eventually(() => assert.deepEqual([...new Set(person.closes)], [code], room));
        await assert.rejects(
          client.call('documents.open', { path: decodeURIComponent(room) }),
          (error: OutriggerError) => error.reason === reason,
        );
        person.destroy();
      }
      // Reading stays possible.
      assert.equal((await client.call('files.stat', { path: 'nul.bin' })).exists, true);
    },
    { 'documents.maxBytes': '2048' },
  ));

test('an outside edit reaches an open document as the smallest change, and cursors stay where they were', () =>
  withDocuments(
    async ({ put, file }, open) => {
      const person = open('f.txt');
      await person.synced();
      const cursor = Y.createRelativePositionFromTypeIndex(person.text, 'one\ntwo\nth'.length);
      put('f.txt', 'zero\none\ntwo\nthree\nfour\n');
      await eventually(() => assert.equal(person.text.toString(), file('f.txt')));
      assert.equal(Y.createAbsolutePositionFromRelativePosition(cursor, person.ydoc)?.index, 'zero\none\ntwo\nth'.length);
    },
    {},
    write('f.txt', 'one\ntwo\nthree\n'),
  ));

test('an outside edit while people type is merged with what they typed', () =>
  withDocuments(
    async ({ root, file }, open) => {
      const person = open('f.txt');
      await person.synced();
      person.text.insert(0, 'typed\n');
      fs.writeFileSync(path.join(root, 'f.new'), 'one\ntwo\nthree\nfrom outside\n');
      fs.renameSync(path.join(root, 'f.new'), path.join(root, 'f.txt'));
      await eventually(() => assert.equal(file('f.txt'), 'typed\none\ntwo\nthree\nfrom outside\n'));
      await eventually(() => assert.equal(person.text.toString(), 'typed\none\ntwo\nthree\nfrom outside\n'));
    },
    { 'documents.saveIdleMs': '300' },
    write('f.txt', 'one\ntwo\nthree\n'),
  ));

test('a program that empties a file and writes it a moment later brings nothing back that was removed meanwhile, and moves nothing (long form)', () =>
  withDocuments(
    async ({ root, put }, open) => {
      const person = open('f.txt');
      await person.synced();
      person.text.delete(0, 'one\n'.length);
      person.text.insert('two\n'.length, 'typed\n');
      await eventually(async () => assert.equal((await fs.promises.stat(path.join(root, 'f.txt'))).size, 14));
      const descriptor = fs.openSync(path.join(root, 'f.txt'), 'w');
      await new Promise((resolve) => setTimeout(resolve, 300));
      fs.writeSync(descriptor, 'one\ntwo\nthree\nfrom outside\n');
      fs.closeSync(descriptor);
      await eventually(() => assert.equal(person.text.toString(), 'two\ntyped\nthree\nfrom outside\n'));
      // Who empties it for good is believed in the end.
      put('f.txt', '');
      await eventually(() => assert.equal(person.text.toString(), 'typed\n'));
    },
    { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' },
    write('f.txt', 'one\ntwo\nthree\n'),
  ));

test('typing is saved also where the clock is set back meanwhile', () => {
  let shiftMs = 0;
  return withSidecar(
    async ({ url, token, file }) => {
      const person = openYjsClient(url, { token, room: 'a.txt' });
      try {
        await person.synced();
        person.text.insert(0, 'one ');
        await eventually(() => file('a.txt') === 'one zero\n');
        person.text.insert(0, 'two ');
        // Its timer runs.
        await new Promise((resolve) => setTimeout(resolve, 50));
        shiftMs = -10 * 60_000;
        await eventually(() => file('a.txt') === 'two one zero\n');
      } finally {
        person.destroy();
      }
    },
    { dependencies: { now: () => Date.now() + shiftMs }, prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), 'zero\n') },
  );
});

test('a file that goes back to what it was before the watch told of another text is what its document has, too', () =>
  withDocuments(
    async ({ client, put, file }, open) => {
      await client.call('files.write', { path: 'f.txt', text: 'one\ntwo\n' });
      await client.call('index.wait', {});
      const person = open('f.txt');
      await person.synced();
      put('f.txt', 'by a program\n');
      await client.call('files.read', { path: 'f.txt' });
      await eventually(() => assert.equal(person.text.toString(), 'by a program\n'));
      put('f.txt', 'one\ntwo\n');
      await eventually(() => assert.equal(person.text.toString(), file('f.txt')));
    },
    { 'watch.settleMs': '400' },
  ));

test('of two beginnings of an empty file, the one typed and the other written by a program, what is alike stands there once', () =>
  withDocuments(
    async ({ put }, open) => {
      const person = open('f.txt');
      await person.synced();
      person.text.insert(0, 'one\ntyped\ntwo\n');
      await new Promise((resolve) => setTimeout(resolve, 50));
      put('f.txt', 'one\ntwo\nthree\n');
      await eventually(() => assert.equal(person.text.toString(), 'one\ntyped\ntwo\nthree\n'));
    },
    { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' },
    write('f.txt', ''),
  ));

test('files.write and files.edit on an open document become edits in it; files.read sees what is not saved', () =>
  withDocuments(
    async ({ client, file }, open) => {
      const person = open('f.txt');
      await person.synced();
      const cursor = Y.createRelativePositionFromTypeIndex(person.text, 'one\ntw'.length);
      person.text.insert(person.text.length, 'unsaved\n');
      await eventually(async () => assert.equal((await client.call('files.read', { path: 'f.txt' })).unsaved, true));
      const read = await client.call('files.read', { path: 'f.txt' });
      assert.equal(read.text, 'one\ntwo\nunsaved\n');
      assert.equal((await client.call('files.read', { path: 'f.txt', source: 'disk' })).text, 'one\ntwo\n');

      const edited = await client.call('files.edit', {
        path: 'f.txt',
        edits: [{ find: 'one', replace: 'ONE and more' }],
        ifMatch: read.etag,
      });
      assert.equal(edited.document, true);
      await eventually(() => assert.equal(person.text.toString(), 'ONE and more\ntwo\nunsaved\n'));
      assert.equal(file('f.txt'), 'ONE and more\ntwo\nunsaved\n', 'what was answered is on disk');
      assert.equal(Y.createAbsolutePositionFromRelativePosition(cursor, person.ydoc)?.index, 'ONE and more\ntw'.length);

      await assert.rejects(client.call('files.write', { path: 'f.txt', text: 'lost', ifMatch: read.etag }), (error: OutriggerError) => {
        assert.equal(error.reason, 'ETAG_MISMATCH');
        assert.deepEqual(error.details, { etag: edited.etag });
        return true;
      });
      await client.call('files.write', { path: 'f.txt', text: 'ONE and more\ntwo\nthree\n', ifMatch: edited.etag });
      await eventually(() => assert.equal(person.text.toString(), 'ONE and more\ntwo\nthree\n'));
    },
    { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' },
    write('f.txt', 'one\ntwo\n'),
  ));

test('what a program wrote just before a call is in the open document when the call reads, edits or replaces it', () =>
  withDocuments(
    async ({ client, url, token, root, file, put }, open) => {
      const person = open('f.txt');
      await person.synced();
      put('f.txt', 'by a program\n');
      assert.equal((await client.call('files.read', { path: 'f.txt' })).text, 'by a program\n');
      put('f.txt', 'first\nsecond\n');
      assert.equal((await client.call('files.stat', { path: 'f.txt', hash: true })).etag, `"${hashBytes('first\nsecond\n')}"`);
      put('f.txt', 'second\nthird\n');
      await client.call('files.edit', { path: 'f.txt', edits: [{ find: 'third', replace: 'THIRD' }] });
      assert.equal(file('f.txt'), 'second\nTHIRD\n');
      put('f.txt', 'something else\nof two lines\n');
      const { etag = '' } = await client.call('files.read', { path: 'f.txt', source: 'disk' });
      const written = await client.call('files.write', { path: 'f.txt', text: 'whole\ntext\n', ifMatch: etag });
      assert.deepEqual([file('f.txt'), written.document], ['whole\ntext\n', true]);
      put('f.txt', 'something else\nof two lines\n');
      const headers = { authorization: `Bearer ${token}` };
      await fetch(`${url}/api/files.upload?path=f.txt`, { method: 'POST', headers, body: 'sent\nthere\n' });
      assert.equal(file('f.txt'), 'sent\nthere\n');
      await eventually(() => assert.equal(person.text.toString(), 'sent\nthere\n'));

      person.text.insert(0, 'typed\n');
      await eventually(async () => assert.equal((await client.call('files.read', { path: 'f.txt' })).unsaved, true));
      put('f.txt', 'sent\nthere\nby a program\n');
      await client.call('files.edit', { path: 'f.txt', edits: [{ find: 'there', replace: 'here' }] });
      assert.equal(file('f.txt'), 'typed\nsent\nhere\nby a program\n');
      await eventually(() => assert.equal(person.text.toString(), file('f.txt')));

      fs.rmSync(path.join(root, 'f.txt'));
      const made = await client.call('files.write', { path: 'f.txt', text: 'new\n' });
      assert.deepEqual([file('f.txt'), made.changed], ['new\n', true]);
    },
    { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000', 'watch.settleMs': '3000' },
    write('f.txt', 'one\ntwo\n'),
  ));

test('a rename keeps the document; its people go on, and what comes under the old name is another file', () =>
  withDocuments(
    async ({ client, file, root }, open) => {
      const person = open('a.txt');
      await person.synced();
      person.text.insert(0, 'before ');
      await client.call('files.move', { from: 'a.txt', to: 'folder/b.txt' });
      person.text.insert(0, 'after ');
      await eventually(() => assert.equal(file('folder/b.txt'), 'after before text\n'));
      assert.equal(fs.existsSync(path.join(root, 'a.txt')), false);
      await client.call('files.create', { path: 'a.txt', text: 'another\n' });
      const other = open('a.txt');
      await other.synced();
      assert.equal(other.text.toString(), 'another\n');
      other.text.insert(0, 'only here ');
      await eventually(() => assert.equal(file('a.txt'), 'only here another\n'));
      assert.equal(person.text.toString(), 'after before text\n');
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('what is saved while another program renames the file or a folder above it is saved where it is then, and nothing is made at the old place', () =>
  withDocuments(
    async ({ root, file }, open) => {
      const person = open('0/a.txt');
      await person.synced();
      for (let round = 0; round < 20; round++) {
        const now = `${round + 1}`;
        person.text.insert(0, `${round} `);
        // Until about the save.
        await sleep(5 + 2 * round);
        if (round % 2 === 0) fs.renameSync(path.join(root, `${round}`), path.join(root, now));
        else {
          fs.mkdirSync(path.join(root, now));
          fs.renameSync(path.join(root, `${round}/a.txt`), path.join(root, `${now}/a.txt`));
          fs.rmdirSync(path.join(root, `${round}`));
        }
        await eventually(() => assert.equal(file(`${now}/a.txt`), person.text.toString()));
        assert.deepEqual(fs.readdirSync(root), [now]);
      }
    },
    { 'documents.saveIdleMs': '20' },
    (root) => {
      fs.mkdirSync(path.join(root, '0'));
      fs.writeFileSync(path.join(root, '0/a.txt'), 'text\n');
    },
  ));

test('a rename by another program, of the file or of a folder above it, is followed too', () =>
  withDocuments(
    async ({ root, file }, open) => {
      const person = open('one/a.txt');
      await person.synced();
      fs.renameSync(path.join(root, 'one'), path.join(root, 'two'));
      await eventually(async () => {
        person.text.insert(0, 'x');
        await new Promise((resolve) => setTimeout(resolve, 100));
        assert.equal(file('two/a.txt'), person.text.toString());
      });
      assert.equal(fs.existsSync(path.join(root, 'one')), false);
    },
    {},
    (root) => {
      fs.mkdirSync(path.join(root, 'one'));
      fs.writeFileSync(path.join(root, 'one/a.txt'), 'text\n');
    },
  ));

test('who was away during a rename comes back under the old name to the same document', () =>
  withDocuments(
    async ({ client, file, root }, open) => {
      const person = open('a.txt');
      await person.synced();
      person.provider.disconnect();
      person.text.insert(0, 'typed away ');
      await client.call('files.move', { from: 'a.txt', to: 'b.txt' });
      person.provider.connect();
      await person.synced();
      await eventually(() => assert.equal(file('b.txt'), 'typed away text\n'));
      assert.equal(fs.existsSync(path.join(root, 'a.txt')), false);
    },
    { 'documents.unloadMs': '0' },
    write('a.txt', 'text\n'),
  ));

test('a file that moves while its document is being opened is opened where it went, with all that was typed (long form)', () =>
  withDocuments(
    async ({ client, file, put, root }, open) => {
      for (const waitMs of [0, 10, 20, 25, 30, 35, 40, 50]) {
        const [from, to] = [`from${waitMs}.txt`, `to${waitMs}.txt`];
        put(from, 'one\ntwo\nthree\n');
        const person = open(from);
        await person.synced();
        person.text.insert(0, 'typed here\n');
        await eventually(() => assert.equal(file(from), 'typed here\none\ntwo\nthree\n'));
        person.provider.disconnect();
        await eventually(async () => assert.equal((await client.call('documents.list', {})).documents.length, 0));
        person.text.insert(0, 'typed away\n');
        // A file that was written just now is looked at twice before it is believed: that takes some 50 ms.
        put(from, 'typed here\none\ntwo\nthree\nby a program\n');
        person.provider.connect();
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        await client.call('files.move', { from, to });
        const all = 'typed away\ntyped here\none\ntwo\nthree\nby a program\n';
        await eventually(() => assert.equal(file(to), all, `moved after ${waitMs} ms`));
        await eventually(() => assert.equal(person.text.toString(), all, `moved after ${waitMs} ms`));
        assert.equal(fs.existsSync(path.join(root, from)), false);
        person.destroy();
      }
    },
    { 'documents.unloadMs': '0' },
  ));

test('a deleted file stays deleted until somebody types; then it is there again', () =>
  withDocuments(
    async ({ client, file, root }, open) => {
      const person = open('a.txt');
      await person.synced();
      await client.call('files.remove', { path: 'a.txt' });
      await eventually(async () => assert.equal((await client.call('documents.list', {})).documents[0]?.state, 'deleted'));
      await assert.rejects(client.call('files.read', { path: 'a.txt' }), (error: OutriggerError) => error.reason === 'FILE_NOT_FOUND');
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.equal(fs.existsSync(path.join(root, 'a.txt')), false);
      person.text.insert(0, 'again ');
      await eventually(() => assert.equal(file('a.txt'), 'again text\n'));
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('a document of a file that is not there yet is made by the first edit', () =>
  withDocuments(async ({ file, root }, open) => {
    const person = open('new/deep/file.txt');
    await person.synced();
    assert.equal(fs.existsSync(path.join(root, 'new')), false);
    person.text.insert(0, 'first');
    await eventually(() => assert.equal(file('new/deep/file.txt'), 'first'));
  }));

test('a caller with read access sees everything and changes nothing', () =>
  withDocuments(
    async ({ client, file }, open) => {
      const { secret } = await client.call('tokens.create', { name: 'reader', access: 'read' });
      const writer = open('a.txt');
      const reader = open('a.txt', { token: secret });
      await Promise.all([writer.synced(), reader.synced()]);
      reader.text.insert(0, 'not allowed ');
      writer.text.insert(0, 'allowed ');
      await eventually(() => assert.ok(reader.text.toString().includes('allowed text')));
      await eventually(() => assert.equal(file('a.txt'), 'allowed text\n'));
      assert.equal(writer.text.toString(), 'allowed text\n');
      const missing = open('missing.txt', { token: secret });
      await eventually(() => assert.deepEqual([...new Set(missing.closes)], [4404]));
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('presence is passed on, listed by name, and gone with the one who left', () =>
  withDocuments(
    async ({ client }, open) => {
      const ada = open('a.txt', { name: 'Ada' });
      const grace = open('a.txt', { name: 'Grace' });
      await Promise.all([ada.synced(), grace.synced()]);
      await eventually(() => assert.equal(ada.provider.awareness.getStates().size, 2));
      await eventually(async () => {
        const [info] = (await client.call('documents.list', {})).documents;
        assert.deepEqual(info?.people.map((person) => person.name).sort(), ['Ada', 'Grace']);
        assert.equal(info?.connections, 2);
      });
      grace.cut();
      grace.provider.shouldConnect = false;
      await eventually(() => assert.equal(ada.provider.awareness.getStates().size, 1));
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('presence that is no JSON ends the socket of who says it, and reaches nobody', () =>
  withDocuments(
    async (_running, open) => {
      const good = open('a.txt');
      await good.synced();
      for (const state of ['{{', '', '{"a":1},', 'undefined']) {
        const bad = open('a.txt');
        await bad.synced();
        (bad.provider.ws as unknown as WebSocket).send(awarenessMessage([{ client: 7, clock: 1, state }]) as Uint8Array<ArrayBuffer>);
        await eventually(() => assert.ok(bad.closes.includes(4422), state));
        bad.destroy();
      }
      // A stock client throws where it can't read a state, and hears nothing of those behind it in the message.
      good.provider.awareness.setLocalState({ name: 'Ada' });
      const late = open('a.txt');
      await eventually(() => assert.deepEqual(late.provider.awareness.getStates().get(good.ydoc.clientID), { name: 'Ada' }));
      assert.ok(!good.provider.awareness.getStates().has(7));
      assert.deepEqual(good.closes, []);
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('presence that is too long, or of too many clients behind one socket, ends that socket and no other', () =>
  withDocuments(
    async (_running, open) => {
      const good = open('a.txt');
      await good.synced();
      const seen = (): number => good.provider.awareness.getStates().size;
      const long = open('a.txt');
      await long.synced();
      const around = JSON.stringify({ text: '' }).length;
      long.provider.awareness.setLocalState({ text: 'x'.repeat(16 * 1024 - around) });
      await eventually(() => good.provider.awareness.getStates().get(long.ydoc.clientID)?.['text'] !== undefined);
      assert.deepEqual(long.closes, []);
      long.provider.awareness.setLocalState({ text: 'x'.repeat(16 * 1024 - around + 1) });
      await eventually(() => assert.ok(long.closes.includes(4422)));
      const many = open('a.txt');
      await many.synced();
      const say = (client: number): void =>
        (many.provider.ws as unknown as WebSocket).send(awarenessMessage([{ client, clock: 1, state: '{}' }]) as Uint8Array<ArrayBuffer>);
      // The provider is the first of the 64. Yjs shows nobody a presence that has no clock yet, as its.
      for (let client = 1; client < 64; client++) say(client);
      await eventually(() => seen() === 64);
      assert.deepEqual(many.closes, []);
      say(64);
      await eventually(() => assert.ok(many.closes.includes(4422)));
      await eventually(() => seen() === 1);
      assert.deepEqual(good.closes, []);
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('a document of 100,000 clients is joined by who has it all, and edited (long form)', () =>
  withDocuments(
    async ({ file, client: caller }, open) => {
      const one = open('a.txt');
      await one.synced();
      const encoder = encoding.createEncoder();
      const clients = 100_000;
      encoding.writeVarUint(encoder, clients);
      // Of each one piece that is gone, which is all that is left of most clients after years.
      for (let id = clients; id > 0; id--) for (const part of [1, id, 0, 0, 1]) encoding.writeVarUint(encoder, part);
      encoding.writeVarUint(encoder, 0);
      const history = encoding.toUint8Array(encoder);
      Y.applyUpdate(one.ydoc, history, 'an import');
      one.text.insert(0, 'typed ');
      await eventually(() => assert.equal(file('a.txt'), 'typed text\n'), 20_000);
      one.cut();
      one.text.insert(0, 'away ');
      await eventually(() => assert.equal(file('a.txt'), 'away typed text\n'), 20_000);
      const ydoc = new Y.Doc();
      Y.applyUpdate(ydoc, history);
      const two = open('a.txt', { ydoc });
      await two.synced();
      two.text.insert(0, 'both ');
      await eventually(() => assert.equal(one.text.toString(), 'both away typed text\n'));
      assert.ok(two.ydoc.store.clients.size > clients);
      assert.ok([...one.closes, ...two.closes].every((code) => code === 1006));
      assert.equal((await caller.call('documents.list', {})).documents[0]?.connections, 2);
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('beyond the most that are open a document is refused, unless one that nobody is in can be put away for it', () =>
  withDocuments(
    async ({ client, put }, open) => {
      for (const name of ['a', 'b', 'c']) put(name);
      const [first, second] = [open('a'), open('b')];
      await Promise.all([first.synced(), second.synced()]);
      const third = open('c');
      await eventually(() => assert.ok(third.closes.includes(4529)));
      await assert.rejects(client.call('documents.open', { path: 'c' }), (error: OutriggerError) => error.reason === 'TOO_MANY_DOCUMENTS');
      first.destroy();
      await third.synced();
      assert.equal(third.text.toString(), 'c\n');
      assert.deepEqual(second.closes, []);
    },
    { 'documents.maxOpen': '2', 'documents.unloadMs': '3600000' },
  ));

test('junk from one client ends that client, and the others keep their document', () =>
  withDocuments(
    async ({ file }, open) => {
      const good = open('a.txt');
      const bad = open('a.txt');
      await Promise.all([good.synced(), bad.synced()]);
      const heard: Uint8Array[] = [];
      (good.provider.ws as unknown as { on(event: 'message', listener: (bytes: Uint8Array) => void): void }).on('message', (bytes) =>
        heard.push(bytes),
      );
      // A sync message whose update claims more structs than it holds.
      (bad.provider.ws as unknown as { send(bytes: Uint8Array): void }).send(Uint8Array.from([0, 2, 6, 9, 9, 1, 200, 200, 1]));
      await eventually(() => assert.ok(bad.closes.includes(4422)));
      assert.ok(!heard.some((bytes) => bytes[0] === 0), 'nobody else gets the junk');
      good.text.insert(0, 'still ');
      await eventually(() => assert.equal(file('a.txt'), 'still text\n'));
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('a socket that is cut, and one that says nothing, find everything when they are back', () =>
  withDocuments(
    async (_running, open) => {
      const one = open('a.txt');
      const two = open('a.txt');
      await Promise.all([one.synced(), two.synced()]);
      one.cut();
      two.text.insert(0, 'meanwhile ');
      one.text.insert(one.text.length, 'offline\n');
      await eventually(() => assert.equal(one.text.toString(), 'meanwhile text\noffline\n'));
      await eventually(() => assert.equal(two.text.toString(), 'meanwhile text\noffline\n'));
    },
    {},
    write('a.txt', 'text\n'),
  ));

test('who may only write can not change what git would run, by a call or in a document', () =>
  withDocuments(
    async ({ client, clientOf, token }, open) => {
      const { secret } = await client.call('tokens.create', { name: 'writer', access: 'write' });
      const writer = clientOf(secret);
      for (const path of ['.git/hooks/pre-commit', 'sub/.GIT/config', 'link/pre-commit']) {
        await assert.rejects(
          writer.call('files.write', { path, text: 'x' }),
          (error: OutriggerError) => error.reason === 'ACCESS_DENIED',
          path,
        );
      }
      await assert.rejects(
        writer.call('files.move', { from: 'a.txt', to: '.git' }),
        (error: OutriggerError) => error.reason === 'ACCESS_DENIED',
      );
      const person = open('.git/hooks/post-commit', { token: secret });
      await person.synced();
      person.text.insert(0, 'not taken');
      const owner = open('.git/hooks/post-commit', { token });
      await owner.synced();
      assert.equal(owner.text.toString(), 'kept\n');
      await client.call('files.write', { path: '.git/hooks/pre-commit', text: 'by the owner' });
    },
    {},
    (root) => {
      fs.mkdirSync(path.join(root, '.git/hooks'), { recursive: true });
      fs.writeFileSync(path.join(root, '.git/hooks/post-commit'), 'kept\n');
      fs.writeFileSync(path.join(root, 'a.txt'), 'text\n');
      fs.symlinkSync('.git/hooks', path.join(root, 'link'));
    },
  ));
