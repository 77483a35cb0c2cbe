// Deployments by several callers at once, with cancels, watchers, stops and kills by chance, against a model.
import { test } from 'node:test';
import { DeployModel } from '../kit/deploy-model.ts';
import { endings } from '../kit/marked-sidecar.ts';
import { placesOfPrograms } from '../kit/program-places.ts';
import { Random } from '../kit/random.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

for (const { where, skip, open } of placesOfPrograms) {
  const byChance = (ofSeed: number, steps: number): Promise<void> =>
    open(async (folder, place) => {
      const random = new Random(ofSeed);
      const model = new DeployModel(random, folder, place);
      try {
        await model.start();
        for (let step = 0; step < steps; step++) await model.step();
        await model.restart(random.of(endings));
        await model.end();
      } finally {
        await model.close();
      }
    });

  test(`deployments${where} become what they must among cancels, stops and kills (SEED=${seed})`, { skip }, () => byChance(seed, 12));

  for (let round = 0; round < 12; round++)
    test(
      `deployments${where} become what they must among cancels, stops and kills, for long (SEED=${seed + round}) (long form)`,
      { skip },
      () => byChance(seed + round, 40),
    );
}
