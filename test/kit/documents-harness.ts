// For tests: documents on a workspace, and people in them.
import assert from 'node:assert/strict';
import * as Y from 'yjs';
import type { Caller } from '../../src/contract/access.ts';
import { type Asking, Documents } from '../../src/services/documents/documents.ts';
import { readMessage, step1Message, step2Message, updateMessage } from '../../src/services/documents/sync-protocol.ts';
import { FakeChannel } from './byte-channel.ts';
import type { Harness } from './workspace-harness.ts';

export const MiB = 1024 * 1024;
export const ada: Caller = { id: 'ada', name: 'Ada', kind: 'person', access: 'write' };
export const asking: Asking = { caller: ada, visibleAt: () => true };

export const failing = (event: string, facts: Record<string, unknown>): void => assert.fail(`${event} ${JSON.stringify(facts)}`);

/** Saves nothing by itself, and fails where it would log unless told otherwise. */
export function documentsOf(
  { workspace, state }: Pick<Harness, 'workspace' | 'state'>,
  textName = 'content',
  log: (event: string, facts: Record<string, unknown>) => void = failing,
  maxBytes = 32 * MiB,
  unloadMs = 60_000,
): Documents {
  return new Documents(
    { workspace, state, opened: undefined, now: Date.now, log },
    {
      textName,
      maxBytes,
      maxOpen: 10,
      saveIdleMs: 60_000,
      saveMaxMs: 60_000,
      unloadMs,
      readOnly: false,
      trustState: false,
    },
  );
}

export function heardBy(channel: FakeChannel): Y.Doc {
  const ydoc = new Y.Doc();
  for (const message of channel.sent.map((message) => readMessage(message)))
    if (message.type === 'step2' || message.type === 'update') Y.applyUpdate(ydoc, message.update);
  return ydoc;
}

/** Somebody who knows the document, and whose edits are heard. */
export async function personIn(documents: Documents, name: string): Promise<{ channel: FakeChannel; ydoc: Y.Doc }> {
  const channel = new FakeChannel();
  await documents.join(name, channel, asking);
  channel.say(step1Message(Y.encodeStateVector(new Y.Doc())));
  const ydoc = heardBy(channel);
  ydoc.on('update', (update: Uint8Array) => channel.say(updateMessage(update)));
  return { channel, ydoc };
}

/** Goes on in the room of that name with all that they have, and hears what is new. */
export async function comeBack(documents: Documents, ydoc: Y.Doc, name: string): Promise<FakeChannel> {
  const channel = new FakeChannel();
  await documents.join(name, channel, asking);
  channel.say(step1Message(Y.encodeStateVector(ydoc)));
  // It asks for what is new, and then for all.
  for (let answers = 0; answers < 2; answers++) channel.say(step2Message(Y.encodeStateAsUpdate(ydoc)));
  return channel;
}

/** The next write is in the file, but answered no sooner than the function that is returned is called: as where a kill comes in between. */
export function holdNextWrite(workspace: Harness['workspace']): () => void {
  const write = workspace.write.bind(workspace);
  const over = Promise.withResolvers<void>();
  workspace.write = async (...args) => {
    workspace.write = write;
    const written = await write(...args);
    await over.promise;
    return written;
  };
  return over.resolve;
}
