import assert from 'node:assert/strict';
import { test } from 'node:test';
import packagesOf from '../../../test/kit/tools.json' with { type: 'json' };
import { baseEnvironment, fileNameFor, filled, filledArgv, languageNamed, languages, programsOf } from './languages.ts';
import { defaultLimits, effectiveLimits } from './limits.ts';

const most = { ...defaultLimits, wallMs: 120_000, memoryBytes: 2 ** 31 };

test('thirteen languages, each name once', () => {
  assert.deepEqual(
    languages.map(({ code }) => code),
    ['py', 'js', 'ts', 'go', 'java', 'c', 'cpp', 'php', 'rs', 'r', 'f90', 'd', 'bash'],
  );
  const names = languages.flatMap(({ code, aliases }) => [code, ...aliases]);
  assert.equal(new Set(names).size, names.length);
  for (const name of names)
    assert.equal(languageNamed(name.toUpperCase())?.code, languages.find((one) => [one.code, ...one.aliases].includes(name))?.code);
  for (const name of ['', 'brainfuck', '__proto__', 'constructor']) assert.equal(languageNamed(name), undefined);
});

test('each row can be run: a placeholder is the file or the program, nothing is left unfilled, and no shell is asked', () => {
  const places = { workdir: '/w', file: '/w/code.x', out: '/w/.o/program' };
  for (const {
    code,
    file,
    extension,
    compile,
    run,
    environment,
    userId,
    image,
    packages,
    sample,
    timeMultiplier,
    memoryMultiplier,
  } of languages) {
    assert.ok(file.endsWith(`.${extension}`), code);
    const [argv, made] = [filledArgv(run, places), compile === undefined ? [] : filledArgv(compile, places)];
    for (const part of [...argv, ...made, ...Object.values(environment).map((value) => filled(value, places))])
      assert.doesNotMatch(part, /[{}]/, code);
    assert.ok(
      (compile ?? run).some((part) => part === '{file}'),
      code,
    );
    if (compile !== undefined)
      assert.ok(compile.some((part) => part.includes('{out}')) && run.some((part) => part.includes('{out}')), code);
    assert.ok(![...argv, ...made].some((part) => /^(sh|-c)$/.test(part)), code);
    assert.equal(userId, 65_532, code);
    assert.match(image, /^[a-z][a-z-]*$/);
    assert.ok(packages.length > 0 && sample.includes('Hello from'), code);
    assert.ok(timeMultiplier >= 1 && memoryMultiplier >= 1, code);
  }
});

test('a placeholder is filled once: what a path holds is no placeholder', () => {
  assert.equal(filled('-of={out}:{workdir}', { workdir: '/{out}', file: '/f', out: '/$&' }), '-of=/$&:/{out}');
  assert.equal(filled('{name}', { workdir: '', file: '/a.b/Other.java', out: '' }), 'Other');
});

test('the environment begins with nothing but these', () => {
  const [python] = languages;
  assert.ok(python !== undefined);
  assert.deepEqual(baseEnvironment(python), {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/tmp',
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
    LANGUAGE: 'py',
  });
});

test('both multipliers of every language are applied, after the bounds', () => {
  for (const language of languages) {
    const { limits } = effectiveLimits({ wallMs: 10_000, memoryBytes: 100_000_000, cpuMs: 5000 }, language, most);
    assert.equal(limits.wallMs, 10_000 * language.timeMultiplier, language.code);
    assert.equal(limits.cpuMs, 5000 * language.timeMultiplier, language.code);
    assert.equal(limits.memoryBytes, 100_000_000 * language.memoryMultiplier, language.code);
    const huge = effectiveLimits({ wallMs: 1e15, memoryBytes: -1, processes: -5 }, language, most);
    assert.equal(huge.limits.wallMs, most.wallMs * language.timeMultiplier);
    assert.equal(huge.limits.processes, 1);
    assert.equal(huge.notes.length, 3);
  }
});

test('Java gets the file that its public class wants', () => {
  const java = languageNamed('java');
  assert.ok(java !== undefined);
  for (const [source, name] of [
    ['public class Other {}', 'Other.java'],
    ['// public class No {}\n/* public class No {} */ class A { String s = "public class No"; }\npublic final class Yes {}', 'Yes.java'],
    ['public record Point(int x) {}', 'Point.java'],
    ['class Hidden {}', 'Code.java'],
  ] as const)
    assert.equal(fileNameFor(java, source), name);
});

test('what tests install is what the table names', () => {
  const installed = new Set(Object.values(packagesOf).join(' ').split(' '));
  for (const { code, packages } of languages)
    if (!['js', 'ts', 'bash'].includes(code)) for (const name of packages) assert.ok(installed.has(name), `${name} for ${code}`);
  for (const language of languages)
    for (const program of programsOf(language))
      if (!['node', 'bash', 'java'].includes(program)) assert.ok(Object.hasOwn(packagesOf, program), program);
});
