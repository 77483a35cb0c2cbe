import { test } from 'node:test';
import { runFleetCrashes } from '../kit/fleet-crashes.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

test('a hub and 20 links, 1,000 rounds of kills, stops and cuts', { timeout: 4 * 3_600_000 }, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const counts = await runFleetCrashes({ seed, rounds: Number(process.env['ROUNDS'] ?? 1000), links: 20, tasksPerRound: 40 });
  t.diagnostic(JSON.stringify(counts));
});
