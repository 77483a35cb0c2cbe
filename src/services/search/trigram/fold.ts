// Which trigrams a text has. A text is its bytes as ripgrep searches them: a UTF-8 BOM is stripped, UTF-16 with a BOM is transcoded. Every code point is
// replaced by the representative of its case class, so one index serves searches with and without `-i`: if a pattern matches, then its folded text stands
// in the folded file. The UTF-8 bytes of the folded text are mapped onto 7-bit symbols, three of which make a number below 2^21. Two bytes may share a
// symbol; that costs a false candidate, never a missing one.

import { foldRanges } from './fold-table.ts';

/** Trigrams are numbers below this. */
export const gramLimit = 1 << 21;
/** The symbol that no trigram contains: a line break or NUL. What is not valid UTF-8 separates in the same way. */
const gap = 10;
/** Three of it: where a text begins. */
const gapGram = (gap << 14) | (gap << 7) | gap;
const nothing: Buffer = Buffer.alloc(0);

/** How code points become symbols. There is one in use; a test injects another to show that folding matters. */
export interface Folding {
  /** Representative of a code point's case class, for code points from 128. */
  codePoint(codePoint: number): number;
}

const unicodeFolding: Folding = { codePoint: foldCodePoint };

const foldTable = buildFoldTable();
const symbolOfByte = buildSymbols();

/** Representative of the case class of a code point: those that `-i` takes for each other have the same. */
export function foldCodePoint(codePoint: number): number {
  if (codePoint < foldTable.length) return foldTable[codePoint] as number;
  return codePoint;
}

/** The symbols of one code point, folded: one for ASCII, else one for each byte of its UTF-8. */
export function symbolsOfCodePoint(codePoint: number): string {
  const bytes = Buffer.from(String.fromCodePoint(foldCodePoint(codePoint)));
  let symbols = '';
  for (const byte of bytes) symbols += String.fromCharCode(symbolOfByte[byte] as number);
  return symbols;
}

/** The symbols of a text, folded. A surrogate that stands alone becomes U+FFFD, as it does on its way to a child process. */
export function symbolsOfText(text: string): string {
  let symbols = '';
  for (const character of text.toWellFormed()) symbols += symbolsOfCodePoint(character.codePointAt(0) as number);
  return symbols;
}

/** The trigrams of a string of symbols, without those that reach over a gap. May name one twice. */
export function gramsOfSymbols(symbols: string): number[] {
  const grams: number[] = [];
  for (let index = 2; index < symbols.length; index++) {
    const a = symbols.charCodeAt(index - 2);
    const b = symbols.charCodeAt(index - 1);
    const c = symbols.charCodeAt(index);
    if (a !== gap && b !== gap && c !== gap) grams.push((a << 14) | (b << 7) | c);
  }
  return grams;
}

/**
 * Collects the distinct trigrams of one file after another. A file is pushed in pieces as it stands on disk; the encoding is found from its first bytes.
 * Holds 256 kB, and 4 bytes for each trigram of the largest file so far.
 */
export class GramCollector {
  readonly #folding: Folding;
  /** One bit for each trigram. Those with a gap in them are set for good, so that the loops need not look for gaps. */
  readonly #seen = new Uint32Array(gramLimit >>> 5);
  #found = new Uint32Array(1 << 16);
  #count = 0;
  /** The last three symbols. */
  #gram = gapGram;
  #ascii = true;
  #bom = false;
  #binary = false;
  #started = false;
  #decoder: TextDecoder | null = null;
  #carry = nothing;
  readonly #progress: Progress = { count: 0, gram: 0 };

  constructor(folding: Folding = unicodeFolding) {
    this.#folding = folding;
    const mark = (gram: number): void => {
      this.#seen[gram >>> 5] = (this.#seen[gram >>> 5] as number) | (1 << (gram & 31));
    };
    for (let others = 0; others < 1 << 14; others++) {
      mark((gap << 14) | others);
      mark(((others >>> 7) << 14) | (gap << 7) | (others & 127));
      mark((others << 7) | gap);
    }
  }

  /** Forgets the last file. `continues`: what comes is not the beginning of a file, and no byte order mark is looked for. */
  begin({ continues = false }: { continues?: boolean } = {}): void {
    const seen = this.#seen;
    for (const gram of this.grams) seen[gram >>> 5] = (seen[gram >>> 5] as number) & ~(1 << (gram & 31));
    this.#count = 0;
    this.#gram = gapGram;
    this.#ascii = true;
    this.#bom = false;
    this.#binary = false;
    this.#started = continues;
    this.#decoder = null;
    this.#carry = nothing;
  }

