import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/kit/seed.ts';
import { boundedSize } from './bound.ts';
import { baseName, joinPath, normalisePath, parentPath, pathProblem, workspacePath } from './paths.ts';

test('a wire path is refused for what would leave the folder or can not be a name', () => {
  const refused = [
    '..',
    '../a',
    'a/..',
    'a/../b',
    '/',
    '/a',
    'a\0',
    '\ud800',
    'a/\udc00b',
    'ä'.repeat(128),
    `${'a/'.repeat(2048)}`,
    '😀'.repeat(64),
  ];
  for (const path of refused) assert.notEqual(pathProblem(path), undefined, JSON.stringify(path));
  const fine = [
    '',
    'a',
    '...',
    '..a',
    'a..',
    'a/..b',
    '-rf',
    'a b',
    'a\nb',
    'a\\b',
    '?#%2e%2e',
    '😀',
    'ä'.repeat(127),
    'x'.repeat(255),
    '~',
    'C:',
    'con',
  ];
  for (const path of fine) assert.equal(pathProblem(path), undefined, JSON.stringify(path));
});

test('each path has one spelling, which is its own', () => {
  const seed = testSeed();
  const names = fc.array(fc.constantFrom('', '.', 'a', 'b.', '.c', '...', 'd e'), { maxLength: 6 });
  fc.assert(
    fc.property(names, (given) => {
      const path = given.join('/');
      fc.pre(!path.startsWith('/'));
      const once = normalisePath(path);
      assert.equal(once, given.filter((name) => name !== '' && name !== '.').join('/'));
      assert.equal(normalisePath(once), once);
      if (pathProblem(path) === undefined) assert.equal(workspacePath().parse(path), once);
      if (once !== '') assert.equal(joinPath(parentPath(once), baseName(once)), once);
    }),
    { seed },
  );
});

test('the bounded size of a value is near that of its JSON, and stops counting at the limit', () => {
  const seed = testSeed();
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const size = boundedSize(value, 1e9);
      const real = JSON.stringify(value).length;
      assert.ok(size >= real * 0.3 - 30 && size <= real * 3 + 30, `${size} for ${real}: ${JSON.stringify(value)}`);
    }),
    { seed },
  );
  const long = new Array<string>(1e6).fill('x');
  Object.defineProperty(long, 500_000, { get: () => assert.fail('counted far past the limit') });
  assert.ok(boundedSize(long, 1000) > 1000);
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  assert.ok(boundedSize(circle, 1000) > 1000);
});
