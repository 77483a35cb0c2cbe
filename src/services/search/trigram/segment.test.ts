import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import zlib from 'node:zlib';
import { testSeed } from '../../../../test/kit/seed.ts';
import { mayMatch, type Plan } from './plan-tree.ts';
import { SegmentBuilder, writeSegment } from './segment-builder.ts';
import { flagAscii, flagBinary, headerBytes, segmentVersion } from './segment-format.ts';
import { DamagedSegment, Segment, verifySegment } from './segment.ts';

let scratch = '';
let path = '';
const contents = new Map<string, Set<number>>();

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'trigram-segment-'));
  path = join(scratch, 'one.trigrams');
  const builder = new SegmentBuilder();
  for (let file = 0; file < 300; file++) {
    const name = `src/päth/${file % 7}/file-${file}.ts`;
    const grams = new Set<number>();
    // Some in all files, some in one, the last one there can be, and distances that need two bytes.
    for (let gram = 0; gram < 200; gram++) if ((gram * 7919 + file * 104_729) % (gram + 1) === 0) grams.add((gram * 10_007) % (1 << 21));
    if (file === 299 || file === 3) grams.add((1 << 21) - 1);
    contents.set(name, grams);
    builder.add({ path: name, size: file, mtimeMs: file + 0.25, flags: flagAscii }, Uint32Array.from(grams));
  }
  builder.add({ path: 'binary', size: 9, mtimeMs: 1, flags: flagBinary }, Uint32Array.of(77));
  await writeSegment(path, join(scratch, 'temporary'), builder.encode(5));
});

after(() => rmSync(scratch, { recursive: true, force: true }));

function open(of: string): Segment {
  const segment = new Segment(of);
  for (const _ of segment.readNames());
  return segment;
}

function found(segment: Segment, plan: Plan): string[] | null {
  const files = segment.find(plan);
  return files && [...files].map((file) => segment.names[file] as string);
}

test('a segment gives back its files, and nothing but itself stands in the folder', () => {
  verifySegment(path);
  const segment = open(path);
  try {
    assert.deepEqual(segment.names, [...contents.keys(), 'binary']);
    assert.equal(segment.header.sequence, 5);
    assert.equal(segment.sizes[17], 17);
    assert.equal(segment.mtimes[17], 17.25);
    assert.equal(segment.flags[300], flagBinary);
    assert.deepEqual(readdirSync(scratch), ['one.trigrams']);
    assert.equal(segment.bytes, readFileSync(path).length);
  } finally {
    segment.close();
  }
});

test('plans find the same files as looking at each one', () => {
  const segment = open(path);
  const gram = (number: number): Plan => ({ kind: 'trigram', gram: (number * 10_007) % (1 << 21) });
  const last: Plan = { kind: 'trigram', gram: (1 << 21) - 1 };
  const plans: Plan[] = [
    ...Array.from({ length: 200 }, (_, number) => gram(number)),
    last,
    { kind: 'trigram', gram: 5 },
    { kind: 'trigram', gram: 77 },
    { kind: 'none' },
    { kind: 'and', of: [gram(2), gram(3), gram(4)] },
    { kind: 'and', of: [gram(100), last] },
    { kind: 'and', of: [gram(1), { kind: 'trigram', gram: 5 }] },
    { kind: 'or', of: [gram(90), gram(150), { kind: 'trigram', gram: 5 }] },
    { kind: 'or', of: [{ kind: 'and', of: [gram(5), gram(6)] }, last] },
    { kind: 'and', of: [{ kind: 'or', of: [gram(9), gram(10)] }, { kind: 'or', of: [gram(3), gram(11)] }, gram(0)] },
  ];
  try {
    let total = 0;
    for (const plan of plans) {
      const expected = [...contents].filter(([, grams]) => mayMatch(plan, (wanted) => grams.has(wanted))).map(([name]) => name);
      assert.deepEqual(found(segment, plan), expected, JSON.stringify(plan));
      total += expected.length;
    }
    assert.ok(total > 300);
    assert.equal(segment.find({ kind: 'all' }), null);
  } finally {
    segment.close();
  }
});

