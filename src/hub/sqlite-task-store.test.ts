import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { livingBytes } from '../../test/kit/living-bytes.ts';
import { threadMs } from '../../test/kit/loop-hold.ts';
import { withSmallDisk } from '../../test/kit/small-disk.ts';
import { ACCEPT_WITHIN_MS, assertAuditReplays, KEEP_TASKS, type StoreBed, taskStoreSuite } from '../../test/kit/task-store-suite.ts';
import { taskRequest } from '../../test/kit/task-request.ts';
import type { OutriggerError } from '../contract/errors.ts';
import { replayAudit } from './replay-audit.ts';
import { SqliteTaskStore } from './sqlite-task-store.ts';
import type { AuditEntry, TaskBrief, TaskEvent, TaskRecord, TaskStore } from './task-store.ts';
import { newTask } from './transition.ts';

const START = 1_000_000;

taskStoreSuite('SQLite in memory', () => {
  const clock = { now: START };
  const store = openStore(':memory:', clock);
  return Promise.resolve({ store, clock, release: () => store.close() });
});

taskStoreSuite('SQLite on a file', () => Promise.resolve(fileBed()), { outlives: true });

function openStore(file: string, clock: { now: number }): SqliteTaskStore {
  return new SqliteTaskStore({ file, now: () => clock.now, random: () => 0.5, acceptMs: ACCEPT_WITHIN_MS, keep: KEEP_TASKS });
}

