import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Change } from '../../contract/events.ts';
import type { FoundFile } from '../../contract/search.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { cutWords, replaceProblem, SearchStore } from './search-store.ts';

/** Answers each search with `found`, and notes what is asked to be replaced. */
function fakeSearch(found: FoundFile[]) {
  const asked: { except: unknown[] }[] = [];
  const summary = { matches: 0, files: 0, elapsedMs: 1, revision: 1, truncated: false, engine: 'index' };
  const client = {
    stream: () => ({ [Symbol.asyncIterator]: () => Readable.from(found)[Symbol.asyncIterator](), end: Promise.resolve(summary) }),
    call: (_name: string, input: { except: unknown[] }) => {
      asked.push(input);
      return Promise.resolve({ matches: 0, files: [], revision: 2, skipped: [{ path: 'c.txt', why: 'It is binary.' }] });
    },
  };
  const store = new SearchStore(client as unknown as WorkbenchClient);
  store.pattern.value = 'old';
  store.replacing.value = true;
  return { store, asked };
}

const line = (number: number) => ({ line: number, text: 'old', ranges: [[0, 3]] as [number, number][] });
const shown = (store: SearchStore): string[] => store.shown.value.flatMap(({ path, lines }) => lines.map((each) => `${path}:${each.line}`));

test('a search that did not come to its end says why, and nothing is replaced of it', () => {
  const whole = { matches: 0, files: 0, elapsedMs: 1, revision: 1, truncated: false, timedOut: false, engine: 'index' } as const;
  assert.deepEqual([cutWords(whole), replaceProblem(whole)], [undefined, undefined]);
  const many = { ...whole, matches: 10_000, truncated: true };
  assert.equal(cutWords(many), 'The first 10,000 are shown. A longer text finds fewer.');
  assert.match(replaceProblem(many) ?? '', /^Too many/);
  const late = { ...many, timedOut: true };
  assert.equal(cutWords(late), 'It took too long and was ended: the 10,000 found until then are shown.');
  assert.equal(cutWords({ ...late, matches: 0 }), 'It took too long and was ended: nothing was found until then.');
  assert.match(replaceProblem(late) ?? '', /not searched to the end/);
});

test('lines that are left out stay so while their replacement is typed, and come back with another question', async () => {
  const { store, asked } = fakeSearch([
    { path: 'a.txt', lines: [line(1), line(2)] },
    { path: 'b.txt', lines: [line(1)] },
  ]);
  await store.search();
  store.leaveOut('b.txt');
  store.leaveOut('a.txt', 2);
  for (const text of ['n', 'ne', 'new']) {
    store.replacement.value = text;
    await store.search();
    assert.deepEqual(shown(store), ['a.txt:1']);
  }
  await store.replace();
  assert.deepEqual(asked[0]?.except, [{ path: 'b.txt' }, { path: 'a.txt', line: 2 }]);
  assert.deepEqual(store.replaced.value?.skipped, [{ path: 'c.txt', why: 'It is binary.' }]);

  const questions: (() => void)[] = [
    () => (store.pattern.value = 'OLD'),
    () => (store.regex.value = true),
    () => (store.caseSensitive.value = true),
    () => (store.word.value = true),
    () => (store.include.value = '*.txt'),
    () => (store.exclude.value = 'c.txt'),
  ];
  for (const ask of questions) {
    store.leaveOut('b.txt');
    ask();
    await store.search();
    assert.equal(store.leftOut.value.size, 0, ask.toString());
  }
});

test('a search that was given up decides nothing about what is left out', async () => {
  const { store } = fakeSearch([{ path: 'a.txt', lines: [line(1), line(2)] }]);
  await store.search();
  store.leaveOut('a.txt', 2);
  store.pattern.value = 'older';
  const givenUp = store.search();
  store.pattern.value = 'old';
  await store.search();
  await givenUp;
  assert.deepEqual(shown(store), ['a.txt:1']);
});

test('once replaced, nothing is left out any more', async () => {
  const { store } = fakeSearch([{ path: 'a.txt', lines: [line(1)] }]);
  await store.search();
  store.leaveOut('a.txt');
  await store.replace();
  assert.deepEqual(shown(store), ['a.txt:1']);
});

test('a file whose name goes over two lines is left out by its own name', async () => {
  const { store, asked } = fakeSearch([{ path: 'a\n7', lines: [line(1), line(2)] }]);
  await store.search();
  store.leaveOut('a\n7', 2);
  store.leaveOut('a\n7');
  await store.replace();
  assert.deepEqual(asked[0]?.except, [{ path: 'a\n7', line: 2 }, { path: 'a\n7' }]);
});

test('nothing is replaced between a change of the question and its answer', async () => {
  const { store, asked } = fakeSearch([{ path: 'a.txt', lines: [line(1)] } as FoundFile]);
  await store.search();
  store.pattern.value = 'ol';
  store.asked();
  assert.equal(store.running.value, true);
  await store.replace();
  assert.deepEqual(asked, [], 'what is shown is of another question');
  await store.search();
  await store.replace();
  assert.equal(asked.length, 1);
});

