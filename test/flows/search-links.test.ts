// What a search finds where its path is a link, or passes one: no more than files.read would show to the same caller.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Client } from '../../src/client/client.ts';
import type { Asked } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';
import type { AccessLevel } from '../../src/contract/access.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { fails } from '../kit/workspace-harness.ts';

type Question = Partial<Asked<Operations['search.text']>>;

const engines: [name: string, config: Record<string, string | boolean>][] = [
  ['the index', {}],
  ['a walk', { 'search.index': false }],
  ['no ripgrep', { 'search.ripgrep': '/nowhere/rg' }],
];

const files: Record<string, string> = {
  'docs/a.txt': 'needle public\n',
  'docs/sub/b.txt': 'needle below\n',
  'private/p.txt': 'needle of the owner\n',
  'private/.hidden.txt': 'needle hidden\n',
  'conf/token.txt': 'main-needle-token-0123456789\n',
};

const links: Record<string, string> = {
  'docs/more': '../private',
  'docs/one.txt': '../private/p.txt',
  'docs/near': 'sub',
  'docs/conf': '../conf',
  again: 'docs',
  whole: '.',
  outside: '../outside',
  'docs/key.txt': '../../outside/key.txt',
  'private/out': '../../outside',
  nowhere: 'not/there',
  round: 'round',
  token: 'conf/token.txt',
  conf2: 'conf',
};

/** A tree with links in it and out of it; one file holds the main token. */
function withLinks(
  run: (running: RunningSidecar) => Promise<void>,
  config: Record<string, string | boolean | string[]>,
  more: Record<string, string> = {},
): Promise<void> {
  return withScratchFolder('search-links', async (folder, root) => {
    fs.mkdirSync(path.join(folder, 'outside'));
    fs.writeFileSync(path.join(folder, 'outside', 'key.txt'), 'needle outside\n');
    for (const [name, text] of Object.entries({ ...files, ...more })) {
      fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      fs.writeFileSync(path.join(root, name), text, { mode: 0o600 });
    }
    for (const [name, target] of Object.entries(links)) fs.symlinkSync(target, path.join(root, name));
    await withSidecar(
      async (running) => {
        await running.client.call('index.wait', {});
        await run(running);
      },
      { workspace: root, config: { tokenFile: path.join(root, 'conf/token.txt'), ...config } },
    );
  });
}

async function callerOf({ client, clientOf }: RunningSidecar, access: AccessLevel, paths?: string[]): Promise<Client<Operations>> {
  const { secret } = await client.call('tokens.create', { name: 'caller', access, ...(paths === undefined ? {} : { paths }) });
  return clientOf(secret);
}

async function texts(client: Client<Operations>, question: Question): Promise<string[]> {
  const { items } = await client.call('search.text', { pattern: 'needle', ...question });
  return items.map((file) => file.path).sort();
}

async function names(client: Client<Operations>, question: Omit<Question, 'pattern'>): Promise<string[]> {
  return (await client.call('search.files', question)).files.map((file) => file.path).sort();
}

for (const [engine, config] of engines) {
  test(`a link within the workspace is searched, and what is found is named beneath it, with ${engine}`, () =>
    withLinks(async (running) => {
      const reader = await callerOf(running, 'read');
      for (const [place, found] of [
        ['docs', ['docs/a.txt', 'docs/sub/b.txt']],
        ['again', ['again/a.txt', 'again/sub/b.txt']],
        ['again/near', ['again/near/b.txt']],
        ['docs/more', ['docs/more/p.txt']],
        ['docs/more/p.txt', ['docs/more/p.txt']],
        ['docs/one.txt', ['docs/one.txt']],
        ['whole', ['whole/docs/a.txt', 'whole/docs/sub/b.txt', 'whole/private/p.txt']],
      ] as const)
        for (const ask of [texts, names]) assert.deepEqual(await ask(reader, { path: place }), found, `${ask.name} ${place}`);
      const { files: found } = await reader.call('search.files', { path: 'again', query: 'agnb' });
      const letters = found.map((file) => [file.path, (file.ranges ?? []).map(([start, end]) => file.path.slice(start, end)).join('')]);
      assert.deepEqual(letters, [['again/sub/b.txt', 'agnb']]);
      assert.deepEqual(await texts(reader, { path: 'docs/more', hidden: true }), ['docs/more/.hidden.txt', 'docs/more/p.txt']);
    }, config));

  test(`a link that leads out of the workspace is refused, and one to nothing is not there, with ${engine}`, () =>
    withLinks(async (running) => {
      const limited = await callerOf(running, 'read', ['docs', 'outside']);
      for (const client of [running.client, await callerOf(running, 'read'), limited])
        for (const ask of [texts, names]) {
          for (const place of ['outside', 'outside/key.txt', 'docs/key.txt'])
            await fails('PATH_ESCAPES', () => ask(client, { path: place }));
          await fails('FILE_NOT_FOUND', () => ask(client, { path: 'docs/a.txt/none' }));
          if (client === limited) continue;
          for (const place of ['nowhere', 'outside-of-all', 'docs/more/none'])
            await fails('FILE_NOT_FOUND', () => ask(client, { path: place }));
          await fails('PATH_ESCAPES', () => ask(client, { path: 'round' }));
        }
      await fails(['PATH_ESCAPES', 'TOOL_MISSING'], () =>
        running.client.call('search.replace', { pattern: 'needle', replace: 'pin', path: 'outside' }),
      );
    }, config));

  test(`a caller with some paths finds nothing elsewhere by a link, and all of a path that is one, with ${engine}`, () =>
    withLinks(async (running) => {
      const docs = await callerOf(running, 'read', ['docs']);
      const again = await callerOf(running, 'read', ['again']);
      for (const ask of [texts, names]) {
        for (const place of ['docs/more', 'docs/more/p.txt', 'docs/one.txt', 'again', 'whole', 'private'])
          assert.deepEqual(await ask(docs, { path: place, hidden: true }), [], `${ask.name} ${place}`);
        assert.deepEqual(await ask(docs, { path: 'docs/near' }), ['docs/near/b.txt'], 'a link that stays within the paths');
        assert.deepEqual(await ask(again, { path: 'again' }), ['again/a.txt', 'again/sub/b.txt'], 'the path itself is a link');
        assert.deepEqual(await ask(again, { path: 'again/more' }), []);
        assert.deepEqual(await ask(again, { path: 'docs' }), []);
      }
    }, config));

  test(`whether anything is there is not told of where a caller may not look, with ${engine}`, () =>
    withLinks(async (running) => {
      const docs = await callerOf(running, 'read', ['docs']);
      const deep = await callerOf(running, 'read', ['docs/sub', 'docs/none/below']);
      for (const [client, places] of [
        [
          docs,
          [
            'private',
            'private/p.txt',
            'none',
            'nowhere',
            'round',
            'outside',
            'outside/key.txt',
            'docs/more',
            'docs/more/none',
            'docs/more/out',
          ],
        ],
        [deep, ['docs/a.txt', 'docs/z.txt', 'docs/more', 'docs/key.txt']],
      ] as const)
        for (const place of places) {
          const { items, files: count, engine } = await client.call('search.text', { pattern: 'needle', path: place });
          assert.deepEqual([items, count, engine], [[], 0, 'walk'], place);
          assert.deepEqual((await client.call('search.files', { path: place })).files, [], place);
        }
      assert.deepEqual(await texts(deep, { path: 'docs' }), ['docs/sub/b.txt'], 'a folder above what it may see');
      await fails('FILE_NOT_FOUND', () => texts(docs, { path: 'docs/none' }));
    }, config));

  test(`the file of the main token is found by an admin alone, by no link by others, with ${engine}`, () =>
    withLinks(async (running) => {
      for (const caller of [await callerOf(running, 'read'), await callerOf(running, 'execute'), await callerOf(running, 'read', ['docs'])])
        for (const place of [
          'token',
          'conf',
          'conf2',
          'conf/token.txt',
          'conf2/token.txt',
          'docs/conf',
          'docs/conf/token.txt',
          'again/conf',
        ])
          for (const ask of [texts, names]) assert.deepEqual(await ask(caller, { path: place }), [], `${ask.name} ${place}`);
      assert.deepEqual(await texts(running.client, { path: 'token' }), ['token']);
      assert.deepEqual(await texts(running.client, { path: 'conf2' }), ['conf2/token.txt']);
    }, config));
}

