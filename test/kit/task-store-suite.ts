import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { replayAudit } from '../../src/hub/replay-audit.ts';
import type { Applied, TaskBrief, TaskEvent, TaskRecord, TaskRequest, TaskStore } from '../../src/hub/task-store.ts';
import type { OutriggerError } from '../../src/contract/errors.ts';
import { taskRequest } from './task-request.ts';

/** How long an offer waits to be accepted in the stores of this suite, ms. */
export const ACCEPT_WITHIN_MS = 10_000;
/** How long the stores of this suite keep what is over, ms. */
export const KEEP_TASKS = { doneMs: 30 * 86_400_000, failedMs: 90 * 86_400_000 };
const LEASE_MS = 60_000;
const MUCH = 100_000;

/** A new store whose time is `clock.now` (milliseconds since 1970), whose chance is always 0.5, whose offers wait ACCEPT_WITHIN_MS, and which keeps KEEP_TASKS. */
export interface StoreBed {
  store: TaskStore;
  clock: { now: number };
  /** The store as it is found after the process that had it was killed. The old one is not used any more. */
  reopen?: () => Promise<TaskStore>;
  /** Throws away what is left. */
  release: () => Promise<void>;
}

/**
 * What any TaskStore has to do; where it outlives its process, after a crash as well. After each case its audit must replay to its table,
 * and its counts must be those of the table.
 */
export function taskStoreSuite(name: string, open: () => Promise<StoreBed>, { outlives = false } = {}): void {
  describe(`${name} as a task store`, () => {
    for (const [title, run] of Object.entries(outlives ? { ...cases, ...crashes } : cases)) {
      test(title, async () => {
        const bed = await open();
        try {
          const hand = new Hand(bed);
          await run(hand);
          assertAuditReplays(hand.store);
        } finally {
          await bed.release();
        }
      });
    }
  });
}

/** The audit lacks nothing but what was forgotten and replays to the table, and the counts are those of the table. */
export function assertAuditReplays(store: TaskStore): void {
  const table = new Map(store.list({ limit: MUCH }).map(({ id }) => [id, plain(store.get(id) as TaskRecord)]));
  const replayed = replayAudit(store.audit(0, MUCH));
  assert.deepEqual(new Map([...replayed].map(([id, task]) => [id, plain(task)])), table);
  const counts: Record<string, number> = Object.fromEntries(Object.keys(store.counts()).map((state) => [state, 0]));
  for (const { state } of store.list({ limit: MUCH })) counts[state] = (counts[state] as number) + 1;
  assert.deepEqual(store.counts(), counts);
}

/** As JSON has it. */
function plain(task: TaskRecord): unknown {
  return JSON.parse(JSON.stringify(task));
}

/** What cases do again and again. */
class Hand {
  readonly bed: StoreBed;
  store: TaskStore;

  constructor(bed: StoreBed) {
    this.bed = bed;
    this.store = bed.store;
  }

  get now(): number {
    return this.bed.clock.now;
  }

  async add(id: string, changes: Partial<TaskRequest> = {}): Promise<TaskBrief> {
    const [added] = await this.store.enqueue([{ id, request: taskRequest(changes), by: 'tester' }]);
    return (added as { task: TaskBrief }).task;
  }

  /** Ids of what it got. */
  async claim(agent: string, capabilities: readonly string[] = [], credit = 1): Promise<string[]> {
    return (await this.store.claim([{ agent, capabilities, credit }])).map(({ task }) => task.id);
  }

  async apply(task: string, event: TaskEvent): Promise<Applied> {
    const [applied] = await this.store.apply([{ task, event }]);
    return applied as Applied;
  }

  /** Added, granted to `a` and accepted. */
  async running(id: string, changes: Partial<TaskRequest> = {}): Promise<TaskRecord> {
    await this.add(id, changes);
    assert.deepEqual(await this.claim('a', [], 1), [id]);
    await this.apply(id, { type: 'accept', ...this.grant(id), leaseUntil: this.now + LEASE_MS });
    return this.get(id);
  }

  grant(id: string): { agent: string; fence: number } {
    const { holder, fence } = this.get(id);
    return { agent: holder as string, fence };
  }

  complete(id: string, result: Record<string, unknown> = { of: id }, grant = this.grant(id)): Promise<Applied> {
    return this.apply(id, { type: 'complete', ...grant, result, report: null });
  }

  fail(id: string, changes: { retryable?: boolean; reason?: string } = {}, grant = this.grant(id)): Promise<Applied> {
    return this.apply(id, { type: 'fail', ...grant, reason: 'no', retryable: true, report: null, ...changes });
  }

  cancel(id: string, inMs = 0): Promise<Applied> {
    return this.apply(id, { type: 'cancel', by: 'u', reason: 'not wanted', cancelBy: this.now + inMs });
  }

  get(id: string): TaskRecord {
    const task = this.store.get(id);
    assert.ok(task !== undefined, `${id} is there`);
    return task;
  }

  /** Lets time go on and reaps; ids of what changed. */
  async after(ms: number): Promise<string[]> {
    this.bed.clock.now += ms;
    return (await this.store.reap()).map(({ id }) => id);
  }

  /** Ids of all that are due to be forgotten, in the order in which they go. */
  async forget(afterMs = 0): Promise<string[]> {
    await this.after(afterMs);
    const gone: string[] = [];
    for (;;) {
      const batch = await this.store.forget();
      gone.push(...batch);
      if (batch.length === 0 && (this.store.nextTime() ?? this.now + 1) > this.now) return gone;
    }
  }

  async crash(): Promise<void> {
    this.store = await (this.bed.reopen as () => Promise<TaskStore>)();
  }

  states(...ids: string[]): string[] {
    return ids.map((id) => this.get(id).state);
  }
}

const { doneMs, failedMs } = KEEP_TASKS;
const retry: TaskEvent = { type: 'retry', by: 'u' };

