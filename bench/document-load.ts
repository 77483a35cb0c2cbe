// The people of a document benchmark, in a process of its own: raw WebSocket messages of either wire, no Yjs at the receivers.
// Takes orders from its parent over IPC and answers each once.

import fs from 'node:fs';
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import { documentName, wires, type WireName } from './document-wire.ts';
import { cpuMs, quantile } from './measure.ts';

/** Where the document's name goes. */
export interface Target {
  wire: WireName;
  /** Before the document's name, and after it; the name goes into the messages only where `url` has no place for it. */
  url: { before: string; after: string } | { whole: string };
  pid: number;
}

export interface TypingOrder {
  kind: 'typing';
  target: Target;
  prefix: string;
  documents: number;
  clients: number;
  writersPerDocument: number;
  updatesPerSecond: number;
  warmMs: number;
  measureMs: number;
}

export interface TypingResult {
  deliveries: number;
  /** Updates that had not come to everybody when waiting ended. */
  lost: number;
  seconds: number;
  cpuMs: number;
  /** Of the load itself: how busy it was, 1 being a whole core. */
  loadBusy: number;
  frames: number;
  p50: number;
  p99: number;
}

export interface FillOrder {
  kind: 'fill';
  target: Target;
  document: string;
  /** A file that holds the state. */
  state: string;
}

export interface JoinOrder {
  kind: 'join';
  target: Target;
  document: string;
  joins: number;
  minBytes: number;
}

export interface JoinResult {
  cpuMs: number;
  p50: number;
}

/** Stands in each update before who wrote it and when; no length or number looks like these bytes. */
const MARK = '\u{10FFFD}';
const mark = Buffer.from(MARK);
const AUTHOR_CHARS = 3;
const TIME_CHARS = 8;
const OPEN_AT_ONCE = 50;
const drainMs = 5000;

let holder: Client | undefined;

