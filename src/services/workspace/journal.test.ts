import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../../test/kit/seed.ts';
import { State } from '../state/state.ts';
import { type ChangeDraft, Journal, REMOVED } from './journal.ts';
import { cause, fails } from '../../../test/kit/workspace-harness.ts';

interface Opened {
  journal: Journal;
  state: State;
  problems: (string | undefined)[];
  add(count?: number): void;
  /** Without a clean stop. */
  crash(): void;
  stop(): void;
}

async function withFolder(run: (open: (keep?: number) => Opened, folder: string) => void | Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-journal-'));
  const opened: Opened[] = [];
  fs.mkdirSync(path.join(folder, 'root'));
  const open = (keep = 100_000): Opened => {
    const state = new State({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder });
    const problems: (string | undefined)[] = [];
    const journal = new Journal({ state, now: () => 1, onProblem: (problem) => problems.push(problem) }, { keep });
    let n = 0;
    const one: Opened = {
      journal,
      state,
      problems,
      add: (count = 1) => {
        for (let i = 0; i < count; i++) journal.record([draft(`f${n++}`)]);
      },
      crash: () => state.close(),
      stop: () => {
        journal.close();
        state.close();
      },
    };
    opened.push(one);
    return one;
  };
  try {
    await run(open, folder);
  } finally {
    for (const one of opened) one.crash();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const draft = (name: string, more: Partial<ChangeDraft> = {}): ChangeDraft => ({
  path: name,
  kind: 'file',
  what: 'created',
  before: null,
  after: 'a'.repeat(64),
  size: 1,
  cause,
  ...more,
});
const numbers = (found: { changes: { revision: number }[] }): number[] => found.changes.map(({ revision }) => revision);
/** SQLite refuses every write, as on a full disk. */
const fill = ({ state }: Opened): void => state.database.exec('PRAGMA query_only = ON');
const free = ({ state }: Opened): void => state.database.exec('PRAGMA query_only = OFF');

test('of what is put below what was told to be a file it is told first that a folder is there by now, once', () =>
  withFolder((open) => {
    const { journal } = open();
    const told: string[] = [];
    journal.onChanges((changes) =>
      told.push(...changes.map(({ what, kind, path: at, cause: { kind: by } }) => `${by} ${what} ${kind} ${at}`)),
    );
    journal.record([
      draft('a', { kind: 'directory', after: null }),
      draft('a/b'),
      draft('link', { kind: 'symlink', after: null, content: 's-1-2-3' }),
    ]);
    told.length = 0;
    journal.record([draft('a/b/c/d'), draft('a/b/e'), draft('link/f')]);
    journal.record([draft('a/b/g'), draft('a/b/e/f'), draft('a/b/e', { kind: 'directory', after: null })]);
    assert.deepEqual(told, [
      'outside removed file a/b',
      'outside created directory a/b',
      'connection created file a/b/c/d',
      'connection created file a/b/e',
      'connection created file link/f',
      'connection created file a/b/g',
      'outside removed file a/b/e',
      'outside created directory a/b/e',
      'connection created file a/b/e/f',
    ]);
  }));

describe('a cursor', () => {
  test('goes on after a clean stop, and after a crash of the same boot, with no gap and no repeat', () =>
    withFolder((open) => {
      const first = open();
      first.add(3);
      const { cursor } = first.journal;
      first.add(2);
      first.stop();
      const second = open();
      assert.deepEqual(numbers(second.journal.since(cursor, 100)), [4, 5]);
      second.add();
      second.crash();
      const third = open();
      third.add();
      assert.deepEqual(numbers(third.journal.since(cursor, 100)), [4, 5, 6, 7]);
      assert.equal(third.journal.since(third.journal.cursor, 100).changes.length, 0);
    }));

  test('of before a power cut is answered with resync: numbers may have been lost with it', () =>
    withFolder((open) => {
      const first = open();
      first.add(3);
      const { cursor } = first.journal;
      first.state.set('boot', 'another boot');
      first.crash();
      const second = open();
      assert.match(second.journal.since(cursor, 10).resync ?? '', /another time/);
      // After a clean stop there is nothing to fear.
      const fresh = second.journal.cursor;
      second.state.set('boot', 'yet another');
      second.journal.close();
      second.state.set('boot', 'yet another');
      second.crash();
      assert.equal(open().journal.since(fresh, 10).resync, undefined);
    }));

  test('of a state that was replaced by an older copy is answered with resync; a folder that moves takes its cursors along', () =>
    withFolder((open, folder) => {
      const state = path.join(folder, 'state');
      const backup = path.join(folder, 'backup');
      const first = open();
      first.add(3);
      first.stop();
      fs.cpSync(state, backup, { recursive: true });
      const second = open();
      second.add(3);
      const { cursor } = second.journal;
      second.stop();
      fs.renameSync(state, path.join(folder, 'moved'));
      fs.renameSync(path.join(folder, 'moved'), state);
      const third = open();
      assert.deepEqual(third.journal.since(cursor, 100), { changes: [], cursor, more: false });
      third.state.database.exec('VACUUM');
      third.stop();
      const fourth = open();
      assert.equal(fourth.journal.since(cursor, 100).resync, undefined);
      fourth.stop();

      fs.rmSync(state, { recursive: true });
      fs.cpSync(backup, state, { recursive: true });
      const older = open();
      older.add(5);
      assert.match(older.journal.since(cursor, 100).resync ?? '', /replaced/);
      const later = older.journal.cursor;
      older.stop();
      assert.equal(open().journal.since(later, 100).resync, undefined);
    }));

  test('of before a time of which nothing is known is answered with resync, and so is one that is read of a change of before it', () =>
    withFolder((open) => {
      const first = open();
      first.add(3);
      const { cursor } = first.journal;
      const heard: number[] = [];
      first.journal.onChanges((changes) => heard.push(changes.length));
      first.journal.renew();
      assert.deepEqual(heard, [0], 'who waits for changes looks again');
      assert.match(first.journal.since(cursor, 10).resync ?? '', /another time/);
      const fresh = first.journal.cursor;
      first.add();
      assert.deepEqual(numbers(first.journal.since(fresh, 10)), [4]);
      first.crash();
      const second = open();
      const { changes } = second.journal.since(undefined, 10);
      assert.deepEqual(
        changes.map((change) => second.journal.since(change.cursor, 10).resync === undefined),
        [false, false, true, true],
      );
      assert.deepEqual(numbers(second.journal.since(fresh, 10)), [4]);
    }));

  test('is not taken up again where that it is of another time could not be stored', () =>
    withFolder((open) => {
      const first = open();
      first.add(3);
      const { cursor } = first.journal;
      fill(first);
      first.journal.renew();
      assert.match(first.journal.since(cursor, 10).resync ?? '', /another time/);
      first.crash();
      assert.match(open().journal.since(cursor, 10).resync ?? '', /another time/);
    }));

  test('goes on with a state of a version that did not note which file its database is', () =>
    withFolder((open) => {
      const first = open();
      first.add(3);
      const { cursor } = first.journal;
      first.journal.close();
      first.state.statement('DELETE FROM facts WHERE name = ?').run('file');
      first.crash();
      assert.equal(open().journal.since(cursor, 100).resync, undefined);
    }));

  test('that is older than what is kept, or ahead, or no cursor, is never answered with a gap', () =>
    withFolder(async (open) => {
      const { journal, add } = open(100);
      const start = journal.cursor;
      add(3000);
      assert.match(journal.since(start, 10).resync ?? '', /last 100/);
      const epoch = start.slice(0, 8);
      for (let revision = 0; revision <= 3001; revision += 7) {
        const found = journal.since(`${epoch}-${revision}`, 5);
        if (found.resync === undefined && revision < 3000) assert.deepEqual(numbers(found)[0], revision + 1);
      }
      assert.equal(journal.since(`${epoch}-2950`, 5).resync, undefined);
      assert.match(journal.since(`${epoch}-3001`, 5).resync ?? '', /ahead/);
      assert.match(journal.since(`00000000-1`, 5).resync ?? '', /another time/);
      for (const bad of ['', 'x', `${epoch}`, `${epoch}--1`, `${epoch}-1x`, `${epoch}-${'9'.repeat(30)}`, 'ÄÖ-1'])
        await fails('BAD_CURSOR', () => journal.since(bad, 5));
    }));

  test('reads on in pages, from memory and from the database alike', () =>
    withFolder((open) => {
      const { journal, add } = open();
      const start = journal.cursor;
      add(3000);
      const seen: number[] = [];
      for (let cursor = start, more = true; more; ) {
        const page = journal.since(cursor, 333);
        seen.push(...numbers(page));
        ({ cursor, more } = page);
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 3000 }, (_, index) => index + 1),
      );
      assert.deepEqual(numbers(journal.since(undefined, 2)), [2999, 3000]);
    }));
});

