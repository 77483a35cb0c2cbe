// CPU per delivered update and per join: ours, its update log on, beside Hocuspocus and y-websocket's server, which store nothing. A bare
// broadcaster shows the floor. All are up at once and take turns. `node bench/documents.ts [--rounds 5] [--only fanout,many,join] [--measure-ms 5000]`

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import * as Y from 'yjs';
import { benchToken, type Contender, ourProgram, startOurs, startPeer } from './contenders.ts';
import type { JoinOrder, JoinResult, Target, TypingOrder, TypingResult } from './document-load.ts';
import { documentName } from './document-wire.ts';
import { Load } from './load-process.ts';
import { median, type Row, report } from './measure.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: 'fanout,many,join' },
    'measure-ms': { type: 'string', default: '5000' },
    'warm-ms': { type: 'string', default: '2000' },
    joins: { type: 'string', default: '20' },
    edits: { type: 'string', default: '100000' },
    // Of each of those who write in the 200 documents, a second.
    'many-updates': { type: 'string', default: '2' },
    'node-args': { type: 'string', default: '' },
    'our-args': { type: 'string', default: '' },
    // How ours is spoken to: `y-websocket` or `hocuspocus`.
    'our-wire': { type: 'string', default: 'y-websocket' },
    // For profiles: nobody else is started.
    alone: { type: 'boolean', default: false },
  },
});

const rounds = Number(values.rounds);
const only = new Set(values.only.split(','));
const warmMs = Number(values['warm-ms']);
const measureMs = Number(values['measure-ms']);

interface Peer {
  contender: Contender;
  target: Target;
  /** Shows what is left to win; keeps no document, so no goal is set against it and nobody joins it. */
  floor?: boolean;
  /** Where the files of its documents are. */
  root?: string;
}

const workloads = {
  fanout: {
    what: '1 document × 50 clients, 200 updates/s',
    documents: 1,
    clients: 50,
    writersPerDocument: 1,
    updatesPerSecond: 200,
    goal: 1.3,
  },
  many: {
    what: `200 documents × 5 clients × ${values['many-updates']} updates/s`,
    documents: 200,
    clients: 5,
    writersPerDocument: 5,
    updatesPerSecond: Number(values['many-updates']),
    goal: 1.7,
  },
};
const joinGoal = 8;

const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-documents-'));
const started: Contender[] = [];
const rows: Row[] = [];
try {
  const peers = await startAll();
  console.log(`documents: ours ${ourProgram().says}, rounds ${rounds}, ${measureMs / 1000} s each`);
  for (const [name, workload] of Object.entries(workloads)) if (only.has(name)) rows.push(...(await measureTyping(name, workload, peers)));
  if (only.has('join')) rows.push(...(await measureJoins(peers.filter(({ floor }) => floor !== true))));
} finally {
  await Promise.all(started.map((contender) => contender.stop()));
  fs.rmSync(folder, { recursive: true, force: true });
}
report(rows);

async function startAll(): Promise<Peer[]> {
  const add = <T extends Contender>(contender: T): T => {
    started.push(contender);
    return contender;
  };
  const ours = add(await startOurs(folder, { nodeArgs: values['node-args'], args: values['our-args'] }));
  const base = ({ port }: Contender): string => `ws://127.0.0.1:${port}`;
  const query = `?token=${benchToken}`;
  const us: Peer = {
    contender: ours,
    target:
      values['our-wire'] === 'hocuspocus'
        ? { wire: 'hocuspocus', url: { whole: `${base(ours)}/collab${query}` }, pid: ours.pid }
        : { wire: 'y-websocket', url: { before: `${base(ours)}/ws/doc/`, after: query }, pid: ours.pid },
    root: ours.root,
  };
  if (values.alone) return [us];
  const hocuspocus = add(await startPeer('hocuspocus', path.join(import.meta.dirname, 'peer-hocuspocus.ts'), [], folder));
  const utils = import.meta.resolve('@y/websocket-server/utils');
  const yWebsocket = add(await startPeer('y-websocket-server', path.join(path.dirname(new URL(utils).pathname), 'server.js'), [], folder));
  const bare = add(await startPeer('bare ws broadcast', path.join(import.meta.dirname, 'peer-broadcast.ts'), [], folder));
  return [
    us,
    { contender: hocuspocus, target: { wire: 'hocuspocus', url: { whole: base(hocuspocus) }, pid: hocuspocus.pid } },
    { contender: yWebsocket, target: { wire: 'y-websocket', url: { before: `${base(yWebsocket)}/`, after: '' }, pid: yWebsocket.pid } },
    { contender: bare, target: { wire: 'y-websocket', url: { before: `${base(bare)}/`, after: '' }, pid: bare.pid }, floor: true },
  ];
}

