import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { runSimulation, type SimulationPlan } from '../kit/hub-simulation.ts';
import { runSimulations, simulationCount, simulationPlan } from '../kit/hub-simulation-runs.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
/** Of which each kind must have happened, where there are enough histories to say so. */
const MANY = 100;

test('hub and links crash, stand still and lose each other in virtual time, and no task is lost, done by two at a time or counted twice', (context) =>
  simulate(context, MANY));

test('nor are they in twice as many histories (long form)', (context) => simulate(context, 2 * MANY));

async function simulate(context: TestContext, most: number): Promise<void> {
  const histories = simulationCount(most);
  const counts = await runSimulations(seed, histories);
  context.diagnostic(JSON.stringify(counts));
  const kinds = [
    'hub crash',
    'hub restart',
    'link crash',
    'hub stands still',
    'clock set',
    'half open',
    'held back',
    'cut',
    'cancelled',
    'granted again',
    'late',
  ];
  for (const kind of kinds) assert.ok(histories < MANY || (counts[kind] ?? 0) > histories / 20, `${kind} happened ${counts[kind]} times`);
}

test('the same seed gives the same history', async () => {
  for (const one of [seed, seed + 1, seed + 2]) {
    const first = await runSimulation(simulationPlan(one), {});
    assert.ok(first.length > 100, `${first.length} things happened`);
    assert.deepEqual(await runSimulation(simulationPlan(one), {}), first);
  }
  assert.notDeepEqual(await runSimulation(simulationPlan(seed), {}), await runSimulation(simulationPlan(seed + 1), {}));
});

describe('the same histories fail', () => {
  const faults: [SimulationPlan['fault'], string, RegExp][] = [
    ['outbox', 'where a link forgets its outbox', /had a result of .* which is lost/],
    ['lease clock', 'where the lease clock of links stands still', /works on .* and so does/],
    ['disk', 'where the disk of the hub forgets what it took', /is lost|is not known|once|holds something/],
    [
      'clock',
      'where the hub takes its clock for one that nobody sets',
      /works on .* and so does|is (?:running|scheduled|offered|ready) under/,
    ],
    ['reaper', 'where the hub does not see that time goes on', /is (?:running|scheduled|offered|ready) under/],
  ];
  for (const [fault, title, expected] of faults)
    test(title, async () => {
      // How many it takes is by chance; so many always were enough.
      await assert.rejects(runSimulations(seed, 10 * MANY, fault), (error: Error) => {
        assert.match(error.message.split('\n')[0] as string, expected);
        return true;
      });
    });
});
