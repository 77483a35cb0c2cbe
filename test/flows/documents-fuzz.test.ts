import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runDocumentsFuzz } from '../kit/documents-fuzz.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

test('no character is lost or doubled by clients, programs, renames, kills and lost states', { timeout: 110_000 }, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const counts = await runDocumentsFuzz({
    seed,
    steps: Number(process.env['STEPS'] ?? 1000),
    restEvery: 25,
    rates: { kill: 0.01, restart: 0.004, lose: 0.004, rename: 0.01 },
  });
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.rests > 20);
});
