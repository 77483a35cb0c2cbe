import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pending, Settle } from './settle.ts';

type Change = Parameters<Settle['noticed']>[0];

const change = (path: string, size: number, more: Partial<Change> = {}): Change => ({
  path,
  kind: 'file',
  what: 'present',
  key: { size, mtimeMs: size, ino: 1 },
  offline: false,
  untold: false,
  settled: false,
  ...more,
});

/** What take() gives at each of these times; everything taken is told. */
function taken(settle: Settle, times: number[]): Record<number, string[]> {
  const told: Record<number, string[]> = {};
  for (const time of times) {
    const due: Pending[] = settle.take(time);
    for (const pending of due) settle.told(pending);
    if (due.length > 0) told[time] = due.map((pending) => `${pending.what} ${pending.path} ${pending.key.size}`);
  }
  return told;
}

test('a rename, a removal and a folder are told at once, a write in place when it stood still', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('renamed', 1, { settled: true }), 0);
  settle.noticed(change('gone', 2, { what: 'removed' }), 0);
  settle.noticed(change('folder', 0, { kind: 'directory' }), 0);
  settle.noticed(change('written', 3), 0);
  assert.equal(settle.nextDueAt(), 0);
  assert.deepEqual(taken(settle, [0, 49, 50, 51]), {
    0: ['present renamed 1', 'removed gone 2', 'present folder 0'],
    50: ['present written 3'],
  });
  assert.equal(settle.nextDueAt(), null);
  assert.equal(settle.size, 0);
});

test('a file that keeps growing is told once, and waits longer the longer it grows', () => {
  const settle = new Settle({ settleMs: 50 });
  const told: number[] = [];
  let last = 0;
  for (let now = 0; now <= 3000; now++) {
    if (now <= 2000 && now % 40 === 0) {
      settle.noticed(change('log', now + 1), now);
      last = now;
    }
    for (const pending of settle.take(now)) {
      told.push(now);
      settle.told(pending);
    }
  }
  assert.deepEqual(told, [last + 500]);
});

test('a short write in pieces does not wait longer than the first wait', () => {
  const settle = new Settle({ settleMs: 50 });
  for (const now of [0, 5, 10, 20]) settle.noticed(change('f', now + 1), now);
  assert.deepEqual(taken(settle, [50, 69, 70]), { 70: ['present f 21'] });
});

test('what was taken is not the newest any more when something happens meanwhile', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('f', 1), 0);
  const [first] = settle.take(50) as [Pending];
  assert.deepEqual(settle.take(60), [], 'it is taken once');
  settle.noticed(change('f', 2), 60);
  assert.equal(settle.isCurrent(first), false);
  settle.told(first);
  assert.ok(settle.has('f'), 'the newer change still waits');
  assert.deepEqual(taken(settle, [109, 200]), { 200: ['present f 2'] });
});

test('what was not at rest after all waits again, longer each time, and not for ever', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('f', 1), 0);
  const waits: number[] = [];
  let now = 0;
  for (let round = 0; round < 7; round++) {
    const due = settle.nextDueAt() as number;
    waits.push(due - now);
    now = due;
    settle.again(settle.take(now)[0] as Pending, now);
  }
  assert.deepEqual(waits, [50, 100, 200, 400, 500, 500, 500]);
});

test("everything waits while git's index is locked, two seconds at most", () => {
  const table: [name: string, lock: (now: number) => boolean, told: number][] = [
    ['no lock', () => false, 0],
    ['a short lock', (now) => now < 300, 300],
    ['a lock that stays', () => true, 2000],
    ['a lock that stays, then goes', (now) => now < 5000, 2000],
  ];
  for (const [name, lock, expected] of table) {
    const settle = new Settle({ settleMs: 50 });
    settle.locked(lock(0), 0);
    settle.noticed(change('gone', 1, { what: 'removed' }), 0);
    let told = -1;
    for (let now = 0; now <= 6000; now += 100) {
      settle.locked(lock(now), now);
      assert.equal(settle.held, lock(now) && now < 2000, `${name} at ${now}`);
      assert.equal(settle.overheld, lock(now) && now >= 2000, `${name} at ${now}`);
      for (const pending of settle.take(now)) {
        told = now;
        settle.told(pending);
      }
    }
    assert.equal(told, expected, name);
  }
});

