// What is found is what ripgrep finds, whatever the folder holds, whatever is asked, and whatever changed a moment ago.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { linePattern } from './line-pattern.ts';
import { rgLines, type TextQuery } from '../../../test/kit/rg-lines.ts';
import { withSearch } from '../../../test/kit/search-harness.ts';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { cause } from '../../../test/kit/workspace-harness.ts';

const FILES = 400;
/** For the index to take in what changed. */
const WAIT_MS = 30_000;
const ROUNDS = 60;
const LARGE_FILES = 3;

const words = [
  ...[
    'task',
    'ta\u017Fk',
    'TASK',
    'Kelvin',
    '\u212Aelvin',
    'kernel',
    'copy_from_user',
    'foo',
    'foobar',
    'Foo',
    'x+y',
    'a.b',
    '(x)',
    '[0]',
    '--flag',
  ],
  ...[
    '“task”',
    '‘foo’…',
    'Kernel–foo',
    'éfoo',
    'fooé',
    'foo\u212A',
    'foo\u017F',
    'éaaaa',
    'foo_bar',
    'foo1',
    'a٣b',
    'task\u00a0foo',
    'foo\u200dbar',
    '«end»',
    'XfooX',
    'aaaa',
    'ſ',
    '\u212A',
  ],
  ...['Übung', 'übung', 'größe', 'GRÖẞE', 'naïve', 'Москва', 'москва', '漢字', '🙂', '#define', '\\n', '$x', 'end', 'The', 'the'],
];

function randomText(random: Random): string {
  const lines = Array.from({ length: 1 + random.below(6) }, () => {
    const own = random.below(3) === 0 ? [`unique${random.below(5000)}`] : [];
    return [...own, ...Array.from({ length: 1 + random.below(6) }, () => random.of(words))].join(random.of([' ', '', ', ']));
  });
  return lines.join(random.of(['\n', '\n', '\r\n'])) + random.of(['\n', '']);
}

/** Large enough to be indexed in parts, with lines of very different lengths. */
function largeText(random: Random): string {
  let text = '';
  while (text.length < 60_000) {
    const line = Array.from({ length: 1 + random.below(random.of([4, 12, 12, 2000, 10_000])) }, () =>
      random.of([...words, 'x', 'yy', '\t']),
    ).join(random.of([' ', '', '.']));
    text += line + random.of(['\n', '\n', '\n\n', '\r\n', ' \r\r\n']);
  }
  return text;
}

function randomBytes(random: Random): Buffer {
  const text = randomText(random);
  return random.of([
    () => Buffer.from(text),
    () => Buffer.from(text),
    () => Buffer.from(text),
    () => Buffer.from(text, 'latin1'),
    () => Buffer.from(`\uFEFF${text}`),
    () => Buffer.from(`\uFEFF${text}`, 'utf16le'),
    () => Buffer.from(random.below(3) === 0 ? `${text}\0${text}` : text),
    // Cut in the midst of a character, or joined so.
    () => Buffer.concat([Buffer.from(text).subarray(random.below(4)), Buffer.from('🙂漢').subarray(random.below(6)), Buffer.from(text)]),
  ])();
}

const randomPath = (random: Random): string => `${random.of(['a', 'b', 'b/c', 'd'])}/f${random.below(FILES)}.${random.of(['txt', 'ts'])}`;

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\&~#-]/g, '\\$&');

/** `recent`: words that were written a moment ago. */
function randomQuery(random: Random, recent: readonly string[]): TextQuery {
  const word = (): string =>
    random.of([
      () => random.of(words),
      () => `unique${random.below(5000)}`,
      () => (recent.length > 0 ? random.of(recent) : random.of(words)),
    ])();
  const regex = random.below(3) > 0;
  const letter = (): string => random.of([...random.of(words)]);
  const loop = (): string => random.of(['', '', '?', '*', '+', '+?', '*?', '{2}', '{1,3}', '{2,}']);
  /** Often there, beside all that words are made of. */
  const near = (): string => (random.below(3) === 0 ? quoted(word()) : random.of(['foo', 'foo', 'task', 'aaaa']));
  const one = (): string =>
    random.of([
      () => random.of(['\\w', '\\W', '\\D', '\\S', '[^k]', '[^s]', '[^a-z]']),
      () => quoted(letter()),
      () =>
        random.of([
          '.',
          '\\w',
          '\\W',
          '\\d',
          '\\D',
          '\\s',
          '\\S',
          '[a-z]',
          '[^a-z]',
          '[A-Za-z_$]',
          '[^\\s"]',
          '[\\w.-]',
          '[ks]',
          '[^k]',
          '[aé]',
          '[+*\\]]',
        ]),
      () => quoted(letter()),
    ])();
  const pattern = regex
    ? random.of([
        () => quoted(word()),
        () => `${quoted(word())}|${quoted(word())}`,
        () => `${quoted(word())}|${quoted(word())}|${quoted(word())}`,
        () => `(?:${near()}|${near()})${one()}${loop()}`,
        () => `${quoted(word())}.*${quoted(word())}`,
        () => `^${quoted(word())}`,
        () => `${quoted(word())}$`,
        () => `${quoted(word())}\\s*$`,
        () => `unique\\d*${random.below(100)}\\b`,
        () => `(?i)${quoted(word())}`,
        () => `\\b${near()}`,
        () => `${near()}\\B`,
        () => `\\b${near()}\\b`,
        () => `${near()}${one()}${loop()}`,
        () => `${one()}${loop()}${near()}`,
        () => `${near()}${one()}${loop()}${one()}${loop()}`,
        () => `${one()}${loop()}${near()}${one()}${loop()}`,
        () => `(${quoted(word())} )?${quoted(word())}`,
        () => `${near()}(?:\\.|,)?\\s${one()}`,
        () => `^.{${random.below(4)},${4 + random.below(30)}}${quoted(word())}`,
        () => `${quoted(letter())}${quoted(letter())}${one()}`,
      ])()
    : word();
  return {
    pattern,
    regex,
    caseSensitive: random.below(2) === 0,
    word: random.below(4) === 0,
    multiline: random.below(12) === 0,
    ...(random.below(6) === 0 ? { include: ['*.ts'] } : {}),
  };
}

