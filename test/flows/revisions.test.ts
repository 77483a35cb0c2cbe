import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { followThroughKills } from '../kit/revisions.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';

test('a follower sees every change once and in order, though the sidecar is killed and the follower replaced', async () => {
  const { revisions, resyncs } = await followThroughKills({ writes: 900, kills: 3, followerLives: 5 });
  assert.equal(resyncs, 0);
  assert.ok(revisions >= 900);
});

for (const end of ['stop', 'kill'] as const)
  test(`what changed after a ${end}, while no sidecar ran, is told after the start, as from outside, and what did not is not`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-offline-'));
    const options = { root: path.join(folder, 'root'), state: path.join(folder, 'state'), port: 0 };
    const at = (name: string): string => path.join(options.root, name);
    fs.mkdirSync(options.root);
    const first = await spawnSidecar(options);
    let second: Awaited<ReturnType<typeof spawnSidecar>> | undefined;
    const clients: { close(): void }[] = [];
    try {
      const before = createClient<Operations>({ url: first.url, token: processToken });
      clients.push(before);
      for (const name of ['same', 'changed', 'removed']) await before.call('files.write', { path: name, text: name });
      await before.call('files.mkdir', { path: 'folder' });
      const { cursor } = await before.call('changes.since', {});
      if (end === 'stop') assert.equal(await first.stop(), 0);
      else await first.kill();
      fs.writeFileSync(at('changed'), 'by another hand');
      fs.writeFileSync(at('folder/new'), 'new');
      fs.rmSync(at('removed'));
      second = await spawnSidecar(options);
      const after = createClient<Operations>({ url: second.url, token: processToken });
      clients.push(after);
      await eventually(async () => {
        const { changes, resync } = await after.call('changes.since', { cursor });
        assert.equal(resync, undefined);
        assert.deepEqual(changes.map(({ what, path: where, cause }) => `${what} ${where} ${cause.kind}`).sort(), [
          'changed changed outside',
          'created folder/new outside',
          'removed removed outside',
        ]);
      });
      assert.equal(await second.stop(), 0);
    } finally {
      for (const client of clients) client.close();
      await first.kill();
      await second?.kill();
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });

test('our own changes are told once, by the call, with who made them; those of others as from outside', () =>
  withSidecar(async ({ client, put, root }) => {
    const { cursor } = await client.call('changes.since', {});
    await client.call('files.write', { path: 'ours/a', text: 'a' });
    fs.mkdirSync(`${root}/ours/deep`);
    put('ours/deep/theirs', 'b');
    await client.call('files.move', { from: 'ours/a', to: 'ours/b' });
    await client.call('files.copy', { from: 'ours', to: 'copy' });
    await client.call('files.move', { from: 'copy', to: 'third' });
    put('ours/b', 'changed by hand');
    await client.call('files.remove', { path: 'third', recursive: true });
    put('end');
    await eventually(async () => assert.match(JSON.stringify((await client.call('changes.since', {})).changes), /"path":"end"/));
    // Late echoes would come now.
    await client.call('files.write', { path: 'later', text: '' });
    put('end2');
    await eventually(async () => assert.match(JSON.stringify((await client.call('changes.since', {})).changes), /"path":"end2"/));
    const { changes } = await client.call('changes.since', { cursor });
    const told = changes.map(
      ({ what, path: where, from, cause }) =>
        `${cause.kind === 'outside' ? 'outside' : cause.who?.[0]?.name} ${what} ${from === undefined ? '' : `${from} → `}${where}`,
    );
    const ours = told.filter((line) => line.startsWith('owner'));
    const outside = told.filter((line) => line.startsWith('outside'));
    assert.deepEqual(
      ours.filter((line) => !/copy|third/.test(line)),
      ['owner created ours', 'owner created ours/a', 'owner moved ours/a → ours/b', 'owner created later'],
    );
    assert.ok(ours.includes('owner moved copy → third'));
    assert.deepEqual(
      outside.filter((line) => /copy|third|ours\/a|later/.test(line)),
      [],
      told.join('\n'),
    );
    assert.deepEqual(
      outside.filter((line) => !/created/.test(line)),
      ['outside changed ours/b'],
    );
  }));

test('a folder that was there before the start and is moved by a call is one change, with all that is in it', () =>
  withSidecar(
    async ({ client, put, root }) => {
      // What was written just before its folder was moved is told in any case.
      await eventually(() => assert.ok(Date.now() - fs.statSync(`${root}/there/deep`).ctimeMs > 2_200));
      await client.call('files.move', { from: 'there', to: 'moved' });
      for (const end of ['end', 'end2']) {
        put(end);
        await eventually(async () => assert.match(JSON.stringify((await client.call('changes.since', {})).changes), RegExp(`"${end}"`)));
      }
      const { changes } = await client.call('changes.since', {});
      assert.deepEqual(
        changes.map(({ what, path: where }) => `${what} ${where}`),
        ['moved moved', 'created end', 'created end2'],
      );
    },
    {
      prepare: (root) => {
        fs.mkdirSync(path.join(root, 'there/deep'), { recursive: true });
        for (const name of ['there/a', 'there/b', 'there/deep/c']) fs.writeFileSync(path.join(root, name), name);
      },
    },
  ));
