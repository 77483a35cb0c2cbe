// Sockets between processes in virtual time (virtual-time.ts). They carry text as TCP does: on one socket nothing comes twice or out of order, so
// only what goes over different sockets overtakes each other; and a socket that lost something never goes on.
import { OutriggerError } from '../../src/contract/errors.ts';
import type { DialedSocket } from '../../src/net/text-socket.ts';
import type { DialOptions } from '../../src/net/websocket.ts';
import type { VirtualProcess, VirtualTime } from './virtual-time.ts';

/** On its way, one frame takes less. */
const MAX_DELAY_MS = 25;
/** Who closes waits so long for the answer. */
const CLOSE_MS = 2000;

export interface NetworkOptions {
  /** The listening side, which may change. */
  hub: () => { process: VirtualProcess; accept: (socket: DialedSocket) => void } | undefined;
  /** The listening side ends a socket of which nothing came for so long. */
  staleMs: number;
  say: (what: string) => void;
  /** A frame is sent. */
  sent: (type: string, link: VirtualProcess) => void;
}

export class VirtualNetwork {
  readonly #time: VirtualTime;
  readonly #options: NetworkOptions;
  readonly #connections = new Set<Connection>();

  constructor(time: VirtualTime, options: NetworkOptions) {
    this.#time = time;
    this.#options = options;
  }

  /** What a link dials with. */
  dial(name: string, link: VirtualProcess, { handshakeTimeoutMs = 10_000 }: DialOptions): Promise<DialedSocket> {
    const time = this.#time;
    return new Promise((resolve, reject) => {
      const refuse = (why: string) => (): void => reject(new OutriggerError('CONNECTION_LOST', why));
      const late = time.after(handshakeTimeoutMs, link, refuse('timeout'));
      time.after(this.#delay(), undefined, () => {
        const hub = this.#options.hub();
        if (hub === undefined) return void time.after(this.#delay(), link, refuse('refused'));
        // One that is stopped answers when it goes on.
        time.after(0, hub.process, () => {
          const connection = new Connection(time, name, { link, hub: hub.process }, this.#options);
          this.#connections.add(connection);
          hub.accept(connection.hub);
          time.after(this.#delay(), link, () => {
            if (late.at <= time.now) return connection.link.cut();
            late.isOff = true;
            resolve(connection.link);
          });
        });
      });
    });
  }

