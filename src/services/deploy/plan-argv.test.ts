import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deployProfile } from '../../contract/deploy.ts';
import { type ParameterValue, planArgv, profileProblem } from './plan-argv.ts';

const profile = deployProfile().parse({
  argv: ['odoo', '-u', '{module}', '--workers={workers}', '{level}', '{quiet}', '{file}', '{note}', '--stop'],
  parameters: {
    module: { type: 'name', pattern: '[a-z_][a-z0-9_]*' },
    workers: { type: 'integer', min: 0, max: 8, default: 2 },
    level: { type: 'choice', choices: ['info', 'debug'] },
    quiet: { type: 'switch', argument: '--quiet' },
    file: { type: 'path' },
    note: { type: 'text' },
  },
});

test('each value becomes one argument, or a part of one, whatever is in it', () => {
  const { argv, values, paths } = planArgv(profile, {
    module: 'sale',
    workers: 4,
    level: 'debug',
    quiet: true,
    file: './a b/',
    note: '$(touch x); `y` "z"\n{module}',
  });
  assert.deepEqual(argv, ['odoo', '-u', 'sale', '--workers=4', 'debug', '--quiet', 'a b', '$(touch x); `y` "z"\n{module}', '--stop']);
  assert.deepEqual([values['file'], paths], ['a b', ['a b']]);
});

test('a path is given as the program sees it from its folder, and none becomes an option', () => {
  const seen = (path: string, file: string): [string | undefined, unknown] => {
    const { argv, values } = planArgv(deployProfile().parse({ argv: ['x', '{file}'], parameters: { file: { type: 'path' } }, path }), {
      file,
    });
    return [argv[1], values['file']];
  };
  assert.deepEqual(seen('', './-rf'), ['./-rf', '-rf']);
  assert.deepEqual(seen('site', 'site/-rf'), ['./-rf', 'site/-rf']);
  assert.deepEqual(seen('site', 'site/a b/c'), ['a b/c', 'site/a b/c']);
  assert.deepEqual(seen('site/one', 'shared/a'), ['../../shared/a', 'shared/a']);
  assert.deepEqual(seen('site', 'site'), ['./', 'site']);
});

test('what has no value is left out where it is an argument of its own, and the default holds', () => {
  assert.deepEqual(planArgv(profile, { module: 'sale', quiet: false }).argv, ['odoo', '-u', 'sale', '--workers=2', '--stop']);
});

const refused: [string, Record<string, ParameterValue>][] = [
  ['a name with a semicolon', { module: 'sale;rm' }],
  ['a name with a shell in it', { module: '$(id)' }],
  ['a name over two lines', { module: 'sale\n' }],
  ['a name that is an option', { module: '-d' }],
  ['an empty name', { module: '' }],
  ['a number for a name', { module: 1 }],
  ['too large a number', { module: 'a', workers: 9 }],
  ['a number as text', { module: 'a', workers: '3' }],
  ['half a number', { module: 'a', workers: 1.5 }],
  ['a choice that is none', { module: 'a', level: 'loud' }],
  ['a text for a switch', { module: 'a', quiet: 'yes' }],
  ['a path out of the folder', { module: 'a', file: '../etc' }],
  ['an absolute path', { module: 'a', file: '/etc/passwd' }],
  ['a path that is an option', { module: 'a', file: '-rf' }],
  ['a text that is an option', { module: 'a', note: '--init' }],
  ['a text with a NUL', { module: 'a', note: 'a\0b' }],
  ['a parameter that there is not', { module: 'a', other: 'x' }],
  ['a name that every object has', { module: 'a', constructor: 'x' }],
];
for (const [says, given] of refused)
  test(`${says} is refused`, () => assert.throws(() => planArgv(profile, given), { reason: 'BAD_INPUT' }));

test('a name is of plain letters and signs where no pattern says otherwise, and patterns are as people write them', () => {
  const plain = deployProfile().parse({ argv: ['x', '{m}'], parameters: { m: { type: 'name' } } });
  assert.equal(profileProblem(plain), undefined);
  for (const m of ['sale', 'v1.2-rc_3', '_x']) assert.deepEqual(planArgv(plain, { m }).argv, ['x', m]);
  for (const m of ['', '-x', '.x', 'a b', 'a/b', 'ä', 'a\n', 'a;b'])
    assert.throws(() => planArgv(plain, { m }), { reason: 'BAD_INPUT' }, m);
  const own = deployProfile().parse({ argv: ['x', '{m}'], parameters: { m: { type: 'name', pattern: '[a-z-]+[&.]{2}|ü' } } });
  assert.equal(profileProblem(own), undefined);
  for (const m of ['a-b.&', 'ü']) assert.deepEqual(planArgv(own, { m }).argv, ['x', m]);
  assert.throws(() => planArgv(own, { m: '-b.&' }), { reason: 'BAD_INPUT' });
  assert.throws(() => planArgv(plain, { m: 'a b' }), {
    message: 'm: "a b" is no name: letters, digits, "_", "." and "-" make one, and the last two do not begin it.',
  });
  assert.throws(() => planArgv(own, { m: 'a' }), { message: 'm: "a" does not match [a-z-]+[&.]{2}|ü.' });
});

test('a pattern that an engine is caught in refuses the value after a second, and a default of it breaks the profile', () => {
  const parameters = { m: { type: 'name', pattern: '(?:a+)+' } };
  const slow = deployProfile().parse({ argv: ['x', '{m}'], parameters });
  const value = `${'a'.repeat(40)}!`;
  assert.throws(() => planArgv(slow, { m: value }), {
    reason: 'BAD_INPUT',
    message: /took longer than 1000 ms to be compared with \(\?:a\+\)\+/,
  });
  assert.deepEqual(planArgv(slow, { m: 'aaa' }).argv, ['x', 'aaa']);
  const broken = deployProfile().parse({ argv: ['x', '{m}'], parameters: { m: { ...parameters.m, default: value } } });
  assert.match(profileProblem(broken) ?? '', /took longer/);
});

test('a parameter inside of an argument is needed', () => {
  const needy = deployProfile().parse({ argv: ['x', '--m={m}'], parameters: { m: { type: 'name' } } });
  assert.throws(() => planArgv(needy, {}), /m is needed/);
});

const broken: [string, object, RegExp][] = [
  ['a hole that is no parameter', { argv: ['x', '{a}'] }, /no parameter/],
  ['a switch inside of an argument', { argv: ['x', 'a{s}'], parameters: { s: { type: 'switch', argument: '-s' } } }, /of its own/],
  ['a program by parameter', { argv: ['{a}'], parameters: { a: { type: 'name' } } }, /program/],
  ['a pattern that is none', { argv: ['x'], parameters: { a: { type: 'name', pattern: '(' } } }, /a: /],
  ['a default that does not fit', { argv: ['x'], parameters: { a: { type: 'integer', max: 1, default: 2 } } }, /a: .*not between/],
];
for (const [says, given, problem] of broken)
  test(`a profile with ${says} is said to be broken`, () => assert.match(profileProblem(deployProfile().parse(given)) ?? '', problem));

test('a profile that holds is said to', () => assert.equal(profileProblem(profile), undefined));
