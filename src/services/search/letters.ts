/** Of a letter's byte: that a word begins with it. */
const BEGINS = 0x80;
const LETTER = 0x7f;
/** May be any letter to those who compare. */
const ANY = 1;
const SPACE = 32;
/** What is no ASCII character has one of these numbers. */
const OTHERS_FROM = 2;
const OTHERS = 30;
const DIGITS = 1 << 26;
const MOST_STEPS_BACK = 50;

/** What the letters of a query have to be, each part in order. */
export class QueryLetters {
  readonly parts: readonly Uint8Array[];
  readonly kinds: number;

  constructor(query: string) {
    const parts: number[][] = [[]];
    for (let at = 0; at < query.length; at++) {
      const letter = letterOf(query.charCodeAt(at));
      if (letter === SPACE) parts.push([]);
      else if (letter !== ANY) parts.at(-1)?.push(letter);
    }
    this.parts = parts.filter((part) => part.length > 0).map((part) => Uint8Array.from(part));
    this.kinds = this.parts.reduce((all, part) => part.reduce((some, letter) => some | kindOf(letter), all), 0);
  }
}

/**
 * The letters of many texts, a byte each. It says which texts have those of a query in order, upper case and accents aside: at least all
 * that fuzzysort finds, which needs a kilobyte and more for each text that it looks at.
 */
export class Letters {
  readonly #letters: Uint8Array;
  readonly #starts: Uint32Array;
  /** Which letters are in a text, a bit each. */
  readonly #kinds: Int32Array;

  constructor(texts: readonly string[]) {
    const units = codeUnits(texts.join(''));
    this.#letters = new Uint8Array(units.length);
    this.#starts = new Uint32Array(texts.length + 1);
    this.#kinds = new Int32Array(texts.length);
    let at = 0;
    for (const [index, text] of texts.entries()) {
      at = this.#take(units, at, at + text.length, index);
      this.#starts[index + 1] = at;
    }
  }

  #take(units: Uint16Array, from: number, to: number, index: number): number {
    let kinds = 0;
    let wasUpper = false;
    let wasWord = false;
    for (let at = from; at < to; at++) {
      const unit = units[at] as number;
      const letter = letterOf(unit);
      kinds |= letter === ANY ? -1 : kindOf(letter);
      const isUpper = unit >= 65 && unit <= 90;
      const isWord = (letter >= 97 && letter <= 122) || (letter >= 48 && letter <= 57);
      this.#letters[at] = letter | ((isUpper && !wasUpper) || !wasWord || !isWord ? BEGINS : 0);
      wasUpper = isUpper;
      wasWord = isWord;
    }
    this.#kinds[index] = kinds;
    return to;
  }

  /** Indexes of the texts that have all letters. */
  find({ parts, kinds }: QueryLetters): number[] {
    const found: number[] = [];
    for (let index = 0; index < this.#kinds.length; index++) {
      if (((this.#kinds[index] as number) & kinds) !== kinds) continue;
      const [from, to] = this.#rangeOf(index);
      if (parts.every((part) => firstOf(part, this.#letters, from, to) >= 0)) found.push(index);
    }
    return found;
  }

  /** How well a text looks that has all letters, the more the better: as fuzzysort would say, more or less. */
  looks({ parts }: QueryLetters, index: number): number {
    const [from, to] = this.#rangeOf(index);
    return parts.reduce((sum, part) => sum + looksOf(part, this.#letters, from, to), from - to);
  }

  #rangeOf(index: number): [number, number] {
    return [this.#starts[index] as number, this.#starts[index + 1] as number];
  }
}

/** Where the first letter is; -1 where not all are there in order. */
function firstOf(part: Uint8Array, letters: Uint8Array, from: number, to: number): number {
  let first = -1;
  let next = 0;
  for (let at = from; at < to; at++) {
    const letter = (letters[at] as number) & LETTER;
    if (letter !== part[next] && letter !== ANY) continue;
    if (next === 0) first = at;
    if (++next === part.length) return first;
  }
  return -1;
}

/** Best is a word that begins with them, then words that do with one or some each, then all of them next to each other, then anywhere. */
function looksOf(part: Uint8Array, letters: Uint8Array, from: number, to: number): number {
  const first = firstOf(part, letters, from, to);
  let together = -1;
  for (let at = first; at <= to - part.length; at++) {
    const begins = ((letters[at] as number) & BEGINS) !== 0;
    if ((together >= 0 && !begins) || !isAt(part, letters, at)) continue;
    if (begins) return looks(3, at - from);
    together = at;
  }
  const begun = beginningOf(part, letters, first, to);
  if (begun >= 0) return looks(2, begun - from);
  return together >= 0 ? looks(1, together - from) : looks(0, first - from);
}

/** What is said of how they stand counts more than where. */
function looks(how: number, where: number): number {
  return how * 1e9 - Math.min(1e8, where * where * 0.2);
}

function isAt(part: Uint8Array, letters: Uint8Array, at: number): boolean {
  for (let index = 0; index < part.length; index++) if (((letters[at + index] as number) & LETTER) !== part[index]) return false;
  return true;
}

/** Where a word begins with the first letter, when each other one begins a word too or follows the one before; -1 where there is none, or is looked for too long. */
function beginningOf(part: Uint8Array, letters: Uint8Array, from: number, to: number): number {
  const taken: number[] = [];
  let at = nextBeginning(letters, from, to);
  for (let stepsBack = 0; ; ) {
    if (at >= to) {
      const last = taken.pop();
      if (last === undefined || ++stepsBack > MOST_STEPS_BACK) return -1;
      at = nextBeginning(letters, last + 1, to);
    } else if (((letters[at] as number) & LETTER) === part[taken.length]) {
      taken.push(at);
      if (taken.length === part.length) return taken[0] as number;
      at++;
    } else at = nextBeginning(letters, at + 1, to);
  }
}

function nextBeginning(letters: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && ((letters[at] as number) & BEGINS) === 0) at++;
  return at;
}

/** A bit for each letter, one for all digits. */
function kindOf(letter: number): number {
  if (letter >= 97 && letter <= 122) return 1 << (letter - 97);
  return letter >= 48 && letter <= 57 ? DIGITS : 0;
}

function codeUnits(text: string): Uint16Array {
  const bytes = Buffer.from(text, 'utf16le');
  return new Uint16Array(bytes.buffer, bytes.byteOffset, text.length);
}

/** By UTF-16 unit; 0 where it was not asked for yet. */
const known = new Uint8Array(0x10000);

function letterOf(unit: number): number {
  return (known[unit] ||= foldedOf(unit));
}

/** From 1 to 127; the same for all that fuzzysort takes for the same, and maybe for others. */
function foldedOf(unit: number): number {
  const character = String.fromCharCode(unit);
  const plain = character.normalize('NFKD').replaceAll(/[\u0300-\u036F]/g, '');
  const folded = caseless(plain.length === 1 ? plain : character);
  const code = folded.charCodeAt(0);
  if (code === SPACE) return SPACE;
  // Some of these fuzzysort takes for an ASCII character that looks alike.
  if (isLikeAscii(code) || isLikeAscii(unit)) return code >= 97 && code <= 122 ? code : ANY;
  return code < SPACE || code > 126 ? OTHERS_FROM + (code % OTHERS) : code;
}

function isLikeAscii(code: number): boolean {
  return code === 34 || code === 92 || code === 96 || (code >= 0x80 && code < 0x250) || (code >= 0x2000 && code < 0x2300);
}

function caseless(character: string): string {
  const folded = character.toUpperCase().toLowerCase();
  return folded.length === 1 ? folded : character;
}
