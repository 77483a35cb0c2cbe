// Deployments that fail and are rolled back, among cancels, stops and kills by chance, against a model.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { DeployRollbackModel } from '../kit/deploy-rollback-model.ts';
import { endings } from '../kit/marked-sidecar.ts';
import { Random } from '../kit/random.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';

const MANY_STEPS = 30;
const seed = testSeed();
const skip = process.platform === 'linux' ? requireTool('git') : 'it looks for programs in /proc';

function rolledBackByChance(context: TestContext, ofSeed: number, steps: number): Promise<void> {
  return withScratchFolder('deploy-rollback-model', async (folder) => {
    const random = new Random(ofSeed);
    const model = new DeployRollbackModel(random, folder);
    try {
      await model.start();
      await model.open();
      for (let step = 0; step < steps; step++) await model.step();
      await model.restart(random.of(endings));
      await model.end();
      // One of these is of the beginning.
      if (steps > MANY_STEPS) assert.ok(model.rolledBack.size > 1, 'nothing was rolled back by chance');
      context.diagnostic(`${model.rolledBack.size} rolled back`);
    } finally {
      await model.close();
    }
  });
}

test(`rollbacks follow the failures that they must among cancels, stops and kills (SEED=${seed})`, { skip }, (context) =>
  rolledBackByChance(context, seed, 12),
);

for (let round = 0; round < 12; round++)
  test(
    `rollbacks follow the failures that they must among cancels, stops and kills, for long (SEED=${seed + round}) (long form)`,
    { skip },
    (context) => rolledBackByChance(context, seed + round, 40),
  );