test('a segment with a bit turned over is refused, wherever that is', () => {
  const seed = testSeed();
  const whole = readFileSync(path);
  const damaged = join(scratch, 'damaged');
  let state = seed;
  for (let turn = 0; turn < 300; turn++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    // Every byte of the header, then places all over.
    const at = turn < headerBytes ? turn : state % whole.length;
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] as number) ^ (1 << (turn % 8));
    writeFileSync(damaged, bytes);
    assert.throws(() => verifySegment(damaged), DamagedSegment, `SEED=${seed}, byte ${at}`);
  }
  rmSync(damaged);
});

test('a segment whose postings are damaged after it was opened throws or finds files that it has, and reads nothing beyond', () => {
  const whole = readFileSync(path);
  const damaged = join(scratch, 'damaged');
  let thrown = 0;
  for (let turn = 0; turn < 200; turn++) {
    const bytes = Buffer.from(whole);
    const at = bytes.length - 1 - ((turn * 37) % 4000);
    bytes[at] = 0xff;
    writeFileSync(damaged, bytes);
    const segment = new Segment(damaged);
    try {
      for (let number = 0; number < 200; number++) {
        for (const file of segment.find({ kind: 'trigram', gram: (number * 10_007) % (1 << 21) }) ?? []) assert.ok(file < 301);
      }
    } catch (error) {
      assert.ok(error instanceof DamagedSegment, String(error));
      thrown++;
    } finally {
      segment.close();
    }
  }
  assert.ok(thrown > 0);
  rmSync(damaged);
});

test('a segment that was cut off, is empty, too long, or something else is refused', () => {
  const damaged = join(scratch, 'damaged');
  const length = readFileSync(path).length;
  for (const size of [0, 1, headerBytes - 1, headerBytes, 500, length - 1]) {
    copyFileSync(path, damaged);
    truncateSync(damaged, size);
    assert.throws(() => verifySegment(damaged), DamagedSegment, `${size} bytes`);
    assert.throws(() => new Segment(damaged), DamagedSegment, `${size} bytes`);
  }
  writeFileSync(damaged, Buffer.concat([readFileSync(path), Buffer.from('x')]));
  assert.throws(() => new Segment(damaged), DamagedSegment);
  writeFileSync(damaged, 'x'.repeat(length));
  assert.throws(() => new Segment(damaged), /it is no segment/);
  rmSync(damaged);
});

test('a segment of another version is refused, though all its checksums are right', () => {
  const damaged = join(scratch, 'damaged');
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(segmentVersion + 1, 4);
  bytes.writeUInt32LE(zlib.crc32(bytes.subarray(0, headerBytes - 4)), headerBytes - 4);
  writeFileSync(damaged, bytes);
  assert.throws(() => verifySegment(damaged), /its version is/);
  assert.throws(() => new Segment(damaged), /its version is/);
  rmSync(damaged);
});

test('a segment that can not be written leaves nothing behind', async () => {
  const builder = new SegmentBuilder();
  builder.add({ path: 'a', size: 1, mtimeMs: 1, flags: 0 }, Uint32Array.of(1));
  const folder = mkdtempSync(join(scratch, 'folder-'));
  // The place is taken by a folder: the rename fails, after all was written.
  await assert.rejects(writeSegment(folder, join(scratch, 'temporary'), builder.encode(1)), { syscall: 'rename' });
  await assert.rejects(writeSegment(join(scratch, 'x'), join(scratch, 'none', 'temporary'), builder.encode(1)), { code: 'ENOENT' });
  rmSync(folder, { recursive: true });
  assert.deepEqual(readdirSync(scratch), ['one.trigrams']);
});

test('a builder says when it is full, by files and by trigrams', () => {
  const many = new SegmentBuilder();
  for (let file = 0; file < 16_383; file++) many.add({ path: `${file}`, size: 0, mtimeMs: 0, flags: 0 }, new Uint32Array(0));
  assert.equal(many.isFull, false);
  many.add({ path: 'last', size: 0, mtimeMs: 0, flags: 0 }, new Uint32Array(0));
  assert.equal(many.isFull, true);
  const large = new SegmentBuilder();
  const grams = Uint32Array.from({ length: 1_000_000 }, (_, gram) => gram);
  for (let file = 0; file < 7; file++) large.add({ path: `${file}`, size: 0, mtimeMs: 0, flags: 0 }, grams);
  assert.equal(large.isFull, false);
  large.add({ path: 'last', size: 0, mtimeMs: 0, flags: 0 }, grams);
  assert.equal(large.isFull, true);
});
