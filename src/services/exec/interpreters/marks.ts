/** What a driver tells of itself, of what is well-formed: a program can play the driver, in its own session alone. */
export interface Facts {
  done?: number;
  state?: string;
  lost?: string[];
  tooLarge?: boolean;
  /** It can't go on: its code left something to be done that would be done in its next run. */
  ends?: boolean;
  display?: Record<string, string>;
}

/** Takes what a driver tells of itself out of what its program writes: JSON between two U+001E, after a token that nobody else knows. */
export class Marks {
  readonly #start: string;
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
      const facts = factsOf(this.rest().slice(this.#start.length));
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

  /** Where a mark begins, or may begin with what is still to come; the length where none does. */
  #startIn(text: string): number {
    for (let at = text.indexOf('\u001e'); at >= 0; at = text.indexOf('\u001e', at + 1))
      if (this.#start.startsWith(text.slice(at, at + this.#start.length))) return at;
    return text.length;
  }
}

function factsOf(json: string): Facts | undefined {
  try {
    const { done, state, lost, tooLarge, ends, display } = JSON.parse(json) as Record<string, unknown>;
    return {
      ...(Number.isInteger(done) ? { done: done as number } : {}),
      ...(typeof state === 'string' ? { state } : {}),
      ...(Array.isArray(lost) ? { lost: lost.map(String) } : {}),
      ...(tooLarge === true ? { tooLarge } : {}),
      ...(ends === true ? { ends } : {}),
      ...(isBundle(display) ? { display } : {}),
    };
  } catch {
    return undefined;
  }
}

function isBundle(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'string');
}

/** An order as drivers read it. */
export function framed(order: object): Buffer {
  const json = Buffer.from(JSON.stringify(order));
  return Buffer.concat([Buffer.from(String(json.length).padStart(8, '0')), json]);
}
