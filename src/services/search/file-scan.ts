import { isAscii } from 'node:buffer';
import fs from 'node:fs';
import { TimeSlice } from '../../core/time-slice.ts';
import { Interruptible } from '../processes/interruptible.ts';
import { ItemLines } from './item-lines.ts';
import type { LinePattern, Places } from './line-pattern.ts';
import { foundLines, type Look, type MatchingLine, matchingLines, type Piece } from './line-scan.ts';
import { stepsAtOnce } from './match-steps.ts';
import type { LineLimits } from './rg-events.ts';
import type { OnFound } from './ripgrep.ts';
import type { FileFacts, LineRange, PartRange } from './trigram/file-table.ts';
import { overlapBytes } from './trigram/segment-format.ts';
import { beginsWithUtf16 } from './utf16-mark.ts';

/** What of a file may match: those parts, or all of it. */
export interface Candidate {
  file: string;
  facts: FileFacts | undefined;
  parts: readonly PartRange[] | undefined;
}

interface Matching {
  piece: Piece;
  lines: Iterable<MatchingLine | undefined>;
}

/** Of a file that may yet have to be left to ripgrep. */
const MOST_KEPT_LINES = 50_000;
/** Where a line may take more steps, time is kept. */
const EASY_STEPS = 50_000;
/** A line that may take more steps than at once is given up after that time. */
const SLOW_LINE_MS = 6;
/** When lines took that much longer in all than an engine that never goes back, the others are left to that of ripgrep. */
const MOST_HARD_MS = 30;
/** What such an engine reads. */
const EASY_BYTES_PER_MS = 100_000;
/** A line up to here is looked at to tell how many it takes. */
const LOOKED_AT_BYTES = 256 * 1024;
const MOST_FILE_BYTES = 32 * 1024 * 1024;
/** A piece may be looked through without a pause, which takes up to 15 ms. */
const MOST_PIECE_BYTES = 8 * 1024 * 1024;
const JOINED_BYTES = 1024 * 1024;
const FIRST_BUFFER_BYTES = 128 * 1024;
const utf8Mark = Buffer.from([0xef, 0xbb, 0xbf]);

/** How many bytes have to be read; undefined where ripgrep does that better, or has to. */
export function bytesToRead({ facts, parts }: Candidate): number | undefined {
  if (facts === undefined || facts.binary) return undefined;
  const lengths = parts?.map(({ offset, end }) => end - offset) ?? [facts.size];
  const sum = lengths.reduce((all, length) => all + length, 0);
  return sum <= MOST_FILE_BYTES && lengths.every((length) => length <= MOST_PIECE_BYTES) ? sum : undefined;
}

/** One search of files by this process, one after the other. */
export class FileScan {
  readonly #open: (file: string) => number;
  readonly #pattern: LinePattern;
  readonly #limits: LineLimits;
  #buffer = Buffer.alloc(0);
  readonly #slice = new TimeSlice();
  #interruptible: Interruptible | undefined;
  #hardMs = 0;

  /** `open`: for reading, neither waiting nor following a link; its descriptor is closed here. */
  constructor({ open, pattern, limits }: { open: (file: string) => number; pattern: LinePattern; limits: LineLimits }) {
    this.#open = open;
    this.#pattern = pattern;
    this.#limits = limits;
  }

