// The one property that matters: a file in which ripgrep finds a match is never left out. Random files, random patterns, the real ripgrep.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Random } from '../../../../test/kit/random.ts';
import { testSeed } from '../../../../test/kit/seed.ts';
import { type Folding, GramCollector } from './fold.ts';
import { linePattern } from '../line-pattern.ts';
import { planQuery, type QueryOptions } from './plan.ts';
import { allFiles, mayMatch } from './plan-tree.ts';
import { TrigramIndex } from './trigram-index.ts';

const words = [
  ...[
    'task',
    'ta\u017fk',
    'TASK',
    'Kelvin',
    '\u212aelvin',
    'kernel',
    'sched_fork',
    'copy_from_user',
    'i',
    'a',
    'ab',
    'foo',
    'bar',
    'foobar',
  ],
  ...[
    'Übung',
    'übung',
    'ÜBUNG',
    'größe',
    'GRÖẞE',
    'naïve',
    'Москва',
    'москва',
    'ΣΊΣΥΦΟΣ',
    'σίσυφος',
    '漢字',
    '人',
    '🙂',
    'e\u0301te',
    'ﬅ',
    'ﬆ',
    'ΐ',
    'ΐ',
  ],
  ...[
    'x+y',
    'a.b',
    '(x)',
    '[0]',
    '{1}',
    '\\n',
    '#define',
    'end-of-file',
    'A1',
    '42',
    '$x',
    '^',
    'ǅ',
    'ǆ',
    'ß',
    'İ',
    'ı',
    'Ⱥ',
    'ⱥ',
    '\u00b5',
    '\u03bc',
  ],
];

interface RandomFile {
  path: string;
  text: string;
  bytes: Buffer;
}

function randomText(random: Random, longLine: number): string {
  const lines: string[] = [];
  for (let line = random.below(6); line >= 0; line--) {
    const long = random.below(12) === 0 ? longLine : 1 + random.below(6);
    lines.push(Array.from({ length: long }, () => random.of(words)).join(random.of([' ', '', ', ', '\t'])));
  }
  return random.below(15) === 0 ? '' : lines.join(random.of(['\n', '\n', '\r\n']));
}

/** `longLine`: words of the long lines that stand among short ones. */
function randomFile(random: Random, number: number, longLine = 400): RandomFile {
  const text = randomText(random, longLine);
  const encode = random.of<(text: string) => Buffer>([
    (plain) => Buffer.from(plain),
    (plain) => Buffer.from(plain),
    (plain) => Buffer.from(plain),
    (plain) => Buffer.from(plain, 'latin1'),
    (plain) => Buffer.concat([Buffer.from(plain), Buffer.from([0xe2, 0x82]), Buffer.from(plain), Buffer.from([0xff])]),
    (plain) => Buffer.from(`\ufeff${plain}`),
    (plain) => Buffer.from(`\ufeff${plain}`, 'utf16le'),
    (plain) => Buffer.from(`\ufeff${plain}`, 'utf16le').swap16(),
    (plain) => (random.below(4) === 0 ? Buffer.from(`${plain}\0${plain}`) : Buffer.from(plain)),
  ]);
  return { path: `${random.of(['a', 'b/c', 'd'])}/file-${number}.txt`, text, bytes: encode(text) };
}

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\&~#-]/g, '\\$&');

/** A piece of a line that some file has. */
function randomCut(random: Random, files: readonly RandomFile[]): string {
  const line = [
    ...random.of(
      random
        .of(files)
        .text.split(/\r?\n/)
        .map((text) => text.slice(0, 60))
        .concat('task'),
    ),
  ];
  const start = random.below(Math.max(1, line.length));
  return line.slice(start, start + 1 + random.below(12)).join('') || 'foo';
}

/** `nested`: what is repeated may hold choices and repetitions of its own, over which an engine that tries one after the other never ends. */
function randomRegex(random: Random, files: readonly RandomFile[], depth: number, nested: boolean): string {
  const cut = (): string => quoted(randomCut(random, files));
  const inner = (): string => (depth > 0 ? randomRegex(random, files, depth - 1, nested) : cut());
  const repeated = (): string => (nested ? inner() : random.of([cut, mixed])());
  const mixed = (): string =>
    [...randomCut(random, files)].map((letter) => random.of([quoted(letter), `[${quoted(letter)}k]`, '.'])).join('');
  return random.of<() => string>([
    cut,
    cut,
    mixed,
    () => `${inner()}|${inner()}`,
    () => `(?:${inner()}|${inner()})${inner()}`,
    () => `${inner()}.*${inner()}`,
    () => `(?:${inner()})?${inner()}`,
    () => `(${repeated()})+`,
    () => `(?:${repeated()})*${cut()}`,
    () => `(?:${repeated()}){1,3}`,
    () => `(?:${repeated()}){2}`,
    () => `^${inner()}`,
    () => `${inner()}$`,
    () => `\\b${inner()}\\b`,
    () => `[a-f]${inner()}`,
    () => `[^a-f]?${inner()}`,
    () => `\\w+${cut()}`,
    () => `[[:alpha:]]${cut()}`,
    () => `[a-z&&[^x]]*${cut()}`,
    () => `(?i:${inner()})`,
    () => `(?i)${inner()}`,
    () => `(?x: ${cut().replace(/\s/g, '\\s')} # a comment\n )`,
    () => `(?P<name>${inner()})`,
    () => `\\p{L}${inner()}`,
    () => `[]-]?${cut()}`,
    () => [...randomCut(random, files)].map((letter) => `\\x{${(letter.codePointAt(0) as number).toString(16)}}`).join(''),
  ])();
}

