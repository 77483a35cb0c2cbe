// Texts of files as they were: listed, read, brought back and taken back, of everybody's changes.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import type { OutriggerError } from '../../src/contract/errors.ts';
import type { Version } from '../../src/contract/history.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { openYjsClient, type YjsClient } from '../kit/yjs-client.ts';

const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('');

/** Of a file, newest first, once what each left there is kept; for who asks with a token of one's own, of theirs. */
async function keptVersions({ client }: Pick<RunningSidecar, 'client'>, file: string, count: number): Promise<Version[]> {
  let versions: Version[] = [];
  await eventually(async () => {
    ({ versions } = await client.call('history.list', { path: file }));
    assert.equal(versions.length, count);
    assert.ok(versions[0]?.kept === true || versions[0]?.what === 'removed', JSON.stringify(versions));
  });
  return versions;
}

function fails(reason: string, text = /./) {
  return (error: unknown): boolean => {
    assert.equal((error as OutriggerError).reason, reason, String(error));
    assert.match((error as OutriggerError).message, text);
    return true;
  };
}

test('each text that a call left is listed and read, and the one that was there before the first', () =>
  withSidecar(
    async (running) => {
      const { client, file } = running;
      const bot = running.clientOf((await client.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'write' })).secret);
      const first = await client.call('files.write', { path: 'a.txt', text: lines('one', 'TWO', 'three') });
      await bot.call('files.write', { path: 'a.txt', text: lines('one', 'TWO', 'three', 'four') });
      const versions = await keptVersions(running, 'a.txt', 2);
      assert.deepEqual(
        versions.map(({ what, path: at, cause, keptBefore }) => [what, at, cause.who?.[0]?.name, keptBefore]),
        [
          ['changed', 'a.txt', 'fixer', true],
          ['changed', 'a.txt', 'owner', true],
        ],
      );
      const read = async (revision: number, side: 'before' | 'after' = 'after'): Promise<string> =>
        (await client.call('history.read', { path: 'a.txt', revision, side })).text;
      assert.equal(await read(first.revision, 'before'), lines('one', 'two', 'three'));
      assert.equal(await read(first.revision), lines('one', 'TWO', 'three'));
      assert.equal(await read(versions[0]?.revision ?? 0), file('a.txt'));
      const stat = await client.call('files.stat', { path: 'a.txt', hash: true });
      assert.deepEqual(
        versions.map(({ after }) => `"${after}"`),
        [stat.exists ? stat.etag : undefined, first.etag],
        'which of them is there now can be told',
      );
      assert.equal(versions[0]?.before, versions[1]?.after);
      const older = await client.call('history.list', { path: 'a.txt', limit: 1 });
      assert.deepEqual([older.versions.length, older.more], [1, true]);
      const rest = await client.call('history.list', { path: 'a.txt', before: older.versions[0]?.revision });
      assert.deepEqual([rest.versions.map(({ revision }) => revision), rest.more], [[first.revision], false]);
      assert.deepEqual(await client.call('history.list', { path: 'missing' }), { versions: [], more: false });
      await assert.rejects(client.call('history.read', { path: 'missing', revision: first.revision }), fails('VERSION_NOT_KEPT'));
      await assert.rejects(client.call('history.read', { path: 'a.txt', revision: 100_000 }), fails('VERSION_NOT_KEPT', /r100000/));
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), lines('one', 'two', 'three')) },
  ));

test('a text is brought back, unless the file is another one than the caller knew', () =>
  withSidecar(async (running) => {
    const { client, file } = running;
    const first = await client.call('files.write', { path: 'a.txt', text: 'first\n' });
    await keptVersions(running, 'a.txt', 1);
    const second = await client.call('files.write', { path: 'a.txt', text: 'second\n' });
    await keptVersions(running, 'a.txt', 2);
    const third = await client.call('files.write', { path: 'a.txt', text: 'third\n' });
    const restore = { path: 'a.txt', revision: first.revision };
    await assert.rejects(client.call('history.restore', { ...restore, ifMatch: second.etag }), fails('ETAG_MISMATCH'));
    assert.equal(file('a.txt'), 'third\n');
    const restored = await client.call('history.restore', { ...restore, ifMatch: third.etag });
    assert.equal(file('a.txt'), 'first\n');
    await client.call('history.restore', { path: 'a.txt', revision: restored.revision, side: 'before' });
    assert.equal(file('a.txt'), 'third\n');
    const again = await client.call('history.restore', { ...restore, side: 'before' }).catch((error: unknown) => error);
    assert.ok(fails('VERSION_NOT_KEPT', /no a\.txt before r/)(again));
  }));

