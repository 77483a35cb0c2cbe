import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import { forgetPeak, memoryOf, noProc } from '../kit/process-memory.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { cause, withWorkspace } from '../kit/workspace-harness.ts';

const MB = 1024 * 1024;

test('a write of a gigabyte takes little memory', () =>
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
  }));

test('a gigabyte goes up and comes down over HTTP, byte for byte, with little memory', { timeout: 300_000, skip: noProc }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-gigabyte-'));
  const root = path.join(folder, 'root');
  fs.mkdirSync(root);
  const sidecar = await spawnSidecar({ root, state: path.join(folder, 'state'), port: 0 });
  const pid = sidecar.child.pid ?? 0;
  const client = createClient({ url: sidecar.url, token: processToken });
  try {
    const sent = createHash('sha256');
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 1024; n++) {
        const bytes = Buffer.alloc(MB, `${n} `);
        sent.update(bytes);
        yield await Promise.resolve(bytes);
      }
    };
    await client.upload('files.upload', { path: 'small' }, 'small');
    const before = memoryOf(pid).residentMb;
    forgetPeak(pid);
    const written = await client.upload('files.upload', { path: 'big' }, body());
    assert.equal(written.size, 1024 * MB);
    const down = await client.download('files.download', { path: 'big' });
    const came = createHash('sha256');
    for await (const bytes of down.bytes) came.update(bytes);
    assert.equal(came.digest('hex'), sent.digest('hex'));
    const more = memoryOf(pid).peakMb - before;
    assert.ok(more < 150, `memory grew by ${Math.round(more)} MB`);
    assert.deepEqual(fs.readdirSync(root).sort(), ['big', 'small']);
  } finally {
    client.close();
    await sidecar.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
