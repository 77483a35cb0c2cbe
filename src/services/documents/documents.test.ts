import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as Y from 'yjs';
import { FakeChannel } from '../../../test/kit/byte-channel.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { cause, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import type { Caller } from '../../contract/access.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { hashBytes } from '../workspace/content.ts';
import { type Asking, Documents } from './documents.ts';
import { readMessage, step1Message, updateMessage } from './sync-protocol.ts';

const MiB = 1024 * 1024;
const ada: Caller = { id: 'ada', name: 'Ada', kind: 'person', access: 'write' };
const asking: Asking = { caller: ada, visibleAt: () => true };

/** Saves nothing by itself, and fails where it would log. */
function documentsOf({ workspace, state }: Pick<Harness, 'workspace' | 'state'>): Documents {
  return new Documents(
    { workspace, state, now: Date.now, log: (event, facts) => assert.fail(`${event} ${JSON.stringify(facts)}`) },
    {
      textName: 'content',
      maxBytes: 32 * MiB,
      maxOpen: 10,
      saveIdleMs: 60_000,
      saveMaxMs: 60_000,
      unloadMs: 60_000,
      readOnly: false,
      trustState: false,
    },
  );
}

function heardBy(channel: FakeChannel): Y.Doc {
  const ydoc = new Y.Doc();
  for (const message of channel.sent.map((message) => readMessage(message)))
    if (message.type === 'step2' || message.type === 'update') Y.applyUpdate(ydoc, message.update);
  return ydoc;
}

test('a log of more than 16 MiB is begun anew, with each document written whole', (t) =>
  withWorkspace(async ({ workspace, state, stateFolder }) => {
    // Time stands still but for the look at the log.
    t.mock.timers.enable({ apis: ['setInterval'] });
    const documents = documentsOf({ workspace, state });
    await documents.start();
    const channel = new FakeChannel();
    await documents.join('a.txt', channel, asking);
    channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
    const ydoc = heardBy(channel);
    ydoc.on('update', (update: Uint8Array) => channel.say(updateMessage(update)));
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
    let reads = 0;
    const counting = new Proxy(workspace, {
      get: (target, name) => {
        if (name === 'read') reads++;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const documents = documentsOf({ workspace: counting, state });
    await documents.start();
    try {
      const channel = new FakeChannel();
      await documents.join('a.txt', channel, asking);
      channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
      outside('one\ntwo\n');
      reads = 0;
      const { size, mtimeMs, ino } = fs.statSync(at('a.txt'));
      workspace.noticed([{ path: 'a.txt', kind: 'file', what: 'changed', size, mtimeMs, ino, hash: hashBytes('one\ntwo\n') }]);
      await eventually(() => assert.equal(heardBy(channel).getText('content').toString(), 'one\ntwo\n'));
      assert.equal(reads, 1);
    } finally {
      await documents.stop();
    }
  }));