  /** Of the connections that are open, those of one link. */
  of(link: VirtualProcess): Connection[] {
    for (const connection of this.#connections) if (connection.isOver) this.#connections.delete(connection);
    return [...this.#connections].filter(({ processes }) => processes.link === link);
  }

  /** The process ended. `abruptly`: the machine did, so nobody is told, and what was on its way is lost. */
  ended(process: VirtualProcess, abruptly: boolean): void {
    for (const connection of this.#connections)
      if (connection.processes.link === process || connection.processes.hub === process) connection.orphaned(process, abruptly);
  }

  /** Connections that lost something end now. */
  heal(): void {
    for (const connection of this.#connections) connection.heal();
  }

  #delay(): number {
    return this.#time.random.below(MAX_DELAY_MS);
  }
}

type Side = 'link' | 'hub';
type Parcel = { text: string } | { close: { code: number; reason: string } } | { reset: true };

export class Connection {
  readonly link: VirtualSocket;
  readonly hub: VirtualSocket;
  /** What is on its way to this side is lost from now on. */
  readonly lost = { link: false, hub: false };
  /** What goes to this side comes not before. */
  readonly heldUntil = { link: 0, hub: 0 };
  readonly processes: Record<Side, VirtualProcess>;
  readonly #time: VirtualTime;
  readonly #name: string;
  readonly #options: NetworkOptions;
  readonly #lastAt = { link: 0, hub: 0 };
  #heard: number;

  constructor(time: VirtualTime, name: string, processes: Record<Side, VirtualProcess>, options: NetworkOptions) {
    this.#time = time;
    this.#name = name;
    this.#options = options;
    this.#heard = time.now;
    this.processes = processes;
    this.link = new VirtualSocket(this, 'link');
    this.hub = new VirtualSocket(this, 'hub');
    this.#watch();
  }

  get isOver(): boolean {
    return this.link.isOver && this.hub.isOver;
  }

  pass(from: Side, parcel: Parcel): void {
    const to = from === 'link' ? 'hub' : 'link';
    const time = this.#time;
    if ('text' in parcel) {
      this.#options.say(`${this.#name} ${to === 'hub' ? '>' : '<'} ${shortly(parcel.text)}`);
      this.#options.sent((JSON.parse(parcel.text) as { type: string }).type, this.processes.link);
    }
    const at = Math.max(this.#lastAt[to], this.heldUntil[to], time.now + time.random.below(MAX_DELAY_MS));
    this.#lastAt[to] = at;
    time.after(at - time.now, this.processes[to], () => {
      if (this.lost[to]) return;
      if (to === 'hub') this.#heard = time.now;
      this[to].take(parcel);
    });
  }

  /** It happens to one side by itself. */
  later(ms: number, side: Side, run: () => void): void {
    this.#time.after(ms, this.processes[side], run);
  }

  heal(): void {
    this.heldUntil.link = this.heldUntil.hub = 0;
    if (!this.lost.link && !this.lost.hub) return;
    for (const side of ['link', 'hub'] as const) this.later(0, side, () => this[side].end(1006, ''));
  }

  orphaned(process: VirtualProcess, abruptly: boolean): void {
    const dead = process === this.processes.link ? 'link' : 'hub';
    this[dead].isOver = true;
    if (abruptly) this.lost.link = this.lost.hub = true;
    else this.pass(dead, { reset: true });
  }

  /** As the hub's WebSocket server does. */
  #watch(): void {
    const { staleMs } = this.#options;
    this.#time.after(staleMs / 2, this.processes.hub, () => {
      if (this.hub.isOver) return;
      if (this.#time.now - this.#heard < staleMs) this.#watch();
      else this.hub.cut();
    });
  }
}

class VirtualSocket implements DialedSocket {
  readonly buffered = 0;
  isOver = false;
  readonly #connection: Connection;
  readonly #side: Side;
  readonly #onEnd: ((code: number, reason: string) => void)[] = [];
  #onText: (text: string) => void = () => {};
  #waiting: Parcel[] | undefined;
  #closed: { code: number; reason: string } | undefined;

  constructor(connection: Connection, side: Side) {
    this.#connection = connection;
    this.#side = side;
  }

  send(text: string): void {
    if (!this.isOver && this.#closed === undefined) this.#connection.pass(this.#side, { text });
  }
  onDrain(): void {}
  onBad(): void {}
  onText(listener: (text: string) => void): void {
    this.#onText = listener;
  }
  onClose(listener: () => void): void {
    this.#onEnd.push(listener);
  }
  onEnd(listener: (code: number, reason: string) => void): void {
    this.#onEnd.push(listener);
  }
  pause(): void {
    this.#waiting ??= [];
  }
  resume(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const parcel of waiting) this.take(parcel);
  }
  close(code: number, reason: string): void {
    if (this.isOver || this.#closed !== undefined) return;
    this.#closed = { code, reason };
    this.#connection.pass(this.#side, { close: this.#closed });
    this.#connection.later(CLOSE_MS, this.#side, () => this.cut());
  }
  cut(): void {
    if (this.isOver) return;
    this.#connection.pass(this.#side, { reset: true });
    this.end(1006, '');
  }

  /** From the other side. */
  take(parcel: Parcel): void {
    if (this.isOver) return;
    if (this.#waiting !== undefined && !('reset' in parcel)) this.#waiting.push(parcel);
    else if ('text' in parcel) {
      if (this.#closed === undefined) this.#onText(parcel.text);
    } else if ('close' in parcel) {
      if (this.#closed === undefined) this.#connection.pass(this.#side, parcel);
      this.end(parcel.close.code, parcel.close.reason);
    } else this.end(1006, '');
  }

  end(code: number, reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const listener of this.#onEnd) listener(code, reason);
  }
}

/** Without what is drawn anew in each run, such as tokens. */
function shortly(text: string): string {
  const { type, task_id: id = '', generation = '', status = '', error = '', held = [], nack = [], credit = '' } = JSON.parse(text);
  const names = (list: { task_id: string; generation: number; state?: string }[]): string =>
    list.map((one) => `${one.task_id}/${one.generation}${one.state === 'done' ? '!' : ''}`).join(',');
  return [type, id, generation, status, error, credit, names(held), nack.length > 0 ? `nack ${names(nack)}` : ''].join(' ').trim();
}