test('a file that is gone is made again, also by taking back its removal', () =>
  withSidecar(
    async (running) => {
      const { client, file, root } = running;
      await client.call('files.remove', { path: 'old.txt' });
      const [removal] = await keptVersions(running, 'old.txt', 1);
      assert.deepEqual([removal?.what, removal?.kept, removal?.keptBefore], ['removed', false, true]);
      const revision = removal?.revision ?? 0;
      const reverted = await client.call('history.revert', { path: 'old.txt', revision });
      assert.deepEqual([reverted.did, file('old.txt')], ['written', 'old\n']);
      const undone = await client.call('history.revert', { path: 'old.txt', revision: reverted.revision });
      assert.deepEqual([undone.did, fs.existsSync(path.join(root, 'old.txt'))], ['removed', false]);
      const again = await client.call('history.revert', { path: 'old.txt', revision: reverted.revision });
      assert.deepEqual(again, { path: 'old.txt', did: 'nothing', revision: undone.revision });
      await client.call('history.restore', { path: 'old.txt', revision, side: 'before' });
      assert.equal(file('old.txt'), 'old\n');
      // What came there since is somebody's.
      await assert.rejects(
        client.call('history.revert', { path: 'old.txt', revision: reverted.revision, first: undone.revision }),
        fails('BAD_INPUT'),
      );
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'old.txt'), 'old\n') },
  ));

test('what is brought back has its byte order mark and line ends, made anew and in place of another', () =>
  withSidecar(
    async (running) => {
      const { client, file, put } = running;
      const marked = '\ufeffone\r\ntwo\r\n';
      await client.call('files.remove', { path: 'a.txt' });
      const [removal] = await keptVersions(running, 'a.txt', 1);
      const revision = removal?.revision ?? 0;
      const restore = { path: 'a.txt', revision, side: 'before' } as const;
      assert.equal((await client.call('history.read', restore)).text, 'one\r\ntwo\r\n');
      await client.call('history.restore', restore);
      assert.equal(file('a.txt'), marked);
      await client.call('files.remove', { path: 'a.txt' });
      await client.call('history.revert', { path: 'a.txt', revision });
      assert.equal(file('a.txt'), marked);
      put('a.txt', 'plain\n');
      await eventually(async () => assert.equal((await client.call('files.read', { path: 'a.txt' })).text, 'plain\n'));
      await client.call('history.restore', restore);
      assert.equal(file('a.txt'), marked);
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), '\ufeffone\r\ntwo\r\n') },
  ));

test('one change is taken back, and what others wrote and typed since stays', () =>
  withSidecar(
    async (running) => {
      const { client, file } = running;
      const bot = running.clientOf((await client.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'write' })).secret);
      const ada = openYjsClient(running.url, { token: running.token, room: 'a.txt' });
      try {
        await ada.synced();
        await bot.call('files.edit', { path: 'a.txt', edits: [{ find: 'two', replace: 'TWO' }] });
        const [edit] = await keptVersions(running, 'a.txt', 1);
        ada.text.insert(0, 'typed\n');
        const reverted = await client.call('history.revert', { path: 'a.txt', revision: edit?.revision ?? 0 });
        assert.deepEqual([reverted.did, reverted.document], ['edited', true]);
        await eventually(() => assert.equal(file('a.txt'), lines('typed', 'one', 'two', 'three')));
        assert.equal(ada.text.toString(), file('a.txt'));
        const twice = await client.call('history.revert', { path: 'a.txt', revision: edit?.revision ?? 0 });
        assert.equal(twice.did, 'nothing');
      } finally {
        ada.destroy();
      }
    },
    {
      prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), lines('one', 'two', 'three')),
      config: { 'documents.saveIdleMs': '60' },
    },
  ));

