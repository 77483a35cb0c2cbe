// Durable tasks a second through the hub, in turns with BullMQ on Redis (AOF, synced always) and pg-boss on PostgreSQL.
// `node bench/hub-peers.ts [--seconds 4] [--rounds 5] [--only bullmq|pg-boss|pg-boss-each]`
//
// The same for each: four lanes queue batches of 100 by its own call for batches, each durable before it is acknowledged, never more than 5,000
// ahead; others take each task and complete it with a small result; a round is over when all are done. What is done stays stored.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { benchToken, ourProgram } from './contenders.ts';
import { clientOf, gather, makeKnown, pause, startHub, stop as stopHub, until } from './hub-process.ts';
import { fileSystemOf, machine, median, quantile, type Row, report } from './measure.ts';
import { installPeers, openPeerQueue, type PeerName, peersFolder, peerVersion, startPeerWorker } from './peer-queues.ts';
import { type PeerServer, startPostgres, startRedis } from './peer-servers.ts';

interface Contender {
  name: string;
  /** Starts who works. Gives how many are done since, and how to end them. */
  open: () => Promise<{ completed: () => Promise<number>; stop: () => Promise<void> }>;
  /** Resolves when they are on the disk. */
  queue: (descriptions: readonly string[]) => Promise<unknown>;
  /** As it is stored, of all rounds. */
  done: () => Promise<number>;
  close: () => Promise<void>;
}

interface Round {
  perS: number;
  p50Ms: number;
  p99Ms: number;
  queued: number;
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const AGENTS = 100;
const BATCH = 100;
const LANES = 4;
const MOST_AHEAD = 5000;
const description = 'x'.repeat(200);
/** All that was queued is done. */
const DONE_WITHIN_MS = 120_000;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-bench-peers-'));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const contenders: Contender[] = [];
const servers: PeerServer[] = [];
const rows: Row[] = [];
try {
  if (process.send === undefined) console.log(machine());
  console.log(`hub-peers: ours ${ourProgram().says}; ${rounds} rounds of ${seconds} s in turns; ${fileSystemOf(folder)}`);
  console.log(
    `Ours is asked and answers over WebSockets: ${AGENTS} agents, each with one task at a time under a lease and a fence, an audit entry for each step.\n` +
      'The peers are libraries in the process that queues and in one that works, each beside its server.',
  );
  contenders.push(await openOurs());
  await openPeers(['bullmq'], 'redis-server', startRedis);
  await openPeers(['pg-boss', 'pg-boss-each'], 'postgresql', startPostgres);
  await measure();
} finally {
  for (const { close } of contenders) await close();
  for (const { stop } of servers) await stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
report(rows);

async function measure(): Promise<void> {
  const measured = new Map(contenders.map((contender) => [contender, [] as Round[]]));
  // The first only warms up.
  for (let turn = 0; turn <= rounds; turn++) for (const [contender, all] of measured) all.push(await round(contender));
  for (const [{ name, done }, all] of measured) {
    const queued = all.reduce((sum, one) => sum + one.queued, 0);
    const stored = await done();
    if (stored !== queued) throw new Error(`${name} has ${stored} tasks done of ${queued}.`);
    const rates = all.slice(1).map(({ perS }) => perS);
    console.log(
      `${name}: ${median(rates).toFixed(0)} tasks/s (${Math.min(...rates).toFixed(0)} to ${Math.max(...rates).toFixed(0)}), ` +
        `to queue ${BATCH}: p50 ${middle(all, 'p50Ms').toFixed(1)}, p99 ${middle(all, 'p99Ms').toFixed(1)} ms; ${stored} queued and done in all`,
    );
  }
  const [ours, ...peers] = [...measured];
  const [perS, p99Ms] = [middle(ours?.[1] ?? [], 'perS'), middle(ours?.[1] ?? [], 'p99Ms')];
  // Without peers the figures stand for themselves.
  const beside = peers.length === 0 ? [undefined] : peers;
  for (const peer of beside) {
    const [name, theirs] = [peer?.[0].name ?? '', peer?.[1] ?? []];
    const [theirPerS, theirP99Ms] = [middle(theirs, 'perS'), middle(theirs, 'p99Ms')];
    const rate = { what: `durable tasks, queued by ${BATCH}`, unit: '/s', ours: perS, goal: '≥ 5000', ok: perS >= 5000 };
    const wait = { what: `to queue ${BATCH} of them, p99`, unit: 'ms', ours: p99Ms, goal: '≤ 100', ok: p99Ms <= 100 };
    if (peer === undefined) rows.push(rate, wait);
    else {
      rows.push({ ...rate, peer: { name, value: theirPerS }, ratio: perS / theirPerS });
      rows.push({ ...wait, peer: { name, value: theirP99Ms }, ratio: theirP99Ms / p99Ms });
    }
  }
}

async function round(contender: Contender): Promise<Round> {
  const { completed, stop } = await contender.open();
  const asked: number[] = [];
  const begun = performance.now();
  let queued = 0;
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      while (performance.now() - begun < seconds * 1000) {
        const at = performance.now();
        queued += BATCH;
        await contender.queue(Array.from({ length: BATCH }, () => description));
        asked.push(performance.now() - at);
        while (queued - (await completed()) > MOST_AHEAD) await pause(5);
      }
    }),
  );
  await until(async () => (await completed()) >= queued, DONE_WITHIN_MS);
  const perS = (queued * 1000) / (performance.now() - begun);
  await stop();
  return { perS, p50Ms: median(asked), p99Ms: quantile(asked, 0.99), queued };
}

