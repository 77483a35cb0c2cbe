// Moves where a rename can't go: to another file system that is mounted in the workspace, and of folders in a lower layer of overlayfs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashBytes } from '../../src/services/workspace/content.ts';
import { eventually } from '../kit/eventually.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { withSmallDisk } from '../kit/small-disk.ts';
import { cause, fails, type Harness, withWorkspace } from '../kit/workspace-harness.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

const options = { overwrite: false, parents: true, cause };

/** A workspace with another file system at `mounted`. `meanwhile` is called for each file that is copied. */
async function withMounted(
  context: TestContext,
  run: (harness: Harness) => Promise<void>,
  meanwhile: () => void = () => {},
): Promise<void> {
  await withSmallDisk(context, 2048, async (disk) => {
    const now = (): number => {
      meanwhile();
      return Date.now();
    };
    await withWorkspace(
      async (harness) => {
        fs.mkdirSync(harness.at('mounted'));
        execFileSync('mount', ['--bind', disk, harness.at('mounted')], { stdio: 'ignore' });
        try {
          await run(harness);
          assert.deepEqual(harness.temporaries(), []);
        } finally {
          execFileSync('umount', ['-l', harness.at('mounted')]);
        }
      },
      { now },
    );
  });
}

test('a folder that goes to another file system is told as one move, and keeps times, modes, owners, links and second names', (context) =>
  withMounted(context, async ({ workspace, at, put, told, read }) => {
    put('a/sub/run.sh', 'echo');
    put('a/big', Buffer.alloc(300_000, 'x'));
    fs.symlinkSync('sub/run.sh', at('a/link'));
    fs.linkSync(at('a/big'), at('a/twin'));
    fs.chmodSync(at('a/sub/run.sh'), 0o4750);
    fs.chownSync(at('a/sub/run.sh'), 1234, 1234);
    fs.chmodSync(at('a/sub/run.sh'), 0o4750);
    for (const name of ['a/sub/run.sh', 'a/sub']) fs.utimesSync(at(name), 1_000_000_000, 1_000_000_001);
    fs.chmodSync(at('a/sub'), 0o550);
    await workspace.move('a', 'mounted/deep/b', options);
    assert.deepEqual(told(), ['created mounted/deep', 'moved a → mounted/deep/b']);
    assert.equal(fs.existsSync(at('a')), false);
    const facts = fs.statSync(at('mounted/deep/b/sub/run.sh'));
    assert.deepEqual([facts.mode & 0o7777, facts.uid, facts.gid, facts.mtimeMs], [0o4750, 1234, 1234, 1_000_000_001_000]);
    const folder = fs.statSync(at('mounted/deep/b/sub'));
    assert.deepEqual([folder.mode & 0o7777, folder.mtimeMs], [0o550, 1_000_000_001_000]);
    assert.equal(read('mounted/deep/b/link'), 'echo');
    assert.equal(fs.statSync(at('mounted/deep/b/twin')).ino, fs.statSync(at('mounted/deep/b/big')).ino);
  }));

test('of a large folder that goes to another file system the watch tells nothing more, however long its files take to go', (context) =>
  withSmallDisk(context, 2048, (disk) =>
    withSidecar(async ({ client, put, root }) => {
      fs.mkdirSync(`${root}/mounted`);
      execFileSync('mount', ['--bind', disk, `${root}/mounted`], { stdio: 'ignore' });
      try {
        for (let n = 0; n < 2000; n++) put(`a/${n}`, '');
        const changes = async (cursor?: string) => client.call('changes.since', cursor === undefined ? {} : { cursor });
        await eventually(async () => assert.ok((await client.call('changes.since', {})).cursor.endsWith('-2002')));
        const { cursor } = await changes();
        await client.call('files.move', { from: 'a', to: 'mounted/a' });
        for (const end of ['end', 'end2']) {
          put(end);
          await eventually(async () => assert.match(JSON.stringify((await changes(cursor)).changes.slice(-3)), RegExp(`"${end}"`)));
        }
        assert.deepEqual(
          (await changes(cursor)).changes.map(({ what, path: where }) => `${what} ${where}`),
          ['moved mounted/a', 'created end', 'created end2'],
        );
      } finally {
        execFileSync('umount', ['-l', `${root}/mounted`]);
      }
    }),
  ));

test('a file goes to another file system and takes the place of another', (context) =>
  withMounted(context, async ({ workspace, put, told, read, changes }) => {
    put('a', 'new');
    put('mounted/a', 'old');
    await fails('FILE_EXISTS', () => workspace.move('a', 'mounted/a', options));
    await workspace.move('a', 'mounted/a', { ...options, overwrite: true });
    assert.equal(read('mounted/a'), 'new');
    assert.deepEqual(told(), ['removed mounted/a', 'moved a → mounted/a']);
    assert.equal(changes.at(-1)?.size, 3);
  }));

