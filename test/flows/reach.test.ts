// What a caller reaches by a call that was checked before the folder changed, or by another name of a file.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { test } from 'node:test';
import { OutriggerError } from '../../src/contract/errors.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

const THEIRS = 'of others\n';
const MAIN = 'main-token-0123456789abcdef';
type Caller = ReturnType<RunningSidecar['clientOf']>;
type Access = 'read' | 'write';

interface Room {
  text: string;
  closes: readonly number[];
}

/** What somebody gets to see in a room within a moment; `then` is done in it. */
async function visit(
  url: string,
  token: string,
  room: string,
  then?: (text: ReturnType<typeof openYjsClient>['text']) => void,
): Promise<Room> {
  const person = openYjsClient(url, { token, room });
  await Promise.race([person.synced().catch(() => {}), later(700)]);
  const seen = { text: person.text.toString(), closes: [...person.closes] };
  then?.(person.text);
  if (then !== undefined) await later(500);
  person.destroy();
  return seen;
}

async function tokenOf({ client }: RunningSidecar, access: Access, paths?: string[]): Promise<string> {
  return (await client.call('tokens.create', { name: 'caller', access, ...(paths === undefined ? {} : { paths }) })).secret;
}

const soon = { 'documents.saveIdleMs': '60' } as const;

test('an old name of a file opens it for nobody who may not see where it went: a secret, beyond a link, or a git folder', () =>
  withScratchFolder('reach', async (folder, root) => {
    const state = path.join(folder, 'state-of-both');
    for (const name of ['conf', 'pub', 'secret', '.git/hooks']) fs.mkdirSync(path.join(root, name), { recursive: true });
    fs.writeFileSync(path.join(root, 'main.token'), `${MAIN}\n`);
    fs.writeFileSync(path.join(root, 'pub/a.txt'), 'public\n');
    fs.writeFileSync(path.join(root, 'hook.sh'), '#!/bin/sh\n');
    fs.symlinkSync('../secret', path.join(root, 'pub/link'));
    await withSidecar(
      async ({ client }) => {
        await client.call('files.move', { from: 'main.token', to: 'conf/main.token' });
        await client.call('files.move', { from: 'hook.sh', to: '.git/hooks/post-commit' });
      },
      { workspace: root, config: { state } },
    );
    const secrets = { tokenFile: path.join(root, 'conf/main.token') };
    await withSidecar(
      async (running) => {
        const { url, client, file } = running;
        const [reader, writer] = [await tokenOf(running, 'read'), await tokenOf(running, 'write')];
        const limited = await tokenOf(running, 'read', ['pub']);
        assert.deepEqual(await visit(url, reader, 'main.token'), { text: '', closes: [4403] });
        await visit(url, writer, 'main.token', (text) => text.insert(0, 'x'));
        await visit(url, writer, 'hook.sh', (text) => text.insert(text.length, 'touch ran\n'));
        assert.deepEqual([file('conf/main.token'), file('.git/hooks/post-commit')], [`${MAIN}\n`, '#!/bin/sh\n']);
        await client.call('files.move', { from: 'pub/a.txt', to: 'pub/link/a.txt' });
        assert.deepEqual(await visit(url, limited, 'pub/a.txt'), { text: '', closes: [4403] });
        // The same names serve who may see it.
        assert.equal((await visit(url, running.token, 'pub/a.txt')).text, 'public\n');
      },
      { workspace: root, config: { ...soon, ...secrets, state }, mayLogErrors: true },
    );
  }));

