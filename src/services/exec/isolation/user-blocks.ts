import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';

export interface UserBlock {
  /** The first user id. */
  from: number;
  count: number;
}

/**
 * Blocks of user ids that sidecars on one machine share out among themselves: the kernel counts what a user runs wherever it runs, and lets
 * its programs signal each other. A block is its sidecar's for as long as that listens on an abstract socket of the block's name, which no kill leaves
 * behind. https://man7.org/linux/man-pages/man7/unix.7.html
 */
export class UserBlocks {
  readonly #blocks: readonly UserBlock[];
  readonly #claims = new Map<UserBlock, Server>();
  #closed = false;

  constructor({ from, count }: UserBlock, size: number) {
    this.#blocks = Array.from({ length: Math.floor(count / size) }, (_, at) => ({ from: from + at * size, count: size }));
  }

  /**
   * A block that nobody else has; where others have all and this has none, one that it shares, as there would be no run at all otherwise; undefined
   * where it has some. It is looked for from any place on, as containers of one machine count their users together and don't see each other's sockets.
   */
  async claim(): Promise<UserBlock | undefined> {
    const start = randomInt(this.#blocks.length);
    const order = [...this.#blocks.slice(start), ...this.#blocks.slice(0, start)];
    for (const block of order) {
      const server = this.#claims.has(block) ? undefined : await listening(`\0outrigger-users-${block.from}`);
      if (server === undefined) continue;
      if (this.#closed) server.close();
      else this.#claims.set(block, server);
      return block;
    }
    return this.#claims.size === 0 ? order[0] : undefined;
  }

  close(): void {
    this.#closed = true;
    for (const server of this.#claims.values()) server.close();
    this.#claims.clear();
  }
}

/** Undefined where the name is taken, or there are no such sockets. */
function listening(path: string): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.unref();
    server.once('error', () => resolve(undefined));
    server.listen({ path, exclusive: true }, () => resolve(server));
  });
}
