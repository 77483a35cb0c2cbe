import { OutriggerError } from '../../contract/errors.ts';

interface Waiting {
  /** undefined: the end of the input. */
  bytes: Uint8Array | undefined;
  taken: () => void;
  refused: (error: unknown) => void;
}

export interface InputOptions {
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  end(): void;
  /** False in a terminal, where the end of a file is a character as others. */
  endsForGood: boolean;
}

/** Input for one program, in the order in which it was given: the next is handed on when the program has room, and what nobody waits for is dropped. */
export class InputQueue {
  readonly #program: InputOptions;
  readonly #waiting: Waiting[] = [];
  #busy = false;
  #closed = false;
  /** Those who asked for the end, and were not refused it. */
  #ends = 0;
  #isOver = false;

  constructor(program: InputOptions) {
    this.#program = program;
  }

  /** Resolves when there is room for more. Throws PROCESS_ENDED, BAD_INPUT after the end, and the signal's reason: what is not handed on by then never is. */
  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (this.#ends > 0) throw new OutriggerError('BAD_INPUT', 'The standard input of the process is closed: nothing can follow its end.');
    await this.#inTurn(bytes, signal);
  }

  /** Behind what waits. Resolves when it is handed on; throws PROCESS_ENDED, and the signal's reason: then the input goes on. */
  async end(signal?: AbortSignal): Promise<void> {
    if (this.#isOver) return;
    // Each waits for itself: who was told of it has it, whoever else asked and went away.
    if (this.#program.endsForGood) this.#ends++;
    try {
      await this.#inTurn(undefined, signal);
    } catch (error) {
      if (this.#program.endsForGood) this.#ends--;
      throw error;
    }
  }

  async #inTurn(bytes: Uint8Array | undefined, signal: AbortSignal | undefined): Promise<void> {
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
      else if (bytes === undefined) {
        if (!this.#isOver) this.#program.end();
        this.#isOver = this.#program.endsForGood;
        taken();
      } else await this.#program.write(bytes).then(taken, refused);
    }
    this.#busy = false;
  }
}

function ended(): OutriggerError {
  return new OutriggerError('PROCESS_ENDED', 'The process ended.');
}