/** Of large tasks, as many commits as it takes. */
async function claimAll(store: TaskStore, agent: string, credit: number): Promise<TaskBrief[]> {
  const granted: TaskBrief[] = [];
  for (let isMore = true; isMore; ) {
    isMore = false;
    const claims = [{ agent, capabilities: [], credit: credit - granted.length }];
    for (const { task } of await store.claim(claims, () => (isMore = true))) granted.push(task);
  }
  return granted;
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

  test('what changes for the sake of another task is told when it is on the disk, as it is then', async () => {
    const told: [id: string, state: string][] = [];
    const clock = { now: START };
    const store = new SqliteTaskStore({
      file: ':memory:',
      now: () => clock.now,
      random: () => 0.5,
      followed: (task) => {
        assert.deepEqual(store.get(task.id), task);
        told.push([task.id, task.state]);
      },
    });
    const tellings = async (): Promise<typeof told> => {
      await new Promise((resolve) => setImmediate(resolve));
      return told.splice(0);
    };
    const add = (id: string, more: Parameters<typeof taskRequest>[0] = {}) => ({ id, request: taskRequest(more), by: 'x' });
    const cancel = (task: string) => ({ task, event: { type: 'cancel' as const, by: 'x', reason: 'no', cancelBy: clock.now } });
    try {
      await store.enqueue([add('a'), add('b', { after: ['a'] }), add('c', { after: ['b'] }), add('d', { after: ['a'] })]);
      assert.deepEqual(await tellings(), [], 'whoever asked has the answer');
      // What is asked of one of them in the same turn, and answered, does not make older news of it.
      const [, [retried]] = await Promise.all([
        store.apply([cancel('a')]),
        store.apply([{ task: 'd', event: { type: 'retry', by: 'x' } }]),
      ]);
      assert.equal(retried?.task?.state, 'scheduled');
      assert.deepEqual(await tellings(), [
        ['b', 'cancelled'],
        ['d', 'scheduled'],
        ['c', 'cancelled'],
      ]);
      await store.enqueue([add('e'), add('f', { after: ['e'] })]);
      const [grant] = await store.claim([{ agent: 'one', capabilities: [], credit: 1 }]);
      const fence = grant?.task.fence ?? 0;
      await store.apply([{ task: 'e', event: { type: 'complete', agent: 'one', fence, result: null, report: null } }]);
      assert.deepEqual(await tellings(), [['f', 'ready']]);
      // Over before it was given to anybody, and nobody had seen to that.
      await store.apply([cancel('f')]);
      await store.enqueue([add('g', { deadline: START + 10 }), add('h', { after: ['g'] })]);
      clock.now += 10;
      assert.deepEqual(await store.claim([{ agent: 'one', capabilities: [], credit: 1 }]), []);
      assert.deepEqual(await tellings(), [
        ['h', 'cancelled'],
        ['g', 'failed'],
      ]);
    } finally {
      await store.close();
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

  test('many ready tasks and agents: claiming asks lanes, not tasks (long form)', async (context) => {
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

  test('of more than ten thousand tasks that are held those that were used last are in memory, and the others on the disk', async () => {
    const clock = { now: START };
    const store = openStore(':memory:', clock);
    const ids = Array.from({ length: 10_001 }, (_, n) => `t${n}`);
    await store.enqueue(ids.map((id) => ({ id, request: taskRequest(), by: 'x' })));
    const claim = (credit: number) => claimAll(store, 'a', credit);
    const held = await claim(10_000);
    // Of what is in memory the same record is given again.
    assert.ok(held.every((task) => store.get(task.id) === task));
    await claim(1);
    const read = store.get('t0');
    assert.notEqual(read, held[0]);
    assert.deepEqual(read, held[0]);
    assert.equal(store.get('t0'), read);
    assert.equal(store.get('t2'), held[2]);
    const [accepted] = await store.apply([{ task: 't1', event: { type: 'accept', agent: 'a', fence: 1, leaseUntil: START + 1 } }]);
    assert.ok(accepted?.ok);
    await store.close();
  });

  test('of large tasks that are held no more than 32 Mi characters are in memory, and each is told whole', async () => {
    const store = openStore(':memory:', { now: START });
    const ids = Array.from({ length: 90 }, (_, n) => `t${n}`.padEnd(4));
    const requestFor = (id: string) => {
      const verificationSteps = [{ type: 'file_exists', target: id, description: id }];
      return taskRequest({ metadata: { text: id.repeat(250_000) }, fileHints: [{ path: id }], successCriteria: [id], verificationSteps });
    };
    const apply = (event: TaskEvent) => store.apply(ids.map((task) => ({ task, event })));
    const before = livingBytes();
    // One by one, so that no list of requests is large.
    for (const id of ids) await store.enqueue([{ id, request: requestFor(id), by: 'x' }]);
    const granted = await claimAll(store, 'a', ids.length);
    const accepted = await apply({ type: 'accept', agent: 'a', fence: 1, leaseUntil: START + 1000 });
    const renewed = await apply({ type: 'renew', agent: 'a', fence: 1, leaseUntil: START + 2000 });
    const held = store.heldBy('a');
    const grown = (livingBytes() - before) / 1024 / 1024;
    assert.ok(grown < 40, `${grown.toFixed()} MiB are kept`);
    for (const answer of [granted, accepted, renewed, held]) assert.equal(answer.length, ids.length);
    const facts = { state: 'running', holder: 'a', fence: 1, attempt: 1, leaseUntil: START + 2000 };
    for (const id of ['t89 ', 't0  ', 't50 ', 't0  '])
      assert.deepEqual(store.get(id), { ...newTask(id, requestFor(id), 'x', [], START), ...facts });
    await store.close();
  });

  test('of tasks that failed with much to say and are held again, 32 Mi characters are in memory', async () => {
    const clock = { now: START };
    const store = openStore(':memory:', clock);
    const ids = Array.from({ length: 12 }, (_, n) => `t${n}`.padEnd(4));
    const before = livingBytes();
    const claim = async (): Promise<void> => {
      assert.equal((await claimAll(store, 'a', ids.length)).length, ids.length);
    };
    await store.enqueue(ids.map((id) => ({ id, request: taskRequest(), by: 'x' })));
    await claim();
    for (const id of ids)
      await store.apply([
        { task: id, event: { type: 'fail', agent: 'a', fence: 1, reason: id.repeat(1024 * 1024), retryable: true, report: null } },
      ]);
    clock.now += 3_600_000;
    await store.reap();
    await claim();
    const grown = (livingBytes() - before) / 1024 / 1024;
    assert.ok(grown < 36, `${grown.toFixed()} MiB are kept`);
    assert.equal(store.heldBy('a').length, ids.length);
    assert.equal(store.get('t0  ')?.reason, 't0  '.repeat(1024 * 1024));
    await store.close();
  });

  test('of many due tasks a thousand are seen to in a commit, and others get their turn before the rest', async () => {
    const clock = { now: START };
    const store = openStore(':memory:', clock);
    const ids = Array.from({ length: 1001 }, (_, n) => `t${n}`);
    await store.enqueue(ids.map((id) => ({ id, request: taskRequest({ runAt: START + 1 }), by: 'x' })));
    clock.now++;
    const reaped = store.reap();
    await store.enqueue([{ id: 'other', request: taskRequest(), by: 'x' }]);
    assert.deepEqual([store.counts().scheduled, store.counts().ready], [1, 1001]);
    assert.equal((await reaped).length, 1001);
    assert.equal(store.counts().scheduled, 0);
    await store.close();
  });

  test('of many large tasks that are due some are seen to in a commit, and others get their turn before the rest', async () => {
    const clock = { now: START };
    const store = openStore(':memory:', clock);
    const ids = Array.from({ length: 9 }, (_, n) => `t${n}`);
    const reason = 'x'.repeat(1024 * 1024);
    await store.enqueue(ids.map((id) => ({ id, request: taskRequest(), by: 'x' })));
    await claimAll(store, 'a', ids.length);
    await store.apply(ids.map((task) => ({ task, event: { type: 'fail', agent: 'a', fence: 1, reason, retryable: true, report: null } })));
    clock.now += 3_600_000;
    const reaped = store.reap();
    await store.enqueue([{ id: 'other', request: taskRequest(), by: 'x' }]);
    const { scheduled } = store.counts();
    assert.ok(scheduled > 0 && scheduled < 9, `${scheduled} wait`);
    assert.equal((await reaped).length, 9);
    assert.equal(store.counts().scheduled, 0);
    await store.close();
  });

  test('what is large in tasks is read where it is asked for, and by nothing else', async (context) => {
    const bed = fileBed();
    try {
      const ids = Array.from({ length: 12 }, (_, n) => `t${n}`);
      // One word after the other, as what agents are told mostly is.
      const metadata = { words: Array.from({ length: 20_000 }, (_, n) => `${n}`.padEnd(90, 'x')) };
      for (const id of ids) await bed.store.enqueue([{ id, request: taskRequest({ metadata }), by: 'x' }]);
      const claimed = await claimAll(bed.store, 'a', ids.length);
      const apply = (store: TaskStore, event: TaskEvent) => store.apply(claimed.map(({ id }) => ({ task: id, event })));
      const grant = { agent: 'a', fence: 1 };
      await apply(bed.store, { type: 'accept', ...grant, leaseUntil: START + 1000 });
      const tookMs: Record<string, number> = {};
      // Each by a store that has nothing in memory.
      const took = async (name: string, run: (store: TaskStore) => unknown): Promise<void> => {
        const store = (await bed.reopen?.()) as TaskStore;
        const begun = threadMs();
        await run(store);
        tookMs[name] = threadMs() - begun;
      };
      await took('get', (store) => ids.map((id) => store.get(id)));
      await took('list', (store) => store.list({ limit: 99 }));
      await took('held', (store) => store.heldBy('a'));
      await took('renew', (store) => apply(store, { type: 'renew', ...grant, leaseUntil: START + 2000 }));
      await took('disown', (store) => apply(store, { type: 'disown', ...grant }));
      await took('cancel', (store) => apply(store, { type: 'cancel', by: 'x', reason: 'x', cancelBy: 0 }));
      context.diagnostic(JSON.stringify(tookMs));
      for (const [name, ms] of Object.entries(tookMs))
        if (name !== 'get') assert.ok(ms < (tookMs['get'] as number) / 4, `${name}: ${JSON.stringify(tookMs)}`);
    } finally {
      await bed.release();
    }
  });

  test('renewals and progress do not write again what came of the task before, nor why it ended', async () => {
    const much = 'x'.repeat(1_000_000);
    await renewedOften({ type: 'complete', agent: 'a', fence: 1, result: { of: 't' }, report: { status: 'fail', text: much } });
    await renewedOften({ type: 'fail', agent: 'a', fence: 1, reason: much, retryable: true, report: null });
  });

  async function renewedOften(ending: TaskEvent & { type: 'complete' | 'fail' }): Promise<void> {
    const bed = fileBed();
    try {
      await bed.store.enqueue([{ id: 't', request: taskRequest(), by: 'x' }]);
      await claimAll(bed.store, 'a', 1);
      const apply = (store: TaskStore, event: TaskEvent) => store.apply([{ task: 't', event }]);
      await apply(bed.store, ending);
      bed.clock.now += 3_600_000;
      await bed.store.reap();
      await claimAll(bed.store, 'a', 1);
      await apply(bed.store, { type: 'accept', agent: 'a', fence: 2, leaseUntil: bed.clock.now + 1000 });
      await bed.store.close();
      // Its log is empty, and grows by what is written.
      const file = path.join(bed.folder, '0');
      const store = openStore(file, bed.clock);
      const leaseUntil = bed.clock.now + 2000;
      for (let n = 0; n < 5; n++) {
        await apply(store, { type: 'renew', agent: 'a', fence: 2, leaseUntil: leaseUntil + n });
        await apply(store, { type: 'progress', agent: 'a', fence: 2, percent: null, text: 'x'.repeat(n) });
      }
      const written = fs.statSync(`${file}-wal`).size;
      const { state, leaseUntil: renewed, result, report, reason } = store.get('t') as TaskRecord;
      const [listed] = store.list({ limit: 1 });
      await store.close();
      assert.ok(written < 500_000, `${written} bytes`);
      assert.deepEqual([state, renewed, report, listed?.reason], ['running', leaseUntil + 4, ending.report, reason]);
      if (ending.type === 'complete') assert.deepEqual(result, ending.result);
      else assert.equal(reason, ending.reason);
    } finally {
      await bed.release();
    }
  }

  test('a file of the second version has its large tasks whole, and what came of them', async () => {
    const bed = fileBed();
    try {
      const text = 'x'.repeat(100_000);
      const large = taskRequest({ metadata: { text }, fileHints: [{ path: 'p' }], successCriteria: ['c'], maxAttempts: 9 });
      const ids = ['large', 'small'];
      const report = { status: 'fail', text };
      const end = async (how: (id: string) => Partial<TaskEvent>): Promise<void> => {
        await claimAll(bed.store, 'a', ids.length);
        const told = { agent: 'a', reason: text, retryable: true, report };
        await bed.store.apply(ids.map((id) => ({ task: id, event: { ...told, ...how(id) } as TaskEvent })));
      };
      for (const id of ids) await bed.store.enqueue([{ id, request: id === 'large' ? large : taskRequest({ maxAttempts: 9 }), by: 'x' }]);
      await end((id) => ({ type: 'complete', fence: 1, result: { of: id } }));
      bed.clock.now += 3_600_000;
      await bed.store.reap();
      await end(() => ({ type: 'fail', fence: 2 }));
      const before = ids.map((id) => bed.store.get(id));
      await bed.store.close();
      const file = path.join(bed.folder, '0');
      const old = new DatabaseSync(file);
      const bodies = (table: string, part: string): void => {
        const rows = old.prepare(
          `SELECT ${table}.seq, ${table}.body, apart.body AS more FROM ${table} JOIN apart USING(seq) WHERE part = ?`,
        );
        for (const { seq, body, more } of rows.all(part) as { seq: number; body: string; more: string }[])
          old.prepare(`UPDATE ${table} SET body = ? WHERE seq = ?`).run(JSON.stringify({ ...JSON.parse(body), ...JSON.parse(more) }), seq);
      };
      bodies('requests', 'request');
      bodies('tasks', 'outcome');
      bodies('tasks', 'reason');
      old.exec('DROP TABLE apart; PRAGMA user_version = 2');
      old.close();

      const store = openStore(file, bed.clock);
      assert.deepEqual(
        ids.map((id) => store.get(id)),
        before,
      );
      bed.clock.now += 3_600_000;
      assert.equal((await store.reap()).length, 2);
      const told = (await claimAll(store, 'a', 2)).map(({ id, result }) => [id, result, store.get(id)?.metadata]);
      assert.deepEqual(told, [
        ['large', { of: 'large' }, { text }],
        ['small', { of: 'small' }, {}],
      ]);
      // What came of one before is not kept when there is less of it now.
      for (const id of ids)
        await store.apply([{ task: id, event: { type: 'complete', agent: 'a', fence: 3, result: null, report: null } }]);
      assertAuditReplays(store);
      await store.close();
      const again = openStore(file, bed.clock);
      assertAuditReplays(again);
      assert.deepEqual([again.get('large')?.report, again.get('large')?.metadata], [null, { text }]);
      bed.clock.now += KEEP_TASKS.doneMs;
      for (let batch = 0; batch < 9; batch++) await again.forget();
      await again.close();
      const left = new DatabaseSync(file);
      assert.deepEqual({ ...left.prepare('SELECT count(*) AS count FROM apart').get() }, { count: 0 });
      left.close();
    } finally {
      await bed.release();
    }
  });

  test('a file of the first version has its tasks, forgets what is over, and gives its space back (long form)', async () => {
    const bed = fileBed();
    try {
      await bed.store.close();
      const file = path.join(bed.folder, 'old');
      const old = new DatabaseSync(file);
      old.exec(SCHEMA_1);
      const insert = (seq: number, changes: Partial<TaskRecord>): void => {
        const request = { ...taskRequest({ group: `g${seq}`, key: `k${seq}`, after: changes.after ?? [] }), id: `t${seq}` };
        const task = { ...newTask(`t${seq}`, request, 'x', [], START), ...changes };
        old
          .prepare('INSERT INTO requests VALUES(?, ?, ?, ?)')
          .run(seq, task.id, task.key, JSON.stringify({ ...request, createdBy: 'x', createdAt: START }));
        const rest = JSON.stringify({ ...task, description: undefined, after: undefined });
        const lane = JSON.stringify({ needs: [], agent: null, group: `g${seq}`, atOnce: 1 });
        old.prepare('INSERT INTO lanes VALUES(?, ?)').run(seq, lane);
        old.prepare('INSERT INTO tasks VALUES(?, ?, 2, ?, ?, NULL, NULL, ?)').run(seq, task.state, seq, task.group, rest);
        old
          .prepare('INSERT INTO audit VALUES(?, ?, ?, ?, NULL, ?, 0)')
          .run(seq, START, task.id, JSON.stringify({ type: 'create', task }), task.state);
      };
      const isLarge = { result: { text: 'x'.repeat(100_000) } };
      insert(1, { state: 'succeeded' });
      insert(2, { state: 'ready', after: ['t1'] });
      for (let seq = 3; seq < 50; seq++) insert(seq, { state: 'cancelled', ...isLarge });
      insert(50, { state: 'failed', updatedAt: START + 5 });
      old.close();
      const before = fs.statSync(file).size;

      let store = openStore(file, bed.clock);
      assert.deepEqual([store.counts().cancelled, store.get('t50')?.key, store.nextTime()], [47, 'k50', START + KEEP_TASKS.doneMs]);
      bed.clock.now += KEEP_TASKS.doneMs;
      for (let batch = 0; batch < 100; batch++) await store.forget();
      assert.deepEqual(
        store.list({ limit: 9 }).map(({ id }) => id),
        ['t50', 't2', 't1'],
        'what comes after the first is not over',
      );
      assertAuditReplays(store);
      assert.equal((await store.enqueue([{ id: 'new', request: taskRequest({ group: 'new' }), by: 'x' }]))[0]?.existed, false);
      assert.equal((await store.claim([{ agent: 'a', capabilities: [], credit: 9 }])).length, 2);
      await store.close();
      assert.ok(fs.statSync(file).size < before / 4, `${fs.statSync(file).size} bytes of ${before}`);
      store = openStore(file, bed.clock);
      assert.equal(store.list({ limit: 9 }).length, 4);
      await store.close();
    } finally {
      await bed.release();
    }
  });

  test('what was forgotten gives its place on the disk back, but for a part that is used again', async () => {
    const bed = fileBed();
    try {
      const ids = Array.from({ length: 300 }, (_, n) => `t${n}`);
      const request = taskRequest({ description: 'x'.repeat(20_000) });
      await bed.store.enqueue(ids.map((id) => ({ id, request, by: 'x' })));
      await bed.store.apply(ids.map((task) => ({ task, event: { type: 'cancel', by: 'u', reason: 'x', cancelBy: 0 } })));
      bed.clock.now += KEEP_TASKS.doneMs;
      for (let batch = 0; batch < 200; batch++) await bed.store.forget();
      assert.equal(bed.store.list({ limit: 9 }).length, 0);
      await bed.store.close();
      const { size } = fs.statSync(path.join(bed.folder, '0'));
      assert.ok(size < 1_000_000, `${size} bytes are left of twelve million`);
    } finally {
      await bed.release();
    }
  });

  test('a full disk while tasks are forgotten leaves them as they were, and they go later', async (context) => {
    await withSmallDisk(context, 400, async (at) => {
      const clock = { now: START };
      const store = openStore(path.join(at, 'tasks.db'), clock);
      const ids = ['t', 'u', 'v'];
      await store.enqueue(ids.map((id) => ({ id, request: taskRequest({ key: id }), by: 'x' })));
      await store.apply(ids.map((task) => ({ task, event: { type: 'cancel', by: 'u', reason: 'x', cancelBy: 0 } })));
      clock.now += KEEP_TASKS.doneMs;
      const huge = { id: 'huge', request: taskRequest({ description: 'x'.repeat(1_000_000) }), by: 'x' };
      const turn = await Promise.allSettled([store.forget(), store.enqueue([huge])]);
      for (const one of turn) assert.ok(one.status === 'rejected' && isStorageFailed(one.reason as OutriggerError), JSON.stringify(one));
      assert.equal(store.counts().cancelled, 3);
      assertAuditReplays(store);
      assert.deepEqual(await store.forget(), ids);
      assertAuditReplays(store);
      await store.close();
    });
  });

  test('with no time set tasks are kept for ever', async () => {
    const clock = { now: START };
    const store = new SqliteTaskStore({ file: ':memory:', now: () => clock.now, random: () => 0.5 });
    await store.enqueue([{ id: 't', request: taskRequest(), by: 'x' }]);
    await store.apply([{ task: 't', event: { type: 'cancel', by: 'u', reason: 'x', cancelBy: 0 } }]);
    clock.now += 1000 * KEEP_TASKS.failedMs;
    assert.deepEqual([store.nextTime(), await store.forget(), store.counts().cancelled], [null, [], 1]);
    await store.close();
  });

  test('a clock that is set ends no lease, offer or wait earlier or later, while what was asked for stays at its time', async () => {
    for (const step of [-86_400_000, 86_400_000]) {
      const clock = { now: 1_000_000_000_000, setBy: 0 };
      const wall = (): number => clock.now + clock.setBy;
      const steps: number[] = [];
      const store = new SqliteTaskStore({
        file: ':memory:',
        now: wall,
        monotonic: () => clock.now,
        random: () => 0.5,
        acceptMs: ACCEPT_WITHIN_MS,
        clockSet: (byMs) => void steps.push(byMs),
      });
      const add = async (id: string, more: Parameters<typeof taskRequest>[0] = {}): Promise<void> => {
        await store.enqueue([{ id, request: taskRequest(more), by: 'x' }]);
      };
      const grant = { agent: 'a', fence: 1 };
      const apply = (task: string, ...events: TaskEvent[]): Promise<unknown> => store.apply(events.map((event) => ({ task, event })));
      const accept = (): TaskEvent => ({ type: 'accept', ...grant, leaseUntil: wall() + 60_000 });
      for (const id of ['runs', 'fails', 'lost', 'offered']) {
        await add(id, { agent: 'a', backoffMs: 10_000, ...(id === 'lost' ? { deadline: wall() + 1000 } : {}) });
        await store.claim([{ agent: 'a', capabilities: [], credit: 1 }]);
        if (id !== 'offered') await apply(id, accept());
      }
      await apply('fails', { type: 'fail', ...grant, reason: 'no', retryable: true, report: null });
      await add('later', { runAt: wall() + 3_600_000 });
      await add('after', { runAt: wall(), after: ['runs'] });
      clock.now += 1000;
      await store.reap();
      const times = (id: string): unknown[] => {
        const { acceptBy, leaseUntil, runAt, state } = store.get(id) as TaskRecord;
        return [state, acceptBy, leaseUntil, runAt].map((time) => (typeof time === 'number' ? time - wall() : time));
      };
      const ids = ['runs', 'offered', 'lost', 'fails'];
      const before = ids.map(times);
      const asked = store.get('later')?.runAt;
      assert.deepEqual(before[0]?.slice(0, 3), ['running', null, 59_000]);
      clock.setBy += step;
      // A commit that failed has not moved anything, and the next one has it to do.
      await assert.rejects(add('no JSON', { metadata: { n: 1n } }), isStorageFailed);
      assert.deepEqual(steps, []);
      await store.reap();
      await store.reap();
      assert.deepEqual(steps, [step]);
      const after = ids.map(times);
      assert.deepEqual(
        after.map(([state, acceptBy, leaseUntil]) => [state, acceptBy, leaseUntil]),
        before.map(([state, acceptBy, leaseUntil]) => [state, acceptBy, leaseUntil]),
      );
      assert.deepEqual(after[3], before[3], 'the wait');
      assert.equal(store.get('later')?.runAt, asked);
      await apply('runs', { type: 'complete', ...grant, result: null, report: null });
      assert.equal(store.get('after')?.state, 'ready');
      assert.deepEqual(
        store.audit(0, 99, 'runs').map(({ event }) => event.type),
        ['create', 'offer', 'accept', 'clock', 'complete'],
      );
      assertAuditReplays(store);
      await store.close();
    }
  });

  test('where the clock was set back while no hub ran, a lease holds no longer than from when something was written last', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-'));
    const clock = { now: 1_000_000_000_000 };
    const open = (): SqliteTaskStore =>
      new SqliteTaskStore({ file: path.join(folder, 'tasks.db'), now: () => clock.now, monotonic: () => clock.now, random: () => 0.5 });
    try {
      const first = open();
      await first.enqueue([{ id: 't', request: taskRequest(), by: 'x' }]);
      await first.claim([{ agent: 'a', capabilities: [], credit: 1 }]);
      await first.apply([{ task: 't', event: { type: 'accept', agent: 'a', fence: 1, leaseUntil: clock.now + 60_000 } }]);
      await first.close();
      clock.now -= 86_400_000;
      const second = open();
      assert.deepEqual(await second.reap(), []);
      assert.equal(second.get('t')?.leaseUntil, clock.now + 60_000);
      assertAuditReplays(second);
      await second.close();
      // What was written before that is of a time that never comes.
      const third = open();
      assert.deepEqual(await third.reap(), []);
      assert.equal(third.get('t')?.leaseUntil, clock.now + 60_000);
      await third.close();
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  test('where the clock was set while no hub ran, or as it died, leases hold as long as they would have, until the machine starts anew', async () => {
    for (const setBy of [86_400_000, -86_400_000]) {
      const bed = fileBed();
      await bed.store.close();
      const clock = { wall: 1_000_000_000_000, up: 5_000_000 };
      const open = (file: string, boot: string): SqliteTaskStore => {
        const [now, monotonic] = [() => clock.wall, () => clock.up];
        return new SqliteTaskStore({ file: path.join(bed.folder, file), now, monotonic, boot, random: () => 0.5 });
      };
      const pass = (ms: number, setByMs = 0): void => {
        clock.up += ms;
        clock.wall += ms + setByMs;
      };
      try {
        const first = open('tasks.db', 'one');
        await first.enqueue([{ id: 't', request: taskRequest(), by: 'x' }]);
        await first.claim([{ agent: 'a', capabilities: [], credit: 1 }]);
        await first.apply([{ task: 't', event: { type: 'accept', agent: 'a', fence: 1, leaseUntil: clock.wall + 600_000 } }]);
        // It is slewed by much more than a step, bit by bit, and that is followed.
        for (let second = 0; second < 100; second++) {
          pass(1000, 10);
          await first.reap();
        }
        assert.deepEqual(
          first.audit(0, 9).map(({ event }) => event.type),
          ['create', 'offer', 'accept'],
        );
        // Killed.
        for (const end of ['', '-wal']) fs.copyFileSync(path.join(bed.folder, `tasks.db${end}`), path.join(bed.folder, `killed${end}`));
        await first.close();
        pass(9000, setBy);
        const second = open('killed', 'one');
        assert.deepEqual(await second.reap(), []);
        const left = (second.get('t')?.leaseUntil ?? 0) - clock.wall;
        assert.ok(Math.abs(left - 490_000) <= 50, `${left} ms`);
        assert.deepEqual(
          second.audit(3, 9).map(({ event }) => event.type),
          ['clock'],
        );
        assertAuditReplays(second);
        await second.close();
        // Nothing happened meanwhile, and nothing is seen.
        pass(1000);
        const third = open('killed', 'one');
        assert.deepEqual([await third.reap(), third.audit(4, 9)], [[], []]);
        await third.close();
        // A clock that counts from elsewhere says nothing.
        pass(600_000);
        clock.up = 1000;
        const fourth = open('killed', 'two');
        assert.deepEqual(
          (await fourth.reap()).map(({ id }) => id),
          ['t'],
        );
        await fourth.close();
      } finally {
        await bed.release();
      }
    }
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

  test('an audit that lacks more, or less, than what was forgotten does not replay', async () => {
    const clock = { now: START };
    const store = openStore(':memory:', clock);
    for (const id of ['t', 'u', 'v']) await store.enqueue([{ id, request: taskRequest(), by: 'x' }]);
    await store.apply([{ task: 'u', event: { type: 'cancel', by: 'u', reason: 'x', cancelBy: 0 } }]);
    await store.claim([{ agent: 'a', capabilities: [], credit: 1 }]);
    clock.now += KEEP_TASKS.doneMs;
    assert.deepEqual(await store.forget(), ['u']);
    await store.apply([{ task: 'v', event: { type: 'cancel', by: 'u', reason: 'x', cancelBy: 0 } }]);
    const entries = store.audit(0, 99);
    assert.deepEqual(
      entries.map(({ sequence, event }) => `${sequence} ${event.type}`),
      ['1 create', '3 create', '5 offer', '6 forget', '7 cancel'],
    );
    assert.deepEqual([...replayAudit(entries).keys()], ['t', 'v']);
    const without = (...sequences: number[]): AuditEntry[] => entries.filter(({ sequence }) => !sequences.includes(sequence));
    assert.throws(() => replayAudit(without(1, 5)), /4 entries are missing, and 2 were forgotten/);
    assert.throws(() => replayAudit(without(5)), /3 entries are missing, and 2 were forgotten/);
    assert.throws(() => replayAudit(without(6)), /entry 3 where 2 should be/);
    const [create, second, offer, forget, cancel] = entries as [AuditEntry, AuditEntry, AuditEntry, AuditEntry, AuditEntry];
    assert.throws(() => replayAudit([create, second, offer, forget, { ...cancel, sequence: 8 }]), /entry 8 where 7 should be/);
    assert.throws(() => replayAudit([create, second, offer, forget, { ...forget, sequence: 7 }]), /and so does one before it/);
    assert.throws(() => replayAudit([create, { ...create, sequence: 2 }, second, offer, forget]), /creates t again/);
    await store.close();
  });
});

/** As the first version made it. */
const SCHEMA_1 = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE requests(seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, key TEXT UNIQUE, body TEXT NOT NULL) STRICT;
  CREATE TABLE lanes(id INTEGER PRIMARY KEY, lane TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE tasks(
    seq INTEGER PRIMARY KEY, state TEXT NOT NULL, priority INTEGER NOT NULL, lane INTEGER NOT NULL, task_group TEXT, holder TEXT,
    due REAL, body TEXT NOT NULL) STRICT;
  CREATE INDEX ready ON tasks(lane, priority, seq) WHERE state = 'ready';
  CREATE INDEX held ON tasks(holder) WHERE state IN ('offered', 'running');
  CREATE INDEX together ON tasks(task_group) WHERE task_group IS NOT NULL AND state IN ('offered', 'running');
  CREATE INDEX due ON tasks(due) WHERE due IS NOT NULL;
  CREATE INDEX states ON tasks(state, seq);
  CREATE TABLE waits(dependency TEXT NOT NULL, task TEXT NOT NULL, PRIMARY KEY(dependency, task)) STRICT, WITHOUT ROWID;
  CREATE TABLE audit(
    sequence INTEGER PRIMARY KEY, at REAL NOT NULL, task TEXT NOT NULL, event TEXT NOT NULL, chance REAL, state TEXT NOT NULL,
    fence INTEGER NOT NULL) STRICT;
  CREATE INDEX audit_of_task ON audit(task, sequence);
  PRAGMA user_version = 1;`;
