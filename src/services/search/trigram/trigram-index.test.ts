import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../../test/kit/eventually.ts';
import type { PartRange } from './file-table.ts';
import { planQuery } from './plan.ts';
import { type ListedFile, TrigramIndex, type TrigramIndexLog } from './trigram-index.ts';

const old = 1_700_000_000;

class Scratch {
  readonly path = mkdtempSync(join(tmpdir(), 'trigram-index-'));
  readonly root = join(this.path, 'root');
  readonly folder = join(this.path, 'state', 'segments');
  readonly events: string[] = [];
  readonly #open: TrigramIndex[] = [];

  constructor() {
    mkdirSync(this.root);
  }

  index(options: { threads?: number; maxFileBytes?: number; partBytes?: number; now?: () => number; folder?: string } = {}): TrigramIndex {
    const note = (event: string): void => void this.events.push(event);
    const log: TrigramIndexLog = { info: () => {}, warn: note, error: note };
    // Time stands still: how busy the machine is decides nothing.
    const { threads = 2, maxFileBytes = 100_000, partBytes = 4096, now = () => 0, folder = this.folder } = options;
    const index = new TrigramIndex({ log, now }, { root: this.root, folder, threads, maxFileBytes, partBytes });
    this.#open.push(index);
    return index;
  }

  write(path: string, content: string | Buffer, seconds = old): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), content);
    utimesSync(join(this.root, path), seconds, seconds);
  }

  /** So many files that they go into segments. */
  writeMany(count = 600): void {
    for (let number = 0; number < count; number++) this.write(`many/file-${number}.txt`, `content of number${number}number here\n`);
  }

  list(): ListedFile[] {
    const names = readdirSync(this.root, { recursive: true, encoding: 'utf8' });
    return names.flatMap((path) => {
      const stats = statSync(join(this.root, path));
      return stats.isFile() ? [{ path, size: stats.size, mtimeMs: stats.mtimeMs }] : [];
    });
  }

  segments(): string[] {
    return readdirSync(this.folder).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const index of this.#open) await index.stop();
    rmSync(this.path, { recursive: true, force: true });
  }
}

function find(index: TrigramIndex, text: string): string[] {
  const plan = planQuery(text, { regex: false, caseSensitive: false, word: false, multiline: false });
  const found = index.candidates(plan, Number.POSITIVE_INFINITY, { run: plan });
  assert.notEqual(found, 'all');
  return found === 'all' ? [] : found.files.sort();
}

function unindexed(index: TrigramIndex): string[] {
  const found = index.candidates(planQuery('anything at all', { regex: false, caseSensitive: false, word: false, multiline: false }));
  return found === 'all' ? ['all'] : found.unindexed.sort();
}

test('files are found by what is in them, in memory and on disk', async () => {
  await using scratch = new Scratch();
  scratch.write('a.txt', 'some needle here');
  scratch.write('b/c.txt', 'NEEDLE\n');
  scratch.write('d.txt', 'nothing');
  const few = scratch.index({ folder: join(scratch.path, 'few') });
  assert.equal((await few.start(scratch.list())).indexed, 3);
  assert.equal(few.status().overlay, 3);
  assert.deepEqual(find(few, 'needle'), ['a.txt', 'b/c.txt']);
  scratch.writeMany();
  const many = scratch.index();
  assert.equal((await many.start(scratch.list())).indexed, 603);
  assert.equal(many.status().overlay, 0);
  assert.ok(many.status().segments >= 1);
  assert.deepEqual(find(many, 'needle'), ['a.txt', 'b/c.txt']);
  assert.deepEqual(find(many, 'number599number'), ['many/file-599.txt']);
  assert.deepEqual(find(many, 'not there'), []);
});

