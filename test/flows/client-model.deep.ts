// The client over a network that is bad by chance, of a sidecar that is stopped and killed, against a model.
import { type TestContext, test } from 'node:test';
import { ClientModel } from '../kit/client-model.ts';
import { Random } from '../kit/random.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
const skip = process.platform === 'linux' ? false : 'it kills by signals';

function overABadNetwork(
  context: TestContext,
  ofSeed: number,
  options: { ms: number; people: number; mayRestart: boolean },
): Promise<void> {
  return withScratchFolder('client-model', async (folder) => {
    const model = new ClientModel(new Random(ofSeed), folder, options);
    try {
      await model.start(options.people);
      await model.run(options.ms);
      await model.end();
      const { counts, reasons } = model;
      context.diagnostic(`${JSON.stringify(counts)} ${JSON.stringify(Object.fromEntries(reasons))}`);
    } finally {
      await model.close();
    }
  });
}

for (let round = 0; round < 6; round++)
  test(
    `what a client is told over a bad network holds, also of a sidecar that is stopped and killed (SEED=${seed + round})`,
    { skip },
    (context) => overABadNetwork(context, seed + round, { ms: 20_000, people: 3 + (round % 3), mayRestart: true }),
  );