/** Of the rounds that count. */
function middle(all: readonly Round[], field: 'perS' | 'p50Ms' | 'p99Ms'): number {
  return median(all.slice(1).map((one) => one[field]));
}

async function openOurs(): Promise<Contender> {
  const state = path.join(folder, 'hub');
  const agents = makeKnown(state, AGENTS);
  const hub = await startHub(state, 0);
  const kill = (): void => {
    hub.child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', kill);
  const client = clientOf(hub);
  return {
    name: 'outrigger hub',
    open: async () => {
      const crowd = await gather(hub.url, agents, { works: true, perS: 500 });
      await until(async () => (await crowd.stats()).online === AGENTS, 30_000);
      return { completed: async () => (await crowd.stats()).completed, stop: () => crowd.stop() };
    },
    queue: (descriptions) => client.call('tasks.create', { tasks: descriptions.map((text) => ({ description: text })) }),
    done: async () => {
      const metrics = await fetch(`${hub.url}/metrics`, { headers: { authorization: `Bearer ${benchToken}` } });
      return Number(/state="succeeded"[^}]*\} (\d+)/.exec(await metrics.text())?.[1]);
    },
    close: async () => {
      client.close();
      await stopHub(hub);
      process.off('exit', kill);
    },
  };
}

/** Says what is missing where something is. */
async function openPeers(all: readonly PeerName[], debianPackage: string, start: () => Promise<PeerServer | undefined>): Promise<void> {
  const peers = all.filter((peer) => values.only === undefined || values.only === peer);
  const [first] = peers;
  if (first === undefined) return;
  if (peerVersion(first) === undefined) {
    console.log(`${first} is not in ${peersFolder}, and is left out. To have it: ${installPeers}`);
    return;
  }
  const server = await start();
  if (server === undefined) {
    console.log(`${first} is left out, as its server is not there. To have it: apt-get install --no-install-recommends ${debianPackage}`);
    return;
  }
  servers.push(server);
  for (const peer of peers) {
    const place = { peer, socket: server.socket };
    const queue = await openPeerQueue(place);
    contenders.push({
      name: `${queue.name}, ${server.name}`,
      open: () => startPeerWorker(place),
      queue: (descriptions) => queue.queue(descriptions),
      done: () => queue.done(),
      close: async () => void (await queue.close()),
    });
  }
}