test('facts of a file tell what it is, wherever it stands', async () => {
  await using scratch = new Scratch();
  scratch.write('ascii.txt', 'plain');
  scratch.write('bom.txt', '\ufeffplain');
  scratch.write('ü.txt', 'größe');
  scratch.write('binary', 'a\0b');
  const expect = (index: TrigramIndex): void => {
    assert.deepEqual(index.facts('ascii.txt'), { ascii: true, bom: false, binary: false, size: 5, mtimeMs: old * 1000 });
    assert.deepEqual(index.facts('bom.txt'), { ascii: false, bom: true, binary: false, size: 8, mtimeMs: old * 1000 });
    assert.deepEqual(index.facts('ü.txt'), { ascii: false, bom: false, binary: false, size: 7, mtimeMs: old * 1000 });
    assert.equal(index.facts('binary')?.binary, true);
    assert.equal(index.facts('none'), undefined);
  };
  const few = scratch.index({ folder: join(scratch.path, 'few') });
  await few.start(scratch.list());
  expect(few);
  scratch.writeMany();
  const many = scratch.index();
  await many.start(scratch.list());
  expect(many);
});

test('binary, large and unreadable files are always candidates, apart from the others', async () => {
  await using scratch = new Scratch();
  scratch.write('binary', 'needle\0');
  scratch.write('large', 'x'.repeat(2000));
  scratch.write('text', 'needle');
  symlinkSync('text', join(scratch.root, 'link'));
  const index = scratch.index({ maxFileBytes: 1000 });
  await index.start([...scratch.list(), { path: 'gone', size: 1, mtimeMs: 1 }]);
  assert.deepEqual(find(index, 'needle'), ['text']);
  assert.deepEqual(unindexed(index), ['binary', 'gone', 'large', 'link']);
  scratch.write('large', 'small needle now');
  scratch.write('text', 'y'.repeat(2000));
  scratch.write('binary', 'needle no longer so');
  await index.update(['large', 'text', 'binary', 'gone'], []);
  assert.deepEqual(find(index, 'needle'), ['binary', 'large']);
  assert.deepEqual(unindexed(index), ['link', 'text']);
});

test('a restart reads only files that differ by size or time (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  scratch.write('keep.txt', 'first needle');
  scratch.write('change.txt', 'first needle');
  scratch.write('touch.txt', 'first needle');
  scratch.write('remove.txt', 'first needle');
  scratch.write('binary', 'first needle\0');
  const first = scratch.index();
  await first.start(scratch.list());
  await first.stop();
  // Same size and time, other content: what is not read can't be seen.
  scratch.write('keep.txt', 'other needle');
  scratch.write('change.txt', 'another needle');
  scratch.write('touch.txt', 'third needle', old + 1);
  rmSync(join(scratch.root, 'remove.txt'));
  scratch.write('new.txt', 'a needle');
  const second = scratch.index();
  const { indexed, reused } = await second.start(scratch.list());
  assert.deepEqual({ indexed, reused }, { indexed: 3, reused: 602 });
  assert.deepEqual(find(second, 'needle'), ['change.txt', 'keep.txt', 'new.txt', 'touch.txt']);
  assert.deepEqual(find(second, 'first needle'), ['keep.txt']);
  assert.deepEqual(find(second, 'third needle'), ['touch.txt']);
  assert.deepEqual(unindexed(second), ['binary']);
  assert.deepEqual(scratch.events, []);
});

test('a file that was written just before it was read is read again at the next start (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const soon = Date.now() / 1000 + 3600;
  scratch.write('young.txt', 'first needle', soon);
  const first = scratch.index();
  await first.start(scratch.list());
  await first.stop();
  scratch.write('young.txt', 'other needle', soon);
  const second = scratch.index();
  assert.equal((await second.start(scratch.list())).indexed, 1);
  assert.deepEqual(find(second, 'other needle'), ['young.txt']);
});