test('what can not go to another file system is refused before anything is changed', (context) =>
  withMounted(context, async ({ workspace, at, put, told, read }) => {
    put('pipes/text', 'text');
    execFileSync('mkfifo', [at('pipes/pipe')]);
    await fails('NOT_A_FILE', () => workspace.move('pipes', 'mounted/pipes', options), /pipes\/pipe is a pipe/);
    put('odd/text', 'text');
    fs.writeFileSync(Buffer.concat([Buffer.from(`${at('odd')}/`), Buffer.from([0xff])]), 'odd');
    await fails('BAD_PATH', () => workspace.move('odd', 'mounted/odd', options), /not UTF-8/);
    put('full/a', 'a');
    put('full/b', Buffer.alloc(3_000_000));
    await fails('DISK_FULL', () => workspace.move('full', 'mounted/full', options));
    put('mounted/inside/a', 'a');
    await fails('BUSY_FILE', () => workspace.move('mounted', 'elsewhere', options), /mounted is in use/);
    put('from/a', 'a');
    put('mounted/to/b', 'b');
    await fails('NOT_EMPTY', () => workspace.move('from', 'mounted/to', { ...options, overwrite: true }));
    assert.deepEqual(told(), []);
    assert.deepEqual([read('pipes/text'), read('full/a'), read('from/a'), read('mounted/inside/a')], ['text', 'a', 'a', 'a']);
  }));

test('an abort in the middle of the copy leaves all as it was', async (context) => {
  const abort = new AbortController();
  await withMounted(
    context,
    async ({ workspace, put, told, read }) => {
      for (const name of ['a/1', 'a/2']) put(name);
      await assert.rejects(workspace.move('a', 'mounted/a', { ...options, signal: abort.signal }), () => abort.signal.aborted);
      assert.deepEqual([told(), read('a/1'), read('a/2')], [[], 'a/1', 'a/2']);
    },
    () => abort.abort(),
  );
});

test('what others write while it is copied to another file system comes along, and what they take away does not', async (context) => {
  let meanwhile: (() => void) | undefined;
  await withMounted(
    context,
    async ({ workspace, at, put, read, told }) => {
      for (const name of ['a/1', 'a/2', 'a/3', 'a/gone/4']) put(name, 'before');
      for (const name of ['a/1', 'a/2', 'a/3', 'a/gone/4']) fs.utimesSync(at(name), 1, 1);
      meanwhile = () => {
        if (!fs.readdirSync(at('mounted')).some((name) => name.startsWith('.outrigger-') && fs.existsSync(at(`mounted/${name}/2`)))) return;
        meanwhile = undefined;
        fs.writeFileSync(at('a/1'), 'after!');
        fs.mkdirSync(at('a/new'));
        fs.writeFileSync(at('a/new/file'), 'new');
        fs.rmSync(at('a/gone'), { recursive: true });
        fs.writeFileSync(at('a/gone'), 'a file by now');
      };
      await workspace.move('a', 'mounted/a', options);
      assert.equal(meanwhile, undefined);
      assert.deepEqual([read('mounted/a/1'), read('mounted/a/new/file'), read('mounted/a/gone')], ['after!', 'new', 'a file by now']);
      assert.deepEqual(fs.readdirSync(at('mounted/a')).sort(), ['1', '2', '3', 'gone', 'new']);
      assert.equal(fs.existsSync(at('a')), false);
      assert.deepEqual(told(), ['moved a → mounted/a']);
    },
    () => meanwhile?.(),
  );
});

test('what others change after it was copied stays where it is, and is told and named', (context) =>
  withMounted(context, async ({ workspace, at, put, read, told }) => {
    for (const name of ['a/sub/1', 'a/sub/2', 'a/3']) put(name, 'before');
    workspace.journal.onChanges((changes) => {
      if (!changes.some(({ what }) => what === 'moved')) return;
      fs.writeFileSync(at('a/sub/2'), 'after the copy');
      fs.writeFileSync(at('a/sub/5'), 'new');
    });
    await fails(
      'BUSY_FILE',
      () => workspace.move('a', 'mounted/a', options),
      /a is at mounted\/a now, but 3 entries stay .*: a, a\/sub, a\/sub\/2\./,
    );
    assert.deepEqual([read('a/sub/2'), read('a/sub/5'), read('mounted/a/sub/2')], ['after the copy', 'new', 'before']);
    assert.deepEqual(fs.readdirSync(at('a/sub')), ['2', '5']);
    assert.equal(fs.existsSync(at('a/3')), false);
    assert.deepEqual(told(), ['moved a → mounted/a', 'created a', 'created a/sub', 'created a/sub/2']);
  }));

