import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { hashBytes, TIMESTAMP_STEP_MS } from './content.ts';
import { KnownContents } from './known-contents.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';

test('what was read of a file a moment after it was changed is not kept, however long that took: another change may have the same time', (t) =>
  withScratchFolder('known-contents', async (folder) => {
    fs.writeFileSync(`${folder}/a`, 'text');
    const descriptor = fs.openSync(`${folder}/a`, 'r');
    try {
      const stat = fs.fstatSync(descriptor);
      let now = Math.max(stat.mtimeMs, stat.ctimeMs) + 1;
      const contents = new KnownContents({ journal: { known: () => undefined }, now: () => now });
      const read = fs.readSync.bind(fs) as (...asked: unknown[]) => number;
      t.mock.method(fs, 'readSync', (...asked: unknown[]) => {
        now += 10 * TIMESTAMP_STEP_MS;
        return read(...asked);
      });
      assert.equal(await contents.of('a', descriptor, stat), hashBytes('text'));
      assert.equal(contents.get('a', stat), undefined);
      await contents.of('a', descriptor, stat);
      assert.equal(contents.get('a', stat), hashBytes('text'));
    } finally {
      fs.closeSync(descriptor);
    }
  }));
