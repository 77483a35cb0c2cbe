import fs from 'node:fs';
import path from 'node:path';
import type { ErrorReason } from '../../contract/errors.ts';
import { baseName } from '../../contract/paths.ts';
import { TEMPORARY_NAME } from './atomic-write.ts';
import { type Containment, exactPlace, type Place } from './containment.ts';
import { errnoOf } from '../state/errno.ts';
import { fileError } from './file-errors.ts';

const SLASH = Buffer.from('/');
const LOG_MAX_BYTES = 64 * 1024;
const gone: ReadonlySet<ErrorReason> = new Set<ErrorReason>(['FILE_NOT_FOUND', 'NOT_A_DIRECTORY']);
/** Of a folder that was moved out of the workspace, or removed. */
const away: ReadonlySet<ErrorReason> = new Set<ErrorReason>(['PATH_ESCAPES', 'WORKSPACE_GONE']);

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
        removeTemporary(containment, JSON.parse(line) as string);
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

/**
 * Removes a temporary file or folder of ours, with all in it; what is gone already is fine. `folder`: the one that it is in, held open, as it may be called
 * otherwise by now.
 */
export function removeTemporary(containment: Containment, path: string, folder?: Place): void {
  try {
    using place = folder === undefined ? exactPlace(containment, path) : containment.below(folder, baseName(path), path);
    if (TEMPORARY_NAME.test(place.name)) removeAll(place.at);
  } catch (error) {
    const known = fileError(error, path);
    if (!gone.has(known.reason) && !(folder !== undefined && away.has(known.reason))) throw known;
  }
}

/** A file or a folder with all in it. Throws as fs does where something is left; what is gone already is fine. */
export function removeAll(at: string): void {
  try {
    removeBelow(Buffer.from(at));
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
    makeWritable(at);
    removeBelow(Buffer.from(at));
  }
}

/**
 * Node's rmSync begins a folder anew as long as something is in it: for ever on FUSE, which gives a removed file another name at each try while a program has
 * it open.
 */
function removeBelow(at: Buffer): void {
  try {
    if (fs.lstatSync(at).isDirectory()) {
      for (const name of fs.readdirSync(at, { encoding: 'buffer' })) removeBelow(Buffer.concat([at, SLASH, name]));
      fs.rmdirSync(at);
    } else fs.unlinkSync(at);
  } catch (error) {
    // Another program may be first.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** A folder that its owner may not write to keeps what is in it. */
function makeWritable(folder: string): void {
  fs.chmodSync(folder, 0o700);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) makeWritable(path.join(folder, entry.name));
}
