import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { testSeed } from '../kit/seed.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { openYjsClient, type YjsClient } from '../kit/yjs-client.ts';
import { fails } from '../kit/workspace-harness.ts';

const etag = (text: string): string => `"${createHash('sha256').update(text).digest('hex')}"`;

async function withDocuments(
  files: Record<string, string>,
  run: (running: RunningSidecar, open: (room: string) => Promise<YjsClient>) => Promise<void>,
  config: Record<string, string> = {},
): Promise<void> {
  await withSidecar(
    async (running) => {
      const clients: YjsClient[] = [];
      try {
        await run(running, async (room) => {
          const client = openYjsClient(running.url, { token: running.token, room });
          clients.push(client);
          await client.synced();
          return client;
        });
      } finally {
        for (const client of clients) client.destroy();
      }
    },
    {
      config: { 'documents.saveIdleMs': '50', ...config },
      prepare: (root) => {
        for (const [name, text] of Object.entries(files)) {
          fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
          fs.writeFileSync(path.join(root, name), text);
        }
      },
    },
  );
}

test('a batch goes into open documents as edits, unsaved typing and conditions on it included', () =>
  withDocuments(
    { 'a.txt': 'one\r\ntwo\r\n', 'b.txt': 'b\n' },
    async ({ client, file }, open) => {
      const person = await open('a.txt');
      person.text.insert(0, 'zero\n');
      // What the server has is what counts, saved or not.
      await eventually(async () => assert.equal((await client.call('files.read', { path: 'a.txt' })).text, 'zero\r\none\r\ntwo\r\n'));
      const { etag: now } = await client.call('files.read', { path: 'a.txt' });
      const answer = await client.call('files.batch', {
        changes: [
          { op: 'edit', path: 'a.txt', edits: [{ find: 'two', replace: 'zwei' }], ifMatch: now },
          { op: 'write', path: 'b.txt', text: 'B\n' },
        ],
        returnBefore: true,
      });
      assert.equal(file('a.txt'), 'zero\r\none\r\nzwei\r\n');
      assert.deepEqual(
        answer.changes.map(({ document }) => document),
        [true, undefined],
      );
      await eventually(() => assert.equal(person.text.toString(), 'zero\none\nzwei\n'));
      person.text.insert(person.text.length, 'end\n');
      await eventually(async () => assert.match((await client.call('files.read', { path: 'a.txt' })).text, /zwei\r\nend\r\n$/));
      // The undo is refused for what was typed since.
      await fails('ETAG_MISMATCH', () => client.call('files.batch', { changes: answer.undo ?? [] }));
      assert.equal(file('b.txt'), 'B\n');
    },
    { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' },
  ));

test('a batch that is only tried tells the size of an open document as what is in it, saved or not', () =>
  withDocuments(
    { 'a.txt': 'one\r\n' },
    async ({ client, file }, open) => {
      const person = await open('a.txt');
      person.text.insert(0, 'zero\n');
      const text = 'zero\r\none\r\n';
      await eventually(async () => assert.equal((await client.call('files.read', { path: 'a.txt' })).text, text));
      const { changes } = await client.call('files.batch', { changes: [{ op: 'move', from: 'a.txt', to: 'b.txt' }], dryRun: true });
      assert.deepEqual([changes[0]?.etag, changes[0]?.size], [etag(text), text.length]);
      assert.equal(file('a.txt'), 'one\r\n');
    },
    { 'documents.saveIdleMs': '60000' },
  ));

test('of two writes at once to an open document each is answered with the ETag of what it wrote', () =>
  withDocuments({ 'a.txt': 'one\n' }, async ({ client, file }, open) => {
    await open('a.txt');
    for (let round = 0; round < 5; round++) {
      const texts = [`first ${round}\n`, `second ${round}\n`];
      const answers = await Promise.all(texts.map((text) => client.call('files.write', { path: 'a.txt', text })));
      assert.deepEqual(
        answers.map(({ etag: told, size }) => [told, size]),
        texts.map((text) => [etag(text), text.length]),
      );
      assert.equal(file('a.txt'), texts[1]);
    }
  }));

test('a batch that goes through a link reaches the document that is open where it leads', () =>
  withDocuments({ 'real/a.txt': 'one\n' }, async ({ client, file, root }, open) => {
    fs.symlinkSync('real', path.join(root, 'way'));
    fs.symlinkSync('real/a.txt', path.join(root, 'name'));
    const person = await open('real/a.txt');
    for (const [at, find, replace] of [
      ['way/a.txt', 'one', 'two'],
      ['name', 'two', 'three'],
    ] as const) {
      const changes = [{ op: 'edit' as const, path: at, edits: [{ find, replace }] }];
      assert.equal((await client.call('files.batch', { changes, dryRun: true })).changes[0]?.document, true);
      await client.call('files.batch', { changes });
      assert.equal(file('real/a.txt'), `${replace}\n`);
      await eventually(() => assert.equal(person.text.toString(), `${replace}\n`));
    }
  }));

test('a batch puts bytes that are no text where a document is put away soon, which its undo may have to, and where nobody is in it alone', () =>
  withDocuments(
    { 'a.txt': 'one\n' },
    async ({ client, file, root }, open) => {
      const name = 'a.txt';
      const bytes = Buffer.from([0, 255]);
      const put = { op: 'write' as const, path: name, base64: bytes.toString('base64') };
      const person = await open(name);
      await fails('NOT_TEXT', () => client.call('files.batch', { changes: [put] }));
      person.destroy();
      await eventually(async () => assert.deepEqual((await client.call('documents.list', {})).documents, []));
      const [made] = (await client.call('files.batch', { changes: [put] })).changes;
      assert.deepEqual([made?.document, fs.readFileSync(path.join(root, name))], [undefined, bytes]);
      await fails('NOT_TEXT', () => client.call('files.read', { path: name }));
      const { undo = [] } = await client.call('files.batch', { changes: [{ op: 'write', path: name, text: 'two\n' }], returnBefore: true });
      assert.equal((await client.call('files.read', { path: name })).text, 'two\n');
      await client.call('files.batch', { changes: undo });
      assert.deepEqual(fs.readFileSync(path.join(root, name)), bytes);
      await client.call('files.batch', { changes: [put, { op: 'write', path: name, text: 'three\n' }] });
      assert.deepEqual([file(name), (await open(name)).text.toString()], ['three\n', 'three\n']);
    },
    { 'documents.unloadMs': '60000' },
  ));

test('a batch that is refused leaves an open document, and what is unsaved in it, as it is', () =>
  withDocuments({ 'a.txt': 'one\n' }, async ({ client, file }, open) => {
    const person = await open('a.txt');
    person.text.insert(0, 'typed ');
    const error = await fails('FILE_NOT_FOUND', () =>
      client.call('files.batch', {
        changes: [
          { op: 'edit', path: 'a.txt', edits: [{ find: 'one', replace: 'two' }] },
          { op: 'remove', path: 'missing' },
        ],
      }),
    );
    assert.match(error.message, /^Change 1 of the batch: missing is not there/);
    await eventually(() => assert.equal(file('a.txt'), 'typed one\n'));
    assert.equal(person.text.toString(), 'typed one\n');
  }));

test('open documents follow a batch that moves them, are edited at the new place, and end with a file that is removed', () =>
  withDocuments({ 'd/a.txt': 'a\n', 'd/b.txt': 'b\n' }, async ({ client, file }, open) => {
    const [a, b] = [await open('d/a.txt'), await open('d/b.txt')];
    a.text.insert(0, 'unsaved ');
    await client.call('files.batch', {
      changes: [
        { op: 'move', from: 'd', to: 'e' },
        { op: 'edit', path: 'e/a.txt', edits: [{ find: 'a\n', replace: 'A\n' }] },
        { op: 'remove', path: 'e/b.txt' },
        { op: 'move', from: 'e/a.txt', to: 'c.txt' },
      ],
    });
    await eventually(() => assert.equal(a.text.toString(), 'unsaved A\n'));
    a.text.insert(0, 'still here, ');
    await eventually(() => assert.equal(file('c.txt'), 'still here, unsaved A\n'));
    const { documents } = await client.call('documents.list', {});
    assert.deepEqual(Object.fromEntries(documents.map(({ path: where, state }) => [where, state])), {
      'c.txt': 'saved',
      'e/b.txt': 'deleted',
    });
    assert.equal(b.closes.length, 0);
  }));

test('no typed character is lost or doubled while batches edit, move and fail around the people who type', () =>
  withDocuments(
    { 'p0.txt': 'count 0\n---\n', 'p1.txt': 'count 0\n---\n' },
    async ({ client, file }, open) => {
      const seed = testSeed();
      let random = seed;
      const next = (): number => (random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
      const people = [await open('p0.txt'), await open('p0.txt'), await open('p1.txt')];
      const typed: string[][] = people.map(() => []);
      let typing = true;
      const typists = people.map(async (person, index) => {
        for (let n = 0; typing; n++) {
          const mark = `<${index}.${n}>`;
          person.text.insert(person.text.length, mark);
          typed[index]?.push(mark);
          await sleep(next() * 4);
        }
      });
      const where = ['p0.txt', 'p1.txt'];
      const rounds = 20;
      const oneRound = async (round: number): Promise<void> => {
        const edit = where.map((name) => ({
          op: 'edit' as const,
          path: name,
          edits: [{ find: `count ${round}\n`, replace: `count ${round + 1}\n` }],
        }));
        if (round % 4 === 1)
          await fails('EDIT_NOT_FOUND', () =>
            client.call('files.batch', {
              changes: [...edit, { op: 'edit', path: where[0] ?? '', edits: [{ find: 'nowhere', replace: '' }] }],
            }),
          );
        if (round % 5 === 2) {
          const to = `moved${round}/p.txt`;
          await client.call('files.batch', {
            changes: [{ op: 'move', from: where[0] ?? '', to }, ...edit.map((one, index) => (index === 0 ? { ...one, path: to } : one))],
          });
          where[0] = to;
        } else await client.call('files.batch', { changes: edit });
        await sleep(next() * 10);
      };
      try {
        for (let round = 0; round < rounds; round++) await oneRound(round);
      } finally {
        typing = false;
        await Promise.all(typists);
      }
      const expected = (text: string, of: number[]): void => {
        assert.ok(text.startsWith(`count ${rounds}\n---\n`), `SEED=${seed}: ${text.slice(0, 40)}`);
        const marks = text.match(/<\d+\.\d+>/g) ?? [];
        assert.equal(text.slice(`count ${rounds}\n---\n`.length).replaceAll(/<\d+\.\d+>/g, ''), '', `SEED=${seed}`);
        for (const index of of)
          assert.deepEqual(
            marks.filter((mark) => mark.startsWith(`<${index}.`)),
            typed[index],
            `SEED=${seed}`,
          );
        assert.equal(
          marks.length,
          of.reduce((sum, index) => sum + (typed[index]?.length ?? 0), 0),
        );
      };
      await eventually(() => {
        assert.equal(file(where[0] ?? ''), people[0]?.text.toString());
        expected(file(where[0] ?? ''), [0, 1]);
        expected(file('p1.txt'), [2]);
      }, 10_000);
    },
    // Synced writes leave time between a save and the batch in which something is typed.
    { 'documents.saveIdleMs': '5', 'documents.saveMaxMs': '20', durability: 'full' },
  ));

test('a caller limited to some paths makes no batch that touches others, by name or by a link', () =>
  withDocuments({ 'src/a.txt': 'a\n', 'other/b.txt': 'b\n' }, async ({ client, clientOf, root, file }) => {
    fs.symlinkSync('../other', path.join(root, 'src/out'));
    fs.mkdirSync(path.join(root, 'src/box'));
    fs.symlinkSync('../../other', path.join(root, 'src/box/out'));
    const { secret } = await client.call('tokens.create', { name: 'ci', access: 'write', paths: ['src'] });
    const limited = clientOf(secret);
    const first = { op: 'write' as const, path: 'src/a.txt', text: 'A\n', ifMatch: etag('a\n') };
    for (const second of [
      { op: 'write' as const, path: 'other/b.txt', text: '' },
      { op: 'write' as const, path: 'src/out/b.txt', text: '' },
      { op: 'move' as const, from: 'src/a.txt', to: 'other/c.txt' },
      { op: 'move' as const, from: 'other/b.txt', to: 'src/c.txt' },
      { op: 'remove' as const, path: 'other/b.txt' },
      { op: 'mkdir' as const, path: 'made' },
    ])
      await fails('OUT_OF_SCOPE', () => limited.call('files.batch', { changes: [first, second] }));
    // Until the batch has begun there is no such link, so that only the batch itself can see where it leads.
    await fails('BAD_INPUT', () =>
      limited.call('files.batch', {
        changes: [
          { op: 'move', from: 'src/box', to: 'src/case' },
          { op: 'write', path: 'src/case/out/b.txt', text: 'evil' },
        ],
      }),
    );
    assert.deepEqual([file('src/a.txt'), file('other/b.txt')], ['a\n', 'b\n']);
    await limited.call('files.batch', { changes: [first] });
    assert.equal(file('src/a.txt'), 'A\n');
  }));

test('kill -9 among batches and typing: the next start has all of a batch or nothing, and each typed word once', async () => {
  const seed = testSeed();
  let random = seed;
  const next = (): number => (random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-batch-kill-'));
  const options = { root: path.join(folder, 'root'), state: path.join(folder, 'state'), port: 0 };
  fs.mkdirSync(options.root);
  const names = ['a.txt', 'b.txt'];
  for (const name of names) fs.writeFileSync(path.join(options.root, name), 'count 0\n---\n');
  const counts = (): number[] =>
    names.map((name) => Number(/^count (\d+)$/m.exec(fs.readFileSync(path.join(options.root, name), 'utf8'))?.[1]));
  let running = await spawnSidecar(options);
  options.port = Number(new URL(running.url).port);
  const person = openYjsClient(running.url, { token: processToken, room: 'a.txt' });
  const typed: string[] = [];
  let count = 0;
  try {
    await person.synced();
    for (let round = 0; round < 5; round++) {
      const client = createClient<Operations>({ url: running.url, token: processToken, webSocket: undefined });
      const killed = sleep(60 + next() * 120).then(() => running.kill());
      for (let alive = true; alive; ) {
        person.text.insert(person.text.length, `<${typed.length}>`);
        typed.push(`<${typed.length}>`);
        const edits = [{ find: `count ${count}\n`, replace: `count ${count + 1}\n` }];
        await client.call('files.batch', { changes: names.map((name) => ({ op: 'edit', path: name, edits })) }).then(
          () => count++,
          (error: unknown) => {
            assert.equal((error as { reason?: string }).reason, 'CONNECTION_LOST', String(error));
            alive = false;
          },
        );
      }
      await killed;
      client.close();
      running = await spawnSidecar(options);
      await eventually(() => {
        const [one, other] = counts();
        assert.equal(one, other, `SEED=${seed} round ${round}: a batch is torn`);
        assert.ok(one === count || one === count + 1, `SEED=${seed} round ${round}: ${one} after ${count}`);
        count = one ?? 0;
      });
      await eventually(() => assert.equal(person.text.toString(), `count ${count}\n---\n${typed.join('')}`, `SEED=${seed}`), 10_000);
      await eventually(() => assert.equal(fs.readFileSync(path.join(options.root, 'a.txt'), 'utf8'), person.text.toString()), 10_000);
    }
    console.log(`${count} batches, ${typed.length} words, 5 kills`);
  } finally {
    person.destroy();
    await running.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