test('what a folder held before it became a link, where nobody watches, is not taken for what the link leads to (long form)', () =>
  withLinks(
    async (running) => {
      const docs = await callerOf(running, 'read', ['docs']);
      const symbols = async (client: Client<Operations>): Promise<string[]> =>
        (await client.call('search.symbols', { query: 'needle' })).symbols.map(({ path: where }) => where);
      fs.rmSync(path.join(running.root, 'docs/old'), { recursive: true });
      fs.symlinkSync('../private', path.join(running.root, 'docs/old'));
      assert.deepEqual(await texts(docs, { pattern: 'of the owner' }), []);
      assert.deepEqual(await symbols(docs), []);
      assert.deepEqual(await texts(docs, { pattern: 'needle public' }), ['docs/a.txt']);
    },
    { 'watch.ignore': ['docs/old'] },
    { 'docs/old/p.txt': 'nothing of the owner\n', 'docs/old/s.ts': 'let nothing;\n', 'private/s.ts': 'let needleOfTheOwner;\n' },
  ));

for (const index of [true, false])
  test(`what is replaced by a link is named beneath it, and what a caller may not edit stays, ${index ? 'with' : 'without'} the index`, () =>
    withLinks(
      async (running) => {
        const writer = await callerOf(running, 'write');
        for (const place of ['token', 'conf2', 'docs/conf', 'conf', 'conf/token.txt']) {
          const done = await writer.call('search.replace', { pattern: 'token', replace: 'mine', path: place, returnBefore: true });
          assert.deepEqual([done.matches, done.files, done.skipped, done.undo ?? []], [0, [], [], []], place);
        }
        assert.equal(running.file('conf/token.txt'), files['conf/token.txt']);
        const { revision } = await writer.call('search.text', { pattern: 'needle', path: 'again' });
        const question = { pattern: 'needle', replace: 'pin', path: 'again', ifRevision: revision };
        const done = await writer.call('search.replace', { ...question, except: [{ path: 'again/sub/b.txt' }], returnBefore: true });
        assert.deepEqual(
          done.files.map((file) => file.path),
          ['again/a.txt'],
        );
        assert.equal(running.file('docs/a.txt'), 'pin public\n');
        assert.equal(running.file('docs/sub/b.txt'), files['docs/sub/b.txt']);
        await writer.call('files.batch', { changes: done.undo ?? [] });
        assert.equal(running.file('docs/a.txt'), files['docs/a.txt']);
        const conflict = await fails('ETAG_MISMATCH', () => writer.call('search.replace', question), /again\/a\.txt changed/);
        assert.deepEqual(conflict.details, { paths: ['again/a.txt'] });
        const one = await writer.call('search.replace', { pattern: 'needle', replace: 'pin', path: 'docs/one.txt' });
        assert.deepEqual(
          one.files.map((file) => file.path),
          ['docs/one.txt'],
        );
        assert.equal(running.file('private/p.txt'), 'pin of the owner\n');
        assert.ok(fs.lstatSync(path.join(running.root, 'docs/one.txt')).isSymbolicLink());
      },
      { 'search.index': index },
    ));
