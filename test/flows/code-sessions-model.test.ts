// Sessions of code under clients, ends and kills by chance: what runs print, files, variables and programs are what a model says.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { runningNow, statOf } from '../../src/services/processes/process-facts.ts';
import { ownCodeFolder } from '../kit/code-folder.ts';
import { CodeSessionModel, type ModelSidecar } from '../kit/code-session-model.ts';
import { eventually } from '../kit/eventually.ts';
import { Random } from '../kit/random.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';

const needs = { skip: process.platform !== 'linux' || requireTool('python3') };
const seed = testSeed();

function descendantsOf(pid: number): number[] {
  const all = runningNow();
  const found = [pid];
  for (const one of found) found.push(...all.filter(({ parent }) => parent === one).map((child) => child.pid));
  return found.slice(1);
}

/** Ends a sidecar with all that it started, at one moment. */
async function killAll({ child, kill }: SidecarProcess): Promise<void> {
  const stopped = new Set<number>();
  const send = (pid: number, signal: NodeJS.Signals): void => {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended before.
    }
  };
  for (let before = -1; before < stopped.size; ) {
    before = stopped.size;
    for (const pid of [child.pid ?? 0, ...descendantsOf(child.pid ?? 0)]) {
      if (stopped.has(pid)) continue;
      send(pid, 'SIGSTOP');
      stopped.add(pid);
    }
  }
  for (const pid of stopped) send(pid, 'SIGKILL');
  await kill();
  await eventually(() =>
    assert.deepEqual(
      [...stopped].filter((pid) => statOf(pid) !== undefined),
      [],
    ),
  );
}

/** What runs as another user than this one below a sidecar. */
function ofOthers(running: SidecarProcess | undefined): number[] {
  return descendantsOf(running?.child.pid ?? 0).filter((pid) => {
    const owner = fs.statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
    return owner !== undefined && owner !== process.getuid?.();
  });
}

async function inSessions(number: number, isolation: string, rounds: number): Promise<void> {
  const random = new Random(number);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-code-model-'));
  fs.chmodSync(folder, 0o711);
  const code = path.join(folder, 'code');
  fs.mkdirSync(path.join(folder, 'work'));
  const flags = {
    components: 'files,code',
    'code.folder': code,
    'code.isolation': isolation,
    'code.live': '2',
    'code.warm': String(random.below(2)),
  };
  let running: SidecarProcess | undefined;
  const start = async (): Promise<ModelSidecar> => {
    running = await spawnSidecar({ root: path.join(folder, 'work'), state: path.join(folder, 'state'), port: 0, flags });
    return {
      client: createClient<Operations>({ url: running.url, token: processToken }),
      url: running.url,
      token: processToken,
      isGone: false,
    };
  };
  let sidecar = await start();
  const model = new CodeSessionModel(random, sidecar);
  try {
    for (let round = 0; round < rounds; round++) {
      const clients = 1 + random.below(3);
      const work = Promise.all(Array.from({ length: clients }, (_, client) => model.steps(client, 1 + random.below(4))));
      work.catch(() => {});
      const way = random.below(8);
      if (way < 3) {
        await wait(random.below(1500));
        sidecar.isGone = true;
        if (way === 0) assert.equal(await running?.stop(), 0);
        if (way === 1) await running?.kill();
        if (way === 2 && running !== undefined) await killAll(running);
        sidecar.client.close();
      }
      await work;
      if (way < 3) {
        sidecar = await start();
        model.goOnWith(sidecar);
      }
      await model.settle();
    }
    await model.closeAll();
    if (flags['code.warm'] === '0') await eventually(() => assert.deepEqual(ofOthers(running), [], 'programs of other users'));
    const sessions = path.join(ownCodeFolder(code), 'sessions');
    const ids = new Set((await sidecar.client.call('code.sessions', {})).sessions.map(({ id }) => id));
    await eventually(() =>
      assert.deepEqual(
        fs.existsSync(sessions) ? fs.readdirSync(sessions).filter((name) => /^[A-Za-z0-9]{21}$/.test(name) && !ids.has(name)) : [],
        [],
      ),
    );
  } catch (error) {
    throw new Error(`SEED=${number} ${isolation}: ${(error as Error).message}\n${model.history}\n${running?.log().slice(-3000)}`, {
      cause: error,
    });
  } finally {
    sidecar.isGone = true;
    sidecar.client.close();
    if (running?.child.exitCode === null && running.child.signalCode === null) await running.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

for (const isolation of ['landlock', 'namespaces']) {
  test(`sessions of code are what a model says at the rung ${isolation} (SEED=${seed})`, needs, () => inSessions(seed, isolation, 2));
  for (let round = 1; round <= 10; round++)
    test(`sessions of code are what a model says at the rung ${isolation} (SEED=${seed + round}) (long form)`, needs, () =>
      inSessions(seed + round, isolation, 12),
    );
}
