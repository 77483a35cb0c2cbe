import fs from 'node:fs';
import path from 'node:path';
import { TEMPORARY_NAME } from './atomic-write.ts';
import type { Containment } from './containment.ts';

const LOG_MAX_BYTES = 64 * 1024;

/**
 * Remembers, outside of the folder, which temporary files are being written in it, so that those of a process that was
 * killed are removed at the next start instead of lying about for ever.
 */
export class Temporaries {
  readonly #file: string;
  #descriptor: number | undefined;
  #inFlight = 0;
  #bytes = 0;

  constructor(folder: string) {
    this.#file = path.join(folder, 'temporaries');
  }

  /** Before the file is made. */
  began(wirePath: string): void {
    this.#inFlight++;
    try {
      this.#descriptor ??= fs.openSync(this.#file, 'a', 0o600);
      this.#bytes += fs.writeSync(this.#descriptor, `${JSON.stringify(wirePath)}\n`);
    } catch {
      // A full state disk must not stop writes to the folder; at worst a killed write leaves its file.
    }
  }

  ended(): void {
    this.#inFlight--;
    if (this.#inFlight > 0 || this.#bytes < LOG_MAX_BYTES || this.#descriptor === undefined) return;
    fs.ftruncateSync(this.#descriptor, 0);
    this.#bytes = 0;
  }

  /** Removes what a killed process left. */
  sweep(containment: Containment): void {
    if (!fs.existsSync(this.#file)) return;
    for (const line of fs.readFileSync(this.#file, 'utf8').split('\n')) {
      try {
        using place = containment.place(JSON.parse(line) as string, false);
        if (TEMPORARY_NAME.test(place.name)) fs.unlinkSync(place.at);
      } catch {
        // Renamed into place long ago, or a line that was cut short.
      }
    }
    fs.rmSync(this.#file, { force: true });
  }

  close(): void {
    if (this.#descriptor === undefined) return;
    fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
    if (this.#inFlight === 0) fs.rmSync(this.#file, { force: true });
  }
}
