/** What a transaction takes of a database; one of node:sqlite has it. */
export interface Transactional {
  exec(sql: string): void;
  readonly isTransaction: boolean;
}

/** All that `work` writes is stored, or nothing of it: where it throws, or the database does, that is thrown. Not within another one. */
export function inTransaction<T>(database: Transactional, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    try {
      // SQLite may have taken it all back itself.
      if (database.isTransaction) database.exec('ROLLBACK');
    } catch {
      // The first error says what is wrong.
    }
    throw error;
  }
}
