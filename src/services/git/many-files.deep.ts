import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
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

test('a commit of 300,000 files is told of, and others are served meanwhile', { skip: requireTool('git') }, () =>
  withRepository(async ({ git, root, save, put }) => {
    put('first');
    save('first');
    const files = Array.from(
      { length: 3 * folders * filesIn },
      (_, at) => `M 100644 inline folder-${at % folders}/file-${at}\ndata 2\n.\n`,
    );
    const commit = 'commit refs/heads/main\ncommitter Pia <pia@example.com> 1700000000 +0000\ndata 1\n.\nfrom refs/heads/main^0\n';
    execFileSync('git', ['fast-import', '--quiet'], { cwd: root, input: commit + files.join('') });
    const call = { signal: new AbortController().signal, caller: {}, visible: () => true } as unknown as Call<never>;
    const loop = watchLoop();
    const told = await gitOperations(git)['git.commitInfo'](contract['git.commitInfo'].input.parse({ limit: 10 }), call);
    const heldMs = loop.stop();
    assert.deepEqual([told.files.length, told.truncated, told.files[9]?.added], [10, true, 1]);
    assert.ok(heldMs < mostDelayMs, `the loop was held for ${heldMs} ms`);
  }),
);
