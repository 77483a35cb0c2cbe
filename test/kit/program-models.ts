// For tests: models of a sidecar's programs, run by chance where these are beside it and where they are behind an exec agent.
import { test } from 'node:test';
import { type Ending, endings } from './marked-sidecar.ts';
import { placesOfPrograms, type ProgramPlace } from './program-places.ts';
import { Random } from './random.ts';
import { testSeed } from './seed.ts';

const LONG_FORMS = 12;
const LONG_STEPS = 40;

interface ProgramModel {
  start(): Promise<void>;
  step(): Promise<void>;
  restart(how: Ending): Promise<void>;
  end(): Promise<void>;
  close(): Promise<void>;
}

/** A short form of so many steps for each place, and long forms; `what` and `becomes` are of the title. */
export function testPrograms(
  [what, becomes]: readonly [what: string, becomes: string],
  steps: number,
  make: (random: Random, folder: string, place: ProgramPlace) => ProgramModel,
): void {
  const seed = testSeed();
  for (const { where, skip, open } of placesOfPrograms) {
    const byChance = (ofSeed: number, count: number): Promise<void> =>
      open(async (folder, place) => {
        const random = new Random(ofSeed);
        const model = make(random, folder, place);
        try {
          await model.start();
          for (let step = 0; step < count; step++) await model.step();
          await model.restart(random.of(endings));
          await model.end();
        } finally {
          await model.close();
        }
      });
    const title = `${what}${where} ${becomes}`;
    test(`${title} (SEED=${seed})`, { skip }, () => byChance(seed, steps));
    for (let round = 0; round < LONG_FORMS; round++)
      test(`${title}, for long (SEED=${seed + round}) (long form)`, { skip }, () => byChance(seed + round, LONG_STEPS));
  }
}
