import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runFleetCrashes } from '../kit/fleet-crashes.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

test('hub and links are killed, stopped and cut off in 50 rounds, and no task is lost, none counts twice, and no program is left', {
  timeout: 400_000,
}, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const counts = await runFleetCrashes({ seed, rounds: Number(process.env['ROUNDS'] ?? 50), links: 5, tasksPerRound: 12 });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.hubKills + counts.linkKills + counts.stops + counts.cuts >= counts.rounds);
});
