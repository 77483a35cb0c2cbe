import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runDocumentsFuzz } from '../kit/documents-fuzz.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

test('no character is lost or doubled by clients, programs, renames, restarts, kills and lost states', async (t) => {
  t.diagnostic(`seed ${seed}`);
  const counts = await runDocumentsFuzz({
    seed,
    steps: Number(process.env['STEPS'] ?? 1000),
    restEvery: 25,
    rates: { kill: 0.01, restart: 0.004, lose: 0.004, rename: 0.012, take: 0.06 },
  });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.rests > 20 && counts.taken >= 8 && counts.replaced >= 5, JSON.stringify(counts));
});

test('the same steps fail when our own writes are not known again', async () => {
  await assert.rejects(
    runDocumentsFuzz({
      seed,
      steps: 60,
      restEvery: 10,
      faults: { forgetWrites: true },
      rates: { kill: 0, restart: 0, lose: 0, rename: 0, take: 0 },
    }),
    /tells again/,
  );
});

test('the same steps fail when the file is believed to be as it was left', async () => {
  await assert.rejects(
    runDocumentsFuzz({
      seed,
      steps: 200,
      restEvery: 10,
      faults: { trustState: true },
      rates: { kill: 0.15, restart: 0, lose: 0, rename: 0, take: 0 },
    }),
    /is lost|came back|stands there/,
  );
});
