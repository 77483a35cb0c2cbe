import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { hashBytes } from '../workspace/content.ts';
import { KeptTexts, type KeptTextsOptions } from './kept-texts.ts';

const day = 86_400_000;

interface Kept {
  texts: KeptTexts;
  failures: unknown[];
  /** Keeps a text, stored when it resolves; gives its hash. */
  keep(text: string, path?: string): Promise<string>;
  says(hash: string, visible?: (path: string) => boolean): Promise<string | undefined>;
  pass(ms: number): void;
  /** The clock, ahead or back. */
  set(ms: number): void;
}

const withTexts = (run: (kept: Kept) => Promise<void>, options: Partial<KeptTextsOptions> = {}): Promise<void> =>
  withWorkspace(async ({ state }) => {
    let now = 1_000 * day;
    let sinceBoot = 0;
    const failures: unknown[] = [];
    const texts = new KeptTexts(
      { state, now: () => now, sinceBoot: () => sinceBoot, failed: (error) => failures.push(error) },
      { maxBytes: 1024 * 1024, keepDays: 30, ...options },
    );
    await run({
      texts,
      failures,
      keep: async (text, path = 'f') => {
        const bytes = Buffer.from(text);
        texts.keep({ hash: hashBytes(bytes), path }, bytes);
        await texts.stored();
        return hashBytes(bytes);
      },
      says: async (hash, visible) => {
        const bytes = await texts.get(hash, visible);
        return bytes === undefined ? undefined : Buffer.from(bytes).toString();
      },
      pass: (ms) => {
        now += ms;
        sinceBoot += ms;
      },
      set: (ms) => (now += ms),
    });
  });

test('a text is there at once, and the same when it is stored', () =>
  withTexts(async ({ texts, says }) => {
    const bytes = Buffer.from('ünï😀\n'.repeat(1000));
    const hash = hashBytes(bytes);
    texts.keep({ hash, path: 'f' }, bytes);
    assert.ok(texts.has(hash) && texts.hasAt(hash, 'f') && !texts.hasAt(hash, 'g'));
    assert.equal(await says(hash), bytes.toString());
    await texts.stored();
    assert.equal(await says(hash), bytes.toString());
    texts.drop({ hash, path: 'g' });
    assert.ok(texts.has(hash));
    texts.drop({ hash, path: 'f' });
    assert.equal(await says(hash), undefined);
  }));

test('what one turn keeps is stored when it ends, as far as it is not much; no kill loses that', () =>
  withWorkspace(async ({ state }) => {
    const failed = (error: unknown): void => assert.ifError(error);
    const texts = new KeptTexts({ state, now: () => 1, failed }, { maxBytes: 1024 * 1024, keepDays: 1 });
    const stored = (): unknown => state.database.prepare('SELECT count(*) AS count FROM kept_texts').get()?.['count'];
    texts.keep({ hash: 'large', path: 'f' }, Buffer.alloc(65 * 1024, 'a'));
    assert.equal(stored(), 0);
    for (let n = 0; n < 20; n++) texts.keep({ hash: `h${n}`, path: 'f' }, Buffer.from(`${n}`));
    assert.equal(stored(), 16);
    await texts.stored();
    assert.equal(stored(), 21);
    await new Promise(setImmediate);
    texts.keep({ hash: 'next', path: 'f' }, Buffer.from('next'));
    assert.equal(stored(), 22);
  }));

test('a text is for who may see a path at which it stood', () =>
  withTexts(async ({ keep, says, texts }) => {
    const hash = await keep('same', 'private/f');
    const visible = (path: string): boolean => path.startsWith('public/');
    assert.deepEqual([await says(hash, visible), texts.has(hash, visible)], [undefined, false]);
    await keep('same', 'public/f');
    assert.deepEqual([await says(hash, visible), texts.has(hash, visible)], ['same', true]);
  }));

test('the oldest go when there are too many, and when they are too old; what is seen again is young', () =>
  withTexts(
    async ({ keep, texts, pass }) => {
      // Of noise, which nothing makes shorter.
      const noise = (): string => randomBytes(24 * 1024).toString('hex');
      const first = await keep(noise());
      const again = noise();
      const hashes = [first, await keep(again)];
      const more = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n++) {
          pass(1);
          hashes.push(await keep(noise()));
        }
      };
      await more(20);
      pass(1);
      const seenAgain = await keep(again);
      await more(30);
      const left = hashes.filter((hash) => texts.has(hash)).length;
      assert.ok(left > 32 && left <= 43, `${left} of 24 KiB each in a mebibyte`);
      assert.deepEqual([texts.has(first), texts.has(seenAgain)], [false, true]);
      pass(29 * day);
      const young = await keep('young');
      assert.ok(texts.has(hashes.at(-1) ?? ''));
      pass(2 * day);
      await keep('today');
      assert.deepEqual([texts.has(hashes.at(-1) ?? ''), texts.has(young)], [false, true]);
      pass(31 * day);
      texts.keepTidy()();
      assert.equal(texts.has(young), false, 'nothing came meanwhile');
    },
    { maxBytes: 1024 * 1024 },
  ));

