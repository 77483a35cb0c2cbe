// What a link is tested against: a clock that stands still, sockets in memory, tasks that only remember, and a hub that remembers
// every byte.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { HeldTask, HubFrame } from '../../src/contract/hub.ts';
import type { PeerTimers } from '../../src/core/peer.ts';
import type { DialedSocket } from '../../src/net/text-socket.ts';
import type { DialOptions } from '../../src/net/websocket.ts';
import { createFakes } from './fake-operations.ts';
import { resetSocket } from './raw-socket.ts';
import { Link, type LinkDependencies, type LinkOptions } from '../../src/transports/hub-link/link.ts';
import type { LinkTasks, TaskSession } from '../../src/transports/hub-link/link-tasks.ts';

export const linkOptions: LinkOptions = {
  agentId: 'probe',
  token: 't',
  url: 'ws://127.0.0.1:1/ws',
  name: 'probe',
  capabilities: ['code'],
  labels: {},
  allow: 'none',
  jitter: 'full',
  timeouts: { dialMs: 10_000, identifyMs: 10_000, pingMs: 30_000, pongMs: 10_000, stopMs: 1000 },
};

export class FakeClock {
  #now = 0;
  #timers = new Map<object, { at: number; run: () => void }>();

  readonly timers: PeerTimers = {
    set: (run, ms) => {
      const timer = {};
      this.#timers.set(timer, { at: this.#now + ms, run });
      return timer;
    },
    clear: (timer) => {
      if (timer !== undefined) this.#timers.delete(timer as object);
    },
    soon: (run) => void setImmediate(run),
  };

  get now(): number {
    return this.#now;
  }

  /** Timers that wait. */
  get waiting(): number {
    return this.#timers.size;
  }

  /** Runs what is due in these milliseconds, in order, and what follows from it. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (;;) {
      const next = [...this.#timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next[0]);
      this.#now = Math.max(this.#now, next[1].at);
      next[1].run();
      await settled();
    }
    this.#now = until;
  }
}

/** Promises that are settled have been heard of. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
}

export class FakeSocket implements DialedSocket {
  readonly sent: string[] = [];
  buffered = 0;
  closed: { code: number; reason: string } | undefined;
  isCut = false;
  /** Whether our close is answered. */
  answersClose = true;
  #onText: (text: string) => void = () => undefined;
  #onBad: (problem: string) => void = () => undefined;
  #drain: (() => void)[] = [];
  #end: ((code: number, reason: string) => void)[] = [];
  #over = false;