describe('what was touched since a revision', () => {
  test('is each path of which something else is known, in a folder that was moved too, as far as the journal reaches back', () =>
    withFolder((open) => {
      const { journal, add } = open(100);
      journal.record([
        draft('old'),
        draft('a', { kind: 'directory', after: null }),
        draft('a/x'),
        draft('a/gone'),
        draft('a/gone', { what: 'removed', after: null }),
      ]);
      const { revision } = journal;
      journal.record([
        draft('new'),
        draft('new', { what: 'removed', after: null }),
        draft('b', { kind: 'directory', after: null, what: 'moved', from: 'a' }),
      ]);
      assert.deepEqual(journal.touchedSince(revision), ['a', 'a/gone', 'a/x', 'b', 'b/gone', 'b/x', 'new']);
      assert.deepEqual(journal.touchedSince(journal.revision), []);
      assert.deepEqual(journal.touchedSince(journal.revision + 7), [], 'of a state that was replaced by an older one');
      add(3000);
      assert.equal(journal.touchedSince(revision), undefined);
    }));
});

describe('a change', () => {
  test('reads the same from memory and from the database', () =>
    withFolder((open) => {
      const first = open();
      const { cursor } = first.journal;
      first.journal.record([
        draft('a', { note: 'Said.', before: 'b'.repeat(64) }),
        draft('c', { what: 'moved', from: 'a' }),
        draft('d', { kind: 'directory', after: null }),
      ]);
      const fromMemory = first.journal.since(cursor, 10).changes;
      first.stop();
      assert.deepEqual(open().journal.since(cursor, 10).changes, fromMemory);
    }));

  test('is stored before anybody hears of it', () =>
    withFolder((open) => {
      const { journal, state } = open();
      let stored = 0;
      journal.onChanges(() => {
        stored = (state.statement('SELECT max(revision) AS last FROM changes').get() as { last: number }).last;
      });
      const [change] = journal.record([draft('a')]);
      assert.equal(stored, 1);
      assert.equal(change?.revision, stored);
    }));
});

