import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { excludeMatcher, includeMatcher } from './glob-match.ts';
import { NodeBackend } from './node-backend.ts';
import { literalExpression, matchingLines } from './node-search.ts';
import { snapshotEvents, watchWithNode } from './node-watch.ts';
import type { WatchEvent } from './workspace-backend.ts';

async function withBackend(
  run: (backend: NodeBackend, root: string, put: (name: string, text: string | Buffer) => void) => Promise<void>,
): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-node-'));
  const root = path.join(folder, 'work');
  fs.mkdirSync(root);
  const backend = new NodeBackend(root);
  try {
    await run(backend, root, (name, text) => {
      fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
      fs.writeFileSync(path.join(root, name), text);
    });
  } finally {
    await backend.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const reason = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: { reason?: string }) => error.reason ?? String(error),
  );

test('reads, hashes and describes files, and never leaves the folder', async () => {
  await withBackend(async (backend, root, put) => {
    put('a.txt', '\uFEFFone\r\n');
    put('bin', Buffer.from([1, 0]));
    fs.writeFileSync(path.join(root, '..', 'secret'), 's');
    fs.symlinkSync('../secret', path.join(root, 'link'));
    fs.symlinkSync('..', path.join(root, 'up'));
    const sha256 = createHash('sha256').update('\uFEFFone\r\n').digest('hex');
    assert.deepEqual(await backend.readFile('a.txt'), { path: 'a.txt', text: 'one\r\n', size: 8, sha256, bom: true });
    assert.deepEqual(await backend.hashFile('a.txt'), { path: 'a.txt', sha256, size: 8 });
    const stat = await backend.stat('a.txt');
    assert.ok(stat.exists && stat.kind === 'file' && stat.size === 8);
    assert.deepEqual(await backend.stat('none/none'), { exists: false });
    const link = await backend.stat('link');
    assert.ok(link.exists && link.kind === 'symlink' && link.target === '../secret');
    const reasons = await Promise.all(
      ['none', 'link', 'up/secret', '../secret', '/etc/passwd', 'bin', ''].map((name) => reason(backend.readFile(name))),
    );
    assert.deepEqual(reasons, ['FILE_NOT_FOUND', 'PATH_ESCAPES', 'PATH_ESCAPES', 'BAD_PATH', 'BAD_PATH', 'NOT_TEXT', 'NOT_A_FILE']);
    assert.equal(await reason(backend.stat('up/secret')), 'PATH_ESCAPES');
    assert.equal(await reason(backend.readFile('a.txt', { signal: AbortSignal.abort() })), 'CANCELED');
  });
});

test('finds files by glob and lines by text, within their bounds', async () => {
  await withBackend(async (backend, _root, put) => {
    for (const name of ['src/a.ts', 'src/b.js', 'c.ts', '.hidden/d.ts', 'node_modules/x/e.ts']) put(name, `// ${name}\nneedle Needle\n`);
    assert.deepEqual(await backend.glob('*.ts'), { paths: ['c.ts', 'src/a.ts'], truncated: false });
    assert.deepEqual(await backend.glob('/*.ts'), { paths: ['c.ts'], truncated: false });
    assert.deepEqual(await backend.glob(['/src/**', '*.ts'], { exclude: ['*.js'], limit: 1 }), { paths: ['c.ts'], truncated: true });
    const found = await backend.search({ pattern: 'needle', include: ['*.ts'], caseSensitive: false });
    assert.deepEqual(found.files, [
      {
        path: 'c.ts',
        matches: [
          {
            line: 2,
            column: 1,
            text: 'needle Needle',
            ranges: [
              [0, 6],
              [7, 13],
            ],
          },
        ],
      },
      {
        path: 'src/a.ts',
        matches: [
          {
            line: 2,
            column: 1,
            text: 'needle Needle',
            ranges: [
              [0, 6],
              [7, 13],
            ],
          },
        ],
      },
    ]);
    assert.deepEqual((await backend.search({ pattern: 'Needle', maxResults: 2 })).truncated, true);
    assert.equal(await reason(backend.search({ pattern: '(a+)+$', regex: true })), 'PART_OFF');
    assert.equal(await reason(backend.glob('*', { signal: AbortSignal.abort() })), 'CANCELED');
  });
});

