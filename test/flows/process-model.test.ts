// Programs of many kinds by several callers at once, with signals, restarts, stops and kills by chance, against a model.
import { test } from 'node:test';
import { ProcessModel } from '../kit/process-model.ts';
import { endings } from '../kit/marked-sidecar.ts';
import { placesOfPrograms } from '../kit/program-places.ts';
import { Random } from '../kit/random.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

for (const { where, skip, open } of placesOfPrograms) {
  const byChance = (ofSeed: number, steps: number): Promise<void> =>
    open(async (folder, place) => {
      const random = new Random(ofSeed);
      const model = new ProcessModel(random, folder, place);
      try {
        await model.start();
        for (let step = 0; step < steps; step++) await model.step();
        await model.restart(random.of(endings));
        await model.end();
      } finally {
        await model.close();
      }
    });

  test(`programs${where} become what they must among signals, restarts and kills (SEED=${seed})`, { skip }, () => byChance(seed, 20));

  for (let round = 0; round < 12; round++)
    test(
      `programs${where} become what they must among signals, restarts and kills, for long (SEED=${seed + round}) (long form)`,
      { skip },
      () => byChance(seed + round, 40),
    );
}
