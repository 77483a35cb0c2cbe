// Callers limited to some paths, against two sidecars that differ elsewhere: what they hear is the same, and what they do stays within.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operations } from '../../src/contract/operations.ts';
import { modelCounts, runLimitedCaller } from '../kit/limited-caller-model.ts';
import { asked, notAsked } from '../kit/limited-calls.ts';
import { endLimitedCaller } from '../kit/limited-ends.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
const needs = { skip: process.platform !== 'linux' || requireTool('git') };

test('each operation is asked for by the limited caller, or it is said why not', () => {
  const placed = [...Object.keys(asked), ...Object.keys(notAsked)];
  assert.deepEqual(placed.toSorted(), Object.keys(operations).toSorted());
});

test('a limited caller can not tell two folders that differ outside of its paths, and changes nothing there', needs, async () => {
  const counts = modelCounts();
  await runLimitedCaller(seed, 80, counts);
  assert.ok(counts.answered > 8 && counts.refused > 4 && counts.feedItems > 3, JSON.stringify(counts));
});

test('the same in many histories (long form)', { ...needs, timeout: 1_800_000 }, async () => {
  const counts = modelCounts();
  for (let history = 0; history < Number(process.env['HISTORIES'] ?? 8); history++)
    await runLimitedCaller(seed + history * 31, 300, counts);
  console.log(JSON.stringify({ ...counts, byOperation: Object.fromEntries(counts.byOperation) }));
});

test('whose token runs out or is revoked hears and reaches nothing from then on, over any way', { ...needs, timeout: 60_000 }, () =>
  endLimitedCaller(seed),
);

test('the same many times (long form)', { ...needs, timeout: 600_000 }, async () => {
  for (let time = 0; time < 10; time++) await endLimitedCaller(seed + time * 17);
});
