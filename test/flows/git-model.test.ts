// Histories by chance: a sidecar does what its operations say, and the program git the same in a twin of its folder; the two stay equal.
import { type TestContext, test } from 'node:test';
import { runGitModel } from '../kit/git-model.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
const skip = process.platform === 'linux' ? requireTool('git') : 'it names files by bytes';

async function byChance(context: TestContext, ofSeed: number, steps: number): Promise<void> {
  const counts = { steps: {} };
  await runGitModel(ofSeed, steps, counts);
  context.diagnostic(JSON.stringify(counts.steps));
}

test(`a repository becomes what git would make of it, and is told as git has it (SEED=${seed})`, { skip }, (context) =>
  byChance(context, seed, 8),
);

for (let round = 0; round < 12; round++)
  test(
    `a repository becomes what git would make of it, and is told as git has it, for long (SEED=${seed + round}) (long form)`,
    { skip },
    (context) => byChance(context, seed + round, 100),
  );