test('changes and removals are seen when the update resolves, in the order of the calls', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  scratch.write('a.txt', 'first needle');
  const index = scratch.index();
  const started = index.start(scratch.list());
  scratch.write('b.txt', 'second needle');
  // Called before the start is through: it waits for that.
  await index.update(['b.txt'], []);
  await started;
  assert.deepEqual(find(index, 'needle'), ['a.txt', 'b.txt']);
  scratch.write('a.txt', 'something else');
  await index.update(['a.txt'], ['b.txt']);
  assert.deepEqual(find(index, 'needle'), []);
  assert.deepEqual(find(index, 'something else'), ['a.txt']);
  await Promise.all([
    index.update(['b.txt'], []),
    index.update([], ['b.txt']),
    index.update(['many/file-3.txt', 'not-there.txt'], ['a.txt']),
  ]);
  assert.deepEqual(find(index, 'needle'), []);
  assert.equal(index.status().files, 600);
  assert.deepEqual(unindexed(index), []);
});

test('a file whose name can not be read back stays a candidate, one by one and among thousands, until it is said to be gone', async () => {
  await using scratch = new Scratch();
  const index = scratch.index();
  await index.start([]);
  // Its name on disk is not UTF-8.
  const odd = 'old/caf\uFFFD.txt';
  await index.update([odd, 'gone.txt'], []);
  assert.deepEqual(unindexed(index), [odd]);
  await index.update([], [odd]);
  assert.deepEqual(unindexed(index), []);
  await index.update([odd, ...Array.from({ length: 2000 }, (_, number) => `gone-${number}.txt`)], []);
  assert.deepEqual(unindexed(index), [odd]);
});

test('thousands of changes at once go into segments, and those they replace are deleted (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany(1500);
  const index = scratch.index();
  await index.start(scratch.list());
  const before = scratch.segments();
  for (let number = 0; number < 1500; number++) scratch.write(`many/file-${number}.txt`, `rewritten ${number} text`);
  rmSync(join(scratch.root, 'many/file-7.txt'));
  await index.update(
    scratch
      .list()
      .map(({ path }) => path)
      .concat('many/file-7.txt'),
    [],
  );
  assert.deepEqual(find(index, 'content of'), []);
  assert.equal(find(index, 'rewritten').length, 1499);
  assert.equal(index.status().overlay, 0);
  assert.deepEqual(
    scratch.segments().filter((name) => before.includes(name)),
    [],
  );
});

test('a flush moves what changed onto disk and joins small segments (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const index = scratch.index({ threads: 1 });
  await index.start(scratch.list());
  for (let round = 0; round < 5; round++) {
    for (let number = 0; number < 100; number++) scratch.write(`round-${round}/${number}.txt`, `round${round} number${number}`);
    await index.update(
      Array.from({ length: 100 }, (_, number) => `round-${round}/${number}.txt`),
      [],
    );
    assert.equal(index.status().overlay, 100);
    await index.flush();
    assert.equal(index.status().overlay, 0);
    assert.equal(find(index, `round${round}`).length, 100);
  }
  assert.ok(index.status().segments <= 4, `${index.status().segments} segments`);
  assert.equal(scratch.segments().length, index.status().segments);
  assert.equal(index.status().files, 1100);
  await index.stop();
  const next = scratch.index();
  assert.deepEqual((({ indexed, reused }) => ({ indexed, reused }))(await next.start(scratch.list())), { indexed: 0, reused: 1100 });
  assert.equal(find(next, 'round3').length, 100);
});

test('a file that changes during a flush is answered for by its newest content (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const index = scratch.index();
  await index.start(scratch.list());
  const paths = Array.from({ length: 300 }, (_, number) => `b/${number}.txt`);
  for (const path of paths) scratch.write(path, 'before the flush');
  await index.update(paths, []);
  const flushed = index.flush();
  for (const path of paths) scratch.write(path, 'after the flush');
  await index.update(paths.slice(0, 150), paths.slice(150));
  await flushed;
  assert.deepEqual(find(index, 'before the flush'), []);
  assert.equal(find(index, 'after the flush').length, 150);
});

