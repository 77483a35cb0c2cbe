// The page of a hub among agents, callers and ends of the hub by chance, used by chance in two windows, against what the hub says.
import { test } from 'node:test';
import { noBrowser, withPages } from '../kit/browser.ts';
import { withHub } from '../kit/hub.ts';
import { HubPageModel, pageModelOptions } from '../kit/hub-page-model.ts';
import { Random } from '../kit/random.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();

function usedByChance(ofSeed: number, rounds: number, steps: number): Promise<void> {
  return withHub(
    (running) =>
      withPages(async (open) => {
        const random = new Random(ofSeed);
        const model = new HubPageModel(random, running, (options) => open(running.url, { token: running.hub.token, ...options }));
        try {
          await model.start();
          for (let round = 0; round < rounds; round++) {
            for (let step = 0; step < steps; step++) await model.step();
            await model.compare();
            if (round % 3 === 1) await model.restart();
          }
          await model.compare();
          await model.compareFresh();
        } finally {
          model.close();
        }
      }),
    pageModelOptions,
  );
}

test(`the page shows what the hub says, through whatever happens to both (SEED=${seed})`, { skip: noBrowser }, () =>
  usedByChance(seed, 3, 5),
);

for (let round = 0; round < 8; round++)
  test(
    `the page shows what the hub says, through whatever happens to both, for long (SEED=${seed + round}) (long form)`,
    { skip: noBrowser },
    () => usedByChance(seed + round, 10, 8),
  );
