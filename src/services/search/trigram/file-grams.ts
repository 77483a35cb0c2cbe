// Reads one file and finds its trigrams.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import type { GramCollector } from './fold.ts';
import type { IndexedFile } from './segment-builder.ts';
import { flagAscii, flagBinary, flagBom, flagYoung } from './segment-format.ts';

const pieceBytes = 1024 * 1024;
/** Two writes within this time may leave the same modification time: the grain of clocks of file systems, and some. */
const clockGrainMs = 100;

/** `missing`: there is no such file. `unreadable`: it can't be opened, is no regular file, or is larger than `maxFileBytes`. */
export type FileGrams = IndexedFile | 'missing' | 'unreadable';

export class FileReader {
  readonly #root: string;
  readonly #maxFileBytes: number;
  readonly #collector: GramCollector;
  readonly #buffer = Buffer.allocUnsafeSlow(pieceBytes);

  /** What it finds is in `collector` until the next file. */
  constructor(collector: GramCollector, options: { root: string; maxFileBytes: number }) {
    this.#collector = collector;
    this.#root = options.root;
    this.#maxFileBytes = options.maxFileBytes;
  }

  read(path: string): FileGrams {
    let file: number;
    try {
      // Without waiting for a writer, should it be a pipe by now.
      file = openSync(`${this.#root}/${path}`, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      return code === 'ENOENT' || code === 'ENOTDIR' ? 'missing' : 'unreadable';
    }
    try {
      return this.#readOpen(file, path);
    } catch {
      // A read error of the system, or a folder: whoever searches looks at it himself.
      return 'unreadable';
    } finally {
      closeSync(file);
    }
  }

  /** Size and time are taken before the content: should the file change while it is read, then they do not fit, and the next start reads it again. */
  #readOpen(file: number, path: string): FileGrams {
    const stats = fstatSync(file);
    const { size, mtimeMs } = stats;
    if (!stats.isFile() || size > this.#maxFileBytes) return 'unreadable';
    const young = mtimeMs > Date.now() - clockGrainMs;
    this.#collect(file, size);
    const { ascii, bom, binary } = this.#collector;
    const flags = (ascii ? flagAscii : 0) | (bom ? flagBom : 0) | (binary ? flagBinary : 0) | (young ? flagYoung : 0);
    return { path, size, mtimeMs, flags };
  }

  /** In large pieces, so that the first one has the whole of a byte order mark. Throws where there is more than the system says, as in /proc. */
  #collect(file: number, size: number): void {
    const collector = this.#collector;
    collector.begin();
    let at = 0;
    do {
      const read = readSync(file, this.#buffer, 0, pieceBytes, at);
      if (read === 0) break;
      if (size === 0) throw new Error('The file has content and no size.');
      collector.push(this.#buffer.subarray(0, read));
      at += read;
    } while (at < size && !collector.binary);
    collector.end();
  }
}
