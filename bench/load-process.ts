import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { FillOrder, JoinOrder, TypingOrder } from './document-load.ts';

/** One process that makes the load of document-load.ts. */
export class Load {
  readonly #child = fork(path.join(import.meta.dirname, 'document-load.ts'));
  readonly #ended = once(this.#child, 'exit').then(([code]) => Promise.reject(new Error(`The load ended with ${code}.`)));

  constructor() {
    this.#ended.catch(() => undefined);
  }

  async order<T>(order: TypingOrder | FillOrder | JoinOrder): Promise<T> {
    this.#child.send(order);
    const [answer] = (await Promise.race([once(this.#child, 'message'), this.#ended])) as [{ result?: T; error?: string }];
    if (answer.result === undefined) throw new Error(answer.error);
    return answer.result;
  }

  stop(): void {
    this.#child.kill();
  }
}
