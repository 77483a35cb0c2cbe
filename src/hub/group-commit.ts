import type { DatabaseSync } from 'node:sqlite';
import { OutriggerError } from '../contract/errors.ts';
import type { PeerTimers } from '../core/peer.ts';
import { inTransaction } from '../core/transaction.ts';

interface Job {
  run: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

interface CommitHooks {
  /** In the transaction, before the first job. */
  begun(): void;
  /** It is on the disk, and nobody has been told yet. */
  stored(): void;
  /** Nothing of it was stored: what memory took from it is to be forgotten. */
  failed(): void;
}

/** One transaction, and so one fsync, for all that is asked of a database in one turn of the event loop. */
export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #hooks: CommitHooks;
  readonly #timers: Pick<PeerTimers, 'soon'>;
  #jobs: Job[] = [];
  #closing = false;

  constructor(database: DatabaseSync, hooks: CommitHooks, timers: Pick<PeerTimers, 'soon'>) {
    this.#database = database;
    this.#hooks = hooks;
    this.#timers = timers;
  }

  /**
   * Runs `job` in the commit of this turn, and resolves when that is on the disk. An OutriggerError that it throws, before it writes, is its
   * own alone. Whatever else goes wrong takes back the turn: all that was asked in it rejects with STORAGE_FAILED. After `close`: STOPPING.
   */
  ask<T>(job: () => T): Promise<T> {
    if (this.#closing) return Promise.reject(new OutriggerError('STOPPING', 'The hub is stopping.'));
    return new Promise((resolve, reject) => {
      this.#jobs.push({ run: job, resolve: resolve as (value: unknown) => void, reject });
      if (this.#jobs.length === 1) this.#timers.soon(() => this.#commit());
    });
  }

  /** What was asked before is stored first, if it can be. May be called twice. */
  async close(): Promise<void> {
    if (this.#closing) return;
    const last = this.ask(() => undefined);
    this.#closing = true;
    await last.catch(() => undefined);
    this.#database.close();
  }

  #commit(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    let answers: (() => void)[];
    try {
      answers = inTransaction(this.#database, () => {
        this.#hooks.begun();
        return jobs.map(answerOf);
      });
    } catch (error) {
      this.#hooks.failed();
      const problem = new OutriggerError('STORAGE_FAILED', `The tasks could not be stored: ${(error as Error).message}`, { cause: error });
      for (const { reject } of jobs) reject(problem);
      return;
    }
    this.#hooks.stored();
    for (const answer of answers) answer();
  }
}

function answerOf({ run, resolve, reject }: Job): () => void {
  try {
    const value = run();
    return () => resolve(value);
  } catch (error) {
    if (!(error instanceof OutriggerError)) throw error;
    return () => reject(error);
  }
}