function isAnsweredHere({ pattern, regex = false, caseSensitive = true, word = false, multiline = false }: TextQuery): boolean {
  return linePattern({ pattern, regex, caseSensitive, word, multiline, context: 0 }) !== undefined;
}

interface Outcome {
  /** Queries whose answer was not ripgrep's, as text. */
  wrong: string[];
  byIndex: number;
  /** Queries that could be answered without ripgrep. */
  here: number;
  lines: number;
}

/** A folder of random files is searched and changed in turn; each answer is compared with ripgrep's. With a fault, until one differs. */
async function compare(seed: number, faults: { forgetChanges?: boolean; onlyAscii?: boolean }): Promise<Outcome> {
  const random = new Random(seed);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-exact-'));
  const root = path.join(folder, 'root');
  const outcome: Outcome = { wrong: [], byIndex: 0, here: 0, lines: 0 };
  try {
    for (let file = 0; file < FILES; file++) {
      const at = path.join(root, randomPath(random));
      fs.mkdirSync(path.dirname(at), { recursive: true });
      fs.writeFileSync(at, randomBytes(random));
    }
    for (let file = 0; file < LARGE_FILES; file++) fs.writeFileSync(path.join(root, `large-${file}.txt`), largeText(random));
    await withSearch(
      folder,
      async ({ workspace, search, find }) => {
        let recent: string[] = [];
        const change = async (): Promise<void> => {
          const [one, other] = [randomPath(random), randomPath(random)];
          const isThere = fs.existsSync(path.join(root, one));
          const kind = random.below(8);
          if (kind === 0 && isThere) await workspace.remove(one, false, { cause });
          else if (kind === 1 && isThere && one !== other) await workspace.move(one, other, { overwrite: true, parents: true, cause });
          else if (kind === 2 && random.below(4) === 0)
            await workspace.write('d/.ignore', Buffer.from(`f${random.below(FILES)}*\n`), { cause, parents: true });
          else {
            const bytes = randomBytes(random);
            await workspace.write(one, bytes, { cause, parents: true });
            recent = [...recent, ...(bytes.toString('latin1').match(/unique\d+/g) ?? [])].slice(-5);
          }
        };
        const isEnough = (): boolean => Object.keys(faults).length > 0 && outcome.wrong.length > 0;
        for (let round = 0; round < ROUNDS && !isEnough(); round++) {
          for (let changes = random.below(5); changes > 0; changes--) await change();
          const query = randomQuery(random, recent);
          const expected = rgLines(root, query);
          if (expected === 'refused') continue;
          // Every other one comes at once, when a busy machine may not have taken the changes in.
          if (round % 2 === 0) await search.wait(undefined, WAIT_MS, new AbortController().signal);
          const { lines, engine } = await find(query);
          if (engine === 'index') outcome.byIndex++;
          if (engine === 'index' && isAnsweredHere(query)) outcome.here++;
          outcome.lines += expected.length;
          if (JSON.stringify(lines) !== JSON.stringify(expected)) outcome.wrong.push(`${engine}: ${JSON.stringify(query)}`);
        }
      },
      { faults, impatient: true },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return outcome;
}

test('random searches of a random folder that changes all the time find what ripgrep finds; with changes kept from the index they do not', async () => {
  const seed = testSeed();
  const { wrong, byIndex, here, lines } = await compare(seed, {});
  assert.deepEqual(wrong, [], `SEED=${seed}`);
  assert.ok(byIndex > ROUNDS / 4, `${byIndex} of ${ROUNDS} were answered by the index`);
  assert.ok(here > ROUNDS / 4, `${here} of ${ROUNDS} were answered without ripgrep`);
  assert.ok(lines > 100, `${lines} lines were found`);
  // Only what changed and is asked for is missed: a seed may need another folder.
  assert.ok(await isNoticed(seed, { forgetChanges: true }), 'the comparison would notice an index without its overlay');
  assert.ok(await isNoticed(seed, { onlyAscii: true }), 'the comparison would notice a scan that takes all for ASCII');
});

async function isNoticed(seed: number, fault: { forgetChanges?: boolean; onlyAscii?: boolean }): Promise<boolean> {
  for (let tried = 1; tried <= 5; tried++) if ((await compare(seed + tried, fault)).wrong.length > 0) return true;
  return false;
}
