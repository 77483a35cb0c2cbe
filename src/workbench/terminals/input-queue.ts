/** Of one call, characters. */
const maxPiece = 64 * 1024;

/** What is typed goes out in its order, one call at a time; what was typed meanwhile goes with the next. */
export class InputQueue {
  readonly #send: (text: string) => Promise<unknown>;
  readonly #onProblem: (error: unknown) => void;
  #waiting = '';
  #busy = false;

  constructor(send: (text: string) => Promise<unknown>, onProblem: (error: unknown) => void) {
    this.#send = send;
    this.#onProblem = onProblem;
  }

  add(text: string): void {
    this.#waiting += text;
    if (!this.#busy) void this.#run();
  }

  /** What did not go out is dropped: typed blindly, it would arrive at a moment that nobody chose. */
  clear(): void {
    this.#waiting = '';
  }

  async #run(): Promise<void> {
    this.#busy = true;
    while (this.#waiting !== '') {
      const end = endOfPiece(this.#waiting);
      const piece = this.#waiting.slice(0, end);
      this.#waiting = this.#waiting.slice(end);
      try {
        await this.#send(piece);
      } catch (error) {
        this.clear();
        this.#onProblem(error);
      }
    }
    this.#busy = false;
  }
}

function endOfPiece(text: string): number {
  if (text.length <= maxPiece) return text.length;
  const code = text.charCodeAt(maxPiece - 1);
  return code >= 0xd800 && code < 0xdc00 ? maxPiece - 1 : maxPiece;
}
