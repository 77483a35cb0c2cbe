import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as Y from 'yjs';
import { FakeChannel } from '../../../test/kit/byte-channel.ts';
import { withWorkspace } from '../../../test/kit/workspace-harness.ts';
import type { Caller } from '../../contract/access.ts';
import { Documents } from './documents.ts';
import { readMessage, step1Message, updateMessage } from './sync-protocol.ts';

const MiB = 1024 * 1024;
const ada: Caller = { id: 'ada', name: 'Ada', kind: 'person', access: 'write' };

test('a log of more than 16 MiB is begun anew, with each document written whole', (t) =>
  withWorkspace(async ({ workspace, state, stateFolder }) => {
    // Time stands still but for the look at the log.
    t.mock.timers.enable({ apis: ['setInterval'] });
    const documents = new Documents(
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
    await documents.start();
    const channel = new FakeChannel();
    await documents.join('a.txt', channel, { caller: ada, visibleAt: () => true });
    channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
    const ydoc = new Y.Doc();
    for (const message of channel.sent.map((message) => readMessage(message)))
      if (message.type === 'step2') Y.applyUpdate(ydoc, message.update);
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