test('tells of files that come, change and go, and of no others', async () => {
  await withBackend(async (backend, root, put) => {
    put('old.ts', '1');
    const events: WatchEvent[] = [];
    const watch = backend.watch('*.ts', (event) => events.push(event));
    const saw = (what: string, name: string): boolean => events.some((event) => event.what === what && event.path === name);
    let writes = 0;
    await eventually(() => {
      // Again and again: what stands there at the first look is no news.
      put(`new${writes}.js`, 'x');
      put(`new${writes++}.ts`, 'x');
      return events.some((event) => event.what === 'created');
    }, 10_000);
    put('old.ts', 'longer');
    await eventually(() => saw('changed', 'old.ts'), 10_000);
    fs.rmSync(path.join(root, 'old.ts'));
    await eventually(() => saw('removed', 'old.ts'), 10_000);
    assert.ok(events.every(({ path: name }) => name.endsWith('.ts')));
    watch.dispose();
    const { length } = events;
    put('later.ts', 'x');
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(events.length, length);
  });
});

test('whoever is to read anew hears of it when what changes after that is told', async () => {
  await withBackend(async (backend, _root, put) => {
    for (let count = 0; count < 300; count++) put(`f${count}.ts`, 'x');
    for (const first of [true, false]) {
      const events: WatchEvent[] = [];
      const watch = backend.watch(
        '*.ts',
        (event) => {
          events.push(event);
          if (event.what === 'resync') put('f7.ts', first ? 'new and longer' : 'newer and longer yet');
        },
        { readAnew: true },
      );
      await eventually(() => assert.ok(events.some(({ what, path: name }) => what === 'changed' && name === 'f7.ts')), 10_000);
      assert.deepEqual(events[0], { what: 'resync', path: '' });
      // The next one comes to a watch that goes on.
      if (!first) watch.dispose();
    }
  });
});

test('of more files than are watched no change is told, only again and again that all is to be read anew', async () => {
  await withBackend(async (_backend, root, put) => {
    for (const name of ['a', 'b', 'c']) put(name, 'x');
    const events: WatchEvent[] = [];
    const watch = watchWithNode(root, (event) => events.push(event), { settleMs: 1, sweepMs: 5, maxFiles: 2 });
    await eventually(() => events.length > 0);
    put('a', 'longer');
    fs.rmSync(path.join(root, 'b'));
    put('d', 'x');
    const { length } = events;
    await eventually(() => events.length > length + 2);
    watch.dispose();
    assert.ok(events.every(({ what }) => what === 'resync'));
  });
});

test('the difference of two states is what was created, changed and removed', () => {
  const before = new Map([
    ['a', '1'],
    ['b', '1'],
    ['c', '1'],
  ]);
  const after = new Map([
    ['b', '1'],
    ['c', '2'],
    ['d', '1'],
  ]);
  assert.deepEqual(snapshotEvents(before, after), [
    { what: 'removed', path: 'a' },
    { what: 'changed', path: 'c' },
    { what: 'created', path: 'd' },
  ]);
});

test('globs read as the search of the sidecar reads them', () => {
  const table: [string | string[], string, boolean][] = [
    ['*.ts', 'a/b/c.ts', true],
    ['*.ts', 'c.js', false],
    ['/*.ts', 'a/c.ts', false],
    ['/*.ts', 'c.ts', true],
    ['src', 'x/src/a', false],
    ['/src/**', 'src/a/b', true],
    ['a/*.ts', 'a/b.ts', true],
    ['a/*.ts', 'x/a/b.ts', false],
    ['**/*', '.hidden', true],
    [[], 'a', false],
  ];
  for (const [glob, name, expected] of table) assert.equal(includeMatcher(glob)(name), expected, `${String(glob)} ${name}`);
  assert.deepEqual(
    ['src/a/b', 'x/src/a', 'srcs/a'].map((name) => excludeMatcher(['src/'])(name)),
    [true, true, false],
  );
});

test('a literal is literal, words are whole, and a long line is cut around its match', () => {
  const lines = (text: string, query: Parameters<typeof literalExpression>[0]): unknown =>
    matchingLines(text, literalExpression(query), 10).map(({ line, ranges }) => [line, ranges]);
  assert.deepEqual(lines('a.b\r\nacb\n', { pattern: 'a.b' }), [[1, [[0, 3]]]]);
  assert.deepEqual(lines('x(-/[]\n', { pattern: '(-/[]' }), [[1, [[1, 6]]]]);
  assert.deepEqual(lines('über übers\n', { pattern: 'ÜBER', caseSensitive: false, word: true }), [[1, [[0, 4]]]]);
  const [cut] = matchingLines(`${'x'.repeat(5000)}needle${'y'.repeat(5000)}`, literalExpression({ pattern: 'needle' }), 10);
  assert.ok(cut !== undefined && cut.text.length === 1000 && cut.cutAt === 4750 && cut.column === 5001);
  assert.equal(cut.text.slice(cut.ranges?.[0]?.[0], cut.ranges?.[0]?.[1]), 'needle');
});