test('a list names a secret of the sidecar and its size to admins alone, also a list by a link', () =>
  withScratchFolder('reach', async (_folder, root) => {
    fs.mkdirSync(path.join(root, 'conf/more'), { recursive: true });
    fs.writeFileSync(path.join(root, 'conf/more/main.token'), `${MAIN}\n`);
    fs.writeFileSync(path.join(root, 'conf/more/other'), 'other\n');
    fs.symlinkSync('conf', path.join(root, 'link'));
    await withSidecar(
      async (running) => {
        const listed = async (client: Caller, input: { path?: string; limit?: number }): Promise<string[]> => {
          const { items, count } = await client.call('files.list', { ...input, recursive: true });
          assert.equal(count, items.length);
          return items.map((entry) => entry.path).sort();
        };
        const below = (folder: string, ...names: string[]): string[] => [
          `${folder}/more`,
          ...names.map((name) => `${folder}/more/${name}`),
        ];
        const executor = running.clientOf((await running.client.call('tokens.create', { name: 'caller', access: 'execute' })).secret);
        assert.deepEqual(await listed(executor, {}), ['conf', ...below('conf', 'other'), 'link']);
        assert.deepEqual(await listed(executor, { path: 'link' }), below('link', 'other'));
        assert.deepEqual(await listed(running.client, { path: 'link' }), below('link', 'main.token', 'other'));
        const limited = running.clientOf(await tokenOf(running, 'read', ['conf']));
        assert.deepEqual(await listed(limited, { path: 'conf' }), below('conf', 'other'));
      },
      { workspace: root, config: { tokenFile: path.join(root, 'conf/more/main.token') } },
    );
  }));

/** A caller who is limited to `pub`, where one link leads to `pub/open`, and to others' `open` once it lies one folder higher. */
function withLimited(run: (running: RunningSidecar & { limited: Caller; limitedToken: string }) => Promise<void>): Promise<void> {
  return withScratchFolder('reach', async (_folder, root) => {
    fs.mkdirSync(path.join(root, 'open'));
    fs.mkdirSync(path.join(root, 'pub/box'), { recursive: true });
    fs.writeFileSync(path.join(root, 'open/key'), THEIRS);
    fs.symlinkSync('../open', path.join(root, 'pub/box/up'));
    await withSidecar(
      async (running) => {
        const limitedToken = await tokenOf(running, 'write', ['pub']);
        await run({ ...running, limitedToken, limited: running.clientOf(limitedToken) });
      },
      { workspace: root, config: soon, mayLogErrors: true },
    );
  });
}

/** Puts the link in the place of a folder of the caller's. */
async function swap(limited: Caller, folder: string, link = 'pub/box/up'): Promise<void> {
  // Both are asked for at once; the second comes to nothing as long as the first is not done.
  const put = async (): Promise<void> => {
    try {
      await limited.call('files.move', { from: link, to: folder });
    } catch (error) {
      if (!(error instanceof OutriggerError) || error.reason !== 'FILE_EXISTS') throw error;
      await put();
    }
  };
  await Promise.all([limited.call('files.move', { from: folder, to: `${folder}.away` }), put()]);
}

test('a document that opens while its folder becomes a link to elsewhere holds nothing of there', () =>
  withLimited(async ({ url, limited, limitedToken, file }) => {
    await limited.call('files.write', { path: 'pub/d/key', text: 'mine\n' });
    // A fresh file is waited for until it stands still.
    const person = openYjsClient(url, { token: limitedToken, room: 'pub/d/key' });
    try {
      await later(12);
      await swap(limited, 'pub/d');
      await Promise.race([person.synced().catch(() => {}), later(1500)]);
      const seen = person.text.toString();
      if (seen !== '') person.text.insert(0, 'x');
      await later(300);
      assert.ok(!seen.includes(THEIRS), seen);
    } finally {
      person.destroy();
    }
    assert.equal(file('open/key'), THEIRS);
  }));