test('a segment that is damaged, cut off or of another version is not used, and its files are indexed anew', async () => {
  for (const damage of [
    (bytes: Buffer): Buffer => bytes.fill(0xaa, bytes.length - 50, bytes.length - 40),
    (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length - 1),
    (bytes: Buffer): Buffer => bytes.fill(9, 4, 5),
    (): Buffer => Buffer.alloc(0),
  ]) {
    await using scratch = new Scratch();
    scratch.writeMany();
    const first = scratch.index({ threads: 1 });
    await first.start(scratch.list());
    await first.stop();
    const [name] = scratch.segments();
    const path = join(scratch.folder, name as string);
    writeFileSync(path, damage(readFileSync(path)));
    writeFileSync(join(scratch.folder, 'left-over.trigrams-tmp'), 'half a segment');
    const second = scratch.index();
    assert.deepEqual((({ indexed, reused }) => ({ indexed, reused }))(await second.start(scratch.list())), { indexed: 600, reused: 0 });
    assert.deepEqual(find(second, 'number42number'), ['many/file-42.txt']);
    assert.deepEqual(scratch.events, ['search.segment-refused']);
    assert.ok(scratch.segments().every((left) => left !== name && left.endsWith('.trigrams')));
  }
});

test('a segment that is damaged while it is in use makes its files candidates, until they are indexed anew (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const index = scratch.index({ threads: 1 });
  await index.start(scratch.list());
  const path = join(scratch.folder, scratch.segments()[0] as string);
  // The same file, written over in place.
  writeFileSync(path, Buffer.alloc(statSync(path).size, 0xff), { flag: 'r+' });
  assert.deepEqual(find(index, 'number42number'), []);
  assert.equal(unindexed(index).length, 600);
  assert.ok(scratch.events.includes('search.segment-failed'));
  await index.flush();
  assert.deepEqual(find(index, 'number42number'), ['many/file-42.txt']);
  assert.deepEqual(unindexed(index), []);
});

test('where segments can not be written, files are candidates, memory has a bound, and a later flush makes it good (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const index = scratch.index();
  const started = index.start(scratch.list());
  rmSync(scratch.folder, { recursive: true });
  writeFileSync(scratch.folder, 'a file where the folder was');
  await started;
  assert.ok(scratch.events.includes('search.segment-not-written'));
  assert.equal(unindexed(index).length, 600);
  scratch.write('a.txt', 'a needle');
  await index.update(['a.txt'], []);
  assert.deepEqual(find(index, 'needle'), ['a.txt']);
  await index.flush();
  assert.equal(unindexed(index).length, 600);
  rmSync(scratch.folder);
  mkdirSync(scratch.folder);
  await index.flush();
  assert.deepEqual(unindexed(index), []);
  assert.deepEqual(find(index, 'number42number'), ['many/file-42.txt']);
});

test('a thread that dies is replaced, and the files it had are read again', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const index = scratch.index();
  await index.start(scratch.list());
  for (let number = 0; number < 50; number++) scratch.write(`b/${number}.txt`, 'a needle');
  const paths = Array.from({ length: 50 }, (_, number) => `b/${number}.txt`);
  await index.update(paths.slice(0, 10), []);
  index.crashForTest();
  await index.update(paths, []);
  assert.equal(find(index, 'needle').length, 50);
  await eventually(() => scratch.events.includes('search.index-thread-died'));
});

test('a plan that narrows nothing, a limit that is passed, and an index that is not ready say all', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const index = scratch.index();
  const plan = planQuery('content', { regex: false, caseSensitive: true, word: false, multiline: false });
  assert.equal(index.candidates(plan), 'all');
  await index.start(scratch.list());
  assert.equal(index.candidates({ kind: 'all' }), 'all');
  assert.equal(index.candidates(plan, 599), 'all');
  const found = index.candidates(plan, 600);
  assert.equal(found === 'all' ? 0 : found.files.length, 600);
  assert.deepEqual(index.candidates({ kind: 'none' }), { files: [], parts: new Map(), unindexed: [] });
  await index.stop();
  assert.equal(index.candidates(plan), 'all');
});

