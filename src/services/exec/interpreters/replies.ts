import { type Facts, Marks } from './marks.ts';

type Stream = 'stdout' | 'stderr';

/**
 * What a driver answers to one order: that the code is done, and after that what became of its variables. Either is heard on both streams,
 * so that nothing that was written before is still on its way. Undefined: its interpreter ended before.
 */
export class Replies {
  readonly done: Promise<Facts | undefined>;
  readonly kept: Promise<Facts | undefined>;
  readonly #token: string;
  readonly #resolvers: readonly ((facts: Facts | undefined) => void)[];
  readonly #marks: Record<Stream, Marks>;
  readonly #heard: Record<Stream, Facts[]> = { stdout: [], stderr: [] };

  constructor(token: string) {
    const [done, kept] = [Promise.withResolvers<Facts | undefined>(), Promise.withResolvers<Facts | undefined>()];
    this.#token = token;
    this.done = done.promise;
    this.kept = kept.promise;
    this.#resolvers = [done.resolve, kept.resolve];
    this.#marks = { stdout: new Marks(token), stderr: new Marks(token) };
  }

  get isKept(): boolean {
    return this.#count > 1;
  }

  /** Gives what is of the code: what came before it was done on this stream. */
  take(stream: Stream, text: string): (string | Facts)[] {
    const ofCode: (string | Facts)[] = [];
    for (const part of this.#marks[stream].take(text)) {
      if (typeof part !== 'string' && part.done !== undefined) this.#hear(stream, part);
      else if (!this.#isPast(stream)) ofCode.push(part);
    }
    return ofCode;
  }

  /** What was held and is no mark was the code's own; a mark that was cut off in the middle is not. */
  rest(stream: Stream): string {
    if (this.#isPast(stream)) return '';
    const rest = this.#marks[stream].rest();
    return rest.includes(this.#token) ? '' : rest;
  }

  /** No more comes. */
  end(): void {
    for (const resolve of this.#resolvers) resolve(undefined);
  }

  get #count(): number {
    return Math.min(this.#heard.stdout.length, this.#heard.stderr.length);
  }

  #isPast(stream: Stream): boolean {
    return this.#heard[stream].length > 0;
  }

  #hear(stream: Stream, facts: Facts): void {
    const before = this.#count;
    this.#heard[stream].push(facts);
    const heard = this.#heard.stdout[before];
    if (this.#count > before && heard !== undefined) this.#resolvers[before]?.(heard);
  }
}
