import type { TextSocket } from '../../net/text-socket.ts';

/** Bytes of calls in the socket at most when one more frame of them goes there: what a ping or a result may have before it. */
export const CALL_BUFFER_BYTES = 256 * 1024;
/** UTF-16 units of the hub's frames that wait while it reads no answers. */
const MAX_HELD_LENGTH = 8 * 1024 * 1024;

/**
 * The part of a hub's socket that calls have. They share it with heartbeats and results, which must neither wait behind a long answer nor
 * for a hub that reads none: so what calls send waits here, not in the socket, and where they would stop reading only their own frames stop.
 */
export class CallLane implements TextSocket {
  readonly #socket: TextSocket;
  readonly #onClose: (code: number, reason: string) => void;
  #out: string[] = [];
  #outBytes = 0;
  #held: string[] = [];
  #heldLength = 0;
  #paused = false;
  #ended = false;
  #onText: (text: string) => void = () => undefined;
  #drainListeners: (() => void)[] = [];
  #closeListeners: (() => void)[] = [];

  /** `onClose` is called when calls have a reason to end the connection. */
  constructor(socket: TextSocket, onClose: (code: number, reason: string) => void) {
    this.#socket = socket;
    this.#onClose = onClose;
    socket.onDrain(() => this.#flush());
  }

  send(text: string): void {
    if (this.#ended) return;
    if (this.#out.length === 0 && this.#socket.buffered < CALL_BUFFER_BYTES) {
      this.#socket.send(text);
      return;
    }
    this.#out.push(text);
    this.#outBytes += Buffer.byteLength(text);
  }

  get buffered(): number {
    return this.#socket.buffered + this.#outBytes;
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener);
  }

  onText(listener: (text: string) => void): void {
    this.#onText = listener;
  }

  /** What is no text never comes so far. */
  onBad(): void {}

  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    this.#heldLength = 0;
    for (const text of held) this.receive(text);
  }

  close(code: number, reason: string): void {
    if (!this.#ended) this.#onClose(code, reason);
  }

  /** Takes one frame of the hub that is about calls; false when too much of them waits already. */
  receive(text: string): boolean {
    if (!this.#paused) {
      this.#onText(text);
      return true;
    }
    if (this.#heldLength + text.length > MAX_HELD_LENGTH) return false;
    this.#held.push(text);
    this.#heldLength += text.length;
    return true;
  }

  /** The socket is over. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#out = [];
    this.#outBytes = 0;
    this.#held = [];
    for (const listener of this.#closeListeners) listener();
  }

  #flush(): void {
    while (this.#out.length > 0 && this.#socket.buffered < CALL_BUFFER_BYTES) {
      const text = this.#out.shift() as string;
      this.#outBytes -= Buffer.byteLength(text);
      this.#socket.send(text);
    }
    if (this.#out.length === 0) for (const listener of this.#drainListeners) listener();
  }
}