  send(text: string): void {
    assert.ok(this.closed === undefined && !this.isCut, 'nothing is sent after the end');
    this.sent.push(text);
  }
  onDrain(listener: () => void): void {
    this.#drain.push(listener);
  }
  onText(listener: (text: string) => void): void {
    this.#onText = listener;
  }
  onBad(listener: (problem: string) => void): void {
    this.#onBad = listener;
  }
  onClose(listener: () => void): void {
    this.#end.push(listener);
  }
  onEnd(listener: (code: number, reason: string) => void): void {
    this.#end.push(listener);
  }
  pause(): void {
    assert.fail('heartbeats share the socket, so it is never paused');
  }
  resume(): void {}
  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
    if (this.answersClose) setImmediate(() => this.end(code, reason));
  }
  cut(): void {
    this.isCut = true;
    this.end(1006, '');
  }

  /** The hub says this. */
  say(frame: object | string): void {
    this.#onText(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }
  sayBinary(): void {
    this.#onBad('binary');
  }
  /** The connection ends with this. */
  end(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const listener of this.#end) listener(code, reason);
  }
  drain(): void {
    this.buffered = 0;
    for (const listener of this.#drain) listener();
  }
  get frames(): Record<string, unknown>[] {
    return this.sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  }
}

export class FakeTasks implements LinkTasks {
  holding: HeldTask[] = [];
  free = 1;
  session: TaskSession | undefined;
  readonly heard: unknown[] = [];

  held(): HeldTask[] {
    return this.holding;
  }
  holdsMore(): boolean {
    return false;
  }
  credit(): number {
    return this.free;
  }
  receive(frame: HubFrame): void {
    this.heard.push(frame);
  }
  connected(session: TaskSession): void {
    this.session = session;
    this.heard.push('connected');
  }
  disconnected(): void {
    this.heard.push('disconnected');
  }
  lost(held: readonly HeldTask[]): void {
    this.heard.push({ lost: held });
  }
  setLease(ms: number | undefined): void {
    this.heard.push({ lease: ms });
  }
  renewedAt(monotonicMs: number): void {
    this.heard.push({ renewedAt: monotonicMs });
  }
}

export interface FakeWorld {
  link: Link;
  clock: FakeClock;
  tasks: FakeTasks;
  /** Each dial: when, with what, and how to let it succeed or fail. */
  dials: { at: number; url: string; options: DialOptions; open(): FakeSocket; fail(error?: Error): void }[];
  log: { level: string; event: string; facts: Readonly<Record<string, unknown>> }[];
  /** The newest dial succeeds; the socket, after identify was sent. */
  open(): Promise<FakeSocket>;
  /** As `open`, and the hub identifies us. */
  online(more?: object): Promise<FakeSocket>;
}

/** A link on a clock and sockets of the test's own. */
export function fakeWorld(options: Partial<LinkOptions> = {}, more: Partial<LinkDependencies> = {}): FakeWorld {
  const clock = new FakeClock();
  const tasks = new FakeTasks();
  const dials: FakeWorld['dials'] = [];
  const log: FakeWorld['log'] = [];
  const link = new Link(
    {
      sockets: {
        dialText: (url, given) => {
          const dial = Promise.withResolvers<DialedSocket>();
          given.signal?.addEventListener('abort', () => dial.reject(new OutriggerError('CONNECTION_LOST', 'aborted')));
          dials.push({
            at: clock.now,
            url,
            options: given,
            open: () => {
              const socket = new FakeSocket();
              dial.resolve(socket);
              return socket;
            },
            fail: (error = new OutriggerError('CONNECTION_LOST', 'refused')) => dial.reject(error),
          });
          return dial.promise;
        },
      },
      dispatch: createFakes().dispatch,
      tasks,
      timers: clock.timers,
      now: () => 1_000_000 + clock.now,
      monotonic: () => clock.now,
      random: () => 0.5,
      log: (level, event, facts = {}) => void log.push({ level, event, facts }),
      ...more,
    },
    { ...linkOptions, ...options },
  );
  const open = async (): Promise<FakeSocket> => {
    const socket = dials.at(-1)?.open();
    assert.ok(socket, 'nothing was dialled');
    await settled();
    return socket;
  };
  const online = async (said: object = {}): Promise<FakeSocket> => {
    const socket = await open();
    socket.say({ type: 'identified', agent_id: 'probe', ...said });
    await settled();
    return socket;
  };
  return { link, clock, tasks, dials, log, open, online };
}

export interface CaptureHub {
  /** `ws://127.0.0.1:<port>/ws` */
  url: string;
  port: number;
  /** By connection: every text that came, in order. */
  received: string[][];
  sockets: WebSocket[];
  /** With what each connection was closed. */
  closes: { code: number; reason: string }[];
  /** Headers of each upgrade. */
  headers: Record<string, unknown>[];
  close(): Promise<void>;
}

/** A hub that keeps every byte and answers what `answer` says; `refuse` gives a response in place of the handshake. */
export async function captureHub(
  answer: (text: string, socket: WebSocket, connection: number) => void,
  options: { tls?: { cert: string; key: string }; refuse?: (connection: number) => string | undefined; port?: number } = {},
): Promise<CaptureHub> {
  const server = options.tls === undefined ? http.createServer() : https.createServer(options.tls);
  const webSockets = new WebSocketServer({ noServer: true });
  const hub: CaptureHub = { url: '', port: 0, received: [], sockets: [], closes: [], headers: [], close: () => Promise.resolve() };
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => undefined);
    hub.headers.push(request.headers);
    const refusal = options.refuse?.(hub.headers.length);
    if (refusal !== undefined) {
      socket.end(refusal);
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (accepted) => {
      const received: string[] = [];
      const connection = hub.received.push(received) - 1;
      hub.sockets.push(accepted);
      accepted.on('error', () => undefined);
      accepted.on('message', (data) => {
        const text = (data as Buffer).toString();
        received.push(text);
        answer(text, accepted, connection);
      });
      accepted.on('close', (code, reason) => hub.closes.push({ code, reason: reason.toString() }));
    });
  });
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  hub.port = (server.address() as net.AddressInfo).port;
  hub.url = `${options.tls === undefined ? 'ws' : 'wss'}://127.0.0.1:${hub.port}/ws`;
  hub.close = async () => {
    for (const socket of hub.sockets) socket.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return hub;
}

export interface Proxy {
  port: number;
  /** What goes this way is read and thrown away from now on. */
  swallow: { toHub: boolean; toAgent: boolean };
  /** What goes this way comes so much later from now on. */
  delayMs: { toHub: number; toAgent: number };
  /** Cuts what is connected. */
  reset(): void;
  close(): Promise<void>;
}

/** A TCP proxy that can make a connection slow, half open, or end it. */
export async function tcpProxy(to: number): Promise<Proxy> {
  const sockets = new Set<net.Socket>();
  const swallow = { toHub: false, toAgent: false };
  const delayMs = { toHub: 0, toAgent: 0 };
  /** In order, also where the delay becomes shorter. */
  const pass = (way: 'toHub' | 'toAgent', to: net.Socket): ((bytes: Buffer) => void) => {
    const late: { bytes: Buffer; at: number }[] = [];
    const go = (): void => {
      while (late[0] !== undefined && late[0].at <= performance.now()) to.write(late.shift()?.bytes ?? '');
      if (late[0] !== undefined) setTimeout(go, Math.max(1, late[0].at - performance.now()));
    };
    return (bytes) => {
      if (swallow[way]) return;
      if (late.length === 0 && delayMs[way] === 0) to.write(bytes);
      else if (late.push({ bytes, at: performance.now() + delayMs[way] }) === 1) go();
    };
  };
  const server = net.createServer((agent) => {
    const hub = net.connect(to, '127.0.0.1');
    for (const socket of [agent, hub]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    agent.on('data', pass('toHub', hub)).on('close', () => swallow.toHub || hub.destroy());
    hub.on('data', pass('toAgent', agent)).on('close', () => swallow.toAgent || agent.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    swallow,
    delayMs,
    reset: () => {
      for (const socket of sockets) resetSocket(socket);
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
