// Reads a regular expression as ripgrep takes it (regex-syntax 0.8, https://docs.rs/regex/latest/regex/#syntax, in Unicode mode) and says what is known of
// its matches. Case never matters here, since the index is folded. What is not understood for certain is any text; what can't be read at all gives null,
// and ripgrep will say what is wrong with it.

import { foldCodePoint, symbolsOfCodePoint } from './fold.ts';
import { alternate, anyText, concatenate, emptyText, exactly, type MatchFacts, repeat } from './match-facts.ts';

/** A class of at most so many letters, in both cases, is taken letter by letter. */
const maxClassLetters = 8;
const maxDepth = 100;
/** A counted repetition is written out so many times; more often is 'or more'. */
const maxCopies = 4;

/** What is known of the matches, or null when the pattern can't be read. */
export function regexFacts(pattern: string): MatchFacts | null {
  try {
    return new RegexReader(pattern).read();
  } catch (error) {
    if (error instanceof NotUnderstood) return null;
    throw error;
  }
}

class NotUnderstood extends Error {}

/** A class of characters: the letters that it has, or null for many or unknown ones. */
type Letters = Set<number> | null;

class RegexReader {
  readonly #characters: string[];
  #at = 0;
  #depth = 0;
  /** Flag x: white space and comments say nothing. */
  #verbose = false;

  constructor(pattern: string) {
    this.#characters = [...pattern.toWellFormed()];
  }

