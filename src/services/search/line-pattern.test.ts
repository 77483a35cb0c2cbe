// What is searched without ripgrep is what ripgrep would find: random patterns on lines made of what is hard to get right.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { rgPath } from '@vscode/ripgrep';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { linePattern } from './line-pattern.ts';
import { matchingLines } from './line-scan.ts';
import type { TextQuery } from './ripgrep.ts';

const LINES = 600;
const PATTERNS = 150;
/**
 * A second pattern that nothing matches. With one alone, ripgrep 15's engine may begin in the middle of a match, at text that each match contains,
 * and then misses some beginnings: of `\w(?:oab)?ab` in "a ooabab" it finds "oab".
 */
const NEVER = '\uE000\uE001';

const pieces = [
  ...['foo', 'foo', 'bar', 'ab', 'a', 'k', 'K', 's', 'S', 'x1', '_', '0', ' ', ' ', '\t', '.', '-', '"', '(', ')', '\r'].map((text) =>
    Buffer.from(text),
  ),
  ...['\u212A', '\u017F', 'é', 'É', '“', '”', '–', '…', '\u00a0', '\u0663', '漢', '🙂', '\u200d', '\u203f', '\uFEFF', '\u2028'].map(
    (text) => Buffer.from(text),
  ),
  ...['ff', 'c3', 'e280', 'eda080', 'f4908080', 'c0af'].map((hex) => Buffer.from(hex, 'hex')),
];

function randomText(random: Random): Buffer {
  // Some are so long that only stretches of them are looked at.
  const line = (): Buffer[] => Array.from({ length: random.below(random.below(60) === 0 ? 6000 : 10) }, () => random.of(pieces));
  const lines = Array.from({ length: LINES }, () => [...line(), Buffer.from(random.of(['\n', '\n', '\r\n']))]);
  // A mark at the top would be none of the text.
  return Buffer.concat([Buffer.from('top\n'), ...lines.flat(), ...line()]);
}

