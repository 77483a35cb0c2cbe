import { Readable } from 'node:stream';

/** Output that the agent may have sent and nobody read yet, and at most half as much again. */
const windowBytes = 256 * 1024;

export interface AgentOutputDependencies {
  /** Lets so many more bytes come. */
  credit(bytes: number): void;
  /** Nobody reads it any more. */
  closed(): void;
}

/** One stream of output of a program behind an agent. What is not read earns the agent no credit, which holds the program back. */
export class AgentOutput extends Readable {
  readonly #dependencies: AgentOutputDependencies;
  /** Granted, and not come yet. */
  #outstanding = 0;
  #ended = false;

  constructor(dependencies: AgentOutputDependencies) {
    super({ highWaterMark: windowBytes / 2 });
    this.#dependencies = dependencies;
  }

  /** Nothing is to come any more; there may be something to read. */
  get isOver(): boolean {
    return this.#ended;
  }

  /** Throws an Error for more than there was credit for: nothing else bounds what is kept here. */
  received(bytes: Buffer): void {
    if (bytes.length > this.#outstanding) throw new Error('more output than there is credit for');
    this.#outstanding -= bytes.length;
    if (!this.#ended && !this.destroyed) this.push(bytes);
  }

  /** The program closed it, or the connection is gone; what came can be read still. */
  end(): void {
    if (this.#ended || this.destroyed) return;
    this.#ended = true;
    this.push(null);
  }

  override _read(): void {
    // Asked once, Node asks again only after something came: without credit under way there has to be some now.
    const least = this.#outstanding === 0 ? windowBytes / 2 : 0;
    const more = Math.max(least, windowBytes - this.#outstanding - this.readableLength);
    // Few frames for much: half of the window at a time.
    if (this.#ended || more < windowBytes / 2) return;
    this.#outstanding += more;
    this.#dependencies.credit(more);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const early = !this.#ended;
    this.#ended = true;
    if (early) this.#dependencies.closed();
    done(error);
  }
}
