// Files that calls, typists and programs write, move and remove by chance, through stops and kills: their history names the right changes, and no text that was not there.
import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { HistoryModel, type HistoryHand, type HistoryLife } from '../kit/history-model.ts';
import { Random } from '../kit/random.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';

const seed = testSeed();
const flags = { 'documents.saveIdleMs': '20', 'limits.requestsPerMinute': '1000000' };

/** The same agents in each life of a sidecar. */
class Hands {
  readonly #secrets = new Map<string, string>();

  async of(client: Client<Operations>, clientOf: (token: string) => Client<Operations>): Promise<HistoryLife['hands']> {
    const agents: HistoryHand[] = [];
    for (const name of ['one', 'two']) {
      const secret = this.#secrets.get(name) ?? (await client.call('tokens.create', { name, kind: 'agent', access: 'write' })).secret;
      this.#secrets.set(name, secret);
      agents.push({ client: clientOf(secret), who: { name, kind: 'agent' } });
    }
    return [{ client, who: { name: 'owner', kind: 'person' } }, ...agents];
  }
}

const byChance = (
  context: TestContext,
  ofSeed: number,
  run: (model: HistoryModel, root: string, state: string) => Promise<void>,
): Promise<void> =>
  withScratchFolder('history-model', async (folder, root) => {
    const model = new HistoryModel(new Random(ofSeed), root);
    await run(model, root, path.join(folder, 'state'));
    const { counts } = model;
    context.diagnostic(JSON.stringify(counts));
    assert.ok(counts.given > counts['not kept'] / 4, 'next to nothing is kept');
  });

test(`the history of files says what they held, also after a stop (SEED=${seed})`, (context) =>
  byChance(context, seed, async (model, workspace, state) => {
    const hands = new Hands();
    for (const isLast of [false, true]) {
      await withSidecar(
        async ({ url, token, client, clientOf }) => {
          await model.begin({ url, token, hands: await hands.of(client, clientOf) });
          for (let step = 0; step < 28; step++) await model.step();
          if (isLast) await model.end();
        },
        { workspace, config: { ...flags, state } },
      );
      if (!isLast) model.meanwhile();
    }
  }));

for (let round = 0; round < 6; round++)
  test(`the history of files says what they held, for long, and through kills (SEED=${seed + round}) (long form)`, (context) =>
    byChance(context, seed + round, async (model, root, state) => {
      const hands = new Hands();
      for (let life = 0; life < 8; life++) {
        const sidecar = await spawnSidecar({ root, state, port: 0, flags });
        const { url } = sidecar;
        const clients: Client<Operations>[] = [];
        const clientOf = (token: string): Client<Operations> => {
          const client = createClient<Operations>({ url, token });
          clients.push(client);
          return client;
        };
        try {
          await model.begin({ url, token: processToken, hands: await hands.of(clientOf(processToken), clientOf) });
          for (let step = 0; step < 40; step++) await model.step();
          if (life % 3 === 2) assert.equal(await sidecar.stop(), 0, sidecar.log().slice(-2000));
          else
            await model.burst(async () => {
              await sidecar.kill();
              for (const client of clients) client.close();
            });
          model.meanwhile();
        } finally {
          for (const client of clients) client.close();
          await sidecar.kill();
        }
      }
    }));
