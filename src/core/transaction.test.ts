import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { inTransaction, type Transactional } from './transaction.ts';

function withNumbers(): { database: DatabaseSync; add: (n: number) => void; numbers: () => unknown[] } {
  const database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE numbers(n INTEGER PRIMARY KEY)');
  const insert = database.prepare('INSERT INTO numbers(n) VALUES(?)');
  const all = database.prepare('SELECT n FROM numbers ORDER BY n');
  return { database, add: (n) => void insert.run(n), numbers: () => all.all().map(({ n }) => n) };
}

test('what is written in a transaction is there as a whole, with its result', () => {
  const { database, add, numbers } = withNumbers();
  const result = inTransaction(database, () => {
    add(1);
    add(2);
    return 'done';
  });
  assert.deepEqual([result, numbers(), database.isTransaction], ['done', [1, 2], false]);
});

test('nothing is there where the work fails, or the database refuses something; the next one begins anew', () => {
  const { database, add, numbers } = withNumbers();
  const wrong = new Error('wrong');
  const failing: [work: () => void, error: RegExp][] = [
    [
      () => {
        add(1);
        throw wrong;
      },
      /wrong/,
    ],
    [
      () => {
        add(1);
        add(1);
      },
      /UNIQUE/,
    ],
    [
      () => {
        add(1);
        // As SQLite does by itself, where a disk is full.
        database.exec('ROLLBACK');
        throw wrong;
      },
      /wrong/,
    ],
  ];
  for (const [work, error] of failing) {
    assert.throws(() => inTransaction(database, work), error);
    assert.deepEqual([numbers(), database.isTransaction], [[], false]);
  }
  inTransaction(database, () => add(7));
  assert.deepEqual(numbers(), [7]);
});

test('what went wrong is told also where it can not be taken back', () => {
  const broken: Transactional = {
    exec: (sql) => {
      if (sql === 'ROLLBACK') throw new Error('the disk is gone');
    },
    isTransaction: true,
  };
  const wrong = (): never => {
    throw new Error('wrong');
  };
  assert.throws(() => inTransaction(broken, wrong), /^Error: wrong$/);
});
