// What each call of files.* means: answers, folder and followers against a folder in memory.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { testSeed } from '../kit/seed.ts';
import { type ModelCounts, runWorkspaceModel } from '../kit/workspace-model.ts';

const seed = testSeed();
const skip = process.platform !== 'linux' && 'names and modes are those of Linux';
const says = 'calls over any way, programs beside them and people who type leave what the contract says, and followers know it';

async function byChance(context: TestContext, histories: number, steps: number): Promise<void> {
  const counts: ModelCounts = {};
  for (let history = 0; history < histories; history++) await runWorkspaceModel(seed + history * 31, steps, counts);
  context.diagnostic(JSON.stringify(counts));
  assert.ok((counts['rests'] ?? 0) > 5 && (counts['over Platxa'] ?? 0) > 0, 'next to nothing was asked');
}

test(`${says} (SEED=${seed})`, { skip }, (context) => byChance(context, 2, 90));

test(`${says}, for long (SEED=${seed}) (long form)`, { skip, timeout: 3_600_000 }, (context) =>
  byChance(context, Number(process.env['HISTORIES'] ?? 20), Number(process.env['STEPS'] ?? 200)),
);
