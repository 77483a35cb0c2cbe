import type { Caller } from '../../contract/access.ts';
import type { OutriggerError } from '../../contract/errors.ts';
import type { Batch, ByteChannel } from '../../contract/wire.ts';
import { addressed, syncStatusMessage, types } from './messages.ts';

/** The socket that a channel is one of many on. */
export interface SharedSocket {
  readonly buffered: number;
  send(batch: Batch): void;
  /** Nothing is read while there is a reason not to. */
  pause(reason: object): void;
  resume(reason: object): void;
  /** The document ended the channel. */
  ended(channel: DocumentChannel, code: number, reason: string): void;
}

export interface Opened {
  caller: Caller;
  scope: 'readonly' | 'read-write';
}

/** Batches go to many sockets: with the same address in front, they are the same bytes for all of them. */
const byAddress = new WeakMap<Batch, Map<string, Batch>>();
/** What is told and not read by so much holds up what is read. */
export const MAX_UNREAD_BYTES = 1024 * 1024;
/** What comes before the document is open waits here up to so much, and then in the kernel. */
const MAX_WAITING_BYTES = 256 * 1024;

/** One document on a socket that carries many: messages go with its address in front. */
export class DocumentChannel implements ByteChannel {
  readonly address: string;
  readonly #socket: SharedSocket;
  readonly #controller = new AbortController();
  readonly #closeListeners: ((code: number) => void)[] = [];
  readonly #drainListeners: (() => void)[] = [];
  #listener: ((message: Uint8Array) => void) | undefined;
  /** What came before the document was open. */
  #waiting: Uint8Array[] | undefined = [];
  #waitingBytes = 0;
  readonly #tooEarly = {};
  readonly #unread = {};
  #opened: Opened | undefined;
  #closedWith: number | undefined;
  #untold: boolean[] = [];

  constructor(address: string, socket: SharedSocket) {
    this.address = address;
    this.#socket = socket;
  }

  /** The document that it is for. */
  get path(): string {
    const end = this.address.indexOf('\0');
    return end < 0 ? this.address : this.address.slice(0, end);
  }

  /** Aborted when the channel ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Undefined until the document is open. */
  get opened(): Opened | undefined {
    return this.#opened;
  }

  /** Passes on what came until now, and all that comes. */
  begin(opened: Opened): void {
    this.#opened = opened;
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) if (!this.signal.aborted) this.#listener?.(message);
    this.#socket.resume(this.#tooEarly);
  }

  /** A message of the client, without its address. */
  receive(message: Uint8Array): void {
    if (this.#waiting === undefined) return this.#listener?.(message);
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    if (this.#waitingBytes > MAX_WAITING_BYTES) this.#socket.pause(this.#tooEarly);
  }

  /** It is over, whoever ended it. */
  end(code: number, problem: OutriggerError): void {
    if (this.#closedWith !== undefined) return;
    this.#closedWith = code;
    this.#waiting = [];
    for (const reason of [this, this.#tooEarly, this.#unread]) this.#socket.resume(reason);
    for (const listener of this.#closeListeners) queueMicrotask(() => listener(code));
    this.#controller.abort(problem);
  }

  /** The socket has nothing queued any more. */
  drained(): void {
    this.#socket.resume(this.#unread);
    for (const listener of this.#drainListeners) listener();
  }

  // ── ByteChannel ──────────────────────────────────────────────────────────────────────────────────────────────────────

  get buffered(): number {
    return this.#socket.buffered;
  }

  send(batch: Batch): void {
    if (this.#closedWith !== undefined) return;
    this.#socket.send(this.#addressed(batch));
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener);
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#listener = listener;
  }

  onClose(listener: (code: number) => void): void {
    const code = this.#closedWith;
    if (code === undefined) this.#closeListeners.push(listener);
    else queueMicrotask(() => listener(code));
  }

  pause(): void {
    this.#socket.pause(this);
  }

  resume(): void {
    this.#socket.resume(this);
  }

  close(code: number, reason: string): void {
    if (this.#closedWith === undefined) this.#socket.ended(this, code, reason);
  }

  stored(isStored: boolean): void {
    this.#untold.push(isStored);
    if (this.#untold.length === 1) queueMicrotask(() => this.#tellStored());
  }

  /** All of a turn in one write. Who reads none of it is not read from either. */
  #tellStored(): void {
    const untold = this.#untold;
    this.#untold = [];
    if (this.#closedWith !== undefined) return;
    const [stored, refused] = [syncStatusMessage(this.address, true), syncStatusMessage(this.address, false)];
    this.#socket.send({ messages: untold.map((isStored) => (isStored ? stored : refused)) });
    if (this.buffered > MAX_UNREAD_BYTES) this.#socket.pause(this.#unread);
  }

  #addressed(batch: Batch): Batch {
    const known = byAddress.get(batch) ?? new Map<string, Batch>();
    byAddress.set(batch, known);
    let mine = known.get(this.address);
    if (mine === undefined) {
      // Which access it has, a client of this wire was told when it came, and with each update that is not taken.
      const messages = batch.messages.filter(([type]) => type !== types.auth);
      mine = { messages: messages.map((message) => addressed(this.address, message)) };
      known.set(this.address, mine);
    }
    return mine;
  }
}
