import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { rgPath } from '@vscode/ripgrep';
import type { FoundFile, FoundLine } from '../../contract/search.ts';
import { Processes } from '../processes/processes.ts';
import { Ripgrep } from './ripgrep.ts';

const everything = { path: '', include: [], exclude: [], hidden: false, ignored: false };
const plainQuery = { regex: false, caseSensitive: true, word: false, multiline: false, context: 0 };
const long = 3_000_000;

interface Found {
  items: FoundFile[];
  line: FoundLine;
}

/** Searches one file for a line that is longer than what ripgrep's message is kept of. */
async function find(
  content: string | Buffer,
  pattern: string,
  options: { maxLineLength?: number; regex?: boolean; multiline?: boolean } = {},
): Promise<Found> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-long-line-'));
  const processes = new Processes({ env: {} });
  try {
    fs.writeFileSync(path.join(root, 'long.txt'), content);
    const { maxLineLength = 1000, ...query } = options;
    const items: FoundFile[] = [];
    const found = (file: FoundFile): Promise<boolean> => {
      items.push(file);
      return Promise.resolve(true);
    };
    const ripgrep = new Ripgrep({ processes }, { program: rgPath, root });
    await ripgrep.search(
      { ...plainQuery, ...query, pattern },
      { walk: everything },
      { maxLineLength },
      found,
      new AbortController().signal,
    );
    const line = items[0]?.lines[0];
    assert.ok(line !== undefined, 'nothing was found');
    return { items, line };
  } finally {
    await processes.stop();
    fs.rmSync(root, { recursive: true });
  }
}

const matched = ({ text, ranges = [] }: FoundLine): string[] => ranges.map(([start, end]) => text.slice(start, end));

test('of a line of megabytes the part around the first match is shown, with all matches in it and where it stands (long form)', async () => {
  for (const [name, letters, mark] of [
    ['ASCII', 'abc def ', ''],
    ['umlauts', 'äöü ß ', ''],
    ['pairs', '🙂人é ', ''],
    ['a mark', 'ünd ', '\uFEFF'],
  ] as const) {
    const before = letters.repeat(Math.ceil(long / letters.length));
    const whole = `${before}needle one, needle two${letters.repeat(1000)}needle three`;
    const { line } = await find(`first\n${whole}\nlast\n`, 'needle');
    assert.equal(line.line, 2, name);
    assert.deepEqual(matched(line), ['needle', 'needle'], name);
    assert.equal(line.cut, true);
    const at = line.cutAt ?? 0;
    assert.equal(at + (line.ranges?.[0]?.[0] ?? 0), before.length, name);
    assert.equal(whole.slice(at, at + line.text.length), line.text, name);
    assert.ok(line.text.length > 900 && line.text.length <= 1000, `${name}: ${line.text.length}`);
    // The mark stands at the beginning of the file.
    if (mark !== '') {
      const marked = await find(`${mark}${whole}\n`, 'needle');
      assert.equal((marked.line.cutAt ?? 0) + (marked.line.ranges?.[0]?.[0] ?? 0), before.length);
    }
  }
});

test('a match at the beginning or the end of a long line, over its end, or of all of it', async () => {
  const many = 'x'.repeat(long);
  const first = await find(`needle${many}\r\n`, 'needle');
  assert.deepEqual([first.line.ranges, first.line.cutAt, first.line.cut], [[[0, 6]], undefined, true]);
  const last = await find(`${many}needle\r\nnext\n`, 'needle');
  assert.ok(last.line.text.endsWith('xneedle'));
  assert.equal((last.line.cutAt ?? 0) + last.line.text.length, long + 6);
  const all = await find(`${many}\n`, 'x+', { regex: true });
  assert.deepEqual([all.line.ranges, all.line.text.length], [[[0, 1000]], 1000]);
  const over = await find(`${many}needle\nsecond line\nthird\n`, 'needle\\nsecond', { regex: true, multiline: true });
  assert.deepEqual(matched(over.line), ['needle\nsecond']);
  assert.ok(over.line.text.endsWith('needle\nsecond line'));
});

test('a line that matches 300,000 times shows as many matches as fit, at once (long form)', async () => {
  const started = performance.now();
  for (const letter of ['a', 'ä']) {
    const { line } = await find(`${letter.repeat(300_000)}\n`, letter, { maxLineLength: 5000 });
    assert.equal(line.text.length, 5000);
    assert.equal(line.ranges?.length, 5000);
    assert.deepEqual(line.ranges?.at(-1), [4999, 5000]);
  }
  assert.ok(performance.now() - started < 5000, 'the time is as the length, not as its square');
});

test('bytes that are no UTF-8 are shown and said to be so; of what is not UTF-8 at all the beginning of the line is shown', async () => {
  const latin = Buffer.concat([Buffer.from('caf\xe9 ', 'latin1'), Buffer.alloc(long, 'x'), Buffer.from(' needle \xe9\n', 'latin1')]);
  const { line } = await find(latin, 'needle');
  assert.deepEqual([matched(line), line.raw], [['needle'], true]);
  assert.equal((line.cutAt ?? 0) + (line.ranges?.[0]?.[0] ?? 0), 'caf\xe9 '.length + long + 1);
  const utf16 = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`begins ${'x'.repeat(long)} needle\n`, 'utf16le')]);
  const other = await find(utf16, 'needle');
  assert.deepEqual([other.line.text.slice(0, 8), other.line.text.length, other.line.cut, other.line.ranges], ['begins x', 1000, true, []]);
});

test('lines that are long together come in several items', async () => {
  const { items } = await find(`${'x'.repeat(50_000)}needle\n`.repeat(40), 'needle', { maxLineLength: 100_000 });
  assert.equal(items.flatMap(({ lines }) => lines).length, 40);
  for (const { lines } of items) assert.ok(lines.reduce((sum, { text }) => sum + text.length, 0) < 150_000);
});

test('however little of a line of megabytes is shown, its first match is there', async () => {
  for (const letters of ['abc ', '🙂人é '])
    for (const maxLineLength of [20, 59, 61, 180]) {
      const { line } = await find(`${letters.repeat(Math.ceil(long / letters.length))}needle${letters.repeat(1000)}\n`, 'needle', {
        maxLineLength,
      });
      assert.deepEqual(matched(line), ['needle'], `${letters}: ${maxLineLength}`);
      assert.ok(line.text.length > maxLineLength - 3 && line.text.length <= maxLineLength, `${line.text.length} of ${maxLineLength}`);
    }
});
