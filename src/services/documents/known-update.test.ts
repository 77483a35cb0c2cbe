import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Y from 'yjs';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { isKnown } from './known-update.ts';

const seed = testSeed();

test(`an update is known where it would change nothing (SEED=${seed})`, () => {
  const random = new Random(seed);
  for (let round = 0; round < 300; round++) {
    const docs = [new Y.Doc(), new Y.Doc(), new Y.Doc()] as const;
    const updates: Uint8Array[] = [];
    for (const doc of docs) doc.on('update', (update: Uint8Array) => updates.push(update));
    for (let step = 0; step < 20; step++) {
      const doc = random.of(docs);
      const text = doc.getText('content');
      const does = random.of(['insert', 'insert', 'delete', 'hear'] as const);
      if (does === 'insert') text.insert(random.below(text.length + 1), 'some text'.slice(0, 1 + random.below(8)));
      else if (does === 'delete' && text.length > 0) text.delete(random.below(text.length), 1);
      else if (updates.length > 0) Y.applyUpdate(doc, random.of(updates));
    }
    for (const update of [...updates, ...docs.map((doc) => Y.encodeStateAsUpdate(doc))])
      for (const doc of docs) assert.equal(isKnown(update, doc), Y.snapshotContainsUpdate(Y.snapshot(doc), update), `round ${round}`);
  }
});

test('of a document in 100,000 pieces, a thousand small updates are looked up at once', () => {
  const ydoc = new Y.Doc();
  const text = ydoc.getText('content');
  ydoc.transact(() => {
    for (let n = 0; n < 100_000; n++) text.insert(0, 'x');
  });
  const last = Y.encodeStateAsUpdate(ydoc, Y.encodeStateVector(new Map([[ydoc.clientID, 99_999]])));
  const begunMs = threadMs();
  for (let n = 0; n < 1000; n++) assert.equal(isKnown(last, ydoc), true);
  const tookMs = threadMs() - begunMs;
  assert.ok(tookMs < 300, `${tookMs} ms`);
});

test('an update that is cut short is malformed', () => {
  assert.throws(() => isKnown(Uint8Array.of(1, 2, 3), new Y.Doc()));
});