test('a file that comes and goes before it was told is never told; one that was told is told to be gone', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('brief', 1, { untold: true }), 0);
  settle.noticed(change('brief', 1, { what: 'removed' }), 10);
  settle.noticed(change('known', 1, { what: 'removed' }), 10);
  settle.noticed(change('known', 2, { untold: true }), 20);
  settle.noticed(change('known', 2, { what: 'removed' }), 30);
  assert.deepEqual(taken(settle, [1000]), { 1000: ['removed known 2'] });
});

test('what took the place of something known is told to be gone', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('f', 1, { untold: true }), 0);
  settle.known('f');
  settle.noticed(change('f', 1, { what: 'removed' }), 10);
  assert.deepEqual(taken(settle, [10]), { 10: ['removed f 1'] });
});

test('what came is told as new to the folder, also where those who follow know of it by then', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('new', 1, { untold: true }), 0);
  settle.noticed(change('old', 1), 0);
  for (const path of ['new', 'old']) settle.known(path);
  settle.noticed(change('new', 2), 10);
  assert.deepEqual(
    settle.take(1000).map(({ path, untold, isCreated }) => [path, untold, isCreated]),
    [
      ['old', false, false],
      ['new', false, true],
    ],
  );
});

test('what was known is told with what took its place where that is of another kind, and its removal is of its own kind', () => {
  const replacing = (changes: Change[]): [string, string | undefined][] => {
    const settle = new Settle({ settleMs: 50 });
    changes.forEach((one, at) => settle.noticed(one, at));
    return settle.take(1000).map(({ what, kind, replaced }) => [`${what} ${kind}`, replaced]);
  };
  const folder = change('x', 0, { kind: 'directory' });
  const gone = { ...folder, what: 'removed' } as const;
  const file = change('x', 1, { untold: true });
  assert.deepEqual(replacing([gone, file]), [['present file', 'directory']]);
  assert.deepEqual(replacing([gone, file, change('x', 2)]), [['present file', 'directory']]);
  assert.deepEqual(replacing([gone, file, { ...file, what: 'removed' }]), [['removed directory', undefined]]);
  assert.deepEqual(replacing([gone, file, { ...file, what: 'removed' }, folder]), [['present directory', undefined]]);
  assert.deepEqual(replacing([change('x', 1, { what: 'removed' }), folder]), [['present directory', 'file']]);
  assert.deepEqual(replacing([change('x', 1, { what: 'removed' }), file]), [['present file', undefined]]);
});

test('what waits inside a renamed folder goes along, and removals are told before', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('a/f', 1), 0);
  settle.noticed(change('a/gone', 1, { what: 'removed' }), 0);
  settle.noticed(change('ab', 1), 0);
  const { removedBefore, renamed } = settle.moved('a', 'b/c', 10);
  assert.deepEqual(
    removedBefore.map((pending) => pending.path),
    ['a/gone'],
  );
  assert.deepEqual(renamed, [['a/f', 'b/c/f']]);
  assert.deepEqual(taken(settle, [50, 60]), { 50: ['present ab 1'], 60: ['present b/c/f 1'] });
});

test('what is forced is told now', () => {
  const settle = new Settle({ settleMs: 50 });
  settle.noticed(change('f', 1), 0);
  settle.force(['f', 'nothing'], 5);
  const [due] = settle.take(5);
  assert.equal(due?.forced, true);
  settle.noticed(change('f', 2), 6);
  assert.equal(settle.take(6)[0]?.forced, true, 'also when it changes again before it is told');
});