async function measureTyping(name: string, workload: (typeof workloads)['fanout'], peers: readonly Peer[]): Promise<Row[]> {
  const results = new Map<Peer, TypingResult[]>(peers.map((peer) => [peer, []]));
  // The first turn only warms up: what is compiled at run time is compiled then, on all sides.
  for (let round = -1; round < rounds; round++) {
    for (const peer of inTurn(peers, round + 1)) {
      const { what: _what, goal: _goal, ...shape } = workload;
      // New documents each round: neither grows over the rounds. Ours are of files that are there, as people's are.
      const prefix = `${name}-${round}/document`;
      if (peer.root !== undefined) {
        fs.mkdirSync(path.join(peer.root, path.dirname(prefix)));
        for (let document = 0; document < shape.documents; document++)
          fs.writeFileSync(path.join(peer.root, documentName(prefix, document)), '');
      }
      const result = await inLoad<TypingResult>({
        kind: 'typing',
        target: peer.target,
        prefix,
        warmMs,
        measureMs,
        ...shape,
      });
      if (round < 0) continue;
      results.get(peer)?.push(result);
      console.log(
        `${name} round ${round + 1} ${peer.contender.name.padEnd(18)} ${usOf(result).toFixed(2)} µs, ${(result.deliveries / result.seconds).toFixed(0)} deliveries/s in ${(result.frames / result.seconds).toFixed(0)} frames/s, p50 ${result.p50.toFixed(2)} p99 ${result.p99.toFixed(1)} ms, load ${(result.loadBusy * 100).toFixed(0)} % busy${result.lost === 0 ? '' : `, LOST ${result.lost}`}`,
      );
    }
  }
  const of = (peer: Peer, value: (result: TypingResult) => number): number => median((results.get(peer) ?? []).map(value));
  const [ours, ...others] = peers.filter(({ floor }) => floor !== true) as [Peer, ...Peer[]];
  console.log(`\n${workload.what}; medians of ${rounds}`);
  for (const peer of peers) {
    const lost = (results.get(peer) ?? []).reduce((sum, result) => sum + result.lost, 0);
    console.log(
      `  ${peer.contender.name.padEnd(18)} ${of(peer, usOf).toFixed(2)} µs a delivery, p50 ${of(peer, ({ p50 }) => p50).toFixed(2)} ms, p99 ${of(peer, ({ p99 }) => p99).toFixed(1)} ms, lost ${lost}`,
    );
  }
  console.log('');
  return others.map((peer) => versus(`${workload.what}: CPU per delivery`, 'µs', of(ours, usOf), peer, of(peer, usOf), workload.goal));
}

async function measureJoins(peers: readonly Peer[]): Promise<Row[]> {
  const state = path.join(folder, 'state.bin');
  const bytes = makeHistory(state, Number(values.edits));
  const document = 'history.txt';
  const results = new Map<Peer, JoinResult[]>(peers.map((peer) => [peer, []]));
  const loads = new Map(peers.map((peer) => [peer, new Load()]));
  try {
    for (const [peer, load] of loads) await load.order({ kind: 'fill', target: peer.target, document, state });
    for (let round = -1; round < rounds; round++) {
      for (const peer of inTurn(peers, round + 1)) {
        const order: JoinOrder = { kind: 'join', target: peer.target, document, joins: Number(values.joins), minBytes: bytes * 0.9 };
        const result = await (loads.get(peer) as Load).order<JoinResult>(order);
        if (round < 0) continue;
        results.get(peer)?.push(result);
        console.log(
          `join round ${round + 1} ${peer.contender.name.padEnd(18)} ${result.cpuMs.toFixed(2)} ms CPU, p50 ${result.p50.toFixed(2)} ms`,
        );
      }
    }
  } finally {
    for (const load of loads.values()) load.stop();
  }
  const of = (peer: Peer, value: (result: JoinResult) => number): number => median((results.get(peer) ?? []).map(value));
  const [ours, ...others] = peers as [Peer, ...Peer[]];
  const what = `join of ${values.edits} edits (${(bytes / 1000).toFixed(0)} kB)`;
  console.log(`\n${what}; medians of ${rounds}`);
  for (const peer of peers) {
    console.log(
      `  ${peer.contender.name.padEnd(18)} ${of(peer, ({ cpuMs }) => cpuMs).toFixed(2)} ms CPU, p50 ${of(peer, ({ p50 }) => p50).toFixed(2)} ms`,
    );
  }
  console.log('');
  const cpu = (result: JoinResult): number => result.cpuMs;
  return others.map((peer) => versus(`${what}: CPU`, 'ms', of(ours, cpu), peer, of(peer, cpu), joinGoal));
}

function usOf(result: TypingResult): number {
  return (result.cpuMs * 1000) / result.deliveries;
}

function versus(what: string, unit: string, ours: number, peer: Peer, theirs: number, goal: number): Row {
  const ratio = theirs / ours;
  return { what, unit, ours, peer: { name: peer.contender.name, value: theirs }, ratio, goal: `≥ ${goal}`, ok: ratio >= goal };
}

/** The order changes with the round, so that nobody always runs after the same other. */
function inTurn<T>(all: readonly T[], round: number): T[] {
  return [...all.slice(round % all.length), ...all.slice(0, round % all.length)];
}

/** A text of one writer that typed and deleted here and there. The state of it, in a file; gives its length. */
function makeHistory(file: string, edits: number): number {
  const ydoc = new Y.Doc();
  const text = ydoc.getText('content');
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed % below;
  };
  for (let edit = 0; edit < edits; edit++) {
    if (edit % 5 === 4) text.delete(random(text.length), 1);
    else text.insert(random(text.length + 1), String.fromCharCode(97 + random(26)));
  }
  const state = Y.encodeStateAsUpdate(ydoc);
  fs.writeFileSync(file, state);
  ydoc.destroy();
  return state.length;
}

async function inLoad<T>(order: TypingOrder): Promise<T> {
  const load = new Load();
  try {
    return await load.order<T>(order);
  } finally {
    load.stop();
  }
}
