// BullMQ and pg-boss as hub-peers.ts uses them. They are no dependencies of this project: they lie in a folder of their own.
//
// Settings, so that each does what it does best: BullMQ has one worker of concurrency 100 (the next job comes with the answer to the last), whose
// jobs do nothing. pg-boss is asked for 100 jobs at once by four loops beside each other, without the waits of its own polling, over ten
// connections; it is measured twice, as it knows two ways: `pg-boss` completes a batch by one call, with one result for all of it, and
// `pg-boss-each` completes each job with its own result, all of a batch at the same time. Both keep what is done, as ours does. Neither looks
// after its tables meanwhile (pg-boss: no supervision, no schedules; PostgreSQL's own autovacuum runs).
import { fork } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { pause } from './hub-process.ts';

export type PeerName = 'bullmq' | 'pg-boss' | 'pg-boss-each';
type Library = 'bullmq' | 'pg-boss';

export const peersFolder = path.join(path.dirname(import.meta.dirname), 'node_modules', '.cache', 'outrigger-bench-peers');
export const installPeers = `npm install --no-save --omit=optional --prefix ${path.relative(process.cwd(), peersFolder)} bullmq@6.7.0 ioredis@6.0.0 pg-boss@12.35.0`;

/** Where a peer is reached: a socket, and for PostgreSQL its folder. */
interface Place {
  peer: PeerName;
  socket: string;
}

/** The side that queues. */
export interface PeerQueue {
  /** With its version. */
  name: string;
  /** Resolves when they are on the disk. */
  queue(descriptions: readonly string[]): Promise<unknown>;
  /** As its server has it. */
  done(): Promise<number>;
  close(): Promise<unknown>;
}

/** The side that works: a process of its own. */
export interface PeerWorker {
  /** Since it was started. */
  completed(): Promise<number>;
  stop(): Promise<void>;
}

const AT_ONCE = 100;
const FETCHERS = 4;
const EMPTY_PAUSE_MS = 2;
const result = { status: 'success', output: 'x'.repeat(200) };

// What is used of them; their own types are not there where they are not installed.
interface BullMq {
  Queue: new (
    name: string,
    options: object,
  ) => {
    addBulk(jobs: { name: string; data: object }[]): Promise<unknown>;
    getCompletedCount(): Promise<number>;
    close(): Promise<void>;
  };
  Worker: new (
    name: string,
    work: () => Promise<object>,
    options: object,
  ) => { on(event: 'completed', heard: () => void): void; waitUntilReady(): Promise<unknown>; close(): Promise<void> };
}

interface PgBoss {
  PgBoss: new (
    options: object,
  ) => {
    on(event: 'error', heard: (error: Error) => void): void;
    start(): Promise<unknown>;
    stop(options: object): Promise<void>;
    createQueue(name: string): Promise<void>;
    insert(name: string, jobs: { data: object }[]): Promise<unknown>;
    fetch(name: string, options: { batchSize: number }): Promise<{ id: string }[]>;
    complete(name: string, ids: string | string[], data: object): Promise<unknown>;
    getDb(): { executeSql(sql: string): Promise<{ rows: { count: string }[] }> };
  };
}

/** Its version; undefined where it is not installed. */
export function peerVersion(peer: PeerName): string | undefined {
  const file = path.join(peersFolder, 'node_modules', libraryOf(peer), 'package.json');
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string }).version : undefined;
}

export async function openPeerQueue(place: Place): Promise<PeerQueue> {
  return place.peer === 'bullmq' ? await openBullMq(place) : await openPgBoss(place);
}

export async function startPeerWorker(place: Place): Promise<PeerWorker> {
  const child = fork(path.join(import.meta.dirname, 'peer-queue-worker.ts'), [place.peer, place.socket]);
  const ended = once(child, 'exit');
  const told = async (): Promise<number> => {
    const [message] = (await Promise.race([
      once(child, 'message'),
      ended.then(([code]) => Promise.reject(new Error(`The worker of ${place.peer} ended with ${code}.`))),
    ])) as [{ completed: number }];
    return message.completed;
  };
  await told();
  let asked: Promise<number> | undefined;
  return {
    // Those who ask meanwhile hear the same.
    completed: () => {
      if (asked === undefined) {
        child.send('completed?');
        asked = told().finally(() => (asked = undefined));
      }
      return asked;
    },
    stop: async () => {
      child.send('stop');
      await ended;
    },
  };
}

/** In the process of the worker. Gives how many are done, and how to stop. */
export async function work({ peer, socket }: Place): Promise<{ completed: () => number; stop: () => Promise<void> }> {
  let completed = 0;
  if (peer === 'bullmq') {
    const { Worker } = await load<BullMq>('bullmq');
    const worker = new Worker(peer, async () => result, {
      connection: { path: socket, maxRetriesPerRequest: null },
      concurrency: AT_ONCE,
    });
    // After the answer to what completed it.
    worker.on('completed', () => completed++);
    await worker.waitUntilReady();
    return { completed: () => completed, stop: () => worker.close() };
  }
  const boss = await startBoss(socket);
  let stopping = false;
  const fetchers = Array.from({ length: FETCHERS }, async () => {
    while (!stopping) {
      const jobs = await boss.fetch(peer, { batchSize: AT_ONCE });
      if (jobs.length === 0) await pause(EMPTY_PAUSE_MS);
      else {
        const ids = jobs.map(({ id }) => id);
        if (peer === 'pg-boss') await boss.complete(peer, ids, result);
        else await Promise.all(ids.map((id) => boss.complete(peer, id, result)));
        completed += jobs.length;
      }
    }
  });
  return {
    completed: () => completed,
    stop: async () => {
      stopping = true;
      await Promise.all(fetchers);
      await boss.stop({ graceful: false });
    },
  };
}

async function openBullMq({ peer, socket }: Place): Promise<PeerQueue> {
  const { Queue } = await load<BullMq>('bullmq');
  const queue = new Queue(peer, { connection: { path: socket } });
  return {
    name: `BullMQ ${peerVersion('bullmq')}`,
    queue: (descriptions) => queue.addBulk(descriptions.map((description) => ({ name: 'task', data: { description } }))),
    done: () => queue.getCompletedCount(),
    close: () => queue.close(),
  };
}

async function openPgBoss({ peer, socket }: Place): Promise<PeerQueue> {
  const boss = await startBoss(socket);
  await boss.createQueue(peer);
  return {
    name: `pg-boss ${peerVersion(peer)} (completed ${peer === 'pg-boss' ? 'by batches' : 'one by one'})`,
    queue: (descriptions) =>
      boss.insert(
        peer,
        descriptions.map((description) => ({ data: { description } })),
      ),
    done: async () => {
      const { rows } = await boss.getDb().executeSql(`SELECT count(*) FROM pgboss.job WHERE name = '${peer}' AND state = 'completed'`);
      return Number(rows[0]?.count);
    },
    close: () => boss.stop({ graceful: false }),
  };
}

async function startBoss(socket: string): Promise<InstanceType<PgBoss['PgBoss']>> {
  const { PgBoss } = await load<PgBoss>('pg-boss');
  const boss = new PgBoss({ host: socket, user: 'bench', database: 'postgres', max: 10, supervise: false, schedule: false });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  return boss;
}

async function load<T>(name: Library): Promise<T> {
  const file = createRequire(path.join(peersFolder, 'package.json')).resolve(name);
  return (await import(pathToFileURL(file).href)) as T;
}

function libraryOf(peer: PeerName): Library {
  return peer === 'bullmq' ? 'bullmq' : 'pg-boss';
}
