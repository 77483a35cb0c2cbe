import type { ByteChannel } from '../../src/contract/wire.ts';

/** A socket of documents without a wire: the test is the other side. */
export class FakeChannel implements ByteChannel {
  /** What was sent, message by message. */
  readonly sent: Uint8Array[] = [];
  /** Codes it was closed with. */
  readonly closes: number[] = [];
  buffered = 0;
  #drain: () => void = () => undefined;
  #message: (message: Uint8Array) => void = () => undefined;
  readonly #closed: ((code: number) => void)[] = [];

  /** As the other side does. */
  say(message: Uint8Array): void {
    this.#message(message);
  }

  /** The other side goes. */
  leave(): void {
    for (const listener of this.#closed) listener(1000);
  }

  /** The other side has taken all that was queued. */
  drain(): void {
    this.buffered = 0;
    this.#drain();
  }

  send({ messages }: { messages: readonly Uint8Array[] }): void {
    this.sent.push(...messages);
  }

  onDrain(listener: () => void): void {
    this.#drain = listener;
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#message = listener;
  }

  onClose(listener: (code: number) => void): void {
    this.#closed.push(listener);
  }

  pause(): void {}

  resume(): void {}

  close(code: number): void {
    this.closes.push(code);
  }
}
