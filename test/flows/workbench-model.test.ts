// The page of a sidecar among people, programs, calls, git and ends of the sidecar by chance, used by chance in two windows, against what the sidecar and the disk say.
import { test } from 'node:test';
import { noBrowserOrGit, withWorkbench } from '../kit/browser.ts';
import { Random } from '../kit/random.ts';
import { testSeed } from '../kit/seed.ts';
import { modelFiles, WorkbenchModel } from '../kit/workbench-model.ts';

const seed = testSeed();

/** What is brought back by an upload on condition of what was there, or moved by a drag or a key, is refused where others were quicker. */
const inBetween = /status of 4(?:09|12) .*\/api\/files\.(?:upload\?|move)/;

function usedByChance(ofSeed: number, rounds: number, steps: number): Promise<void> {
  return withWorkbench(
    modelFiles,
    async (workbenches) => {
      const model = new WorkbenchModel(new Random(ofSeed), workbenches);
      try {
        await model.start();
        for (let round = 0; round < rounds; round++) await model.round(steps);
        await model.compareFresh();
      } finally {
        model.close();
      }
    },
    { git: true, expected: inBetween },
  );
}

test(`the workbench shows what is there, through whatever happens to it (SEED=${seed})`, { skip: noBrowserOrGit }, () =>
  usedByChance(seed, 2, 3),
);

for (let round = 0; round < 4; round++)
  test(
    `the workbench shows what is there, through whatever happens to it, for long (SEED=${seed + round}) (long form)`,
    {
      skip: noBrowserOrGit,
    },
    () => usedByChance(seed + round, 10, 8),
  );