test('where some files were edited since, the others can still be taken back', async () => {
  const change = (path: string) => ({ op: 'write', path, text: 'old' });
  const batches: unknown[] = [];
  const failures = [{ change: 1, path: 'b.txt', reason: 'ETAG_MISMATCH', message: 'b.txt is not as you last read it.' }];
  const client = {
    stream: () => ({ [Symbol.asyncIterator]: () => Readable.from([])[Symbol.asyncIterator](), end: Promise.resolve({ revision: 1 }) }),
    call: async (name: string, input: { changes: unknown[] }) => {
      if (name === 'search.replace')
        return { matches: 5, files: [1, 2, 3], revision: 2, skipped: [], undo: ['a.txt', 'b.txt', 'c.txt'].map(change) };
      batches.push(input.changes);
      if (input.changes.length === 3) throw new OutriggerError('ETAG_MISMATCH', 'Change 1 of the batch: …', { details: { failures } });
      return { revision: 3 };
    },
  };
  const store = new SearchStore(client as unknown as WorkbenchClient);
  store.pattern.value = 'new';
  await store.search();
  await store.replace();
  await store.replaced.value?.undo?.();
  assert.equal(store.problem.value, 'Not taken back: b.txt was edited since. Nothing was changed.');
  assert.equal(store.replaced.value?.others, 2);
  await store.replaced.value?.undo?.();
  assert.deepEqual(batches[1], [change('a.txt'), change('c.txt')]);
  const { undone, files, undo } = store.replaced.value ?? {};
  assert.deepEqual([undone, files, undo, store.problem.value], [true, 2, undefined, undefined]);
});

test('what changes while a search runs has changed since it, unless the search saw it; and what nobody was told of may have', async () => {
  const ended = Promise.withResolvers<{ revision: number }>();
  const client = { stream: () => ({ [Symbol.asyncIterator]: () => Readable.from([])[Symbol.asyncIterator](), end: ended.promise }) };
  const store = new SearchStore(client as unknown as WorkbenchClient);
  const change = (path: string, revision: number): void => store.apply({ path, revision, kind: 'file', what: 'changed' } as Change);
  change('before.txt', 1);
  store.missed();
  assert.equal(store.mayBeOld.value, false, 'nothing was looked for');
  store.pattern.value = 'old';
  const searched = store.search();
  change('seen.txt', 2);
  change('late.txt', 4);
  ended.resolve({ revision: 3 });
  await searched;
  assert.deepEqual([[...store.changedSince.value], store.mayBeOld.value], [['late.txt'], false]);
  store.missed();
  assert.equal(store.mayBeOld.value, true);
  await store.search();
  assert.deepEqual([[...store.changedSince.value], store.mayBeOld.value], [['late.txt'], false]);
});

for (const reason of ['CONNECTION_LOST', 'STOPPING'] as const)
  test(`a search that the link was lost under (${reason}) says so without doubt, and is made again when the link is back`, async () => {
    let isAway = true;
    const stream = (): unknown => {
      const failure = new OutriggerError(reason, 'The connection is lost.');
      const end = isAway ? Promise.reject(failure) : Promise.resolve({ matches: 1, files: 1, revision: 1 });
      end.catch(() => undefined);
      return {
        async *[Symbol.asyncIterator]() {
          if (isAway) throw failure;
          yield { path: 'a.txt', lines: [line(1)] };
        },
        end,
      };
    };
    const store = new SearchStore({ stream } as unknown as WorkbenchClient);
    store.pattern.value = 'old';
    await store.search();
    assert.equal(store.problem.value, 'The link is away. This is searched when it is back.');
    isAway = false;
    await store.linkIsBack();
    assert.deepEqual([store.problem.value, shown(store)], [undefined, ['a.txt:1']]);
    // What was answered is not asked again.
    isAway = true;
    await store.linkIsBack();
    assert.deepEqual([store.problem.value, shown(store)], [undefined, ['a.txt:1']]);
  });

test('the row that was gone to while results come in stays the one, and another question begins at the top', async (t) => {
  let clock = 0;
  t.mock.method(performance, 'now', () => clock);
  let found: (path: string) => void = () => undefined;
  const next = (): Promise<FoundFile> => new Promise((done) => (found = (path) => done({ path, lines: [line(1)] })));
  const ended = Promise.withResolvers<{ revision: number }>();
  const client = {
    stream: () => ({
      async *[Symbol.asyncIterator]() {
        for (let file = await next(); file.path !== ''; file = await next()) yield file;
      },
      end: ended.promise,
    }),
  };
  const store = new SearchStore(client as unknown as WorkbenchClient);
  const here = (): unknown => {
    const { path, kind } = store.rows.value[store.focused.value] ?? {};
    return [path, kind];
  };
  store.pattern.value = 'old';
  const drawn = async (path: string): Promise<void> => {
    // What comes soon after the last is drawn with the next.
    clock += 1_000;
    found(path);
    await eventually(() => assert.ok(shown(store).includes(`${path}:1`)));
  };
  const searched = store.search();
  await drawn('c.txt');
  assert.deepEqual(here(), ['c.txt', 'file']);
  await drawn('b.txt');
  assert.deepEqual(here(), ['b.txt', 'file'], 'who has not moved is at the top');
  store.focused.value = 3;
  assert.deepEqual(here(), ['c.txt', 'hit']);
  await drawn('a.txt');
  assert.deepEqual(here(), ['c.txt', 'hit']);
  ended.resolve({ revision: 1 });
  found('');
  await searched;
  assert.deepEqual(here(), ['c.txt', 'hit']);
  const again = store.search();
  await drawn('c.txt');
  assert.deepEqual(here(), ['c.txt', 'hit'], 'the same question');
  store.pattern.value = 'older';
  found('');
  const other = store.search();
  await drawn('c.txt');
  found('');
  await Promise.all([again, other]);
  assert.equal(store.focused.value, 0);
});