test('a listener that fails keeps no other from a change, nor who made it from the answer; it is said that it failed', () =>
  withFolder((open) => {
    const { journal, problems } = open();
    const heard: (string | undefined)[] = [];
    journal.onChanges(() => {
      throw new Error('broken');
    });
    journal.onChanges(([change]) => heard.push(change?.path));
    assert.equal(journal.record([draft('a')]).length, 1);
    assert.deepEqual(heard, ['a']);
    assert.match(problems.join('|'), /^[^|]+: broken$/);
  }));

test('what is known to be in a folder is gone with it, and the folder with what is put in its place', () =>
  withFolder((open) => {
    const { journal } = open();
    const folder = { kind: 'directory', after: null } as const;
    journal.record([draft('a', folder), draft('a/b', folder), draft('a/b/c'), draft('a!'), draft('ab')]);
    journal.record([draft('a/b', { ...folder, what: 'removed' })]);
    const known = (...names: string[]): (string | undefined)[] => names.map((name) => journal.known(name));
    const content = 'a'.repeat(64);
    assert.deepEqual(known('a', 'a/b', 'a/b/c', 'a!', 'ab'), ['/', '-', '-', content, content]);
    journal.record([draft('a/d', folder), draft('a/d/e')]);
    const told = journal.record([draft('a')]).map(({ what, kind, path: at }) => `${what} ${kind} ${at}`);
    assert.deepEqual(told, ['removed file a/d/e', 'removed directory a/d', 'removed directory a', 'created file a']);
    assert.deepEqual(known('a', 'a/d', 'a/d/e'), [content, '-', '-']);
    journal.record([draft('f', folder), draft('f/g')]);
    const moved = journal.record([draft('h', { what: 'moved', from: 'f' })]).map(({ what, kind, path: at }) => `${what} ${kind} ${at}`);
    assert.deepEqual(moved, ['removed file f/g', 'removed directory f', 'created file f', 'moved file h']);
    // Where the same step says so itself, it is not said twice.
    journal.record([draft('ab', { what: 'removed', after: null })]);
    journal.record([draft('ab', folder), draft('ab/c')]);
    const said = journal.record([
      draft('ab/c', { what: 'removed', after: null }),
      draft('ab', { ...folder, what: 'removed' }),
      draft('ab'),
    ]);
    assert.equal(said.length, 3);
  }));

