import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../../test/kit/eventually.ts';
import { AnsweringThread } from './index-thread.ts';

test('a thread that nobody asks anything ends, and the next question is answered by another, also at that very moment', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-index-thread-'));
  fs.writeFileSync(path.join(root, 'a.txt'), 'needle\n');
  const thread = new AnsweringThread({ root, folder: root, maxFileBytes: 1000, partBytes: 64 * 1024, sequence: 1, name: 'test' }, 20);
  try {
    assert.equal(thread.isRunning, false);
    for (let round = 0; round < 8; round++) {
      const [file] = await thread.index(['a.txt']);
      assert.equal(file?.state, 'indexed');
      if (round % 2 === 0) await eventually(() => !thread.isRunning);
      else await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    await thread.stop();
    fs.rmSync(root, { recursive: true, force: true });
  }
});