test('what people typed a moment before is none of what is brought back or taken back: it can be had back, and stays', () =>
  withSidecar(
    async ({ client, url, token, file }) => {
      const ada = openYjsClient(url, { token, room: 'a.txt' });
      const type = async (text: string): Promise<void> => {
        ada.text.insert(0, text);
        await eventually(async () => assert.ok((await client.call('files.read', { path: 'a.txt', source: 'live' })).text.startsWith(text)));
      };
      try {
        const { revision: first } = await client.call('files.write', { path: 'a.txt', text: lines('ONE', 'two') });
        await ada.synced();
        await type('typed\n');
        const restored = await client.call('history.restore', { path: 'a.txt', revision: first, side: 'before' });
        assert.equal(file('a.txt'), lines('one', 'two'));
        await client.call('history.revert', { path: 'a.txt', revision: restored.revision });
        assert.equal(file('a.txt'), lines('typed', 'ONE', 'two'));
        await type('more\n');
        const reverted = await client.call('history.revert', { path: 'a.txt', revision: first });
        assert.equal(file('a.txt'), lines('more', 'typed', 'one', 'two'));
        await client.call('history.revert', { path: 'a.txt', revision: reverted.revision });
        assert.equal(file('a.txt'), lines('more', 'typed', 'ONE', 'two'));
        assert.equal(ada.text.toString(), file('a.txt'));
      } finally {
        ada.destroy();
      }
    },
    {
      prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), lines('one', 'two')),
      config: { 'documents.saveIdleMs': '5000', 'documents.saveMaxMs': '20000' },
    },
  ));

test('lines that were changed again since are asked about', () =>
  withSidecar(
    async (running) => {
      const { client, file } = running;
      const bot = running.clientOf((await client.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'write' })).secret);
      const { revision } = await bot.call('files.edit', {
        path: 'a.txt',
        edits: [
          { find: 'two', replace: 'TWO' },
          { find: 'five', replace: 'FIVE' },
        ],
      });
      await client.call('files.edit', { path: 'a.txt', edits: [{ find: 'TWO', replace: 'TWO and more' }] });
      const asked = await client.call('history.revert', { path: 'a.txt', revision }).catch((error: unknown) => error as OutriggerError);
      assert.ok(fails('HUNKS_SHARED')(asked));
      const { shared, total } = (asked as OutriggerError).details as { shared: object[]; total: number };
      assert.deepEqual([total, shared], [1, [{ path: 'a.txt', kind: 'hunk', line: 2, run: 'TWO', without: 'two', now: 'TWO and more' }]]);
      assert.equal(file('a.txt'), lines('one', 'TWO and more', 'three', 'four', 'FIVE'));
      await client.call('history.revert', { path: 'a.txt', revision, shared: 'keep' });
      assert.equal(file('a.txt'), lines('one', 'TWO and more', 'three', 'four', 'five'));
      await client.call('history.revert', { path: 'a.txt', revision, shared: 'remove' });
      assert.equal(file('a.txt'), lines('one', 'two', 'three', 'four', 'five'));
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), lines('one', 'two', 'three', 'four', 'five')) },
  ));

test('some changes in a row are taken back together, and a file that was made with them goes', () =>
  withSidecar(async (running) => {
    const { client, file, root } = running;
    const made = await client.call('files.create', { path: 'new.txt', text: 'a\n' });
    const last = await client.call('files.write', { path: 'new.txt', text: lines('a', 'b') });
    const other = await client.call('files.write', { path: 'new.txt', text: lines('a', 'b', 'c') });
    await keptVersions(running, 'new.txt', 3).catch(() => {});
    await assert.rejects(
      client.call('history.revert', { path: 'new.txt', revision: last.revision, first: made.revision }),
      (error: OutriggerError) => ['HUNKS_SHARED', 'VERSION_NOT_KEPT'].includes(error.reason),
    );
    assert.equal(file('new.txt'), lines('a', 'b', 'c'));
    const reverted = await client.call('history.revert', { path: 'new.txt', revision: other.revision, first: made.revision });
    assert.deepEqual([reverted.did, fs.existsSync(path.join(root, 'new.txt'))], ['removed', false]);
  }));

