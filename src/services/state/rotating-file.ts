import fs from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../../core/make-folder.ts';

export interface RotatingFileOptions {
  file: string;
  /** A file that has so many bytes is put aside as `<file>.1`, and what that was as `<file>.2`. */
  maxBytes: number;
  /** Files that are put aside and kept. */
  keep: number;
  /** Called once each time that writing begins to fail. */
  onProblem(error: Error): void;
}

/** Lines in a file that can't grow without end. What can't be written is lost: nobody waits for a log. */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #descriptor: number | undefined;
  #bytes = 0;
  #failing = false;

  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** Never throws. */
  write(line: string): void {
    try {
      const bytes = Buffer.from(line);
      if (this.#descriptor !== undefined && this.#bytes > 0 && this.#bytes + bytes.length > this.#options.maxBytes) this.#rotate();
      this.#descriptor ??= this.#open();
      fs.writeSync(this.#descriptor, bytes);
      this.#bytes += bytes.length;
      this.#failing = false;
    } catch (error) {
      this.close();
      if (!this.#failing) this.#options.onProblem(error as Error);
      this.#failing = true;
    }
  }

  close(): void {
    if (this.#descriptor === undefined) return;
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    fs.closeSync(descriptor);
  }

  #open(): number {
    const { file, maxBytes } = this.#options;
    makeFolder(path.dirname(file), 0o777, { fs, path });
    // Descriptions of tasks may be nobody's business.
    let descriptor = fs.openSync(file, 'a', 0o600);
    this.#bytes = fs.fstatSync(descriptor).size;
    if (this.#bytes >= maxBytes) {
      this.#descriptor = descriptor;
      this.#rotate();
      descriptor = fs.openSync(file, 'a', 0o600);
      this.#bytes = fs.fstatSync(descriptor).size;
    }
    return descriptor;
  }

  #rotate(): void {
    const { file, keep } = this.#options;
    this.close();
    fs.rmSync(`${file}.${keep}`, { force: true });
    for (let n = keep - 1; n >= 0; n--) {
      const from = n === 0 ? file : `${file}.${n}`;
      if (fs.existsSync(from)) fs.renameSync(from, `${file}.${n + 1}`);
    }
  }
}