process.on('message', (order: TypingOrder | FillOrder | JoinOrder) => {
  const done = order.kind === 'typing' ? type(order) : order.kind === 'fill' ? fill(order) : join(order);
  done.then(
    (result) => process.send?.({ result: result ?? {} }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});

class Client {
  readonly ws: WebSocket;
  readonly synced: Promise<number>;
  /** What to do with every message once in sync. */
  onMessage: ((message: Buffer) => void) | undefined;

  constructor({ wire: wireName, url }: Target, document: string) {
    const wire = wires[wireName];
    this.ws = new WebSocket('whole' in url ? url.whole : `${url.before}${document}${url.after}`, { perMessageDeflate: false });
    this.synced = new Promise((resolve, reject) => {
      this.ws.on('error', reject);
      this.ws.on('close', (code) => reject(new Error(`The socket of ${document} closed with ${code}.`)));
      this.ws.on('open', () => {
        for (const message of wire.hello(document)) this.ws.send(message);
      });
      this.ws.on('message', (message: Buffer) => {
        if (this.onMessage !== undefined) {
          this.onMessage(message);
          return;
        }
        const read = wire.read(message);
        if (read.kind === 'step1') this.ws.send(wire.nothing(document));
        else if (read.kind === 'step2') resolve(read.update.length);
      });
    });
    this.synced.catch(() => undefined);
  }

  async close(): Promise<void> {
    if (this.ws.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((resolve) => {
      this.ws.once('close', () => resolve());
      this.ws.close();
    });
  }
}

async function type(order: TypingOrder): Promise<TypingResult> {
  const { target, documents, clients, writersPerDocument, updatesPerSecond, warmMs, measureMs } = order;
  const people: Client[] = [];
  const opened: { client: Client; document: string; index: number }[] = [];
  for (let document = 0; document < documents; document++) {
    for (let client = 0; client < clients; client++)
      opened.push({ client: undefined as never, document: documentName(order.prefix, document), index: client });
  }
  for (let at = 0; at < opened.length; at += OPEN_AT_ONCE) {
    const some = opened.slice(at, at + OPEN_AT_ONCE);
    for (const one of some) people.push((one.client = new Client(target, one.document)));
    await Promise.all(some.map(({ client }) => client.synced));
  }

  const begun = performance.now();
  const nowUs = (): number => Math.round((performance.now() - begun) * 1000);
  let measuring = false;
  let delivered = 0;
  let deliveredInAll = 0;
  let frames = 0;
  const latencies: number[] = [];
  opened.forEach(({ client }, author) => {
    const own = author.toString(36).padStart(AUTHOR_CHARS, '0');
    client.onMessage = (message) => {
      if (measuring) frames++;
      const now = nowUs();
      for (let at = message.indexOf(mark); at >= 0; at = message.indexOf(mark, at + mark.length)) {
        const start = at + mark.length;
        // The peers send an update back to whoever wrote it: that brings nobody anything.
        if (message.toString('latin1', start, start + AUTHOR_CHARS) === own) continue;
        deliveredInAll++;
        if (!measuring) continue;
        delivered++;
        latencies.push(
          (now - Number.parseInt(message.toString('latin1', start + AUTHOR_CHARS, start + AUTHOR_CHARS + TIME_CHARS), 36)) / 1000,
        );
      }
    };
  });

  const each = Math.ceil(((warmMs + measureMs) / 1000) * updatesPerSecond) + 2;
  // In an order of chance, the same in every run: people of one document do not type in turns.
  const writers = shuffle(opened.filter(({ index }) => index < writersPerDocument)).map((one) => ({
    ...one,
    updates: prepare(one.document, target.wire, opened.indexOf(one), each),
  }));
  await new Promise((resolve) => setTimeout(resolve, 300));

  // Updates are due at even distances, the writers taking turns.
  const perMs = (writers.length * updatesPerSecond) / 1000;
  const start = performance.now();
  let sent = 0;
  let stopped = false;
  const pump = (): void => {
    if (stopped) return;
    for (const due = Math.floor((performance.now() - start) * perMs); sent < due; sent++) {
      const writer = writers[sent % writers.length];
      const update = writer?.updates[Math.floor(sent / writers.length)];
      if (writer === undefined || update === undefined) break;
      update.message.write(nowUs().toString(36).padStart(TIME_CHARS, '0'), update.timeAt, 'latin1');
      writer.client.ws.send(update.message);
    }
    setTimeout(pump, 1);
  };
  pump();
  await new Promise((resolve) => setTimeout(resolve, warmMs));
  measuring = true;
  const before = { cpu: cpuMs(target.pid), own: cpuMs(process.pid), at: performance.now() };
  await new Promise((resolve) => setTimeout(resolve, measureMs));
  measuring = false;
  const seconds = (performance.now() - before.at) / 1000;
  const cpu = cpuMs(target.pid) - before.cpu;
  const own = cpuMs(process.pid) - before.own;
  stopped = true;
  const expected = sent * (clients - 1);
  for (const until = performance.now() + drainMs; deliveredInAll < expected && performance.now() < until; )
    await new Promise((resolve) => setTimeout(resolve, 20));
  await Promise.all(people.map((client) => client.close()));
  return {
    deliveries: delivered,
    lost: expected - deliveredInAll,
    seconds,
    cpuMs: cpu,
    loadBusy: own / seconds / 1000,
    frames,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  };
}

function shuffle<T>(list: T[]): T[] {
  const shuffled = [...list];
  let seed = 1;
  for (let last = shuffled.length - 1; last > 0; last--) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    const other = (seed >>> 8) % (last + 1);
    [shuffled[last], shuffled[other]] = [shuffled[other] as T, shuffled[last] as T];
  }
  return shuffled;
}

/** Updates of one writer, as messages in which only the time is still to be written. */
function prepare(document: string, wireName: WireName, author: number, count: number): { message: Buffer; timeAt: number }[] {
  const wire = wires[wireName];
  const ydoc = new Y.Doc();
  const text = ydoc.getText('content');
  const prepared: { message: Buffer; timeAt: number }[] = [];
  ydoc.on('update', (update: Uint8Array) => {
    const message = Buffer.from(wire.update(document, update));
    prepared.push({ message, timeAt: message.indexOf(mark) + mark.length + AUTHOR_CHARS });
  });
  const word = `${MARK}${author.toString(36).padStart(AUTHOR_CHARS, '0')}${'0'.repeat(TIME_CHARS)}`;
  for (let index = 0; index < count; index++) text.insert(text.length, word);
  ydoc.destroy();
  return prepared;
}

/** Brings a document to a state, and stays in it so that it is not put away. */
async function fill({ target, document, state }: FillOrder): Promise<void> {
  holder = new Client(target, document);
  await holder.synced;
  holder.onMessage = () => undefined;
  holder.ws.send(wires[target.wire].update(document, fs.readFileSync(state)));
}

/** One after the other: from nothing to the whole state. */
async function join({ target, document, joins, minBytes }: JoinOrder): Promise<JoinResult> {
  // Somebody typed since the last round, and whatever that sets off is over.
  const [typed] = prepare(document, target.wire, 0, 1);
  if (typed !== undefined) holder?.ws.send(typed.message);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const times: number[] = [];
  const before = cpuMs(target.pid);
  for (let count = 0; count < joins; count++) {
    const started = performance.now();
    const client = new Client(target, document);
    const bytes = await client.synced;
    times.push(performance.now() - started);
    await client.close();
    if (bytes < minBytes) throw new Error(`A join brought ${bytes} bytes of at least ${minBytes}.`);
  }
  return { cpuMs: (cpuMs(target.pid) - before) / joins, p50: quantile(times, 0.5) };
}
