import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { fails, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { Processes, type RunRequest } from '../processes/processes.ts';
import { GitStore } from './git-store.ts';

const MIB = 1024 * 1024;

test('contents of more than 128 MiB together are not held', { skip: requireTool('git') }, () =>
  withWorkspace(async ({ root, state, put }) => {
    const processes = new Processes({ env: process.env });
    // To store so much takes seconds: a thousandth of what one call of git may say is enough here.
    const run = (request: RunRequest): ReturnType<Processes['run']> =>
      processes.run({ ...request, maxOutputBytes: (request.maxOutputBytes ?? Number.NaN) / 1024 });
    const store = new GitStore({ processes: { run }, state }, { root, timeoutMs: 20_000 });
    await store.open(true);
    const empty = await store.indexTree();
    for (const name of ['a', 'b']) put(name, name.repeat(MIB / 16));
    await store.take(['a', 'b'], []);
    const objects = (await store.compare(empty, await store.indexTree(), false)).map(({ after }) => after?.object ?? '');
    assert.equal((await store.contents(objects.slice(1))).size, 1);
    await fails('OUTPUT_TOO_LARGE', () => store.contents(objects), new RegExp(`more than ${128 * MIB} bytes`));
  }),
);

test('beside the state, what a git that was killed kept others out with keeps nobody out', { skip: requireTool('git') }, () =>
  withWorkspace(async ({ root, state, put }) => {
    const store = new GitStore({ processes: new Processes({ env: process.env }), state }, { root, timeoutMs: 20_000 });
    await store.open(true);
    const trees: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      put(name, name);
      await store.take([name], []);
      const tree = await store.indexTree();
      await store.keep(tree);
      trees.push(tree);
    }
    const shadow = path.join(state.folder, 'checkpoints.git');
    const [ref = ''] = fs
      .readdirSync(path.join(shadow, 'refs'), { recursive: true })
      .filter((name) => name.toString().endsWith(trees[0] ?? '-'));
    for (const name of ['index', 'packed-refs', `refs/${ref.toString()}`, 'gc.pid'])
      fs.writeFileSync(path.join(shadow, `${name}.lock`), '');
    await store.drop(trees.slice(0, 2));
    assert.deepEqual(await store.kept(), trees.slice(2));
    put('d', 'd');
    await store.take(['d'], []);
    await store.keep(await store.indexTree());
    const left = fs.readdirSync(shadow, { recursive: true }).filter((name) => name.toString().endsWith('.lock'));
    assert.deepEqual(left, []);
  }),
);

// So git writes HEAD with core.preferSymlinkRefs: https://git-scm.com/docs/git-config#Documentation/git-config.txt-corepreferSymlinkRefs
for (const where of ['beside the state', "in the folder's repository"])
  test(`${where}, checkpoints are there whose HEAD is a link to a branch that has no commit`, { skip: requireTool('git') }, () =>
    withWorkspace(async ({ root, state, put }) => {
      const inFolder = where !== 'beside the state';
      if (inFolder) execFileSync('git', ['init', '--quiet', root]);
      const store = new GitStore({ processes: new Processes({ env: process.env }), state }, { root, timeoutMs: 20_000 });
      await store.open(true);
      put('a', 'a');
      await store.take(['a'], []);
      const tree = await store.indexTree();
      await store.keep(tree);
      const head = path.join(inFolder ? path.join(root, '.git') : path.join(state.folder, 'checkpoints.git'), 'HEAD');
      fs.rmSync(head);
      fs.symlinkSync('refs/heads/none', head);
      assert.equal(await store.open(true), true);
      assert.deepEqual(await store.kept(), [tree]);
    }),
  );

test(
  'beside the state, objects that no checkpoint needs any more are tidied away; where that fails nothing else does',
  {
    skip: requireTool('git'),
  },
  () =>
    withWorkspace(async ({ root, state, put }) => {
      const processes = new Processes({ env: process.env });
      let refused = true;
      const run = (request: RunRequest): ReturnType<Processes['run']> =>
        refused && request.argv.includes('gc') ? Promise.reject(new Error('No.')) : processes.run(request);
      const store = new GitStore({ processes: { run }, state }, { root, timeoutMs: 20_000 });
      await store.open(true);
      put('a', 'a');
      await store.take(['a'], []);
      const kept = await store.indexTree();
      await store.keep(kept);
      // By one folder of 256 git tells how many objects there are.
      const folder = path.join(state.folder, 'checkpoints.git/objects/17');
      fs.mkdirSync(folder, { recursive: true });
      for (let number = 0; number < 10_000; number++) {
        const object = `blob ${String(number).length}\0${number}`;
        const hash = createHash('sha1').update(object).digest('hex');
        if (hash.startsWith('17')) fs.writeFileSync(path.join(folder, hash.slice(2)), deflateSync(object));
      }
      const loose = (): number => (fs.existsSync(folder) ? fs.readdirSync(folder).length : 0);
      const before = loose();
      assert.ok(before > 27, `${before}`);
      await store.drop(['4b825dc642cb6eb9a060e54bf8d69288fbee4904']);
      assert.equal(loose(), before);
      refused = false;
      await store.drop(['4b825dc642cb6eb9a060e54bf8d69288fbee4904']);
      assert.equal(loose(), 0);
      const [{ after } = {}] = await store.compare('4b825dc642cb6eb9a060e54bf8d69288fbee4904', kept, false);
      assert.equal((await store.contents([after?.object ?? ''])).size, 1);
    }),
);
