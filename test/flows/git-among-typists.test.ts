// Source control while people type: nothing that anybody wrote is lost, nothing stands anywhere twice, and git has what it was told.
import { test } from 'node:test';
import { GitTypists } from '../kit/git-typists.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';
import { withSidecar } from '../kit/sidecar.ts';

const skip = requireTool('git');
const seed = testSeed();
const quick = { 'documents.saveIdleMs': '60', 'documents.saveMaxMs': '200' } as const;

function typedAmongGit(number: number, rounds: number): Promise<void> {
  return withSidecar(
    async ({ url, token, root, client }) => {
      const typists = new GitTypists(number, { url, token, root, client });
      await client.call('index.wait', {});
      try {
        await typists.join();
        await typists.rest();
        for (let round = 0; round < rounds; round++) {
          await typists.round(5);
          await typists.rest();
        }
      } finally {
        typists.leave();
      }
    },
    { config: quick },
  );
}

test(`what is typed while git is told to do things is where it has to be (SEED=${seed})`, { skip }, () => typedAmongGit(seed, 8));

for (let round = 1; round <= 10; round++)
  test(`what is typed while git is told to do things is where it has to be (SEED=${seed + round}) (long form)`, { skip }, () =>
    typedAmongGit(seed + round, 30),
  );
