import { test } from 'node:test';
import { eventually, Storm, scan, withWatch } from '../../../test/kit/watch-harness.ts';
import { testSeed } from '../../../test/kit/seed.ts';

const seed = testSeed();
const storms = Number(process.env['STORMS'] ?? 48);

for (let number = 0; number < storms; number++) {
  const own = seed + number;
  test(`storm ${number} leaves the reports equal to the folder (SEED=${own} STORMS=1)`, async () => {
    const polled = own % 8 === 7;
    await withWatch(
      polled ? { engine: 'poll', pollMs: 100 } : { settleMs: [50, 5, 20][own % 3] as number },
      async ({ root, watch, exact, state }) => {
        const storm = new Storm(root, own);
        for (let phase = 0; phase < 4; phase++) {
          if (storm.random() < 0.3) watch.stallForTest(storm.below(400));
          const steps = 50 + storm.below(800);
          for (let step = 0; step < steps; step++) {
            storm.step();
            if (storm.random() < 0.02) await new Promise((resolve) => setTimeout(resolve, storm.below(15)));
          }
          await exact(`SEED=${own} phase ${phase}`);
        }
        // Without a barrier the end comes all the same.
        for (let step = 0; step < 100; step++) storm.step();
        const real = scan(root);
        const same = (): boolean => state.size === real.size && [...real].every(([name, entry]) => state.get(name) === entry);
        await eventually(same, `SEED=${own}: the final state`, 10_000);
      },
    );
  });
}
