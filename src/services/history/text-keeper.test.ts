import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Cause, Change } from '../../contract/events.ts';
import { hashBytes } from '../workspace/content.ts';
import type { KeptTexts } from './kept-texts.ts';
import { TextKeeper } from './text-keeper.ts';

const typing = (name: string): Cause => ({ kind: 'document', who: [{ name, kind: 'person' }] });
const call = (name: string): Cause => ({ kind: 'connection', who: [{ name, kind: 'agent' }] });
const outside: Cause = { kind: 'outside' };

interface Desk {
  keeper: TextKeeper;
  /** What is kept, as `path: text`, in order. */
  kept(): string[];
  /** Files that were read, in order. */
  reads: string[];
  /** No more texts can wait from now on. */
  fill(): void;
  /** It was there before anything was watched. */
  seed(path: string, text: string): void;
  /** A program writes this. */
  put(path: string, text: string): void;
  /** Somebody writes this by us. */
  write(path: string, text: string, cause: Cause): void;
  move(from: string, to: string, kind?: Change['kind']): void;
  pass(ms: number): void;
}

/** With files in memory and a clock of its own. */
function withKeeper(run: (desk: Desk) => void | Promise<void>, options = { maxFileBytes: 1000 }): void | Promise<void> {
  mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  let revision = 0;
  const files = new Map<string, string>();
  const known = new Map<string, string>();
  const kept = new Map<string, string>();
  const reads: string[] = [];
  let isFull = false;
  const texts: Pick<KeptTexts, 'isFull' | 'hasAt' | 'keep' | 'drop' | 'stored'> = {
    get isFull() {
      return isFull;
    },
    hasAt: (hash, path) => kept.has(`${hash} ${path}`),
    keep: ({ hash, path }, bytes) => void kept.set(`${hash} ${path}`, `${path}: ${Buffer.from(bytes).toString()}`),
    drop: ({ hash, path }) => void kept.delete(`${hash} ${path}`),
    stored: () => Promise.resolve(),
  };
  const keeper = new TextKeeper(
    {
      texts: texts as KeptTexts,
      known: (path) => known.get(path),
      read: (path) => (reads.push(path), files.has(path) ? Buffer.from(files.get(path) ?? '') : null),
      mayKeep: (path) => !path.startsWith('ignored/'),
      now: () => now,
    },
    options,
  );
  const tell = (path: string, what: Change['what'], cause: Cause, facts: Partial<Change> = {}): void => {
    const text = files.get(path);
    const after = text === undefined ? null : hashBytes(text);
    if (after !== null) known.set(path, after);
    const size = text === undefined ? {} : { size: text.length };
    keeper.changed([
      {
        type: 'change',
        revision: ++revision,
        cursor: '',
        path,
        kind: 'file',
        what,
        before: null,
        after,
        cause,
        at: now,
        ...size,
        ...facts,
      },
    ]);
  };
  const done = (): void => mock.timers.reset();
  try {
    const running = run({
      keeper,
      kept: () => [...kept.values()],
      reads,
      fill: () => (isFull = true),
      seed: (path, text) => void files.set(path, text),
      put: (path, text) => {
        files.set(path, text);
        tell(path, 'changed', outside);
      },
      write: (path, text, cause) => {
        keeper.about(path, cause);
        files.set(path, text);
        tell(path, 'changed', cause);
      },
      move: (from, to, kind = 'file') => {
        for (const [path, text] of [...files]) {
          if (path !== from && !path.startsWith(`${from}/`)) continue;
          files.delete(path);
          files.set(to + path.slice(from.length), text);
        }
        tell(to, 'moved', call('m'), { from, kind });
      },
      pass: (ms) => {
        for (const end = now + ms; now < end; ) {
          now += 10;
          mock.timers.tick(10);
        }
      },
    });
    return running instanceof Promise ? running.finally(done) : done();
  } catch (error) {
    done();
    throw error;
  }
}

test('what a call finds is kept before it writes, and what it leaves a little later', () =>
  withKeeper(({ write, pass, kept, put }) => {
    put('f', 'of before');
    pass(1000);
    write('f', 'one', call('a'));
    write('f', 'two', call('a'));
    write('f', 'three', call('b'));
    assert.deepEqual(kept(), ['f: of before', 'f: one', 'f: two']);
    pass(1000);
    assert.deepEqual(kept().at(-1), 'f: three');
  }));

