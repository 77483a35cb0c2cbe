// Deployments by several callers at once, with cancels, watchers, stops and kills by chance, against a model.
import { test } from 'node:test';
import { DeployModel } from '../kit/deploy-model.ts';
import { Random } from '../kit/random.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
const skip = process.platform === 'linux' ? false : 'it looks for programs in /proc';

function deployedByChance(ofSeed: number, steps: number): Promise<void> {
  return withScratchFolder('deploy-model', async (folder) => {
    const random = new Random(ofSeed);
    const model = new DeployModel(random, folder);
    try {
      await model.start();
      for (let step = 0; step < steps; step++) await model.step();
      await model.restart(random.of(['stop', 'kill', 'kill all'] as const));
      await model.end();
    } finally {
      await model.close();
    }
  });
}

test(`deployments become what they must among cancels, stops and kills (SEED=${seed})`, { skip }, () => deployedByChance(seed, 12));

for (let round = 0; round < 12; round++)
  test(`deployments become what they must among cancels, stops and kills, for long (SEED=${seed + round}) (long form)`, { skip }, () =>
    deployedByChance(seed + round, 40),
  );
