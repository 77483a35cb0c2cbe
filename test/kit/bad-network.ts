// A bad network between a client and a server: TCP through a relay that by chance is slow, splits, falls silent, cuts, refuses, or answers itself.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Random } from './random.ts';
import { resetSocket } from './raw-socket.ts';

export interface Weather {
  /** Each piece waits less than so long. */
  delayMs: number;
  /** A chunk goes on in up to so many pieces. */
  pieces: number;
  /** Of 100 connections so many are cut, in each direction below `cutBelow` bytes. */
  cutPercent: number;
  cutBelow: number;
}

export const fineWeather: Weather = { delayMs: 0, pieces: 1, cutPercent: 0, cutBelow: 1 };
export type Direction = 'up' | 'down';

interface Link {
  sockets: [Socket, Socket];
  /** What passes in that direction waits for it. */
  gates: Record<Direction, PromiseWithResolvers<void> | undefined>;
  isLost: boolean;
}

/** What stands between may say so itself. */
const pages = {
  'bad gateway': [502, 'Bad Gateway', '<html><h1>502 Bad Gateway</h1></html>'],
  unavailable: [503, 'Service Unavailable', '<html><h1>503</h1><p>Back soon.</p></html>'],
  'gateway timeout': [504, 'Gateway Timeout', ''],
  'unavailable, in JSON': [503, 'Service Unavailable', '{"kind":"Status","status":"Failure","reason":"ServiceUnavailable","code":503}'],
  'too many': [429, 'Too Many Requests', '<html>slow down</html>'],
  'no such page': [404, 'Not Found', 'default backend - 404'],
  'not logged in': [401, 'Unauthorized', '<html>Who are you?</html>'],
  'log in here': [200, 'OK', '<!doctype html>\n<html>\n<form action="/login"><input name="user">\n</form></html>\n'],
  'log in, in JSON': [200, 'OK', '{"error":"login"}\n'],
  'log in there': [302, 'Found', ''],
  'log in there, as you asked': [307, 'Temporary Redirect', ''],
  rubbish: [200, 'OK', '\u0000\n}{\n'],
  nothing: [200, 'OK', ''],
} as const satisfies Record<string, readonly [number, string, string]>;
export type Page = keyof typeof pages;
export const pageNames = Object.keys(pages) as Page[];

const heldBytes = 256 * 1024;

export class BadNetwork {
  readonly #random: Random;
  readonly #links = new Set<Link>();
  readonly #lost = new Set<Link>();
  /** Sockets of clients, also of those that are answered here, and the first line of what came. */
  readonly #clients = new Map<Socket, string>();
  #server: Server | undefined;
  #port = 0;
  #target = 0;
  #page: Page | undefined;
  weather: Weather = fineWeather;
  /** Connections that were made so far. */
  made = 0;
  /** Pages that were given so far. */
  readonly given = new Map<Page, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Connections of clients that are there now, by what they began with. Those over which nothing came are of Node's fetch: it keeps for 4 s what it made for a request that was aborted by then. */
  get connections(): string[] {
    return [...this.#clients].flatMap(([socket, begin]) =>
      begin === '' ? [] : [`${begin}, ${socket.bytesRead} up, ${socket.bytesWritten} down, ${this.#stateOf(socket)}`],
    );
  }

  /** Of a failure: what this side knows of it. */
  #stateOf(client: Socket): string {
    const link = [...this.#links, ...this.#lost].find(({ sockets }) => sockets[0] === client);
    if (link === undefined) return client.destroyed ? 'ended' : 'answered here, or its server is gone';
    const held = (['up', 'down'] as const).filter((direction) => link.gates[direction] !== undefined);
    return [link.isLost ? 'lost' : 'passed on', ...held.map((direction) => `held ${direction}`)].join(', ');
  }

  /** Where it leads to from now on. */
  lead(port: number): void {
    this.#target = port;
  }

