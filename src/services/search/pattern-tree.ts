// Reads a pattern as ripgrep takes it (regex-syntax 0.8, Unicode, line by line), as far as it can be said in bytes for a JavaScript engine.
// What is not known for certain to mean the same there is not read at all, and stays with ripgrep.

import type { TextQuery } from './ripgrep.ts';

/** What a set says of characters beyond ASCII: none, all, or that it depends on tables of Unicode. */
export type Beyond = 'none' | 'all' | 'unsure';

export type Assertion = 'start' | 'end' | 'word' | 'no-word' | 'word-start' | 'word-end';

export type PatternTree =
  | { kind: 'character'; codePoint: number }
  /** `ascii`: 128 of them, true for those in it. `also`: single characters beyond ASCII. */
  | { kind: 'set'; ascii: readonly boolean[]; beyond: Beyond; also: readonly number[] }
  | { kind: 'assertion'; asserts: Assertion }
  | { kind: 'sequence'; of: readonly PatternTree[] }
  | { kind: 'choice'; of: readonly PatternTree[] }
  /** Infinity: no bound. Of more than one time only single characters and sets. */
  | { kind: 'repeat'; of: PatternTree; least: number; most: number; lazy: boolean };

type CharacterSet = Extract<PatternTree, { kind: 'set' }>;

const maxLength = 1000;
const maxDepth = 20;
/** Of a counted repetition, which the engine writes out. */
const maxCount = 100;
const asciiLimit = 128;
const lineFeed = 10;
/** Other characters that are the same as these in any case. */
const foldsBeyond: ReadonlyMap<number, number> = new Map([
  [0x6b, 0x212a],
  [0x73, 0x17f],
]);

/** Undefined where ripgrep has to answer. Matches of what is read are never empty and lie within a line. */
export function readPattern({ pattern, regex, caseSensitive, word, multiline, context, replace }: TextQuery): PatternTree | undefined {
  if (multiline || context > 0 || replace !== undefined || pattern.length > maxLength || !pattern.isWellFormed()) return undefined;
  // What control characters mean to ripgrep depends on more than the pattern.
  if (/[\0-\x08\x0a-\x1f\x7f]/.test(pattern)) return undefined;
  try {
    const ignoresCase = !caseSensitive || (regex && pattern.startsWith('(?i)'));
    const reader = new PatternReader(regex && pattern.startsWith('(?i)') ? pattern.slice(4) : pattern, ignoresCase);
    const tree = regex ? reader.read() : reader.readText();
    if (mayBeEmpty(tree)) return undefined;
    if (!word) return tree;
    return sequence([{ kind: 'assertion', asserts: 'word-start' }, tree, { kind: 'assertion', asserts: 'word-end' }]);
  } catch (error) {
    if (error instanceof NotRead) return undefined;
    throw error;
  }
}

function mayBeEmpty(tree: PatternTree): boolean {
  switch (tree.kind) {
    case 'character':
    case 'set':
      return false;
    case 'assertion':
      return true;
    case 'sequence':
      return tree.of.every(mayBeEmpty);
    case 'choice':
      return tree.of.some(mayBeEmpty);
    case 'repeat':
      return tree.least === 0 || mayBeEmpty(tree.of);
  }
}

class NotRead extends Error {}

