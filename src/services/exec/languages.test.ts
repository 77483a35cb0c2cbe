import assert from 'node:assert/strict';
import { test } from 'node:test';
import packagesOf from '../../../test/kit/tools.json' with { type: 'json' };
import {
  baseEnvironment,
  fileNameFor,
  filled,
  filledArgv,
  type Language,
  languageNamed,
  languages,
  packageOf,
  programsOf,
} from './languages.ts';
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

test('a limit that is no whole number is rounded down before it is brought into its bounds, and either is said', () => {
  const [python] = languages;
  assert.ok(python !== undefined);
  const asked = { wallMs: 1e300, cpuMs: 1.5, processes: 3.9, outputBytes: -0.5, fileBytes: 7, diskBytes: Number.MAX_VALUE };
  const { limits, notes } = effectiveLimits(asked, python, most);
  const { wallMs, cpuMs, processes, outputBytes, fileBytes, diskBytes } = limits;
  assert.deepEqual([wallMs, cpuMs, processes], [most.wallMs, 100, 3]);
  assert.deepEqual([outputBytes, fileBytes, diskBytes], [1024, 7, most.diskBytes]);
  assert.equal(notes.length, 5);
  assert.ok(notes.includes('The limit processes is 3: 3.9 is out of bounds.'), notes.join(' '));
});

test('Java gets the file that its public class wants', () => {
  const java = languageNamed('java');
  assert.ok(java !== undefined);
  for (const [source, name] of [
    ['public class Other {}', 'Other.java'],
    ['// public class No {}\n/* public class No {} */ class A { String s = "public class No"; }\npublic final class Yes {}', 'Yes.java'],
    ['public record Point(int x) {}', 'Point.java'],
    ['class Hidden {}', 'Hidden.java'],
    [`class ${'A'.repeat(256)} {}`, 'Code.java'],
    [`class ${'é'.repeat(128)} {}`, 'Code.java'],
  ] as const)
    assert.equal(fileNameFor(java, source), name);
});

test('Java in a package is started by its whole name', () => {
  const java = languageNamed('java') as Language;
  for (const [source, inPackage] of [
    ['package com.example;\npublic class Main {}', 'com.example'],
    ['/* package no; */ package /* a */ com . // b\n com.x ;\nimport package.no;\nclass A { String s = "package no;"; }', 'com.com.x'],
    ['public class Main {}', ''],
    ['import a.b;\nclass A { int package; }\nclass B {}', ''],
  ] as const) {
    assert.equal(packageOf(java, source), inPackage, source);
    const places = { workdir: '/w', file: '/w/Main.java', out: '/o', inPackage };
    assert.equal(filled('{class}', places), inPackage === '' ? 'Main' : `${inPackage}.Main`);
  }
  assert.equal(packageOf(languageNamed('js') as Language, 'package a;'), '');
});

test('Java without a public class gets the file of the class that has its main method, else of the first class', () => {
  const java = languageNamed('java');
  assert.ok(java !== undefined);
  const main = 'public static void main(String[] args) { if (true) { System.out.println("}"); } }';
  for (const [source, name] of [
    [`class Zed { ${main} }`, 'Zed'],
    [
      `interface Shape { double area(); }\nrecord Square(double side) implements Shape { public double area() { return side * side; } }\nclass App { ${main} }`,
      'App',
    ],
    [
      `class One { int x = 1; }\nfinal class Two { final static synchronized public void main(final String... a) {} }\nclass Three {}`,
      'Two',
    ],
    [`class Outer { static class Inner { ${main} } }\nclass Last { ${main} }`, 'Last'],
    [`class Outer { public static class Inner {} public class Other {} ${main} }`, 'Outer'],
    [`record Point(int x, @Deprecated(since = "{") int y) { ${main} }`, 'Point'],
    [`class Box<T extends Comparable<T>> { T value; }\nclass Use<K, V extends Box<? super K>> extends Object { ${main} }`, 'Use'],
    [`@SuppressWarnings({"a", "b"})\nclass A {}\n@Deprecated enum E { X { void run() {} }; ${main} }`, 'E'],
    [`interface Runs { ${main.replace('public ', '')} }`, 'Runs'],
    [`class A { String s = "class B { public static void main(String[] a) {} }"; char c = '"'; char d = '{'; }\nclass C { ${main} }`, 'C'],
    [
      `class A { String s = """\n  class B { "\\""" ${main} }\n"""; }\n// class D { ${main} }\n/* class E { ${main} } */ class F { ${main} }`,
      'F',
    ],
    ['class A { void main() { } static void other() { } }\nclass B { static void main() { } }', 'B'],
    ['class A { void main() { } }', 'A'],
    ['class A { static int x; void mine(int main) { main(1); } }\nclass B {}', 'A'],
    ['interface I { void main(String[] a); }\nclass B {}', 'I'],
    ['interface I {}\nclass B {}', 'B'],
    ['import java.util.*;\nabstract sealed class Größe permits B {}\nnon-sealed class B extends Größe {}', 'Größe'],
    // A class without a name has the one of its file.
    ['record Pair(int a, int b) {}\nvoid main() { new Pair(1, 2); }', 'Code'],
    [`class /* class B */ A // class C\n{ ${main} }`, 'A'],
    [`class A {}\npublic @SuppressWarnings({"a"}) class B {}\nclass C { ${main} }`, 'B'],
    [`package an.interface; import com.record.Helper;\nclass A { ${main} }`, 'A'],
    ['interface I {}', 'Code'],
    ['import java.util.List;', 'Code'],
    ['class', 'Code'],
    ['/* class A {', 'Code'],
    ['} } class A { "', 'A'],
    ['', 'Code'],
  ] as const)
    assert.equal(fileNameFor(java, source), `${name}.java`, source);
});

test('the name of a file of Java is found in one pass, whatever it holds (long form)', () => {
  const java = languageNamed('java');
  assert.ok(java !== undefined);
  for (const part of ['/*', '"', '"""', "'", '\\', '{', '(', '}', 'class ', '\n', 'static void main(']) {
    const begun = performance.now();
    fileNameFor(java, part.repeat(1_000_000));
    fileNameFor(java, `"${part.repeat(1_000_000)}`);
    assert.ok(performance.now() - begun < 5000, part);
  }
});

test('what tests install is what the table names', () => {
  const installed = new Set(Object.values(packagesOf).join(' ').split(' '));
  for (const { code, packages } of languages)
    if (!['js', 'ts', 'bash'].includes(code)) for (const name of packages) assert.ok(installed.has(name), `${name} for ${code}`);
  for (const language of languages)
    for (const program of programsOf(language))
      if (!['node', 'bash', 'java'].includes(program)) assert.ok(Object.hasOwn(packagesOf, program), program);
});