  /** Takes connections, at the same port each time. */
  async listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = createServer((socket) => this.#take(socket));
    this.#server = server;
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Takes no more connections; those that are there stay. */
  refuse(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** Cuts all, some with a reset. */
  cut(): void {
    const lost = new Set([...this.#lost].map(({ sockets }) => sockets[0]));
    for (const socket of this.#clients.keys()) {
      if (lost.has(socket)) continue;
      if (this.#random.below(2) === 0) resetSocket(socket);
      else socket.destroy();
    }
  }

  /** From now on nothing passes in these directions, on the connections that are there: all, or half of them. */
  stall(directions: readonly Direction[], all = this.#random.below(2) === 0): void {
    for (const { gates } of this.#links) {
      if (!all && this.#random.below(2) === 0) continue;
      for (const direction of directions) gates[direction] ??= Promise.withResolvers();
    }
  }

  /** Those that are there are lost, all or half of them: nothing passes any more, not even that one side is gone. Both have to find that out. */
  lose(all = this.#random.below(2) === 0): void {
    for (const link of this.#links) {
      if (!all && this.#random.below(2) === 0) continue;
      link.isLost = true;
      for (const direction of ['up', 'down'] as const) link.gates[direction] ??= Promise.withResolvers();
      this.#links.delete(link);
      this.#lost.add(link);
    }
  }

  /** Both sides of what was lost are told. */
  bury(): void {
    for (const { sockets, gates } of this.#lost) {
      for (const socket of sockets) socket.destroy();
      for (const direction of ['up', 'down'] as const) gates[direction]?.resolve();
    }
    this.#lost.clear();
  }

  goOn(): void {
    for (const { gates } of this.#links) {
      for (const direction of ['up', 'down'] as const) {
        gates[direction]?.resolve();
        gates[direction] = undefined;
      }
    }
  }

  /** Whoever asks gets this page in place of an answer; undefined: is passed on again. */
  answer(page: Page | undefined): void {
    this.#page = page;
    if (page !== undefined) this.cut();
  }

  /** All as it should be, for the connections that are there too, but for those that are lost. */
  async clear(): Promise<void> {
    this.weather = fineWeather;
    this.#page = undefined;
    this.goOn();
    await this.listen();
  }

  close(): void {
    this.refuse();
    this.goOn();
    this.bury();
    for (const socket of this.#clients.keys()) socket.destroy();
  }

  #take(from: Socket): void {
    this.made++;
    this.#clients.set(from, '');
    from.on('error', () => undefined);
    from.once('close', () => this.#clients.delete(from));
    from.setNoDelay(true);
    if (this.#page !== undefined) {
      this.#give(from, this.#page);
      return;
    }
    const to = connect(this.#target, '127.0.0.1');
    to.setNoDelay(true);
    to.on('error', () => undefined);
    const link: Link = { sockets: [from, to], gates: { up: undefined, down: undefined }, isLost: false };
    this.#links.add(link);
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const)
      one.once('close', () => {
        if (link.isLost) return;
        this.#links.delete(link);
        for (const direction of ['up', 'down'] as const) link.gates[direction]?.resolve();
        other.destroy();
      });
    void this.#pass(link, 'up');
    void this.#pass(link, 'down');
  }

  async #pass(link: Link, direction: Direction): Promise<void> {
    const [from, to] = direction === 'up' ? link.sockets : ([...link.sockets].reverse() as [Socket, Socket]);
    const { cutPercent, cutBelow } = this.weather;
    let left = this.#random.below(100) < cutPercent ? this.#random.below(cutBelow) : Number.POSITIVE_INFINITY;
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        this.#began(from, chunk.toString('latin1'));
        for (const piece of this.#pieces(chunk)) {
          await link.gates[direction]?.promise;
          const { delayMs } = this.weather;
          if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#random.below(delayMs)));
          await link.gates[direction]?.promise;
          if (to.destroyed) return;
          const now = piece.subarray(0, Math.min(left, piece.length));
          left -= now.length;
          if (now.length > 0) to.write(now);
          if (left <= 0) {
            // What was written goes out first; the other direction is cut as it is.
            to.end();
            from.destroy();
            return;
          }
          if (to.writableLength > heldBytes) await Promise.race([once(to, 'drain'), once(to, 'close')]);
        }
      }
      if (!link.isLost) to.end();
    } catch {
      if (!link.isLost) to.destroy();
    }
  }

  #began(client: Socket, head: string): void {
    if (this.#clients.get(client) === '') this.#clients.set(client, head.split('\r', 1)[0] as string);
  }

  #pieces(chunk: Buffer): Buffer[] {
    const count = 1 + this.#random.below(this.weather.pieces);
    const cuts = Array.from({ length: count - 1 }, () => this.#random.below(chunk.length + 1)).sort((a, b) => a - b);
    return [0, ...cuts].map((at, index) => chunk.subarray(at, cuts[index] ?? chunk.length)).filter(({ length }) => length > 0);
  }

  #give(socket: Socket, page: Page): void {
    let head = '';
    const read = (chunk: Buffer): void => {
      head = (head + chunk.toString('latin1')).slice(0, 16 * 1024);
      if (!head.includes('\r\n\r\n')) return;
      this.#began(socket, `${head.split('\r', 1)[0]} (${page})`);
      socket.off('data', read);
      // What else is sent is passed over: a socket that is closed on it is reset.
      socket.resume();
      this.given.set(page, (this.given.get(page) ?? 0) + 1);
      const [status, title, body] = / \/login /.test(head) ? pages['log in here'] : pages[page];
      const location = status === 302 || status === 307 ? 'location: /login\r\n' : '';
      const type = body.startsWith('{') ? 'application/json' : 'text/html';
      socket.end(
        `HTTP/1.1 ${status} ${title}\r\ncontent-type: ${type}\r\n${location}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    };
    socket.on('data', read);
  }
}
