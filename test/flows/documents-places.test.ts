// Which file a document is of, while files are moved, replaced, linked, and come back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import * as Y from 'yjs';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { closeCodes } from '../../src/contract/wire.ts';
import { eventually } from '../kit/eventually.ts';
import { type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { openYjsClient, type YjsClient } from '../kit/yjs-client.ts';

const soon = { 'documents.saveIdleMs': '60', 'documents.unloadMs': '150' } as const;
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Setting extends RunningSidecar {
  join(room: string, token?: string): Promise<YjsClient>;
  state(room: string): Promise<string | undefined>;
}

function withPeople(run: (setting: Setting) => Promise<void>, setup: SidecarSetup = {}): Promise<void> {
  const people: YjsClient[] = [];
  return withSidecar(
    async (running) => {
      const join = async (room: string, token = running.token): Promise<YjsClient> => {
        const person = openYjsClient(running.url, { token, room });
        people.push(person);
        await person.synced();
        return person;
      };
      const state = async (room: string): Promise<string | undefined> =>
        (await running.client.call('documents.list', {})).documents.find((info) => info.path === room)?.state;
      try {
        await run({ ...running, join, state });
      } finally {
        for (const person of people) person.destroy();
      }
    },
    { ...setup, config: { ...soon, ...setup.config } },
  );
}

function lead(link: string, to: string): void {
  fs.symlinkSync(to, `${link}.new`);
  fs.renameSync(`${link}.new`, link);
}

function rename(over: string, text: string): void {
  fs.writeFileSync(`${over}.new`, text);
  fs.renameSync(`${over}.new`, over);
}

/** Away for so long that the document was put away. */
async function leave(person: YjsClient, { client }: RunningSidecar): Promise<void> {
  person.provider.disconnect();
  await eventually(async () => assert.deepEqual((await client.call('documents.list', {})).documents, []));
  await later(250);
}

test('a file that is renamed to its backup and made anew, as editors save, keeps its document; under any other name that goes along (long form)', () =>
  withPeople(async ({ client, root, file, join }) => {
    const at = (name: string): string => path.join(root, name);
    const where = async (): Promise<string[]> => (await client.call('documents.list', {})).documents.map((info) => info.path).toSorted();
    for (const [backup, stays] of [
      ['a.txt~', true],
      ['a.txt.~2~', true],
      ['a.txt.bak', true],
      ['b.txt', false],
    ] as const) {
      fs.writeFileSync(at('a.txt'), 'old\n');
      // Of a file that it never saw, the watch can't tell that it was renamed.
      await later(300);
      const person = await join('a.txt');
      fs.renameSync(at('a.txt'), at(backup));
      await eventually(async () => (await where()).includes(backup));
      fs.writeFileSync(at('a.txt'), 'old\nby an editor\n');
      const [name, text] = stays ? ['a.txt', 'old\nby an editor\n'] : [backup, 'old\n'];
      await client.call('index.wait', {});
      await eventually(() => person.text.toString() === text);
      person.text.insert(0, 'typed ');
      await eventually(() => file(name) === `typed ${text}`);
      assert.equal(file(stays ? backup : 'a.txt'), stays ? 'old\n' : 'old\nby an editor\n');
      assert.equal(person.text.toString(), file(name));
      assert.deepEqual(await where(), [name]);
      person.destroy();
      for (const left of ['a.txt', backup]) fs.rmSync(at(left));
      await eventually(async () => (await where()).length === 0);
    }
  }));

test('who was away comes back to the file that took its name along, not to what stood there before', () =>
  withPeople(async (setting) => {
    const { put, file, client, join } = setting;
    put('new.txt', 'the new configuration\n');
    put('conf.txt', 'the old one, quite different\n');
    const person = await join('new.txt');
    await leave(person, setting);
    await client.call('files.move', { from: 'conf.txt', to: 'conf.old' });
    await client.call('files.move', { from: 'new.txt', to: 'conf.txt' });
    person.text.insert(0, 'typed on the train: ');
    person.provider.connect();
    await eventually(() => assert.equal(file('conf.txt'), 'typed on the train: the new configuration\n'));
    assert.equal(file('conf.old'), 'the old one, quite different\n');
  }));

test('a second file of a name is not followed to where the first one went', () =>
  withPeople(async (setting) => {
    const { put, file, client, join } = setting;
    put('new.txt', 'the first\n');
    await client.call('files.move', { from: 'new.txt', to: 'kept.txt' });
    await client.call('files.write', { path: 'new.txt', text: 'the second\n' });
    const person = await join('new.txt');
    await leave(person, setting);
    await client.call('files.remove', { path: 'new.txt' });
    person.text.insert(0, 'typed: ');
    person.provider.connect();
    await eventually(() => assert.equal(file('new.txt'), 'typed: the second\n'));
    assert.equal(file('kept.txt'), 'the first\n');
  }));

test('what is told while one document opens slowly is not told again to the others', () =>
  withPeople(async ({ put, file, client, join, root }) => {
    put('main.txt', 'main\n');
    put('slow.txt', 'slow\n');
    const person = await join('main.txt');
    // A time in the future: it is looked at until it has stood still for half a second.
    fs.utimesSync(path.join(root, 'slow.txt'), new Date(Date.now() + 3_600_000), new Date(Date.now() + 3_600_000));
    const slow = join('slow.txt');
    await later(100);
    await client.call('files.move', { from: 'main.txt', to: 'main.bak' });
    await client.call('files.write', { path: 'main.txt', text: 'another\n' });
    const other = await join('main.txt');
    await slow;
    other.text.insert(0, 'typed: ');
    await eventually(() => assert.equal(file('main.txt'), 'typed: another\n'));
    assert.deepEqual([person.text.toString(), file('main.bak')], ['main\n', 'main\n']);
    assert.deepEqual([person.closes, other.closes], [[], []]);
  }));

const ways: [says: string, replace: (setting: Setting) => Promise<void> | void][] = [
  [
    'by a program that took its time with the new one',
    async ({ root }) => {
      fs.writeFileSync(path.join(root, 'd', 'a.txt.new'), 'two two\n');
      await later(700);
      fs.renameSync(path.join(root, 'd', 'a.txt.new'), path.join(root, 'd', 'a.txt'));
    },
  ],
  [
    'by files.move',
    async ({ client }) => {
      await client.call('files.write', { path: 'b.txt', text: 'two two\n' });
      await client.call('files.move', { from: 'b.txt', to: 'd/a.txt', overwrite: true });
    },
  ],
  [
    'with its folder',
    async ({ root, put }) => {
      put('d.new/a.txt', 'two two\n');
      await later(300);
      fs.rmSync(path.join(root, 'd'), { recursive: true });
      await later(300);
      fs.renameSync(path.join(root, 'd.new'), path.join(root, 'd'));
    },
  ],
];
for (const [says, replace] of ways) {
  test(`people in a file that is replaced ${says} see what is there now`, () =>
    withPeople(async (setting) => {
      setting.put('d/a.txt', 'one\n');
      const person = await setting.join('d/a.txt');
      await replace(setting);
      await eventually(() => assert.equal(person.text.toString(), 'two two\n'));
      await eventually(async () => assert.equal(await setting.state('d/a.txt'), 'saved'));
      person.text.insert(0, 'typed ');
      await eventually(() => assert.equal(setting.file('d/a.txt'), 'typed two two\n'));
    }));
}

test('a document that is moved out of the paths of a token ends for who has it, and is not shown to them', () =>
  withPeople(async ({ put, file, client, clientOf, join }) => {
    put('pub/a.txt', 'one\n');
    put('secret/x.txt', 'x\n');
    const { secret } = await client.call('tokens.create', { name: 'guest', access: 'write', paths: ['pub'] });
    const [guest, owner] = [await join('pub/a.txt', secret), await join('pub/a.txt')];
    await client.call('files.move', { from: 'pub/a.txt', to: 'secret/a.txt' });
    await eventually(() => assert.deepEqual(guest.closes, [closeCodes.forbidden]));
    owner.text.insert(0, 'hidden ');
    await eventually(() => assert.equal(file('secret/a.txt'), 'hidden one\n'));
    assert.equal(guest.text.toString(), 'one\n');
    await assert.rejects(clientOf(secret).call('documents.open', { path: 'pub/a.txt' }), { reason: 'OUT_OF_SCOPE' });
    assert.deepEqual(owner.closes, []);
  }));

test('a link that takes the place of an open file leads nobody to write where git takes programs from (long form)', () =>
  withPeople(async ({ put, file, root, client, clientOf, join }) => {
    put('.git/hooks/pre-commit', '#!/bin/sh\n');
    fs.symlinkSync('.git/hooks/pre-commit', path.join(root, 'link'));
    put('b.txt', 'b\n');
    const { secret } = await client.call('tokens.create', { name: 'writer', access: 'write' });
    const person = await join('b.txt', secret);
    await clientOf(secret).call('files.copy', { from: 'link', to: 'b.txt', overwrite: true });
    person.text.insert(0, 'typed at once\n');
    await eventually(() => assert.ok(fs.lstatSync(path.join(root, 'b.txt')).isSymbolicLink()));
    await later(500);
    person.text.insert(0, 'typed later\n');
    await later(500);
    assert.equal(file('.git/hooks/pre-commit'), '#!/bin/sh\n');
  }));

for (const [by, move] of [
  ['a call', ({ client }: Setting, from: string, to: string) => client.call('files.move', { from, to })],
  ['a batch', ({ client }: Setting, from: string, to: string) => client.call('files.batch', { changes: [{ op: 'move', from, to }] })],
] as const)
  for (const [what, names] of [
    ['file', ['a.txt', 'b.txt', 'c.txt']],
    ['folder', ['a/text.txt', 'b/text.txt', 'c/text.txt']],
  ] as const)
    test(`who is in a ${what} that a program renames goes along where ${by} moves it on at once`, () =>
      withPeople(async (setting) => {
        const { client, root, put, file, join } = setting;
        const [name, between, last] = names;
        put(name, 'text\n');
        const person = await join(name);
        const top = (one: string): string => one.split('/')[0] as string;
        await later(100);
        const { cursor } = await client.call('changes.since', {});
        fs.renameSync(path.join(root, top(name)), path.join(root, top(between)));
        await move(setting, top(between), top(last));
        const { changes } = await client.call('changes.since', { cursor });
        assert.deepEqual(
          changes.map((change) => [change.what, change.from, change.path]),
          [
            ['moved', top(name), top(between)],
            ['moved', top(between), top(last)],
          ],
        );
        person.text.insert(0, 'typed ');
        await eventually(() => assert.equal(file(last), 'typed text\n'));
        assert.deepEqual(
          (await client.call('documents.list', {})).documents.map((info) => info.path),
          [last],
        );
        assert.equal(fs.existsSync(path.join(root, between)), false);
      }));

test('who opened a file by a link to it sees what others write there', () =>
  withPeople(async ({ put, root, client, join }) => {
    put('a.txt', 'one\n');
    fs.symlinkSync('a.txt', path.join(root, 'link.txt'));
    const person = await join('link.txt');
    put('a.txt', 'two\n');
    await eventually(() => assert.equal(person.text.toString(), 'two\n'));
    assert.equal((await client.call('files.read', { path: 'link.txt' })).text, 'two\n');
  }));

test('who typed while away comes back to the file that a link leads to now, with what they typed and nothing of the other file', () =>
  withPeople(async ({ put, file, root, client, join }) => {
    put('one.txt', 'first\n');
    put('two.txt', 'second\n');
    const link = path.join(root, 'link.txt');
    fs.symlinkSync('one.txt', link);
    const { secret } = await client.call('tokens.create', { name: 'reader', access: 'read' });
    const [reader, away] = [await join('link.txt', secret), await join('link.txt')];
    away.text.insert(0, 'typed ');
    await eventually(() => assert.equal(file('one.txt'), 'typed first\n'));
    away.provider.disconnect();
    away.text.insert(away.text.length, 'unsent\n');
    lead(link, 'two.txt');
    await eventually(() => assert.equal(reader.text.toString(), 'second\n'));
    away.provider.connect();
    await eventually(() => assert.ok(file('two.txt').includes('unsent')));
    await eventually(() => assert.equal(away.text.toString(), file('two.txt')));
    assert.deepEqual(away.text.toString().split('\n').toSorted(), ['', 'second', 'unsent']);
    assert.equal(file('one.txt'), 'typed first\n');
  }));

test('what is unsaved when a folder link is led elsewhere goes to the file it was typed for, and people go on with the other', () =>
  withPeople(async ({ put, file, root, client, clientOf, join, state }) => {
    put('one/x.txt', 'first\n');
    put('two/x.txt', 'second\n');
    const link = path.join(root, 'current');
    lead(link, 'one');
    const { secret } = await client.call('tokens.create', { name: 'limited', access: 'write', paths: ['current'] });
    const [owner, limited] = [await join('current/x.txt'), await join('current/x.txt', secret)];
    owner.text.insert(0, 'typed ');
    await eventually(() => limited.text.toString() === 'typed first\n');
    lead(link, 'two');
    await eventually(() => assert.deepEqual([owner.text.toString(), limited.text.toString()], ['second\n', 'second\n']));
    assert.equal(file('one/x.txt'), 'typed first\n');
    owner.text.insert(0, 'more ');
    await eventually(() => assert.equal(file('two/x.txt'), 'more second\n'));
    assert.equal(await state('current/x.txt'), 'saved');
    // With the same text behind both, too.
    put('three/x.txt', file('two/x.txt'));
    lead(link, 'three');
    assert.equal((await clientOf(secret).call('documents.open', { path: 'current/x.txt' })).path, 'current/x.txt');
    limited.text.insert(0, 'again ');
    await eventually(() => assert.equal(file('three/x.txt'), 'again more second\n'));
    assert.equal(file('two/x.txt'), 'more second\n');
  }));

const waysOfALink: [string, (setting: Setting) => Promise<unknown> | void][] = [
  ['is led elsewhere', ({ root }) => lead(path.join(root, 'link.txt'), 'two.txt')],
  ['is removed by a program', ({ root }) => fs.rmSync(path.join(root, 'link.txt'))],
  ['is removed by a call', ({ client }) => client.call('files.remove', { path: 'link.txt' })],
  ['makes way for a file', ({ root }) => rename(path.join(root, 'link.txt'), 'another\n')],
];
for (const [how, take] of waysOfALink)
  for (const wrote of [false, true])
    test(`what is unsaved when a link ${how} goes to the file it was typed for${wrote ? ', to which a program wrote just before' : ''}`, () =>
      withPeople(
        async (setting) => {
          const { put, file, root, join, client, state } = setting;
          const texts = async (): Promise<string[]> => [
            person.text.toString(),
            (await client.call('files.read', { path: 'link.txt' })).text,
          ];
          put('one.txt', 'first\nsecond\n');
          put('two.txt', 'other\n');
          lead(path.join(root, 'link.txt'), 'one.txt');
          const person = await join('link.txt');
          person.text.insert(0, 'typed ');
          await eventually(async () => assert.equal((await texts())[1], 'typed first\nsecond\n'));
          if (wrote) put('one.txt', 'first\nwritten\n');
          await take(setting);
          const saved = `typed first\n${wrote ? 'written' : 'second'}\n`;
          await eventually(() => assert.equal(file('one.txt'), saved));
          if (!how.startsWith('is removed')) {
            const now = how === 'is led elsewhere' ? 'other\n' : 'another\n';
            await eventually(async () => assert.deepEqual(await texts(), [now, now]));
            return;
          }
          // What is typed on makes a file of its own.
          await eventually(async () => assert.equal(await state('link.txt'), 'deleted'));
          person.text.insert(0, 'again ');
          await eventually(async () => assert.equal(await state('link.txt'), 'unsaved'));
          await client.call('documents.flush', {});
          assert.equal(file('link.txt'), `again ${saved}`);
          assert.equal(file('one.txt'), saved);
        },
        { config: { 'documents.saveIdleMs': '10000', 'documents.saveMaxMs': '20000' } },
      ));

test('a file that was no text for a while is edited on when it is text again; meanwhile no write is answered as made', () =>
  withPeople(async ({ put, file, client, join, state }) => {
    put('a.txt', 'one\n');
    const person = await join('a.txt');
    put('a.txt', Buffer.from([65, 0, 66]));
    await eventually(async () => assert.equal(await state('a.txt'), 'conflict'));
    const edit = { path: 'a.txt', edits: [{ find: 'one', replace: 'two' }] };
    await assert.rejects(client.call('files.edit', edit), { reason: 'DOCUMENT_BINARY' });
    put('a.txt', 'one\n');
    await eventually(() => assert.equal(file('a.txt'), 'two\n'));
    person.text.insert(0, 'typed ');
    await eventually(() => assert.equal(file('a.txt'), 'typed two\n'));
    assert.equal(await state('a.txt'), 'saved');
  }));

for (const [opened, asked] of [
  ['real/a.txt', 'way/a.txt'],
  ['way/a.txt', 'real/a.txt'],
  ['real/a.txt', 'name'],
  ['name', 'way/a.txt'],
] as const)
  test(`a call for ${asked} reaches the document that is open as ${opened}, which is the same file by a link`, () =>
    withPeople(
      async ({ put, file, root, client, join }) => {
        put('real/a.txt', 'one\n');
        fs.symlinkSync('real', path.join(root, 'way'));
        fs.symlinkSync('real/a.txt', path.join(root, 'name'));
        const person = await join(opened);
        person.text.insert(0, 'typed ');
        const read = async (): Promise<string> => (await client.call('files.read', { path: asked })).text;
        await eventually(async () => assert.equal(await read(), 'typed one\n'));
        const { etag } = await client.call('files.stat', { path: 'real/a.txt', hash: true });
        const edited = await client.call('files.edit', { path: asked, edits: [{ find: 'one', replace: 'two' }], ifMatch: etag });
        assert.deepEqual([edited.path, edited.document, file('real/a.txt')], [asked, true, 'typed two\n']);
        person.text.insert(0, 'more ');
        await eventually(async () => assert.equal(await read(), 'more typed two\n'));
        const changes = [{ op: 'edit' as const, path: asked, edits: [{ find: 'two', replace: 'three' }] }];
        assert.equal((await client.call('files.batch', { changes })).changes[0]?.document, true);
        await eventually(() => assert.equal(person.text.toString(), 'more typed three\n'));
        person.text.insert(0, 'at last ');
        await eventually(async () => assert.equal(await read(), 'at last more typed three\n'));
        await client.call('files.copy', { from: path.dirname(asked) === '.' ? 'real' : path.dirname(asked), to: 'copy' });
        await eventually(() => assert.equal(file('copy/a.txt'), 'at last more typed three\n'));
      },
      { config: { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' } },
    ));

test('a write or an upload to an open document gives its file the mode that is asked for, in a refused one it stays', () =>
  withPeople(async ({ put, root, client, join }) => {
    put('a.txt', 'one\n');
    const person = await join('a.txt');
    const modeNow = (): string => (fs.statSync(path.join(root, 'a.txt')).mode & 0o777).toString(8);
    assert.equal((await client.call('files.write', { path: 'a.txt', text: 'two\n', mode: 0o600 })).document, true);
    assert.equal(modeNow(), '600');
    await client.upload('files.upload', { path: 'a.txt', mode: 0o755 }, Buffer.from('two\n'));
    assert.equal(modeNow(), '755');
    await assert.rejects(client.call('files.write', { path: 'a.txt', text: 'three\n', mode: 0o600, ifNoneMatch: '*' }));
    person.text.insert(0, 'typed ');
    await client.call('documents.flush', {});
    assert.equal(modeNow(), '755');
  }));

test('a write to a document makes its removed file anew, and says so; one that only comes to what is there by then does not', () =>
  withPeople(
    async ({ client, root, file, join }) => {
      const name = 'a.txt';
      await client.call('files.write', { path: name, text: 'one\n' });
      const person = await join(name);
      for (const [text, made] of [
        ['two\n', true],
        ['three\n', false],
      ] as const) {
        person.text.insert(0, 'typed ');
        await eventually(async () => assert.equal((await client.call('files.read', { path: name })).unsaved, true));
        if (made) fs.unlinkSync(path.join(root, name));
        const { document, created, changed } = await client.call('files.write', { path: name, text });
        assert.deepEqual([document, created, changed, file(name)], [true, made, true, text]);
      }
      person.text.insert(0, 'typed ');
      await eventually(async () => assert.equal((await client.call('files.read', { path: name })).unsaved, true));
      fs.unlinkSync(path.join(root, name));
      const both = await Promise.all(['four\n', 'five\n'].map((text) => client.call('files.write', { path: name, text })));
      assert.equal(both.filter(({ created }) => created).length, 1);
    },
    { config: { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' } },
  ));

test('where a file is no text by now, calls are about what stands there as soon as nobody is in its document', () =>
  withPeople(
    async ({ file, client, join }) => {
      const path = 'a.txt';
      await client.call('files.write', { path, text: 'one\n' });
      const person = await join(path);
      person.destroy();
      await eventually(async () => assert.deepEqual((await client.call('documents.list', {})).documents, []));
      await client.upload('files.upload', { path }, Buffer.from([65, 0, 66]));
      await assert.rejects(client.call('files.read', { path }), { reason: 'NOT_TEXT' });
      await assert.rejects(client.call('files.edit', { path, edits: [{ find: 'one', replace: 'two' }] }), { reason: 'NOT_TEXT' });
      const { etag } = await client.call('files.stat', { path, hash: true });
      const changes = [{ op: 'write' as const, path, text: 'two\n', ifMatch: etag ?? '' }];
      assert.equal((await client.call('files.batch', { changes, dryRun: true })).changes[0]?.document, undefined);
      await client.upload('files.upload', { path, ifMatch: etag }, Buffer.from('two\n'));
      assert.equal(file(path), 'two\n');
      assert.equal((await join(path)).text.toString(), 'two\n');
    },
    { config: { 'documents.unloadMs': '60000' } },
  ));

test('who may only read and knows a state that was lost is told to load the document anew, and never sees a text twice', () =>
  withPeople(async (setting) => {
    const { put, file, client, join } = setting;
    put('a.txt', 'one\n');
    const { secret } = await client.call('tokens.create', { name: 'reader', access: 'read' });
    const [writer, reader] = [await join('a.txt'), await join('a.txt', secret)];
    writer.text.insert(4, 'two\n');
    await eventually(() => assert.equal(file('a.txt'), 'one\ntwo\n'));
    await eventually(() => assert.equal(reader.text.toString(), 'one\ntwo\n'));
    reader.provider.disconnect();
    await leave(writer, setting);
    await client.call('files.remove', { path: 'a.txt' });
    await assert.rejects(client.call('documents.open', { path: 'a.txt' }));
    // Whoever comes to where it was begins another.
    await leave(await join('a.txt'), setting);
    await client.call('files.write', { path: 'a.txt', text: 'one\ntwo\n' });
    reader.provider.connect();
    await eventually(() => assert.equal(reader.closes.at(-1), closeCodes.outdated));
    assert.equal(reader.text.toString(), 'one\ntwo\n');
  }));

test('a document that is put away while a change of its file is looked at loses nothing of that change (long form)', () =>
  withProcess(async ({ root, start }) => {
    fs.writeFileSync(path.join(root, 'a.txt'), 'one\ntwo\nthree\n');
    fs.writeFileSync(path.join(root, 'b.txt'), 'b\n');
    const running = await start({ 'documents.maxOpen': '1', 'documents.saveIdleMs': '60' });
    await running.client.call('documents.open', { path: 'a.txt' });
    fs.writeFileSync(path.join(root, 'a.txt'), 'one\ntwo\n');
    await later(300);
    await running.client.call('documents.open', { path: 'b.txt' }).catch(() => undefined);
    await later(1500);
    await running.kill();
    await start();
    await later(500);
    assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'one\ntwo\n');
  }));

test('what is typed into a file after another was moved there outlives kill -9', () =>
  withProcess(async ({ root, start }) => {
    fs.writeFileSync(path.join(root, 'a.txt'), 'one\n');
    fs.writeFileSync(path.join(root, 'b.txt'), 'two\n');
    const running = await start({ 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000', 'documents.unloadMs': '100' });
    // It has a row of its own in what is remembered.
    await running.client.call('documents.open', { path: 'b.txt' });
    await later(500);
    const person = openYjsClient(running.url, { token: processToken, room: 'a.txt' });
    await person.synced();
    await running.client.call('files.move', { from: 'b.txt', to: 'a.txt', overwrite: true });
    await eventually(() => assert.equal(person.text.toString(), 'two\n'));
    person.text.insert(0, 'typed ');
    await isStored(running.url, person);
    await running.kill();
    person.destroy();
    await start();
    await eventually(() => assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'typed two\n'));
  }));

test('a file that is gone when what was typed before a kill is saved is made anew with its line ends and its byte order mark', () =>
  withProcess(async ({ root, start }) => {
    const at = (name: string): string => path.join(root, name);
    const slow = { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' };
    fs.writeFileSync(at('given.txt'), '\uFEFFone\r\ntwo\r\n');
    fs.writeFileSync(at('changed.txt'), 'one\ntwo\n');
    fs.writeFileSync(at('taken.txt'), '\uFEFFone\r\ntwo\r\n');
    fs.writeFileSync(at('back.txt'), '\uFEFFone\r\ntwo\r\n');
    const names = ['given.txt', 'changed.txt', 'taken.txt', 'back.txt'];
    const running = await start(slow);
    const people = names.map((room) => openYjsClient(running.url, { token: processToken, room }));
    try {
      for (const person of people) await person.synced();
      const list = (): Promise<{ documents: { path: string; eol: string; bom: boolean }[] }> => running.client.call('documents.list', {});
      fs.writeFileSync(at('changed.txt'), '\uFEFFone\r\ntwo\r\n');
      fs.writeFileSync(at('taken.txt'), 'one\ntwo\n');
      await eventually(async () => {
        const { documents } = await list();
        const formats = Object.fromEntries(documents.map(({ path: name, eol, bom }) => [name, `${eol} ${bom}`]));
        assert.deepEqual([formats['changed.txt'], formats['taken.txt']], ['crlf true', 'lf false']);
      });
      for (const [index, person] of people.slice(0, 3).entries()) {
        person.text.insert(0, 'typed\n');
        await isStored(running.url, person, names[index]);
      }
      await running.kill();
      for (const name of names) fs.rmSync(at(name));
      // Who comes back with what was typed meanwhile brings the rest along.
      const back = people[3] as YjsClient;
      back.text.insert(0, 'typed\n');
      for (const person of people.slice(0, 3)) person.destroy();
      const next = await start();
      const again = openYjsClient(next.url, { token: processToken, room: 'back.txt', ydoc: back.ydoc });
      people.push(again);
      await again.synced();
      const whole = '\uFEFFtyped\r\none\r\ntwo\r\n';
      for (const name of names)
        await eventually(() => assert.equal(fs.readFileSync(at(name), 'utf8'), name === 'taken.txt' ? 'typed\none\ntwo\n' : whole, name));
    } finally {
      for (const person of people) person.destroy();
    }
  }));

for (const when of ['before a kill', 'while no sidecar runs'] as const)
  test(`a file that is deleted ${when} stays so when they come back who have it open; what one of them typed makes it anew`, () =>
    withProcess(async ({ root, start }) => {
      const file = path.join(root, 'a.txt');
      fs.writeFileSync(file, 'one\n');
      const joined: YjsClient[] = [];
      const join = async ({ url }: StartedProcess, ydoc = new Y.Doc()): Promise<YjsClient> => {
        const person = openYjsClient(url, { token: processToken, room: 'a.txt', ydoc });
        joined.push(person);
        await person.synced();
        return person;
      };
      const leave = (): void => {
        for (const { provider } of joined) provider.destroy();
      };
      const stateIn = async ({ client }: StartedProcess) => (await client.call('documents.list', {})).documents[0]?.state;
      try {
        const first = await start();
        const ada = await join(first);
        const bob = await join(first);
        if (when === 'before a kill') {
          await first.client.call('files.remove', { path: 'a.txt' });
          await eventually(async () => assert.equal(await stateIn(first), 'deleted'));
        }
        await first.kill();
        if (when === 'while no sidecar runs') fs.rmSync(file);
        leave();

        const second = await start();
        await join(second, ada.ydoc);
        const other = await join(second);
        await eventually(() => assert.equal(other.text.toString(), 'one\n'));
        assert.deepEqual([await stateIn(second), ada.text.toString()], ['deleted', 'one\n']);
        if (when === 'before a kill') await second.kill();
        else assert.equal(await second.stop(), 0);
        leave();

        const third = await start();
        assert.deepEqual([await stateIn(third), fs.existsSync(file)], [undefined, false]);
        bob.text.insert(0, 'typed ');
        for (const { ydoc } of [ada, bob]) await join(third, ydoc);
        await eventually(() => assert.equal(fs.readFileSync(file, 'utf8'), 'typed one\n'));
        for (const { text } of [ada, bob]) await eventually(() => assert.equal(text.toString(), 'typed one\n'));
      } finally {
        for (const person of joined) person.destroy();
      }
    }));

test('a document that grows past what may be opened is saved, and found again after kill -9; beyond four times that its writer is refused', () =>
  withProcess(async ({ root, start }) => {
    const file = path.join(root, 'a.txt');
    fs.writeFileSync(file, 'one\n');
    const small = { 'documents.maxBytes': '2000' };
    const slow = { ...small, 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' };
    const people: ReturnType<typeof openYjsClient>[] = [];
    const visitor = async (url: string): Promise<ReturnType<typeof openYjsClient>> => {
      const person = openYjsClient(url, { token: processToken, room: 'a.txt' });
      people.push(person);
      await person.synced();
      return person;
    };
    try {
      const first = await start({ ...small, 'documents.saveIdleMs': '60' });
      const ada = await visitor(first.url);
      ada.text.insert(ada.text.length, 'ü\n'.repeat(2500));
      await eventually(() => assert.ok(fs.statSync(file).size > 7000));
      // A program shortens it a little: that is taken in as ever.
      fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('one\n', ''));
      await eventually(() => assert.ok(!ada.text.toString().includes('one')));
      await first.kill();
      const second = await start(slow);
      const writer = await visitor(second.url);
      writer.text.insert(0, 'unsaved ');
      await isStored(second.url, writer);
      await second.kill();
      const third = await start(slow);
      await eventually(() => assert.ok(fs.readFileSync(file, 'utf8').startsWith('unsaved ü')));
      const bob = await visitor(third.url);
      const before = bob.text.length;
      bob.text.insert(0, 'x'.repeat(4000));
      await eventually(() => assert.deepEqual(bob.closes, [4415]));
      assert.equal((await visitor(third.url)).text.length, before);
    } finally {
      for (const person of people) person.destroy();
    }
  }));

test('the log is emptied at a stop, whatever became of a file; what it held is there when the file is text again (long form)', () =>
  withProcess(async ({ root, state, start }) => {
    const file = path.join(root, 'a.txt');
    fs.writeFileSync(file, 'one\n');
    const running = await start({ 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' });
    const person = openYjsClient(running.url, { token: processToken, room: 'a.txt' });
    await person.synced();
    person.text.insert(0, 'typed ');
    await isStored(running.url, person);
    await running.kill();
    person.destroy();
    fs.writeFileSync(file, Buffer.from([65, 0, 66]));
    assert.equal(await (await start()).stop(), 0);
    assert.deepEqual(
      fs.readdirSync(path.join(state, 'documents')).filter((name) => fs.statSync(path.join(state, 'documents', name)).size > 0),
      [],
    );
    fs.writeFileSync(file, 'one\n');
    await start();
    await eventually(() => assert.equal(fs.readFileSync(file, 'utf8'), 'typed one\n'));
  }));

/** What somebody typed into a file is stored before others are told. */
async function isStored(url: string, person: YjsClient, room = 'a.txt'): Promise<void> {
  const other = openYjsClient(url, { token: processToken, room });
  try {
    await eventually(() => assert.equal(other.text.toString(), person.text.toString()));
  } finally {
    other.destroy();
  }
}

interface StartedProcess {
  url: string;
  client: ReturnType<typeof createClient<Operations>>;
  kill(): Promise<void>;
  stop(): Promise<number | null>;
}

/** A folder whose sidecars are processes that can be killed. */
async function withProcess(
  run: (setting: { root: string; state: string; start: (flags?: Record<string, string>) => Promise<StartedProcess> }) => Promise<void>,
): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-places-'));
  const root = path.join(folder, 'root');
  const state = path.join(folder, 'state');
  fs.mkdirSync(root);
  const ends: (() => Promise<unknown>)[] = [];
  const start = async (flags: Record<string, string> = {}): Promise<StartedProcess> => {
    const running = await spawnSidecar({ root, state, port: 0, flags });
    const client = createClient<Operations>({ url: running.url, token: processToken });
    let over: Promise<unknown> | undefined;
    const end = <T>(way: () => Promise<T>) => {
      client.close();
      const ended = way();
      over = ended;
      return ended;
    };
    ends.push(async () => over ?? end(running.kill));
    return { url: running.url, client, kill: () => end(running.kill), stop: () => end(running.stop) };
  };
  try {
    await run({ root, state, start });
  } finally {
    for (const end of ends) await end();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('what we put in place and a program moves on at that very moment is told as moved, and its document goes along', (t) =>
  withPeople(async ({ client, root, file, put, join }) => {
    const at = (name: string): string => path.join(root, 'd', name);
    const rename = fs.renameSync.bind(fs);
    /** The watch sees the move before it can be told of the write (100 ms), or after. */
    const moveOn = (name: string, to: string, busyMs: number): void => {
      t.mock.method(fs, 'renameSync', (from: string, target: string) => {
        rename(from, target);
        if (!target.endsWith(`/${name}`)) return;
        t.mock.reset();
        rename(at(name), at(to));
        for (const until = performance.now() + busyMs; performance.now() < until; );
      });
    };
    const told = async (cursor: string): Promise<string[]> => {
      await client.call('index.wait', {});
      const { changes } = await client.call('changes.since', { cursor });
      return changes.map((change) => `${change.what} ${change.from === undefined ? '' : `${change.from} > `}${change.path}`);
    };
    for (const [round, busyMs] of [0, 100].entries()) {
      const [first, second, made] = [`first${round}`, `second${round}`, `made${round}`];
      put(`d/${first}`, 'text\n');
      await client.call('index.wait', {});
      const person = await join(`d/${first}`);
      const { cursor } = await client.call('changes.since', {});
      moveOn(first, second, busyMs);
      person.text.insert(0, 'typed ');
      await eventually(() => fs.existsSync(at(second)));
      assert.deepEqual(await told(cursor), [`changed d/${first}`, `moved d/${first} > d/${second}`]);
      person.text.insert(0, 'and ');
      await eventually(() => assert.equal(file(`d/${second}`), 'and typed text\n'));
      assert.equal(fs.existsSync(at(first)), false);
      const { cursor: next } = await client.call('changes.since', {});
      moveOn(`${made}a`, `${made}b`, busyMs);
      await client.call('files.write', { path: `d/${made}a`, text: 'made\n' });
      assert.deepEqual(await told(next), [`created d/${made}a`, `moved d/${made}a > d/${made}b`]);
    }
  }));

test('a NUL that is typed does not make the file one that nobody can open any more; from a call it comes only where nobody is in the document', () =>
  withPeople(async ({ client, root, put, file, join, state }) => {
    put('a.txt', 'one\n');
    const person = await join('a.txt');
    person.text.insert(0, 'zero\0\0\n');
    const shown = 'zero\uFFFD\uFFFD\none\n';
    await eventually(() => assert.equal(file('a.txt'), shown));
    await eventually(() => assert.equal(person.text.toString(), shown));
    fs.appendFileSync(path.join(root, 'a.txt'), 'two\n');
    await eventually(() => assert.equal(person.text.toString(), `${shown}two\n`));
    await assert.rejects(client.call('files.write', { path: 'a.txt', text: 'a\0b' }), { reason: 'BAD_INPUT' });
    await eventually(async () => assert.equal(await state('a.txt'), 'saved'));
    assert.equal(file('a.txt'), `${shown}two\n`);
    person.destroy();
    await eventually(async () => assert.deepEqual((await client.call('documents.list', {})).documents, []));
    await client.call('files.write', { path: 'a.txt', text: 'a\0b' });
    assert.equal(file('a.txt'), 'a\0b');
  }));