test('a copy reads nothing and writes nothing where a folder on its way became a link to elsewhere, and through none that is there (long form)', () =>
  withLimited(async ({ limited, root, put, file }) => {
    for (let n = 0; n < 300; n++) put(`pub/src/a/f${n}`, 'x'.repeat(1000));
    put('pub/src/z/mine', 'mine\n');
    fs.mkdirSync(path.join(root, 'pub/src/box'));
    fs.symlinkSync('../../open', path.join(root, 'pub/src/box/up'));
    const reading = limited.call('files.copy', { from: 'pub/src', to: 'pub/dst' }).catch((error: unknown) => error);
    await later(30);
    await swap(limited, 'pub/src/z', 'pub/src/box/up');
    await reading;
    // A copy that came later takes the link for what it is.
    const made = fs.lstatSync(path.join(root, 'pub/dst/z'), { throwIfNoEntry: false });
    assert.ok(made?.isDirectory() !== true || !fs.existsSync(path.join(root, 'pub/dst/z/key')));
    fs.mkdirSync(path.join(root, 'pub/over'));
    fs.symlinkSync('../../open/key', path.join(root, 'pub/over/key'));
    put('pub/from/key', 'by the limited one\n');
    await assert.rejects(limited.call('files.copy', { from: 'pub/from', to: 'pub/over', overwrite: true }), { reason: 'OUT_OF_SCOPE' });
    assert.equal(file('open/key'), THEIRS);
  }));

test('a copy over a folder writes through no link there into what git runs', () =>
  withScratchFolder('reach', async (_folder, root) => {
    for (const name of ['.git/hooks', 'over', 'from']) fs.mkdirSync(path.join(root, name), { recursive: true });
    fs.symlinkSync('../.git/hooks/post-commit', path.join(root, 'over/x'));
    fs.writeFileSync(path.join(root, '.git/hooks/post-commit'), '#!/bin/sh\n');
    fs.writeFileSync(path.join(root, 'from/x'), 'touch ran\n');
    await withSidecar(
      async (running) => {
        const writer = running.clientOf(await tokenOf(running, 'write'));
        await assert.rejects(writer.call('files.copy', { from: 'from', to: 'over', overwrite: true }), { reason: 'ACCESS_DENIED' });
        assert.equal(running.file('.git/hooks/post-commit'), '#!/bin/sh\n');
      },
      { workspace: root },
    );
  }));

test('a batch that waited for another changes nothing where a folder became a link to elsewhere (long form)', () =>
  withLimited(async ({ limited, put, file }) => {
    put('pub/d/key', 'mine\n');
    const many = Array.from({ length: 1000 }, (_, n) => ({ op: 'write' as const, path: `pub/big/f${n}`, text: 'x'.repeat(8000) }));
    const first = limited.call('files.batch', { changes: many });
    const second = limited.call('files.batch', { changes: [{ op: 'write', path: 'pub/d/key', text: 'other\n' }], returnBefore: true }).then(
      (answer) => JSON.stringify(answer),
      (error: { reason: string }) => error.reason,
    );
    await later(3);
    await swap(limited, 'pub/d');
    await first;
    const said = await second;
    assert.ok(!said.includes(THEIRS.trim()), said);
    assert.equal(file('open/key'), THEIRS);
  }));

