import { OutriggerError } from '../../contract/errors.ts';

const WITHIN_MS = 10_000;

/**
 * While git changes files of the folder, nothing of ours is put among them. It looks at a file, and puts another in its place a moment later: what came
 * there in between would be gone, and nobody would know of it. What was typed waits in its document, and is merged with what git put there.
 */
export class Standstill {
  #count = 0;
  #over = Promise.withResolvers<void>();

  get isOn(): boolean {
    return this.#count > 0;
  }

  /** Gives the way to end it, which may be taken more than once. */
  begin(): () => void {
    if (this.#count++ === 0) this.#over = Promise.withResolvers();
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      if (--this.#count === 0) this.#over.resolve();
    };
  }

  /** Resolves when there is none. Rejects with BUSY_FILE when it takes long, or the reason of `signal`: a hook of git's may wait for us. */
  async over(signal?: AbortSignal, withinMs = WITHIN_MS): Promise<void> {
    const untilMs = performance.now() + withinMs;
    while (this.isOn) await this.#wait(untilMs - performance.now(), signal);
  }

  #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const aborted = (): void => reject(signal?.reason as Error);
    const late = (): void => reject(new OutriggerError('BUSY_FILE', 'git is at work in the folder; try again when it is done.'));
    const timer = setTimeout(late, ms);
    signal?.addEventListener('abort', aborted, { once: true });
    void this.#over.promise.then(resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', aborted);
    });
  }
}
