import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { files as table } from '../../contract/files.ts';
import type { Asked } from '../../contract/operation.ts';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { type Harness, call, fails, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { BatchFailure } from './batch-plan.ts';
import { EditWork } from './edit-work.ts';
import type { LiveText, LiveWritten } from './live-text.ts';
import { fileOperations } from './operations.ts';

const MB = 1024 * 1024;

type Edits = Asked<(typeof table)['files.edit']>['edits'];
type Edit = (edits: Edits, signal?: AbortSignal) => Promise<unknown>;
type Batch = (changes: Asked<(typeof table)['files.batch']>['changes']) => Promise<unknown>;

function withEdits(run: (edit: Edit, harness: Harness, batch: Batch) => Promise<void>): Promise<void> {
  return withWorkspace((harness) => {
    const operations = fileOperations(harness.workspace, { maxTextBytes: 4 * MB, maxUploadBytes: MB });
    return run(
      async (edits, signal = new AbortController().signal) =>
        operations['files.edit'](table['files.edit'].input.parse({ path: 'f', edits }), call({ signal })),
      harness,
      async (changes) => operations['files.batch'](table['files.batch'].input.parse({ changes }), call()),
    );
  });
}

const lineOf = (n: number): string => `const value${n} = compute(${n}, "some text here ${n * 7}");\n`;
const lines = (count: number): string => Array.from({ length: count }, (_, n) => lineOf(n)).join('');
/** Each of which looks at all of 30,000 lines. */
const thousandEdits: Edits = Array.from({ length: 1000 }, (_, n) => ({ find: `const value${n * 29} =`, replace: `let value${n * 29} =` }));
const afterThousand = (text: string): string =>
  text.replace(/const (value(\d+) =)/g, (all, rest, n) => (n % 29 === 0 && n < 29_000 ? `let ${rest}` : all));

function openDocument(workspace: Harness['workspace'], write: LiveText['write']): void {
  const nothing = async (): Promise<void> => {};
  const none = (): Promise<never> => assert.fail('nothing is held');
  workspace.liveText = {
    read: () => undefined,
    seen: () => {},
    letGoOfReplaced: () => {},
    catchUp: nothing,
    flush: nothing,
    hold: none,
    write,
  };
}

const written: LiveWritten = { etag: '"e"', size: 1, revision: 1, changed: true, created: false };

describe('edits that look at much text', () => {
  test('of a file leave their turns to others, and end when the call is (long form)', () =>
    withEdits(async (edit, { put, read }) => {
      const text = lines(30_000);
      put('f', text);
      const longest = await longestTurn(() => edit(thousandEdits));
      assert.equal(read('f'), afterThousand(text));
      // In one turn it is more than a second.
      assert.ok(longest < 500, `${longest} ms`);
      put('f', text);
      const leaving = new AbortController();
      const gone = new OutriggerError('CANCELED', 'gone');
      setTimeout(() => leaving.abort(gone), 30);
      await assert.rejects(edit(thousandEdits, leaving.signal), gone);
      assert.equal(read('f'), text);
    }));

  test('that repeats itself, as what is looked for does, take no longer than others', () =>
    withEdits(async (edit, { put, read }) => {
      const half = 'a'.repeat(10_000);
      put('f', 'a'.repeat(2 * MB));
      const longest = await longestTurn(() => fails('EDIT_NOT_FOUND', () => edit([{ find: `${half}b${half}`, replace: '' }])));
      // By indexOf it is five seconds.
      assert.ok(longest < 500, `${longest} ms`);
      put('f', `${'a'.repeat(2 * MB)}b${half}`);
      await edit([{ find: `${half}b${half}`, replace: 'x' }]);
      assert.equal(read('f'), `${'a'.repeat(2 * MB - half.length)}x`);
    }));

  test('of an open document are worked out before its turn, and again on what was typed meanwhile (long form)', () =>
    withEdits(async (edit, { workspace }) => {
      let text = lines(30_000);
      let writes = 0;
      openDocument(workspace, async (_path, change) => {
        if (++writes === 2) text = `typed\n${text}`;
        text = change(text);
        return written;
      });
      const before = text;
      const longest = await longestTurn(() => edit(thousandEdits));
      assert.equal(text, `typed\n${afterThousand(before)}`);
      assert.equal(writes, 3);
      assert.ok(longest < 500, `${longest} ms`);
    }));

  test('of a document in which somebody types all the time are given up; edits of a short one are not (long form)', () =>
    withEdits(async (edit, { workspace }) => {
      let text = lines(30_000);
      let writes = 0;
      openDocument(workspace, async (_path, change) => {
        writes++;
        text = change(`typed ${writes} ${text}`);
        return written;
      });
      const before = text;
      await fails('BUSY_FILE', () => edit(thousandEdits), /Nothing was written/);
      assert.deepEqual([writes, text === before], [4, true]);
      text = 'one';
      await edit([{ find: 'one', replace: 'two' }]);
      assert.deepEqual([writes, text], [5, 'typed 5 two']);
    }));

  test('of one batch, however many of one file, leave their turns to others (long form)', () =>
    withEdits(async (_edit, { put, read }, batch) => {
      const run = 'a'.repeat(20_000);
      // More than the looks that a batch takes where files keep changing.
      const changes = Array.from({ length: 32 }, (_, n) => ({
        op: 'edit' as const,
        path: 'f',
        edits: [
          ...Array.from({ length: 14 }, () => ({ find: `${run}${n}b`, replace: `${run}${n}b` })),
          { find: `${n}b`, replace: `${n + 1}b` },
        ],
      }));
      put('f', `${'a'.repeat(MB)}0b`);
      const longest = await longestTurn(() => batch(changes));
      assert.equal(read('f'), `${'a'.repeat(MB)}32b`);
      assert.ok(longest < 1000, `${longest} ms`);
    }));

  test('that change nothing count all the same in a batch (long form)', () =>
    withEdits(async (_edit, { put }, batch) => {
      put('f', `${'a'.repeat(MB - 1)}b`);
      const changes = Array.from({ length: 65 }, () => ({ op: 'edit' as const, path: 'f', edits: [{ find: 'b', replace: 'b' }] }));
      const { details } = await fails('INPUT_TOO_LARGE', () => batch(changes));
      const [failure] = (details as { failures: BatchFailure[] }).failures;
      assert.deepEqual([failure?.change, failure?.reason], [64, 'INPUT_TOO_LARGE']);
      await batch(changes.slice(1));
    }));
});

test('edits that would add more than a whole text may hold are refused, and nothing is written (long form)', () =>
  withEdits(async (edit, { put, read, told }, batch) => {
    const doubling = Array.from({ length: 60 }, () => ({ find: 'a', replace: 'aa', all: true }));
    const many = [
      { find: 'a', replace: 'b'.repeat(MB), all: true },
      { find: 'b', replace: 'c', all: true },
    ];
    for (const edits of [doubling, many]) {
      put('f', 'a'.repeat(150));
      await fails('INPUT_TOO_LARGE', () => edit(edits), /f, edit \d+: .*Nothing was written/);
      await fails('INPUT_TOO_LARGE', () => batch([{ op: 'edit', path: 'f', edits }]));
      assert.deepEqual([read('f'), told()], ['a'.repeat(150), []]);
    }
    put('f', 'ab'.repeat(2 * MB));
    await edit([{ find: 'a', replace: 'aaa', all: true }]);
    assert.equal(read('f'), 'aaab'.repeat(2 * MB));
  }));

test('what does not fit, or comes at once, is remembered for its text alone', async () => {
  let begun = 0;
  const work = new EditWork(function* (raw) {
    begun++;
    yield;
    if (raw === 'bad') throw new OutriggerError('EDIT_NOT_FOUND', 'bad');
    return `${raw}!`;
  });
  assert.equal(work.result('one', 0), undefined);
  await work.finish(() => undefined);
  assert.deepEqual([work.result('one', 0), work.result('one', 0), begun], ['one!', 'one!', 1]);
  assert.equal(work.result('bad', 0), undefined);
  await work.finish(() => undefined);
  for (let again = 0; again < 2; again++) await fails('EDIT_NOT_FOUND', async () => work.result('bad', 0));
  assert.deepEqual([work.result('two', 1000), begun], ['two!', 3]);
  assert.equal(new EditWork((raw) => `${raw}?`).result('one', 0), 'one?');
});