test('who may look at some paths hears of no document and of no change beyond a link that leads out of them', () =>
  withSidecar(
    async (running) => {
      const { client, clientOf, url, token, root } = running;
      const mine = clientOf(await tokenOf(running, 'read', ['pub']));
      const left = new AbortController();
      const feed = mine.stream('documents.watch', {}, { signal: left.signal });
      const heard = new Set<string>();
      const listening = (async () => {
        for await (const { changed, closed } of feed) for (const name of [...changed.map((info) => info.path), ...closed]) heard.add(name);
      })().catch(() => {});
      const people = ['pub/link/key', 'pub/own', 'pub/last'].map((room) => openYjsClient(url, { token, room }));
      try {
        await Promise.all(people.map((person) => person.synced()));
        for (const person of people) person.text.insert(0, 'typed ');
        await client.call('files.write', { path: 'pub/link/new', text: THEIRS });
        await client.call('files.write', { path: 'pub/second', text: 'for all\n' });
        await client.call('documents.flush', {});
        fs.symlinkSync('../other', path.join(root, 'pub/another'));
        await eventually(async () => {
          const { changes } = await mine.call('changes.since', {});
          const names = [...new Set(changes.map((change) => change.path))].sort();
          assert.deepEqual(names, ['pub/another', 'pub/last', 'pub/own', 'pub/second']);
        });
        const { documents } = await mine.call('documents.list', {});
        assert.deepEqual(documents.map((info) => info.path).sort(), ['pub/last', 'pub/own']);
        await eventually(() => assert.deepEqual([...heard].sort(), ['pub/last', 'pub/own']));
      } finally {
        for (const person of people) person.destroy();
        left.abort();
        await listening;
      }
    },
    {
      prepare: (root) => {
        for (const name of ['pub', 'other']) fs.mkdirSync(path.join(root, name));
        fs.writeFileSync(path.join(root, 'other/key'), THEIRS);
        for (const name of ['own', 'last']) fs.writeFileSync(path.join(root, 'pub', name), 'own\n');
        fs.symlinkSync('../other', path.join(root, 'pub/link'));
      },
      config: soon,
    },
  ));

test('what a caller is limited to can not be made a link, by a move, a copy, a batch or git', { skip: requireTool('git') }, () =>
  withScratchFolder('reach-paths', async (_folder, root) => {
    for (const name of ['pub', 'own', 'secret']) fs.mkdirSync(path.join(root, name));
    fs.writeFileSync(path.join(root, 'secret/key'), THEIRS);
    // It leads to nothing where it is.
    fs.symlinkSync('secret', path.join(root, 'pub/link'));
    const git = gitIn(root);
    git('init', '-q');
    fs.rmdirSync(path.join(root, 'own'));
    fs.symlinkSync('secret', path.join(root, 'own'));
    git('add', '-A');
    git('commit', '-qm', 'own is a link');
    fs.unlinkSync(path.join(root, 'own'));
    fs.mkdirSync(path.join(root, 'own'));
    fs.writeFileSync(path.join(root, 'own/mine'), 'mine\n');
    git('add', '-A');
    git('commit', '-qm', 'own is a folder');
    await withSidecar(
      async (running) => {
        const limited = running.clientOf(await tokenOf(running, 'write', ['pub', 'own']));
        await limited.call('files.remove', { path: 'own', recursive: true });
        const ways: (() => Promise<unknown>)[] = [
          () => limited.call('files.move', { from: 'pub/link', to: 'own' }),
          () => limited.call('files.copy', { from: 'pub/link', to: 'own' }),
          () => limited.call('files.batch', { changes: [{ op: 'move', from: 'pub/link', to: 'own' }] }),
          () => limited.call('git.restore', { files: [{ path: 'own' }], from: 'HEAD~1' }),
        ];
        for (const way of ways) {
          await assert.rejects(way(), { reason: 'OUT_OF_SCOPE' });
          assert.equal(fs.existsSync(path.join(root, 'own')), false);
        }
        // As a folder it comes back, and a link may be put below; who is limited to nothing may put one there.
        await limited.call('git.restore', { files: [{ path: 'own' }] });
        assert.equal(running.file('own/mine'), 'mine\n');
        await limited.call('files.copy', { from: 'pub/link', to: 'own/link' });
        await running.client.call('files.remove', { path: 'own', recursive: true });
        await running.client.call('files.move', { from: 'pub/link', to: 'own' });
        assert.equal(running.file('own/key'), THEIRS);
      },
      { workspace: root, mayLogErrors: true },
    );
  }),
);

