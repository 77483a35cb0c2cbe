import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followThroughKills } from '../kit/revisions.ts';

test('ten thousand changes, twenty kills: no gap, no repeat', async () => {
  const { resyncs } = await followThroughKills({ writes: 10_000, kills: 20, followerLives: 50 });
  assert.equal(resyncs, 0);
});
