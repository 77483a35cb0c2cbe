import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { Spool } from './spool.ts';

function inFolder(use: (file: string) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-spool-'));
  try {
    use(path.join(folder, 'stream'));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** All that is kept, as pieces with their offsets. */
function all(spool: Spool, step: number): [number, string][] {
  const pieces: [number, string][] = [];
  for (let at = 0; at < spool.end; ) {
    const { offset, bytes } = spool.read(at, step);
    if (bytes.length > 0) pieces.push([offset, bytes.toString('latin1')]);
    at = offset + bytes.length;
  }
  return pieces;
}

test('the start and the end of a stream are kept, at their offsets, and what is between is counted', () => {
  inFolder((file) => {
    const spool = new Spool(file, { headBytes: 4, tailBytes: 6 });
    spool.append(Buffer.from('abcdefghij'));
    assert.deepEqual(
      [
        spool.end,
        spool.lost,
        all(spool, 100)
          .map(([, text]) => text)
          .join(''),
      ],
      [10, 0, 'abcdefghij'],
    );
    spool.append(Buffer.from('klm'));
    assert.deepEqual([spool.end, spool.lost], [13, 3]);
    assert.deepEqual(spool.read(4, 100), { offset: 7, bytes: Buffer.from('hij') });
    assert.deepEqual(spool.read(10, 100), { offset: 10, bytes: Buffer.from('klm') });
    assert.deepEqual(spool.read(13, 100), { offset: 13, bytes: Buffer.alloc(0) });
    assert.deepEqual(spool.read(500, 100).offset, 13);
    spool.close();
    assert.equal(fs.statSync(file).size, 48 + 10);
  });
});

test('a stream goes on where another process left it, under the limits of its start', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-spool-'));
  try {
    const file = path.join(folder, 'stream');
    const first = new Spool(file, { headBytes: 2, tailBytes: 3 });
    first.append(Buffer.from('abcdefg'));
    // As after a kill -9 in the next turn: nothing was closed.
    await new Promise((resolve) => setImmediate(resolve));
    const second = new Spool(file, { headBytes: 100, tailBytes: 100 });
    assert.deepEqual([second.end, second.lost], [7, 2]);
    second.append(Buffer.from('h'));
    assert.equal(
      all(second, 1)
        .map(([, text]) => text)
        .join(''),
      'abfgh',
    );
    second.close();
    first.close();
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('random streams, read in random steps, are what was appended', () => {
  const seed = testSeed();
  const random = new Random(seed);
  for (let round = 0; round < 200; round++) {
    inFolder((file) => {
      const limits = { headBytes: random.below(20), tailBytes: 1 + random.below(30) };
      const spool = new Spool(file, limits);
      let whole = '';
      for (let step = random.below(12); step >= 0; step--) {
        const text = Array.from({ length: random.below(50) }, () => String.fromCharCode(97 + random.below(26))).join('');
        whole += text;
        assert.ok(spool.append(Buffer.from(text)));
      }
      const kept = all(spool, 1 + random.below(20));
      const about = `SEED=${seed} round ${round}`;
      for (const [offset, text] of kept) assert.equal(text, whole.slice(offset, offset + text.length), about);
      const count = kept.reduce((sum, [, text]) => sum + text.length, 0);
      assert.equal(count, Math.min(whole.length, limits.headBytes + limits.tailBytes), about);
      assert.equal(count + spool.lost, whole.length, about);
      spool.close();
    });
  }
});

test('killed between any two writes, a stream has no wrong byte, and all that was read of it keeps its place', async () => {
  const seed = testSeed();
  const random = new Random(seed);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-spool-'));
  const [file, left] = [path.join(folder, 'stream'), path.join(folder, 'left')];
  try {
    for (let round = 0; round < 30; round++) {
      fs.rmSync(file, { force: true });
      const spool = new Spool(file, { headBytes: random.below(20), tailBytes: 1 + random.below(200) });
      let whole = '';
      let told = 0;
      /** What the next sidecar has, killed now. */
      const check = (): void => {
        fs.copyFileSync(file, left);
        const next = new Spool(left, { headBytes: 1, tailBytes: 1 });
        const about = `SEED=${seed} round ${round}, killed at ${whole.length}`;
        assert.ok(next.end >= told, `${about}: ${told} bytes were told of, and ${next.end} are known`);
        const kept = all(next, 1000);
        for (const [offset, text] of kept) assert.equal(text, whole.slice(offset, offset + text.length), about);
        assert.equal(
          kept.reduce((sum, [, text]) => sum + text.length, next.lost),
          next.end,
          about,
        );
      };
      const { writeSync } = fs;
      fs.writeSync = ((...given: Parameters<typeof writeSync>) => {
        const done = writeSync(...given);
        check();
        return done;
      }) as typeof writeSync;
      try {
        for (let step = random.below(40); step >= 0; step--) {
          const text = Array.from({ length: random.below(80) }, () => String.fromCharCode(97 + random.below(26))).join('');
          whole += text;
          spool.append(Buffer.from(text));
          if (random.below(3) === 0) for (const [offset, read] of all(spool, 100)) told = offset + read.length;
          if (fs.existsSync(file)) check();
          if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        fs.writeSync = writeSync;
      }
      spool.close();
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('what a disk that is full for a while does not take is counted, and the rest keeps its offset (long form)', () => {
  const seed = testSeed();
  const random = new Random(seed);
  for (let round = 0; round < 300; round++) {
    inFolder((file) => {
      const limits = { headBytes: random.below(20), tailBytes: 1 + random.below(30) };
      let spool = new Spool(file, limits);
      const write = fs.writeSync;
      let whole = '';
      const check = (): void => {
        const about = `SEED=${seed} round ${round}`;
        const kept = all(spool, 1 + random.below(20));
        for (const [offset, text] of kept) assert.equal(text, whole.slice(offset, offset + text.length), about);
        const count = kept.reduce((sum, [, text]) => sum + text.length, 0);
        assert.equal(count + spool.lost, whole.length, about);
      };
      try {
        for (let step = random.below(16); step >= 0; step--) {
          const isFull = random.below(3) === 0;
          // As a disk does: some of it is taken, and then none.
          fs.writeSync = ((descriptor: number, bytes: Buffer, from: number, length: number, position: number) => {
            if (position > 0 && isFull && random.below(2) === 0) throw new Error('ENOSPC');
            return write(descriptor, bytes, from, isFull && position > 0 ? Math.min(length, 2) : length, position);
          }) as typeof fs.writeSync;
          const text = Array.from({ length: random.below(50) }, () => String.fromCharCode(97 + random.below(26))).join('');
          whole += text;
          assert.equal(spool.append(Buffer.from(text)) || isFull, true);
          check();
          if (random.below(4) === 0) {
            spool.close();
            if (spool.end > 0) spool = new Spool(file, { headBytes: 5, tailBytes: 5 });
            check();
          }
        }
      } finally {
        fs.writeSync = write;
        spool.close();
      }
    });
  }
});

test('a file that was taken away, or makes no sense, keeps nobody from going on', () => {
  inFolder((file) => {
    const spool = new Spool(file, { headBytes: 4, tailBytes: 8 });
    spool.append(Buffer.from('abcdef'));
    spool.close();
    fs.rmSync(file);
    assert.deepEqual(spool.read(0, 10), { offset: 6, bytes: Buffer.alloc(0) });
    assert.ok(!fs.existsSync(file), 'reading makes no file');
    spool.append(Buffer.from('gh'));
    assert.deepEqual(
      all(spool, 100).map(([offset, text]) => `${offset} ${text}`),
      ['6 gh'],
    );
    assert.equal(spool.lost, 6);
    spool.remove();
    assert.equal(spool.append(Buffer.from('ij')), false);
    assert.deepEqual(spool.read(0, 10), { offset: 10, bytes: Buffer.alloc(0) });
    assert.ok(!fs.existsSync(file));
    fs.writeFileSync(file, Buffer.alloc(100, 0xff));
    const other = new Spool(file, { headBytes: 4, tailBytes: 8 });
    assert.deepEqual([other.end, other.limits], [0, { headBytes: 4, tailBytes: 8 }]);
    other.close();
  });
});

test('what the disk does not take is counted', { skip: process.platform !== 'linux' && 'has no /dev/full' }, () => {
  const spool = new Spool('/dev/full', { headBytes: 4, tailBytes: 4 });
  assert.equal(spool.append(Buffer.from('abc')), false);
  assert.equal(spool.append(Buffer.from('def')), false);
  assert.deepEqual([spool.end, spool.lost, spool.read(0, 10)], [6, 6, { offset: 6, bytes: Buffer.alloc(0) }]);
  spool.close();
});

test('a stream that was let go of can be read, and grows again', () => {
  inFolder((file) => {
    const spool = new Spool(file, { headBytes: 4, tailBytes: 4 });
    spool.append(Buffer.from('abc'));
    spool.close();
    assert.equal(spool.read(0, 10).bytes.toString(), 'abc');
    spool.append(Buffer.from('de'));
    assert.equal(spool.read(2, 1).bytes.toString(), 'c');
    assert.equal(spool.end, 5);
    spool.remove();
    assert.ok(!fs.existsSync(file));
  });
});