test('a query that takes too long narrows nothing (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  let nowMs = 0;
  let stepMs = 0;
  const index = scratch.index({ now: () => (nowMs += stepMs) });
  await index.start(scratch.list());
  const plan = planQuery('content', { regex: false, caseSensitive: true, word: false, multiline: false });
  assert.notEqual(index.candidates(plan), 'all');
  stepMs = 50;
  assert.equal(index.candidates(plan), 'all');
});

test('a start that is aborted rejects with its reason, and leaves no thread and nothing half written (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany(3000);
  const index = scratch.index();
  const abort = new AbortController();
  const started = index.start(scratch.list(), abort.signal);
  setTimeout(() => abort.abort(new Error('no longer wanted')), 30);
  await assert.rejects(started, /no longer wanted/);
  await index.stop();
  await assert.rejects(index.update(['a'], []), /not running/);
  const next = scratch.index();
  const { indexed, reused } = await next.start(scratch.list());
  assert.equal(indexed + reused, 3000);
  assert.deepEqual(
    scratch.segments().filter((name) => !name.endsWith('.trigrams')),
    [],
  );
});

test('a stop during the start ends it, and may be called again', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const index = scratch.index();
  const started = index.start(scratch.list());
  const rejected = assert.rejects(started, /stopped/);
  await Promise.all([index.stop(), index.stop(), rejected]);
  assert.ok(existsSync(scratch.folder));
  await assert.rejects(index.start([]), /started before/);
});

/** A file of so many lines, with words here and there. */
function linesWith(words: Readonly<Record<number, string>>, count = 2000): string {
  return Array.from({ length: count }, (_, index) => `${words[index + 1] ?? 'ordinary'} line\n`).join('');
}

function partsOf(scratch: Scratch, index: TrigramIndex, path: string, text: string): { line: number; text: string }[] | undefined {
  const content = readFileSync(join(scratch.root, path));
  return rangesOf(index, path, text)?.map(({ offset, end, line }) => ({ line, text: content.toString('latin1', offset, end) }));
}

function rangesOf(index: TrigramIndex, path: string, text: string): readonly PartRange[] | undefined {
  const plan = planQuery(text, { regex: false, caseSensitive: false, word: false, multiline: false });
  const found = index.candidates(plan, 100, { run: plan });
  assert.ok(found !== 'all' && found.files.includes(path), `${path} is a candidate`);
  return found.parts.get(path);
}

test('of a large file only the parts are named in which a text may stand, with the numbers of their lines', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const text = linesWith({ 1: 'firstneedle', 700: 'middleneedle', 2000: 'lastneedle' });
  scratch.write('large.txt', text);
  scratch.write('longline.txt', `before\n${'x'.repeat(30_000)}hiddenneedle${'y'.repeat(9000)}\nafterneedle\n`);
  const expect = (index: TrigramIndex): void => {
    for (const [word, line] of [
      ['firstneedle', 1],
      ['middleneedle', 700],
      ['lastneedle', 2000],
    ] as const) {
      const [part, ...others] = partsOf(scratch, index, 'large.txt', word) ?? [];
      assert.deepEqual(others, [], word);
      assert.ok(part !== undefined && part.text.length < 2 * 4096, word);
      assert.ok(
        text
          .split('\n')
          .slice(part.line - 1)
          .join('\n')
          .startsWith(part.text),
        'the part begins with that line',
      );
      assert.ok(part.line <= line && line < part.line + part.text.split('\n').length, `${word} stands in it`);
    }
    assert.deepEqual(
      partsOf(scratch, index, 'longline.txt', 'afterneedle')?.map(({ text: found }) => found),
      ['afterneedle\n'],
    );
    assert.equal(partsOf(scratch, index, 'longline.txt', 'hiddenneedle')?.[0]?.line, 2);
    assert.deepEqual(find(index, 'middleneedle'), ['large.txt']);
  };
  const first = scratch.index();
  await first.start(scratch.list());
  expect(first);
  const { files, textBytes } = first.status();
  assert.equal(files, 602);
  assert.equal(
    textBytes,
    scratch.list().reduce((sum, { size }) => sum + size, 0),
    'a file counts once',
  );
  await first.stop();
  const second = scratch.index();
  assert.deepEqual({ ...(await second.start(scratch.list())), ms: 0 }, { indexed: 0, reused: 602, ms: 0 });
  expect(second);
  assert.equal(second.status().textBytes, textBytes);
  // It changed: it is in memory, and whole.
  scratch.write('large.txt', linesWith({ 900: 'otherneedle' }), old + 5);
  await second.update(['large.txt'], []);
  assert.deepEqual(find(second, 'middleneedle'), []);
  assert.equal(partsOf(scratch, second, 'large.txt', 'otherneedle'), undefined);
  await second.update([], ['large.txt']);
  assert.deepEqual(find(second, 'otherneedle'), []);
});

