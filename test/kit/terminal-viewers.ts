// Viewers of terminals and processes of a sidecar, as the tests of it need them: slow, cut off, back again; and what they may see.
import assert from 'node:assert/strict';
import headless from '@xterm/headless';
import { WebSocket } from 'ws';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { type ErrorReason, OutriggerError } from '../../src/contract/errors.ts';
import { type Operations, operations } from '../../src/contract/operations.ts';
import type { OutputItem, ProcessInfo } from '../../src/contract/processes.ts';
import { guardTerminal } from '../../src/core/guard-terminal.ts';
import { pictureOf } from './terminal-picture.ts';

export const scrollback = 2000;
export type Stream = 'stdout' | 'stderr';

/** One stream of bytes, as far as anybody was told of it: nobody may be told otherwise. */
export class ByteLedger {
  readonly #name: string;
  #bytes = Buffer.alloc(64 * 1024);
  #known = Buffer.alloc(64 * 1024);

  constructor(name: string) {
    this.#name = name;
  }

  /** Of what it is to write, anybody was told nothing else. */
  check(expected: Uint8Array): void {
    const length = Math.min(expected.length, this.#bytes.length);
    for (let at = 0; at < length; at++)
      if (this.#known[at] !== 0 && this.#bytes[at] !== expected[at]) this.record(at, expected.subarray(at, at + 1), 'what it is to write');
    assert.ok(!this.#known.subarray(expected.length).includes(1), `${this.#name}: it wrote more than it does`);
  }

  record(offset: number, bytes: Uint8Array, who: string): void {
    const end = offset + bytes.length;
    if (end > this.#bytes.length) {
      const room = Math.max(end, 2 * this.#bytes.length) - this.#bytes.length;
      this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(room)]);
      this.#known = Buffer.concat([this.#known, Buffer.alloc(room)]);
    }
    const there = this.#bytes.subarray(offset, end);
    const known = this.#known.subarray(offset, end);
    if (known.includes(0)) {
      for (let at = 0; at < bytes.length; at++) if (known[at] === 0) there[at] = bytes[at] as number;
      known.fill(1);
    }
    if (there.equals(bytes)) return;
    const at = there.findIndex((byte, index) => byte !== bytes[index]);
    const show = (from: Uint8Array): string => JSON.stringify(Buffer.from(from.subarray(Math.max(0, at - 30), at + 30)).toString('latin1'));
    assert.fail(`${this.#name}, ${who}: at ${offset + at} is ${show(bytes)}, and was ${show(there)}`);
  }

  /** All from the start up to `end`, which somebody was told. */
  upTo(end: number): Buffer {
    assert.ok(!this.#known.subarray(0, end).includes(0) && end <= this.#known.length, `${this.#name}: nobody was told all up to ${end}`);
    return this.#bytes.subarray(0, end);
  }
}

/** A client whose connection can be cut off, without a word. */
export interface CuttableClient extends Client<Operations> {
  cut(): void;
}

export function cuttableClient(url: string, token: string, options: Partial<ClientOptions> = {}): CuttableClient {
  const sockets = new Set<WebSocket>();
  class Cuttable extends WebSocket {
    constructor(address: string, protocols?: string[]) {
      super(address, protocols);
      sockets.add(this);
      this.once('close', () => sockets.delete(this));
    }
  }
  const client = createClient<Operations>({
    url,
    token,
    webSocket: Cuttable as never,
    // Connections that are kept for the next call would be counted as left open.
    fetch: (input, init) => {
      const headers = new Headers(init?.headers);
      headers.set('connection', 'close');
      return globalThis.fetch(input, { ...init, headers });
    },
    backoff: { baseMs: 5, maxMs: 50 },
    pingMs: 2000,
    pongMs: 20_000,
    ...options,
  });
  const cut = (): void => {
    for (const socket of sockets) socket.terminate();
  };
  return Object.assign(client, { cut });
}

/** What may come instead of an answer, whatever was asked. */
const always: readonly string[] = ['CONNECTION_LOST', 'STOPPING', 'CANCELED', 'ACCESS_DENIED', 'OUT_OF_SCOPE', 'BAD_INPUT', 'TOO_MANY'];

/** Fails unless it is a failure that the operation declares, with a hint. */
export function checkFailure(name: keyof Operations & string, error: unknown): ErrorReason {
  assert.ok(error instanceof OutriggerError, `${name}: ${String(error)}`);
  const declared: readonly string[] = [...operations[name].errors, ...always];
  assert.ok(declared.includes(error.reason), `${name} declares no ${error.reason}: ${error.message}`);
  assert.ok(error.hint.length > 10, `${name}: ${error.reason} has no hint`);
  return error.reason;
}

/** Somebody who reads at a pace that changes. */
abstract class Viewer {
  readonly client: CuttableClient;
  readonly id: string;
  readonly name: string;
  /** After its end: 'ended', or why it failed. */
  outcome: string | undefined;
  done: Promise<void> = Promise.resolve();
  protected readonly leaving = new AbortController();
  #gate = Promise.withResolvers<void>();
  #isStalled = false;
  slowMs = 0;

  constructor(client: CuttableClient, id: string, name: string) {
    [this.client, this.id, this.name] = [client, id, name];
    this.#gate.resolve();
  }

  /** One who leaves is through soon. */
  stall(): void {
    if (this.#isStalled || this.leaving.signal.aborted) return;
    this.#isStalled = true;
    this.#gate = Promise.withResolvers<void>();
  }

  goOn(): void {
    this.#isStalled = false;
    this.slowMs = 0;
    this.#gate.resolve();
  }

  protected async pace(): Promise<void> {
    await this.#gate.promise;
    if (this.slowMs > 0) await new Promise((resolve) => setTimeout(resolve, this.slowMs));
  }

  protected follow(run: () => Promise<void>, operation: keyof Operations & string): void {
    this.done = run().then(
      () => void (this.outcome = 'ended'),
      (error: unknown) => {
        if (this.leaving.signal.aborted) this.outcome = 'left';
        else if (error instanceof OutriggerError) this.outcome = checkFailure(operation, error);
        else this.outcome = `failed: ${String(error instanceof Error ? (error.stack ?? error.message) : error)}`;
      },
    );
  }

  async leave(): Promise<void> {
    this.goOn();
    this.leaving.abort();
    await this.done;
    this.client.close();
  }
}

/** Reads the log of a process from its start, across cuts, by offset. */
export class LogViewer extends Viewer {
  readonly positions: Record<Stream, number> = { stdout: 0, stderr: 0 };
  readonly lost: Record<Stream, number> = { stdout: 0, stderr: 0 };
  end: { next: Record<Stream, number>; ended: boolean; process: ProcessInfo } | undefined;
  readonly #ledgers: Record<Stream, ByteLedger>;
  readonly #encoding: 'text' | 'base64';
  readonly #wasRestarted: () => boolean;
  /** Where characters are torn, nobody can say how many bytes a text stands for. */
  readonly #torn = new Set<Stream>();

  constructor(
    client: CuttableClient,
    id: string,
    name: string,
    options: {
      ledgers: Record<Stream, ByteLedger>;
      encoding: 'text' | 'base64';
      /** What another life of it writes may stand behind a part of a character. */
      wasRestarted: () => boolean;
    },
  ) {
    super(client, id, name);
    this.#ledgers = options.ledgers;
    this.#encoding = options.encoding;
    this.#wasRestarted = options.wasRestarted;
    this.follow(() => this.#read(), 'processes.output');
  }

  async #read(): Promise<void> {
    const ask = () => ({ id: this.id, from: { ...this.positions }, follow: true, encoding: this.#encoding });
    const stream = this.client.stream('processes.output', ask(), { signal: this.leaving.signal, onResume: ask });
    for await (const item of stream) {
      this.#take(item);
      await this.pace();
    }
    this.end = await stream.end;
  }

  #take({ stream, offset, text, base64 = '', lost = 0 }: OutputItem): void {
    const bytes = text === undefined ? Buffer.from(base64, 'base64') : Buffer.from(text);
    if (!this.#torn.delete(stream)) assert.equal(offset - lost, this.positions[stream], `${this.name}: ${stream} goes on`);
    this.lost[stream] += lost;
    this.positions[stream] = offset + bytes.length;
    if (text?.includes('\ufffd') !== true) {
      this.#ledgers[stream].record(offset, bytes, this.name);
      return;
    }
    // Only beside what is lost, and where a program ended within one.
    this.#torn.add(stream);
    const isAtEnd = /^[^\ufffd]*\ufffd{1,3}$/.test(text);
    const mayBe = lost > 0 || isAtEnd || this.#wasRestarted();
    assert.ok(mayBe, `${this.name}: a character of ${stream} is torn at ${offset}: ${JSON.stringify(text.slice(-50))}`);
    if (isAtEnd && lost === 0) this.#ledgers[stream].record(offset, Buffer.from(text.replaceAll('\ufffd', '')), this.name);
  }

  /** A text may hold torn characters, whose bytes nobody can count. */
  get isTorn(): boolean {
    return this.#torn.size > 0;
  }
}

/** Looks at a terminal, with one of their own. */
export class ScreenViewer extends Viewer {
  readonly screen = new headless.Terminal({ cols: 80, rows: 24, scrollback, allowProposedApi: true });
  screens = 0;
  title = '';
  end: ProcessInfo | undefined;

  constructor(client: CuttableClient, id: string, name: string) {
    super(client, id, name);
    guardTerminal(this.screen);
    this.follow(() => this.#look(), 'terminals.attach');
  }

  async #look(): Promise<void> {
    const ask = () => ({ id: this.id });
    const stream = this.client.stream('terminals.attach', ask(), { signal: this.leaving.signal, onResume: ask });
    for await (const item of stream) {
      if (item.type === 'screen') {
        this.screens++;
        this.screen.reset();
        this.screen.resize(item.columns, item.rows);
      }
      if (item.type === 'size') this.screen.resize(item.columns, item.rows);
      if (item.type === 'title') this.title = item.title;
      if (item.type === 'screen' || item.type === 'output') await new Promise<void>((resolve) => this.screen.write(item.text, resolve));
      await this.pace();
    }
    this.end = (await stream.end).terminal.process;
  }

  picture(): unknown {
    const picture = pictureOf(this.screen) as { type: string; lines: string[] };
    // One that became smaller before it showed the other buffer keeps lines above that, too; nobody counts on these.
    return picture.type === 'alternate' ? { ...picture, lines: picture.lines.slice(-this.screen.rows) } : picture;
  }
}
