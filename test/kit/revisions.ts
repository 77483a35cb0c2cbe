import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createClient } from '../../src/client/client.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { type SidecarProcess, spawnSidecar } from './sidecar-process.ts';
import { processToken } from './sidecar-process.ts';

export interface RevisionsOptions {
  writes: number;
  /** SIGKILLs of the sidecar, spread over the writes. */
  kills: number;
  /** The follower is a new one, with the last cursor, after so many changes. */
  followerLives: number;
}

/**
 * Writes, from several callers at once, to a sidecar that is killed again and again, while a follower that is itself replaced
 * reads the changes. It must see every revision once, in order, and every write that was acknowledged.
 */
export async function followThroughKills({
  writes,
  kills,
  followerLives,
}: RevisionsOptions): Promise<{ revisions: number; resyncs: number }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-revisions-'));
  const options = {
    root: path.join(folder, 'root'),
    state: path.join(folder, 'state'),
    port: 0,
    flags: { 'limits.requestsPerMinute': '10000000' },
  };
  fs.mkdirSync(options.root);
  let sidecar: SidecarProcess = await spawnSidecar(options);
  options.port = Number(new URL(sidecar.url).port);
  const acknowledged = new Map<string, number>();
  const seen: { revision: number; path: string }[] = [];
  let resyncs = 0;
  let over = false;
  const writer = createClient<Operations>({ url: sidecar.url, token: processToken });
  const reader = createClient<Operations>({ url: sidecar.url, token: processToken });

  const follow = async (): Promise<void> => {
    let cursor = (await reader.call('changes.since', {})).cursor;
    while (!over) {
      const life = new AbortController();
      const lifeTime = writes / followerLives;
      let count = 0;
      for await (const item of reader.watchChanges(cursor, { signal: life.signal, git: false })) {
        if (over) break;
        cursor = item.cursor;
        if (item.type === 'resync') resyncs++;
        if (item.type !== 'change') continue;
        seen.push({ revision: item.revision, path: item.path });
        if (++count >= lifeTime) break;
      }
      life.abort();
    }
  };
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < writes) {
      const n = next++;
      const name = `d${n % 10}/f${n}`;
      for (;;) {
        try {
          acknowledged.set(name, (await writer.call('files.write', { path: name, text: `${n}` })).revision);
          break;
        } catch (error) {
          // Killed in the middle: it may or may not have been written.
          if (!(error instanceof OutriggerError)) throw error;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    }
  };
  const kill = async (): Promise<void> => {
    for (let n = 1; n <= kills; n++) {
      while (next < (writes * n) / (kills + 1)) await new Promise((resolve) => setTimeout(resolve, 5));
      await sidecar.kill();
      sidecar = await spawnSidecar(options);
    }
  };
  try {
    const following = follow();
    await Promise.all([...Array.from({ length: 16 }, write), kill()]);
    const last = await writer.call('files.write', { path: 'last', text: 'last' });
    const deadline = performance.now() + 20_000;
    while (seen.at(-1)?.path !== 'last' && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10));
    over = true;
    // One more, so that the follower wakes and ends.
    await writer.call('files.write', { path: 'wake', text: '' });
    await following;
    for (const [index, { revision }] of seen.entries()) assert.equal(revision, (seen[0]?.revision ?? 0) + index, 'a gap or a repeat');
    assert.equal(seen.at(-1)?.revision, last.revision);
    const told = new Set(seen.map((change) => change.path));
    for (const name of acknowledged.keys()) assert.ok(told.has(name), `${name} was acknowledged and never told`);
    assert.equal(await sidecar.stop(), 0);
    return { revisions: seen.length, resyncs };
  } finally {
    over = true;
    writer.close();
    reader.close();
    await sidecar.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
