// What other programs do to files while people type in them: how editors save, what takes the place of a file, what comes back.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import type { DocumentInfo } from '../../src/contract/documents.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { OutsidePrograms, tooLarge } from '../kit/outside-programs.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';
import { openYjsClient, type YjsClient } from '../kit/yjs-client.ts';

interface Setting extends RunningSidecar {
  at(name: string): string;
  join(room: string): Promise<YjsClient>;
  state(room: string): Promise<string | undefined>;
}

function withPeople(
  run: (setting: Setting) => Promise<void>,
  config: Record<string, string> = { 'documents.saveIdleMs': '60' },
): Promise<void> {
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
    { config },
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

test('of a file that gets other line ends, or loses its byte order mark, while it is open, a read gives the bytes that are there', () =>
  withPeople(async ({ client, put, join }) => {
    put('a.txt', '\ufeffone\r\ntwo\r\n');
    const person = await join('a.txt');
    for (const content of ['one\ntwo\n', '\ufeffone\ntwo\n', 'one\r\ntwo\r\n', 'one\r\ntwo\n']) {
      const before = await client.call('files.read', { path: 'a.txt' });
      put('a.txt', content);
      await eventually(async () => {
        const { text, bom, etag } = await client.call('files.read', { path: 'a.txt' });
        assert.equal((bom === true ? '\ufeff' : '') + text, content);
        assert.equal(etag, (await client.call('files.read', { path: 'a.txt', source: 'disk' })).etag);
        assert.notEqual(etag, before.etag);
      }, 5000);
      assert.equal(person.text.toString(), 'one\ntwo\n');
    }
  }));

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

for (const [what, putInTheWay] of inTheWay)
  test(`what is typed while ${what} is in the place of the file, and taken out again, leaves nothing unsaved`, () =>
    withPeople(async (setting) => {
      const { put, client, join, state } = setting;
      put('a.txt', '\ufeffone\r\n');
      const person = await join('a.txt');
      putInTheWay(setting);
      await eventually(async () => assert.equal(await state('a.txt'), 'conflict'));
      person.text.insert(0, 'typed ');
      await eventually(async () => assert.equal((await client.call('documents.flush', {})).failed.length, 1));
      await eventually(async () => assert.equal((await client.call('documents.list', {})).documents[0]?.length, 'typed one\n'.length));
      person.text.delete(0, 'typed '.length);
      await eventually(async () => assert.equal((await client.call('documents.list', {})).documents[0]?.length, 'one\n'.length));
      person.destroy();
      await eventually(async () => assert.deepEqual((await client.call('documents.list', {})).documents, []));
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

test('what a program writes into the file that it opened before a save stands in the one that is there now, once', () =>
  withPeople(async ({ put, file, at, join }) => {
    put('a.txt', 'one\r\n');
    const person = await join('a.txt');
    const appending = fs.openSync(at('a.txt'), 'a');
    const rewriting = fs.openSync(at('a.txt'), 'r+');
    try {
      person.text.insert(0, 'typed ');
      await eventually(() => assert.equal(file('a.txt'), 'typed one\r\n'));
      fs.writeSync(appending, 'appended\r\n');
      await eventually(() => assert.equal(file('a.txt'), 'typed one\r\nappended\r\n'));
      person.text.insert(0, 'more ');
      await eventually(() => assert.equal(file('a.txt'), 'more typed one\r\nappended\r\n'));
      // As an editor that saves in place, which has to wait between emptying and writing.
      fs.ftruncateSync(rewriting);
      await new Promise((resolve) => setTimeout(resolve, 200));
      fs.writeSync(rewriting, 'one\r\nby an editor\r\nappended\r\n', 0);
      await eventually(() => assert.equal(file('a.txt'), 'more typed one\r\nby an editor\r\nappended\r\n'));
      await eventually(() => assert.equal(person.text.toString(), 'more typed one\nby an editor\nappended\n'));
    } finally {
      fs.closeSync(appending);
      fs.closeSync(rewriting);
    }
  }));

test('a program that keeps the file open and writes line after line is followed through all saves, and let go when it rests', () =>
  withPeople(async ({ put, file, at, join, state }) => {
    put('a.txt', 'one\n');
    const person = await join('a.txt');
    const log = fs.openSync(at('a.txt'), 'a');
    try {
      for (let line = 0; line < 8; line++) {
        person.text.insert(0, `${line} `);
        await eventually(() => assert.ok(file('a.txt').startsWith(`${line} `)));
        fs.writeSync(log, `line ${line}\n`);
      }
      const lines = Array.from({ length: 8 }, (_, line) => `line ${line}\n`).join('');
      await eventually(() => assert.equal(file('a.txt'), `7 6 5 4 3 2 1 0 one\n${lines}`));
      await eventually(async () => assert.equal(await state('a.txt'), 'saved'));
      assert.equal(person.text.toString(), file('a.txt'));
    } finally {
      fs.closeSync(log);
    }
    await eventually(() => assert.deepEqual(replacedFiles(at('a.txt')), []));
  }));

for (const [lines, form] of [
  [150, ''],
  [3000, ' (long form)'],
] as const)
  test(`lines that a program appends while people type and all is saved at once stand there once${form}`, () =>
    withPeople(
      async ({ put, file, at, join }) => {
        put('a.txt', 'one\n');
        const [person, other] = [await join('a.txt'), await join('a.txt')];
        const appended: string[] = [];
        for (let line = 0; line < lines; line++) {
          (line % 2 === 0 ? person : other).text.insert(0, '.');
          // Between opening and writing the sidecar may save: it is in this process, and has its turn.
          const program = await fs.promises.open(at('a.txt'), 'a');
          if (line % 3 === 0) await new Promise((resolve) => setTimeout(resolve, line % 40));
          await program.write(`line ${line}\n`);
          await program.close();
          appended.push(`line ${line}`);
        }
        await eventually(() => {
          assert.deepEqual(
            file('a.txt')
              .split('\n')
              .filter((line) => line.startsWith('line'))
              .toSorted(),
            appended.toSorted(),
          );
          assert.equal(person.text.toString(), file('a.txt'));
        });
        assert.equal(file('a.txt').split('.').length - 1, lines);
      },
      { 'documents.saveIdleMs': '10', 'documents.saveMaxMs': '20' },
    ));

test('what is no text, or too large, in the file that a save replaced changes nothing', () =>
  withPeople(async ({ put, file, at, join, state }) => {
    put('a.txt', 'one\n');
    const person = await join('a.txt');
    for (const [typed, written] of [
      ['typed ', Buffer.from([65, 0, 66])],
      ['more ', Buffer.alloc(20_000_000, 'x')],
    ] as const) {
      const program = fs.openSync(at('a.txt'), 'a');
      person.text.insert(0, typed);
      await eventually(() => assert.ok(file('a.txt').startsWith(typed)));
      fs.writeSync(program, written);
      fs.closeSync(program);
    }
    await eventually(() => assert.deepEqual(replacedFiles(at('a.txt')), []));
    assert.equal(file('a.txt'), 'more typed one\n');
    assert.equal(await state('a.txt'), 'saved');
    assert.equal(person.text.toString(), 'more typed one\n');
  }));

/** Files of that name which are gone and which this process, with the sidecar in it, holds open. */
function replacedFiles(name: string): string[] {
  const links = fs.readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link === `${name} (deleted)`);
}

const seed = testSeed();
const quick = { 'documents.saveIdleMs': '60', 'documents.maxBytes': String(tooLarge) } as const;

/** People and programs in the same files, at rest after each five steps of programs. */
function typedAmongPrograms(number: number, rounds: number): Promise<void> {
  return withSidecar(
    async ({ url, token, root, stateFolder, client }) => {
      const outside = path.join(path.dirname(stateFolder), 'outside');
      fs.mkdirSync(outside);
      const documents = async (): Promise<DocumentInfo[]> => (await client.call('documents.list', {})).documents;
      const programs = new OutsidePrograms(number, { url, token, root, outside, documents });
      await client.call('index.wait', {});
      try {
        await programs.join();
        for (let round = 0; round < rounds; round++) {
          for (let step = 0; step < 5; step++) await programs.step();
          await programs.rest();
        }
      } finally {
        programs.leave();
      }
    },
    { config: quick },
  );
}

/** The same, with kills in between; while no sidecar runs only programs go on. */
function typedBetweenKills(number: number, kills: number): Promise<void> {
  return withScratchFolder('outside', async (folder, root) => {
    const outside = path.join(folder, 'outside');
    fs.mkdirSync(outside);
    let running: SidecarProcess | undefined;
    let client: Client<Operations> | undefined;
    const setting = {
      url: '',
      token: processToken,
      root,
      outside,
      documents: async () => (await (client as Client<Operations>).call('documents.list', {})).documents,
    };
    const programs = new OutsidePrograms(number, setting);
    try {
      for (let kill = 0; kill <= kills; kill++) {
        running = await spawnSidecar({ root, state: path.join(folder, 'state'), port: 0, flags: quick });
        client = createClient<Operations>({ url: running.url, token: processToken });
        await programs.join({ ...setting, url: running.url });
        await programs.rest();
        if (kill === kills) return;
        await programs.typing();
        programs.leave();
        await running.kill();
        client.close();
        for (let step = 0; step < 3; step++) await programs.step(true);
      }
    } finally {
      programs.leave();
      client?.close();
      await running?.kill();
    }
  });
}

test(`what is typed and what programs write of all habits stands there once (SEED=${seed})`, () => typedAmongPrograms(seed, 8));

test(`what is typed before a kill and what programs write after it stands there once (SEED=${seed})`, () => typedBetweenKills(seed, 3));

for (let round = 1; round <= 10; round++) {
  test(`what is typed and what programs write of all habits stands there once (SEED=${seed + round}) (long form)`, () =>
    typedAmongPrograms(seed + round, 25));
  test(`what is typed before a kill and what programs write after it stands there once (SEED=${seed + round}) (long form)`, () =>
    typedBetweenKills(seed + round, 8));
}
