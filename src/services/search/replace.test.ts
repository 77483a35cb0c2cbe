import assert from 'node:assert/strict';
import { test } from 'node:test';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { cause, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { changedSince, replaceIn } from './replace.ts';

function match(start: number, text: string, replacement: string) {
  const bytes = Buffer.from(text);
  return { line: 1, start, end: start + bytes.length, text: bytes, replacement: Buffer.from(replacement) };
}

test('what was found is replaced by bytes, whatever stands around it', () => {
  const replaced = (bytes: Buffer | string, ...matches: ReturnType<typeof match>[]): string | undefined =>
    replaceIn(Buffer.from(bytes), { matches })?.bytes.toString('latin1');
  assert.equal(replaced('one two one', match(0, 'one', '1'), match(8, 'one', 'uno')), '1 two uno');
  assert.equal(replaced('abc', match(0, '', '>'), match(3, '', '<')), '>abc<', 'empty matches insert');
  assert.equal(replaced(Buffer.from('caf\xe9 a1\r\n', 'latin1'), match(5, 'a1', 'b')), 'caf\xe9 b\r\n', 'bytes that are no UTF-8 stay');
  assert.equal(replaced('\ufeffa1', match(0, 'a1', 'b')), '\xef\xbb\xbfb', 'a mark is not counted, and stays');
  assert.equal(replaced('gone'), 'gone');
});

test('where other bytes stand than those that were found nothing is replaced', () => {
  const bytes = Buffer.from('one two');
  assert.equal(replaceIn(bytes, { matches: [match(0, 'two', 'x')] }), undefined);
  assert.equal(replaceIn(bytes, { matches: [match(4, 'two!', 'x')] }), undefined, 'beyond the end');
  assert.equal(replaceIn(bytes, { matches: [match(4, 'two', 'x'), match(0, 'one', 'x')] }), undefined, 'out of order');
});

test('changes since a revision of long ago are looked through in slices', () =>
  withWorkspace(
    async ({ workspace }) => {
      const many = Array.from({ length: 40_000 }, (_, at) => `file${at}`);
      workspace.journal.record(many.map((path) => ({ path, kind: 'file', what: 'changed', before: null, after: null, cause })));
      let changed: string[] = [];
      const longest = await longestTurn(async () => (changed = await changedSince(['a', 'file7'], 0, workspace)));
      assert.deepEqual(changed, ['file7']);
      assert.ok(longest < 100, `${longest} ms`);
    },
    { keepChanges: 100_000 },
  ));
