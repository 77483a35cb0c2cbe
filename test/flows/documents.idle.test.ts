import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

test('an idle provider is kept for longer than its own 30 s of patience', () =>
  withSidecar(async ({ url, token, put }) => {
    put('a.txt', 'text\n');
    const idle = openYjsClient(url, { token, room: 'a.txt' });
    idle.provider.awareness.setLocalState(null);
    try {
      await idle.synced();
      await new Promise((resolve) => setTimeout(resolve, 35_000));
      assert.deepEqual(idle.closes, []);
      assert.equal(idle.provider.wsconnected, true);
    } finally {
      idle.destroy();
    }
  }));
