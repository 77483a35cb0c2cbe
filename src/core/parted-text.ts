import { StreamSearch } from './stream-search.ts';

const PART_CHARS = 64 * 1024;

export type Replaced = 'done' | 'not-found' | 'ambiguous' | 'too-long';

/**
 * A text in parts, of which a change builds only those anew where it lies. Changes stop after each part that they looked at, so that others may have their
 * turn; until one has ended there is no other. Lengths are UTF-16 code units.
 */
export class PartedText {
  readonly #partChars: number;
  #parts: string[];
  #length: number;

  /** `partChars`: of one part; none is more than twice as long. */
  constructor(text: string, partChars = PART_CHARS) {
    this.#partChars = partChars;
    this.#parts = cut(text, partChars);
    this.#length = text.length;
  }

  toString(): string {
    return this.#parts.join('');
  }

  /** Replaces what stands here exactly once. Beyond `maxLength` nothing is added. */
  *replaceOnly(find: string, replace: string, maxLength: number): Generator<undefined, Replaced> {
    const search = new StreamSearch(find);
    let found: { index: number; end: number } | undefined;
    for (const [index, part] of this.#parts.entries()) {
      for (let end = search.next(part, 0); end >= 0; end = search.next(part, end)) {
        if (found !== undefined) return 'ambiguous';
        found = { index, end };
      }
      yield;
    }
    if (found === undefined) return 'not-found';
    const growth = replace.length - find.length;
    if (growth > 0 && this.#length + growth > maxLength) return 'too-long';
    this.#put(found, find.length, replace);
    this.#length += growth;
    return 'done';
  }

  /** Replaces each occurrence, from the start on and without overlap. Beyond `maxLength` nothing is added. */
  *replaceAll(find: string, replace: string, maxLength: number): Generator<undefined, Replaced> {
    const search = new StreamSearch(find);
    const source = new PartReader(this.#parts);
    const built = new PartBuilder(this.#partChars);
    const growth = replace.length - find.length;
    let length = this.#length;
    let before = 0;
    for (const part of this.#parts) {
      for (let end = search.next(part, 0); end >= 0; end = search.next(part, end)) {
        search.restart();
        length += growth;
        if (growth > 0 && length > maxLength) return 'too-long';
        source.read(before + end - find.length - source.at, built);
        source.read(find.length);
        built.add(replace);
      }
      before += part.length;
      yield;
    }
    if (source.at === 0) return 'not-found';
    source.read(before - source.at, built);
    this.#parts = built.finish();
    this.#length = length;
    return 'done';
  }

  #put({ index, end }: { index: number; end: number }, length: number, replace: string): void {
    let first = index;
    let start = end - length;
    while (start < 0) start += (this.#parts[--first] as string).length;
    const text = (this.#parts[first] as string).slice(0, start) + replace + (this.#parts[index] as string).slice(end);
    this.#parts.splice(first, index - first + 1, ...cut(text, this.#partChars));
  }
}

/** Goes through parts as through one text. */
class PartReader {
  readonly #parts: readonly string[];
  #index = 0;
  #offset = 0;
  /** Units that were read. */
  at = 0;

  constructor(parts: readonly string[]) {
    this.#parts = parts;
  }

  /** Reads so many units on, which are added to `built`, or left out. */
  read(length: number, built?: PartBuilder): void {
    this.at += length;
    for (let left = length; left > 0; ) {
      const part = this.#parts[this.#index] as string;
      const end = Math.min(part.length, this.#offset + left);
      if (end > this.#offset) built?.add(part.slice(this.#offset, end));
      left -= end - this.#offset;
      this.#offset = end;
      if (end < part.length) continue;
      this.#index++;
      this.#offset = 0;
    }
  }
}

/** Joins what is short and cuts what is long. */
class PartBuilder {
  readonly #partChars: number;
  readonly #parts: string[] = [];
  #open: string[] = [];
  #openLength = 0;

  constructor(partChars: number) {
    this.#partChars = partChars;
  }

  add(text: string): void {
    // A part that is as it was.
    if (text.length >= this.#partChars) {
      this.#close();
      for (const part of cut(text, this.#partChars)) this.#parts.push(part);
      return;
    }
    this.#open.push(text);
    this.#openLength += text.length;
    if (this.#openLength >= this.#partChars) this.#close();
  }

  finish(): string[] {
    this.#close();
    return this.#parts;
  }

  #close(): void {
    if (this.#openLength > 0) this.#parts.push(this.#open.join(''));
    this.#open = [];
    this.#openLength = 0;
  }
}

function cut(text: string, partChars: number): string[] {
  if (text.length <= 2 * partChars) return [text];
  const parts: string[] = [];
  for (let at = 0; at < text.length; at += partChars) parts.push(text.slice(at, at + partChars));
  return parts;
}