const crashes: Record<string, (hand: Hand) => Promise<void>> = {
  'what was enqueued is there after a crash': async (hand) => {
    await hand.add('t', { metadata: { deep: [1, { a: 'ü' }] }, needs: ['gpu'], fileHints: [{ path: 'a', reason: 'b' }] });
    const task = hand.get('t');
    await hand.crash();
    assert.deepEqual(hand.get('t'), plain(task));
  },
  'a grant, its fence and its lease are there after a crash': async (hand) => {
    const task = await hand.running('t');
    await hand.crash();
    assert.deepEqual(hand.get('t'), task);
    assert.deepEqual(
      hand.store.heldBy('a').map(({ id }) => id),
      ['t'],
    );
    assert.equal(hand.store.nextTime(), task.leaseUntil);
  },
  'a result is there after a crash, and said again counts no more': async (hand) => {
    await hand.running('t');
    await hand.complete('t', { n: 1 });
    await hand.crash();
    assert.deepEqual(hand.get('t').result, { n: 1 });
    const again = await hand.complete('t', { n: 2 });
    assert.ok(again.ok && again.again);
    assert.deepEqual(hand.get('t').result, { n: 1 });
  },
  'the audit goes on without a gap after a crash': async (hand) => {
    await hand.running('t');
    await hand.crash();
    await hand.complete('t');
    assert.deepEqual(
      hand.store.audit(0, MUCH).map(({ sequence }) => sequence),
      [1, 2, 3, 4],
    );
  },
  'counts are right after a crash': async (hand) => {
    await hand.running('t');
    await hand.add('u');
    await hand.crash();
    assert.deepEqual([hand.store.counts().running, hand.store.counts().ready], [1, 1]);
  },
  'a key is known after a crash': async (hand) => {
    await hand.add('t', { key: 'k' });
    await hand.crash();
    const [second] = await hand.store.enqueue([{ id: 'u', request: taskRequest({ key: 'k' }), by: 'x' }]);
    assert.deepEqual([second?.existed, second?.task.id], [true, 't']);
  },
  'what waits for another becomes ready after a crash': async (hand) => {
    await hand.running('d');
    await hand.add('t', { after: ['d'] });
    await hand.crash();
    await hand.complete('d');
    assert.deepEqual(hand.states('t'), ['ready']);
  },
  'the order of what is ready is the same after a crash': async (hand) => {
    for (const id of ['x', 'b', 'm']) await hand.add(id);
    await hand.crash();
    assert.deepEqual(await hand.claim('a', [], 9), ['x', 'b', 'm']);
  },
  'late results are there after a crash': async (hand) => {
    await hand.running('t');
    const old = hand.grant('t');
    await hand.after(LEASE_MS);
    await hand.after(MUCH);
    await hand.claim('b');
    await hand.complete('t', { late: true }, old);
    await hand.crash();
    assert.deepEqual(
      hand.get('t').late.map(({ fence, agent, result }) => ({ fence, agent, result })),
      [{ fence: 1, agent: 'a', result: { late: true } }],
    );
  },
  'a crash between two batches of what is forgotten loses nothing else, and the rest goes after it': async (hand) => {
    const all = Array.from({ length: 200 }, (_, n) => `t${n}`);
    await hand.store.enqueue(all.map((id) => ({ id, request: taskRequest({ key: id }), by: 'x' })));
    await hand.store.apply(all.map((id) => ({ task: id, event: { type: 'cancel', by: 'u', reason: 'x', cancelBy: 0 } })));
    await hand.running('u');
    hand.bed.clock.now += doneMs;
    const first = await hand.store.forget();
    const lost = hand.store.forget().catch(() => undefined);
    await hand.crash();
    await lost;
    assert.ok(first.length > 0 && first.length < 200, `${first.length} at once`);
    assert.equal(hand.store.counts().cancelled, 200 - first.length);
    assertAuditReplays(hand.store);
    const rest = await hand.forget();
    assert.deepEqual([...first, ...rest].sort(), all.sort());
    assert.equal(hand.store.counts().scheduled, 1);
  },
  'what another one needs is known after a crash': async (hand) => {
    await hand.running('d');
    await hand.complete('d');
    await hand.add('t', { after: ['d'], agent: 'nobody' });
    await hand.crash();
    assert.deepEqual(await hand.forget(doneMs), []);
    await hand.crash();
    await hand.cancel('t');
    await hand.crash();
    assert.deepEqual([await hand.forget(), await hand.forget(doneMs)], [['d'], ['t']]);
  },
  'numbers of forgotten entries are not used again after a crash': async (hand) => {
    await hand.add('t');
    await hand.cancel('t');
    await hand.forget(doneMs);
    await hand.crash();
    await hand.add('u');
    assert.deepEqual(
      hand.store.audit(0, MUCH).map(({ sequence, event }) => [sequence, event.type]),
      [
        [3, 'forget'],
        [4, 'create'],
      ],
    );
  },
  'a crash before the answer stores all of a turn or nothing': async (hand) => {
    await hand.add('t');
    const lost = Promise.allSettled([hand.add('u'), hand.store.apply([{ task: 't', event: { type: 'offer', agent: 'a', acceptBy: 1 } }])]);
    await hand.crash();
    assert.deepEqual([hand.store.get('u'), hand.get('t').state], [undefined, 'ready']);
    await lost;
  },
};

