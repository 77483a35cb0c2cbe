import assert from 'node:assert/strict';
import { test } from 'node:test';
import { candidate, fuzzyMatch, rank } from './fuzzy.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';

const best = (query: string, paths: string[]) => rank(query, paths.map(candidate), 10).map(({ candidate: { text } }) => text);

test('the name counts more than its folders', () => {
  assert.deepEqual(best('loan', ['loan/views/book.xml', 'models/loan.py', 'models/loan_line.py']), [
    'models/loan.py',
    'models/loan_line.py',
    'loan/views/book.xml',
  ]);
});

test('letters at the start of words find a name', () => {
  assert.equal(best('ddt', ['src/index.ts', 'src/added-things.md', 'src/due-date.test.ts'])[0], 'src/due-date.test.ts');
  assert.equal(best('ovd', ['covered.py', 'report/overdue.py'])[0], 'report/overdue.py');
});

test('letters out of order find nothing', () => {
  assert.deepEqual(best('nal', ['loan.py']), []);
});

test('a query may go through folders', () => {
  assert.deepEqual(best('mod/loa', ['library/models/loan.py', 'models.md']), ['library/models/loan.py']);
});

test('the letters that were matched are named, in order', () => {
  const text = 'library_loans/report/overdue.py';
  const match = fuzzyMatch('ovd', text, text, text.lastIndexOf('/') + 1);
  assert.equal(match?.at.map((at) => text[at]).join(''), 'ovd');
  assert.deepEqual(
    match?.at,
    match?.at.toSorted((a, b) => a - b),
  );
});

test('a letter whose lower case is longer moves no place: the letters that were matched stand in the path', () => {
  const paths = ['İİİ/src/index.ts', 'src/index.ts', 'AAA.md'].map(candidate);
  const found = rank('index.ts', paths, 10).map(({ candidate: { text }, match }) => [text, match.at.map((at) => text[at]).join('')]);
  assert.deepEqual(found, [
    ['src/index.ts', 'index.ts'],
    ['İİİ/src/index.ts', 'index.ts'],
  ]);
  for (const query of ['istanbul', 'İstanbul', 'ISTANBUL'])
    assert.deepEqual(best(query, ['İstanbul/index.ts']), ['İstanbul/index.ts'], query);
});

test('100,000 paths are ranked within a few frames', () => {
  const paths = Array.from({ length: 100_000 }, (_, index) =>
    candidate(`packages/area-${index % 97}/src/some-module-${index}/component.test.ts`),
  );
  const started = threadMs();
  const found = rank('smm99', paths, 50);
  const tookMs = threadMs() - started;
  assert.ok(found.length > 0);
  assert.ok(tookMs < 400, `took ${Math.round(tookMs)} ms`);
});
