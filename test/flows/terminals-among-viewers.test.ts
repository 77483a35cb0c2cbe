// Terminals and processes among viewers who come, go, stop reading, are cut off and come back, and type: what everybody was told is one and the same.
import { type TestContext, test } from 'node:test';
import { countingFaultsOfFetch } from '../kit/fetch-fault.ts';
import { noProc } from '../kit/process-memory.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';
import { type FuzzOptions, TerminalFuzz } from '../kit/terminal-fuzz.ts';

const seed = testSeed();
const roomy: FuzzOptions = { headBytes: 256 * 1024, tailBytes: 4 * 1024 * 1024 };
const tight: FuzzOptions = { headBytes: 4099, tailBytes: 20_001 };

async function amongViewers(
  context: TestContext,
  number: number,
  rounds: number,
  { kills, ...options }: FuzzOptions & { kills: boolean },
): Promise<void> {
  const faults = await countingFaultsOfFetch(() =>
    withScratchFolder('viewers', async (folder) => {
      const fuzz = new TerminalFuzz(number, folder, options);
      try {
        await fuzz.begin();
        for (let round = 0; round < rounds; round++) {
          for (let step = 0; step < 12; step++) await fuzz.step();
          if (kills) await Promise.all([fuzz.step(), fuzz.step(), fuzz.kill()]);
          await fuzz.rest();
        }
        await fuzz.end();
      } catch (error) {
        console.log(fuzz.said);
        throw error;
      } finally {
        await fuzz.drop();
      }
    }),
  );
  if (faults > 0) context.diagnostic(`Node's fetch failed by itself ${faults} times.`);
}

test(`what terminals and processes say is the same for all who look (SEED=${seed})`, { skip: noProc }, (context) =>
  amongViewers(context, seed, 1, { ...roomy, kills: false }),
);

test(
  `what terminals and processes say is the same for all who look, where little of it is kept (SEED=${seed})`,
  { skip: noProc },
  (context) => amongViewers(context, seed, 1, { ...tight, kills: false }),
);

test(`what terminals and processes said before a kill is the same after it (SEED=${seed})`, { skip: noProc }, (context) =>
  amongViewers(context, seed, 2, { ...roomy, kills: true }),
);

for (let more = 1; more <= 4; more++) {
  const number = seed + more;
  test(`what terminals and processes say is the same for all who look (SEED=${number}) (long form)`, { skip: noProc }, (context) =>
    amongViewers(context, number, 6, { ...(more % 2 === 0 ? roomy : tight), kills: false }),
  );
  test(`what terminals and processes said before a kill is the same after it (SEED=${number}) (long form)`, { skip: noProc }, (context) =>
    amongViewers(context, number, 6, { ...(more % 2 === 0 ? tight : roomy), kills: true }),
  );
}
