import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { withSmallDisk } from '../../test/kit/small-disk.ts';
import { ACCEPT_WITHIN_MS, assertAuditReplays, type StoreBed, taskStoreSuite } from '../../test/kit/task-store-suite.ts';
import { taskRequest } from '../../test/kit/task-request.ts';
import type { OutriggerError } from '../contract/errors.ts';
import { replayAudit } from './replay-audit.ts';
import { SqliteTaskStore } from './sqlite-task-store.ts';

const START = 1_000_000;

taskStoreSuite('SQLite in memory', () => {
  const clock = { now: START };
  const store = openStore(':memory:', clock);
  return Promise.resolve({ store, clock, release: () => store.close() });
});

taskStoreSuite('SQLite on a file', () => Promise.resolve(fileBed()), { outlives: true });

function openStore(file: string, clock: { now: number }): SqliteTaskStore {
  return new SqliteTaskStore({ file, now: () => clock.now, random: () => 0.5, acceptMs: ACCEPT_WITHIN_MS });
}

function fileBed(): StoreBed & { folder: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-'));
  const clock = { now: START };
  let life = 0;
  const stores = [openStore(path.join(folder, '0'), clock)];
  return {
    folder,
    store: stores[0] as SqliteTaskStore,
    clock,
    // What a killed process leaves are its files as they are at that moment.
    reopen: () => {
      for (const end of ['', '-wal']) fs.copyFileSync(path.join(folder, `${life}${end}`), path.join(folder, `${life + 1}${end}`));
      life++;
      const store = openStore(path.join(folder, `${life}`), clock);
      stores.push(store);
      return Promise.resolve(store);
    },
    release: async () => {
      for (const store of stores) await store.close();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

const isStorageFailed = (error: OutriggerError) => error.reason === 'STORAGE_FAILED';

describe('SQLite as a task store', () => {
  test('a schema of a newer version is refused, and the file stays as it was', async () => {
    const bed = fileBed();
    try {
      await bed.store.enqueue([{ id: 't', request: taskRequest(), by: 'x' }]);
      await bed.store.close();
      const file = path.join(bed.folder, '0');
      const database = new DatabaseSync(file);
      database.exec('PRAGMA user_version = 99');
      database.close();
      const before = fs.readFileSync(file);
      assert.throws(
        () => openStore(file, bed.clock),
        (error: OutriggerError) => error.reason === 'STATE_TOO_NEW',
      );
      assert.deepEqual(fs.readFileSync(file), before);
    } finally {
      await bed.release();
    }
  });

  test('what is no database is refused, and not overwritten', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-'));
    try {
      const file = path.join(folder, 'tasks.db');
      fs.writeFileSync(file, 'no database at all '.repeat(100));
      assert.throws(() => openStore(file, { now: START }), isStorageFailed);
      assert.match(fs.readFileSync(file, 'utf8'), /^no database/);
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  test('a second hub on the same file is refused', async () => {
    const bed = fileBed();
    try {
      assert.throws(() => openStore(path.join(bed.folder, '0'), bed.clock), isStorageFailed);
      await bed.store.enqueue([{ id: 't', request: taskRequest(), by: 'x' }]);
    } finally {
      await bed.release();
    }
  });

  test('all that is asked in one turn is one commit', async () => {
    const bed = fileBed();
    try {
      await bed.store.enqueue([{ id: 't0', request: taskRequest(), by: 'x' }]);
      const wal = path.join(bed.folder, '0-wal');
      const grown = async (work: () => Promise<unknown>) => {
        const before = fs.statSync(wal).size;
        await work();
        return fs.statSync(wal).size - before;
      };
      const add = (id: string) => bed.store.enqueue([{ id, request: taskRequest(), by: 'x' }]);
      const one = await grown(() => add('one'));
      const fifty = await grown(() => Promise.all(Array.from({ length: 50 }, (_, n) => add(`t${n + 1}`))));
      assert.ok(fifty < one * 5, `${fifty} bytes of log for fifty, ${one} for one`);
    } finally {
      await bed.release();
    }
  });

  test('a full disk refuses all of a turn, and memory and disk stay as they were', async (context) => {
    await withSmallDisk(context, 400, async (at) => {
      const clock = { now: START };
      const file = path.join(at, 'tasks.db');
      let store = openStore(file, clock);
      const add = (id: string, length: number) =>
        store.enqueue([{ id, request: taskRequest({ description: 'x'.repeat(length), needs: [id] }), by: 'x' }]);
      await add('first', 10);
      await store.claim([{ agent: 'a', capabilities: ['first'], credit: 1 }]);
      const before = { tasks: store.list({ limit: 9 }), counts: store.counts(), audit: store.audit(0, 99) };
      const turn = await Promise.allSettled([
        add('small', 10),
        store.apply([{ task: 'first', event: { type: 'accept', agent: 'a', fence: 1, leaseUntil: clock.now + 1000 } }]),
        add('huge', 1_000_000),
        add('after', 10),
      ]);
      for (const one of turn) assert.ok(one.status === 'rejected' && isStorageFailed(one.reason as OutriggerError), JSON.stringify(one));
      assert.deepEqual({ tasks: store.list({ limit: 9 }), counts: store.counts(), audit: store.audit(0, 99) }, before);
      // Another task in the lane whose number the failed turn had used for another.
      await add('second', 10);
      assert.deepEqual(await store.claim([{ agent: 'b', capabilities: ['small', 'huge', 'after'], credit: 9 }]), []);
      assert.equal((await store.claim([{ agent: 'b', capabilities: ['second'], credit: 9 }])).length, 1);
      await store.close();
      store = openStore(file, clock);
      assert.deepEqual(
        store.list({ limit: 9 }).map(({ id }) => id),
        ['second', 'first'],
      );
      assertAuditReplays(store);
      await store.close();
    });
  });

  test('many ready tasks and agents: claiming asks lanes, not tasks', { timeout: 60_000 }, async (context) => {
    const clock = { now: START };
    const store = openStore(':memory:', clock);
    const tasks = 100_000;
    for (let n = 0; n < tasks; n += 10_000) {
      const ids = Array.from({ length: 10_000 }, (_, index) => n + index);
      // The oldest and most urgent need what nobody here has.
      await store.enqueue(
        ids.map((id) => ({ id: `t${id}`, request: taskRequest({ needs: [`need${id % 20}`], priority: id % 20 === 0 ? 0 : 2 }), by: 'x' })),
      );
    }
    const claims = Array.from({ length: 1000 }, (_, n) => ({ agent: `a${n}`, capabilities: [`need${1 + (n % 19)}`, 'other'], credit: 1 }));
    const begun = performance.now();
    assert.equal((await store.claim(claims)).length, 1000);
    const together = performance.now() - begun;
    const single = performance.now();
    for (let n = 0; n < 100; n++) assert.equal((await store.claim([{ agent: 'b', capabilities: ['need3'], credit: 1 }])).length, 1);
    const each = (performance.now() - single) / 100;
    context.diagnostic(`1,000 agents at once ${together.toFixed()} ms, one agent ${each.toFixed(2)} ms`);
    assert.ok(together < 2000 && each < 50, `${together} ms, ${each} ms`);
    await store.close();
  });

  test('an audit with a gap, or that says what does not follow, does not replay', async () => {
    const clock = { now: START };
    const store = openStore(':memory:', clock);
    await store.enqueue([{ id: 't', request: taskRequest(), by: 'x' }]);
    await store.claim([{ agent: 'a', capabilities: [], credit: 1 }]);
    await store.apply([{ task: 't', event: { type: 'complete', agent: 'a', fence: 1, result: null, report: null } }]);
    const [create, offer, complete] = store.audit(0, 9);
    assert.ok(create && offer && complete);
    assert.throws(() => replayAudit([create, complete]), /entry 3 where 2 should be/);
    assert.throws(() => replayAudit([create, { ...complete, sequence: 2 }]), /leaves t ready under 0/);
    assert.throws(() => replayAudit([{ ...offer, sequence: 1 }]), /never created/);
    assert.throws(() => replayAudit([create, { ...create, sequence: 2 }]), /creates t again/);
    await store.close();
  });
});