class PatternReader {
  readonly #characters: readonly string[];
  readonly #ignoresCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, ignoresCase: boolean) {
    this.#characters = [...pattern];
    this.#ignoresCase = ignoresCase;
  }

  readText(): PatternTree {
    return sequence(this.#characters.map((character) => this.#character(character.codePointAt(0) as number)));
  }

  read(): PatternTree {
    const tree = this.#choice();
    if (this.#at < this.#characters.length) throw new NotRead();
    return tree;
  }

  #take(text: string): boolean {
    for (let index = 0; index < text.length; index++) if (this.#characters[this.#at + index] !== text[index]) return false;
    this.#at += text.length;
    return true;
  }

  #choice(): PatternTree {
    if (++this.#depth > maxDepth) throw new NotRead();
    const of = [this.#sequence()];
    while (this.#take('|')) of.push(this.#sequence());
    this.#depth--;
    return of.length === 1 ? (of[0] as PatternTree) : { kind: 'choice', of };
  }

  #sequence(): PatternTree {
    const of: PatternTree[] = [];
    for (;;) {
      const next = this.#characters[this.#at];
      if (next === undefined || next === '|' || next === ')') return sequence(of);
      of.push(this.#repetition(this.#atom()));
    }
  }

  #repetition(of: PatternTree): PatternTree {
    const counts = this.#counts();
    if (counts === undefined) return of;
    const [least, most] = counts;
    const isOne = of.kind === 'character' || of.kind === 'set';
    // A repeated group may be tried in very many ways, and engines differ over groups that may be empty.
    if ((!isOne && most > 1) || mayBeEmpty(of) || most === 0 || least > most) throw new NotRead();
    const lazy = this.#take('?');
    if (/^[*+?{]$/.test(this.#characters[this.#at] ?? '')) throw new NotRead();
    return { kind: 'repeat', of, least, most, lazy };
  }

  #counts(): [number, number] | undefined {
    if (this.#take('*')) return [0, Number.POSITIVE_INFINITY];
    if (this.#take('+')) return [1, Number.POSITIVE_INFINITY];
    if (this.#take('?')) return [0, 1];
    if (this.#characters[this.#at] !== '{') return undefined;
    const rest = this.#characters.slice(this.#at, this.#at + 10).join('');
    const counted = /^\{(\d{1,3})(?:(,)(\d{0,3}))?\}/.exec(rest);
    if (counted === null) throw new NotRead();
    this.#at += counted[0].length;
    const least = Number(counted[1]);
    const most = counted[2] === undefined ? least : counted[3] === '' ? Number.POSITIVE_INFINITY : Number(counted[3]);
    if (least > maxCount || (most > maxCount && most !== Number.POSITIVE_INFINITY)) throw new NotRead();
    return [least, most];
  }

  #atom(): PatternTree {
    const character = this.#characters[this.#at++] as string;
    switch (character) {
      case '(': {
        if (!this.#take('?:') && this.#characters[this.#at] === '?') throw new NotRead();
        const tree = this.#choice();
        if (!this.#take(')')) throw new NotRead();
        return tree;
      }
      case '[':
        return this.#class();
      case '.':
        return negated(noCharacter);
      case '^':
        return { kind: 'assertion', asserts: 'start' };
      case '$':
        return { kind: 'assertion', asserts: 'end' };
      case '\\': {
        if (this.#take('b{')) throw new NotRead();
        if (this.#take('b')) return { kind: 'assertion', asserts: 'word' };
        if (this.#take('B')) return { kind: 'assertion', asserts: 'no-word' };
        const escaped = this.#escape();
        return typeof escaped === 'number' ? this.#character(escaped) : escaped;
      }
      case '*':
      case '+':
      case '?':
      case '{':
        throw new NotRead();
      default:
        return this.#character(character.codePointAt(0) as number);
    }
  }

  /** After a backslash: a character, or a class of them. */
  #escape(): number | CharacterSet {
    const character = this.#characters[this.#at++] ?? '';
    const named = classes[character.toLowerCase()];
    if (named !== undefined) return character === character.toLowerCase() ? named : negated(named);
    if (character === 't') return 9;
    if (!/^[\x20-\x7e]$/.test(character) || /^[0-9A-Za-z<>]$/.test(character)) throw new NotRead();
    return character.charCodeAt(0);
  }

  #character(codePoint: number): PatternTree {
    if (!this.#ignoresCase) return { kind: 'character', codePoint };
    const letter = { ...noCharacter, ascii: noCharacter.ascii.map((_, index) => index === codePoint) };
    if (codePoint < asciiLimit) return isLetter(codePoint) ? anyCase(letter) : { kind: 'character', codePoint };
    throw new NotRead();
  }

  /** After `[`. Neither operators nor classes within it are read. */
  #class(): PatternTree {
    const isNegated = this.#take('^');
    const ascii = [...noCharacter.ascii];
    const also: number[] = [];
    let beyond: Beyond = 'none';
    for (let isFirst = true; isFirst || !this.#take(']'); isFirst = false) {
      const item = this.#classItem(isFirst);
      if (typeof item !== 'number') {
        for (const [index, isIn] of item.ascii.entries()) ascii[index] ||= isIn;
        beyond = 'unsure';
      } else if (item < asciiLimit) {
        const to = this.#rangeEnd(item);
        for (let index = item; index <= to; index++) ascii[index] = true;
      } else if (this.#ignoresCase || isNegated || this.#characters[this.#at] === '-') throw new NotRead();
      else also.push(item);
    }
    ascii[lineFeed] = false;
    const set: CharacterSet = { kind: 'set', ascii, beyond, also };
    const inCase = this.#ignoresCase ? anyCase(set) : set;
    const all = isNegated ? negated(inCase) : inCase;
    if (all.beyond === 'none' && all.also.length === 0 && !all.ascii.includes(true)) throw new NotRead();
    return all;
  }

  #classItem(isFirst: boolean): number | CharacterSet {
    const character = this.#characters[this.#at++];
    const next = this.#characters[this.#at];
    if (character === undefined || character === '[' || (isFirst && character === ']')) throw new NotRead();
    if (/^[&~-]$/.test(character) && next === character) throw new NotRead();
    // A hyphen is itself at either end only.
    if (character === '-' && !isFirst && next !== ']') throw new NotRead();
    return character === '\\' ? this.#escape() : (character.codePointAt(0) as number);
  }

  #rangeEnd(from: number): number {
    const after = this.#characters[this.#at + 1];
    if (this.#characters[this.#at] !== '-' || after === ']') return from;
    if (after === undefined || after === '-' || after === '[' || from === 45) throw new NotRead();
    this.#at += 2;
    const to = after === '\\' ? this.#escape() : (after.codePointAt(0) as number);
    if (typeof to !== 'number' || to >= asciiLimit || to < from) throw new NotRead();
    return to;
  }
}

function sequence(of: readonly PatternTree[]): PatternTree {
  return of.length === 1 ? (of[0] as PatternTree) : { kind: 'sequence', of };
}

function setOf(characters: RegExp, beyond: Beyond): CharacterSet {
  const ascii = Array.from({ length: asciiLimit }, (_, index) => index !== lineFeed && characters.test(String.fromCharCode(index)));
  return { kind: 'set', ascii, beyond, also: [] };
}

const noCharacter = setOf(/[^\s\S]/, 'none');
const classes: Readonly<Record<string, CharacterSet>> = {
  w: setOf(/[0-9A-Za-z_]/, 'unsure'),
  d: setOf(/[0-9]/, 'unsure'),
  s: setOf(/[\t\v\f\r ]/, 'unsure'),
};

/** Never the end of a line, which no match has in it. */
function negated({ ascii, beyond, also }: CharacterSet): CharacterSet {
  const rest = ascii.map((isIn, index) => !isIn && index !== lineFeed);
  return { kind: 'set', ascii: rest, beyond: beyond === 'none' && also.length === 0 ? 'all' : 'unsure', also: [] };
}

function anyCase({ ascii, beyond, also }: CharacterSet): CharacterSet {
  const both = ascii.map((isIn, index) => isIn || (isLetter(index) && (ascii[index ^ 32] as boolean)));
  const folded = [...foldsBeyond].filter(([letter]) => both[letter]).map(([, character]) => character);
  return { kind: 'set', ascii: both, beyond, also: [...also, ...folded] };
}

function isLetter(codePoint: number): boolean {
  const small = codePoint | 32;
  return small >= 97 && small <= 122;
}
