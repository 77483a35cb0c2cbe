import { readJson } from '../../../core/json-text.ts';

/** What a driver tells of itself, of what is well-formed: a program can play the driver, in its own session alone. */
export interface Facts {
  done?: number;
  state?: string;
  lost?: string[];
  tooLarge?: boolean;
  /** The state is the one that was told before. */
  same?: boolean;
  /** It can't go on: its code left something to be done that would be done in its next run. */
  ends?: boolean;
  display?: Record<string, string>;
}

/** So many may be on their way at once in pieces: of the threads and children of a program. */
const JOINED_AT_ONCE = 64;

/** What is joined of them is no more than what comes of a program with one order, which is bounded. */
interface Piece {
  part: string;
  by: string;
  isLast: boolean;
}

/**
 * Takes what a driver tells of itself out of what its program writes: JSON between two U+001E, after a token that nobody else knows. What is
 * longer than is written at once, while threads and children of the program write as well, comes in pieces: `{"part": text, "by"?: writer}`, the
 * last of them with `"last": true`; those of one writer make the JSON.
 */
export class Marks {
  readonly #start: string;
  readonly #joined = new Map<string, string[]>();
  /** The start of a mark, and what came of it so far: pieces, of which there may be thousands. */
  #held: string[] = [];
  #isInside = false;

  constructor(token: string) {
    this.#start = `\u001e${token}`;
  }

  /** Gives what the program wrote and what its driver told, in order; the start of a mark is held until its end has come. */
  take(text: string): (string | Facts)[] {
    const parts: (string | Facts)[] = [];
    let rest = text;
    while (rest !== '') {
      if (!this.#isInside) {
        rest = this.rest() + rest;
        const at = this.#startIn(rest);
        if (at > 0) parts.push(rest.slice(0, at));
        rest = rest.slice(at);
        if (rest === '') return parts;
        this.#isInside = rest.length >= this.#start.length;
        this.#held = [rest.slice(0, this.#start.length)];
        if (!this.#isInside) return parts;
        rest = rest.slice(this.#start.length);
      }
      const end = rest.indexOf('\u001e');
      this.#held.push(end < 0 ? rest : rest.slice(0, end));
      if (end < 0) return parts;
      rest = rest.slice(end + 1);
      const facts = this.#factsOf(parsed(this.rest().slice(this.#start.length)));
      if (facts !== undefined) parts.push(facts);
    }
    return parts;
  }

  /** What was held and never ended was the program's own. */
  rest(): string {
    const rest = this.#held.join('');
    this.#held = [];
    this.#isInside = false;
    return rest;
  }

  #factsOf(told: Readonly<Record<string, unknown>> | undefined): Facts | undefined {
    const piece = pieceOf(told);
    if (piece === undefined) return told && factsOf(told);
    const pieces = this.#joined.get(piece.by) ?? [];
    pieces.push(piece.part);
    // Who wrote last is the last: those that never end are the first to go.
    this.#joined.delete(piece.by);
    if (!piece.isLast) this.#joined.set(piece.by, pieces);
    const [oldest] = this.#joined.keys();
    if (this.#joined.size > JOINED_AT_ONCE && oldest !== undefined) this.#joined.delete(oldest);
    const whole = piece.isLast ? parsed(pieces.join('')) : undefined;
    return whole && factsOf(whole);
  }

  /** Where a mark begins, or may begin with what is still to come; the length where none does. */
  #startIn(text: string): number {
    for (let at = text.indexOf('\u001e'); at >= 0; at = text.indexOf('\u001e', at + 1))
      if (this.#start.startsWith(text.slice(at, at + this.#start.length))) return at;
    return text.length;
  }
}

function parsed(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const told: unknown = readJson(json);
    return typeof told === 'object' && told !== null ? (told as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function pieceOf(told: Readonly<Record<string, unknown>> | undefined): Piece | undefined {
  if (typeof told?.part !== 'string') return undefined;
  return { part: told.part, by: typeof told.by === 'string' ? told.by : '', isLast: told.last === true };
}

function factsOf({ done, state, lost, tooLarge, same, ends, display }: Readonly<Record<string, unknown>>): Facts {
  return {
    ...(Number.isInteger(done) ? { done: done as number } : {}),
    ...(typeof state === 'string' ? { state } : {}),
    ...(Array.isArray(lost) ? { lost: lost.map(String) } : {}),
    ...(tooLarge === true ? { tooLarge } : {}),
    ...(same === true ? { same } : {}),
    ...(ends === true ? { ends } : {}),
    ...(isBundle(display) ? { display } : {}),
  };
}

function isBundle(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
}

/** An order as drivers read it. */
export function framed(order: object): Buffer {
  const json = Buffer.from(JSON.stringify(order));
  return Buffer.concat([Buffer.from(String(json.length).padStart(8, '0')), json]);
}
