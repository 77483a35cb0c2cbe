import { test } from 'node:test';
import { runSimulations, simulationCount } from '../kit/hub-simulation-runs.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

test('twenty thousand histories of hub and links in virtual time hold', async (context) => {
  context.diagnostic(JSON.stringify(await runSimulations(seed, simulationCount(20_000))));
});