  read(): MatchFacts {
    const facts = this.#alternation();
    if (this.#at < this.#characters.length) throw new NotUnderstood();
    return facts;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(text: string): boolean {
    for (let index = 0; index < text.length; index++) if (this.#characters[this.#at + index] !== text[index]) return false;
    this.#at += text.length;
    return true;
  }

  /** With flag x, passes over white space and comments. */
  #space(): void {
    if (!this.#verbose) return;
    let isComment = false;
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      if (next === '#') isComment = true;
      else if (next === '\n') isComment = false;
      else if (!isComment && !/\p{White_Space}/u.test(next)) return;
      this.#at++;
    }
  }

  #alternation(): MatchFacts {
    if (++this.#depth > maxDepth) throw new NotUnderstood();
    let facts = this.#sequence();
    while (this.#take('|')) facts = alternate(facts, this.#sequence());
    this.#depth--;
    return facts;
  }

  #sequence(): MatchFacts {
    let facts = emptyText;
    // Plain letters are put together first: most patterns are mostly these.
    let text = '';
    for (;;) {
      this.#space();
      const ends = this.#peek() === undefined || this.#peek() === '|' || this.#peek() === ')';
      const piece = ends ? null : this.#repetition(this.#atom());
      if (piece?.exact?.size === 1) {
        for (const symbols of piece.exact) text += symbols;
        continue;
      }
      if (text !== '') facts = concatenate(facts, exactly(new Set([text])));
      text = '';
      if (piece === null) return facts;
      facts = concatenate(facts, piece);
    }
  }

  #repetition(atom: MatchFacts): MatchFacts {
    let facts = atom;
    for (;;) {
      this.#space();
      if (this.#take('*')) facts = anyText;
      else if (this.#take('+')) facts = repeat(facts);
      else if (this.#take('?')) facts = alternate(facts, emptyText);
      else if (this.#take('{')) facts = this.#counted(facts);
      else return facts;
      this.#take('?');
    }
  }

  #counted(facts: MatchFacts): MatchFacts {
    const end = this.#characters.indexOf('}', this.#at);
    const text = this.#characters.slice(this.#at, Math.max(end, this.#at)).join('');
    const counts = /^\s*(\d+)\s*(,\s*(\d*)\s*)?$/.exec(text);
    if (end < 0 || !counts) throw new NotUnderstood();
    this.#at = end + 1;
    const least = Number(counts[1]);
    const most = counts[2] === undefined ? least : counts[3] === '' ? Number.POSITIVE_INFINITY : Number(counts[3]);
    if (least > most) throw new NotUnderstood();
    if (most === 0) return emptyText;
    if (least === 0) return most === 1 ? alternate(facts, emptyText) : anyText;
    let copies = facts;
    for (let copy = 1; copy < Math.min(least, maxCopies); copy++) copies = concatenate(copies, facts);
    if (most === least && least <= maxCopies) return copies;
    // Further copies, of which the last one ends the match: what is known of ends stays.
    return alternate(copies, concatenate(copies, repeat(facts)));
  }

  #atom(): MatchFacts {
    const character = this.#characters[this.#at++] as string;
    switch (character) {
      case '(':
        return this.#group();
      case '[':
        return lettersFacts(this.#class());
      case '.':
        return anyText;
      case '^':
      case '$':
        return emptyText;
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
      case '{':
        throw new NotUnderstood();
      default:
        return literal(character.codePointAt(0) as number);
    }
  }

  #group(): MatchFacts {
    const verbose = this.#verbose;
    if (
      this.#take('?P<') ||
      (this.#peek() === '?' && this.#characters[this.#at + 1] === '<' && !/^[=!]$/.test(this.#characters[this.#at + 2] ?? ''))
    ) {
      const end = this.#characters.indexOf('>', this.#at);
      if (end < 0) throw new NotUnderstood();
      this.#at = end + 1;
    } else if (this.#take('?')) {
      const start = this.#at;
      while (/^[a-zA-Z-]$/.test(this.#peek() ?? '')) this.#at++;
      const flags = this.#characters.slice(start, this.#at).join('');
      const parts = /^([imsUuxR]*)(?:-([imsUuxR]+))?$/.exec(flags);
      // Without Unicode a pattern is about bytes.
      if (!parts || parts[2]?.includes('u')) throw new NotUnderstood();
      if (parts[1]?.includes('x')) this.#verbose = true;
      if (parts[2]?.includes('x')) this.#verbose = false;
      // For the rest of the group around it.
      if (flags !== '' && this.#take(')')) return emptyText;
      if (!this.#take(':')) throw new NotUnderstood();
    }
    const facts = this.#alternation();
    if (!this.#take(')')) throw new NotUnderstood();
    this.#verbose = verbose;
    return facts;
  }

  /** After a backslash, outside of a class. */
  #escape(): MatchFacts {
    const character = this.#peek();
    if (character === undefined) throw new NotUnderstood();
    if (/^[bBAz<>]$/.test(character)) {
      this.#at++;
      if (character === 'b' && this.#peek() === '{' && !/^[\s\d]$/.test(this.#characters[this.#at + 1] ?? '')) {
        if (!['{start}', '{end}', '{start-half}', '{end-half}'].some((kind) => this.#take(kind))) throw new NotUnderstood();
      }
      return emptyText;
    }
    return lettersFacts(this.#escapedLetters());
  }

  /** After a backslash, in a class or outside: one character, or a class of them. */
  #escapedLetters(): Letters {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw new NotUnderstood();
    if (/^[dswDSW]$/.test(character)) return null;
    if (/^[pP]$/.test(character)) {
      if (this.#take('{')) {
        const end = this.#characters.indexOf('}', this.#at);
        if (end < 0) throw new NotUnderstood();
        this.#at = end;
      }
      this.#at++;
      return null;
    }
    const control = controlEscapes[character];
    if (control !== undefined) return new Set([control]);
    const digits = { x: 2, u: 4, U: 8 }[character];
    if (digits !== undefined) return new Set([this.#hexadecimal(digits)]);
    if (!/^[\x20-\x7e]$/.test(character) || /^[0-9A-Za-z<>]$/.test(character)) throw new NotUnderstood();
    return new Set([character.charCodeAt(0)]);
  }

  #hexadecimal(digits: number): number {
    let end = this.#at + digits;
    let start = this.#at;
    if (this.#take('{')) {
      start = this.#at;
      end = this.#characters.indexOf('}', start);
    }
    const text = this.#characters.slice(start, Math.max(start, end)).join('');
    const codePoint = Number.parseInt(text, 16);
    if (!/^[0-9a-fA-F]{1,8}$/.test(text) || codePoint > 0x10ffff || (codePoint >= 0xd800 && codePoint < 0xe000)) throw new NotUnderstood();
    this.#at = this.#characters[end] === '}' && this.#characters[start - 1] === '{' ? end + 1 : end;
    return codePoint;
  }

  /** After `[`. Reads to the bracket that ends it, also where the letters are not told. */
  #class(): Letters {
    if (++this.#depth > maxDepth) throw new NotUnderstood();
    let letters: Letters = new Set();
    if (this.#take('^')) letters = null;
    this.#space();
    // Hyphens at the start are themselves, and so is a bracket that comes first.
    const start = this.#at;
    while (this.#take('-')) {
      letters = addLetter(letters, 45);
      this.#space();
    }
    if (this.#at === start && this.#take(']')) letters = addLetter(letters, 93);
    for (;;) {
      this.#space();
      if (this.#peek() === undefined) throw new NotUnderstood();
      if (this.#take(']')) break;
      if (this.#take('[')) {
        // How a class within a class joins with the rest depends on operators: its letters are not told.
        this.#nested();
        letters = null;
      } else if (this.#take('&&') || this.#take('--') || this.#take('~~')) {
        letters = null;
      } else {
        letters = this.#range(letters);
      }
    }
    this.#depth--;
    return letters;
  }

  /** A named class such as `[:alpha:]`, or a class like any other. */
  #nested(): void {
    const rest = this.#characters.slice(this.#at, this.#at + 12).join('');
    const named = /^:\^?[a-z]+:\]/.exec(rest);
    if (named) this.#at += named[0].length;
    else this.#class();
  }

  #range(letters: Letters): Letters {
    const from = this.#classItem();
    this.#space();
    const after = this.#characters[this.#at + 1];
    // A hyphen before the end, or the operator `--`, makes no range.
    if (this.#peek() !== '-' || after === '-' || after === ']') {
      if (from === null || letters === null) return null;
      let all: Letters = letters;
      for (const letter of from) all = addLetter(all, letter);
      return all;
    }
    this.#at++;
    this.#space();
    if (this.#peek() === ']' || this.#peek() === '-') throw new NotUnderstood();
    const to = this.#classItem();
    const [low] = from ?? [];
    const [high] = to ?? [];
    if (low === undefined || high === undefined || low > high) throw new NotUnderstood();
    let all = letters;
    for (let letter = low; letter <= high && all !== null; letter++) all = addLetter(all, letter);
    return all;
  }

  #classItem(): Letters {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw new NotUnderstood();
    return character === '\\' ? this.#escapedLetters() : new Set([character.codePointAt(0) as number]);
  }
}

const controlEscapes: Readonly<Record<string, number>> = { a: 7, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** Folded; null when they become too many. */
function addLetter(letters: Letters, codePoint: number): Letters {
  if (letters === null || (codePoint >= 0xd800 && codePoint < 0xe000)) return letters;
  letters.add(foldCodePoint(codePoint));
  return letters.size > maxClassLetters ? null : letters;
}

function literal(codePoint: number): MatchFacts {
  return exactly(new Set([symbolsOfCodePoint(codePoint)]));
}

function lettersFacts(letters: Letters): MatchFacts {
  // An empty class is one that can't be written, or is emptied by operators: nothing is claimed of it.
  if (letters === null || letters.size === 0) return anyText;
  return exactly(new Set([...letters].map(symbolsOfCodePoint)));
}
