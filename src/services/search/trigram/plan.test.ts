import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GramCollector } from './fold.ts';
import { planQuery } from './plan.ts';
import { boundPlan, countGrams, mayMatch, type Plan } from './plan-tree.ts';
import { threadMs } from '../../../../test/kit/loop-hold.ts';

const regex = { regex: true, caseSensitive: true, word: false, multiline: false };
const literal = { ...regex, regex: false };

function admits(plan: Plan, text: string): boolean {
  const collector = new GramCollector();
  collector.begin();
  collector.push(Buffer.from(text));
  collector.end();
  const grams = new Set(collector.grams);
  return mayMatch(plan, (gram) => grams.has(gram));
}

// A pattern, texts that it matches, and texts that the index must be able to tell from those.
const narrowing: [pattern: string, matches: string[], others: string[]][] = [
  ['hello', ['say hello', 'HELLO'], ['hell', 'help lock']],
  ['foo|bar', ['foo', 'bar'], ['baz', 'fo ba']],
  ['(foo|bar)baz', ['foobaz', 'barbaz'], ['foo baz', 'bazbar']],
  ['(abc|def|ghi)(123|456)', ['abc123', 'ghi456'], ['abc 123', 'ghi']],
  ['a[bc]d', ['abd', 'acd'], ['aed', 'abcd']],
  ['a[^b]cde', ['axcde'], ['axcd']],
  ['colou?r', ['color', 'colour'], ['colr', 'colouur']],
  ['abc+de', ['abcde', 'abcccde'], ['abde', 'bcde']],
  ['ab*cde', ['acde', 'abbcde'], ['abd']],
  ['(ab){2}', ['abab'], ['ab ab']],
  ['(abc){2,}', ['abcabc', 'abcabcabc'], ['abc abc']],
  ['(abc){0,1}xyz', ['xyz', 'abcxyz'], ['abc']],
  ['x{0}abc', ['abc'], ['xab']],
  ['(abcd){6}', ['abcdabcdabcdabcdabcdabcd'], ['abcd']],
  ['foo.*bar', ['foo bar', 'foobar'], ['foo', 'bar', 'fo ar']],
  ['^foo$', ['foo'], ['fo']],
  ['\\bfoo\\b', ['foo'], ['fo']],
  ['\\b{start}foo\\b{end-half}', ['foo'], ['fo']],
  ['\\<foo\\>', ['foo'], ['fo']],
  ['\\Afoo\\z', ['foo'], ['fo']],
  ['(?i)foo', ['FOO'], ['fo']],
  ['(?i:f)oo', ['Foo'], ['fo']],
  ['(?-i)foo', ['foo'], ['fo']],
  ['(?x) f o o # bar', ['foo'], ['fo', 'bar']],
  ['(?x: f [ o x ] o )b r', ['foob r', 'fxob r'], ['foo r', 'foobr']],
  ['(?x)f\\ oo', ['f oo'], ['foo']],
  ['(?P<name>foo)', ['foo'], ['name']],
  ['(?<name>foo)', ['foo'], ['name']],
  ['\\x66\\x{6f}\\u006f', ['foo'], ['fo']],
  ['\\U0000006goo|xyz', ['anything'], []],
  ['\\u{1F642}', ['🙂'], ['🙁']],
  ['foo\\tbar', ['foo\tbar'], ['foo bar']],
  ['a\\.b\\*c', ['a.b*c'], ['axb*c']],
  ['[[:digit:]]foo', ['1foo'], ['1fo']],
  ['[a-z&&[^b]]foo', ['afoo'], ['afo']],
  ['[a--b]foo', ['afoo'], ['afo']],
  ['[]a]bcd', [']bcd', 'abcd'], ['bcd', 'xbcd']],
  ['[]-a]bcd', ['-bcd', ']bcd', 'abcd'], ['xbcd', '_bcd']],
  ['[-a]bcd', ['-bcd', 'abcd'], ['xbcd']],
  ['[a-]bcd', ['-bcd', 'abcd'], ['xbcd']],
  ['[^]a]bcd', ['xbcd'], ['bc']],
  ['[[a]b]cde', ['acde', 'bcde'], ['ade']],
  ['[a\\]b]cde', [']cde'], ['xcde']],
  ['[\\x61-c]def', ['bdef'], ['ddef']],
  ['\\p{Greek}foo', ['αfoo'], ['αfo']],
  ['\\pLfoo', ['afoo'], ['afo']],
  ['\\p{^L}foo', ['1foo'], ['1fo']],
  ['\\d+foo\\w', ['12foox'], ['12fo']],
  ['ÜBUNG', ['übung'], ['ubung']],
  ['[üé]bung', ['Übung', 'ébung'], ['bung', 'ubung']],
  ['tas[k]', ['ta\u017f\u212a'], ['tas']],
  ['foo}bar]', ['foo}bar]'], ['foobar']],
];

