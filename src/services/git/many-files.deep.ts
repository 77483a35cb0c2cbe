import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withRepository } from '../../../test/kit/git-world.ts';
import { watchLoop } from '../../../test/kit/loop-hold.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { git as contract } from '../../contract/git.ts';
import type { Call } from '../../contract/operation.ts';
import { gitOperations } from './operations.ts';

const folders = 100;
const filesIn = 1000;
/** Behaviour is asserted at ten times what is aimed at. */
const mostDelayMs = 500;

test('100,000 new files are told, cut where it was asked for, and others are served meanwhile', { skip: requireTool('git') }, () =>
  withRepository(async ({ git, root, save, put }) => {
    put('first');
    save('first');
    for (let folder = 0; folder < folders; folder++) {
      const at = path.join(root, `folder-${folder}`);
      fs.mkdirSync(at);
      for (let file = 0; file < filesIn; file++) fs.writeFileSync(path.join(at, `file-${file}`), '');
    }
    const operations = gitOperations(git);
    const call = { signal: new AbortController().signal, visible: () => true } as unknown as Call<never>;
    const loop = watchLoop();
    const ask = async (input: object) => operations['git.status'](contract['git.status'].input.parse(input), call);
    const some = await ask({});
    assert.deepEqual([some.changes.length, some.truncated], [10_000, true]);
    const all = await ask({ limit: 100_000 });
    assert.deepEqual([all.changes.length, all.truncated], [folders * filesIn, false]);
    const heldMs = loop.stop();
    assert.ok(heldMs < mostDelayMs, `the loop was held for ${heldMs} ms`);
  }),
);
