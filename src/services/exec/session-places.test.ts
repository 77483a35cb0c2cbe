import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withSessions } from '../../../test/kit/session-harness.ts';

test('folders are there before they are asked for, also after somebody cleared them away, and none is left after the end', () =>
  withSessions(({ folder, start }) => {
    const ready = (): string[] => fs.readdirSync(`${folder}-ready`);
    const sessions = start();
    sessions.discard(sessions.prepare());
    sessions.settle();
    const made = ready();
    assert.deepEqual([made.length, fs.readdirSync(folder)], [2, []]);
    const { id, folder: data, spare } = sessions.prepare();
    assert.deepEqual([made.includes(id), fs.readdirSync(data)], [true, [spare]]);
    sessions.settle();
    for (const place of [folder, `${folder}-ready`]) fs.rmSync(place, { recursive: true });
    const again = sessions.prepare().folder;
    assert.deepEqual([fs.statSync(again).mode & 0o777, fs.statSync(path.dirname(again)).mode & 0o777], [0o700, 0o711]);
    // The next life has none of this one's.
    start().all();
    assert.deepEqual(ready(), []);
    sessions.settle();
    sessions.stop();
    assert.equal(fs.existsSync(`${folder}-ready`), false);
  }));
