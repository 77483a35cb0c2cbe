import assert from 'node:assert/strict';
import { test } from 'node:test';
import picomatch from 'picomatch';
import { Random } from '../../test/kit/random.ts';
import { threadMs } from '../../test/kit/loop-hold.ts';
import { BadGlob, globMatcher } from './glob.ts';

test('a glob matches names and paths as it is written', () => {
  const cases: [glob: string, matched: string[], others: string[]][] = [
    ['*.ts', ['a.ts', '.ts', '.a.ts'], ['a.tsx', 'src/a.ts']],
    ['**/*.ts', ['a.ts', 'src/deep/a.ts'], ['a.js']],
    ['src/**', ['src', 'src/a', 'src/a/b'], ['srca', 'a/src']],
    ['*/**', ['src/a', 'src/a/b'], ['a.ts']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b'], ['ab', 'a/x/bc']],
    ['**', ['a', 'a/b'], ['']],
    ['a**b', ['ab', 'axb'], ['a/b']],
    ['a?c', ['abc', 'a😀c', 'a.c'], ['ac', 'a/c', 'abbc']],
    ['*??', ['ab', 'a😀', 'xab'], ['a', '😀']],
    ['[a-c]x[!0-9]', ['axb', 'cx-', 'bx😀'], ['dxb', 'ax1', 'ax/']],
    ['[]]', [']'], ['a']],
    ['[a-]', ['a', '-'], ['b']],
    [String.raw`[\]-a]`, [']', '^', 'a'], ['b', '\\']],
    ['{a,b{1,2}}.{ts,}', ['a.ts', 'b1.ts', 'b2.', 'a.'], ['b.ts', 'a']],
    ['{src/a,b}/*', ['src/a/x', 'b/x'], ['src/x']],
    ['a,b', ['a,b'], ['a', 'b']],
    [String.raw`\*\{\[\\(a|b)`, [String.raw`*{[\(a|b)`], ['x{[a']],
    ['@(a)!+', ['@(a)!+'], ['a']],
  ];
  for (const [glob, matched, others] of cases) {
    const isMatch = globMatcher([glob]);
    for (const path of matched) assert.ok(isMatch(path), `${glob} matches ${path}`);
    for (const path of others) assert.ok(!isMatch(path), `${glob} does not match ${path}`);
  }
  assert.equal(globMatcher([])('a'), false);
  assert.equal(globMatcher(['a', 'b'])('b'), true);
});

test('a glob that is malformed, stands for too many, or is too long is refused, and what is wrong is said', () => {
  const cases: [string, RegExp][] = [
    ['[a', /no "\]" follows/],
    ['{a', /no "\}" follows/],
    ['a}', /no "\{" comes before/],
    ['a\\', /nothing follows/],
    ['[b-a]', /ends before it begins/],
    ['{a,b}'.repeat(9), /more than 256 globs/],
    ['x'.repeat(8193), /longer than 8192/],
  ];
  for (const [glob, problem] of cases)
    assert.throws(
      () => globMatcher([glob]),
      (error) => error instanceof BadGlob && problem.test(error.message) && error.message.length < 250,
    );
  assert.throws(() => globMatcher(Array.from({ length: 9 }, () => 'x'.repeat(1000))), /longer than 8192/);
});

test('a random glob matches what picomatch says', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1e9);
  const random = new Random(seed);
  const inNames = ['a', 'b', 'c', '*', '?', '[ab]', '[^a]', '[b-c]', '{a,b}', '{a?,c}', '\\*', '\\?'];
  const someOf = (choices: readonly string[], most: number): string =>
    Array.from({ length: 1 + random.below(most) }, () => random.of(choices)).join('');
  const joined = (parts: number, part: () => string): string => Array.from({ length: 1 + random.below(parts) }, part).join('/');
  for (let round = 0; round < 8000; round++) {
    // Two stars beside something else are no sign for folders, which picomatch sees otherwise in front of braces.
    const name = (): string => someOf(inNames, 4).replaceAll(/\*{2,}/g, '*');
    const glob = `${random.below(3) === 0 ? '**/' : ''}${joined(3, name)}${random.below(6) === 0 ? `/**/${name()}` : ''}`;
    if (glob.split('{').length > 9) continue;
    const path = joined(4, () => someOf(['a', 'b', 'c', '*', '?'], 4));
    assert.equal(globMatcher([glob])(path), picomatch(glob, { dot: true })(path), `SEED=${seed}: ${glob} on ${path}`);
  }
});

test('the most hostile glob and path take milliseconds', () => {
  const deep = Array.from({ length: 1000 }, () => 'ab').join('/');
  const cases: [string, string[], string][] = [
    ['stars in a name', [`${'*a'.repeat(120)}b`], 'a'.repeat(255)],
    ['stars and one character', Array.from({ length: 8 }, () => `${'*a?'.repeat(80)}*b`), 'a'.repeat(255)],
    ['folders', Array.from({ length: 8 }, () => `${'**/*a?'.repeat(120)}x`), deep],
    ['names', Array.from({ length: 8 }, () => `**/${'[ab]*/'.repeat(160)}x`), deep],
    ['alternatives', ['{a,a}'.repeat(8)], 'a'.repeat(255)],
  ];
  for (const [name, globs, path] of cases) {
    const started = threadMs();
    assert.equal(globMatcher(globs)(path), false, name);
    const took = threadMs() - started;
    assert.ok(took < 500, `${name} took ${took} ms`);
  }
});
