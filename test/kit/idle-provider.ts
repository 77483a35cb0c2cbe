// For tests: the stock providers of y-websocket and Hocuspocus, with nobody at them.
import assert from 'node:assert/strict';
import { openCollab } from './hocuspocus-client.ts';
import { withSidecar } from './sidecar.ts';
import { openYjsClient } from './yjs-client.ts';

/** Fails where one of them is not connected for `ms` without a break. */
export function staysConnected(ms: number): Promise<void> {
  return withSidecar(async ({ url, token, put }) => {
    put('a.txt', 'text\n');
    const idle = openYjsClient(url, { token, room: 'a.txt' });
    idle.provider.awareness.setLocalState(null);
    const collab = openCollab(url, { token });
    try {
      const other = collab.open('a.txt');
      other.provider.awareness?.setLocalState(null);
      await Promise.all([idle.synced(), other.synced()]);
      await new Promise((resolve) => setTimeout(resolve, ms));
      assert.deepEqual([idle.closes, collab.closes], [[], []]);
      assert.deepEqual([idle.provider.wsconnected, other.provider.synced], [true, true]);
    } finally {
      collab.destroy();
      idle.destroy();
    }
  });
}
