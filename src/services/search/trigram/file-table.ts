// What the index answers for: each file stands either in one segment, or in the overlay of files that changed since, or among those that are not indexed.

import { rmSync } from 'node:fs';
import { mayMatch, type Plan } from './plan-tree.ts';
import type { IndexedFile } from './segment-builder.ts';
import { flagAscii, flagBinary, flagBom, flagContinues } from './segment-format.ts';
import type { Segment } from './segment.ts';

/** What is known of a file without looking at it. */
export interface FileFacts {
  /** No byte is above 127; never said of a file in parts. */
  ascii: boolean;
  /** It begins with a byte order mark, of whichever encoding. */
  bom: boolean;
  /** It has a NUL. */
  binary: boolean;
  size: number;
  mtimeMs: number;
}

/** Bytes of a file from `offset` up to `end`, and the number of the line with which they begin. */
export interface LineRange {
  offset: number;
  end: number;
  line: number;
}

/** Lines of a file in which a match may stand. */
export interface PartRange extends LineRange {
  /** Where it begins or ends within a line: the whole lines that it is of. */
  lines?: LineRange;
}

/** What is asked of the trigrams. */
export interface Question {
  /** Of lines that match. */
  plan: Plan;
  /** Of a text of at most `overlapBytes` that stands in every match: all that can be asked of a part of a line. */
  run: Plan;
}

/** What may match in a segment or the overlay. */
export interface Found {
  files: string[];
  /** Of files in parts: those that may match, ascending. Absent where all of the file may. */
  parts: Map<string, PartRange[]>;
}

export interface OverlayFile {
  file: IndexedFile;
  /** Ascending. */
  grams: Uint32Array;
}

/** Where a file stands: compared, never looked into. Differs after every change of the file's entry. */
export type Place = object | number | undefined;

/** A segment has fewer entries than that; a slot is the segment's key times this, plus the number of the file's first entry. */
const slotsPerSegment = 65_536;
/** Entry of a map and header of a string, about. */
const bytesPerPath = 64;

export class FileTable {
  readonly #segments = new Map<number, Segment>();
  readonly #slots = new Map<string, number>();
  readonly #overlay = new Map<string, OverlayFile>();
  /** The objects only tell one entry from the next. */
  readonly #unindexed = new Map<string, object>();
  readonly #live = new Map<number, number>();
  #nextKey = 1;
  #overlayGrams = 0;
  #textBytes = 0;
  #pathUnits = 0;

