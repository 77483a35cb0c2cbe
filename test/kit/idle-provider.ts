// For tests: the stock provider of y-websocket, with nobody at it.
import assert from 'node:assert/strict';
import { withSidecar } from './sidecar.ts';
import { openYjsClient } from './yjs-client.ts';

/** Fails where an idle provider is not connected for `ms` without a break. */
export function staysConnected(ms: number): Promise<void> {
  return withSidecar(async ({ url, token, put }) => {
    put('a.txt', 'text\n');
    const idle = openYjsClient(url, { token, room: 'a.txt' });
    idle.provider.awareness.setLocalState(null);
    try {
      await idle.synced();
      await new Promise((resolve) => setTimeout(resolve, ms));
      assert.deepEqual(idle.closes, []);
      assert.equal(idle.provider.wsconnected, true);
    } finally {
      idle.destroy();
    }
  });
}
