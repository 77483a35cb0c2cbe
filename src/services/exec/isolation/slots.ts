import { OutriggerError } from '../../../contract/errors.ts';

interface Held {
  uid: number;
  /** Runs in it now. */
  runs: number;
}

/**
 * Users for runs. A folder keeps its user as long as others are free, and all that runs in a folder is one user; two folders never share one
 * at the same time.
 */
export class Slots {
  readonly #free: number[];
  /** By folder, the one that was used last at the end. */
  readonly #held = new Map<string, Held>();

  constructor(from: number, count: number) {
    this.#free = Array.from({ length: count }, (_, at) => from + count - 1 - at);
  }

  /** Throws TOO_MANY_PROCESSES where all are in use. */
  take(folder: string): { uid: number; release: () => void } {
    const held = this.#held.get(folder) ?? { uid: this.#free.pop() ?? this.#leave(), runs: 0 };
    this.#held.delete(folder);
    this.#held.set(folder, held);
    held.runs += 1;
    let released = false;
    return {
      uid: held.uid,
      release: () => {
        if (!released) held.runs -= 1;
        released = true;
      },
    };
  }

  /** Takes the user of the folder that was not used for longest. */
  #leave(): number {
    for (const [folder, { uid, runs }] of this.#held) {
      if (runs > 0) continue;
      this.#held.delete(folder);
      return uid;
    }
    throw new OutriggerError('TOO_MANY_PROCESSES', 'All users for runs are in use.');
  }
}
