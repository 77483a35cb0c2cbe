const LINE_FEED = 10;
const QUOTE = 34;
const BACKSLASH = 92;
const LETTER_U = 117;
const COMMA = 44;
const LIST = 91;
const LIST_END = 93;
const OBJECT = 123;
const OBJECT_END = 125;

const FIRST_KEPT_BYTES = 64 * 1024;

export interface RgMessagesOptions {
  /** A message up to this length comes whole. */
  maxBytes: number;
  /** Of a longer one, each string (a key as well) keeps so much of its beginning, */
  maxStringBytes: number;
  /** and as many elements of its lists as fit into this together. */
  maxListBytes: number;
}

/** `shortened`: strings or lists of it lack their ends. */
export interface RgMessageText {
  json: string;
  shortened: boolean;
}

const defaults: RgMessagesOptions = { maxBytes: 1024 * 1024, maxStringBytes: 1024 * 1024, maxListBytes: 2 * 1024 * 1024 };

/**
 * Splits what ripgrep prints into its messages, one in each line. A line of 100 MB comes as a message of that size, which is shortened
 * while it comes: what is held has a bound, whatever is searched.
 */
export class RgMessages {
  readonly #options: RgMessagesOptions;
  #parts: Buffer[] = [];
  #length = 0;
  #shortener: JsonShortener | undefined;

  constructor(options: Partial<RgMessagesOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  /** The messages that end in this chunk. */
  push(chunk: Buffer): RgMessageText[] {
    const messages: RgMessageText[] = [];
    let at = 0;
    for (let feed = chunk.indexOf(LINE_FEED); feed >= 0; feed = chunk.indexOf(LINE_FEED, at)) {
      this.#add(chunk.subarray(at, feed));
      messages.push(this.#take());
      at = feed + 1;
    }
    this.#add(chunk.subarray(at));
    return messages;
  }

  #add(part: Buffer): void {
    if (this.#shortener === undefined && this.#length + part.length > this.#options.maxBytes) {
      this.#shortener = new JsonShortener(this.#options);
      for (const earlier of this.#parts) this.#shortener.push(earlier);
      this.#parts = [];
    }
    this.#length += part.length;
    if (this.#shortener !== undefined) this.#shortener.push(part);
    else if (part.length > 0) this.#parts.push(part);
  }

  #take(): RgMessageText {
    const message =
      this.#shortener === undefined
        ? { json: Buffer.concat(this.#parts).toString(), shortened: false }
        : { json: this.#shortener.text(), shortened: true };
    this.#parts = [];
    this.#length = 0;
    this.#shortener = undefined;
    return message;
  }
}

/** Copies well-formed JSON, but for the ends of long strings and long lists; what comes out is well-formed. */
class JsonShortener {
  readonly #options: RgMessagesOptions;
  #kept = Buffer.allocUnsafe(FIRST_KEPT_BYTES);
  #keptBytes = 0;
  #inString = false;
  /** The byte before was a backslash that escapes what comes. */
  #escapes = false;
  /** Digits of `\u0000` that are still to come. */
  #digits = 0;
  #stringBytes = 0;
  #stringIsFull = false;
  /** For each open bracket what was kept before it; undefined for one of an object. */
  readonly #open: (number | undefined)[] = [];
  /** How deep the list lies whose rest is passed over; 0 when none is. */
  #passesOver = 0;

  constructor(options: RgMessagesOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) at = this.#inString ? this.#string(chunk, at) : this.#structure(chunk, at);
  }

  text(): string {
    return this.#kept.toString('utf8', 0, this.#keptBytes);
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    if (this.#passesOver > 0 || from >= to) return;
    const needed = this.#keptBytes + to - from;
    if (needed > this.#kept.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#kept.length));
      this.#kept.copy(larger, 0, 0, this.#keptBytes);
      this.#kept = larger;
    }
    chunk.copy(this.#kept, this.#keptBytes, from, to);
    this.#keptBytes = needed;
  }

  /** Gives where the string, or the chunk, ends. */
  #string(chunk: Buffer, from: number): number {
    if (this.#stringIsFull) return this.#restOfString(chunk, from);
    let at = from;
    for (; at < chunk.length; at++, this.#stringBytes++) {
      const byte = chunk[at] as number;
      if (this.#digits > 0) this.#digits--;
      else if (this.#escapes) {
        this.#escapes = false;
        if (byte === LETTER_U) this.#digits = 4;
      } else if (byte === QUOTE) {
        this.#keep(chunk, from, at + 1);
        this.#inString = false;
        return at + 1;
      } else if (this.#stringBytes >= this.#options.maxStringBytes && isFirstOfCharacter(byte)) {
        // Here neither a character nor an escape is torn apart.
        this.#stringIsFull = true;
        break;
      } else if (byte === BACKSLASH) this.#escapes = true;
    }
    this.#keep(chunk, from, at);
    return at;
  }

  #restOfString(chunk: Buffer, from: number): number {
    let at = from;
    if (this.#escapes) {
      this.#escapes = false;
      at++;
    }
    for (let next = chunk.indexOf(QUOTE, at); next >= 0; next = chunk.indexOf(QUOTE, next + 1)) {
      if (backslashesBefore(chunk, next, at) % 2 === 1) continue;
      this.#keep(chunk, next, next + 1);
      this.#inString = false;
      return next + 1;
    }
    this.#escapes = backslashesBefore(chunk, chunk.length, at) % 2 === 1;
    return chunk.length;
  }

  /** Gives where a string begins, or the chunk ends. */
  #structure(chunk: Buffer, from: number): number {
    let start = from;
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte === QUOTE) {
        this.#keep(chunk, start, at + 1);
        this.#inString = true;
        this.#stringBytes = 0;
        this.#stringIsFull = this.#passesOver > 0;
        return at + 1;
      }
      if (byte === LIST || byte === OBJECT) this.#open.push(byte === LIST ? this.#keptBytes : undefined);
      else if (byte === LIST_END || byte === OBJECT_END) {
        if (this.#passesOver === this.#open.length) {
          this.#passesOver = 0;
          start = at;
        }
        this.#open.pop();
      } else if (byte === COMMA && this.#passesOver === 0) {
        const listFrom = this.#open.at(-1);
        if (listFrom === undefined || this.#keptBytes - listFrom < this.#options.maxListBytes) continue;
        this.#keep(chunk, start, at);
        this.#passesOver = this.#open.length;
      }
    }
    this.#keep(chunk, start, chunk.length);
    return chunk.length;
  }
}

/** Of a character in UTF-8. */
function isFirstOfCharacter(byte: number): boolean {
  return (byte & 0xc0) !== 0x80;
}

function backslashesBefore(chunk: Buffer, end: number, start: number): number {
  let at = end;
  while (at > start && chunk[at - 1] === BACKSLASH) at--;
  return end - at;
}