test(
  'while git is at work nobody who may not run programs puts a link or a folder anywhere; who may does not wait',
  { skip: requireTool('git') },
  () =>
    withScratchFolder('reach-git', async (_folder, root) => {
      fs.mkdirSync(path.join(root, 'pub/a'), { recursive: true });
      fs.symlinkSync('a', path.join(root, 'pub/link'));
      gitIn(root)('init', '-q');
      const hook = path.join(root, '.git/hooks/pre-commit');
      fs.mkdirSync(path.dirname(hook), { recursive: true });
      fs.writeFileSync(hook, '#!/bin/sh\ntouch at-work\nwhile [ ! -e done ]; do sleep 0.05; done\n', { mode: 0o755 });
      await withSidecar(
        async (running) => {
          const { client, put } = running;
          const limited = running.clientOf(await tokenOf(running, 'write', ['pub']));
          put('pub/file');
          const committing = client.call('git.commit', { message: 'one', all: true });
          await eventually(() => assert.ok(fs.existsSync(path.join(root, 'at-work'))), 10_000);
          const ended: string[] = [];
          const end = (what: string) => (): void => void ended.push(what);
          const waiting = [
            limited.call('files.move', { from: 'pub/a', to: 'pub/b' }).then(end('move')),
            limited.call('files.copy', { from: 'pub/link', to: 'pub/copied' }).then(end('copy')),
            limited.call('files.batch', { changes: [{ op: 'move', from: 'pub/link', to: 'pub/c' }] }).then(end('batch')),
          ];
          await client.call('files.mkdir', { path: 'theirs' });
          await client.call('files.move', { from: 'theirs', to: 'moved' });
          // What puts no link anywhere goes on.
          await limited.call('files.write', { path: 'pub/new', text: 'new\n' });
          await limited.call('files.copy', { from: 'pub/file', to: 'pub/same' });
          await later(200);
          assert.equal(ended.length, 0, ended.join());
          fs.writeFileSync(path.join(root, 'done'), '');
          await committing;
          await Promise.allSettled(waiting);
          assert.ok(ended.includes('move'), ended.join());
          assert.deepEqual(fs.readdirSync(path.join(root, 'pub/b')), []);
        },
        { workspace: root, mayLogErrors: true, config: { 'git.name': 'T', 'git.email': 't@example.org' } },
      );
    }),
);

test('an upload and a removal stop where their folder is moved out of what their caller is limited to', () =>
  withLimited(async ({ client, limited, limitedToken, url, root, file, put }) => {
    put('pub/d/key', 'before\n');
    const body = new TransformStream<Uint8Array, Uint8Array>();
    const writer = body.writable.getWriter();
    const uploading = fetch(`${url}/api/files.upload?path=pub/d/key`, {
      method: 'POST',
      headers: { authorization: `Bearer ${limitedToken}`, 'content-type': 'application/octet-stream' },
      body: body.readable,
      duplex: 'half',
    } as RequestInit);
    await writer.write(Buffer.from('of the limited one '));
    await eventually(() => assert.ok(fs.readdirSync(path.join(root, 'pub/d')).some((name) => name.endsWith('.tmp'))));
    await client.call('files.move', { from: 'pub/d', to: 'open/d' });
    await writer.write(Buffer.from('end\n'));
    await writer.close();
    const answer = await uploading;
    assert.deepEqual([answer.status, ((await answer.json()) as { reason: string }).reason], [409, 'BUSY_FILE']);
    assert.deepEqual([file('open/d/key'), fs.existsSync(path.join(root, 'pub/d'))], ['before\n', false]);

    for (let n = 0; n < 6000; n++) put(`pub/many/f${n}`, '');
    const removing = limited.call('files.remove', { path: 'pub/many', recursive: true });
    const left = (at: string): number => fs.readdirSync(path.join(root, at)).length;
    await eventually(() => assert.ok(left('pub/many') < 6000));
    await client.call('files.move', { from: 'pub/many', to: 'open/many' });
    await assert.rejects(removing, { reason: 'BUSY_FILE' });
    const then = left('open/many');
    assert.ok(then > 0);
    await later(100);
    assert.equal(left('open/many'), then);
  }));