  /** Gives those that ripgrep has to read; undefined when `found` wanted no more. Rejects with the signal's reason. */
  async search(candidates: readonly Candidate[], found: OnFound, signal: AbortSignal): Promise<string[] | undefined> {
    const left: string[] = [];
    for (const candidate of candidates) {
      const pieces = this.#read(candidate);
      if (this.#slice.isOver) await this.#slice.giveWay(signal);
      const matching = pieces === undefined ? undefined : await this.#match(pieces, signal);
      if (matching === undefined) left.push(candidate.file);
      else if (!(await this.#tell(candidate.file, matching, found, signal))) return undefined;
      if (this.#slice.isOver) await this.#slice.giveWay(signal);
    }
    return left;
  }

  /** A file is told by one: where lines may be unsure, all are looked at before the first is told. Undefined when one is. */
  async #match(pieces: readonly Piece[], signal: AbortSignal): Promise<Matching[] | undefined> {
    const matching: Matching[] = [];
    let kept = 0;
    for (const piece of pieces) {
      const lines = matchingLines(piece, this.#pattern, this.#limits, this.#look);
      if (!this.#mayBeUnsure(piece)) {
        matching.push({ piece, lines: lines as Iterable<MatchingLine | undefined> });
        continue;
      }
      const sure: MatchingLine[] = [];
      for (const line of lines) {
        if (line === 'unsure' || kept > MOST_KEPT_LINES) return undefined;
        if (line !== undefined) {
          sure.push(line);
          kept++;
        }
        if (this.#slice.isOver) await this.#slice.giveWay(signal);
      }
      matching.push({ piece, lines: sure });
    }
    return matching;
  }

  #mayBeUnsure({ bytes }: Piece): boolean {
    return (this.#pattern.isUnsure && !isAscii(bytes)) || this.#pattern.steps.atMost(bytes.length) > EASY_STEPS;
  }

  async #tell(file: string, matching: readonly Matching[], found: OnFound, signal: AbortSignal): Promise<boolean> {
    const gathered = new ItemLines();
    const tell = async (): Promise<boolean> => {
      const item = gathered.take(file);
      return found(item.file, item.matches);
    };
    for (const { piece, lines } of matching) {
      for (const line of foundLines(piece, lines, this.#limits)) {
        if (line !== undefined) gathered.add(line);
        if (gathered.isFull && !(await tell())) return false;
        if (this.#slice.isOver) await this.#slice.giveWay(signal);
      }
      if (this.#slice.isOver) await this.#slice.giveWay(signal);
    }
    return gathered.isEmpty || (await tell());
  }

  readonly #look: Look = (bytes, start, end, find): Places => {
    const { steps, isBrief } = this.#pattern;
    const atMost = steps.atMost(end - start);
    if (atMost <= EASY_STEPS) return find();
    if (this.#hardMs > MOST_HARD_MS) return 'unsure';
    const started = performance.now();
    const isQuick =
      isBrief(end - start) || atMost <= stepsAtOnce || (end - start <= LOOKED_AT_BYTES && steps.inLine(bytes, start, end) <= stepsAtOnce);
    if (!isQuick) this.#interruptible ??= new Interruptible();
    const places = isQuick ? find() : this.#interruptible?.run(find, SLOW_LINE_MS);
    this.#hardMs += performance.now() - started - (end - start) / EASY_BYTES_PER_MS;
    return places ?? 'unsure';
  };

  /** The file, or those parts of it; valid until the next is read. Undefined when it is another than the index knows, or no text of one byte a letter. */
  #read({ file, facts, parts }: Candidate): Piece[] | undefined {
    if (facts === undefined) return undefined;
    let descriptor: number;
    try {
      descriptor = this.#open(file);
    } catch {
      return undefined;
    }
    try {
      const pieces = parts === undefined ? this.#readWhole(descriptor, facts) : this.#readParts(descriptor, facts, parts);
      return pieces?.some(({ bytes }) => bytes.includes(0)) === true ? undefined : pieces;
    } catch {
      // A folder by now, or an error of the disk: ripgrep says what it finds.
      return undefined;
    } finally {
      fs.closeSync(descriptor);
    }
  }

  /** What has another length has changed; what has the same is read as it is now. */
  #readWhole(descriptor: number, { size }: FileFacts): Piece[] | undefined {
    const bytes = this.#room(size + 1);
    if (fs.readSync(descriptor, bytes, 0, bytes.length, 0) !== size) return undefined;
    const whole = bytes.subarray(0, size);
    if (beginsWithUtf16(whole)) return undefined;
    return [{ bytes: beginsWith(whole, utf8Mark) ? whole.subarray(utf8Mark.length) : whole, line: 1 }];
  }

  /** Where the parts are is true only of the file that was indexed. */
  #readParts(descriptor: number, { size, mtimeMs }: FileFacts, parts: readonly PartRange[]): Piece[] | undefined {
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile() || stat.size !== size || stat.mtimeMs !== mtimeMs) return undefined;
    const ranges = this.#linesOf(descriptor, parts);
    const joined = ranges === undefined ? undefined : joinRanges(ranges);
    if (joined === undefined) return undefined;
    const buffer = this.#room(joined.reduce((sum, { offset, end }) => sum + end - offset, 0));
    const pieces: Piece[] = [];
    let at = 0;
    for (const { offset, end, line } of joined) {
      const bytes = buffer.subarray(at, at + end - offset);
      if (!readExactly(descriptor, bytes, offset)) return undefined;
      at += bytes.length;
      pieces.push({ bytes, line });
    }
    return pieces;
  }

  /** The whole lines in which a match may stand: of one that was cut, what was found is looked for. Undefined where they are too long. */
  #linesOf(descriptor: number, parts: readonly PartRange[]): LineRange[] | undefined {
    const ranges: LineRange[] = [];
    let bytes = 0;
    for (const part of parts) {
      const { lines = part } = part;
      if (ranges.at(-1)?.offset === lines.offset || (lines !== part && !this.#mayMatch(descriptor, part, lines))) continue;
      bytes += lines.end - lines.offset;
      if (lines.end - lines.offset > MOST_PIECE_BYTES || bytes > MOST_FILE_BYTES) return undefined;
      ranges.push(lines);
    }
    return ranges;
  }

  #mayMatch(descriptor: number, { offset, end }: PartRange, lines: LineRange): boolean {
    const { hints } = this.#pattern;
    if (hints.bytes > overlapBytes) return true;
    const from = Math.max(lines.offset, offset - overlapBytes);
    const bytes = this.#room(end - from);
    return !readExactly(descriptor, bytes, from) || hints.find(bytes)(0) >= 0;
  }

  #room(bytes: number): Buffer {
    if (this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(Math.max(FIRST_BUFFER_BYTES, 2 * this.#buffer.length, bytes));
    return this.#buffer.subarray(0, bytes);
  }
}

function beginsWith(bytes: Buffer, mark: Buffer): boolean {
  return bytes.subarray(0, mark.length).equals(mark);
}

/** False when the file ends before. */
function readExactly(descriptor: number, bytes: Buffer, offset: number): boolean {
  for (let done = 0; done < bytes.length; ) {
    const got = fs.readSync(descriptor, bytes, done, bytes.length - done, offset + done);
    if (got === 0) return false;
    done += got;
  }
  return true;
}

/** Those that follow each other are read at once. */
function joinRanges(parts: readonly LineRange[]): LineRange[] {
  const joined: LineRange[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    if (last?.end === part.offset && part.end - last.offset <= JOINED_BYTES) joined[joined.length - 1] = { ...last, end: part.end };
    else joined.push(part);
  }
  return joined;
}
