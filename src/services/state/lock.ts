import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeFolder } from '../../core/make-folder.ts';
import { fileIdentity } from './file-identity.ts';

/** https://sqlite.org/rescode.html: somebody holds it; it is no database, or a damaged one. */
const BUSY = 5;
const SPOILT: readonly number[] = [11, 26];

/** Each time somebody else took the file away between two steps. */
const MAX_TRIES = 10;

/**
 * Says which process may write a folder. Node has no flock, so the lock is SQLite's: an open exclusive transaction on a small
 * database, which the kernel drops with the process, however it ends. No pid file can go stale.
 */
export class FolderLock {
  readonly held: boolean;
  /** When not held: what the holder wrote about itself. */
  readonly holder: string | undefined;
  readonly #database: DatabaseSync | undefined;
  readonly #file: string;
  readonly #identity: string | undefined;

  private constructor(database: DatabaseSync | undefined, file: string, holder: string | undefined, identity?: string) {
    this.#database = database;
    this.#file = file;
    this.#identity = identity;
    this.held = database !== undefined;
    this.holder = holder;
  }

  /**
   * `state`: the folder of the holder's state, for those who look for it from here. `waitMs`: how long, without a turn of the loop, who holds it may
   * take to let it go.
   */
  static acquire(file: string, state?: string, waitMs = 200): FolderLock {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const lock = FolderLock.#tryIt(file, state, waitMs);
      if (lock !== undefined) return lock;
    }
    return new FolderLock(undefined, file, 'another process');
  }

  /** Undefined where its file was taken away meanwhile: nobody who comes later would meet a lock on that. */
  static #tryIt(file: string, state: string | undefined, waitMs: number): FolderLock | undefined {
    const name = databaseOf(file);
    if (!fs.existsSync(name)) makeFile(name);
    const identity = fileIdentity(name);
    if (identity === undefined) return undefined;
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(name);
      database.exec(`PRAGMA busy_timeout = ${waitMs}; PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; BEGIN EXCLUSIVE`);
    } catch (error) {
      database?.close();
      if (fileIdentity(name) !== identity) return undefined;
      const code = ((error as { errcode?: number }).errcode ?? 0) % 256;
      if (SPOILT.includes(code)) {
        // Nobody holds it: that is found out first. It never holds anything, so another takes its place.
        fs.rmSync(name, { force: true });
        return undefined;
      }
      if (code !== BUSY) throw error;
      const holder = readLabel(file);
      // The holder writes its label after it has the lock.
      return new FolderLock(undefined, file, holder === undefined ? 'another process' : `process ${holder.pid}, since ${holder.since}`);
    }
    if (fileIdentity(name) !== identity) {
      database.close();
      return undefined;
    }
    try {
      fs.writeFileSync(
        labelOf(file),
        JSON.stringify({ pid: process.pid, since: new Date().toISOString(), key: randomBytes(4).toString('hex'), state }),
      );
    } catch (error) {
      database.close();
      throw error;
    }
    return new FolderLock(database, file, undefined, identity);
  }

  /** Whether somebody who comes now would meet it: false also when its file was taken away. */
  get isMet(): boolean {
    return this.#database?.isOpen === true && fileIdentity(databaseOf(this.#file)) === this.#identity;
  }

  /** `removes`: its file goes as well, where a sidecar keeps nothing but the lock. */
  release({ removes = false } = {}): void {
    if (this.#database === undefined || !this.#database.isOpen) return;
    // In the place of one that was taken away there may be another's.
    if (this.isMet) {
      fs.rmSync(labelOf(this.#file), { force: true });
      if (removes) fs.rmSync(databaseOf(this.#file), { force: true });
    }
    this.#database.exec('ROLLBACK');
    this.#database.close();
  }
}

/** The folder of the state of who holds the lock, or held it when it was killed. */
export function stateOfHolder(file: string): string | undefined {
  return readLabel(file)?.state;
}

function labelOf(file: string): string {
  return `${file}.holder`;
}

function databaseOf(file: string): string {
  return `${file}.db`;
}

/** Not by opening what may be there: to close a file ends all locks that this process has on it. */
function makeFile(name: string): void {
  try {
    fs.writeFileSync(name, '', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // Who let the lock go took its folder along.
    if (code === 'ENOENT') makeFolder(path.dirname(name), 0o700, { fs, path });
    else if (code !== 'EEXIST') throw error;
  }
}

function readLabel(file: string): { pid: number; since: string; state?: string } | undefined {
  try {
    return JSON.parse(fs.readFileSync(labelOf(file), 'utf8')) as { pid: number; since: string; state?: string };
  } catch {
    return undefined;
  }
}
