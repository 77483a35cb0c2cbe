import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runFleetCrashes } from '../kit/fleet-crashes.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
/** They mostly wait, so that two at once take no longer than one; what each takes to start and to end is dear. */
const FLEETS = 2;

test('hub and links are killed, stopped and cut off in 50 rounds, and no task is lost, none counts twice, and no program is left', async (t) => {
  const rounds = Math.ceil(Number(process.env['ROUNDS'] ?? 50) / FLEETS);
  const runs = await Promise.all(
    Array.from({ length: FLEETS }, (_, fleet) => runFleetCrashes({ seed: seed + fleet, rounds, links: 5, tasksPerRound: 12 })),
  );
  for (const counts of runs) {
    t.diagnostic(JSON.stringify(counts));
    assert.ok(counts.hubKills + counts.linkKills + counts.stops + counts.cuts >= counts.rounds);
  }
});
