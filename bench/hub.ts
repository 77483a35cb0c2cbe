// The hub: how many agents it holds and what they cost, durable tasks a second, how soon work finds an agent, and what a kill costs.
// `node bench/hub.ts [--agents 9000] [--seconds 5] [--only crowded|working]`
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { benchToken, ourProgram, startPeer } from './contenders.ts';
import { clientOf, gather, makeKnown, pause, startHub, stop, until } from './hub-process.ts';
import { cpuMs, median, quantile, type Row, report } from './measure.ts';

const { values } = parseArgs({
  options: { agents: { type: 'string', default: '9000' }, seconds: { type: 'string', default: '5' }, only: { type: 'string' } },
});
const count = Number(values.agents);
const seconds = Number(values.seconds);
const rows: Row[] = [];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-bench-hub-'));
const atMost = (what: string, unit: string, ours: number, most: number): void =>
  void rows.push({ what, unit, ours, goal: `≤ ${most}`, ok: ours <= most });
const atLeast = (what: string, unit: string, ours: number, least: number): void =>
  void rows.push({ what, unit, ours, goal: `≥ ${least}`, ok: ours >= least });

try {
  console.log(`hub: ours ${ourProgram().says}, ${count} agents, ${seconds} s for each rate`);
  if (values.only !== 'working') await crowded();
  if (values.only !== 'crowded') await working();
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
report(rows);

/** Many agents that hold a task each: memory, heartbeats, calls, and all of them back after a kill. */
async function crowded(): Promise<void> {
  const state = path.join(folder, 'crowded');
  const agents = makeKnown(state, count);
  let hub = await startHub(state, 0);
  const client = clientOf(hub);
  const before = rssBytes(hub.pid);
  const crowd = await gather(hub.url, agents, { works: false, perS: 900 });
  await until(async () => (await crowd.stats()).online === count, 120_000);
  await pause(1000);
  console.log(`memory when the last of ${count} has come: ${((rssBytes(hub.pid) - before) / count / 1024).toFixed(1)} kB each`);
  // What their coming took is given back when they have been quiet for some seconds.
  await pause(10_000);
  atMost(`memory of an idle agent, of ${count}`, 'kB', (rssBytes(hub.pid) - before) / count / 1024, 16);
  for (let at = 0; at < count; at += 100)
    await client.call('tasks.create', {
      tasks: Array.from({ length: Math.min(100, count - at) }, (_, one) => ({ description: 'hold', agent: agents[at + one]?.[0] })),
    });
  await until(async () => (await crowd.stats()).held === count, 60_000);
  await pause(2000);
  const shares: number[] = [];
  for (let round = 0; round < 5; round++) {
    const idle = cpuMs(hub.pid);
    await pause(2000);
    const idleMs = (cpuMs(hub.pid) - idle) / 2000;
    const cpuBefore = cpuMs(hub.pid);
    const begun = performance.now();
    crowd.tell({ type: 'ping' });
    await pause(4000);
    const roundMs = cpuMs(hub.pid) - cpuBefore - idleMs * (performance.now() - begun);
    shares.push((roundMs / 30_000) * 100);
  }
  console.log(
    `heartbeats, round by round from the first after the start: ${shares.map((share) => share.toFixed(2)).join(', ')} % of a core`,
  );
  atMost(`heartbeats and renewals of ${count}, every 30 s, of a core`, '%', median(shares), 3);

  // After 5 s of quiet the hub gives memory back, in a stop of some 20 ms a thousand agents: that is told apart, in README.md.
  await pause(8000);
  const calling = Math.min(1000, count);
  const taken: number[] = [];
  const callsPerS = 2000;
  const callUntil = performance.now() + seconds * 1000;
  let sent = 0;
  const open: Promise<unknown>[] = [];
  const callBegun = performance.now();
  while (performance.now() < callUntil) {
    const due = ((performance.now() - callBegun) / 1000) * callsPerS;
    for (; sent < due; sent++) {
      const at = performance.now();
      const agent = agents[sent % calling]?.[0] as string;
      open.push(
        client.call('agents.call', { agent, operation: 'files.read', input: { path: 'x' } }).then(() => taken.push(performance.now() - at)),
      );
    }
    await pause(1);
  }
  await Promise.all(open);
  console.log(`calls: ${(taken.length / seconds).toFixed(0)}/s to ${calling} agents, p50 ${median(taken).toFixed(1)} ms`);
  atMost(`reverse calls, ${callsPerS}/s over ${calling} agents, p99`, 'ms', quantile(taken, 0.99), 10);

  await crowd.stats();
  client.close();
  const { port } = hub;
  hub.child.kill('SIGKILL');
  await once(hub.child, 'exit');
  await pause(3000);
  const up = Date.now();
  hub = await startHub(state, port);
  const back: number[] = [];
  await until(async () => {
    const { online, onlineAt } = await crowd.stats();
    back.push(...onlineAt);
    return online === count && back.length >= count;
  }, 180_000);
  const perSecond = new Map<number, number>();
  for (const at of back) perSecond.set(Math.floor(at / 1000), (perSecond.get(Math.floor(at / 1000)) ?? 0) + 1);
  atMost(`all ${count} back after a kill of 3 s`, 's', (Math.max(...back) - up) / 1000, 20);
  atMost('connections a second meanwhile, at most', '/s', Math.max(...perSecond.values()), 2000);
  await crowd.stop();
  await stop(hub);
}

/** A hundred agents that work: tasks a second, latency, kills. */
async function working(): Promise<void> {
  const state = path.join(folder, 'working');
  const agents = makeKnown(state, 100);
  let hub = await startHub(state, 0);
  let client = clientOf(hub);
  const one = await gather(hub.url, agents.slice(0, 1), { works: true, perS: 100 });
  await until(async () => (await one.stats()).online === 1, 10_000);
  // How soon a task is at an agent: from the answer of the audit, the hub's own clock, and from outside with the way back.
  const round: number[] = [];
  for (let turn = 0; turn < 200; turn++) {
    const at = performance.now();
    const { tasks } = await client.call('tasks.create', { tasks: [{ description: 'ping' }] });
    const id = tasks[0]?.id ?? '';
    for (;;) {
      const { state: now } = await client.call('tasks.get', { id });
      if (now === 'succeeded') break;
    }
    round.push(performance.now() - at);
    await pause(5);
  }
  const { entries } = await client.call('tasks.audit', { limit: 10_000 });
  const createdAt = new Map(entries.filter(({ event }) => event.type === 'create').map(({ task, at }) => [task, at]));
  const offered = entries.filter(({ event }) => event.type === 'accept').map(({ task, at }) => at - (createdAt.get(task) ?? at));
  console.log(`one task, queued to seen done from outside: p50 ${median(round).toFixed(1)} ms`);
  atMost('an idle agent has the task after its queueing, p50', 'ms', median(offered), 2);
  await one.stop();

  const crowd = await gather(hub.url, agents, { works: true, perS: 500 });
  await until(async () => (await crowd.stats()).online === 100, 10_000);
  await stop(hub);
  hub = await startHub(state, hub.port);
  client.close();
  client = clientOf(hub);
  await until(async () => (await crowd.stats()).online === 100, 60_000);
  const before = await crowd.stats();
  const asked: number[] = [];
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (performance.now() - begun < seconds * 1000) {
        const at = performance.now();
        await client.call('tasks.create', { tasks: Array.from({ length: 100 }, () => ({ description: 'x'.repeat(200) })) });
        asked.push(performance.now() - at);
        // No further ahead than what is worked off.
        while (asked.length * 100 - ((await crowd.stats()).completed - before.completed) > 5000) await pause(5);
      }
    }),
  );
  const done = (await crowd.stats()).completed - before.completed;
  const rate = (done * 1000) / (performance.now() - begun);
  atLeast('durable tasks through 100 agents, queued by 100', '/s', rate, 5000);
  atMost('to queue 100 of them, p99', 'ms', quantile(asked, 0.99), 100);
  await until(async () => (await crowd.stats()).completed - before.completed >= asked.length * 100, 60_000);

  const recovered: number[] = [];
  for (let turn = 0; turn < 10; turn++) {
    client.close();
    hub.child.kill('SIGKILL');
    await once(hub.child, 'exit');
    const killed = performance.now();
    const { completed } = await crowd.stats();
    hub = await startHub(state, hub.port);
    client = clientOf(hub);
    await client.call('tasks.create', { tasks: [{ description: 'next' }] });
    await until(async () => (await crowd.stats()).completed > completed, 30_000);
    recovered.push(performance.now() - killed);
    await until(async () => (await crowd.stats()).online === 100, 60_000);
  }
  console.log(`kill to the next task done, p50 ${median(recovered).toFixed(0)} ms, with the start of Node`);
  atMost('kill to the next task done at 100 agents, p99', 's', quantile(recovered, 0.99) / 1000, 1);
  await crowd.stop();

  const peer = await startPeer('fastify', path.join(import.meta.dirname, 'peer-post.ts'), [], folder);
  const post = async (url: string, body: object, token?: string): Promise<number> => {
    let answered = 0;
    const end = performance.now() + seconds * 1000;
    const text = JSON.stringify(body);
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (performance.now() < end) {
          const response = await fetch(url, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
            body: text,
          });
          await response.arrayBuffer();
          if (!response.ok) throw new Error(String(response.status));
          answered++;
        }
      }),
    );
    return answered / seconds;
  };
  const task = { tasks: [{ description: 'one', needs: ['nobody'] }] };
  const theirs = await post(`http://127.0.0.1:${peer.port}/tasks`, task);
  const ours = await post(`${hub.url}/api/tasks.create`, task, benchToken);
  rows.push({
    what: 'one task a POST, on the disk, beside a route that keeps nothing',
    unit: '/s',
    ours,
    peer: { name: 'bare fastify', value: theirs },
    ratio: ours / theirs,
    goal: '≥ 0.5×',
    ok: ours / theirs >= 0.5,
  });
  await peer.stop();
  client.close();
  await stop(hub);
}

function rssBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}
