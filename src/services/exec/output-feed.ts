import type { CodeItem } from '../../contract/code.ts';

/** With more than this on its way to the caller, the program is held back, characters. */
const MAX_BEHIND = 256 * 1024;
/** What an item takes beside its text, in the same unit: a program may write each byte by itself. */
const ITEM_COST = 256;

type Stream = 'stdout' | 'stderr';

export interface FeedOptions {
  stage: 'compile' | 'run';
  emit: (item: CodeItem) => Promise<void> | void;
  /** Sees all text, in order, and '' at the end; what it answers is sent instead. */
  filter?: (stream: Stream, text: string, isLast: boolean) => readonly (string | CodeItem)[];
}

/** Of what a program writes, where a mark of the byte order is a character as all others. */
export function outputDecoder(): TextDecoder {
  return new TextDecoder('utf-8', { ignoreBOM: true });
}

/** What a program writes, on its way to the caller: in order, at the caller's pace, and never in the middle of a character. */
export class OutputFeed {
  /** Bytes that came, but for those that the filter kept. */
  readonly bytes: Record<Stream, number> = { stdout: 0, stderr: 0 };
  readonly #options: FeedOptions;
  readonly #decoders = { stdout: outputDecoder(), stderr: outputDecoder() };
  #flow: { pause(): void; resume(): void } | undefined;
  #behind = 0;
  #isHeld = false;
  #sent: Promise<void> = Promise.resolve();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Who is to be held back. */
  control(flow: { pause(): void; resume(): void }): void {
    this.#flow = flow;
    if (this.#isHeld) flow.pause();
  }

  push(stream: Stream, bytes: Uint8Array): void {
    this.bytes[stream] += bytes.length;
    this.#send(stream, this.#decoders[stream].decode(bytes, { stream: true }), false);
  }

  /** Resolves when all was sent. Rejects with what `emit` did. */
  async end(): Promise<void> {
    for (const stream of ['stdout', 'stderr'] as const) this.#send(stream, this.#decoders[stream].decode(), true);
    await this.#sent;
  }

  #send(stream: Stream, decoded: string, isLast: boolean): void {
    const { filter } = this.#options;
    if (filter === undefined) return this.#sendText(stream, decoded);
    const parts = filter(stream, decoded, isLast);
    const kept = parts.reduce((sum, part) => sum + (typeof part === 'string' ? Buffer.byteLength(part) : 0), 0);
    this.bytes[stream] += kept - Buffer.byteLength(decoded);
    for (const part of parts) {
      if (typeof part === 'string') this.#sendText(stream, part);
      else this.#queue(part, ITEM_COST);
    }
  }

  #sendText(stream: Stream, text: string): void {
    if (text !== '') this.#queue({ type: 'output', stage: this.#options.stage, stream, text }, text.length + ITEM_COST);
  }

  #queue(item: CodeItem, length: number): void {
    this.#behind += length;
    if (this.#behind > MAX_BEHIND && !this.#isHeld) {
      this.#isHeld = true;
      this.#flow?.pause();
    }
    this.#sent = this.#sent.then(async () => {
      await this.#options.emit(item);
      this.#behind -= length;
      if (!this.#isHeld || this.#behind > MAX_BEHIND / 2) return;
      this.#isHeld = false;
      this.#flow?.resume();
    });
    // Heard at the end; who does not take it any more does not hold the program back.
    this.#sent.catch(() => {
      this.#behind = Number.NEGATIVE_INFINITY;
      if (this.#isHeld) this.#flow?.resume();
      this.#isHeld = false;
    });
  }
}