test('of a file that was moved away a limited caller hears no name and stages no other side of it', { skip: requireTool('git') }, () =>
  withScratchFolder('reach-moved', async (_folder, root) => {
    for (const name of ['pub', 'secret']) fs.mkdirSync(path.join(root, name));
    const lines = Array.from({ length: 40 }, (_, n) => `line ${n}\n`).join('');
    for (const name of ['pub/a.txt', 'secret/b.txt']) fs.writeFileSync(path.join(root, name), name + lines);
    fs.writeFileSync(path.join(root, 'pub/bin.dat'), Buffer.from([0, 1, 2]));
    const git = gitIn(root);
    git('init', '-q');
    git('add', '-A');
    git('commit', '-qm', 'one');
    await withSidecar(
      async (running) => {
        const { client, url } = running;
        const limitedToken = await tokenOf(running, 'write', ['pub']);
        const limited = running.clientOf(limitedToken);
        await client.call('files.move', { from: 'pub/bin.dat', to: 'secret/hidden-name.dat' });
        await assert.rejects(limited.call('documents.open', { path: 'pub/bin.dat' }), (error: unknown) => {
          assert.ok(error instanceof OutriggerError);
          assert.doesNotMatch(error.message, /hidden-name/);
          return error.reason === 'OUT_OF_SCOPE';
        });
        assert.deepEqual((await visit(url, limitedToken, 'pub/bin.dat')).closes, [4403]);
        await client.call('files.move', { from: 'secret/hidden-name.dat', to: 'pub/bin.dat' });

        // A move out, and one in: each side is staged and unstaged by itself.
        fs.renameSync(path.join(root, 'pub/a.txt'), path.join(root, 'secret/a-moved.txt'));
        fs.renameSync(path.join(root, 'secret/b.txt'), path.join(root, 'pub/b-moved.txt'));
        const staged = (): string[] => git('diff', '--cached', '--name-status', '--no-renames').split('\n').filter(Boolean);
        git('add', '--intent-to-add', 'secret/a-moved.txt', 'pub/b-moved.txt');
        await limited.call('git.stage', { files: [{ path: 'pub' }] });
        assert.deepEqual(staged().sort(), ['A\tpub/b-moved.txt', 'D\tpub/a.txt']);
        git('add', '-A');
        await limited.call('git.unstage', { files: [{ path: 'pub' }] });
        assert.deepEqual(staged().sort(), ['A\tsecret/a-moved.txt', 'D\tsecret/b.txt']);
      },
      { workspace: root, mayLogErrors: true },
    );
  }),
);

test(
  'git tells a limited caller of a move over the border of its paths as if there were nothing on the other side',
  { skip: requireTool('git') },
  () =>
    withScratchFolder('reach-border', async (_folder, root) => {
      for (const name of ['pub/a.txt', 'secret/b.txt']) {
        fs.mkdirSync(path.dirname(path.join(root, name)));
        fs.writeFileSync(path.join(root, name), Array.from({ length: 40 }, (_, n) => `line ${n} of ${name}\n`).join(''));
      }
      const git = gitIn(root);
      git('init', '-q');
      git('add', '-A');
      git('commit', '-qm', 'one');
      fs.renameSync(path.join(root, 'pub/a.txt'), path.join(root, 'secret/a-moved.txt'));
      fs.renameSync(path.join(root, 'secret/b.txt'), path.join(root, 'pub/b-moved.txt'));
      git('add', '-A');
      await withSidecar(
        async (running) => {
          const limited = running.clientOf(await tokenOf(running, 'write', ['pub']));
          const { changes } = await limited.call('git.status', {});
          assert.deepEqual(changes, [
            { path: 'pub/a.txt', staged: 'deleted', unstaged: null },
            { path: 'pub/b-moved.txt', staged: 'added', unstaged: null },
          ]);
          git('commit', '-qm', 'two');
          const { files } = await limited.call('git.commitInfo', {});
          assert.deepEqual(files, [
            { path: 'pub/a.txt', status: 'deleted', added: 0, removed: 40 },
            { path: 'pub/b-moved.txt', status: 'added', added: 40, removed: 0 },
          ]);
          // Who sees both sides is told of the moves.
          assert.deepEqual(
            (await running.client.call('git.commitInfo', {})).files.map(({ status }) => status),
            ['renamed', 'renamed'],
          );
        },
        { workspace: root },
      );
    }),
);