test('somebody who types leaves the text before, some on the way, and the last', () =>
  withKeeper(({ write, pass, kept, put }) => {
    put('f', 'before');
    pass(1000);
    for (let n = 1; n <= 200; n++) {
      write('f', `typed ${n}`, typing('Ada'));
      pass(2000);
    }
    const left = kept();
    assert.deepEqual([left[0], left.at(-1)], ['f: before', 'f: typed 200']);
    assert.ok(left.length >= 5 && left.length <= 9, `one for two minutes of 400 s: ${left.join(', ')}`);
  }));

test('where another hand comes, what the one before left stays', () =>
  withKeeper(({ write, pass, kept, put }) => {
    put('f', 'before');
    pass(1000);
    write('f', 'Ada 1', typing('Ada'));
    pass(2000);
    write('f', 'Ada 2', typing('Ada'));
    pass(50);
    write('f', 'bot', call('bot'));
    write('f', 'Ada 3', typing('Ada'));
    pass(2000);
    write('f', 'Ada 4', typing('Ada'));
    pass(2000);
    assert.deepEqual(kept(), ['f: before', 'f: Ada 1', 'f: Ada 2', 'f: bot', 'f: Ada 3', 'f: Ada 4']);
  }));

test('of programs what they left is kept, at a pace, and what waits goes with its file', () =>
  withKeeper(({ put, move, pass, kept }) => {
    for (let n = 0; n < 100; n++) put(`dir/${n}`, `text ${n}`);
    move('dir', 'moved', 'directory');
    move('moved/99', 'last');
    pass(300);
    const soon = kept().length;
    assert.ok(soon >= 50 && soon < 60, `${soon} at once`);
    pass(10_000);
    assert.equal(kept().length, 100);
    assert.ok(kept().includes('last: text 99') && kept().includes('moved/0: text 0'));
  }));

test('a text that somebody else wrote over meanwhile, one that is too large, binary or ignored is not kept', () =>
  withKeeper(({ put, pass, kept, write }) => {
    put('f', 'one');
    put('f', 'two');
    put('large', 'l'.repeat(1001));
    put('binary', 'a\0b');
    put('ignored/f', 'x');
    write('ignored/f', 'y', call('a'));
    pass(1000);
    assert.deepEqual(kept(), ['f: two']);
  }));

test('of a file that is opened the text is kept before a program writes over it, at a pace', () =>
  withKeeper(({ keeper, seed, put, kept }) => {
    for (let n = 0; n < 60; n++) seed(`${n}`, `text ${n}`);
    for (let n = 0; n < 60; n++) keeper.opened(`${n}`);
    put('0', 'by a program');
    assert.deepEqual([kept().length, kept()[0]], [50, '0: text 0']);
  }));

test('of more files than can wait the first are passed over', () =>
  withKeeper(({ put, pass, kept }) => {
    for (let n = 0; n < 2010; n++) put(`${n}`, `text ${n}`);
    pass(300_000);
    assert.deepEqual([kept().length, kept()[0]], [2000, '10: text 10']);
  }));

test('what could not be kept is not read before it is written: thousands are removed in one turn', () =>
  withKeeper(({ write, fill, reads }) => {
    write('f', 'one', call('a'));
    assert.deepEqual(reads, ['f']);
    fill();
    write('g', 'one', call('a'));
    assert.deepEqual(reads, ['f']);
  }));

test('at the end what waits is looked at', () =>
  withKeeper(async ({ put, kept, keeper }) => {
    put('f', 'one');
    await keeper.stop();
    assert.deepEqual(kept(), ['f: one']);
    put('g', 'late');
    assert.deepEqual(kept(), ['f: one']);
  }));

test('what waits is not kept where its file was moved to a place of which nothing is', () =>
  withKeeper(({ put, move, pass, kept }) => {
    put('f', 'one');
    put('dir/g', 'two');
    move('f', 'ignored/f');
    move('dir', 'ignored/dir', 'directory');
    pass(1000);
    assert.deepEqual(kept(), []);
  }));
