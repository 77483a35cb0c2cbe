import { OutriggerError } from '../../../contract/errors.ts';
import type { UserBlock } from './user-blocks.ts';

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
  readonly #claim: () => Promise<UserBlock | undefined>;
  readonly #free: number[] = [];
  /** By folder, the one that was used last at the end. */
  readonly #held = new Map<string, Held>();
  #claiming: Promise<boolean> | undefined;

  /** `claim`: more users, as long as there are some. */
  constructor(claim: () => Promise<UserBlock | undefined>) {
    this.#claim = claim;
  }

  /** Rejects with TOO_MANY_PROCESSES where all are in use. */
  async take(folder: string): Promise<{ uid: number; release: () => void }> {
    let held = this.#heldFor(folder);
    while (held === undefined) {
      this.#claiming ??= this.#grow().finally(() => {
        this.#claiming = undefined;
      });
      if (!(await this.#claiming)) throw new OutriggerError('TOO_MANY_PROCESSES', 'All users for runs are in use.');
      held = this.#heldFor(folder);
    }
    const { uid } = held;
    let released = false;
    return {
      uid,
      release: () => {
        if (!released) held.runs -= 1;
        released = true;
      },
    };
  }

  #heldFor(folder: string): Held | undefined {
    const uid = this.#held.get(folder)?.uid ?? this.#free.pop() ?? this.#leave();
    if (uid === undefined) return undefined;
    const held = this.#held.get(folder) ?? { uid, runs: 0 };
    this.#held.delete(folder);
    this.#held.set(folder, held);
    held.runs += 1;
    return held;
  }

  /** Takes the user of the folder that was not used for longest. */
  #leave(): number | undefined {
    for (const [folder, { uid, runs }] of this.#held) {
      if (runs > 0) continue;
      this.#held.delete(folder);
      return uid;
    }
    return undefined;
  }

  async #grow(): Promise<boolean> {
    const block = await this.#claim();
    if (block !== undefined) for (let at = block.count - 1; at >= 0; at--) this.#free.push(block.from + at);
    return block !== undefined;
  }
}