test('a file in whose place a folder is put, or moved, is gone first, and the folder is new', () =>
  withFolder((open) => {
    const { journal } = open();
    const folder = { kind: 'directory', after: null } as const;
    const content = 'a'.repeat(64);
    const told = (...drafts: ChangeDraft[]): unknown[] =>
      journal.record(drafts).map(({ what, kind, path: at, before }) => `${what} ${kind} ${at} before ${before}`);
    journal.record([draft('a'), draft('b')]);
    assert.deepEqual(told(draft('a', { ...folder, what: 'changed', before: content })), [
      `removed file a before ${content}`,
      'created directory a before null',
    ]);
    assert.deepEqual(told(draft('b', { ...folder, what: 'moved', from: 'a' })), [
      `removed file b before ${content}`,
      'moved directory b before null',
    ]);
    // Where the same step says so itself, it is not said twice.
    journal.record([draft('c')]);
    assert.equal(told(draft('c', { what: 'removed', after: null }), draft('c', folder)).length, 2);
  }));

test('what is known of a folder goes with it when it moves, and only that', () =>
  withFolder((open) => {
    const { journal } = open();
    for (const name of ['a/x', 'a/b/y', 'a-b', 'a.b', 'a0', 'ab/z', 'a/Ü']) journal.record([draft(name, { after: hash(name) })]);
    journal.record([draft('new', { kind: 'directory', what: 'moved', from: 'a', after: null })]);
    for (const name of ['a-b', 'a.b', 'a0', 'ab/z']) assert.equal(journal.known(name), hash(name));
    for (const name of ['x', 'b/y', 'Ü']) {
      assert.equal(journal.known(`new/${name}`), hash(`a/${name}`));
      assert.equal(journal.known(`a/${name}`), '-');
    }
  }));

describe('where what stood at d/b went', () => {
  const to = (from: string, path: string, kind: 'file' | 'directory' = 'directory'): ChangeDraft =>
    draft(path, { kind, what: 'moved', from });
  const gone = (name: string): ChangeDraft => draft(name, { what: 'removed', after: null });
  const cases: [says: string, steps: ChangeDraft[], at: string | undefined][] = [
    ['it left before its folder moved', [to('d/b', 'kept', 'file'), to('d', 'k')], 'kept'],
    ['it left before its folder moved, and moved on', [to('d/b', 'x/b', 'file'), to('d', 'k'), to('x', 'y')], 'y/b'],
    ['it left before its folder was removed', [to('d/b', 'kept', 'file'), gone('d')], 'kept'],
    ['it was removed before its folder moved', [gone('d/b'), to('d', 'k')], undefined],
    ['it was removed twice before its folder moved', [gone('d/b'), draft('d/b'), gone('d'), to('d', 'k')], undefined],
    ['it left with its folder', [to('d', 'k'), to('k/b', 'kept', 'file')], 'kept'],
    ['it left with its folder, and another folder of the name was removed', [to('d', 'k'), gone('d')], 'k/b'],
    ['another came in its place before the folder moved', [to('d/b', 'kept', 'file'), draft('d/b'), to('d', 'k')], 'k/b'],
    [
      'another folder came in the place of its own, and moved',
      [to('d/b', 'kept', 'file'), to('d', 'k'), to('e', 'd'), to('d', 'l')],
      'l/b',
    ],
  ];
  for (const [says, steps, at] of cases)
    test(says, () =>
      withFolder((open) => {
        const { journal } = open();
        journal.record([draft('d/b'), draft('d-b'), ...steps]);
        assert.equal(journal.movedTo('d/b'), at);
      }),
    );
});