test('a program writes, and its change can be looked at and taken back once its file was kept', () =>
  withSidecar(async (running) => {
    const { client, put, file } = running;
    let count = 0;
    let change: Version | undefined;
    await eventually(async () => {
      put('a.txt', `${++count}\n`);
      [change] = await keptVersions(running, 'a.txt', count);
      assert.ok(change?.keptBefore);
    });
    assert.equal(change?.cause.kind, 'outside');
    await client.call('history.revert', { path: 'a.txt', revision: change?.revision ?? 0 });
    assert.equal(file('a.txt'), `${count - 1}\n`);
  }));

test('what a program does to a file that is open can be taken back, also the first time', () =>
  withSidecar(
    async (running) => {
      const { client, put } = running;
      const ada = openYjsClient(running.url, { token: running.token, room: 'a.txt' });
      try {
        await ada.synced();
        put('a.txt', lines('one', 'TWO', 'three'));
        const [change] = await keptVersions(running, 'a.txt', 1);
        assert.deepEqual([change?.cause.kind, change?.keptBefore], ['outside', true]);
        await eventually(() => assert.equal(ada.text.toString(), lines('one', 'TWO', 'three')));
        ada.text.insert(ada.text.length, 'typed\n');
        await client.call('history.revert', { path: 'a.txt', revision: change?.revision ?? 0 });
        await eventually(() => assert.equal(ada.text.toString(), lines('one', 'two', 'three', 'typed')));
      } finally {
        ada.destroy();
      }
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), lines('one', 'two', 'three')) },
  ));

test('a file is followed through its names, as far as the caller may look', () =>
  withSidecar(async (running) => {
    const { client } = running;
    await client.call('files.write', { path: 'private/a.txt', text: 'secret\n' });
    await keptVersions(running, 'private/a.txt', 1);
    await client.call('files.move', { from: 'private/a.txt', to: 'public/b.txt', parents: true });
    await client.call('files.write', { path: 'private/a.txt', text: 'another file\n' });
    await client.call('files.move', { from: 'public', to: 'open' });
    await client.call('files.write', { path: 'open/b.txt', text: 'told\n' });
    const versions = await keptVersions(running, 'open/b.txt', 3);
    assert.deepEqual(
      versions.map(({ what, path: at, from }) => [what, at, from]),
      [
        ['changed', 'open/b.txt', undefined],
        ['moved', 'public/b.txt', 'private/a.txt'],
        ['created', 'private/a.txt', undefined],
      ],
    );
    const made = versions[2]?.revision ?? 0;
    assert.equal((await client.call('history.read', { path: 'open/b.txt', revision: made })).text, 'secret\n');
    await assert.rejects(client.call('history.read', { path: 'private/a.txt', revision: made }), fails('VERSION_NOT_KEPT'));
    await assert.rejects(
      client.call('history.revert', { path: 'open/b.txt', revision: versions[1]?.revision ?? 0 }),
      fails('BAD_INPUT', /move it back/),
    );
    const limited = running.clientOf(
      (await client.call('tokens.create', { name: 'guest', access: 'write', paths: ['open', 'public'] })).secret,
    );
    const seen = await limited.call('history.list', { path: 'open/b.txt' });
    assert.deepEqual(
      seen.versions.map(({ what, path: at, from, keptBefore }) => [what, at, from, keptBefore]),
      [
        ['changed', 'open/b.txt', undefined, true],
        ['moved', 'public/b.txt', undefined, true],
      ],
    );
    const [change] = seen.versions;
    assert.equal(
      (await limited.call('history.read', { path: 'open/b.txt', revision: change?.revision ?? 0, side: 'before' })).text,
      'secret\n',
    );
    // What it held while it was called as the caller may not know.
    await assert.rejects(limited.call('history.read', { path: 'open/b.txt', revision: made, side: 'after' }), fails('VERSION_NOT_KEPT'));
    await assert.rejects(limited.call('history.list', { path: 'private/a.txt' }), fails('OUT_OF_SCOPE'));
  }));