test(
  'what git takes for a move, for a limited caller, is what it would be if there were nothing elsewhere',
  { skip: requireTool('git') },
  () =>
    withScratchFolder('reach-pairs', async (_folder, root) => {
      const lines = Array.from({ length: 40 }, (_, n) => `line ${n}\n`).join('');
      for (const name of ['pub/b.md', 'secret/old.txt']) {
        fs.mkdirSync(path.dirname(path.join(root, name)));
        fs.writeFileSync(path.join(root, name), name + lines);
      }
      const git = gitIn(root);
      git('init', '-q');
      git('add', '-A');
      git('commit', '-qm', 'one');
      // For the whole of it, this is what was moved.
      fs.renameSync(path.join(root, 'secret/old.txt'), path.join(root, 'pub/old.txt'));
      fs.rmSync(path.join(root, 'pub/b.md'));
      git('add', '-A');
      await withSidecar(
        async (running) => {
          const limited = running.clientOf(await tokenOf(running, 'write', ['pub']));
          const { changes } = await limited.call('git.status', {});
          assert.deepEqual(changes, [{ path: 'pub/old.txt', from: 'pub/b.md', staged: 'renamed', unstaged: null }]);
          assert.equal((await limited.call('git.unstage', { files: [{ path: 'pub/b.md' }] })).files, 1);
          assert.equal(git('diff', '--cached', '--name-status', '--no-renames'), 'D\tsecret/old.txt\n');
        },
        { workspace: root },
      );
    }),
);

test(
  'git tells a limited caller of no file that was touched and holds what it held, whatever git did elsewhere',
  { skip: requireTool('git') },
  () =>
    withScratchFolder('reach-touched', async (_folder, root) => {
      for (const name of ['pub/a.txt', 'secret/b.txt']) {
        fs.mkdirSync(path.dirname(path.join(root, name)));
        fs.writeFileSync(path.join(root, name), `${name}\n`);
      }
      const git = gitIn(root);
      git('init', '-q');
      git('add', '-A');
      git('commit', '-qm', 'one');
      await withSidecar(
        async (running) => {
          const limited = running.clientOf(await tokenOf(running, 'write', ['pub']));
          const told = async (): Promise<unknown> => [
            (await limited.call('git.status', {})).changes,
            (await limited.call('git.hunks', { path: 'pub' })).files,
          ];
          fs.utimesSync(path.join(root, 'pub/a.txt'), 1, 1);
          assert.deepEqual(await told(), [[], []]);
          // Here its new times come into the index.
          fs.appendFileSync(path.join(root, 'secret/b.txt'), 'more\n');
          git('status');
          assert.deepEqual(await told(), [[], []]);
        },
        { workspace: root },
      );
    }),
);