function hash(name: string): string {
  return Buffer.from(name).toString('hex').padEnd(64, '0');
}

describe('while the state can not be written', () => {
  test('changes are told all the same, old cursors are told to resync, and new ones go on', () =>
    withFolder((open) => {
      const one = open();
      one.add(3);
      const old = one.journal.cursor;
      fill(one);
      one.add(1);
      const first = one.journal.cursor;
      one.add(2);
      assert.match(one.journal.since(old, 10).resync ?? '', /another time/);
      assert.deepEqual(numbers(one.journal.since(first, 10)), [5, 6], 'a follower reads on in memory');
      assert.match(one.problems.join('|'), /^The state can't be written: [^|]*$/, 'said once');
      free(one);
      one.add(2);
      assert.deepEqual(numbers(one.journal.since(first, 10)), [5, 6, 7, 8]);
      assert.deepEqual(one.problems.slice(1), [undefined]);
      const { cursor } = one.journal;
      one.crash();
      const two = open();
      assert.equal(two.journal.since(cursor, 10).resync, undefined);
      assert.notEqual(two.journal.since(first, 10).resync, undefined, 'what was in memory alone is gone');
    }));

  for (const end of ['stop', 'crash'] as const)
    test(`and it ends so, by a ${end}, cursors of before are told to resync at the next start, and later ones go on`, () =>
      withFolder((open) => {
        let one = open();
        one.add(3);
        const old = one.journal.cursor;
        fill(one);
        one.add(2);
        const told = one.journal.cursor;
        one[end]();
        one = open();
        assert.match(one.journal.since(old, 10).resync ?? '', /another time/);
        assert.match(one.journal.since(told, 10).resync ?? '', /another time/);
        const { cursor } = one.journal;
        one.add();
        one[end]();
        one = open();
        assert.deepEqual(numbers(one.journal.since(cursor, 10)), [4]);
      }));

  test('and then can be again, cursors of the gap go on after the next start', () =>
    withFolder((open) => {
      let one = open();
      fill(one);
      one.add(2);
      free(one);
      const { cursor } = one.journal;
      one.add();
      one.crash();
      one = open();
      assert.deepEqual(numbers(one.journal.since(cursor, 10)), [3]);
    }));

  for (const end of ['stop', 'crash'] as const)
    test(`what was known meanwhile is known when it can be again, and after a ${end}, in folders that were moved or removed too`, () =>
      withFolder((open) => {
        let one = open();
        const known = (): (string | undefined)[] => ['a', 'd/x', 'e/x', 'r/y', 'learned'].map((name) => one.journal.known(name));
        for (const name of ['a', 'd/x', 'r/y']) one.journal.record([draft(name, { after: hash('old') })]);
        fill(one);
        one.journal.record([draft('a', { what: 'changed', after: hash('new') })]);
        one.journal.record([draft('e', { kind: 'directory', what: 'moved', from: 'd', after: null })]);
        one.journal.record([draft('r', { kind: 'directory', what: 'removed', after: null })]);
        one.journal.learn('learned', hash('new'));
        const expected = [hash('new'), REMOVED, hash('old'), REMOVED, hash('new')];
        assert.deepEqual(known(), expected);
        assert.deepEqual(one.journal.knownBelow('e'), [{ path: 'e/x', content: hash('old') }]);
        free(one);
        one.add();
        assert.deepEqual(known(), expected);
        one[end]();
        one = open();
        assert.deepEqual(known(), expected);
      }));

  for (const end of ['stop', 'crash'] as const)
    test(`and it ends so, by a ${end}, nothing that was known before passes for known at the next start`, () =>
      withFolder((open) => {
        let one = open();
        one.journal.record([draft('a', { after: hash('old') })]);
        const { revision } = one.journal;
        fill(one);
        one.journal.record([draft('a', { what: 'changed', after: hash('new') })]);
        one[end]();
        one = open();
        assert.deepEqual([one.journal.known('a'), one.journal.touchedSince(revision)], [undefined, undefined]);
      }));

  test('of more than is held of what is known meanwhile nothing is known any more, so that nothing passes for known', () =>
    withFolder((open) => {
      let one = open();
      one.journal.record([draft('a', { after: hash('old') })]);
      fill(one);
      one.journal.record([draft('a', { what: 'changed', after: hash('new') })]);
      one.add(12_000);
      assert.deepEqual([one.journal.known('a'), one.journal.known('f11999')], [undefined, 'a'.repeat(64)]);
      free(one);
      one.add();
      one.crash();
      one = open();
      assert.deepEqual([one.journal.known('a'), one.journal.known('f11999')], [undefined, 'a'.repeat(64)]);
    }));

  test('a state of a version that did not say whether it is whole is answered with resync, once', () =>
    withFolder((open) => {
      let one = open();
      one.add();
      const old = one.journal.cursor;
      one.stop();
      fs.rmSync(path.join(one.state.folder, 'journal.whole'));
      one = open();
      assert.match(one.journal.since(old, 10).resync ?? '', /another time/);
      const { cursor } = one.journal;
      one.stop();
      assert.equal(open().journal.since(cursor, 10).resync, undefined);
    }));

  test('nothing is passed over in silence, whatever fails when, and whoever reads from where', () => {
    const seed = testSeed();
    const step = fc.constantFrom(
      'add',
      'add',
      'add',
      'many',
      'fill',
      'free',
      'learn',
      'crash',
      'stop',
      'read',
      'free and crash',
      'free and stop',
    );
    return withFolder((open) => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
          let one = open(100);
          // A follower has seen all that happened so far, or was told to list anew.
          const followers = [{ cursor: one.journal.cursor, seen: one.journal.revision }];
          try {
            for (const what of steps) {
              if (what === 'add') one.add();
              else if (what === 'many') one.add(700);
              else if (what === 'learn') one.journal.learn('x', `${Math.random()}`);
              else if (what === 'fill') fill(one);
              else if (what === 'free') free(one);
              else if (what === 'read') followers.push({ cursor: one.journal.cursor, seen: one.journal.revision });
              else {
                // Changes that only memory held are gone then: who saw them must be told.
                if (what.startsWith('free and ')) free(one);
                one[what.endsWith('crash') ? 'crash' : 'stop']();
                one = open(100);
              }
              for (const follower of followers.slice(what === 'read' ? 0 : -2)) follow(one, follower);
            }
            for (const follower of followers) follow(one, follower);
          } finally {
            one.stop();
          }
        }),
        { seed, numRuns: 25 },
      );
    });
  });
});

