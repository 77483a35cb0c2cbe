import { BoundedQueue } from './bounded-queue.ts';

/** Frames of one stream that may be under way unconsumed; both sides of the wire know it. */
export const windowFrames = 16;
/** Items of one `items` frame together, UTF-16 units of JSON; a larger item has a frame of its own. */
const maxItemsLength = 64 * 1024;
/** Raw bytes of one `bytes` frame. */
export const maxBytesLength = 64 * 1024;

/** How a stream reaches the wire. */
export interface StreamLink {
  sendItems(items: readonly string[]): void;
  sendBytes(bytes: Uint8Array): void;
  /** False while the socket has too much queued; `pump` is called when that is over. */
  writable(): boolean;
  /** Runs it later in this turn of the event loop, so that what is emitted together travels together. */
  soon(run: () => void): void;
}

type Batch = { items: string[]; length: number } | Uint8Array;

/**
 * The sending end of one stream: items of a tick become one frame, bytes are cut, and nothing is sent beyond the receiver's
 * credit. Holds what one `emit` brought beyond that, and the promise it returned says when to go on.
 */
export class StreamSender {
  readonly #link: StreamLink;
  #credit = windowFrames;
  #pending: Batch[] = [];
  #scheduled = false;
  #waiting: (() => void)[] = [];
  #dropped = false;

  constructor(link: StreamLink) {
    this.#link = link;
  }

  /** `text` is one item as JSON. A promise when the receiver has no room; it settles when it has, or when the stream is over. */
  item(text: string): Promise<void> | undefined {
    if (this.#dropped) return undefined;
    const last = this.#pending.at(-1);
    if (last !== undefined && !(last instanceof Uint8Array) && last.length + text.length <= maxItemsLength) {
      last.items.push(text);
      last.length += text.length + 1;
    } else {
      this.#pending.push({ items: [text], length: text.length });
    }
    if (this.#pending.length > 1) this.#send(1);
    if (this.#pending.length > 0 && !this.#scheduled) {
      this.#scheduled = true;
      this.#link.soon(() => {
        this.#scheduled = false;
        this.pump();
      });
    }
    return this.#room();
  }

  /** As `item`, for bytes; what is given is sent or copied to text before the returned promise settles. */
  bytes(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#dropped) return undefined;
    for (let at = 0; at < chunk.length; at += maxBytesLength) this.#pending.push(chunk.subarray(at, at + maxBytesLength));
    this.pump();
    return this.#room();
  }

  /** Settles when all is sent or dropped. */
  drained(): Promise<void> | undefined {
    this.pump();
    return this.#pending.length === 0 ? undefined : this.#wait();
  }

  grant(credit: number): void {
    this.#credit = Math.min(this.#credit + credit, Number.MAX_SAFE_INTEGER);
    this.pump();
  }

  /** Sends what credit and socket allow. */
  pump(): void {
    this.#send(0);
    if (this.#pending.length > 0 || this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  /** The stream is over for the receiver: forgets what is left and lets everyone go. */
  drop(): void {
    this.#dropped = true;
    this.#pending = [];
    this.pump();
  }

  #send(keep: number): void {
    while (this.#pending.length > keep && this.#credit > 0 && this.#link.writable()) {
      const batch = this.#pending.shift() as Batch;
      this.#credit--;
      if (batch instanceof Uint8Array) this.#link.sendBytes(batch);
      else this.#link.sendItems(batch.items);
    }
  }

  #room(): Promise<void> | undefined {
    if (this.#pending.length === 0 || (this.#pending.length === 1 && this.#credit > 0 && this.#link.writable())) return undefined;
    return this.#wait();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }
}

/** The receiving end: hands out what came and grants credit as it is consumed. */
export class StreamReceiver<T> {
  readonly #queue = new BoundedQueue<T>(windowFrames);
  readonly #grant: (credit: number) => void;
  #consumed = 0;
  #over = false;

  constructor(grant: (credit: number) => void) {
    this.#grant = grant;
  }

  /** More may come. */
  get open(): boolean {
    return !this.#over;
  }

  /** False when the sender sent more than it had credit for. */
  push(frame: T): boolean {
    return this.#queue.push(frame);
  }

  end(): void {
    this.#over = true;
    this.#queue.end();
  }

  fail(error: unknown): void {
    this.#over = true;
    this.#queue.fail(error);
  }

  clear(): void {
    this.#queue.clear();
  }

  async take(): Promise<IteratorResult<T, undefined>> {
    const step = await this.#queue.take();
    if (step.done !== true && !this.#over) {
      this.#consumed++;
      // In halves of the window: one credit frame for many, and the sender never has to stop for one that is on its way.
      if (this.#consumed >= windowFrames / 2) {
        this.#grant(this.#consumed);
        this.#consumed = 0;
      }
    }
    return step;
  }
}