for (const [pattern, matches, others] of narrowing) {
  test(`${pattern} admits what it matches, and not what has other letters`, () => {
    const plan = planQuery(pattern, regex);
    for (const text of matches) assert.equal(admits(plan, text), true, text);
    for (const text of others) assert.equal(admits(plan, text), false, text);
  });
}

for (const pattern of [
  ...['', 'ab', '.*', 'a|', '()', '[a-z]+', '\\w{3,}', '(?:foo)?', '(foo|b)', '^$', 'f.o', '(?i)', 'x*'],
  // Without Unicode a pattern is about bytes, and these can't be read at all.
  ...[
    '(?-u)foobar',
    '(?-u:\\xff)foobar',
    '(foobar',
    'foobar)',
    '[foobar',
    'foobar{2',
    'foobar{,3}',
    '*foobar',
    'foobar\\',
    '\\1foobar',
    '(?=foobar)',
  ],
  ...[
    '(?<!x)foobar',
    '(?P=n)foobar',
    '\\x{110000}foobar',
    '\\x{d800}foobar',
    '[b-a]foobar',
    '[\\d-z]foobar',
    '[\\b]foobar',
    '\\qfoobar',
    'foobar{3,2}',
  ],
  ...[
    '\\b{middle}foobar',
    `${'('.repeat(500)}foobar${')'.repeat(500)}`,
    `${'['.repeat(500)}a${']'.repeat(500)}foobar`,
    'foobar'.repeat(1000),
  ],
]) {
  test(`nothing is asked of the index for ${pattern.slice(0, 30)}`, () => {
    assert.deepEqual(planQuery(pattern, regex), { kind: 'all' });
  });
}

test('a text is taken as it stands when it is no regular expression', () => {
  const plan = planQuery('a.b*(c', literal);
  assert.equal(admits(plan, 'x A.B*(C y'), true);
  assert.equal(admits(plan, 'aabbbc'), false);
});

test('a text with a line break is for ripgrep to refuse, unless a match may go over lines', () => {
  assert.deepEqual(planQuery('foo\nbar', literal), { kind: 'all' });
  assert.deepEqual(planQuery(`${'foo'.repeat(1000)}\nbar`, literal), { kind: 'all' });
  const plan = planQuery('foo\nbar', { ...literal, multiline: true });
  assert.equal(admits(plan, 'foo\nbar'), true);
  assert.equal(admits(plan, 'foo'), false);
  assert.equal(admits(planQuery('foo\\s*\\nbar', { ...regex, multiline: true }), 'foo\n\nbar'), true);
});

test('short texts ask nothing', () => {
  for (const text of ['', 'a', 'ab', 'ü']) assert.deepEqual(planQuery(text, literal), { kind: 'all' });
  assert.notDeepEqual(planQuery('人', literal), { kind: 'all' });
});

test('half of a surrogate pair is looked for as the replacement that it becomes', () => {
  assert.equal(admits(planQuery('foo\ud83d', { ...literal, multiline: true }), 'foo'), true);
  assert.equal(admits(planQuery(`${'a'.repeat(998)}🙂 and more`, literal), `${'a'.repeat(998)}🙂 and more`), true);
});

test('a plan has a bound, and what satisfied the long plan satisfies the short one', () => {
  const long = Array.from({ length: 900 }, (_, index) => String.fromCharCode(97 + ((index * index) % 26))).join('');
  const plan = planQuery(long, literal);
  assert.ok(countGrams(plan) <= 128);
  assert.equal(admits(plan, long), true);
  const branches = Array.from({ length: 100 }, (_, index) => `word${index}abc`);
  const many = planQuery(
    branches
      .join('|')
      .slice(0, 990)
      .replace(/\|[^|]*$/, ''),
    regex,
  );
  assert.ok(countGrams(many) <= 128);
  assert.equal(admits(many, 'word7abc'), true);
  assert.deepEqual(
    boundPlan(
      {
        kind: 'or',
        of: [
          { kind: 'trigram', gram: 1 },
          { kind: 'trigram', gram: 2 },
        ],
      },
      1,
    ),
    { kind: 'all' },
  );
});

test('a plan is made within milliseconds, whatever the pattern', () => {
  for (const pattern of [
    '[abcdefgh]'.repeat(99),
    '(a|b|c|d)'.repeat(100),
    '(x+x+)+y'.repeat(100),
    `${'(a?'.repeat(90)}${')'.repeat(90)}`,
    '(?:abc|de){4}'.repeat(60),
  ]) {
    const started = threadMs();
    planQuery(pattern, regex);
    const took = threadMs() - started;
    assert.ok(took < 1000, `${pattern.slice(0, 20)}: ${took} ms`);
  }
});