test('nothing is kept of what is ignored, in a git folder, binary or too large', () =>
  withSidecar(
    async (running) => {
      const { client, put } = running;
      for (const name of ['node_modules/x.js', '.git/x', 'large.txt', 'small.txt'])
        for (const text of ['1', '2', '3'])
          await client.call('files.write', { path: name, text: `${name} ${text.repeat(name === 'large.txt' ? 2000 : 2)}` });
      put('bytes.bin', Buffer.from([0, 1, 2]));
      await client.call('files.remove', { path: 'bytes.bin' });
      const keptOf = async (name: string): Promise<boolean[]> =>
        (await client.call('history.list', { path: name })).versions.slice(1).map(({ kept, keptBefore }) => kept || keptBefore);
      assert.deepEqual(await keptOf('small.txt'), [true, true]);
      for (const name of ['node_modules/x.js', '.git/x', 'large.txt']) assert.deepEqual(await keptOf(name), [false, false], name);
      assert.ok((await client.call('history.list', { path: 'bytes.bin' })).versions.every(({ kept, keptBefore }) => !kept && !keptBefore));
    },
    { config: { 'history.maxFileBytes': '1024' } },
  ));

test('a text that is there is told to be kept of each change that left or found it, also where nothing is kept', () =>
  withSidecar(async ({ client }) => {
    const [one, two] = ['node_modules/one.js', 'node_modules/two.js'];
    for (const text of ['same\n', 'other\n', 'same\n']) await client.call('files.write', { path: one, text });
    await client.call('files.move', { from: one, to: two });
    const { versions } = await client.call('history.list', { path: two });
    const told = versions.map(({ what, kept, keptBefore }) => [what, keptBefore, kept]);
    assert.deepEqual(told, [
      ['moved', true, true],
      ['changed', false, true],
      ['changed', true, false],
      ['created', false, true],
    ]);
    const older = await client.call('history.list', { path: two, before: versions[2]?.revision });
    assert.deepEqual(older.versions, versions.slice(3), 'as on the page before');
    const revision = versions[3]?.revision ?? 0;
    assert.equal((await client.call('history.read', { path: two, revision })).text, 'same\n');
  }));

/** Paths of all texts that are stored, the first that came first. */
function storedPaths(stateFolder: string): string[] {
  const database = new DatabaseSync(path.join(stateFolder, 'state.db'), { readOnly: true });
  try {
    const rows = database.prepare('SELECT path FROM kept_texts ORDER BY id').all();
    return rows.map((row) => String(row['path']));
  } finally {
    database.close();
  }
}

