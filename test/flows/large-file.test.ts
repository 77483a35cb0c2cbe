import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createClient } from '../../src/client/client.ts';

import type { Operations } from '../../src/contract/operations.ts';
import { forgetPeak, memoryOf, noProc } from '../kit/process-memory.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';

const MB = 1024 * 1024;
const SIZE = 1024 * MB;
const authorization = `Bearer ${processToken}`;
const [start, end] = ['first line\n', '\nsecond to last\nlast line\n'];

describe('a file of a gigabyte', { skip: noProc }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-large-'));
  const root = path.join(folder, 'root');
  const big = path.join(root, 'big.log');
  let sidecar: SidecarProcess;
  let client: ReturnType<typeof createClient<Operations>>;
  const url = (file: string): string => `${sidecar.url}/api/files/${file}`;
  const pid = (): number => sidecar.child.pid ?? 0;

  before(async () => {
    fs.mkdirSync(root);
    // Sparse: it takes no room on the disk.
    fs.writeFileSync(big, start);
    fs.truncateSync(big, SIZE - end.length);
    fs.appendFileSync(big, end);
    sidecar = await spawnSidecar({ root, state: path.join(folder, 'state'), port: 0 });
    client = createClient<Operations>({ url: sidecar.url, token: processToken });
    await client.call('files.list', { path: '' });
    forgetPeak(pid());
  });
  after(async () => {
    client?.close();
    await sidecar?.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  test('is downloaded whole while others are answered, with little memory (long form)', async () => {
    let longest = 0;
    let isOver = false;
    const others = (async () => {
      while (!isOver) {
        const asked = performance.now();
        await client.call('files.stat', { path: 'big.log' });
        longest = Math.max(longest, performance.now() - asked);
      }
    })();
    const { residentMb } = memoryOf(pid());
    const answer = await fetch(url('big.log'), { headers: { authorization } });
    assert.equal(answer.headers.get('content-length'), String(SIZE));
    let length = 0;
    let tail = Buffer.alloc(0);
    for await (const bytes of answer.body as AsyncIterable<Uint8Array>) {
      if (length === 0) assert.equal(Buffer.from(bytes.subarray(0, start.length)).toString(), start);
      length += bytes.length;
      tail = Buffer.concat([tail, bytes]).subarray(-end.length);
    }
    isOver = true;
    await others;
    assert.deepEqual([length, tail.toString()], [SIZE, end]);
    const { peakMb } = memoryOf(pid());
    assert.ok(peakMb - residentMb < 100, `${Math.round(peakMb - residentMb)} MB more`);
    assert.ok(longest < 500, `another call took ${Math.round(longest)} ms`);
  });

  test('gives a part of it, by bytes and by lines (long form)', async () => {
    const part = await fetch(url('big.log'), { headers: { authorization, range: `bytes=-${end.length}` } });
    assert.deepEqual([part.status, await part.text()], [206, end]);
    const beyond = await fetch(url('big.log'), { headers: { authorization, range: `bytes=${SIZE}-` } });
    assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, `bytes */${SIZE}`]);
    await beyond.text();
    const { text, lines } = await client.call('files.read', { path: 'big.log', tail: 2 });
    assert.deepEqual([text, lines], [end.slice(1), 4]);
  });

  test('is too large to be read as a text, to be edited, or to be opened together: each says so', async () => {
    const refuses = (reason: string, call: Promise<unknown>): Promise<void> => assert.rejects(call, { reason });
    await refuses('OUTPUT_TOO_LARGE', client.call('files.read', { path: 'big.log' }));
    await refuses('OUTPUT_TOO_LARGE', client.call('files.edit', { path: 'big.log', edits: [{ find: 'first', replace: 'only' }] }));
    const room = new WebSocket(`${sidecar.url.replace('http', 'ws')}/ws/doc/big.log?token=${processToken}`);
    const [closed] = (await once(room, 'close')) as [CloseEvent];
    assert.equal(closed.code, 4415, closed.reason);
    assert.equal(fs.statSync(big).size, SIZE);
  });
});
