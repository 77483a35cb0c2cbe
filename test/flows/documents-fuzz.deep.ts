import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FuzzCounts, runDocumentsFuzz } from '../kit/documents-fuzz.ts';
import { testSeed } from '../kit/seed.ts';

const firstSeed = testSeed();
const runs = 10;

test('ten runs of 1,000 steps lose and double no character', async (t) => {
  const total: FuzzCounts = { steps: 0, kills: 0, restarts: 0, lost: 0, renames: 0, rests: 0, words: 0 };
  for (let run = 0; run < runs; run++) {
    const seed = firstSeed + run;
    t.diagnostic(`seed ${seed}`);
    const counts = await runDocumentsFuzz({
      seed,
      steps: 1000,
      restEvery: 20,
      rates: { kill: 0.022, restart: 0.004, lose: 0.008, rename: 0.015 },
    });
    for (const key of Object.keys(total) as (keyof FuzzCounts)[]) total[key] += counts[key];
  }
  t.diagnostic(JSON.stringify(total));
  assert.ok(total.kills >= 200 && total.renames >= 100 && total.lost >= 50, JSON.stringify(total));
});
