import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

test('an idle provider is still connected after five minutes', () =>
  withSidecar(async ({ url, token, put }) => {
    put('a.txt', 'text\n');
    const idle = openYjsClient(url, { token, room: 'a.txt' });
    idle.provider.awareness.setLocalState(null);
    try {
      await idle.synced();
      await new Promise((resolve) => setTimeout(resolve, 300_000));
      assert.deepEqual(idle.closes, []);
    } finally {
      idle.destroy();
    }
  }));