test('a limited caller does not hear where links of others lead, beyond a link that leads out of its paths', () =>
  withScratchFolder('reach-chain', async (_folder, root) => {
    for (const name of ['pub', 'other', 'secret/there']) fs.mkdirSync(path.join(root, name), { recursive: true });
    fs.symlinkSync('/etc/hostname', path.join(root, 'secret/out'));
    fs.symlinkSync('round', path.join(root, 'secret/round'));
    const targets = [
      '../secret/out',
      '../secret/round',
      '../secret/none',
      '../secret/there/none',
      '../secret/none/none',
      '../secret/none/none/none',
    ];
    for (const [at, target] of targets.entries()) fs.symlinkSync(target, path.join(root, `pub/${at}`));
    fs.symlinkSync('/etc', path.join(root, 'away'));
    await withSidecar(
      async (running) => {
        const limited = running.clientOf(await tokenOf(running, 'write', ['pub', 'away']));
        for (const at of targets.keys())
          for (const below of ['', '/x', '/x/y']) {
            const asked = { path: `pub/${at}${below}` };
            for (const way of [() => limited.call('files.stat', asked), () => limited.call('files.write', { ...asked, text: '' })])
              await assert.rejects(way(), { reason: 'OUT_OF_SCOPE' }, `${targets[at]} ${asked.path}`);
            assert.deepEqual((await limited.call('search.files', asked)).files, []);
            assert.deepEqual((await limited.call('search.text', { pattern: '.', ...asked })).items, []);
          }
        // One of its paths that is a link out of the workspace keeps it from none of the others.
        await limited.call('files.write', { path: 'pub/own', text: 'own\n' });
        await assert.rejects(limited.call('files.stat', { path: 'away/hostname' }), { reason: 'OUT_OF_SCOPE' });
      },
      { workspace: root },
    );
  }));

test('a copy that is refused does not say where links of others lead', () =>
  withScratchFolder('reach-said', async (_folder, root) => {
    for (const name of ['pub/from', 'pub/over', 'other']) fs.mkdirSync(path.join(root, name), { recursive: true });
    fs.symlinkSync('../../other/link', path.join(root, 'pub/over/key'));
    fs.symlinkSync('hidden-name', path.join(root, 'other/link'));
    fs.writeFileSync(path.join(root, 'pub/from/key'), 'by the limited one\n');
    await withSidecar(
      async (running) => {
        const limited = running.clientOf(await tokenOf(running, 'write', ['pub']));
        await assert.rejects(limited.call('files.copy', { from: 'pub/from', to: 'pub/over', overwrite: true }), (error: unknown) => {
          assert.ok(error instanceof OutriggerError);
          assert.doesNotMatch(JSON.stringify([error.message, error.details]), /hidden-name/);
          return error.reason === 'OUT_OF_SCOPE';
        });
      },
      { workspace: root },
    );
  }));

test('of the whole folder a limited caller hears whether all works, and not how much lies in it or what others do', () =>
  withSidecar(
    async (running) => {
      const { client, url, put } = running;
      const limitedToken = await tokenOf(running, 'read', ['pub']);
      const limited = running.clientOf(limitedToken);
      const get = async (target: string, token = limitedToken): Promise<[number, string]> => {
        const answer = await fetch(url + target, { headers: { authorization: `Bearer ${token}` } });
        return [answer.status, await answer.text()];
      };
      const heard = async (): Promise<unknown> => {
        const [health, doctor, index] = [
          await limited.call('system.health', {}),
          await limited.call('system.doctor', {}),
          await limited.call('index.status', {}),
        ];
        const { revision: _, ...status } = index;
        return [health.checks, doctor.checks, status, await get('/readyz'), await get('/healthz')];
      };
      await client.call('index.wait', {});
      const before = await heard();
      put('secret/one.txt', 'of others\n');
      const person = openYjsClient(url, { token: running.token, room: 'secret/one.txt' });
      try {
        await person.synced();
        await client.call('index.wait', {});
        assert.deepEqual(await heard(), before);
        assert.match(JSON.stringify((await client.call('system.health', {})).checks), /1 open/);
        assert.equal((await client.call('index.status', {})).files, 1);
        assert.deepEqual((await get('/metrics'))[0], 403);
        assert.deepEqual((await get('/metrics', running.token))[0], 200);
      } finally {
        person.destroy();
      }
    },
    { prepare: (root) => fs.mkdirSync(path.join(root, 'pub')) },
  ));

function gitIn(root: string): (...args: string[]) => string {
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: root };
  const who = ['-c', 'user.name=T', '-c', 'user.email=t@example.org'];
  return (...args) => execFileSync('git', ['-C', root, ...who, ...args], { env, encoding: 'utf8' });
}