  /** Paths that are always candidates: binary, too large, or not readable. */
  get unindexed(): string[] {
    return [...this.#unindexed.keys()];
  }

  get overlay(): ReadonlyMap<string, OverlayFile> {
    return this.#overlay;
  }

  get overlayGrams(): number {
    return this.#overlayGrams;
  }

  has(path: string): boolean {
    return this.#slots.has(path) || this.#overlay.has(path) || this.#unindexed.has(path);
  }

  placeOf(path: string): Place {
    return this.#overlay.get(path) ?? this.#slots.get(path) ?? this.#unindexed.get(path);
  }

  /** Takes a segment in, with none of its files yet. Returns its key. */
  addSegment(segment: Segment): number {
    const key = this.#nextKey++;
    segment.dead.fill(1);
    this.#segments.set(key, segment);
    this.#live.set(key, 0);
    return key;
  }

  /** From now on this segment answers for its file of that number; a further part of a file is placed with its first. */
  place(key: number, number: number): void {
    const segment = this.#segments.get(key) as Segment;
    if (((segment.flags[number] as number) & flagContinues) !== 0) return;
    const path = segment.names[number] as string;
    this.forget(path);
    const entries = markEntries(segment, number, 0);
    this.#live.set(key, (this.#live.get(key) as number) + entries);
    this.#slots.set(path, key * slotsPerSegment + number);
    this.#count(path, segment.sizes[number] as number, 1);
    if (((segment.flags[number] as number) & flagBinary) !== 0) this.#unindexed.set(path, {});
  }

  /** From now on the overlay answers for this file. */
  placeInOverlay(entry: OverlayFile): void {
    const { path, size, flags } = entry.file;
    this.forget(path);
    this.#overlay.set(path, entry);
    this.#overlayGrams += entry.grams.length;
    this.#count(path, size, 1);
    if ((flags & flagBinary) !== 0) this.#unindexed.set(path, {});
  }

  /** It is there, and nothing is known of it. */
  placeUnindexed(path: string): void {
    this.forget(path);
    this.#unindexed.set(path, {});
  }

  /** Nothing answers for this path any more. */
  forget(path: string): void {
    const entry = this.#overlay.get(path);
    const slot = this.#slots.get(path);
    if (entry) {
      this.#overlay.delete(path);
      this.#overlayGrams -= entry.grams.length;
      this.#count(path, entry.file.size, -1);
    }
    if (slot !== undefined) {
      const { key, number, segment } = this.#segmentOf(slot);
      const entries = markEntries(segment, number, 1);
      this.#live.set(key, (this.#live.get(key) as number) - entries);
      this.#slots.delete(path);
      this.#count(path, segment.sizes[number] as number, -1);
    }
    this.#unindexed.delete(path);
  }

  /** Closes and deletes segments that answer for no file. Returns what could not be deleted. */
  dropEmptySegments(): Error[] {
    const errors: Error[] = [];
    for (const [key, segment] of this.#segments) {
      if ((this.#live.get(key) as number) > 0) continue;
      this.#segments.delete(key);
      this.#live.delete(key);
      segment.close();
      try {
        rmSync(segment.path, { force: true });
      } catch (error) {
        errors.push(error as Error);
      }
    }
    return errors;
  }

  /** Each segment with the number of entries that it answers for. */
  *segments(): Generator<{ key: number; segment: Segment; live: number }> {
    for (const [key, segment] of this.#segments) yield { key, segment, live: this.#live.get(key) as number };
  }

  /** Paths that a segment answers for. */
  pathsOf(segment: Segment): string[] {
    return segment.names.filter((_, number) => segment.dead[number] === 0 && ((segment.flags[number] as number) & flagContinues) === 0);
  }

  /** Adds those files of a segment that may match. Throws when it can't be read. */
  findInSegment(segment: Segment, { plan, run }: Question, { files, parts }: Found): void {
    let before: string | undefined;
    let lines: LineRange | undefined;
    for (const number of inTurns(segment, segment.find(plan), segment.hasCuts ? segment.find(run) : new Uint32Array(0))) {
      const flags = segment.flags[number] as number;
      if (segment.dead[number] !== 0 || (flags & flagBinary) !== 0) continue;
      const path = segment.names[number] as string;
      if (path !== before) {
        files.push(path);
        lines = undefined;
      }
      before = path;
      if (!isPart(segment, number)) continue;
      const range: PartRange = rangeOf(segment, number);
      if (segment.isCut(number)) {
        if (lines === undefined || lines.end <= range.offset) lines = linesAround(segment, number);
        range.lines = lines;
      }
      const ranges = parts.get(path);
      if (ranges === undefined) parts.set(path, [range]);
      else ranges.push(range);
    }
  }

  /** Files of a segment that are there in parts. */
  filesInParts(segment: Segment): string[] {
    return segment.names.filter((_, number) => isPart(segment, number) && segment.offsets[number] === 0 && segment.dead[number] === 0);
  }

  findInOverlay(plan: Plan, { files }: Found): void {
    for (const [path, { file, grams }] of this.#overlay) {
      if ((file.flags & flagBinary) === 0 && mayMatch(plan, (gram) => hasGram(grams, gram))) files.push(path);
    }
  }

  facts(path: string): FileFacts | undefined {
    const entry = this.#overlay.get(path);
    if (entry) return factsOf(entry.file);
    const slot = this.#slots.get(path);
    if (slot === undefined) return undefined;
    const { number, segment } = this.#segmentOf(slot);
    return factsOf({
      size: segment.sizes[number] as number,
      mtimeMs: segment.mtimes[number] as number,
      flags: segment.flags[number] as number,
    });
  }

  status(): { files: number; segments: number; overlay: number; textBytes: number; indexBytes: number; residentBytes: number } {
    let indexBytes = 0;
    let residentBytes = 4 * this.#overlayGrams + this.#pathUnits;
    for (const segment of this.#segments.values()) {
      indexBytes += segment.bytes;
      residentBytes += segment.residentBytes;
    }
    const files = this.#slots.size + this.#overlay.size;
    return { files, segments: this.#segments.size, overlay: this.#overlay.size, textBytes: this.#textBytes, indexBytes, residentBytes };
  }

  close(): void {
    for (const segment of this.#segments.values()) segment.close();
    this.#segments.clear();
    this.#live.clear();
    this.#slots.clear();
    this.#overlay.clear();
    this.#unindexed.clear();
  }

  #segmentOf(slot: number): { key: number; number: number; segment: Segment } {
    const number = slot % slotsPerSegment;
    const key = (slot - number) / slotsPerSegment;
    return { key, number, segment: this.#segments.get(key) as Segment };
  }

  #count(path: string, size: number, sign: 1 | -1): void {
    this.#textBytes += sign * size;
    this.#pathUnits += sign * (path.length + bytesPerPath);
  }
}

/** Sets `dead` of a file's entries, and gives their number. */
function markEntries(segment: Segment, first: number, dead: 0 | 1): number {
  let next = first;
  do segment.dead[next++] = dead;
  while (continues(segment, next));
  return next - first;
}

function continues(segment: Segment, number: number): boolean {
  return ((segment.flags[number] ?? 0) & flagContinues) !== 0;
}

function isPart(segment: Segment, number: number): boolean {
  return continues(segment, number) || continues(segment, number + 1);
}

function rangeOf(segment: Segment, number: number): LineRange {
  const end = continues(segment, number + 1) ? segment.offsets[number + 1] : segment.sizes[number];
  return { offset: segment.offsets[number] as number, end: end as number, line: segment.lines[number] as number };
}

/** Of a part of a line, and the parts that it is cut from. */
function linesAround(segment: Segment, number: number): LineRange {
  let first = number;
  while (segment.beginsCut(first)) first--;
  let last = number;
  while (segment.beginsCut(last + 1)) last++;
  return { ...rangeOf(segment, first), end: rangeOf(segment, last).end };
}

/** Entries of whole lines that were found for the one plan, and others that were found for the other; ascending. */
function* inTurns(segment: Segment, whole: Uint32Array | null, cut: Uint32Array | null): Generator<number> {
  const numbers = { whole: whole ?? segment.names.keys(), cut: cut ?? segment.names.keys() };
  const wholes = only(numbers.whole, (number) => !segment.isCut(number));
  const cuts = only(numbers.cut, (number) => segment.isCut(number));
  let nextWhole = wholes.next();
  let nextCut = cuts.next();
  while (nextWhole.done !== true || nextCut.done !== true) {
    if (nextCut.done === true || (nextWhole.done !== true && nextWhole.value < nextCut.value)) {
      yield nextWhole.value as number;
      nextWhole = wholes.next();
    } else {
      yield nextCut.value;
      nextCut = cuts.next();
    }
  }
}

function* only(numbers: Iterable<number>, wanted: (number: number) => boolean): Generator<number, undefined> {
  for (const number of numbers) if (wanted(number)) yield number;
  return undefined;
}

function factsOf({ size, mtimeMs, flags }: Pick<IndexedFile, 'size' | 'mtimeMs' | 'flags'>): FileFacts {
  return { ascii: (flags & flagAscii) !== 0, bom: (flags & flagBom) !== 0, binary: (flags & flagBinary) !== 0, size, mtimeMs };
}

function hasGram(grams: Uint32Array, gram: number): boolean {
  let low = 0;
  let high = grams.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((grams[middle] as number) < gram) low = middle + 1;
    else high = middle;
  }
  return grams[low] === gram;
}