interface Query {
  pattern: string;
  options: QueryOptions;
}

function randomQuery(random: Random, files: readonly RandomFile[], { nested = true } = {}): Query {
  const regex = random.below(3) > 0;
  const caseSensitive = random.below(2) === 0;
  let pattern = regex ? randomRegex(random, files, 2, nested) : randomCut(random, files);
  if (!caseSensitive && !regex && random.below(2) === 0) pattern = random.below(2) === 0 ? pattern.toUpperCase() : pattern.toLowerCase();
  return { pattern, options: { regex, caseSensitive, word: random.below(4) === 0, multiline: random.below(6) === 0 } };
}

const ripgrep = await findRipgrep();

async function findRipgrep(): Promise<string | null> {
  try {
    const { rgPath } = await import('@vscode/ripgrep');
    execFileSync(rgPath, ['--version'], { stdio: 'ignore' });
    return rgPath;
  } catch {
    return null;
  }
}

/** Paths with a match; null when the pattern is not one for ripgrep. */
function ripgrepFiles(root: string, { pattern, options }: Query): string[] | null {
  const flags = ['--files-with-matches', '--no-config', '--hidden', '--no-ignore', '--color=never', '--null'];
  if (!options.regex) flags.push('--fixed-strings');
  if (!options.caseSensitive) flags.push('--ignore-case');
  if (options.word) flags.push('--word-regexp');
  if (options.multiline) flags.push('--multiline');
  try {
    const found = execFileSync(ripgrep as string, [...flags, '-e', pattern, './'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return found
      .split('\0')
      .filter(Boolean)
      .map((path) => path.slice(2));
  } catch (error) {
    const { status } = error as { status?: number };
    if (status === 1) return [];
    if (status === 2) return null;
    throw error;
  }
}

interface Indexed {
  path: string;
  grams: Set<number>;
  binary: boolean;
}

function index(files: readonly RandomFile[], folding?: Folding): Indexed[] {
  const collector = new GramCollector(folding);
  return files.map(({ path, bytes }) => {
    collector.begin();
    collector.push(bytes);
    collector.end();
    return { path, grams: new Set(collector.grams), binary: collector.binary };
  });
}

function leftOut(indexed: readonly Indexed[], found: readonly string[], { pattern, options }: Query): string[] {
  const plan = planQuery(pattern, options);
  return indexed
    .filter(({ path, grams, binary }) => found.includes(path) && !binary && !mayMatch(plan, (gram) => grams.has(gram)))
    .map(({ path }) => path);
}

function writeTree(root: string, files: readonly RandomFile[]): void {
  for (const { path, bytes } of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    utimesSync(join(root, path), 1_700_000_000, 1_700_000_000);
  }
}

test('no file is left out in which ripgrep finds a random pattern; with case folding switched off, some are', {
  skip: ripgrep === null,
}, () => {
  const seed = testSeed();
  const random = new Random(seed);
  let matches = 0;
  let narrowed = 0;
  let refused = 0;
  let leftOutUnfolded = 0;
  for (let round = 0; round < 6; round++) {
    const root = mkdtempSync(join(tmpdir(), 'trigram-soundness-'));
    try {
      const files = Array.from({ length: 40 }, (_, number) => randomFile(random, number));
      writeTree(root, files);
      const indexed = index(files);
      const unfolded = index(files, { codePoint: (codePoint) => codePoint });
      for (let turn = 0; turn < 60; turn++) {
        const query = randomQuery(random, files);
        const found = ripgrepFiles(root, query);
        if (found === null) {
          refused++;
          continue;
        }
        matches += found.length;
        assert.deepEqual(leftOut(indexed, found, query), [], `SEED=${seed}: ${JSON.stringify(query)}`);
        leftOutUnfolded += leftOut(unfolded, found, query).length;
        const plan = planQuery(query.pattern, query.options);
        narrowed += indexed.filter(({ grams }) => !mayMatch(plan, (gram) => grams.has(gram))).length;
      }
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }
  assert.ok(refused < 120, `${refused} of 360 patterns were not read by ripgrep`);
  assert.ok(matches > 500, `${matches} matches`);
  assert.ok(narrowed > 3000, `${narrowed} times a file was left out`);
  assert.ok(leftOutUnfolded > 0, 'the check would notice an index that does not fold');
});

test('no file is left out in which V8 finds a random pattern that it can read', () => {
  const seed = testSeed();
  const random = new Random(seed);
  let matches = 0;
  for (let round = 0; round < 10; round++) {
    const files = Array.from({ length: 20 }, (_, number) => randomFile(random, number, 40));
    const plain = files.map((file) => ({ ...file, bytes: Buffer.from(file.text) }));
    const indexed = index(plain);
    for (let turn = 0; turn < 200; turn++) {
      const { pattern, options } = randomQuery(random, plain, { nested: false });
      let expression: RegExp;
      try {
        expression = new RegExp(options.regex ? pattern : quoted(pattern), 'iv');
      } catch {
        continue;
      }
      const found = plain.filter(({ text }) => text.split('\n').some((line) => expression.test(line))).map(({ path }) => path);
      matches += found.length;
      assert.deepEqual(leftOut(indexed, found, { pattern, options }), [], `SEED=${seed}: ${JSON.stringify({ pattern, options })}`);
    }
  }
  assert.ok(matches > 500, `${matches} matches`);
});

for (const partBytes of [undefined, 16]) {
  const title = `the index on disk leaves no file out either, with files that changed and went away${partBytes === undefined ? '' : ', nor where each line is a part (long form)'}`;
  test(title, { skip: ripgrep === null }, () => checkOnDisk(partBytes));
}

async function checkOnDisk(partBytes: number | undefined): Promise<void> {
  const seed = testSeed();
  const random = new Random(seed);
  const scratch = mkdtempSync(join(tmpdir(), 'trigram-index-'));
  const root = join(scratch, 'root');
  mkdirSync(root);
  const trigrams = new TrigramIndex(
    {},
    { root, folder: join(scratch, 'segments'), threads: 2, maxFileBytes: 100_000, ...(partBytes === undefined ? {} : { partBytes }) },
  );
  try {
    // Enough for segments on disk: fewer are kept in memory.
    const files = new Map(Array.from({ length: 700 }, (_, number) => [number, randomFile(random, number)] as const));
    writeTree(root, [...files.values()]);
    await trigrams.start([...files.values()].map(({ path, bytes }) => ({ path, size: bytes.length, mtimeMs: 1_700_000_000_000 })));
    assert.ok(trigrams.status().segments > 0);
    let narrowed = 0;
    let inParts = 0;
    for (let turn = 0; turn < 80; turn++) {
      const changed = Array.from({ length: random.below(4) }, () => random.below(720));
      const removed = Array.from({ length: random.below(2) }, () => random.below(700)).filter((number) => !changed.includes(number));
      const before = changed.map((number) => files.get(number)?.path).filter((path) => path !== undefined);
      const gone = removed.map((number) => files.get(number)?.path).filter((path) => path !== undefined);
      for (const path of [...before, ...gone]) rmSync(join(root, path), { force: true });
      for (const number of removed) files.delete(number);
      for (const number of changed) files.set(number, randomFile(random, number));
      const written = changed.map((number) => files.get(number) as RandomFile);
      writeTree(root, written);
      await trigrams.update(
        written.map(({ path }) => path),
        [...before, ...gone].filter((path) => !written.some((file) => file.path === path)),
      );
      if (turn % 40 === 39) await trigrams.flush();
      const query = randomQuery(random, [...files.values()]);
      const found = ripgrepFiles(root, query);
      if (found === null) continue;
      const { multiline } = query.options;
      const { plan: run = allFiles } = linePattern({ pattern: query.pattern, ...query.options, context: 0 })?.hints ?? {};
      const candidates = trigrams.candidates(planQuery(query.pattern, query.options), Number.POSITIVE_INFINITY, { multiline, run });
      if (candidates === 'all') continue;
      inParts += candidates.parts.size;
      const named = new Set([...candidates.files, ...candidates.unindexed]);
      assert.deepEqual(
        found.filter((path) => !named.has(path)),
        [],
        `SEED=${seed}: ${JSON.stringify(query)}`,
      );
      narrowed += files.size - named.size;
      const paths = new Set([...files.values()].map(({ path }) => path));
      assert.deepEqual(
        [...named].filter((path) => !paths.has(path)),
        [],
        'no file that is gone is named',
      );
    }
    assert.ok(narrowed > 1000, `${narrowed} times a file was left out`);
    assert.equal(inParts > 100, partBytes !== undefined, `${inParts} times only some parts of a file were named`);
  } finally {
    await trigrams.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}
