import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FuzzCounts, noCounts, runDocumentsFuzz } from '../kit/documents-fuzz.ts';
import { testSeed } from '../kit/seed.ts';

const firstSeed = testSeed();
const runs = 10;

test('ten runs of 1,000 steps lose and double no character, and bring nothing back that was taken away', async (t) => {
  const total: FuzzCounts = { ...noCounts };
  for (let run = 0; run < runs; run++) {
    const seed = firstSeed + run;
    t.diagnostic(`seed ${seed}`);
    const counts = await runDocumentsFuzz({
      seed,
      steps: 1000,
      restEvery: 20,
      rates: { kill: 0.022, restart: 0.004, lose: 0.008, rename: 0.015, take: 0.06 },
    });
    for (const key of Object.keys(total) as (keyof FuzzCounts)[]) total[key] += counts[key];
  }
  t.diagnostic(JSON.stringify(total));
  assert.ok(total.kills >= 200 && total.renames >= 100 && total.lost >= 50, JSON.stringify(total));
  assert.ok(total.taken >= 150 && total.back >= 30 && total.replaced >= 100 && total.blocked >= 8, JSON.stringify(total));
});
