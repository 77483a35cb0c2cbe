// Where no folder outside of the workspace can be written, as in one that is all of the machine, the state lies in it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createClient, type ClientStream } from '../../src/client/client.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { createLog } from '../../src/sidecar/log.ts';
import { startSidecar } from '../../src/sidecar/sidecar.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

type Ask = ReturnType<typeof createClient<Operations>>;

async function withStateInside(run: (places: { root: string; inside: string; client: Ask; reader: Ask }) => Promise<void>): Promise<void> {
  await withScratchFolder('inside', async (_folder, root) => {
    // Signs that mean something in a glob.
    const temporary = path.join(root, 'tmp (a) [b] {c}');
    fs.mkdirSync(temporary);
    const { config, surroundings } = loadConfig({ env: {}, flags: { root, port: '0' } });
    const sidecar = await startSidecar({ config, surroundings: { ...surroundings, temporary }, log: createLog(config, () => undefined) });
    const { url, token } = sidecar;
    const client = createClient<Operations>({ url, token });
    let reader: Ask | undefined;
    try {
      await sidecar.ready;
      const { secret } = await client.call('tokens.create', { name: 'reader', access: 'read' });
      reader = createClient<Operations>({ url, token: secret });
      const files = fs.readdirSync(temporary, { recursive: true, encoding: 'utf8' });
      const inside = files.find((file) => path.basename(file) === 'state.db');
      assert.ok(inside !== undefined, 'the state lies in the workspace');
      await run({ root, inside: path.join(path.basename(temporary), path.dirname(inside)), client, reader });
    } finally {
      reader?.close();
      client.close();
      await sidecar.stop();
    }
  });
}

async function pathsOf<T extends { path: string }>(stream: ClientStream<T, unknown>): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path: found } of stream) paths.push(found);
  return paths.sort();
}

test('what is written there is no change of the workspace, which would be written there again', () =>
  withStateInside(async ({ root, inside, client }) => {
    await client.call('index.wait', {});
    const { cursor } = await client.call('changes.since', { limit: 1 });
    for (const round of [1, 2, 3]) {
      fs.writeFileSync(path.join(root, inside, 'other'), `${round}`);
      for (const beside of ['of another folder', '../outrigger-code-0/run']) {
        fs.mkdirSync(path.join(root, inside, '..', beside), { recursive: true });
        fs.writeFileSync(path.join(root, inside, '..', beside, 'file'), `${round}`);
      }
      await client.call('files.write', { path: `${round}.txt`, text: 'x' });
      // All that any program wrote until now is told then.
      await client.call('index.wait', {});
    }
    const { changes } = await client.call('changes.since', { cursor });
    assert.deepEqual(
      changes.map((change) => change.path),
      ['1.txt', '2.txt', '3.txt'],
    );
  }));

test('who is no admin neither finds what is in it nor hears of it', () =>
  withStateInside(async ({ root, inside, client, reader }) => {
    fs.writeFileSync(path.join(root, 'a.txt'), 'needle\n');
    const other = path.join(path.dirname(inside), 'of another folder');
    fs.mkdirSync(path.join(root, other));
    for (const file of [`${inside}/b.txt`, `${other}/token`]) fs.writeFileSync(path.join(root, file), 'needle\n');
    await client.call('index.wait', {});
    for (const all of [false, true]) {
      const found = await pathsOf(reader.stream('search.text', { pattern: 'needle', hidden: all, ignored: all }));
      const { files } = await reader.call('search.files', { query: '', hidden: all, ignored: all });
      for (const paths of [found, files.map((file) => file.path)]) {
        assert.ok(paths.includes('a.txt'));
        assert.deepEqual(
          paths.filter((found) => found.startsWith(path.dirname(inside))),
          [],
        );
      }
    }
    // Where it was asked for, whoever may see everything sees it.
    const found = await pathsOf(client.stream('search.text', { pattern: 'needle', ignored: true }));
    assert.deepEqual(found, ['a.txt', `${inside}/b.txt`, `${other}/token`]);
    const refused = (error: { reason?: string }): boolean => error.reason === 'ACCESS_DENIED';
    for (const file of [`${inside}/b.txt`, `${other}/token`]) await assert.rejects(reader.call('files.read', { path: file }), refused);
  }));