test('what a program writes at the new place is what is known of it, also where the rest of the old one goes after that', (context) =>
  withMounted(context, async ({ workspace, at, put, told }) => {
    for (const name of ['a/1', 'a/2']) put(name, 'before');
    const write = (text: string): void => {
      put('mounted/a/1', text);
      const { size, mtimeMs, ino } = fs.statSync(at('mounted/a/1'));
      workspace.noticed([{ path: 'mounted/a/1', kind: 'file', what: 'changed', size, mtimeMs, ino, hash: hashBytes(text) }]);
    };
    const stop = workspace.journal.onChanges(() => {
      stop();
      write('theirs');
    });
    await workspace.move('a', 'mounted/a', options);
    write('before');
    assert.deepEqual(told().slice(1), ['changed mounted/a/1', 'changed mounted/a/1']);
  }));

test('a folder in a lower layer is moved, within the workspace too; in a batch it is refused for what it is', (context) =>
  withSmallDisk(context, 2048, (disk) =>
    withWorkspace(async ({ workspace, at, read, told }) => {
      for (const name of ['lower/d/sub', 'upper', 'work']) fs.mkdirSync(path.join(disk, name), { recursive: true });
      fs.writeFileSync(path.join(disk, 'lower/d/sub/x'), 'x');
      fs.mkdirSync(at('layers'));
      const layers = ['lowerdir=lower', 'upperdir=upper', 'workdir=work'].map((layer) => layer.replace('=', `=${disk}/`)).join(',');
      execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', `${layers},redirect_dir=off`, at('layers')]);
      try {
        const batch = (changes: Parameters<typeof workspace.batch>[0]['changes']): Promise<unknown> =>
          workspace.batch({
            changes,
            cause,
            edit: () => assert.fail(),
            permit: () => {},
            returnBefore: false,
            durability: undefined,
            dryRun: false,
            maxTextBytes: 1000,
            maxAnswerBytes: 100_000,
            signal: new AbortController().signal,
          });
        await fails(
          'BAD_INPUT',
          () => batch([{ op: 'remove', path: 'layers/d', recursive: true }]),
          /: layers\/d is .*files\.remove removes it/,
        );
        await fails(
          'BAD_INPUT',
          () => batch([{ op: 'move', from: 'layers/d', to: 'layers/e', overwrite: false, parents: true }]),
          /: layers\/d is .*files\.move copies it/,
        );
        await workspace.move('layers/d', 'layers/e', options);
        assert.equal(read('layers/e/sub/x'), 'x');
        assert.equal(fs.existsSync(at('layers/d')), false);
        assert.deepEqual(told(), ['moved layers/d → layers/e']);
      } finally {
        execFileSync('umount', ['-l', at('layers')]);
      }
    }),
  ));

test('an open document goes along to another file system, with what was typed meanwhile, and the watch tells nothing of it again (long form)', (context) =>
  withSmallDisk(context, 2048, (disk) =>
    withSidecar(async ({ client, root, url, token }) => {
      fs.mkdirSync(path.join(root, 'mounted'));
      execFileSync('mount', ['--bind', disk, path.join(root, 'mounted')]);
      try {
        for (const name of ['text.md', 'sub/other']) await client.call('files.write', { path: `a/${name}`, text: 'one' });
        const { cursor } = await client.call('changes.since', {});
        const file = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');
        const person = openYjsClient(url, { token, room: 'a/text.md' });
        try {
          await person.synced();
          let typing = true;
          let typed = 'one';
          const type = async (): Promise<void> => {
            for (let n = 0; typing; n++, await sleep(1)) {
              person.text.insert(person.text.length, ` ${n}`);
              typed += ` ${n}`;
            }
          };
          const stopped = type();
          await client.call('files.move', { from: 'a', to: 'mounted/b' });
          await sleep(20);
          typing = false;
          await stopped;
          await eventually(() => assert.equal(file('mounted/b/text.md'), typed));
          assert.equal(person.text.toString(), typed);
          assert.equal(fs.existsSync(path.join(root, 'a')), false);
          // The watch tells nothing of it a second time.
          fs.writeFileSync(path.join(root, 'later'), '');
          await eventually(async () => {
            const { changes } = await client.call('changes.since', { cursor });
            const others = changes.filter(({ path: where }) => !where.endsWith('text.md'));
            assert.deepEqual(
              others.map(({ what, path: where }) => `${what} ${where}`),
              ['moved mounted/b', 'created later'],
            );
          });
        } finally {
          person.destroy();
        }
      } finally {
        execFileSync('umount', ['-l', path.join(root, 'mounted')]);
      }
    }),
  ));