function randomPattern(random: Random, depth = 0): string {
  const one = (): string =>
    random.of([
      ...['a', 'b', 'k', 's', 'o', 'é', '漢', '“', '\\.', '\\(', '_', '0', ' ', '\\t', '.', '\\w', '\\W', '\\d', '\\D', '\\s', '\\S'],
      ...['[a-f]', '[^a-f]', '[ks]', '[^k]', '[^ s]', '[\\w-]', '[^\\w]', '[-a]', '[a-]', '[aé]', '[a“]', '[^"]', '[\\]\\[]', '[.+*]'],
    ]);
  const loop = (): string => random.of(['', '', '', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{2,}', '{0,2}?']);
  const part = (): string =>
    random.of([
      () => random.of(['foo', 'foo', 'bar', 'ab', 'ks', 'K', 'éa']),
      () => one() + loop(),
      () => random.of(['\\b', '\\B', '^', '$']),
      () => (depth < 2 ? `(?:${randomPattern(random, depth + 1)})${random.of(['', '?', '??'])}` : 'o'),
    ])();
  const sequence = (): string => Array.from({ length: 1 + random.below(4) }, part).join('');
  return Array.from({ length: random.of([1, 1, 1, 2, 3]) }, sequence).join('|');
}

/** Start and end of each match, by the number of its line; undefined when it is no pattern. */
function byRipgrep(file: string, { pattern, regex, caseSensitive, word }: TextQuery): Map<number, number[]> | undefined {
  const args = [
    '--json',
    '--no-config',
    ...(regex ? [] : ['-F']),
    caseSensitive ? '-s' : '-i',
    ...(word ? ['-w'] : []),
    `--regexp=${pattern}`,
    `--regexp=${NEVER}`,
  ];
  let output: string;
  try {
    output = execFileSync(rgPath, [...args, '--', file], { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    if (status === 2) return undefined;
    output = stdout;
  }
  const lines = new Map<number, number[]>();
  for (const json of output.split('\n').filter((message) => message.startsWith('{"type":"match"'))) {
    const { data } = JSON.parse(json) as { data: { line_number: number; submatches: { start: number; end: number }[] } };
    lines.set(
      data.line_number,
      data.submatches.flatMap(({ start, end }) => [start, end]),
    );
  }
  return lines;
}

/** The same without it, each line by itself; undefined where it would have to be asked for the pattern, 'unsure' for the line. */
function byUs(lines: readonly Buffer[], query: TextQuery, faults: { onlyAscii?: boolean }): (readonly number[] | 'unsure')[] | undefined {
  const pattern = linePattern(query, faults);
  if (pattern === undefined) return undefined;
  return lines.map((bytes) => {
    const [line] = matchingLines({ bytes, line: 1 }, pattern, { maxLineLength: 10_000 }, (_bytes, _start, _end, find) => find());
    return line === 'unsure' ? line : (line?.places ?? []);
  });
}

function linesOf(text: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < text.length; ) {
    const feed = text.indexOf(10, at);
    lines.push(text.subarray(at, feed < 0 ? text.length : feed + 1));
    at = feed < 0 ? text.length : feed + 1;
  }
  return lines;
}

/** With a fault, until an answer differs. */
function compare(seed: number, faults: { onlyAscii?: boolean }): { wrong: string[]; compared: number; sure: number; unsure: number } {
  const random = new Random(seed);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-lines-'));
  const file = path.join(folder, 'lines.txt');
  const outcome = { wrong: [] as string[], compared: 0, sure: 0, unsure: 0 };
  try {
    const text = randomText(random);
    fs.writeFileSync(file, text);
    const lines = linesOf(text);
    const isEnough = (): boolean => faults.onlyAscii === true && outcome.wrong.length > 0;
    for (let tried = 0; outcome.compared < PATTERNS && tried < 20 * PATTERNS && !isEnough(); tried++) {
      const regex = random.below(6) > 0;
      const pattern = regex
        ? `${random.below(10) === 0 ? '(?i)' : ''}${randomPattern(random)}`
        : random.of(['foo', 'K', 'ks', 'a“', 'foo ', '-a', '.é']);
      const query = { pattern, regex, caseSensitive: random.below(3) > 0, word: random.below(4) === 0, multiline: false, context: 0 };
      const ours = byUs(lines, query, faults);
      if (ours === undefined) continue;
      outcome.compared++;
      const theirs = byRipgrep(file, query);
      const differs = ours.findIndex((places, index) => places !== 'unsure' && String(places) !== String(theirs?.get(index + 1) ?? []));
      if (theirs === undefined || differs >= 0) outcome.wrong.push(`line ${differs + 1}: ${JSON.stringify(query)}`);
      outcome.unsure += ours.filter((places) => places === 'unsure').length;
      outcome.sure += ours.filter((places) => places.length > 0 && places !== 'unsure').length;
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return outcome;
}

test('random patterns find in hard lines what ripgrep finds; with all taken for ASCII they do not', () => {
  const seed = testSeed();
  const { wrong, compared, sure, unsure } = compare(seed, {});
  assert.deepEqual(wrong, [], `SEED=${seed}`);
  assert.equal(compared, PATTERNS);
  assert.ok(sure > unsure, `${sure} lines were found without ripgrep, ${unsure} were left to it`);
  assert.ok(compare(seed, { onlyAscii: true }).wrong.length > 0, 'the comparison would notice');
});

test('matches begin where they begin, also where ripgrep by itself finds a part of them', () => {
  for (const [pattern, line, places] of [
    ['\\w(?:oab)?ab', 'a ooabab\n', [2, 8]],
    ['(?i)[ks]*ks', '\u212As\u017F ks\n', [0, 4, 7, 9]],
    ['(?:k.+foo)??foo', 'foo kxfoofoo\n', [0, 3, 4, 12]],
  ] as const) {
    const query = { pattern, regex: true, caseSensitive: true, word: false, multiline: false, context: 0 };
    assert.deepEqual(byUs([Buffer.from(line)], query, {}), [places], pattern);
  }
});
