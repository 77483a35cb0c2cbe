import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

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

  private constructor(database: DatabaseSync | undefined, file: string, holder: string | undefined) {
    this.#database = database;
    this.#file = file;
    this.held = database !== undefined;
    this.holder = holder;
  }

  /** `state`: the folder of the holder's state, for those who look for it from here. */
  static acquire(file: string, state?: string): FolderLock {
    const label = labelOf(file);
    const database = new DatabaseSync(databaseOf(file));
    try {
      database.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; PRAGMA busy_timeout = 200; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      // SQLITE_BUSY 5: somebody holds it.
      if (((error as { errcode?: number }).errcode ?? 0) % 256 !== 5) throw error;
      const holder = readLabel(file);
      // The holder writes its label after it has the lock.
      return new FolderLock(undefined, file, holder === undefined ? 'another process' : `process ${holder.pid}, since ${holder.since}`);
    }
    try {
      fs.writeFileSync(
        label,
        JSON.stringify({ pid: process.pid, since: new Date().toISOString(), key: randomBytes(4).toString('hex'), state }),
      );
    } catch (error) {
      database.close();
      throw error;
    }
    return new FolderLock(database, file, undefined);
  }

  /** `removes`: its file goes as well, where a sidecar keeps nothing but the lock. */
  release({ removes = false } = {}): void {
    if (this.#database === undefined || !this.#database.isOpen) return;
    fs.rmSync(labelOf(this.#file), { force: true });
    if (removes) fs.rmSync(databaseOf(this.#file), { force: true });
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

function readLabel(file: string): { pid: number; since: string; state?: string } | undefined {
  try {
    return JSON.parse(fs.readFileSync(labelOf(file), 'utf8')) as { pid: number; since: string; state?: string };
  } catch {
    return undefined;
  }
}
