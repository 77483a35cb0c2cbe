import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JsonTooDeep, MAX_JSON_DEPTH, readJson } from './json-text.ts';

const nested = (levels: number, inside = '1', [open, close] = ['[', ']']): string => open.repeat(levels) + inside + close.repeat(levels);

test('JSON is read down to its deepest level, and no deeper', () => {
  assert.deepEqual(JSON.stringify(readJson(nested(MAX_JSON_DEPTH))), nested(MAX_JSON_DEPTH));
  for (const text of [
    nested(MAX_JSON_DEPTH + 1),
    nested(MAX_JSON_DEPTH + 1, '1', ['{"a":', '}']),
    nested(1_000_000),
    `{"text":"\\"","deep":${nested(MAX_JSON_DEPTH)}}`,
    `["${'\\\\'.repeat(1000)}",${nested(MAX_JSON_DEPTH)}]`,
  ])
    assert.throws(() => readJson(text), JsonTooDeep);
});

test('brackets in texts, and beside one another, are no levels', () => {
  const wide = `[${Array.from({ length: 2000 }, () => '{"a":[]}').join(',')}]`;
  for (const text of [
    wide,
    JSON.stringify('['.repeat(10_000)),
    JSON.stringify({ a: '"[{'.repeat(10_000), b: '\\'.repeat(999), c: nested(MAX_JSON_DEPTH - 1) }),
    JSON.stringify([`${'\\"'.repeat(5000)}[`.repeat(3)]),
  ])
    assert.deepEqual(readJson(text), JSON.parse(text));
});

test('what is no JSON is refused as such', () => {
  for (const text of ['', '{', `["${'['.repeat(5000)}`, `${']'.repeat(5000)}`]) assert.throws(() => readJson(text), SyntaxError);
});