test('where the clock is set back, what comes then is the youngest, and what was there is kept no longer than what comes', () =>
  withTexts(async ({ keep, texts, pass, set }) => {
    const noise = (): string => randomBytes(24 * 1024).toString('hex');
    const before: string[] = [];
    for (let n = 0; n < 60; n++) before.push(await keep(noise()));
    set(-100 * day);
    const since: string[] = [];
    for (let n = 0; n < 20; n++) since.push(await keep(noise()));
    assert.ok(since.every((hash) => texts.has(hash)));
    const left = before.map((hash) => texts.has(hash));
    assert.ok(left.at(-1) && !left[0] && left.slice(left.indexOf(true)).every(Boolean), 'the oldest go first');
    pass(31 * day);
    await keep('young');
    assert.deepEqual(
      [...before, ...since].filter((hash) => texts.has(hash)),
      [],
    );
  }));

test('a clock that is set, ahead or back and right again, makes no text older', () =>
  withTexts(async ({ keep, texts, pass, set }) => {
    const kept = [await keep('a')];
    for (const ms of [3650 * day, -3650 * day, -990 * day, 990 * day]) {
      set(ms);
      kept.push(await keep(`at ${ms}`));
      pass(day);
      texts.keepTidy()();
    }
    assert.deepEqual(
      kept.map((hash) => texts.has(hash)),
      kept.map(() => true),
    );
    pass(30 * day);
    texts.keepTidy()();
    assert.deepEqual(
      kept.map((hash) => texts.has(hash)),
      kept.map(() => false),
    );
  }));

test('what can’t be stored is told once, and more than can wait is not kept', () =>
  withWorkspace(async ({ state }) => {
    const failures: unknown[] = [];
    const texts = new KeptTexts({ state, now: () => 1, failed: (error) => failures.push(error) }, { maxBytes: 1024 * 1024, keepDays: 1 });
    // All that is stored in one turn.
    texts.keep({ hash: 'first', path: 'f' }, Buffer.alloc(64 * 1024, 'a'));
    for (let n = 0; n < 300; n++) texts.keep({ hash: `h${n}`, path: 'f' }, Buffer.from(`${n}`));
    assert.deepEqual([texts.has('h199'), texts.has('h200')], [true, false]);
    await texts.stored();
    for (const hash of ['large', 'larger']) texts.keep({ hash, path: 'f' }, Buffer.alloc(9 * 1024 * 1024, 'a'));
    assert.deepEqual([texts.has('large'), texts.has('larger')], [true, false]);
    await texts.stored();
    state.database.exec('DROP TABLE kept_texts; CREATE TABLE kept_texts(id INTEGER PRIMARY KEY, hash TEXT, path TEXT, at INTEGER) STRICT');
    for (let n = 300; n < 303; n++) texts.keep({ hash: `h${n}`, path: 'f' }, Buffer.from(`${n}`));
    await texts.stored();
    assert.equal(failures.length, 1);
    assert.equal(texts.has('h301'), false);
  }));

test('what can’t be dropped stays, and nobody fails by it', () =>
  withWorkspace(async ({ state }) => {
    const failures: unknown[] = [];
    const texts = new KeptTexts({ state, now: () => 1, failed: (error) => failures.push(error) }, { maxBytes: 1024 * 1024, keepDays: 1 });
    const key = { hash: 'first', path: 'f' };
    texts.keep(key, Buffer.from('one'));
    await texts.stored();
    // As a full disk does, which can be read from.
    state.database.exec('PRAGMA query_only = ON');
    texts.drop(key);
    texts.drop(key);
    assert.deepEqual([failures.length, texts.has('first')], [1, true]);
    state.database.exec('PRAGMA query_only = OFF');
    texts.drop(key);
    assert.equal(texts.has('first'), false);
  }));

test('whether a text can be had is found soon, however many files held the same', () =>
  withWorkspace(async ({ state }) => {
    const texts = new KeptTexts(
      { state, now: () => day, failed: (error) => assert.fail(String(error)) },
      { maxBytes: 1024 * 1024, keepDays: 30 },
    );
    state.transaction(() => {
      for (let n = 0; n < 20_000; n++)
        state.statement('INSERT INTO kept_texts(hash, path, at, content) VALUES(?,?,?,?)').run('same', `f${n}`, day, Buffer.of(n & 255));
    });
    const begunMs = threadMs();
    for (let times = 0; times < 500; times++) assert.equal(texts.has('same'), true);
    const tookMs = threadMs() - begunMs;
    assert.ok(tookMs < 1000, `${tookMs} ms`);
    assert.equal(
      texts.has('same', (path) => path === 'f19999'),
      true,
    );
    assert.equal(
      texts.has('same', () => false),
      false,
    );
  }));
