import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import type { StatKey } from './stat-key.ts';
import { YoungFiles } from './young-files.ts';

const LONG_AFTER_MS = 1000;

async function withYoung(
  run: (scene: {
    young: YoungFiles;
    other: string[];
    waiting: Set<string>;
    /** Gives when the file was written, ms since 1970. */
    write: (file: string, text: string) => number;
    /** As the watch tells it. */
    tell: (file: string, startedAt: number) => void;
  }) => void,
): Promise<void> {
  await withScratchFolder('young', (_folder, root) => {
    const other: string[] = [];
    const waiting = new Set<string>();
    const keyOf = (file: string): StatKey => {
      const { size, mtimeMs, ino } = fs.lstatSync(path.join(root, file));
      return { size, mtimeMs, ino };
    };
    const young = new YoungFiles({
      root,
      maxBytes: 1000,
      lookup: (file) => (fs.existsSync(path.join(root, file)) ? { kind: 'file', key: keyOf(file) } : null),
      isWaiting: (file) => waiting.has(file),
      onOther: ({ path: file }, isRead) => other.push(`${file} ${isRead}`),
    });
    // In place, and all at one time: nothing that stat shows is another.
    const time = new Date('2026-01-01');
    const write = (file: string, text: string): number => {
      fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      fs.writeFileSync(path.join(root, file), text);
      fs.utimesSync(path.join(root, file), time, time);
      return time.getTime();
    };
    const tell = (file: string, startedAt: number): void => {
      const hash = createHash('sha256')
        .update(fs.readFileSync(path.join(root, file)))
        .digest('hex');
      young.told(file, { key: keyOf(file), hash }, startedAt);
    };
    run({ young, other, waiting, write, tell });
    return Promise.resolve();
  });
}

const due = (): number => performance.now() + LONG_AFTER_MS;

test('what was written right after it was read, under the same time, is found by another look; what was not is not told again', () =>
  withYoung(({ young, other, write, tell }) => {
    for (const file of ['same', 'other', 'old']) tell(file, write(file, 'one') + (file === 'old' ? LONG_AFTER_MS : 1));
    assert.deepEqual([[...young.paths()], young.size], [['same', 'other'], 2]);
    write('other', 'two');
    write('old', 'two');
    young.readDue(performance.now() - LONG_AFTER_MS);
    assert.deepEqual(other, [], 'it is not time yet');
    young.readDue(due());
    assert.deepEqual([other, young.size, young.nextDueAt], [['other true'], 0, Number.POSITIVE_INFINITY]);
  }));

test('who waits has small ones read at once, and they are looked at again when it is time', () =>
  withYoung(({ young, other, waiting, write, tell }) => {
    for (const file of ['a', 'b', 'c']) tell(file, write(file, 'one'));
    for (const file of ['a', 'c']) write(file, 'two');
    waiting.add('c');
    assert.deepEqual([young.afterReading(), other, [...young.paths()]], [[], ['a true'], ['a', 'b']]);
    write('b', 'two');
    young.readDue(due());
    assert.deepEqual(other, ['a true', 'a true', 'b true']);
  }));

test('they go with their folder; what is forgotten, gone or another file by now is not read', () =>
  withYoung(({ young, other, write, tell }) => {
    for (const file of ['d/a', 'd/b', 'd/c', 'e']) tell(file, write(file, 'one'));
    for (const file of ['f/a', 'f/b', 'f/c']) write(file, 'two');
    young.folderMoved('d', 'f');
    young.forget('f/c');
    assert.deepEqual([...young.paths()], ['e', 'f/a', 'f/b']);
    young.readDue(due());
    assert.deepEqual([other, young.size], [[], 0], 'other files stand there');
  }));
