import fs from 'node:fs';
import path from 'node:path';
import type { ErrorReason } from '../../contract/errors.ts';
import { baseName } from '../../contract/paths.ts';
import { OWN_TEMPORARY } from '../../core/passing-name.ts';
import { type Containment, exactPlace, type Place } from './containment.ts';
import { errnoOf } from '../state/errno.ts';
import { openWhenReplaced } from '../state/file-system.ts';
import { fileError } from './file-errors.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = fs.constants;
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
    if (OWN_TEMPORARY.test(place.name)) removeAll(place.at);
  } catch (error) {
    const known = fileError(error, path);
    if (!gone.has(known.reason) && !(folder !== undefined && away.has(known.reason))) throw known;
  }
}

/** A file or a folder with all in it. Throws as fs does where something is left; what is gone already is fine. */
export function removeAll(at: string): void {
  // Node begins a folder anew as long as something is in it: for ever where a removed file has another name at each try, as a program has it open.
  const isKept = openWhenReplaced(path.dirname(at)) === 'named';
  const remove = isKept ? () => removeOnce(Buffer.from(at)) : () => fs.rmSync(at, { recursive: true, force: true });
  try {
    remove();
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
    makeWritable(at);
    remove();
  }
}

/** Each folder is held open while what is in it is removed: one that is swapped for a link meanwhile leads nowhere else. Needs /proc. */
function removeOnce(at: Buffer): void {
  try {
    const descriptor = openFolder(at);
    if (descriptor === undefined) return fs.unlinkSync(at);
    try {
      const names = fs.readdirSync(`/proc/self/fd/${descriptor}`, { encoding: 'buffer' });
      for (const name of names) removeOnce(Buffer.concat([Buffer.from(`/proc/self/fd/${descriptor}/`), name]));
    } finally {
      fs.closeSync(descriptor);
    }
    fs.rmdirSync(at);
  } catch (error) {
    // Another program may be first.
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Undefined for what is no folder. */
function openFolder(at: Buffer): number | undefined {
  try {
    return fs.openSync(at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    if (['ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** A folder that its owner may not write to keeps what is in it. */
function makeWritable(folder: string): void {
  fs.chmodSync(folder, 0o700);
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) makeWritable(path.join(folder, entry.name));
}