function follow({ journal }: Opened, follower: { cursor: string; seen: number }): void {
  for (let more = true; more; ) {
    const page = journal.since(follower.cursor, 50);
    if (page.resync !== undefined) follower.seen = journal.revision;
    for (const { revision } of page.changes) {
      assert.equal(revision, follower.seen + 1, 'a gap or a repeat');
      follower.seen = revision;
    }
    follower.cursor = page.cursor;
    more = page.more;
  }
  assert.equal(follower.seen, journal.revision);
}

test('where two thousand files went is known at once, whatever was told between them and the folder that left later', () =>
  withFolder((open) => {
    const { journal, state } = open();
    const paths = Array.from({ length: 2000 }, (_, n) => `d/f${n}`);
    journal.record(paths.map((at) => draft(at)));
    journal.record(paths.map((at): ChangeDraft => ({ ...draft(at), what: 'removed', after: null })));
    const { revision } = journal;
    state.transaction(() => {
      const change = state.statement(
        "INSERT INTO changes(revision, path, kind, what, cause, at) VALUES(?, 'b', 'file', 'changed', '{}', 1)",
      );
      for (let n = 1; n <= 90_000; n++) change.run(revision + n);
      state
        .statement("INSERT INTO changes(revision, path, kind, what, origin, cause, at) VALUES(?, 'e', 'directory', 'moved', 'd', '{}', 1)")
        .run(revision + 90_001);
    });
    const began = performance.now();
    assert.deepEqual(new Set(paths.map((at) => journal.movedTo(at))), new Set([undefined]));
    const tookMs = performance.now() - began;
    assert.ok(tookMs < 2000, `${tookMs} ms`);
  }));
