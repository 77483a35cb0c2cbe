import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as Y from 'yjs';
import { FakeChannel } from '../../../test/kit/byte-channel.ts';
import { MiB, ada, asking, failing, documentsOf, heardBy, personIn } from '../../../test/kit/documents-harness.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { unmounted, withSmallDisk } from '../../../test/kit/small-disk.ts';
import { call, cause, fails, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { files } from '../../contract/files.ts';
import { lfAlone } from '../../core/text-format.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { hashBytes } from '../workspace/content.ts';
import type { ChangeDraft } from '../workspace/journal.ts';
import { fileOperations } from '../workspace/operations.ts';
import { DocumentStore } from './document-store.ts';
import type { Asking, Documents } from './documents.ts';
import { firstState } from './lineage.ts';
import { step1Message, updateMessage } from './sync-protocol.ts';

const outside = { kind: 'outside' } as const;

/** The workspace, and how often files were read in it. */
function countingReads(workspace: Harness['workspace']): { workspace: Harness['workspace']; reads: number } {
  const counting = { workspace, reads: 0 };
  counting.workspace = new Proxy(workspace, {
    get: (target, name) => {
      if (name === 'read') counting.reads++;
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return counting;
}

/** What is typed into a file is saved while what a program did to it is told, step by step, when it is asked for; `late`: what else is told after a save without that. */
async function savedWhileTold(
  { workspace, state, at, put, read }: Harness,
  rename: (at: (name: string) => string) => void,
  told: (looks: number) => ChangeDraft[],
  name: string,
  late: readonly ChangeDraft[] = [],
): Promise<void> {
  put('d/a.txt', 'one\n');
  const documents = documentsOf({ workspace, state });
  await documents.start();
  const { channel, ydoc } = await personIn(documents, 'd/a.txt');
  ydoc.getText('content').insert(0, 'typed ');
  channel.say(step1Message(Y.encodeStateVector(ydoc)));
  rename(at);
  let looks = 0;
  workspace.settled = () => {
    workspace.journal.record(told(++looks));
    return Promise.resolve();
  };
  try {
    await documents.flush('');
    if (looks === 0) {
      workspace.settled = () => Promise.resolve();
      workspace.journal.record(late);
    }
    ydoc.getText('content').insert(0, 'more ');
    channel.say(step1Message(Y.encodeStateVector(ydoc)));
    await documents.flush('');
    const files = fs.readdirSync(at(''), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.deepEqual(
      files.map((entry) => path.relative(at(''), path.join(entry.parentPath, entry.name))),
      [name],
    );
    assert.equal(read(name), 'more typed one\n');
  } finally {
    await documents.stop();
  }
}

const moved = (from: string, to: string, kind: 'file' | 'directory' = 'file'): ChangeDraft => ({
  path: to,
  from,
  kind,
  what: 'moved',
  before: null,
  after: null,
  cause: outside,
});

test('a file in the place of the one that was opened, in another folder of that name, has been elsewhere: what is saved waits until that is told', () =>
  withWorkspace((harness) =>
    savedWhileTold(
      harness,
      (at) => {
        fs.renameSync(at('d'), at('e'));
        fs.mkdirSync(at('d'));
        fs.renameSync(at('e/a.txt'), at('d/a.txt'));
      },
      (looks) => (looks === 1 ? [moved('d', 'e', 'directory'), moved('e/a.txt', 'd/a.txt')] : []),
      'd/a.txt',
      // By then the file is no more that left the one place for the other.
      [moved('d', 'e', 'directory'), { path: 'e/a.txt', kind: 'file', what: 'removed', before: null, after: null, cause: outside }],
    ),
  ));

test('a file that is told to have come back to where it was asked for is not gone for that it was not there', () =>
  withWorkspace((harness) =>
    savedWhileTold(
      harness,
      (at) => fs.renameSync(at('d/a.txt'), at('d/c.txt')),
      (looks) => {
        // What happened since is told at the next look.
        if (looks === 2) return [moved('d/a.txt', 'd/b.txt'), moved('d/b.txt', 'd/a.txt')];
        return looks === 3 ? [moved('d/a.txt', 'd/c.txt')] : [];
      },
      'd/c.txt',
    ),
  ));

test('a file that is not there may have been moved a moment ago: what was typed goes where the watch says it is', () =>
  withWorkspace(async ({ workspace, state, put, at, read }) => {
    put('a.txt', 'one\n');
    const documents = documentsOf({ workspace, state });
    await documents.start();
    const { channel, ydoc } = await personIn(documents, 'a.txt');
    ydoc.getText('content').insert(0, 'typed ');
    // Who asks for the state gets all that came before.
    channel.say(step1Message(Y.encodeStateVector(ydoc)));
    fs.renameSync(at('a.txt'), at('b.txt'));
    let looks = 0;
    workspace.settled = () => {
      // At the first look it was back for a moment, so that there is nothing to tell.
      if (++looks === 2)
        workspace.journal.record([
          { path: 'b.txt', from: 'a.txt', kind: 'file', what: 'moved', before: null, after: null, cause: { kind: 'outside' } },
        ]);
      return Promise.resolve();
    };
    try {
      await documents.flush('');
      assert.deepEqual([fs.existsSync(at('a.txt')), read('b.txt')], [false, 'typed one\n']);
    } finally {
      await documents.stop();
    }
  }));

test('who opens a document that nobody is in has what a call wrote into its file just before', () =>
  withWorkspace(async ({ workspace, state, put }) => {
    put('a.txt', 'one\n');
    const onBusyDisk = new Proxy(workspace, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return name === 'read' ? (...args: unknown[]) => sleep(20).then(() => value.apply(target, args) as unknown) : value.bind(target);
      },
    });
    const documents = documentsOf({ workspace: onBusyDisk, state });
    await documents.start();
    try {
      (await personIn(documents, 'a.txt')).channel.leave();
      for (const text of ['two\n', 'three\n', 'four\n']) {
        // As a batch does, which goes to the file itself.
        await workspace.write('a.txt', Buffer.from(text), { cause });
        const { channel, ydoc } = await personIn(documents, 'a.txt');
        assert.equal(ydoc.getText('content').toString(), text);
        channel.leave();
      }
    } finally {
      await documents.stop();
    }
  }));

test('a log of more than 16 MiB is begun anew, with each document written whole', (t) =>
  withWorkspace(async ({ workspace, state, stateFolder }) => {
    // Time stands still but for the look at the log.
    t.mock.timers.enable({ apis: ['setInterval'] });
    const documents = documentsOf({ workspace, state });
    await documents.start();
    const { channel, ydoc } = await personIn(documents, 'a.txt');
    const text = ydoc.getText('content');
    const log = path.join(stateFolder, 'documents');
    const segments = (): string[] => fs.readdirSync(log);
    const type = (count: number): void => {
      text.delete(0, text.length);
      text.insert(0, 'x'.repeat(count));
      // Who asks for the state gets all that came before.
      channel.say(step1Message(Y.encodeStateVector(ydoc)));
      t.mock.timers.tick(5000);
    };
    try {
      for (let times = 0; times < 3; times++) type(5 * MiB);
      assert.deepEqual(segments(), ['log-0000000001']);
      type(MiB);
      assert.deepEqual(segments(), []);
      const { base } = state.statement('SELECT base FROM texts').get() as { base: Uint8Array };
      const stored = new Y.Doc();
      Y.applyUpdate(stored, base);
      assert.equal(stored.getText('content').length, MiB);
    } finally {
      await documents.stop();
    }
  }));

for (const { what, readBefore } of [
  { what: 'moved', readBefore: true },
  { what: 'moved, and another made in its place,', readBefore: false },
])
  test(`a file that is ${what} while it is read keeps its people, and its text`, () =>
    withWorkspace(async ({ workspace, state, put, at }) => {
      put('a.txt', 'one\n');
      const gate = Promise.withResolvers<void>();
      const reading = Promise.withResolvers<void>();
      let isSlow = false;
      const slow = new Proxy(workspace, {
        get: (target, name) => {
          if (name === 'read')
            return async (...args: Parameters<Workspace['read']>) => {
              if (!isSlow) return target.read(...args);
              isSlow = false;
              const content = readBefore ? await target.read(...args) : undefined;
              reading.resolve();
              await gate.promise;
              return content ?? target.read(...args);
            };
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const documents = documentsOf({ workspace: slow, state });
      await documents.start();
      try {
        const channel = new FakeChannel();
        await documents.join('a.txt', channel, asking);
        channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
        put('a.txt', 'one\ntwo\n');
        // One that stands still is read once.
        fs.utimesSync(at('a.txt'), 1, 1);
        isSlow = true;
        documents.seen('a.txt', 'another');
        await reading.promise;
        await workspace.move('a.txt', 'b.txt', { overwrite: false, parents: false, cause });
        if (!readBefore) put('a.txt', 'of the other\n');
        gate.resolve();
        await documents.flush('');
        assert.deepEqual(channel.closes, []);
        assert.deepEqual(
          documents.list().map((info) => [info.path, info.state]),
          [['b.txt', 'saved']],
        );
        assert.equal(heardBy(channel).getText('content').toString(), 'one\ntwo\n');
      } finally {
        await documents.stop();
      }
    }));

test('what the watch saw standing still is read once, also where the file says that it was written an hour from now', () =>
  withWorkspace(async ({ workspace, state, put, at }) => {
    const inAnHour = Date.now() / 1000 + 3600;
    const outside = (text: string): void => {
      put('a.txt', text);
      fs.utimesSync(at('a.txt'), inAnHour, inAnHour);
    };
    outside('one\n');
    const counting = countingReads(workspace);
    const documents = documentsOf({ workspace: counting.workspace, state });
    await documents.start();
    try {
      const channel = new FakeChannel();
      await documents.join('a.txt', channel, asking);
      channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
      outside('one\ntwo\n');
      counting.reads = 0;
      const { size, mtimeMs, ino } = fs.statSync(at('a.txt'));
      workspace.noticed([{ path: 'a.txt', kind: 'file', what: 'changed', size, mtimeMs, ino, hash: hashBytes('one\ntwo\n') }]);
      await eventually(() => assert.equal(heardBy(channel).getText('content').toString(), 'one\ntwo\n'));
      assert.equal(counting.reads, 1);
    } finally {
      await documents.stop();
    }
  }));

test('a file that a call makes where one was is taken as it is, also where it is how that began, as an empty one is', () =>
  withWorkspace(async ({ workspace, state, put }) => {
    const cause = { kind: 'connection' } as const;
    put('a.txt', 'one\ntwo\n');
    const counting = countingReads(workspace);
    const documents = documentsOf({ workspace: counting.workspace, state });
    await documents.start();
    try {
      const { channel } = await personIn(documents, 'a.txt');
      await workspace.remove('a.txt', false, { cause });
      counting.reads = 0;
      await workspace.write('a.txt', Buffer.from(''), { cause, ifNoneMatch: '*' });
      await eventually(() => assert.equal(heardBy(channel).getText('content').toString(), ''));
      assert.equal(counting.reads, 1, 'nobody waited for the rest of it');
    } finally {
      await documents.stop();
    }
  }));

test('under another name of the text a file that was open before keeps what it holds, and what was not saved is saved', () =>
  withWorkspace(async ({ workspace, state, stateFolder, put, read }) => {
    put('saved.txt', 'saved\n');
    put('typed.txt', 'one\n');
    const store = new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName: 'content' });
    store.create('saved.txt', 1, firstState('saved\n', 'content'), hashBytes('saved\n'), undefined, lfAlone);
    store.create('typed.txt', 2, firstState('one\ntwo\n', 'content'), hashBytes('one\n'), 'one\n', lfAlone);
    await store.close({ forgets: false });
    const documents = documentsOf({ workspace, state }, 'monaco');
    await documents.start();
    try {
      for (const [name, text] of [
        ['saved.txt', 'saved\n'],
        ['typed.txt', 'one\ntwo\n'],
      ] as const) {
        const channel = new FakeChannel();
        await documents.join(name, channel, asking);
        channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
        await documents.flush('');
        assert.deepEqual([heardBy(channel).getText('monaco').toString(), read(name)], [text, text]);
      }
    } finally {
      await documents.stop();
    }
  }));

test('a stored text that is not the one of which the hash is stored does not go over what the file holds', () =>
  withWorkspace(async ({ workspace, state, stateFolder, put, read }) => {
    put('a.txt', 'one\n');
    const store = new DocumentStore({ state, now: Date.now }, { folder: path.join(stateFolder, 'documents'), textName: 'content' });
    store.create('a.txt', 1, firstState('', 'content'), hashBytes('one\n'), undefined, lfAlone);
    await store.close({ forgets: false });
    const documents = documentsOf({ workspace, state });
    await documents.start();
    try {
      await documents.look('a.txt', asking);
      await documents.flush('');
      assert.deepEqual([documents.read('a.txt'), read('a.txt')], [{ raw: 'one\n', unsaved: false }, 'one\n']);
    } finally {
      await documents.stop();
    }
  }));

test('while the state can not be written, a document goes along with its file, open or remembered, and all others hear of the move', () =>
  withWorkspace(async ({ workspace, state, put, at, told }) => {
    for (const name of ['open.txt', 'remembered.txt']) put(name, `${name}\n`);
    let documents = documentsOf({ workspace, state });
    await documents.start();
    await documents.look('remembered.txt', asking);
    await documents.stop();
    documents = documentsOf({ workspace, state });
    await documents.start();
    const heard: string[] = [];
    workspace.journal.onChanges((changes) => heard.push(...changes.map((change) => change.path)));
    try {
      await documents.join('open.txt', new FakeChannel(), asking);
      state.database.exec('PRAGMA query_only = ON');
      for (const name of ['open', 'remembered'])
        await workspace.move(`${name}.txt`, `${name}.md`, { overwrite: false, parents: false, cause });
      await documents.write('open.md', (raw) => `${raw}typed\n`, cause);
      assert.deepEqual(heard, ['open.md', 'remembered.md', 'open.md']);
      assert.deepEqual(told(), ['moved open.txt → open.md', 'moved remembered.txt → remembered.md', 'changed open.md']);
      assert.deepEqual(fs.readdirSync(at('')).toSorted(), ['open.md', 'remembered.md']);
      state.database.exec('PRAGMA query_only = OFF');
      assert.equal((await documents.look('remembered.md', asking)).state, 'saved');
    } finally {
      await documents.stop();
    }
    const paths = state
      .statement('SELECT path FROM texts ORDER BY path')
      .all()
      .map((row) => row['path']);
    assert.deepEqual(paths, ['open.md', 'remembered.md']);
  }));

test('what is typed while the volume of a file is away, its folder too, waits for it; a file whose folder was removed is made again', (context) =>
  withSmallDisk(context, 512, (disk) =>
    withWorkspace(async ({ workspace, state, put, read, at }) => {
      fs.mkdirSync(at('m'));
      execFileSync('mount', ['--bind', disk, at('m')]);
      const log: string[] = [];
      const documents = documentsOf({ workspace, state }, 'content', (event) => log.push(event));
      try {
        put('m/deep/a.txt', 'one');
        await documents.start();
        const channel = new FakeChannel();
        await documents.join('m/deep/a.txt', channel, asking);
        channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
        const ydoc = heardBy(channel);
        ydoc.on('update', (update: Uint8Array) => channel.say(updateMessage(update)));
        const type = (text: string): Promise<void> => {
          ydoc.getText('content').insert(ydoc.getText('content').length, text);
          channel.say(step1Message(Y.encodeStateVector(ydoc)));
          return documents.flush('');
        };
        const shown = (): [string | undefined, boolean] => {
          const [info] = documents.troubled;
          return [info?.problem, fs.existsSync(at('m/deep'))];
        };
        const away = ['The volume that held m/deep/a.txt is not mounted.', false];
        fs.rmSync(at('m/deep'), { recursive: true });
        await type(', two');
        assert.equal(read('m/deep/a.txt'), 'one, two');
        {
          using volume = unmounted(at('m'));
          await type(', three');
          assert.deepEqual(shown(), away);
          fs.rmdirSync(at('m'));
          await type(', four');
          assert.deepEqual(shown(), away);
          fs.mkdirSync(at('m'));
          volume.mountAgain();
        }
        await type(', five');
        assert.deepEqual(shown(), [undefined, true]);
        assert.equal(read('m/deep/a.txt'), 'one, two, three, four, five');
        assert.deepEqual(log, ['documents.save-failed', 'documents.save-failed']);
      } finally {
        await documents.stop();
        execFileSync('umount', ['-l', at('m')]);
      }
    }),
  ));

test('who follows documents hears that one left who had said nothing of himself', () =>
  withWorkspace(async ({ workspace, state, put }) => {
    put('a.txt', 'one\n');
    const documents = documentsOf({ workspace, state });
    await documents.start();
    try {
      const [one] = [await personIn(documents, 'a.txt'), await personIn(documents, 'a.txt')];
      const told: number[] = [];
      documents.onNews(({ changed }) => told.push(...changed.map(({ connections }) => connections)));
      one.channel.leave();
      await eventually(() => assert.deepEqual(told, [1]));
    } finally {
      await documents.stop();
    }
  }));

test('a document that was opened for somebody who may not see where it is now is put away', () =>
  withWorkspace(async ({ workspace, state, put }) => {
    put('a.txt', 'one\n');
    const documents = documentsOf({ workspace, state }, 'content', failing, MiB, 20);
    await documents.start();
    try {
      await fails('OUT_OF_SCOPE', () => documents.join('a.txt', new FakeChannel(), { caller: ada, visibleAt: () => false }));
      // What is open stands before its file.
      await eventually(() => assert.equal(documents.read('a.txt'), undefined));
    } finally {
      await documents.stop();
    }
  }));

for (const reason of ['FILE_PERMISSION', 'DISK_FULL'] as const)
  test(`an edit of an open document that can't be saved is answered with why: ${reason}`, () =>
    withWorkspace(async ({ workspace, state, put }) => {
      put('a.txt', 'one\n');
      let isRefused = true;
      const refusing = new Proxy(workspace, {
        get: (target, name) => {
          const value: unknown = Reflect.get(target, name);
          if (name === 'write' && isRefused)
            return () => Promise.reject(new OutriggerError(reason, 'a.txt is refused.', { hint: 'Ask Ada.' }));
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const log: string[] = [];
      const documents = documentsOf({ workspace: refusing, state }, 'content', (event) => log.push(event));
      await documents.start();
      try {
        await documents.join('a.txt', new FakeChannel(), asking);
        const error = await fails(
          reason,
          () => documents.write('a.txt', () => 'two\n', cause),
          /a\.txt holds the edit, but can't be saved: /,
        );
        assert.deepEqual([error.hint, log], ['Ask Ada.', ['documents.save-failed']]);
        isRefused = false;
      } finally {
        await documents.stop();
      }
    }));

test('one caller does not hold all that may be open: others can open some, and where others are it may always go', () =>
  withWorkspace(async ({ workspace, state, put }) => {
    const names = Array.from({ length: 11 }, (_, at) => `${at}.txt`);
    for (const name of names) put(name, 'text\n');
    const documents = documentsOf({ workspace, state });
    await documents.start();
    const bob: Asking = { ...asking, caller: { ...ada, id: 'bob', name: 'Bob' } };
    const join = async (at: number, who: Asking): Promise<FakeChannel> => {
      const channel = new FakeChannel();
      await documents.join(names[at] as string, channel, who);
      return channel;
    };
    const full = (work: () => Promise<unknown>): Promise<unknown> => fails('TOO_MANY_DOCUMENTS', work, /Ada is in 9 documents/);
    // All at once.
    const settled = await Promise.allSettled(names.slice(0, 10).map((_, at) => join(at, asking)));
    const taken = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    assert.equal(taken.length, 9);
    const left = settled.findIndex(({ status }) => status === 'rejected');
    // However many sockets are in it, it is one.
    const [first, second] = [0, 1, 2].filter((at) => at !== left);
    for (let more = 0; more < 3; more++) await join(first as number, asking);
    await full(() => join(left, asking));
    await full(() => documents.look(`${left}.txt`, asking));
    await join(left, bob);
    await join(left, asking);
    await fails('TOO_MANY_DOCUMENTS', () => join(10, bob), /10 documents are open/);
    // What nobody is in is anybody's.
    for (const channel of taken) channel.leave();
    await join(10, bob);
    await join(second as number, asking);
    await documents.stop();
  }));

test('a document that could not be saved is not told to have failed any more when its file holds the same text', () =>
  withWorkspace(async ({ workspace, state, put, at, outside: elsewhere }) => {
    put('a.txt', 'one\n');
    const documents = documentsOf({ workspace, state }, 'content', () => {});
    await documents.start();
    const states = (): (string | undefined)[] => documents.list().map((info) => info.state);
    try {
      const { channel, ydoc } = await personIn(documents, 'a.txt');
      ydoc.getText('content').insert(0, 'typed ');
      channel.say(step1Message(Y.encodeStateVector(ydoc)));
      fs.rmSync(at('a.txt'));
      fs.symlinkSync(elsewhere, at('a.txt'));
      await documents.flush('');
      assert.deepEqual(states(), ['failed']);
      fs.rmSync(at('a.txt'));
      put('a.txt', 'typed one\n');
      const after = hashBytes('typed one\n');
      workspace.journal.record([{ path: 'a.txt', kind: 'file', what: 'changed', before: null, after, cause: outside }]);
      await eventually(() => assert.deepEqual([states(), documents.read('a.txt')?.unsaved], [['saved'], false]));
    } finally {
      await documents.stop();
    }
  }));

test('what is written while a save is under way keeps its line ends, be they mixed in it or in what is saved', () =>
  withWorkspace(async ({ workspace, state, put, read }) => {
    put('a.txt', 'one\n');
    const documents = documentsOf({ workspace, state });
    await documents.start();
    try {
      await personIn(documents, 'a.txt');
      const write = async (text: string): Promise<unknown> => documents.write('a.txt', () => text, cause);
      for (const [saved, text] of [
        ['alike\n', 'mixed\r\nwith\nothers\n'],
        ['other\r\nline\nends\n', 'alike\r\nagain\r\n'],
        ['some\nmixed\r\nends\n', 'mixed\r\nwith\nothers\n'],
      ] as const) {
        // The first save waits for it.
        const done = workspace.standstill.begin();
        const first = write(saved);
        await eventually(() => assert.equal(documents.list()[0]?.state, 'saving'));
        const second = write(text);
        await eventually(() => assert.equal(documents.read('a.txt')?.raw, text));
        done();
        await Promise.all([first, second]);
        assert.equal(read('a.txt'), text);
      }
    } finally {
      await documents.stop();
    }
  }));

test('a write to a document and the removal of its file come to one after the other, however they meet', () =>
  withWorkspace(async ({ workspace, state, put, at }) => {
    const documents = documentsOf({ workspace, state });
    workspace.liveText = documents;
    await documents.start();
    const met: boolean[] = [];
    try {
      for (let turns = 0; turns < 24; turns++) {
        const name = `${turns}.txt`;
        put(name, 'one\n');
        await documents.look(name, asking);
        const removed = workspace.remove(name, false, { cause, ifMatch: turns % 2 === 0 ? '*' : undefined });
        for (let turn = 0; turn < turns >> 1; turn++) await Promise.resolve();
        // What it is about is the text of a file that is there.
        const written = await documents.write(name, (raw) => `${raw}two\n`, cause);
        await removed;
        met.push(written !== undefined);
        assert.equal(fs.existsSync(at(name)), false, `after ${turns >> 1} turns`);
      }
      assert.ok(met.includes(true) && met.includes(false), `${met}`);
    } finally {
      await documents.stop();
    }
  }));

test('a write to a document that changes nothing is answered with the revision of now', () =>
  withWorkspace(async ({ workspace, state, put }) => {
    const documents = documentsOf({ workspace, state });
    await documents.start();
    try {
      put('a.txt', 'one\n');
      await documents.look('a.txt', asking);
      const write = async (): Promise<unknown[]> => {
        const written = await documents.write('a.txt', () => 'two\n', cause);
        return [written?.changed, written?.revision];
      };
      assert.deepEqual(await write(), [true, 1]);
      await workspace.write('other.txt', Buffer.from('other\n'), { cause, parents: true });
      assert.deepEqual(await write(), [false, workspace.journal.revision]);
    } finally {
      await documents.stop();
    }
  }));

test('a dry run of a batch is about what others have just written to the file of a document', () =>
  withWorkspace(async ({ workspace, state, put }) => {
    put('a.txt', 'one\n');
    const documents = documentsOf({ workspace, state });
    workspace.liveText = documents;
    await documents.start();
    try {
      await documents.look('a.txt', asking);
      put('a.txt', 'by a program\n');
      const run = fileOperations(workspace, { maxTextBytes: MiB, maxUploadBytes: MiB })['files.batch'];
      const changes = [{ op: 'edit', path: 'a.txt', edits: [{ find: 'program', replace: 'batch' }] }];
      const answer = await run(files['files.batch'].input.parse({ changes, dryRun: true }), call());
      const etags = ['by a program\n', 'by a batch\n'].map((text) => `"${hashBytes(text)}"`);
      assert.deepEqual([answer.changes[0]?.before, answer.changes[0]?.etag], etags);
    } finally {
      await documents.stop();
    }
  }));

for (const { who, isIn, types, says } of [
  { who: 'nobody is in', isIn: false, types: false, says: 'is about the file' },
  { who: 'nobody is in any more, but holds what they typed', isIn: false, types: true, says: 'stays in the document, and is refused' },
  { who: 'somebody is in', isIn: true, types: false, says: 'stays in the document, and is refused' },
])
  test(`a write to a document that ${who} ${says} where bytes that are no text came into it meanwhile`, () =>
    withWorkspace(async ({ workspace, state, put, at }) => {
      put('a.txt', 'one\n');
      const bytes = Buffer.from([0, 255]);
      const documents = documentsOf({ workspace, state });
      await documents.start();
      try {
        await documents.look('a.txt', asking);
        const { channel, ydoc } = await personIn(documents, 'a.txt');
        if (types) {
          ydoc.getText('content').insert(0, 'typed ');
          assert.equal(documents.read('a.txt')?.unsaved, true);
        }
        if (!isIn) channel.leave();
        const done = workspace.standstill.begin();
        const writes = ['two\n', 'three\n'].map((text) => documents.write('a.txt', () => text, cause));
        await eventually(() => assert.equal(documents.read('a.txt')?.raw, 'three\n'));
        put('a.txt', bytes);
        done();
        if (isIn || types) {
          for (const write of writes) await fails('DOCUMENT_BINARY', () => write, /holds the edit/);
          assert.equal(documents.list()[0]?.state, 'conflict');
        } else {
          assert.deepEqual(await Promise.all(writes), [undefined, undefined]);
          assert.deepEqual([documents.read('a.txt'), documents.list()], [undefined, []]);
        }
        assert.deepEqual(fs.readFileSync(at('a.txt')), bytes);
        put('a.txt', 'text again\n');
        if (isIn || types) return;
        assert.equal((await personIn(documents, 'a.txt')).ydoc.getText('content').toString(), 'text again\n');
      } finally {
        await documents.stop();
      }
      if (!isIn && !types) assert.equal(fs.readFileSync(at('a.txt'), 'utf8'), 'text again\n');
    }));

test('a write to a document with a mode, and a copy of its file, come to one after the other, however they meet', () =>
  withWorkspace(async ({ workspace, state, put, at, read }) => {
    const documents = documentsOf({ workspace, state });
    workspace.liveText = documents;
    await documents.start();
    const copies = new Set<string>();
    try {
      for (let turns = 0; turns < 24; turns++) {
        const name = `${turns}.txt`;
        put(name, 'one\n');
        fs.chmodSync(at(name), 0o644);
        await documents.look(name, asking);
        const copied = workspace.copy(name, `${name}.copy`, { overwrite: false, parents: false, cause });
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        const change = (raw: string): string => {
          workspace.giveMode(name, 0o600);
          return `${raw}two\n`;
        };
        await documents.write(name, change, cause);
        await copied;
        copies.add(`${(fs.statSync(at(`${name}.copy`)).mode & 0o777).toString(8)} ${read(`${name}.copy`)}`);
      }
      assert.deepEqual([...copies].sort(), ['600 one\ntwo\n', '644 one\n']);
    } finally {
      await documents.stop();
    }
  }));

test('a stat with a hash is of one state of the file, while it is typed in and saved, written over and removed', () =>
  withWorkspace(async ({ workspace, state, put, at, read }) => {
    const documents = documentsOf({ workspace, state });
    workspace.liveText = documents;
    await documents.start();
    const sizes = new Map<string | undefined, number>([['none', 0]]);
    const note = (text: string): void => void sizes.set(`"${hashBytes(text)}"`, Buffer.byteLength(text));
    const run = fileOperations(workspace, { maxTextBytes: MiB, maxUploadBytes: MiB })['files.stat'];
    const look = async (path: string): Promise<string> => {
      const { exists, entry, etag = 'none' } = await run(files['files.stat'].input.parse({ path, hash: true }), call());
      assert.equal(exists, etag !== 'none');
      assert.equal(entry?.size ?? 0, sizes.get(etag), etag);
      return etag;
    };
    const seen = new Set<string>();
    try {
      put('typed', 'one\n');
      note('one\n');
      const text = (await personIn(documents, 'typed')).ydoc.getText('content');
      let isOver = false;
      const looks = (async () => {
        for (; !isOver; await new Promise((resolve) => setImmediate(resolve))) seen.add(await look('typed'));
      })();
      for (let n = 0; n < 40; n++) {
        text.insert(0, `${n}\n`);
        note(text.toString());
        if (n % 2 === 0) await documents.flush('');
        else await new Promise((resolve) => setImmediate(resolve));
      }
      isOver = true;
      await looks;
      assert.ok(seen.size > 20, 'hardly any state was seen');
      await documents.flush('');
      assert.equal(read('typed'), text.toString());
      note('longer\n');
      for (const changed of ['longer\n', undefined])
        for (let turns = 0; turns < 16; turns++) {
          put('free', 'one\n');
          const looked = look('free');
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          if (changed === undefined) fs.rmSync(at('free'));
          else put('free', changed);
          await looked;
        }
    } finally {
      await documents.stop();
    }
  }));

test('where it is not known what happened to the folder, documents that are open look at their files', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, read } = harness;
    for (const name of ['clean', 'dirty', 'same']) put(name, 'one\n');
    const documents = documentsOf(harness);
    await documents.start();
    try {
      const [clean, dirty, same] = await Promise.all(['clean', 'dirty', 'same'].map((name) => personIn(documents, name)));
      assert.ok(clean && dirty && same);
      dirty.ydoc.getText('content').insert(4, 'two\n');
      for (const name of ['clean', 'dirty']) put(name, 'zero\none\n');
      workspace.journal.renew();
      await eventually(() => assert.equal(heardBy(clean.channel).getText('content').toString(), 'zero\none\n'));
      await documents.flush('dirty');
      assert.equal(read('dirty'), 'zero\none\ntwo\n');
      assert.equal(heardBy(same.channel).getText('content').toString(), 'one\n');
    } finally {
      await documents.stop();
    }
  }));

test('what is saved into the backup of an editor stands in its new file, also where that holds no text for a moment', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, read } = harness;
    put('a.txt', 'one\n');
    const documents = documentsOf(harness);
    await documents.start();
    const tell = (what: 'created' | 'changed', text: string | Uint8Array): void => {
      fs.writeFileSync(at('a.txt'), text);
      const after = hashBytes(Buffer.from(text));
      workspace.journal.record([{ path: 'a.txt', kind: 'file', what, before: null, after, cause: outside }]);
    };
    const stateOf = (): string | undefined => documents.list()[0]?.state;
    try {
      const { channel, ydoc } = await personIn(documents, 'a.txt');
      fs.renameSync(at('a.txt'), at('a.txt~'));
      workspace.journal.record([moved('a.txt', 'a.txt~')]);
      ydoc.getText('content').insert(0, 'typed ');
      channel.say(step1Message(Y.encodeStateVector(ydoc)));
      await documents.flush('');
      assert.equal(read('a.txt~'), 'typed one\n');
      tell('created', Buffer.from([0x61, 0xff, 0]));
      await eventually(() => stateOf() === 'conflict');
      tell('changed', 'one\nedited\n');
      await eventually(() => stateOf() !== 'conflict');
      await documents.flush('');
      assert.equal(read('a.txt'), 'typed one\nedited\n');
      // From then on what is gone is meant to be.
      tell('changed', 'edited\n');
      await eventually(() => assert.equal(heardBy(channel).getText('content').toString(), 'edited\n'));
    } finally {
      await documents.stop();
    }
  }));

test('who comes in the turn of a stop is refused', () =>
  withWorkspace(async (harness) => {
    harness.put('a.txt', 'one\n');
    const documents = documentsOf(harness);
    await documents.start();
    const joined = documents.join('a.txt', new FakeChannel(), asking);
    const refused = fails('STOPPING', () => joined);
    await documents.stop();
    await refused;
    assert.equal(documents.connections, 0);
  }));

test('who opens what an editor has made anew is in the document of those who were in its backup', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, read } = harness;
    put('a.txt', 'one\n');
    const documents = documentsOf(harness);
    await documents.start();
    try {
      const { channel, ydoc } = await personIn(documents, 'a.txt');
      fs.renameSync(at('a.txt'), at('a.txt~'));
      workspace.journal.record([moved('a.txt', 'a.txt~')]);
      put('a.txt', 'one\nedited\n');
      // It is not read until it stands still, or that is told.
      const opened = personIn(documents, 'a.txt');
      await sleep(10);
      const after = hashBytes('one\nedited\n');
      workspace.journal.record([{ path: 'a.txt', kind: 'file', what: 'created', before: null, after, cause: outside }]);
      const other = await opened;
      ydoc.getText('content').insert(0, 'typed ');
      channel.say(step1Message(Y.encodeStateVector(ydoc)));
      await documents.flush('');
      assert.equal(read('a.txt'), 'typed one\nedited\n');
      assert.equal(heardBy(other.channel).getText('content').toString(), 'typed one\nedited\n');
    } finally {
      await documents.stop();
    }
  }));

