import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type ModelFault, modelCounts, runHistorySlowly } from '../kit/hub-model.ts';
import { SqliteTable, type TableFault } from '../kit/hub-model-tables.ts';
import { histories, historyCount, modelProperty } from '../kit/hub-model-runs.ts';
import { Random } from '../kit/random.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
const numRuns = historyCount(20_000);
/** Each waits for the disk at each commit. */
const STORED_HISTORIES = 200;

test('through losses, doubles, crashes and clocks that drift and are set no task is lost, done twice or held by two', (context) => {
  const counts = modelCounts();
  fc.assert(modelProperty(counts), { seed, numRuns });
  context.diagnostic(JSON.stringify(counts));
  for (const [what, count] of Object.entries(counts)) assert.ok(count > numRuns / 100, `${what} happened ${count} times`);
});

describe('the same histories fail', () => {
  // 'steps': the clock is taken for one that nobody sets. 'count': of what was forgotten the audit says one entry less. 'keep': it is forgotten as soon as it is over.
  const faults: [ModelFault | TableFault, RegExp][] = [
    ['fence', /^I[12]:/],
    ['dedupe', /^I[135]:/],
    ['outbox', /^I9:/],
    ['reconcile', /^I5:/],
    ['lease clock', /^I6:/],
    ['audit', /^I8:/],
    ['count', /^I8:/],
    ['keep', /^I4:/],
    ['steps', /^I[56]:/],
  ];
  for (const [fault, expected] of faults) {
    test(`without the ${fault}`, (context) => {
      const details = fc.check(modelProperty(modelCounts(), fault), { seed, numRuns, endOnFailure: true });
      assert.ok(details.failed, `${numRuns} histories noticed nothing`);
      context.diagnostic(`after ${details.numRuns} histories`);
      assert.match((details.errorInstance as Error).message, expected);
    });
  }
});

test('the same histories hold on SQLite, where a crash leaves what is on the disk (long form)', async (context) => {
  const counts = modelCounts();
  const property = fc.asyncProperty(histories(120), fc.nat(), async (history, chance) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-model-'));
    const clock = { now: 1_000_000_000_000, setBy: 0 };
    const random = new Random(chance);
    const table = new SqliteTable(folder, clock, () => random.below(1000) / 1000);
    try {
      await runHistorySlowly(history, table, clock, counts);
    } finally {
      await table.close();
      fs.rmSync(folder, { recursive: true });
    }
  });
  await fc.assert(property, { seed, numRuns: STORED_HISTORIES });
  context.diagnostic(JSON.stringify(counts));
  assert.ok(counts.accepted > STORED_HISTORIES && counts.hubCrashes > STORED_HISTORIES / 10);
});