test('of the sidecar’s own secrets no text is kept, whoever writes, moves or opens them', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-history-'));
  const workspace = path.join(folder, 'work');
  const secret = 'conf/main.token';
  const token = (n: number): string => `the-main-token-of-a-test-${n}-0123456789`;
  fs.mkdirSync(path.join(workspace, 'conf'), { recursive: true });
  fs.writeFileSync(path.join(workspace, secret), token(0));
  fs.symlinkSync('conf/main.token', path.join(workspace, 'linked'));
  try {
    await withSidecar(
      async (running) => {
        const { client, put, stateFolder } = running;
        const write = (name: string, n: number): Promise<unknown> => client.call('files.write', { path: name, text: token(n) });
        const ada = openYjsClient(running.url, { token: running.token, room: secret });
        try {
          await ada.synced();
          ada.text.insert(0, '1');
          await eventually(() => assert.equal(running.file(secret), `1${token(0)}`));
        } finally {
          ada.destroy();
        }
        await write(secret, 2);
        await write('linked', 3);
        put(secret, token(4));
        await eventually(async () =>
          assert.equal((await client.call('history.list', { path: secret })).versions[0]?.cause.kind, 'outside'),
        );
        // Beside it and then over it, as mounted secrets are renewed and as programs save.
        await write('conf/next', 5);
        await client.call('files.move', { from: 'conf/next', to: secret, overwrite: true });
        put('conf/.main.token', token(6));
        fs.renameSync(path.join(workspace, 'conf/.main.token'), path.join(workspace, secret));
        await eventually(async () =>
          assert.equal((await client.call('history.list', { path: secret })).versions[0]?.cause.kind, 'outside'),
        );
        await client.call('files.move', { from: secret, to: 'elsewhere' });
        await write('elsewhere', 7);
        await client.call('files.move', { from: 'elsewhere', to: secret });
        await client.call('files.remove', { path: secret });
        // Files are looked at in the order of their changes.
        await client.call('files.write', { path: 'plain.txt', text: 'plain' });
        await eventually(() => assert.ok(storedPaths(stateFolder).includes('plain.txt')));
        // Where it stood before it became the secret, nobody knew.
        const known = storedPaths(stateFolder).filter((one) => one !== 'conf/next' && one !== 'conf/.main.token');
        assert.deepEqual(known, ['plain.txt']);
        assert.ok((await client.call('history.list', { path: secret })).versions.every(({ kept, keptBefore }) => !kept && !keptBefore));
      },
      { workspace, config: { tokenFile: path.join(workspace, secret), 'documents.saveIdleMs': '60' } },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('where the part is off there is nothing of it', () =>
  withSidecar(
    async ({ client, stateFolder }) => {
      await client.call('files.write', { path: 'a.txt', text: 'a' });
      await client.call('files.write', { path: 'a.txt', text: 'b' });
      await assert.rejects(client.call('history.list', { path: 'a.txt' }), fails('PART_OFF'));
      const database = new DatabaseSync(path.join(stateFolder, 'state.db'), { readOnly: true });
      try {
        assert.deepEqual({ ...database.prepare('SELECT count(*) AS count FROM kept_texts').get() }, { count: 0 });
      } finally {
        database.close();
      }
    },
    { config: { components: ['files'] } },
  ));

test('texts outlive the sidecar, also those of its last moment', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-history-'));
  const workspace = path.join(folder, 'work');
  const setup = { workspace, config: { state: path.join(folder, 'state') } };
  let revision = 0;
  try {
    await withSidecar(async ({ client }) => {
      await client.call('files.write', { path: 'a.txt', text: 'first\n' });
      ({ revision } = await client.call('files.write', { path: 'a.txt', text: 'last\n' }));
    }, setup);
    fs.writeFileSync(path.join(workspace, 'a.txt'), 'meanwhile\n');
    await withSidecar(async ({ client }) => {
      assert.equal((await client.call('history.read', { path: 'a.txt', revision })).text, 'last\n');
    }, setup);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a sidecar that only reads lists what was done, and keeps and changes nothing', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-history-'));
  const setup = { workspace: path.join(folder, 'work'), config: { state: path.join(folder, 'state') } };
  let revision = 0;
  try {
    await withSidecar(async ({ client }) => {
      await client.call('files.write', { path: 'a.txt', text: 'first\n' });
      ({ revision } = await client.call('files.write', { path: 'a.txt', text: 'last\n' }));
    }, setup);
    await withSidecar(
      async (running) => {
        const { client } = running;
        const [newest] = await keptVersions(running, 'a.txt', 2);
        assert.deepEqual([newest?.revision, newest?.keptBefore], [revision, true]);
        assert.equal((await client.call('history.read', { path: 'a.txt', revision, side: 'before' })).text, 'first\n');
        await assert.rejects(client.call('history.restore', { path: 'a.txt', revision, side: 'before' }), fails('READ_ONLY'));
        await assert.rejects(client.call('history.revert', { path: 'a.txt', revision }), fails('READ_ONLY'));
      },
      { ...setup, config: { ...setup.config, readOnly: true } },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** A sidecar in a process of its own, until `end`. */
async function withProcess(
  options: { root: string; state: string; flags?: Record<string, string> },
  end: 'SIGTERM' | 'SIGKILL',
  run: (client: Client<Operations>, url: string) => Promise<void>,
): Promise<void> {
  const sidecar = await spawnSidecar({ ...options, port: 0 });
  const client = createClient<Operations>({ url: sidecar.url, token: processToken });
  try {
    await run(client, sidecar.url);
    if (end === 'SIGTERM') assert.equal(await sidecar.stop(), 0, sidecar.log().slice(-2000));
  } finally {
    await sidecar.kill();
    client.close();
  }
}

test('what was typed in the last moment before SIGTERM is listed and read after the next start', () =>
  withScratchFolder('history', async (folder, root) => {
    const flags = { 'documents.saveIdleMs': '10000', 'documents.saveMaxMs': '60000' };
    const options = { root, state: path.join(folder, 'state'), flags };
    fs.writeFileSync(path.join(root, 'a.txt'), 'first\n');
    await withProcess(options, 'SIGTERM', async (_client, url) => {
      const [ada, bob] = [1, 2].map(() => openYjsClient(url, { token: processToken, room: 'a.txt' })) as [YjsClient, YjsClient];
      await Promise.all([ada.synced(), bob.synced()]);
      ada.text.insert(0, 'typed\n');
      await eventually(() => assert.equal(bob.text.toString(), 'typed\nfirst\n'));
      ada.destroy();
      bob.destroy();
      assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'first\n');
    });
    fs.writeFileSync(path.join(root, 'a.txt'), 'meanwhile\n');
    await withProcess(options, 'SIGTERM', async (client) => {
      // What changed while no sidecar ran is found out beside the first calls.
      let versions: Version[] = [];
      await eventually(async () => {
        ({ versions } = await client.call('history.list', { path: 'a.txt' }));
        assert.deepEqual(
          versions.map(({ cause, kept, keptBefore }) => [cause.kind, kept, keptBefore]),
          [
            ['outside', true, true],
            ['document', true, true],
          ],
        );
      });
      const { revision } = versions[1] as Version;
      assert.equal((await client.call('history.read', { path: 'a.txt', revision })).text, 'typed\nfirst\n');
      assert.equal((await client.call('history.read', { path: 'a.txt', revision, side: 'before' })).text, 'first\n');
    });
  }));

test('what a call had just been told is written at kill -9 is listed and read after the next start, with what it found', () =>
  withScratchFolder('history', async (folder, root) => {
    const options = { root, state: path.join(folder, 'state') };
    fs.writeFileSync(path.join(root, 'a.txt'), 'first\n');
    const revisions: number[] = [];
    for (const text of ['one\n', 'two\n'])
      await withProcess(options, 'SIGKILL', async (client) => {
        revisions.push((await client.call('files.edit', { path: 'a.txt', edits: [{ startLine: 1, endLine: 1, text }] })).revision);
      });
    await withProcess(options, 'SIGTERM', async (client) => {
      const read = async (revision: number, side: 'before' | 'after'): Promise<string> =>
        (await client.call('history.read', { path: 'a.txt', revision, side })).text;
      const [one = 0, two = 0] = revisions;
      const { versions } = await client.call('history.list', { path: 'a.txt' });
      assert.deepEqual(
        versions.map(({ revision, kept, keptBefore }) => [revision, kept, keptBefore]),
        [
          [two, true, true],
          [one, true, true],
        ],
      );
      assert.deepEqual([await read(one, 'before'), await read(one, 'after'), await read(two, 'after')], ['first\n', 'one\n', 'two\n']);
      // It is looked at again; a program writes over it then.
      await eventually(() => assert.equal(storedPaths(options.state).length, 3));
      fs.writeFileSync(path.join(root, 'a.txt'), 'by a program\n');
      await eventually(async () => {
        assert.equal((await client.call('history.list', { path: 'a.txt' })).versions[0]?.cause.kind, 'outside');
      });
      assert.equal(await read(two, 'after'), 'two\n');
    });
  }));
