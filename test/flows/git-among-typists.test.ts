// Source control while people type: nothing that anybody wrote is lost, nothing stands anywhere twice, and git has what it was told.
import path from 'node:path';
import { test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { GitTypists } from '../kit/git-typists.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';

const skip = requireTool('git');
const seed = testSeed();
const quick = { 'documents.saveIdleMs': '60', 'documents.saveMaxMs': '200' } as const;

function typedAmongGit(number: number, rounds: number): Promise<void> {
  return withSidecar(
    async ({ url, token, root, client }) => {
      const typists = new GitTypists(number, { url, token, root, client, isApart: false });
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

/** The same, where the sidecar is killed in the middle of each second round. */
function typedBetweenKills(number: number, kills: number): Promise<void> {
  return withScratchFolder('typists', async (folder, root) => {
    let running: SidecarProcess | undefined;
    let client: Client<Operations> | undefined;
    const start = async () => {
      running = await spawnSidecar({ root, state: path.join(folder, 'state'), port: 0, flags: quick });
      client = createClient<Operations>({ url: running.url, token: processToken });
      await client.call('index.wait', {});
      return { url: running.url, token: processToken, root, client, isApart: true };
    };
    let typists: GitTypists | undefined;
    try {
      typists = new GitTypists(number, await start());
      await typists.join();
      await typists.rest();
      for (let kill = 0; kill < kills; kill++) {
        await typists.round(4);
        await typists.rest();
        await typists.round(50, async () => {
          await running?.kill();
          client?.close();
        });
        await typists.join(await start());
        await typists.rest();
      }
    } finally {
      typists?.leave();
      client?.close();
      await running?.kill();
    }
  });
}

test(`what is typed while git is told to do things is where it has to be (SEED=${seed})`, { skip }, () => typedAmongGit(seed, 4));

test(`what is typed before a kill in the middle of git is where it has to be (SEED=${seed})`, { skip }, () => typedBetweenKills(seed, 1));

for (let round = 1; round <= 10; round++) {
  test(`what is typed while git is told to do things is where it has to be (SEED=${seed + round}) (long form)`, { skip }, () =>
    typedAmongGit(seed + round, 30),
  );
  test(`what is typed before a kill in the middle of git is where it has to be (SEED=${seed + round}) (long form)`, { skip }, () =>
    typedBetweenKills(seed + round, 10),
  );
}
