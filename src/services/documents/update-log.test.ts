import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { encodeRecord, type LogRecord, readSegment, UpdateLog } from './update-log.ts';

const records: LogRecord[] = [
  { type: 'update', update: Uint8Array.from([1, 2, 3]) },
  { type: 'snapshot', save: 7, hash: 'abc' },
  { type: 'saved', save: 7, hash: 'abc' },
  { type: 'disk', hash: 'def', text: 'ünï😀\n' },
  { type: 'update', update: new Uint8Array(0) },
];

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-log-'));
  try {
    await run(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const options = (folder: string, segmentBytes = 1e6): ConstructorParameters<typeof UpdateLog>[0] => ({
  folder,
  segmentBytes,
  syncEveryMs: 5,
});
const plain = (record: LogRecord): unknown => (record.type === 'update' ? { ...record, update: [...record.update] } : record);

test('what was written is read back after a restart, in order, and numbers go on', () =>
  withFolder(async (folder) => {
    const first = new UpdateLog(options(folder), 0);
    for (const record of records) first.add(5, record);
    first.write();
    await first.close();
    const second = new UpdateLog(options(folder), 0);
    const read = [...second.readAll()];
    assert.deepEqual(
      read.map(({ record }) => plain(record)),
      records.map(plain),
    );
    assert.deepEqual(
      read.map(({ sequence }) => sequence),
      [1, 2, 3, 4, 5],
    );
    assert.ok(read.every(({ document }) => document === 5));
    assert.equal(second.sequence, 5);
    second.add(6, { type: 'snapshot', save: 1, hash: 'abc' });
    second.write();
    await second.close();
    assert.equal([...new UpdateLog(options(folder), 0).readAll()].length, 6);
  }));

test('a tail that a crash cut short, at any byte, costs that record alone', () => {
  const whole = Buffer.concat(records.map((record, index) => encodeRecord(1, index + 1, record)));
  const ends = records.map(
    (_, count) => Buffer.concat(records.slice(0, count + 1).map((record, index) => encodeRecord(1, index + 1, record))).length,
  );
  for (let length = 0; length <= whole.length; length++) {
    const complete = ends.filter((end) => end <= length).length;
    assert.equal([...readSegment(whole.subarray(0, length))].length, complete, `${length} bytes`);
  }
});

test('a damaged byte is found, and what follows is not trusted', () => {
  const whole = Buffer.concat(records.map((record, index) => encodeRecord(1, index + 1, record)));
  whole[whole.length - 30] = (whole[whole.length - 30] as number) ^ 1;
  assert.ok([...readSegment(whole)].length < records.length);
});

test('old segments go when their documents are stored elsewhere; what came since stays', () =>
  withFolder(async (folder) => {
    const log = new UpdateLog(options(folder, 10), 0);
    log.add(1, { type: 'snapshot', save: 1, hash: 'abc' });
    log.write();
    assert.equal(log.full, true);
    const drop = log.rotate();
    assert.equal(log.full, false);
    log.add(1, { type: 'snapshot', save: 2, hash: 'abc' });
    log.write();
    drop();
    await log.close();
    assert.deepEqual(
      [...new UpdateLog(options(folder), 0).readAll()].map(({ record }) => record),
      [{ type: 'snapshot', save: 2, hash: 'abc' }],
    );
  }));

test('what earlier starts left counts, so that a log whose programs are always killed has an end', () =>
  withFolder(async (folder) => {
    const start = (): UpdateLog => {
      const log = new UpdateLog(options(folder, 100), 0);
      for (const _record of log.readAll());
      return log;
    };
    const update = { type: 'update', update: new Uint8Array(20) } as const;
    for (const isFull of [false, false, true]) {
      const log = start();
      log.add(1, update);
      log.write();
      assert.equal(log.full, isFull);
      await log.close();
    }
    const log = start();
    assert.equal(log.full, true);
    const drop = log.rotate();
    assert.equal(log.full, false);
    drop();
    assert.deepEqual(fs.readdirSync(folder), []);
    await log.close();
  }));

test('closing ends, also right after a rotation or with nothing written', () =>
  withFolder(async (folder) => {
    await new UpdateLog(options(folder), 0).close();
    const log = new UpdateLog(options(folder), 0);
    log.add(1, { type: 'snapshot', save: 1, hash: 'abc' });
    log.write();
    log.rotate();
    await log.close();
    await log.close();
  }));
