// People, callers, programs and git on disks that become full by chance, with kills and stops: what was acknowledged is there, and nothing is half.
import { type TestContext, test } from 'node:test';
import { FullDiskModel } from '../kit/full-disk-model.ts';
import { Random } from '../kit/random.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';
import { withSmallDisk } from '../kit/small-disk.ts';

const seed = testSeed();
const skip = process.platform === 'linux' ? requireTool('git') : 'it mounts a tmpfs';

function filledByChance(context: TestContext, ofSeed: number, rounds: number, disturbances: number): Promise<void> {
  const random = new Random(ofSeed);
  const isShared = random.below(2) === 0;
  const sizeKb = 10_000 + random.below(6000);
  const run = async (workspaceAt: string, stateAt: string): Promise<void> => {
    const workspace = { at: workspaceAt, sizeKb };
    const state = stateAt === workspaceAt ? workspace : { at: stateAt, sizeKb };
    const model = new FullDiskModel(ofSeed, { workspace, state, isRepository: random.below(2) === 0, restoresAll: rounds > 1 });
    try {
      await model.start();
      for (let round = 0; round < rounds; round++) await model.round(disturbances);
      await model.end();
    } finally {
      await model.close();
      context.diagnostic(JSON.stringify(model.counts));
    }
  };
  return withSmallDisk(context, sizeKb, (one) => (isShared ? run(one, one) : withSmallDisk(context, sizeKb, (other) => run(one, other))));
}

test(`what was acknowledged is there, and nothing is half, whatever disks become full (SEED=${seed})`, { skip }, (context) =>
  filledByChance(context, seed, 1, 3),
);

for (let round = 0; round < 12; round++)
  test(
    `what was acknowledged is there, and nothing is half, whatever disks become full, for long (SEED=${seed + round}) (long form)`,
    { skip },
    (context) => filledByChance(context, seed + round, 5, 8),
  );
