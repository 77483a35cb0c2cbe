import { test } from 'node:test';
import fc from 'fast-check';
import { modelCounts } from '../kit/hub-model.ts';
import { historyCount, modelProperty } from '../kit/hub-model-runs.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

test('a million histories of hub and agents hold', (context) => {
  const counts = modelCounts();
  fc.assert(modelProperty(counts), { seed, numRuns: historyCount(1_000_000) });
  context.diagnostic(JSON.stringify(counts));
});
