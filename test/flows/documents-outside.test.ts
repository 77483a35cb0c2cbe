// What other programs do to files while people type in them: how editors save, what takes the place of a file, what comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient, type YjsClient } from '../kit/yjs-client.ts';

interface Setting extends RunningSidecar {
  at(name: string): string;
  join(room: string): Promise<YjsClient>;
  state(room: string): Promise<string | undefined>;
}

function withPeople(run: (setting: Setting) => Promise<void>): Promise<void> {
  const people: YjsClient[] = [];
  return withSidecar(
    async (running) => {
      const { url, token, root, client } = running;
      const join = async (room: string): Promise<YjsClient> => {
        const person = openYjsClient(url, { token, room });
        people.push(person);
        await person.synced();
        return person;
      };
      const state = async (room: string): Promise<string | undefined> =>
        (await client.call('documents.list', {})).documents.find((info) => info.path === room)?.state;
      try {
        await run({ ...running, at: (name) => path.join(root, name), join, state });
      } finally {
        for (const person of people) person.destroy();
      }
    },
    { config: { 'documents.saveIdleMs': '60' } },
  );
}

const inTheWay: [what: string, put: (setting: Setting) => void][] = [
  ['a file that is no text', ({ put }) => put('a.txt', Buffer.from([65, 0, 66]))],
  ['a folder', ({ at }) => replace(at('a.txt'), (name) => fs.mkdirSync(name))],
  ['a link that leads out of the folder', ({ at }) => replace(at('a.txt'), (name) => fs.symlinkSync('/etc/hostname', name))],
];

function replace(name: string, make: (name: string) => void): void {
  fs.rmSync(name);
  make(name);
}

for (const [what, putInTheWay] of inTheWay)
  test(`what is typed while ${what} is in the place of the file makes the file anew when that is gone`, () =>
    withPeople(async (setting) => {
      const { put, file, at, join, state } = setting;
      put('a.txt', 'one\n');
      const [person, other] = [await join('a.txt'), await join('a.txt')];
      putInTheWay(setting);
      await eventually(async () => assert.equal(await state('a.txt'), 'conflict'));
      person.text.insert(0, 'typed ');
      await eventually(() => assert.equal(other.text.toString(), 'typed one\n'));
      fs.rmSync(at('a.txt'), { recursive: true });
      await eventually(() => assert.equal(file('a.txt'), 'typed one\n'));
      putInTheWay(setting);
      await eventually(async () => assert.equal(await state('a.txt'), 'conflict'));
      fs.rmSync(at('a.txt'), { recursive: true });
      await eventually(async () => assert.equal(await state('a.txt'), 'deleted'));
      assert.equal(fs.existsSync(at('a.txt')), false);
      person.text.insert(0, 'again ');
      await eventually(() => assert.equal(file('a.txt'), 'again typed one\n'));
    }));

for (const [keeps, says] of [
  [true, 'keeps'],
  [false, 'removes'],
] as const)
  test(`what is typed while an editor has made its backup and not its new file stands in that, also where it ${says} the backup`, () =>
    withPeople(async ({ client, put, file, at, root, join }) => {
      put('a.txt', 'one\n');
      await client.call('index.wait', {});
      const person = await join('a.txt');
      fs.renameSync(at('a.txt'), at('a.txt~'));
      person.text.insert(0, 'typed ');
      await eventually(() => assert.equal(file('a.txt~'), 'typed one\n'));
      person.text.insert(0, 'more ');
      put('a.txt', 'one\nby an editor\n');
      if (!keeps) fs.rmSync(at('a.txt~'));
      await eventually(() => assert.equal(file('a.txt'), 'more typed one\nby an editor\n'));
      await eventually(() => assert.equal(person.text.toString(), file('a.txt')));
      assert.deepEqual(fs.readdirSync(root).toSorted(), keeps ? ['a.txt', 'a.txt~'] : ['a.txt']);
    }));

test('a link that is put where a file was renamed to its backup takes nobody away from the backup', () =>
  withPeople(async ({ client, put, file, at, join, state }) => {
    put('a.txt', 'one\n');
    await client.call('index.wait', {});
    const person = await join('a.txt');
    fs.renameSync(at('a.txt'), at('a.txt.bak'));
    await eventually(async () => assert.equal(await state('a.txt.bak'), 'saved'));
    fs.symlinkSync('/etc/hostname', at('a.txt'));
    await client.call('index.wait', {});
    person.text.insert(0, 'typed ');
    await eventually(() => assert.equal(file('a.txt.bak'), 'typed one\n'));
    assert.deepEqual(person.closes, []);
  }));

test('an editor that had its new file ready before it made the backup has its people, and what they typed, in the new one', () =>
  withPeople(async ({ client, put, file, at, join }) => {
    put('a.txt', 'one\n');
    put('a.txt.new', 'one\nby an editor\n');
    await client.call('index.wait', {});
    const person = await join('a.txt');
    fs.renameSync(at('a.txt'), at('a.txt~'));
    person.text.insert(0, 'typed ');
    await eventually(() => assert.equal(file('a.txt~'), 'typed one\n'));
    fs.renameSync(at('a.txt.new'), at('a.txt'));
    await eventually(() => assert.equal(file('a.txt'), 'typed one\nby an editor\n'));
    await eventually(() => assert.equal(person.text.toString(), 'typed one\nby an editor\n'));
  }));

test('what an editor wrote a moment before it makes its backup stands there once after it made the new file', () =>
  withPeople(async ({ client, put, file, at, join }) => {
    put('a.txt', 'one\n');
    await client.call('index.wait', {});
    const person = await join('a.txt');
    // Written in place, it is told once it has stood still; the rename is told before.
    put('a.txt', 'one first\n');
    fs.renameSync(at('a.txt'), at('a.txt~'));
    person.text.insert(0, 'typed ');
    await eventually(() => assert.equal(file('a.txt~'), 'typed one first\n'));
    put('a.txt', 'one second first\n');
    await eventually(() => assert.equal(file('a.txt'), 'typed one second first\n'));
    await eventually(() => assert.equal(person.text.toString(), 'typed one second first\n'));
  }));

test('what is typed while a program removes a file and makes it a moment later stands in what it made', () =>
  withPeople(async ({ put, file, at, join, state }) => {
    put('a.txt', 'one\n');
    const person = await join('a.txt');
    person.text.insert(0, 'typed ');
    await eventually(async () => assert.equal(await state('a.txt'), 'unsaved'));
    fs.rmSync(at('a.txt'));
    // The program has to wait for what it writes.
    await new Promise((resolve) => setTimeout(resolve, 300));
    put('a.txt', 'one\nmade anew\n');
    await eventually(() => assert.equal(file('a.txt'), 'typed one\nmade anew\n'));
    await eventually(() => assert.equal(person.text.toString(), 'typed one\nmade anew\n'));
  }));
