import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { withGitServer } from '../kit/git-server.ts';
import { fails } from '../kit/git-world.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

const env = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };

/** The git of somebody beside the sidecar. */
function git(folder: string, ...args: string[]): string {
  const who = ['-c', 'user.name=Uma', '-c', 'user.email=uma@example.org', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...who, ...args], { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

function withFile(root: string): void {
  git(root, 'init', '-q');
  fs.writeFileSync(path.join(root, 'a.txt'), 'one\ntwo\n');
  git(root, 'add', '--all');
  git(root, 'commit', '-qm', 'base');
}

async function tokenOf({ client }: RunningSidecar, name: string, access: 'read' | 'write' | 'execute', paths?: string[]): Promise<string> {
  return (await client.call('tokens.create', { name, access, ...(paths === undefined ? {} : { paths }) })).secret;
}

describe('git in a workspace', { skip: requireTool('git') }, () => {
  test('what is typed and not saved yet has a hunk, which is taken back in the open document too', () =>
    withSidecar(
      async ({ url, token, client, file }) => {
        const person = openYjsClient(url, { token, room: 'a.txt', name: 'Ann' });
        try {
          await person.synced();
          person.text.insert(0, 'typed\n');
          await eventually(async () => {
            const { files } = await client.call('git.hunks', {});
            assert.deepEqual(files[0]?.hunks[0]?.lines[0], { kind: 'added', text: 'typed' });
          });
          const id = (await client.call('git.hunks', {})).files[0]?.hunks[0]?.id ?? '';
          person.text.insert(person.text.length, 'three\n');
          await eventually(async () => {
            const [hunk] = (await client.call('git.hunks', {})).files[0]?.hunks ?? [];
            assert.notEqual(hunk?.id, id);
          });
          await assert.rejects(client.call('git.restore', { files: [{ path: 'a.txt', hunks: [id] }] }), fails('GIT_STALE_HUNK'));
          assert.equal(person.text.toJSON(), 'typed\none\ntwo\nthree\n');
          await client.call('git.restore', { files: [{ path: 'a.txt' }] });
          assert.equal(file('a.txt'), 'one\ntwo\n');
          await eventually(() => assert.equal(person.text.toJSON(), 'one\ntwo\n'));
        } finally {
          person.destroy();
        }
      },
      { prepare: withFile },
    ));

  test('a checkout reaches open documents and the feed of changes', () =>
    withSidecar(
      async ({ url, token, client, root }) => {
        git(root, 'checkout', '-qb', 'side');
        fs.writeFileSync(path.join(root, 'a.txt'), 'side\n');
        git(root, 'commit', '-qam', 'side');
        git(root, 'checkout', '-q', 'main');
        const person = openYjsClient(url, { token, room: 'a.txt', name: 'Ann' });
        try {
          await person.synced();
          await eventually(() => assert.equal(person.text.toJSON(), 'one\ntwo\n'));
          assert.equal((await client.call('git.checkout', { to: 'side' })).branch, 'side');
          await eventually(() => assert.equal(person.text.toJSON(), 'side\n'));
        } finally {
          person.destroy();
        }
      },
      { prepare: withFile },
    ));

  test('what is typed or written while git changes files is there when it is done', () =>
    withSidecar(
      async ({ url, token, client, root, stateFolder, file, put }) => {
        const [begun, free] = ['begun', 'free'].map((name) => path.join(path.dirname(stateFolder), name)) as [string, string];
        git(root, 'config', 'filter.slow.smudge', `touch '${begun}'; while [ ! -e '${free}' ]; do sleep 0.02; done; cat`);
        // Git writes this one first.
        for (const name of ['.slow', 'b.txt']) put(name, 'one\n');
        put('.gitattributes', '.slow filter=slow\n');
        git(root, 'add', '--all');
        git(root, 'commit', '-qm', 'slow');
        for (const name of ['.slow', 'a.txt', 'b.txt']) put(name, 'one\nput aside\n');
        const person = openYjsClient(url, { token, room: 'a.txt' });
        try {
          await person.synced();
          await eventually(() => assert.equal(person.text.toJSON(), 'one\nput aside\n'));
          const stashed = client.call('git.stash', {});
          await eventually(() => fs.existsSync(begun));
          person.text.insert(0, 'typed\n');
          const written = client.call('files.edit', { path: 'b.txt', edits: [{ startLine: 1, endLine: 0, text: 'written' }] });
          await eventually(async () => (await client.call('files.read', { path: 'a.txt' })).text.includes('typed'));
          // Long after it would have been saved.
          await new Promise((resolve) => setTimeout(resolve, 600));
          assert.equal(file('a.txt').includes('typed'), false);
          // What waits to be renamed into place would be put aside as a new file.
          assert.deepEqual(
            fs.readdirSync(root).filter((name) => name.endsWith('.tmp')),
            [],
          );
          fs.writeFileSync(free, '');
          assert.equal((await stashed).outcome, 'done');
          await eventually(() => assert.equal(file('a.txt'), 'typed\none\ntwo\n'));
          await eventually(() => assert.equal(person.text.toJSON(), 'typed\none\ntwo\n'));
          await written;
          assert.equal(file('b.txt'), 'written\none\n');
          await eventually(async () => assert.equal((await client.call('files.read', { path: 'b.txt' })).text, 'written\none\n'));
        } finally {
          fs.writeFileSync(free, '');
          person.destroy();
        }
      },
      { prepare: withFile },
    ));

  test('what is typed while a hook of a commit rewrites the file that it has read is there when it is done', () =>
    withSidecar(
      async ({ url, token, client, root, stateFolder, file, put }) => {
        const [begun, free] = ['begun', 'free'].map((name) => path.join(path.dirname(stateFolder), name)) as [string, string];
        const hook = [
          '#!/bin/sh',
          'text=$(cat a.txt)',
          `touch '${begun}'`,
          `while [ ! -e '${free}' ]; do sleep 0.02; done`,
          'echo "$text" | tr a-z A-Z > a.txt',
          'git add a.txt',
        ];
        fs.writeFileSync(path.join(root, '.git/hooks/pre-commit'), hook.map((line) => `${line}\n`).join(''), { mode: 0o755 });
        put('b.txt', 'b\n');
        const people = ['a.txt', 'b.txt'].map((room) => openYjsClient(url, { token, room }));
        const [ann, ben] = people;
        assert.ok(ann && ben);
        try {
          await Promise.all(people.map((person) => person.synced()));
          ann.text.insert(0, 'zero\n');
          await eventually(async () => (await client.call('files.read', { path: 'a.txt' })).text.startsWith('zero'));
          const committed = client.call('git.commit', { message: 'in capitals', all: true });
          await eventually(() => fs.existsSync(begun));
          ann.text.insert(ann.text.length, 'typed\n');
          ben.text.insert(0, 'typed\n');
          // Who asks for it is not kept waiting: a hook may be who asks.
          await client.call('files.edit', { path: 'b.txt', edits: [{ startLine: 1, endLine: 0, text: 'written' }] });
          assert.equal(file('b.txt'), 'written\ntyped\nb\n');
          await eventually(async () => (await client.call('files.read', { path: 'a.txt' })).text.endsWith('typed\n'));
          // Those who look at files only have it saved at other times.
          await Promise.all([client.call('git.status', {}), client.call('search.text', { pattern: 'typed' })]);
          // Long after it would have been saved.
          await new Promise((resolve) => setTimeout(resolve, 600));
          assert.equal(file('a.txt'), 'zero\none\ntwo\n');
          fs.writeFileSync(free, '');
          await committed;
          await eventually(() => assert.equal(file('a.txt'), 'ZERO\nONE\nTWO\ntyped\n'));
          await eventually(() => assert.equal(ann.text.toJSON(), 'ZERO\nONE\nTWO\ntyped\n'));
          assert.equal(git(root, 'show', 'HEAD:a.txt'), 'ZERO\nONE\nTWO');
        } finally {
          fs.writeFileSync(free, '');
          for (const person of people) person.destroy();
        }
      },
      { prepare: withFile, config: { 'documents.saveIdleMs': '60', 'documents.saveMaxMs': '200' } },
    ));

  test('with git.coAuthors a commit names who edited its files, by calls and in documents (long form)', () =>
    withSidecar(
      async (running) => {
        const { url, client, clientOf, root } = running;
        const bot = clientOf(await tokenOf(running, 'Bot <x>', 'write'));
        await bot.call('files.write', { path: 'a.txt', text: 'by the bot\n' });
        const ann = openYjsClient(url, { token: await tokenOf(running, 'Änn', 'write'), room: 'b.txt', name: 'Änn' });
        try {
          await client.call('files.write', { path: 'b.txt', text: '' });
          await ann.synced();
          ann.text.insert(0, 'by Ann\n');
          await eventually(async () => assert.equal((await client.call('files.read', { path: 'b.txt' })).text, 'by Ann\n'));
          const told = async (by: typeof client): Promise<string[]> =>
            (await by.call('git.editors', {})).editors.map(({ name, email, kind }) => `${kind} ${name} <${email}>`);
          assert.deepEqual(await told(client), [
            'person Bot x <bot-x@outrigger.invalid>',
            'person owner <owner@outrigger.invalid>',
            'person Änn <a-nn@outrigger.invalid>',
          ]);
          const part = clientOf(await tokenOf(running, 'part', 'read', ['a.txt']));
          assert.deepEqual(await told(part), ['person Bot x <bot-x@outrigger.invalid>']);
          const { committed } = await client.call('git.commit', {
            message: 'Both',
            author: { name: 'owner', email: 'owner@example.org' },
          });
          assert.equal(committed, true);
          const trailers = git(root, 'log', '-1', '--format=%(trailers:key=Co-authored-by,valueonly,unfold)').split('\n').filter(Boolean);
          assert.deepEqual(trailers, ['Bot x <bot-x@outrigger.invalid>', 'Änn <a-nn@outrigger.invalid>']);
          // A call that names nobody is heard, whatever the option says.
          await bot.call('files.write', { path: 'a.txt', text: 'once more\n' });
          await client.call('git.commit', { message: 'Alone', editors: false });
          assert.doesNotMatch(git(root, 'log', '-1', '--format=%B'), /Co-authored/);
        } finally {
          ann.destroy();
        }
      },
      { prepare: withFile, config: { 'git.coAuthors': true } },
    ));

  test('who edited a file is named whatever it was called then, as far as whoever asks may see', () =>
    withSidecar(
      async (running) => {
        const { client, clientOf } = running;
        const told = async (by: typeof client, all: boolean): Promise<string[]> =>
          (await by.call('git.editors', { all })).editors.map(({ name }) => name);
        const ann = clientOf(await tokenOf(running, 'Ann', 'write'));
        const ben = clientOf(await tokenOf(running, 'Ben', 'write'));
        await ann.call('files.write', { path: 'sub/new.txt', text: 'by Ann\n' });
        await client.call('files.move', { from: 'sub/new.txt', to: 'sub/newer.txt' });
        await client.call('files.move', { from: 'sub', to: 'folder' });
        assert.deepEqual(await told(client, true), ['Ann', 'owner']);
        assert.deepEqual(await told(clientOf(await tokenOf(running, 'part', 'read', ['folder'])), true), []);
        // One that git knows, and whose new name alone is in the list.
        await ben.call('files.edit', { path: 'a.txt', edits: [{ startLine: 3, endLine: 2, text: 'by Ben' }] });
        await client.call('files.move', { from: 'a.txt', to: 'b.txt' });
        await client.call('git.stage', { files: [{ path: 'a.txt' }, { path: 'b.txt' }] });
        assert.deepEqual(await told(client, false), ['Ben', 'owner']);
        await client.call('git.commit', { message: 'b', all: false });
        await client.call('files.move', { from: 'b.txt', to: 'c.txt' });
        assert.deepEqual(await told(client, true), ['Ann', 'owner'], 'what Ben did was committed');
      },
      { prepare: withFile },
    ));

  test('with git.autoCommit what is typed is committed by itself, and health says so', () =>
    withSidecar(
      async ({ client, root, log }) => {
        await client.call('files.write', { path: 'b/new.txt', text: 'x\n' });
        await eventually(() => assert.equal(git(root, 'log', '-1', '--format=%B'), 'Save new.txt\n\nb/new.txt'), 10_000);
        await eventually(() => log.some(({ event }) => event === 'git.auto-commit'));
        const said = async (): Promise<string | undefined> =>
          (await client.call('system.health', {})).checks?.find(({ name }) => name === 'auto-commit')?.text;
        assert.match((await said()) ?? '', /after 1 s/);
        fs.writeFileSync(path.join(root, 'a.txt'), 'mine\n');
        git(root, 'add', 'a.txt');
        await eventually(async () => assert.match((await said()) ?? '', /1 file is staged/), 10_000);
        assert.equal(git(root, 'diff', '--cached', '--name-only'), 'a.txt');
      },
      { prepare: withFile, config: { 'git.autoCommit': '1' } },
    ));

  test('a clone streams its progress to a caller who may run things; a token, its paths and a read-only start hold', () =>
    withSidecar(async (running) => {
      const { client, clientOf, file, stateFolder } = running;
      const served = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-git-served-'));
      try {
        fs.mkdirSync(path.join(served, 'source'));
        withFile(path.join(served, 'source'));
        git(served, 'clone', '-q', '--bare', 'source', 'r.git');
        await withGitServer(
          served,
          async ({ url }) => {
            const input = { url: `${url}r.git`, path: 'sub/copy', credentials: { username: 'ann', password: 's3cret-word' } };
            const writer = clientOf(await tokenOf(running, 'writer', 'write'));
            await assert.rejects(writer.call('git.clone', input), fails('ACCESS_DENIED'));
            const narrow = clientOf(await tokenOf(running, 'narrow', 'execute', ['other']));
            await assert.rejects(narrow.call('git.clone', input), fails('OUT_OF_SCOPE'));
            const stream = client.stream('git.clone', input);
            const phases = new Set<string>();
            for await (const { phase } of stream) phases.add(phase);
            assert.equal((await stream.end).branch, 'main');
            assert.ok(phases.has('Receiving objects'), [...phases].join());
            assert.equal(file('sub/copy/a.txt'), 'one\ntwo\n');
          },
          { user: 'ann', password: 's3cret-word' },
        );
        await eventually(() => running.log.some(({ operation }) => operation === 'git.clone'));
        assert.ok(!JSON.stringify(running.log).includes('s3cret-word'));
        for (const entry of fs.readdirSync(stateFolder, { recursive: true, withFileTypes: true }))
          if (entry.isFile()) assert.ok(!fs.readFileSync(path.join(entry.parentPath, entry.name), 'latin1').includes('s3cret-word'));
        await client.call('git.init', {});
        const part = clientOf(await tokenOf(running, 'part', 'write', ['mine']));
        await client.call('files.write', { path: 'mine/x', text: 'x' });
        await client.call('files.write', { path: 'theirs', text: 'x' });
        assert.deepEqual(await part.call('git.stage', { files: [{ path: 'mine/x' }] }), { files: 1 });
        for (const files of [[{ path: 'theirs' }], []]) await assert.rejects(part.call('git.stage', { files }), fails('OUT_OF_SCOPE'));
        await assert.rejects(part.call('git.checkout', { to: 'main' }), fails('OUT_OF_SCOPE'));
        await assert.rejects(part.call('git.hunks', {}), fails('OUT_OF_SCOPE'));
        assert.equal((await part.call('git.hunks', { path: 'mine', staged: true })).files.length, 1);
        await assert.rejects(part.call('git.hunks', { path: 'mine/x', was: 'theirs', staged: true }), fails('OUT_OF_SCOPE'));
        await client.call('files.write', { path: 'mine/new', text: 'x' });
        const fresh = await part.call('git.hunks', { path: 'mine', was: 'mine', untracked: true });
        assert.deepEqual(
          fresh.files.map((one) => one.path),
          ['mine/new'],
        );
      } finally {
        fs.rmSync(served, { recursive: true, force: true });
      }
    }));

  test('read-only, everything can be looked at and nothing changed', () =>
    withSidecar(
      async ({ client, root }) => {
        fs.writeFileSync(path.join(root, 'a.txt'), 'changed\n');
        assert.equal((await client.call('git.hunks', {})).files.length, 1);
        assert.equal((await client.call('git.branches', {})).current, 'main');
        assert.equal((await client.call('git.blame', { path: 'a.txt' })).runs.length, 1);
        assert.equal((await client.call('git.commitInfo', {})).files[0]?.added, 2);
        await assert.rejects(client.call('git.stage', {}), fails('READ_ONLY'));
        await assert.rejects(client.call('git.fetch', {}), fails('READ_ONLY'));
        assert.equal(git(root, 'diff', '--cached', '--name-only'), '');
      },
      { prepare: withFile, config: { readOnly: true, 'git.autoCommit': '1' } },
    ));
});
