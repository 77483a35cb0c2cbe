// Files that calls, typists and programs write, move and remove by chance: their history names the right changes, and no text that was not there.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HistoryModel } from '../kit/history-model.ts';
import { Random } from '../kit/random.ts';
import { testSeed } from '../kit/seed.ts';
import { withSidecar } from '../kit/sidecar.ts';

const seed = testSeed();

const byChance = (context: TestContext, ofSeed: number, steps: number): Promise<void> =>
  withSidecar(
    async (running) => {
      const secret = async (name: string): Promise<string> =>
        (await running.client.call('tokens.create', { name, kind: 'agent', access: 'write' })).secret;
      const clients = [running.client, running.clientOf(await secret('one')), running.clientOf(await secret('two'))];
      const model = new HistoryModel(new Random(ofSeed), running, clients);
      for (let step = 0; step < steps; step++) await model.step();
      await model.end();
      const { counts } = model;
      context.diagnostic(JSON.stringify(counts));
      assert.ok(counts.given > counts['not kept'] / 4, 'next to nothing is kept');
    },
    { config: { 'documents.saveIdleMs': '20' } },
  );

test(`the history of files says what they held (SEED=${seed})`, (context) => byChance(context, seed, 80));

for (let round = 0; round < 8; round++)
  test(`the history of files says what they held, for long (SEED=${seed + round}) (long form)`, (context) =>
    byChance(context, seed + round, 600));