const cases: Record<string, (hand: Hand) => Promise<void>> = {
  // enqueue
  'a new task is ready, and all that was asked is kept': async (hand) => {
    const request = taskRequest({ description: 'x\n"$(y)"', metadata: { n: 1 }, repo: 'r', successCriteria: ['ok'] });
    const [added] = await hand.store.enqueue([{ id: 't', request, by: 'me' }]);
    assert.equal(added?.existed, false);
    const { state, fence, attempt, createdBy, createdAt } = hand.get('t');
    assert.deepEqual(
      { state, fence, attempt, createdBy, createdAt },
      { state: 'ready', fence: 0, attempt: 0, createdBy: 'me', createdAt: hand.now },
    );
    assert.deepEqual({ ...hand.get('t'), ...request }, hand.get('t'));
  },
  'a task whose time has not come is scheduled': async (hand) => {
    await hand.add('t', { runAt: hand.now + 10 });
    assert.deepEqual([hand.states('t'), await hand.claim('a'), hand.store.nextTime()], [['scheduled'], [], hand.now + 10]);
  },
  'a scheduled task is ready when its time comes': async (hand) => {
    await hand.add('t', { runAt: hand.now + 10 });
    assert.deepEqual(await hand.after(9), []);
    assert.deepEqual([await hand.after(1), await hand.claim('a')], [['t'], ['t']]);
  },
  'two requests with one key are one task': async (hand) => {
    await hand.add('t', { key: 'k', description: 'first' });
    const [second] = await hand.store.enqueue([{ id: 'u', request: taskRequest({ key: 'k', description: 'second' }), by: 'x' }]);
    assert.deepEqual([second?.existed, second?.task.id, second?.task.description, hand.store.get('u')], [true, 't', 'first', undefined]);
  },
  'two requests with one key in one list are one task': async (hand) => {
    const added = await hand.store.enqueue(['t', 'u'].map((id) => ({ id, request: taskRequest({ key: 'k' }), by: 'x' })));
    assert.deepEqual(
      added.map(({ task, existed }) => [task.id, existed]),
      [
        ['t', false],
        ['t', true],
      ],
    );
  },
  'a key is known when its task is long over': async (hand) => {
    await hand.running('t', { key: 'k' });
    await hand.complete('t');
    assert.equal((await hand.add('u', { key: 'k' })).id, 't');
  },
  'tasks without a key are never the same': async (hand) => {
    await hand.add('t');
    await hand.add('u');
    assert.equal(hand.store.list({ limit: 9 }).length, 2);
  },
  'an id that is known is that task': async (hand) => {
    await hand.add('t', { description: 'first' });
    assert.equal((await hand.add('t', { description: 'second' })).description, 'first');
  },
  'an empty list is nothing': async (hand) => {
    assert.deepEqual([await hand.store.enqueue([]), await hand.store.claim([]), await hand.store.apply([])], [[], [], []]);
  },
  'what is asked in one turn is answered each for itself': async (hand) => {
    const [first, refused, second] = await Promise.allSettled([hand.add('t'), hand.add('u', { after: ['nobody'] }), hand.add('v')]);
    assert.deepEqual([first?.status, refused?.status, second?.status], ['fulfilled', 'rejected', 'fulfilled']);
    assert.deepEqual([hand.states('t', 'v'), hand.store.get('u')], [['ready', 'ready'], undefined]);
  },
  'a result of an agent that never had that grant is refused, and kept nowhere': async (hand) => {
    await hand.running('t', { backoffMs: 0 });
    await hand.fail('t');
    await hand.after(2000);
    await hand.claim('b');
    const entries = hand.store.audit(0, MUCH).length;
    // b has the second grant, and a had the first.
    for (const [agent, fence] of [
      ['b', 1],
      ['a', 2],
      ['c', 1],
      ['c', 2],
      ['a', 0],
    ] as const)
      for (const applied of [await hand.complete('t', { forged: true }, { agent, fence }), await hand.fail('t', {}, { agent, fence })])
        assert.deepEqual([applied.ok ? '' : applied.refusal, applied.task], ['never_held', hand.get('t')], `${agent} ${fence}`);
    assert.deepEqual([hand.get('t').late, hand.store.audit(0, MUCH).length, hand.states('t')], [[], entries, ['offered']]);
  },
  'what is asked later in a turn sees what was asked before': async (hand) => {
    const [, granted] = await Promise.all([hand.add('t'), hand.claim('a'), hand.claim('b')]);
    assert.deepEqual([granted, hand.get('t').holder], [['t'], 'a']);
  },
  'a large task comes back as it was': async (hand) => {
    await hand.add('t', { description: 'ö'.repeat(1_000_000) });
    assert.equal(hand.get('t').description.length, 1_000_000);
  },

  // claim
  'by priority, then by age': async (hand) => {
    for (const [id, priority] of Object.entries({ low: 3, first: 2, urgent: 0, second: 2, high: 1 })) await hand.add(id, { priority });
    assert.deepEqual(await hand.claim('a', [], 9), ['urgent', 'high', 'first', 'second', 'low']);
  },
  'at most so many as there is credit': async (hand) => {
    for (const id of ['t', 'u', 'v']) await hand.add(id);
    assert.deepEqual([await hand.claim('a', [], 2), await hand.claim('b', [], 0), await hand.claim('c', [], 2)], [['t', 'u'], [], ['v']]);
  },
  'several agents take turns': async (hand) => {
    for (const id of ['t', 'u', 'v', 'w']) await hand.add(id);
    const granted = await hand.store.claim(['a', 'b'].map((agent) => ({ agent, capabilities: [], credit: 9 })));
    assert.deepEqual(
      granted.map(({ agent, task }) => agent + task.id),
      ['at', 'bu', 'av', 'bw'],
    );
  },
  'an agent must have all capabilities that are needed': async (hand) => {
    await hand.add('t', { needs: ['code', 'gpu'] });
    assert.deepEqual([await hand.claim('a'), await hand.claim('a', ['gpu']), await hand.claim('a', ['x', 'gpu', 'code'])], [[], [], ['t']]);
  },
  'a capability is matched whole and exactly': async (hand) => {
    await hand.add('t', { needs: ['gpu'] });
    assert.deepEqual([await hand.claim('a', ['GPU', 'gpu2', 'gp', '"gpu"']), await hand.claim('a', ['gpu'])], [[], ['t']]);
  },
  'what nobody here can do stands in nobody’s way': async (hand) => {
    for (let n = 0; n < 200; n++) await hand.add(`gpu${n}`, { needs: ['gpu'], priority: 0 });
    await hand.add('t', { priority: 3 });
    assert.deepEqual(await hand.claim('a'), ['t']);
  },
  'more than one page of heads is granted in order': async (hand) => {
    const ids = Array.from({ length: 200 }, (_, n) => `t${n}`);
    await hand.store.enqueue(ids.map((id) => ({ id, request: taskRequest(), by: 'x' })));
    assert.deepEqual(await hand.claim('a', [], 1000), ids);
  },
  'lanes are merged by priority and age': async (hand) => {
    for (let n = 0; n < 12; n++) await hand.add(`t${n}`, { needs: n % 3 === 0 ? ['x'] : n % 3 === 1 ? ['y'] : [], priority: n % 2 });
    const expected = [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11].map((n) => `t${n}`);
    assert.deepEqual(await hand.claim('a', ['y', 'x'], 99), expected);
  },
  'a task for one agent goes to no other': async (hand) => {
    await hand.add('t', { agent: 'b' });
    assert.deepEqual([await hand.claim('a'), await hand.claim('b')], [[], ['t']]);
  },
  'a task for one agent needs its capabilities as well': async (hand) => {
    await hand.add('t', { agent: 'b', needs: ['gpu'] });
    assert.deepEqual([await hand.claim('b'), await hand.claim('b', ['gpu'])], [[], ['t']]);
  },
  'what was granted is not granted again': async (hand) => {
    await hand.add('t');
    assert.deepEqual([await hand.claim('a'), await hand.claim('a'), await hand.claim('b')], [['t'], [], []]);
  },
  'at most so many of a group run at a time': async (hand) => {
    for (const id of ['t', 'u', 'v']) await hand.add(id, { group: 'g', atOnce: 2 });
    assert.deepEqual([await hand.claim('a', [], 9), await hand.claim('b')], [['t', 'u'], []]);
    await hand.complete('t');
    assert.deepEqual(await hand.claim('b', [], 9), ['v']);
  },
  'a full group does not hold up others': async (hand) => {
    for (const id of ['t', 'u']) await hand.add(id, { group: 'g', atOnce: 1, priority: 0 });
    await hand.add('v');
    await hand.add('w', { group: 'h', atOnce: 1 });
    assert.deepEqual(await hand.claim('a', [], 9), ['t', 'v', 'w']);
  },
  'a limit without a group limits nothing': async (hand) => {
    for (const id of ['t', 'u']) await hand.add(id, { atOnce: 1 });
    assert.deepEqual(await hand.claim('a', [], 9), ['t', 'u']);
  },
  'a cancelled task of a group makes room': async (hand) => {
    for (const id of ['t', 'u']) await hand.add(id, { group: 'g', atOnce: 1 });
    await hand.claim('a');
    await hand.cancel('t');
    assert.deepEqual(await hand.claim('a'), ['u']);
  },
  'what is over its deadline is not granted': async (hand) => {
    await hand.add('t', { deadline: hand.now + 5 });
    await hand.add('u');
    hand.bed.clock.now += 5;
    assert.deepEqual([await hand.claim('a'), hand.states('t')], [['u'], ['failed']]);
  },
  'of large tasks some are granted in one commit, the others in the next, in the same order': async (hand) => {
    const ids = Array.from({ length: 12 }, (_, n) => `t${n}`);
    for (const id of ids) await hand.add(id, { metadata: { text: id.padEnd(1024 * 1024) }, agent: id === 't1' ? 'b' : null });
    const claims = ['a', 'b', 'c'].map((agent) => ({ agent, capabilities: [], credit: agent === 'c' ? 1 : 9 }));
    const granted: string[] = [];
    let commits = 0;
    for (let isMore = true; isMore; commits++) {
      isMore = false;
      const left = claims.filter(({ credit }) => credit > 0);
      const some = await hand.store.claim(left, () => (isMore = true));
      assert.ok(some.length <= 6 && (some.length > 0 || granted.length === ids.length), `${some.length} at once`);
      for (const { agent } of some) (claims.find((claim) => claim.agent === agent) as { credit: number }).credit--;
      granted.push(...some.map(({ agent, task }) => `${agent} ${task.id}`));
    }
    assert.ok(commits > 2, `${commits} commits`);
    assert.deepEqual(granted.slice(0, 3), ['a t0', 'b t1', 'c t2']);
    assert.deepEqual(granted.map((one) => one.slice(2)).sort(), ids.toSorted());
  },
  'a task that is larger than all that is granted at once is granted': async (hand) => {
    for (const id of ['t', 'u']) await hand.add(id, { metadata: { text: 'x'.repeat(6 * 1024 * 1024) } });
    assert.deepEqual([await hand.claim('a', [], 9), await hand.claim('a', [], 9), await hand.claim('a', [], 9)], [['t'], ['u'], []]);
  },
  'of small tasks all are granted in one commit': async (hand) => {
    for (let n = 0; n < 50; n++) await hand.add(`t${n}`);
    const more = () => assert.fail('there is nothing more');
    assert.equal((await hand.store.claim([{ agent: 'a', capabilities: [], credit: 99 }], more)).length, 50);
  },
  'an offer waits to be accepted, then goes to another under a new fence': async (hand) => {
    await hand.add('t');
    await hand.claim('a');
    assert.equal(hand.store.nextTime(), hand.now + ACCEPT_WITHIN_MS);
    assert.deepEqual([await hand.after(ACCEPT_WITHIN_MS), await hand.claim('b'), hand.get('t').fence], [['t'], ['t'], 2]);
  },
  'a task that comes back keeps its age': async (hand) => {
    await hand.add('t');
    await hand.add('u');
    await hand.claim('a');
    await hand.after(ACCEPT_WITHIN_MS);
    assert.deepEqual(await hand.claim('b'), ['t']);
  },

  // apply
  'what is not there is not found': async (hand) => {
    assert.deepEqual(await hand.cancel('nobody'), { ok: false, refusal: 'not_found', task: undefined });
  },
  'events of one list are applied in order, each for itself': async (hand) => {
    await hand.running('t');
    const grant = hand.grant('t');
    const applied = await hand.store.apply([
      { task: 't', event: { type: 'progress', ...grant, percent: 5, text: 'x' } },
      { task: 'u', event: retry },
      { task: 't', event: { type: 'complete', ...grant, result: null, report: null } },
      { task: 't', event: { type: 'renew', ...grant, leaseUntil: 0 } },
    ]);
    assert.deepEqual(
      applied.map((one) => (one.ok ? one.task.state : one.refusal)),
      ['running', 'not_found', 'succeeded', 'invalid_state'],
    );
  },
  'a renewal moves the time of the reaper': async (hand) => {
    await hand.running('t');
    await hand.apply('t', { type: 'renew', ...hand.grant('t'), leaseUntil: hand.now + 2 * LEASE_MS });
    assert.deepEqual([await hand.after(LEASE_MS), hand.states('t'), await hand.after(LEASE_MS)], [[], ['running'], ['t']]);
  },
  'a result of an older fence is refused and kept': async (hand) => {
    await hand.running('t');
    const old = hand.grant('t');
    await hand.after(LEASE_MS);
    await hand.after(MUCH);
    await hand.claim('b');
    const applied = await hand.complete('t', { late: 1 }, old);
    assert.equal(applied.ok ? '' : applied.refusal, 'stale_generation');
    assert.deepEqual([hand.get('t').late.length, hand.states('t')], [1, ['offered']]);
  },
  'the same result twice in one turn counts once': async (hand) => {
    await hand.running('t');
    const [first, second] = await Promise.all([hand.complete('t', { n: 1 }), hand.complete('t', { n: 2 })]);
    assert.deepEqual([first?.ok && first.again, second?.ok && second.again, hand.get('t').result], [false, true, { n: 1 }]);
  },
  'what changes nothing leaves no audit': async (hand) => {
    await hand.running('t');
    await hand.complete('t');
    const before = hand.store.audit(0, MUCH).length;
    await hand.complete('t');
    await hand.fail('t', {}, { agent: 'b', fence: 7 });
    assert.equal(hand.store.audit(0, MUCH).length, before);
  },
  'a failure waits, and is tried again under the next fence': async (hand) => {
    await hand.running('t');
    await hand.fail('t');
    assert.deepEqual([hand.states('t'), await hand.claim('b'), hand.store.nextTime()], [['scheduled'], [], hand.now + 1000]);
    await hand.after(1000);
    assert.deepEqual([await hand.claim('b'), hand.get('t').fence, hand.get('t').attempt], [['t'], 2, 2]);
  },
  'no attempt left: dead, and an operator’s retry starts again': async (hand) => {
    await hand.running('t', { maxAttempts: 1 });
    await hand.fail('t', { reason: 'broken' });
    assert.deepEqual([hand.states('t'), hand.get('t').reason, hand.store.counts().dead], [['dead'], 'broken', 1]);
    await hand.apply('t', retry);
    assert.deepEqual([hand.get('t').attempt, await hand.claim('a'), hand.get('t').fence], [0, ['t'], 2]);
  },
  'a reason of a million characters is kept whole': async (hand) => {
    await hand.running('t');
    await hand.fail('t', { reason: 'é'.repeat(1_000_000), retryable: false });
    assert.equal(hand.get('t').reason?.length, 1_000_000);
  },
  'a failing verification never counts as success': async (hand) => {
    await hand.running('t');
    await hand.apply('t', { type: 'complete', ...hand.grant('t'), result: { n: 1 }, report: { status: 'fail' } });
    assert.deepEqual([hand.states('t'), hand.store.counts().succeeded], [['scheduled'], 0]);
  },
  'a refusal gives the task to another': async (hand) => {
    await hand.add('t');
    await hand.claim('a');
    await hand.apply('t', { type: 'refuse', ...hand.grant('t'), reason: 'busy' });
    await hand.after(500);
    assert.deepEqual([await hand.claim('b'), hand.get('t').attempt], [['t'], 1]);
  },
  'a disowned task is ready at once': async (hand) => {
    await hand.running('t');
    await hand.apply('t', { type: 'disown', ...hand.grant('t') });
    assert.deepEqual([await hand.claim('b'), hand.get('t').fence], [['t'], 2]);
  },

  // the reaper
  'a silent agent loses its task when the lease ends, and not before': async (hand) => {
    await hand.running('t');
    assert.deepEqual([await hand.after(LEASE_MS - 1), await hand.after(1), hand.states('t')], [[], ['t'], ['scheduled']]);
  },
  'a deadline ends a running task': async (hand) => {
    await hand.running('t', { deadline: hand.now + 100 });
    assert.deepEqual([await hand.after(100), hand.states('t')], [['t'], ['failed']]);
  },
  'a cancellation is over at its hard end': async (hand) => {
    await hand.running('t');
    await hand.cancel('t', 5000);
    assert.deepEqual([hand.states('t'), await hand.after(5000), hand.states('t')], [['running'], ['t'], ['cancelled']]);
  },
  'the next time is the earliest of all, and none when nothing waits': async (hand) => {
    assert.equal(hand.store.nextTime(), null);
    await hand.add('t', { runAt: hand.now + 50 });
    await hand.add('u', { runAt: hand.now + 20 });
    assert.equal(hand.store.nextTime(), hand.now + 20);
    await hand.cancel('t');
    await hand.cancel('u');
    assert.equal(hand.store.nextTime(), hand.now + doneMs, 'then they are forgotten');
    await hand.forget(doneMs);
    assert.equal(hand.store.nextTime(), null);
  },
  'many that are due are all seen to, and only those': async (hand) => {
    const request = (runAt: number) => taskRequest({ runAt });
    const tasks = Array.from({ length: 2500 }, (_, n) => ({ id: `t${n}`, request: request(hand.now + 10 + (n % 2)), by: 'x' }));
    await hand.store.enqueue(tasks);
    assert.equal((await hand.after(10)).length, 1250);
    assert.deepEqual([hand.store.counts().ready, hand.store.counts().scheduled], [1250, 1250]);
  },
  'reaping twice changes nothing more': async (hand) => {
    await hand.running('t');
    await hand.after(LEASE_MS);
    assert.deepEqual(await hand.store.reap(), []);
  },

  // dependencies
  'a task waits until what it comes after has succeeded': async (hand) => {
    await hand.running('d');
    await hand.add('t', { after: ['d'] });
    assert.deepEqual([hand.states('t'), await hand.claim('a')], [['scheduled'], []]);
    await hand.complete('d');
    assert.deepEqual(await hand.claim('a'), ['t']);
  },
  'a task waits for all that it comes after': async (hand) => {
    for (const id of ['d', 'e']) await hand.running(id);
    await hand.add('t', { after: ['d', 'e', 'd'] });
    await hand.complete('e');
    assert.deepEqual(hand.states('t'), ['scheduled']);
    await hand.complete('d');
    assert.deepEqual(hand.states('t'), ['ready']);
  },
  'what has succeeded before is not waited for': async (hand) => {
    await hand.running('d');
    await hand.complete('d');
    assert.equal((await hand.add('t', { after: ['d'] })).state, 'ready');
  },
  'a dependency that comes to nothing cancels what waits for it, and what waits for that': async (hand) => {
    await hand.running('d');
    await hand.add('t', { after: ['d'] });
    await hand.add('u', { after: ['t'] });
    await hand.fail('d', { retryable: false });
    assert.deepEqual(hand.states('t', 'u'), ['cancelled', 'cancelled']);
    assert.match(hand.get('t').reason ?? '', /^The task d, .* failed\.$/);
  },
  'a dependency that is tried again cancels nothing': async (hand) => {
    await hand.running('d');
    await hand.add('t', { after: ['d'] });
    await hand.fail('d');
    assert.deepEqual(hand.states('d', 't'), ['scheduled', 'scheduled']);
  },
  'a dependency that is over its deadline or dead cancels what waits': async (hand) => {
    await hand.running('d', { maxAttempts: 1 });
    await hand.add('e', { runAt: hand.now + MUCH, deadline: hand.now + LEASE_MS });
    await hand.add('t', { after: ['d'] });
    await hand.add('u', { after: ['e'] });
    await hand.after(LEASE_MS);
    assert.deepEqual(hand.states('d', 'e', 't', 'u'), ['dead', 'failed', 'cancelled', 'cancelled']);
  },
  'a task after one that came to nothing is cancelled from the start': async (hand) => {
    await hand.add('d');
    await hand.cancel('d');
    assert.equal((await hand.add('t', { after: ['d'] })).state, 'cancelled');
  },
  'a task can come after another of the same list': async (hand) => {
    const added = await hand.store.enqueue([
      { id: 'd', request: taskRequest(), by: 'x' },
      { id: 't', request: taskRequest({ after: ['d'] }), by: 'x' },
    ]);
    assert.deepEqual(
      added.map(({ task }) => task.state),
      ['ready', 'scheduled'],
    );
  },
  'a task after one that nobody knows is refused': async (hand) => {
    await assert.rejects(hand.add('t', { after: ['nobody'] }), (error: OutriggerError) => error.reason === 'BAD_INPUT');
    await assert.rejects(hand.add('t', { after: ['t'] }), (error: OutriggerError) => error.reason === 'BAD_INPUT');
    assert.equal(hand.store.get('t'), undefined);
  },
  'a task of which only the key is known is nothing to come after': async (hand) => {
    await hand.add('first', { key: 'k' });
    const list = [
      { id: 'second', request: taskRequest({ key: 'k' }), by: 'x' },
      { id: 't', request: taskRequest({ after: ['second'] }), by: 'x' },
    ];
    await assert.rejects(hand.store.enqueue(list), (error: OutriggerError) => error.reason === 'BAD_INPUT');
  },
  'a retried dependency releases what was retried with it': async (hand) => {
    await hand.running('d', { maxAttempts: 1 });
    await hand.add('t', { after: ['d'] });
    await hand.fail('d');
    for (const id of ['d', 't']) await hand.apply(id, retry);
    assert.deepEqual(hand.states('d', 't'), ['ready', 'scheduled']);
    await hand.claim('a');
    await hand.complete('d');
    assert.deepEqual(hand.states('t'), ['ready']);
  },
  'a chain of a thousand falls at once': async (hand) => {
    await hand.add('t0');
    const rest = Array.from({ length: 1000 }, (_, n) => ({ id: `t${n + 1}`, request: taskRequest({ after: [`t${n}`] }), by: 'x' }));
    await hand.store.enqueue(rest);
    await hand.cancel('t0');
    assert.equal(hand.store.counts().cancelled, 1001);
  },

  // forgetting
  'what is over is forgotten when its time has come, and not before: what failed later than what is done': async (hand) => {
    for (const id of ['succeeded', 'failed', 'dead']) await hand.running(id, { maxAttempts: 1 });
    await hand.complete('succeeded');
    await hand.fail('failed', { retryable: false });
    await hand.fail('dead');
    await hand.add('cancelled');
    await hand.cancel('cancelled');
    assert.equal(hand.store.nextTime(), hand.now + doneMs);
    assert.deepEqual([await hand.forget(doneMs - 1), (await hand.forget(1)).sort()], [[], ['cancelled', 'succeeded']]);
    assert.deepEqual([hand.store.get('succeeded'), hand.store.get('cancelled')], [undefined, undefined]);
    assert.equal(hand.store.nextTime(), hand.now - doneMs + failedMs);
    assert.deepEqual([await hand.forget(failedMs - doneMs - 1), (await hand.forget(1)).sort()], [[], ['dead', 'failed']]);
    assert.deepEqual([hand.store.list({ limit: 9 }), Object.values(hand.store.counts()).filter((count) => count > 0)], [[], []]);
  },
  'what is not over is never forgotten': async (hand) => {
    await hand.running('running');
    await hand.add('offered', { priority: 0 });
    await hand.claim('b');
    await hand.add('ready');
    await hand.add('scheduled', { runAt: hand.now + 10 * failedMs });
    await hand.running('retried', { maxAttempts: 1, priority: 0 });
    await hand.fail('retried');
    await hand.apply('retried', retry);
    hand.bed.clock.now += 2 * failedMs;
    assert.deepEqual(await hand.store.forget(), []);
    assert.deepEqual(hand.states('running', 'offered', 'ready', 'scheduled', 'retried'), [
      'running',
      'offered',
      'ready',
      'scheduled',
      'ready',
    ]);
  },
  'the time begins anew with a late result and with an end after a retry': async (hand) => {
    for (const id of ['t', 'u']) await hand.running(id);
    const grant = hand.grant('t');
    await hand.cancel('t');
    await hand.fail('u', { retryable: false });
    await hand.after(doneMs - 1);
    await hand.complete('t', {}, grant);
    await hand.apply('u', retry);
    await hand.cancel('u');
    assert.deepEqual([await hand.forget(doneMs - 1), (await hand.forget(1)).sort()], [[], ['t', 'u']]);
  },
  'a task stays while one that is not over comes after it': async (hand) => {
    await hand.running('d');
    await hand.complete('d');
    await hand.add('t', { after: ['d', 'd'], agent: 'b' });
    assert.deepEqual(await hand.forget(2 * doneMs), []);
    await hand.claim('b');
    await hand.complete('t');
    assert.deepEqual([await hand.forget(), hand.states('t'), await hand.forget(doneMs)], [['d'], ['succeeded'], ['t']]);
  },
  'a task that is tried again has what it comes after for as long': async (hand) => {
    await hand.running('d');
    await hand.complete('d');
    await hand.running('t', { after: ['d'] });
    await hand.fail('t', { retryable: false });
    await hand.after(doneMs - 1);
    await hand.apply('t', retry);
    assert.deepEqual([await hand.forget(doneMs), hand.states('d', 't')], [[], ['succeeded', 'ready']]);
    await hand.cancel('t');
    assert.deepEqual(await hand.forget(), ['d']);
    // It went, and nobody misses it.
    await hand.apply('t', retry);
    assert.deepEqual(hand.states('t'), ['ready']);
  },
  'what was cancelled with another one goes first, as it could be tried again and would wait for it': async (hand) => {
    await hand.add('d');
    await hand.add('t', { after: ['d'] });
    await hand.cancel('d');
    await hand.after(doneMs - 1);
    await hand.apply('t', retry);
    await hand.cancel('t');
    assert.deepEqual([await hand.forget(1), await hand.forget(doneMs - 1)], [[], ['t', 'd']]);
  },
  'a long chain goes whole': async (hand) => {
    const ids = Array.from({ length: 300 }, (_, n) => `t${n}`);
    await hand.store.enqueue(ids.map((id, n) => ({ id, request: taskRequest({ after: n === 0 ? [] : [`t${n - 1}`] }), by: 'x' })));
    await hand.cancel('t0');
    assert.deepEqual(await hand.forget(doneMs), ids.reverse());
  },
  'a result of a forgotten task is not found, and kept nowhere': async (hand) => {
    await hand.running('t');
    const grant = hand.grant('t');
    await hand.cancel('t');
    await hand.forget(doneMs);
    const before = hand.store.audit(0, MUCH);
    assert.deepEqual(await hand.complete('t', { late: true }, grant), { ok: false, refusal: 'not_found', task: undefined });
    assert.deepEqual(await hand.apply('t', retry), { ok: false, refusal: 'not_found', task: undefined });
    assert.deepEqual([hand.store.audit(0, MUCH), hand.store.list({ limit: 9 }), hand.store.heldBy('a')], [before, [], []]);
  },
  'the key and the id of a forgotten task can be used again': async (hand) => {
    await hand.add('t', { key: 'k', description: 'first' });
    await hand.cancel('t');
    await hand.forget(doneMs);
    const [again] = await hand.store.enqueue([{ id: 't', request: taskRequest({ key: 'k', description: 'second' }), by: 'x' }]);
    assert.deepEqual([again?.existed, again?.task.description, await hand.claim('a'), hand.get('t').fence], [false, 'second', ['t'], 1]);
    assert.deepEqual(
      hand.store.audit(0, MUCH, 't').map(({ event }) => event.type),
      ['create', 'offer'],
    );
    await assert.rejects(hand.add('u', { after: ['gone'] }), (error: OutriggerError) => error.reason === 'BAD_INPUT');
  },
  'a large task with the id of a forgotten one has nothing of that one': async (hand) => {
    for (const text of ['x', 'y']) {
      const metadata = { text: text.repeat(100_000) };
      await hand.add('t', { metadata });
      assert.deepEqual(hand.get('t').metadata, metadata);
      await hand.cancel('t');
      hand.bed.clock.now += KEEP_TASKS.doneMs;
      assert.deepEqual(await hand.store.forget(), ['t']);
    }
  },
  'one entry of the audit counts what was forgotten, and it is the newest then': async (hand) => {
    for (const id of ['t', 'u', 'v']) {
      await hand.add(id);
      await hand.cancel(id);
      await hand.after(1);
    }
    await hand.forget(doneMs - 3);
    const counted = () => hand.store.audit(0, MUCH).filter(({ event }) => event.type === 'forget');
    assert.deepEqual(
      counted().map(({ sequence, task, event, state }) => ({ sequence, task, event, state })),
      [{ sequence: 7, task: 't', event: { type: 'forget', tasks: 1, entries: 2 }, state: 'cancelled' }],
    );
    assertAuditReplays(hand.store);
    await hand.forget(1);
    await hand.add('w');
    assert.deepEqual(
      counted().map(({ sequence, event }) => [sequence, event]),
      [[8, { type: 'forget', tasks: 2, entries: 5 }]],
    );
    assert.deepEqual(
      hand.store.audit(5, MUCH).map(({ sequence, task }) => [sequence, task]),
      [
        [6, 'v'],
        [8, 'u'],
        [9, 'w'],
      ],
    );
  },
  'a list goes on where a task stood that was forgotten': async (hand) => {
    for (const id of ['t1', 't2', 't3', 't4', 't5']) await hand.add(id);
    const before = (id: string) => hand.store.list({ limit: 2, before: id }).map((task) => task.id);
    for (const id of ['t3', 't5']) await hand.cancel(id);
    await hand.forget(doneMs);
    assert.deepEqual([before('t3'), before('t5'), before('t4'), before('t1')], [['t2', 't1'], ['t4', 't2'], ['t2', 't1'], []]);
  },
  'a task whose result is deeper than a thousand is needed, and forgotten, as any other': async (hand) => {
    await hand.running('d');
    await hand.complete('d', { deep: JSON.parse('['.repeat(1500) + ']'.repeat(1500)) as unknown });
    await hand.add('t', { after: ['d'], agent: 'nobody' });
    assert.deepEqual(await hand.forget(doneMs), []);
    await hand.cancel('t');
    assert.deepEqual([await hand.forget(), await hand.forget(doneMs)], [['d'], ['t']]);
  },
  'many are forgotten a few at a time, and only those': async (hand) => {
    const all = Array.from({ length: 1000 }, (_, n) => `t${n}`);
    await hand.store.enqueue(all.map((id, n) => ({ id, request: taskRequest({ group: `g${n}` }), by: 'x' })));
    await hand.store.apply(
      all.filter((_, n) => n % 2 === 0).map((id) => ({ task: id, event: { type: 'cancel', by: 'u', reason: 'x', cancelBy: 0 } })),
    );
    hand.bed.clock.now += doneMs;
    const first = (await hand.store.forget()).length;
    assert.ok(first > 0 && first <= 100, `${first} at once`);
    assert.ok((hand.store.nextTime() as number) <= hand.now);
    assert.equal((await hand.forget()).length + first, 500);
    assert.deepEqual([hand.store.counts().ready, (await hand.claim('a', [], 999)).length], [500, 500]);
  },

  // reading
  'states are of those that are known': async (hand) => {
    await hand.running('t');
    await hand.add('u', { after: ['t'] });
    await hand.add('v');
    await hand.cancel('v');
    const states = hand.store.states(['v', 't', 'nobody', 'u', 't']);
    assert.deepEqual(
      [...states],
      [
        ['v', 'cancelled'],
        ['t', 'running'],
        ['u', 'scheduled'],
      ],
    );
    assert.equal(hand.store.states([]).size, 0);
  },
  'a list has of each task what does not grow with what is put in or comes out': async (hand) => {
    await hand.running('t', { metadata: { n: 1 }, successCriteria: ['ok'], needs: [], key: 'ü', after: [], group: 'g' });
    await hand.complete('t', { text: '\ud800 "\\ ü' });
    await hand.add('u', { metadata: { n: 2 } });
    const { metadata, fileHints, successCriteria, verificationSteps, result, report, late, ...summary } = hand.get('t');
    const [newest, oldest] = hand.store.list({ limit: 9 });
    assert.deepEqual([newest?.id, oldest], ['u', summary]);
  },
  'an audit ends where it takes too much, and has one entry at least': async (hand) => {
    for (const id of ['t', 'u', 'v']) await hand.add(id, { description: 'x'.repeat(1000) });
    const audited = (bytes: number) => hand.store.audit(0, 9, undefined, bytes).map(({ task }) => task);
    assert.deepEqual([audited(1), audited(4000), audited(MUCH)], [['t'], ['t', 'u'], ['t', 'u', 'v']]);
  },
  'a list has the newest first': async (hand) => {
    for (const id of ['b', 'a', 'c']) await hand.add(id);
    assert.deepEqual(
      hand.store.list({ limit: 2 }).map(({ id }) => id),
      ['c', 'a'],
    );
  },
  'a list goes on before a task': async (hand) => {
    for (const id of ['b', 'a', 'c']) await hand.add(id);
    assert.deepEqual(
      hand.store.list({ limit: 9, before: 'c' }).map(({ id }) => id),
      ['a', 'b'],
    );
  },
  'a list by state, priority and holder': async (hand) => {
    await hand.running('t', { priority: 0 });
    await hand.running('u', { priority: 1 });
    await hand.add('v', { priority: 1 });
    const ids = (query: object) => hand.store.list({ limit: 9, ...query }).map(({ id }) => id);
    assert.deepEqual(
      [ids({ states: ['running'] }), ids({ states: ['ready', 'running'], priority: 1 })],
      [
        ['u', 't'],
        ['v', 'u'],
      ],
    );
    assert.deepEqual([ids({ holder: 'a', priority: 0 }), ids({ states: [] })], [['t'], []]);
  },
  'what an agent holds is what was granted and is not over': async (hand) => {
    for (const id of ['t', 'u', 'v']) await hand.running(id);
    await hand.complete('u');
    await hand.add('w');
    await hand.claim('b');
    assert.deepEqual([hand.store.heldBy('a').map(({ id }) => id), hand.store.heldBy('b').map(({ id }) => id)], [['t', 'v'], ['w']]);
  },
  'the audit says who did what, from any place on': async (hand) => {
    await hand.running('t');
    await hand.cancel('t', 10);
    const entries = hand.store.audit(0, MUCH);
    assert.deepEqual(
      entries.map(({ sequence, event, state, fence }) => [sequence, event.type, state, fence]),
      [
        [1, 'create', 'ready', 0],
        [2, 'offer', 'offered', 1],
        [3, 'accept', 'running', 1],
        [4, 'cancel', 'running', 1],
      ],
    );
    assert.deepEqual(hand.store.audit(2, 1), [entries[2]]);
    await hand.running('u');
    assert.deepEqual(hand.store.audit(0, MUCH, 't'), entries);
    assert.deepEqual(hand.store.audit(2, 1, 't'), [entries[2]]);
    assert.deepEqual(
      hand.store.audit(2, MUCH, 'u').map(({ task, sequence }) => [task, sequence]),
      [
        ['u', 5],
        ['u', 6],
        ['u', 7],
      ],
    );
  },
  'what goes on for as long as a task runs does not make the audit grow': async (hand) => {
    await hand.running('t');
    const before = hand.store.audit(0, MUCH).length;
    for (let count = 0; count < 50; count++) {
      hand.bed.clock.now += 10;
      await hand.store.apply([{ task: 't', event: { type: 'renew', agent: 'a', fence: 1, leaseUntil: hand.bed.clock.now + LEASE_MS } }]);
    }
    for (let percent = 0; percent < 50; percent++)
      await hand.store.apply([{ task: 't', event: { type: 'progress', agent: 'a', fence: 1, percent, text: null } }]);
    assert.equal(hand.store.audit(0, MUCH).length, before + 2);
  },
  'progress between renewals does not make the audit grow, which says the newest of both in their order': async (hand) => {
    await hand.running('t');
    const before = hand.store.audit(0, MUCH);
    const grant = hand.grant('t');
    const tell = async (percent: number): Promise<void> => {
      hand.bed.clock.now += 10;
      await hand.apply('t', { type: 'progress', ...grant, percent, text: null });
    };
    const renew = async (): Promise<void> => {
      hand.bed.clock.now += 10;
      await hand.apply('t', { type: 'renew', ...grant, leaseUntil: hand.now + LEASE_MS });
    };
    const since = () => hand.store.audit(before.length, MUCH).map(({ at, event }) => [at, event.type]);
    for (let percent = 0; percent < 20; percent++) {
      await renew();
      await tell(percent);
      assertAuditReplays(hand.store);
      if (percent % 3 === 0) await tell(percent + 0.5);
    }
    await renew();
    assert.deepEqual(since(), [
      [hand.now - 10, 'progress'],
      [hand.now, 'renew'],
    ]);
    // Anything else ends it: what comes after is after that.
    await hand.cancel('t', 1000);
    const ended = hand.now;
    await renew();
    await tell(99);
    await renew();
    assert.deepEqual(since(), [
      [ended - 10, 'progress'],
      [ended, 'renew'],
      [ended, 'cancel'],
      [hand.now - 10, 'progress'],
      [hand.now, 'renew'],
    ]);
  },
  'a closed store answers nothing more, and may be closed twice': async (hand) => {
    const stored = hand.add('t');
    const store = hand.store;
    const closed = store.close();
    await assert.rejects(store.apply([]), (error: OutriggerError) => error.reason === 'STOPPING');
    await closed;
    await store.close();
    assert.equal((await stored).id, 't');
    hand.store = { ...emptyStore };
  },
};

/** In place of a store that is closed. */
const emptyStore = {
  list: () => [],
  audit: () => [],
  counts: () => ({}),
} as unknown as TaskStore;
