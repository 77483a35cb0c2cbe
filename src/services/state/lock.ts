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
  readonly #label: string;

  private constructor(database: DatabaseSync | undefined, label: string, holder: string | undefined) {
    this.#database = database;
    this.#label = label;
    this.held = database !== undefined;
    this.holder = holder;
  }

  static acquire(file: string): FolderLock {
    const label = `${file}.holder`;
    const database = new DatabaseSync(`${file}.db`);
    try {
      database.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = NORMAL; PRAGMA busy_timeout = 200; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      // SQLITE_BUSY 5: somebody holds it.
      if (((error as { errcode?: number }).errcode ?? 0) % 256 !== 5) throw error;
      return new FolderLock(undefined, label, readLabel(label));
    }
    fs.writeFileSync(label, JSON.stringify({ pid: process.pid, since: new Date().toISOString(), key: randomBytes(4).toString('hex') }));
    return new FolderLock(database, label, undefined);
  }

  release(): void {
    if (this.#database === undefined || !this.#database.isOpen) return;
    fs.rmSync(this.#label, { force: true });
    this.#database.exec('ROLLBACK');
    this.#database.close();
  }
}

function readLabel(label: string): string {
  try {
    const { pid, since } = JSON.parse(fs.readFileSync(label, 'utf8')) as { pid: number; since: string };
    return `process ${pid}, since ${since}`;
  } catch {
    // The holder writes its label after it has the lock.
    return 'another process';
  }
}