test('what is put into a document beside its text has an end, after which it begins anew; what is written over takes no room', () =>
  withWorkspace(async (harness) => {
    harness.put('a.txt', 'one\n');
    const started = async (): Promise<Documents> => {
      const documents = documentsOf(harness, 'content', failing, 1000);
      await documents.start();
      return documents;
    };
    const put = ({ channel, ydoc }: Awaited<ReturnType<typeof personIn>>, key: string): void => {
      ydoc.getMap('notes').set(key, 'x'.repeat(1000));
      channel.say(step1Message(Y.encodeStateVector(ydoc)));
    };
    const first = await started();
    const tidy = await personIn(first, 'a.txt');
    for (let index = 0; index < 100; index++) put(tidy, 'one');
    assert.deepEqual(tidy.channel.closes, []);
    let count = 0;
    for (; tidy.channel.closes.length === 0 && count < 100; count++) put(tidy, `${count}`);
    assert.ok(count > 15 && count <= 33, `${count} thousand bytes came into one of 16,000`);
    const late = await personIn(first, 'a.txt');
    late.ydoc.getText('content').insert(0, 'more');
    assert.deepEqual([...tidy.channel.closes, ...late.channel.closes], [4415, 4415]);
    await first.stop();
    const second = await started();
    try {
      const next = await personIn(second, 'a.txt');
      assert.deepEqual([next.ydoc.getText('content').toString(), next.ydoc.getMap('notes').size], ['one\n', 0]);
      next.ydoc.getText('content').insert(0, 'zero\n');
      next.channel.say(step1Message(Y.encodeStateVector(next.ydoc)));
      await second.flush('');
      assert.deepEqual([next.channel.closes, harness.read('a.txt')], [[], 'zero\none\n']);
    } finally {
      await second.stop();
    }
  }));

