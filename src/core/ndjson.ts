const newline = 0x0a;
const carriageReturn = 0x0d;

export interface LineHandlers {
  line: (text: string) => void;
  /** A line that can't be used: too long (reported once, then skipped to its end) or no UTF-8. `bytes`: what came of it, where that is known. */
  bad: (problem: 'too-long' | 'not-utf8', bytes?: Uint8Array) => void;
}

/**
 * Cuts a stream of bytes into lines. A line is decoded whole, so a character split between chunks is no matter; never holds more
 * than `maxLineBytes`. Empty lines are skipped; `\r\n` is taken for `\n`.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  readonly #handlers: LineHandlers;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #parts: Uint8Array[] = [];
  #held = 0;
  #skipping = false;

  constructor(maxLineBytes: number, handlers: LineHandlers) {
    this.#maxLineBytes = maxLineBytes;
    this.#handlers = handlers;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let cut = chunk.indexOf(newline); cut >= 0; cut = chunk.indexOf(newline, start)) {
      this.#add(chunk.subarray(start, cut));
      this.#line();
      start = cut + 1;
    }
    if (start < chunk.length) this.#add(chunk.subarray(start));
  }

  /** The stream has ended: what is left counts as a line. */
  end(): void {
    this.#line();
  }

  #add(part: Uint8Array): void {
    if (this.#skipping || part.length === 0) return;
    if (this.#held + part.length > this.#maxLineBytes) {
      this.#skipping = true;
      this.#parts = [];
      this.#held = 0;
      this.#handlers.bad('too-long');
      return;
    }
    this.#parts.push(part);
    this.#held += part.length;
  }

  #line(): void {
    const bytes = this.#parts.length === 1 ? this.#parts[0] : join(this.#parts, this.#held);
    this.#parts = [];
    this.#held = 0;
    if (this.#skipping) {
      this.#skipping = false;
      return;
    }
    if (bytes === undefined || bytes.length === 0) return;
    let text: string;
    try {
      text = this.#decoder.decode(bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes);
    } catch {
      // The decoder is fatal on purpose: a line with bytes replaced is not what the peer sent.
      this.#handlers.bad('not-utf8', bytes);
      return;
    }
    if (text !== '') this.#handlers.line(text);
  }
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
