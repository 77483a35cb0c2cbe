// Reads one file and finds its trigrams.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { countByte } from '../count-byte.ts';
import { GramCollector } from './fold.ts';
import type { ReadFile } from './index-messages.ts';
import type { FilePart, IndexedFile } from './segment-builder.ts';
import { flagAscii, flagBinary, flagBom, flagContinues, flagCut, flagYoung, overlapBytes } from './segment-format.ts';

const defaultPieceBytes = 1024 * 1024;
/** Nobody waits for a thread to have so many files read that are no larger. */
const few = 4;
const smallBytes = 64 * 1024;
/** A file has no more parts than that: they get longer instead. */
const maxParts = 512;
const lineFeed = 10;
/** Two writes within this time may leave the same modification time: the grain of clocks of file systems, and some. */
const clockGrainMs = 100;

/** `missing`: there is no such file. `unreadable`: it can't be opened, is no regular file, or is larger than `maxFileBytes`. */
export type FileGrams = (IndexedFile & { parts: number }) | 'missing' | 'unreadable';

/** Gets a part of a file while its trigrams are in the collector. */
type OnPart = (part: IndexedFile) => void;

export class FileReader {
  readonly #root: string;
  readonly #maxFileBytes: number;
  readonly #partBytes: number;
  readonly #collector: GramCollector;
  readonly #buffer: Buffer;

  /** What it finds is in `collector` until the next file. Files larger than twice `partBytes` have parts, for those who want them. */
  constructor(collector: GramCollector, options: { root: string; maxFileBytes: number; partBytes: number; pieceBytes?: number }) {
    this.#collector = collector;
    this.#root = options.root;
    this.#maxFileBytes = options.maxFileBytes;
    this.#partBytes = options.partBytes;
    this.#buffer = Buffer.allocUnsafeSlow(options.pieceBytes ?? defaultPieceBytes);
  }

  /**
   * With `onPart` a large file is told part by part, and its `parts` say how many there were; 0 for other files, whose trigrams are in the collector then.
   * Parts that were told count for nothing where the file turns out to be binary, or something fails.
   */
  read(path: string, onPart?: OnPart): FileGrams {
    let file: number;
    try {
      // Without waiting for a writer, should it be a pipe by now.
      file = openSync(`${this.#root}/${path}`, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unreadable';
    }
    try {
      return this.#readOpen(file, path, onPart);
    } catch {
      // A read error of the system, or a folder: whoever searches looks at it himself.
      return 'unreadable';
    } finally {
      closeSync(file);
    }
  }

  /** Whole, whatever its size. */
  readWhole(path: string): ReadFile {
    const file = this.read(path);
    if (typeof file === 'string') return { state: file, path };
    return { state: 'indexed', file, grams: this.#collector.grams.slice().sort() };
  }

  /** Size and time are taken before the content: should the file change while it is read, then they do not fit, and the next start reads it again. */
  #readOpen(file: number, path: string, onPart: OnPart | undefined): FileGrams {
    const stats = fstatSync(file);
    const { size, mtimeMs } = stats;
    if (!stats.isFile() || size > this.#maxFileBytes) return 'unreadable';
    const young = mtimeMs > Date.now() - clockGrainMs;
    const entry = (): IndexedFile => {
      const { ascii, bom, binary } = this.#collector;
      const flags = (ascii ? flagAscii : 0) | (bom ? flagBom : 0) | (binary ? flagBinary : 0) | (young ? flagYoung : 0);
      return { path, size, mtimeMs, flags };
    };
    if (onPart === undefined || size <= 2 * this.#partBytes) {
      this.#collect(file, size);
      return { ...entry(), parts: 0 };
    }
    let parts = 0;
    this.#collectParts(file, size, ({ isCut, ...part }) => {
      const told = entry();
      // What is true of a part need not be of the file.
      told.flags &= ~flagAscii;
      if (parts++ > 0) told.flags |= flagContinues;
      if (isCut) told.flags |= flagCut;
      onPart({ ...told, part });
    });
    return { ...entry(), parts };
  }

  /** In large pieces, so that the first one has the whole of a byte order mark. Throws where there is more than the system says, as in /proc. */
  #collect(file: number, size: number): void {
    const collector = this.#collector;
    collector.begin();
    for (const piece of this.#pieces(file, size)) {
      if (size === 0) throw new Error('The file has content and no size.');
      collector.push(piece);
      if (collector.binary) break;
    }
    collector.end();
  }

  /**
   * Ends a part with the first line that makes it long enough, or within that line where it would become twice as long. A file with a byte order mark stays
   * whole, since its lines may not end where a byte says so. The last part ends with the file; where that is binary, it is not told.
   */
  #collectParts(file: number, size: number, ended: (part: FilePart & { isCut: boolean }) => void): void {
    const collector = this.#collector;
    const wantedBytes = Math.max(this.#partBytes, Math.ceil(size / maxParts));
    let part = { offset: 0, line: 1, isCut: false };
    let bytes = 0;
    let lines = 0;
    let last: Buffer = Buffer.alloc(0);
    collector.begin();
    for (const piece of this.#pieces(file, size)) {
      for (let at = 0; at < piece.length; ) {
        const feed = collector.bom ? -1 : piece.indexOf(lineFeed, at + Math.max(0, wantedBytes - bytes - 1));
        const lineEnd = feed < 0 ? piece.length : feed + 1;
        const cutAt = collector.bom ? piece.length : at + 2 * wantedBytes - bytes;
        const end = Math.min(lineEnd, cutAt);
        const some = piece.subarray(at, end);
        collector.push(some);
        if (collector.binary) return;
        bytes += some.length;
        lines += countByte(some, lineFeed, 0, some.length);
        at = end;
        const isCut = end === cutAt && end !== feed + 1;
        if (collector.bom || (!isCut && end !== feed + 1)) continue;
        collector.end();
        ended(part);
        part = { offset: part.offset + bytes, line: part.line + lines, isCut };
        bytes = 0;
        lines = 0;
        collector.begin({ continues: true });
        if (isCut)
          collector.push(end >= overlapBytes ? piece.subarray(end - overlapBytes, end) : Buffer.concat([last, piece.subarray(0, end)]));
      }
      last = Buffer.from(piece.subarray(-overlapBytes));
    }
    collector.end();
    if (bytes > 0 && !collector.binary) ended(part);
  }

  *#pieces(file: number, size: number): Generator<Buffer> {
    let at = 0;
    do {
      const read = readSync(file, this.#buffer, 0, this.#buffer.length, at);
      if (read === 0) return;
      yield this.#buffer.subarray(0, read);
      at += read;
    } while (at < size);
  }
}

/** Reads few small files at once, in the thread of whoever asks. */
export class FewFiles {
  readonly #options: ConstructorParameters<typeof FileReader>[1];
  #reader: FileReader | undefined;

  constructor({ root, maxFileBytes }: { root: string; maxFileBytes: number }) {
    this.#options = { root, maxFileBytes: Math.min(maxFileBytes, smallBytes), partBytes: smallBytes, pieceBytes: smallBytes };
  }

  /** Undefined where they are not few and small, or one of them can't be read. */
  read(paths: readonly string[]): ReadFile[] | undefined {
    if (paths.length > few) return undefined;
    this.#reader ??= new FileReader(new GramCollector(), this.#options);
    const files: ReadFile[] = [];
    for (const path of paths) {
      const file = this.#reader.readWhole(path);
      if (file.state === 'unreadable') return undefined;
      files.push(file);
    }
    return files;
  }
}
