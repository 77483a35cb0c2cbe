// Deployments by several callers at once, with cancels, watchers, stops and kills by chance, against a model.
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { DeployModel, type DeployPlace } from '../kit/deploy-model.ts';
import { buildAgent, killQuietly, withAgent } from '../kit/exec-agent.ts';
import { endings } from '../kit/marked-sidecar.ts';
import { Random } from '../kit/random.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
const isLinux = process.platform === 'linux';
const skip = isLinux ? false : 'it looks for programs in /proc';
const skipAgent = isLinux ? requireTool('bwrap', 'cc') : 'the exec agent is for Linux';

async function deployedByChance(ofSeed: number, steps: number, folder: string, place: DeployPlace): Promise<void> {
  const random = new Random(ofSeed);
  const model = new DeployModel(random, folder, place);
  try {
    await model.start();
    for (let step = 0; step < steps; step++) await model.step();
    await model.restart(random.of(endings));
    await model.end();
  } finally {
    await model.close();
  }
}

function here(ofSeed: number, steps: number): Promise<void> {
  return withScratchFolder('deploy-model', (folder) => {
    const root = path.join(folder, 'work');
    fs.mkdirSync(root);
    return deployedByChance(ofSeed, steps, folder, { root, folder, seenAs: folder, host: 'local', flags: {} });
  });
}

/** In a container of its own, which sees the sidecar's folder elsewhere. */
function atAnAgent(ofSeed: number, steps: number): Promise<void> {
  return withScratchFolder('deploy-agent-model', async (folder) => {
    const built = path.join(folder, 'outrigger-exec-agent');
    buildAgent(built);
    await withAgent(built, (container) => {
      const { socket, tokenFile, workspace: root } = container;
      return deployedByChance(ofSeed, steps, folder, {
        root,
        folder: path.dirname(container.agent),
        seenAs: '/agent',
        host: 'app',
        flags: { 'processes.agents': JSON.stringify({ app: { socket, tokenFile, root: '/mnt/workspace' } }) },
        cut: () => container.connections().forEach(killQuietly),
      });
    });
  });
}

for (const [where, run, without] of [
  ['', here, skip],
  [' at an exec agent', atAnAgent, skipAgent],
] as const) {
  test(`deployments${where} become what they must among cancels, stops and kills (SEED=${seed})`, { skip: without }, () => run(seed, 12));

  for (let round = 0; round < 12; round++)
    test(
      `deployments${where} become what they must among cancels, stops and kills, for long (SEED=${seed + round}) (long form)`,
      { skip: without },
      () => run(seed + round, 40),
    );
}
