import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cause, withWorkspace } from '../kit/workspace-harness.ts';

const MB = 1024 * 1024;

test('a write of a gigabyte takes little memory', { timeout: 300_000 }, () =>
  withWorkspace(async ({ workspace, temporaries }) => {
    const chunk = Buffer.alloc(MB, 'x');
    const before = process.memoryUsage.rss();
    let most = before;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 1024; n++) {
        most = Math.max(most, process.memoryUsage.rss());
        yield await Promise.resolve(chunk);
      }
    };
    const written = await workspace.write('big', body(), { cause });
    assert.equal(written.size, 1024 * MB);
    assert.ok(most - before < 100 * MB, `memory grew by ${Math.round((most - before) / MB)} MB`);
    assert.deepEqual(temporaries(), []);
  }),
);
