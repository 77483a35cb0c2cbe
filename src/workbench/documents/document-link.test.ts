import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { documentLinks } from './document-link.ts';

/** As a browser's, of which each fails when the test says so. */
class FailingSocket {
  static readonly all: FailingSocket[] = [];
  readonly readyState = 0;
  onclose: ((event: { code: number }) => void) | null = null;

  constructor() {
    FailingSocket.all.push(this);
  }

  close(): void {}
}

test('a lost document is connected to again by itself; while the page is away not before somebody answers, or it is told to', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  const { WebSocket: own } = globalThis;
  globalThis.WebSocket = FailingSocket as unknown as typeof WebSocket;
  t.after(() => (globalThis.WebSocket = own));
  let isAway = false;
  let answers = false;
  let asked = 0;
  const isThere = async (): Promise<boolean> => {
    asked++;
    if (!answers) throw new TypeError('Load failed');
    return true;
  };
  const doc = new Y.Doc();
  const awareness = new Awareness(doc);
  const nothing = (): void => {};
  const link = documentLinks('ws://127.0.0.1:1', isThere)('a.txt', doc, awareness, {
    onSynced: nothing,
    onLost: nothing,
    onDenied: nothing,
    onRefused: nothing,
    isAway: () => isAway,
  });
  t.after(() => {
    link.close();
    awareness.destroy();
  });
  const attempts = (): number => FailingSocket.all.length;
  const wait = async (): Promise<void> => {
    t.mock.timers.tick(10_000);
    await new Promise(setImmediate);
  };
  const fail = (): Promise<void> => {
    FailingSocket.all.at(-1)?.onclose?.({ code: 1006 });
    return wait();
  };
  assert.equal(attempts(), 1);
  await fail();
  assert.deepEqual([attempts(), asked], [2, 0]);
  isAway = true;
  await fail();
  await wait();
  await wait();
  assert.deepEqual([attempts(), asked], [2, 3]);
  link.tryNow();
  assert.equal(attempts(), 3);
  await fail();
  answers = true;
  await wait();
  assert.deepEqual([attempts(), asked], [4, 5]);
  // Nothing waits any more.
  await wait();
  assert.equal(asked, 5);
});
