import { OutriggerError } from '../../contract/errors.ts';

interface Waiting {
  bytes: Uint8Array;
  taken: () => void;
  refused: (error: unknown) => void;
}

/** Input for one program, in the order in which it was given: the next is handed on when the program has room, and what nobody waits for is dropped. */
export class InputQueue {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #waiting: Waiting[] = [];
  #busy = false;
  #closed = false;

  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  /** Resolves when there is room for more. Throws PROCESS_ENDED, and the signal's reason: what is not handed on by then never is. */
  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { bytes, taken: resolve, refused: reject };
    const leave = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    this.#waiting.push(waiting);
    void this.#handOn();
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  /** The program is gone. */
  close(): void {
    this.#closed = true;
    for (const { refused } of this.#waiting.splice(0)) refused(ended());
  }

  async #handOn(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { bytes, taken, refused } = next;
      if (this.#closed) refused(ended());
      else await this.#write(bytes).then(taken, refused);
    }
    this.#busy = false;
  }
}

function ended(): OutriggerError {
  return new OutriggerError('PROCESS_ENDED', 'The process ended.');
}