test('of a line that is longer than a part only those parts are named that have the text, also where it was cut within the text', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  const before = 'before\n';
  // The first cut is after 8,192 bytes.
  const line = `${'x'.repeat(8192 - before.length - 4)}seamneedle${'é'.repeat(8000)}hiddenneedle${'y'.repeat(9000)}seamneedle`;
  scratch.write('longline.txt', `${before}${line}\nafter\n`);
  const index = scratch.index();
  await index.start(scratch.list());
  const whole = { offset: 0, end: Buffer.byteLength(`${before}${line}\nafter\n`), line: 1 };
  const expect = (text: string, offsets: number[]): void => {
    const ranges = rangesOf(index, 'longline.txt', text);
    assert.deepEqual(
      ranges?.map(({ offset }) => offset),
      offsets,
      text,
    );
    assert.deepEqual(
      ranges?.map(({ lines }) => lines),
      offsets.map(() => whole),
      text,
    );
  };
  expect('seamneedle', [8192, 32_768]);
  expect('hiddenneedle', [16_384]);
  // With nothing known of a text that stands in one of them as a whole, all may match.
  const all = index.candidates(planQuery('hiddenneedle', { regex: false, caseSensitive: false, word: false, multiline: false }));
  assert.equal(all === 'all' ? 0 : all.parts.get('longline.txt')?.length, 5);
});

test('words of a search over several lines may stand in different parts of a file', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  scratch.write('large.txt', linesWith({ 1: 'firstneedle', 2000: 'lastneedle' }));
  const index = scratch.index();
  await index.start(scratch.list());
  const plan = planQuery('firstneedle(?s:.)*lastneedle', { regex: true, caseSensitive: true, word: false, multiline: true });
  const lines = index.candidates(plan, 100, { multiline: true });
  assert.deepEqual(lines === 'all' ? lines : lines.files, ['large.txt']);
  assert.deepEqual(lines === 'all' ? lines : [...lines.parts], []);
  const oneLine = index.candidates(plan, 100);
  assert.deepEqual(oneLine === 'all' ? oneLine : oneLine.files, [], 'the parts alone would leave it out');
});

test('a large file is whole where it has a byte order mark, and of nobody knows what where it is binary at its end (long form)', async () => {
  await using scratch = new Scratch();
  scratch.writeMany();
  scratch.write('marked.txt', `\ufeff${linesWith({ 1500: 'markedneedle' })}`);
  scratch.write('wide.txt', Buffer.from(`\ufeff${linesWith({ 1500: 'wideneedle' })}`, 'utf16le'));
  scratch.write('binary.txt', `${linesWith({ 3: 'binaryneedle' })}\0\n`);
  const index = scratch.index();
  await index.start(scratch.list());
  assert.equal(partsOf(scratch, index, 'marked.txt', 'markedneedle'), undefined);
  assert.equal(partsOf(scratch, index, 'wide.txt', 'wideneedle'), undefined);
  assert.deepEqual(find(index, 'binaryneedle'), []);
  assert.deepEqual(unindexed(index), ['binary.txt']);
  assert.equal(index.facts('binary.txt')?.binary, true);
});