for (const reason of ['FILE_PERMISSION', 'TOO_MANY_FILES'] as const)
  test(`a file that could not be looked at for a while is looked at again, and what was typed is saved: ${reason}`, () =>
    withWorkspace(async ({ workspace, state, put, read }) => {
      let isRefused = false;
      const refusing = new Proxy(workspace, {
        get: (target, name) => {
          if (name === 'read' && isRefused) return () => Promise.reject(new OutriggerError(reason, 'a.txt is refused for now.'));
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      put('a.txt', 'one\n');
      put('b.txt', 'one\n');
      const documents = documentsOf({ workspace: refusing, state });
      await documents.start();
      try {
        const [ada, other] = [await personIn(documents, 'a.txt'), await personIn(documents, 'b.txt')];
        isRefused = true;
        for (const name of ['a.txt', 'b.txt']) {
          put(name, 'one\ntwo\n');
          workspace.journal.record([
            { path: name, what: 'changed', kind: 'file', before: hashBytes('one\n'), after: hashBytes('one\ntwo\n'), cause: outside },
          ]);
        }
        ada.ydoc.getText('content').insert(0, 'typed ');
        ada.channel.say(step1Message(Y.encodeStateVector(ada.ydoc)));
        const states = (): string[] => documents.list().map((info) => info.state);
        await eventually(() => assert.deepEqual(states(), ['conflict', 'conflict']));
        await documents.flush('');
        assert.deepEqual(states(), ['conflict', 'conflict']);
        isRefused = false;
        // Nobody tells that it may be read again.
        await eventually(() => assert.deepEqual(states(), ['saved', 'saved']), 10_000);
        assert.equal(read('a.txt'), 'typed one\ntwo\n');
        assert.equal(heardBy(other.channel).getText('content').toString(), 'one\ntwo\n');
      } finally {
        await documents.stop();
      }
    }));
