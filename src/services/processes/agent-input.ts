import { inputWindowBytes } from './agent-wire.ts';

/** Input for a program behind an agent: as much as the agent has room for, the rest waits here with who gave it. */
export class AgentInput {
  readonly #send: (bytes: Uint8Array) => void;
  readonly #sendEnd: () => void;
  #credit = inputWindowBytes;
  #waiting: { bytes: Uint8Array; taken: () => void }[] = [];
  #state: 'open' | 'ending' | 'closed' = 'open';

  constructor(send: (bytes: Uint8Array) => void, sendEnd: () => void) {
    this.#send = send;
    this.#sendEnd = sendEnd;
  }

  /** Resolves when the agent has all of it, and when it is dropped as nobody reads it any more. */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#state !== 'open' || bytes.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ bytes, taken: resolve });
      this.#flush();
    });
  }

  /** After what is waiting. */
  end(): void {
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#flush();
  }

  /** The program took so much. */
  taken(bytes: number): void {
    this.#credit = Math.min(inputWindowBytes, this.#credit + bytes);
    this.#flush();
  }

  /** Nobody reads it any more. */
  close(): void {
    this.#state = 'closed';
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { taken } of waiting) taken();
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#credit > 0; first = this.#waiting[0]) {
      const piece = first.bytes.subarray(0, this.#credit);
      this.#credit -= piece.length;
      this.#send(piece);
      first.bytes = first.bytes.subarray(piece.length);
      if (first.bytes.length > 0) return;
      this.#waiting.shift();
      first.taken();
    }
    if (this.#state !== 'ending' || this.#waiting.length > 0) return;
    this.#state = 'closed';
    this.#sendEnd();
  }
}