  /** The next piece of the file; of a file's first piece at least three bytes, unless it has fewer. The bytes are not kept. */
  push(piece: Buffer): void {
    if (this.#binary || piece.length === 0) return;
    let bytes = piece;
    if (!this.#started) {
      this.#started = true;
      bytes = this.#skipBom(piece);
    }
    if (this.#decoder) bytes = Buffer.from(this.#decoder.decode(bytes, { stream: true }));
    this.#scanWithCarry(bytes, false);
  }

  /** To be called after the last piece. */
  end(): void {
    if (this.#binary) return;
    if (this.#decoder) this.#scanWithCarry(Buffer.from(this.#decoder.decode()), true);
    else this.#scanWithCarry(nothing, true);
  }

  /** The distinct trigrams in order of appearance: a view that the next `begin` makes invalid. Of a binary file they say nothing. */
  get grams(): Uint32Array {
    return this.#found.subarray(0, this.#count);
  }

  /** No byte is above 127. */
  get ascii(): boolean {
    return this.#ascii;
  }

  /** It begins with a byte order mark, of whichever encoding. */
  get bom(): boolean {
    return this.#bom;
  }

  /** It has a NUL, after transcoding. */
  get binary(): boolean {
    return this.#binary;
  }

  #skipBom(piece: Buffer): Buffer {
    if (piece[0] === 0xef && piece[1] === 0xbb && piece[2] === 0xbf) {
      this.#bom = true;
      this.#ascii = false;
      return piece.subarray(3);
    }
    const encoding = piece[0] === 0xff && piece[1] === 0xfe ? 'utf-16le' : piece[0] === 0xfe && piece[1] === 0xff ? 'utf-16be' : null;
    if (encoding === null) return piece;
    this.#bom = true;
    this.#ascii = false;
    this.#decoder = new TextDecoder(encoding);
    return piece;
  }

  /** A character may stand across two pieces: its first bytes are kept for the next. */
  #scanWithCarry(bytes: Buffer, last: boolean): void {
    const joined = this.#carry.length > 0 ? Buffer.concat([this.#carry, bytes]) : bytes;
    if (joined.includes(0)) {
      this.#binary = true;
      return;
    }
    const used = this.#scan(joined, last);
    this.#carry = used < joined.length ? Buffer.from(joined.subarray(used)) : nothing;
  }

  /** Returns how many bytes were used; the others begin a character that is not complete. */
  #scan(bytes: Buffer, last: boolean): number {
    const end = bytes.length;
    let index = 0;
    while (index < end) {
      index = this.#scanAscii(bytes, index, end);
      if (index >= end) break;
      this.#ascii = false;
      const codePoint = decodeUtf8(bytes, index, end);
      if (codePoint === incomplete && !last) break;
      if (codePoint < 0) {
        this.#gram = gapGram;
        index++;
        continue;
      }
      index += codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
      this.#add(utf8Packed(this.#folding.codePoint(codePoint)));
    }
    return index;
  }

  #scanAscii(bytes: Buffer, from: number, end: number): number {
    const found = this.#roomFor(end - from);
    const progress = this.#progress;
    progress.count = this.#count;
    progress.gram = this.#gram;
    const index = scanAscii(bytes, from, end, this.#seen, found, progress);
    this.#count = progress.count;
    this.#gram = progress.gram;
    return index;
  }

  /** Adds one code point: at most four bytes, the first one lowest. */
  #add(packed: number): void {
    const found = this.#roomFor(4);
    for (let rest = packed; rest !== 0; rest >>>= 8) {
      const gram = ((this.#gram << 7) | (symbolOfByte[rest & 255] as number)) & (gramLimit - 1);
      this.#gram = gram;
      const bits = this.#seen[gram >>> 5] as number;
      const bit = 1 << (gram & 31);
      if ((bits & bit) !== 0) continue;
      this.#seen[gram >>> 5] = bits | bit;
      found[this.#count++] = gram;
    }
  }

  /** The list with place for so many more, so that no loop has to check; every trigram stands in it at most once. */
  #roomFor(more: number): Uint32Array {
    const room = Math.min(this.#count + more, gramLimit);
    if (this.#found.length >= room) return this.#found;
    const larger = new Uint32Array(Math.min(Math.max(room, 2 * this.#found.length), gramLimit));
    larger.set(this.#found.subarray(0, this.#count));
    this.#found = larger;
    return larger;
  }
}

interface Progress {
  count: number;
  gram: number;
}

/** Returns where the first byte stands that is not ASCII. A loop of its own, and without branches for line breaks: it decides how fast an index is built. */
function scanAscii(bytes: Uint8Array, from: number, end: number, seen: Uint32Array, found: Uint32Array, progress: Progress): number {
  const symbols = symbolOfByte;
  let { count, gram } = progress;
  let index = from;
  for (; index < end; index++) {
    const byte = bytes[index] as number;
    if (byte >= 128) break;
    gram = ((gram << 7) | (symbols[byte] as number)) & 0x1fffff;
    const word = gram >>> 5;
    const bit = 1 << (gram & 31);
    const bits = seen[word] as number;
    if ((bits & bit) !== 0) continue;
    seen[word] = bits | bit;
    found[count++] = gram;
  }
  progress.count = count;
  progress.gram = gram;
  return index;
}

const invalid = -1;
const incomplete = -2;

/**
 * The code point whose UTF-8 begins at `index`; `invalid`, and the next byte is tried on its own; `incomplete` where the bytes end within a character. Every
 * valid sequence within invalid bytes is found, as ripgrep finds it: none begins inside another.
 */
function decodeUtf8(bytes: Uint8Array, index: number, end: number): number {
  const lead = bytes[index] as number;
  if (lead < 0xc2 || lead > 0xf4) return invalid;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  let codePoint = length === 2 ? lead & 0x1f : length === 3 ? lead & 0x0f : lead & 0x07;
  for (let at = index + 1; at < index + length; at++) {
    if (at >= end) return incomplete;
    const byte = bytes[at] as number;
    if ((byte & 0xc0) !== 0x80) return invalid;
    codePoint = (codePoint << 6) | (byte & 0x3f);
  }
  if (length === 3 && (codePoint < 0x800 || (codePoint >= 0xd800 && codePoint < 0xe000))) return invalid;
  if (length === 4 && (codePoint < 0x10000 || codePoint > 0x10ffff)) return invalid;
  return codePoint;
}

/** The UTF-8 bytes of a code point in one number, the first byte lowest. */
function utf8Packed(codePoint: number): number {
  if (codePoint < 0x80) return codePoint;
  if (codePoint < 0x800) return 0xc0 | (codePoint >> 6) | ((0x80 | (codePoint & 0x3f)) << 8);
  const second = 0x80 | ((codePoint >> 6) & 0x3f);
  const third = 0x80 | (codePoint & 0x3f);
  if (codePoint < 0x10000) return 0xe0 | (codePoint >> 12) | (second << 8) | (third << 16);
  return (0xf0 | (codePoint >> 18) | ((0x80 | ((codePoint >> 12) & 0x3f)) << 8) | (second << 16) | (third << 24)) >>> 0;
}

function buildFoldTable(): Uint32Array {
  let largest = 127;
  for (let row = 0; row < foldRanges.length; row += 4) largest = Math.max(largest, foldRanges[row + 1] as number);
  const table = Uint32Array.from({ length: largest + 1 }, (_, codePoint) => codePoint);
  for (let letter = 65; letter <= 90; letter++) table[letter] = letter + 32;
  for (let row = 0; row < foldRanges.length; row += 4) {
    const [first, last, step, distance] = foldRanges.slice(row, row + 4) as [number, number, number, number];
    for (let codePoint = first; codePoint <= last; codePoint += step) table[codePoint] = codePoint + distance;
  }
  return table;
}

/** ASCII keeps its place, folded; bytes from 128 share the places of control characters and capitals, which folded text hardly has or has not at all. */
function buildSymbols(): Uint8Array {
  const symbols = new Uint8Array(256);
  const free: number[] = [127];
  for (let byte = 0; byte < 128; byte++) {
    const capital = byte >= 65 && byte <= 90;
    symbols[byte] = capital ? byte + 32 : byte;
    if (capital || (byte > 0 && byte < 32 && byte !== 9 && byte !== 10 && byte !== 13)) free.push(byte);
  }
  symbols[0] = gap;
  for (let byte = 128; byte < 256; byte++) symbols[byte] = free[(byte * 7) % free.length] as number;
  return symbols;
}
