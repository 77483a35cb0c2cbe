import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { rgPath } from '@vscode/ripgrep';
import type { Asked } from '../../src/contract/operation.ts';
import type { OutriggerError } from '../../src/contract/errors.ts';
import type { FoundFile } from '../../src/contract/search.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

type Query = Asked<Operations['search.text']>;

/** What is searched: each file for a reason of its own. */
const tree: Record<string, string | Buffer> = {
  'src/main.ts': 'export function needle() {\n  return "Needle in a haystack";\n}\n',
  'src/other.ts': 'const NEEDLE = 1;\nconst needles = [NEEDLE];\n// no final newline: needle',
  'src/deep/er/file.py': 'def needle():\n\tpass\n\n# -needle with a dash\n',
  'docs/Ünïcode.md': '# Über straße, ſtraße, STRASSE\nKelvin: K k K; Å å Å\nÜBER\n',
  'crlf.txt': 'one needle\r\ntwo\r\nneedle\r\n',
  'bom.txt': '\uFEFFneedle after a mark\n',
  'utf16le.txt': Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('needle in utf-16\nzweite Zeile\n', 'utf16le')]),
  'latin1.txt': Buffer.from('caf\xe9 needle\nna\xefve\n', 'latin1'),
  'nul.bin': Buffer.from('needle\0needle\n'),
  'late-nul.bin': Buffer.concat([
    Buffer.from(`needle at the top\n${'x'.repeat(99)}\n`.repeat(1).padEnd(200_000, 'y\n')),
    Buffer.from('\0needle\n'),
  ]),
  'huge-line.txt': `${'a'.repeat(50_000)}needle${'b'.repeat(40_000)}\nnext\n`,
  'empty.txt': '',
  '.hidden/needle.txt': 'needle in hiding\n',
  '.gitignore': 'ignored/\n*.log\n',
  'ignored/file.txt': 'needle that is ignored\n',
  'debug.log': 'needle in a log\n',
  'kept/.ignore': 'secret.txt\n',
  'kept/secret.txt': 'needle kept secret\n',
  'kept/open.txt': 'needle\nfoo(bar)\nfoo.bar\n[x]\n',
  'emoji/😀 name.txt': 'needle 😀 and needle again\n',
  '-dash/-file.txt': '-n needle\n--needle\n',
};

const queries: Query[] = [
  { pattern: 'needle' },
  { pattern: 'Needle' },
  { pattern: 'nowhere to be found' },
  { pattern: 'e' },
  { pattern: 'needle', caseSensitive: false },
  { pattern: 'über', caseSensitive: false },
  { pattern: 'strasse', caseSensitive: false },
  { pattern: 'k', caseSensitive: false, include: ['*.md'] },
  { pattern: 'needle', word: true },
  { pattern: '-needle' },
  { pattern: '--needle' },
  { pattern: 'foo(bar)' },
  { pattern: 'foo.bar', regex: true },
  { pattern: '^needle', regex: true },
  { pattern: 'needle$', regex: true },
  { pattern: '(?i)need(le|les)\\b', regex: true },
  { pattern: 'function|const|def', regex: true },
  { pattern: '[A-Z]{3,}', regex: true },
  { pattern: '\\p{Lu}\\w+', regex: true },
  { pattern: '.', regex: true, include: ['kept/*'] },
  { pattern: 'needle\\(\\) \\{\\s+return', regex: true, multiline: true },
  { pattern: 'needle', include: ['*.ts'] },
  { pattern: 'needle', include: ['/src/**'], exclude: ['*.py'] },
  { pattern: 'needle', exclude: ['src', '*.txt'] },
  { pattern: 'needle', hidden: true },
  { pattern: 'needle', ignored: true },
  { pattern: 'needle', hidden: true, ignored: true },
  { pattern: 'needle', path: 'src' },
  { pattern: 'needle', path: 'src/main.ts' },
  { pattern: 'needle', path: '-dash' },
  { pattern: 'needle', context: 2 },
  { pattern: 'café' },
  { pattern: '😀' },
  { pattern: 'zweite' },
];

test('search.text finds what ripgrep finds: the same lines, the same places in them', () =>
  withTree(async (running) => {
    const engines: string[] = [];
    // Twice: what globs let through is learnt by the first.
    for (const query of [...queries, ...queries]) {
      const { lines, engine } = await ours(running, query);
      assert.deepEqual(lines, theirs(running.root, query), `${engine}: ${JSON.stringify(query)}`);
      engines.push(engine);
    }
    assert.ok(engines.filter((engine) => engine === 'index').length > queries.length, engines.join(' '));
  }));

test('without an index ripgrep reads all, and finds the same (long form)', () =>
  withTree(
    async (running) => {
      for (const query of queries) {
        const { lines, engine } = await ours(running, query);
        assert.deepEqual(lines, theirs(running.root, query), JSON.stringify(query));
        assert.equal(engine, 'walk');
      }
    },
    { 'search.index': false },
  ));

test('what was written, moved, removed or typed a moment ago is searched as it is now', () =>
  withTree(async (running) => {
    const { client, put, root } = running;
    await client.call('files.write', { path: 'src/new.ts', text: 'freshly written\n' });
    assert.deepEqual(await where(running, 'freshly'), ['src/new.ts']);
    await client.call('files.move', { from: 'src/new.ts', to: 'docs/moved.ts' });
    assert.deepEqual(await where(running, 'freshly'), ['docs/moved.ts']);
    await client.call('files.remove', { path: 'docs/moved.ts' });
    assert.deepEqual(await where(running, 'freshly'), []);
    put('src/outside.ts', 'written outside\n');
    await eventually(async () => assert.deepEqual(await where(running, 'written outside'), ['src/outside.ts']));
    fs.renameSync(path.join(root, 'src'), path.join(root, 'source'));
    await eventually(async () => assert.deepEqual(await where(running, 'written outside'), ['source/outside.ts']));
    put('.gitignore', '*.ts\n');
    await eventually(async () => assert.deepEqual(await where(running, 'written outside'), []));
    await eventually(async () => assert.deepEqual((await client.call('search.files', { query: 'outside' })).files, []));
  }));

test('each answer says up to which revision it holds, and index.wait waits for one', () =>
  withTree(async ({ client }) => {
    const { revision } = await client.call('files.write', { path: 'a.txt', text: 'a\n' });
    assert.ok((await client.call('index.wait', { revision })).revision >= revision);
    assert.ok((await client.call('index.status', {})).revision >= revision);
    const stream = client.stream('search.text', { pattern: 'a' });
    for await (const _ of stream);
    assert.ok((await stream.end).revision >= revision);
    await assert.rejects(
      client.call('index.wait', { revision: revision + 1000, timeoutMs: 30 }),
      (error: OutriggerError) => error.reason === 'DEADLINE',
    );
  }));

test('a ripgrep that can not be run is none, and who waits for the index is not kept (long form)', () => {
  const broken = path.join(os.tmpdir(), `outrigger-no-ripgrep-${process.pid}`);
  fs.writeFileSync(broken, '#!/bin/sh\nsleep 0.3\nexit 1\n', { mode: 0o755 });
  return withTree(
    async (running) => {
      assert.equal((await running.client.call('index.status', {})).state, 'off');
      assert.deepEqual(await where(running, 'Needle in'), ['src/main.ts']);
    },
    { 'search.ripgrep': broken },
  ).finally(() => fs.rmSync(broken));
});

test('a stop in the middle of changes ends (long form)', () =>
  withTree(async ({ sidecar, put }) => {
    for (let file = 0; file < 300; file++) put(`late/f${file}.txt`);
    const stopped = sidecar.stop();
    for (let file = 300; file < 600; file++) put(`late/f${file}.txt`);
    await stopped;
  }));

test('a pattern or glob that is none is refused, with the place', () =>
  withTree(async ({ client }) => {
    for (const [input, column, why] of [
      [{ pattern: 'fine(', regex: true }, undefined, /^unclosed group$/],
      [{ pattern: 'fine\\p{Foo}', regex: true }, 5, /^Unicode property not found$/],
      [{ pattern: '[z-a]', regex: true }, 2, /^invalid character class range/],
      [{ pattern: 'a(?=b)', regex: true }, 2, /^look-around, including look-ahead and look-behind, is not supported$/],
      [{ pattern: 'x', include: ['a['] }, undefined, /a\[/],
    ] as const) {
      await assert.rejects(gather(client.stream('search.text', input as never)), (error: OutriggerError) => {
        assert.equal(error.reason, 'BAD_PATTERN');
        assert.match(error.message, why);
        if (column !== undefined) assert.equal((error.details as { column?: number }).column, column);
        return true;
      });
    }
  }));

test('results end where they were to end, a slow reader holds the search back, and leaving ends it', () =>
  withTree(async ({ client, put }) => {
    for (let file = 0; file < 40; file++) put(`many/f${file}.txt`, 'same line\n'.repeat(2500));
    await eventually(async () => assert.equal((await client.call('search.files', { query: 'manyf' })).files.length, 40));
    const limited = client.stream('search.text', { pattern: 'same', maxResults: 777 });
    let lines = 0;
    for await (const file of limited) lines += file.lines.length;
    assert.equal(lines, 777);
    const end = await limited.end;
    assert.deepEqual([end.matches, end.truncated], [777, true]);
    const slow = client.stream('search.text', { pattern: 'same', maxResults: 1_000_000 });
    let count = 0;
    for await (const file of slow) {
      count += file.lines.length;
      if (count < 3000) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(count, 100_000);
    assert.equal((await slow.end).truncated, false);
    for await (const _ of client.stream('search.text', { pattern: 'same', maxResults: 1_000_000 })) break;
  }));

test('a long line is cut around its first match', () =>
  withTree(async (running) => {
    const [file] = await gather(running.client.stream('search.text', { pattern: 'needle', include: ['huge*'], maxLineLength: 100 }));
    const [line] = file?.lines ?? [];
    assert.equal(line?.text.length, 100);
    assert.equal(line?.cut, true);
    const [[start, end] = [0, 0]] = line?.ranges ?? [];
    assert.equal(line?.text.slice(start, end), 'needle');
    assert.equal((line?.cutAt ?? 0) + start, 50_000);
  }));

test('files are found by glob and by letters, with what was matched, and by a word with a letter too many', () =>
  withTree(async ({ client }) => {
    const byGlob = await client.call('search.files', { include: ['*.ts'] });
    assert.deepEqual(byGlob.files, [{ path: 'src/main.ts' }, { path: 'src/other.ts' }]);
    const [best] = (await client.call('search.files', { query: 'srcmain' })).files;
    assert.equal(best?.path, 'src/main.ts');
    assert.deepEqual(best?.ranges, [
      [0, 3],
      [4, 8],
    ]);
    assert.equal((await client.call('search.files', { query: 'opem.txt' })).files[0]?.path, 'kept/open.txt');
    assert.equal(
      (await client.call('search.files', { query: 'debug.log' })).files.some(({ path: found }) => found === 'debug.log'),
      false,
    );
    assert.equal((await client.call('search.files', { query: 'debug.log', ignored: true })).files[0]?.path, 'debug.log');
    assert.equal((await client.call('search.files', { limit: 3 })).truncated, true);
  }));

test('a caller who may see some paths finds nothing elsewhere', () =>
  withTree(async ({ client, clientOf }) => {
    const { secret } = await client.call('tokens.create', { name: 'narrow', access: 'read', paths: ['docs', 'kept'] });
    const narrow = clientOf(secret);
    const found = await gather(narrow.stream('search.text', { pattern: 'e', hidden: true, ignored: true }));
    assert.deepEqual([...new Set(found.map((file) => file.path.replace(/\/.*/, '')))].sort(), ['docs', 'kept']);
    const { files } = await narrow.call('search.files', {});
    assert.ok(files.length > 0 && files.every(({ path: one }) => /^(docs|kept)\//.test(one)));
    const { symbols } = await narrow.call('search.symbols', { query: 'needle' });
    assert.deepEqual(symbols, []);
  }));

test('how many files the index chose is told only to who may see all of them', () =>
  withTree(async ({ client, clientOf }) => {
    const { secret } = await client.call('tokens.create', { name: 'narrow', access: 'read', paths: ['docs'] });
    for (const pattern of ['def needle', 'nowhere to be found']) {
      const { engine, searched } = await client.call('search.text', { pattern });
      assert.deepEqual([engine, typeof searched], ['index', 'number']);
      // It would say whether there is such a text where the caller may not look.
      assert.equal((await clientOf(secret).call('search.text', { pattern })).searched, undefined);
    }
  }));

test('a search that ends with the last line of a file counts that file, not the next', () =>
  withSidecar(async ({ client, put }) => {
    for (const name of ['a.txt', 'b.txt', 'c.txt']) put(name, 'needle\n');
    await client.call('index.wait', {});
    for (const [maxResults, truncated] of [
      [1, true],
      [2, true],
      [3, false],
    ] as const)
      for (const more of [{}, { context: 1 }, { hidden: true }]) {
        const { items, matches, files, ...rest } = await client.call('search.text', { pattern: 'needle', maxResults, ...more });
        assert.deepEqual([matches, files, items.length, rest.truncated], [maxResults, maxResults, maxResults, truncated]);
      }
  }));

test('a text over two lines is refused where a match may not be, with the index and by a walk', () =>
  withTree(async ({ client }) => {
    const long = `nowhere to be found ${'x'.repeat(1000)}`;
    for (const pattern of ['one needle\ntwo', 'nowhere to be\nfound', `${long}\n`])
      for (const hidden of [false, true])
        await assert.rejects(
          client.call('search.text', { pattern, hidden }),
          (error: OutriggerError) => error.reason === 'BAD_PATTERN',
          `${pattern.length} ${hidden}`,
        );
    assert.equal((await client.call('search.text', { pattern: 'two\r\nneedle', multiline: true })).files, 1);
  }));

for (const [says, config] of [
  ['with an index', {}],
  ['without one', { 'search.index': false }],
  ['without ripgrep', { 'search.ripgrep': '/nowhere/rg' }],
] satisfies [string, Record<string, string | boolean>][])
  test(`a named pipe is no place to search, ${says}`, { skip: process.platform === 'win32' }, () =>
    withTree(async ({ client, root }) => {
      execFileSync('mkfifo', [path.join(root, 'pipe')]);
      fs.symlinkSync('pipe', path.join(root, 'by-link'));
      await client.call('index.wait', {});
      const isRefused = (work: Promise<unknown>): Promise<void> =>
        assert.rejects(work, (error: OutriggerError) => {
          assert.equal(error.reason, 'FILE_NOT_FOUND', error.message);
          return true;
        });
      for (const place of ['pipe', 'by-link']) {
        const soon = { signal: AbortSignal.timeout(5000) };
        await isRefused(client.call('search.text', { pattern: 'needle', path: place }, soon));
        await isRefused(client.call('search.files', { path: place }, soon));
        if (says !== 'without ripgrep')
          await isRefused(client.call('search.replace', { pattern: 'needle', replace: '', path: place }, soon));
      }
    }, config),
  );

test('symbols and outlines are those of the text as it is, unsaved typing included', () =>
  withTree(async ({ client }) => {
    const { symbols, language } = await client.call('files.outline', { path: 'src/main.ts' });
    assert.equal(language, 'typescript');
    assert.deepEqual(symbols, [{ name: 'needle', kind: 'function', line: 1, column: 17, endLine: 3, depth: 0, exported: true }]);
    await eventually(async () => {
      const found = await client.call('search.symbols', { query: 'needl' });
      assert.equal(found.complete, true);
      const named = found.symbols.map(({ name, path: file }) => `${file} ${name}`);
      assert.deepEqual(named.slice(0, 3).sort(), ['src/deep/er/file.py needle', 'src/main.ts needle', 'src/other.ts NEEDLE']);
      assert.deepEqual(named.slice(3), ['src/other.ts needles']);
    });
    await client.call('files.write', { path: 'src/main.ts', text: 'export class Renamed { method() {} }\n' });
    const again = await client.call('search.symbols', { query: 'method' });
    assert.deepEqual(again.symbols, [{ name: 'method', kind: 'method', line: 1, column: 24, path: 'src/main.ts', container: 'Renamed' }]);
    const python = await client.call('files.outline', { path: 'src/deep/er/file.py' });
    assert.equal(python.language, 'python');
    assert.deepEqual(python.symbols, [{ name: 'needle', kind: 'function', line: 1, column: 5, endLine: 2, depth: 0, exported: true }]);
    await assert.rejects(client.call('files.outline', { path: 'crlf.txt' }), {
      reason: 'NO_LANGUAGE',
      hint: /TypeScript, JavaScript and Python;/,
    });
  }));

test('a file that is nested too deeply for the parser ends nothing: its outline is refused, and symbols of others are found', () =>
  withTree(async ({ client, put }) => {
    const depth = 200_000;
    put('src/deep.ts', `export const deep = ${'['.repeat(depth)}${']'.repeat(depth)};\n`);
    await client.call('index.wait', {});
    // On a slow machine the answer comes before all files are read, and says so.
    await eventually(async () => {
      const { symbols, complete } = await client.call('search.symbols', { query: 'needle' });
      assert.deepEqual([symbols.length, complete], [4, true]);
    });
    await assert.rejects(
      client.call('files.outline', { path: 'src/deep.ts' }),
      (error: OutriggerError) => error.reason === 'OUTPUT_TOO_LARGE',
    );
    assert.equal((await client.call('files.outline', { path: 'src/main.ts' })).symbols.length, 1);
  }));

test('the outline of an open document is that of what a program just wrote to its file', () =>
  withTree(
    async ({ client, url, token, put }) => {
      const person = openYjsClient(url, { token, room: 'src/main.ts' });
      try {
        await person.synced();
        put('src/main.ts', 'export const written = () => 1;\n');
        const { symbols } = await client.call('files.outline', { path: 'src/main.ts' });
        assert.deepEqual(
          symbols.map(({ name }) => name),
          ['written'],
        );
      } finally {
        person.destroy();
      }
    },
    { 'watch.settleMs': '3000' },
  ));

for (const [says, config] of [
  ['with an index', {}],
  ['without one', { 'search.index': false }],
  ['without ripgrep', { 'search.ripgrep': '/nowhere/rg', 'watch.ignore': ['**/.git', '**/ignored', '*.log'] }],
] satisfies [string, Record<string, string | boolean | string[]>][])
  test(`who names an ignored folder, by itself or by a link, means what is in it, ${says}`, () =>
    withTree(async (running) => {
      fs.symlinkSync('ignored', path.join(running.root, 'by-link'));
      for (const folder of ['ignored', 'by-link']) {
        const found = await gather(running.client.stream('search.text', { pattern: 'needle', path: folder }));
        assert.deepEqual(
          found.map(({ path: file }) => file),
          [`${folder}/file.txt`],
        );
      }
    }, config));

test('without ripgrep a search answers all the same, and says that it is plain (long form)', () =>
  withTree(
    async (running) => {
      assert.deepEqual(await where(running, 'needle in a log'), []);
      assert.deepEqual(await where(running, 'Needle in'), ['src/main.ts']);
      const stream = running.client.stream('search.text', { pattern: 'n[e]+dle\\b', regex: true, include: ['*.ts'] });
      const files = await gather(stream);
      assert.deepEqual(files.map(({ path: file }) => file).sort(), ['src/main.ts', 'src/other.ts']);
      assert.equal((await stream.end).engine, 'plain');
      const status = await running.client.call('index.status', {});
      assert.equal(status.state, 'off');
      assert.match(status.problem ?? '', /ripgrep/);
      await assert.rejects(
        gather(running.client.stream('search.text', { pattern: '(', regex: true })),
        (error: OutriggerError) => error.reason === 'BAD_PATTERN',
      );
      // An expression that V8 needs years for is ended with its call.
      running.put('slow.txt', `${'a'.repeat(40)}!\n`);
      const controller = new AbortController();
      const slow = gather(running.client.stream('search.text', { pattern: '^(a+)+$', regex: true }, { signal: controller.signal }));
      setTimeout(() => controller.abort(), 300);
      await assert.rejects(slow);
      assert.deepEqual(await where(running, 'Needle in'), ['src/main.ts']);
    },
    { 'search.ripgrep': '/nowhere/rg', 'watch.ignore': ['**/.git', '**/ignored', '*.log'] },
  ));

function withTree(
  run: (running: RunningSidecar) => Promise<void>,
  config: Record<string, string | boolean | string[]> = {},
): Promise<void> {
  return withSidecar(
    async (running) => {
      await running.client.call('index.wait', {});
      await run(running);
    },
    {
      config,
      prepare: (root) => {
        for (const [name, content] of Object.entries(tree)) {
          fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
          fs.writeFileSync(path.join(root, name), content);
        }
        execFileSync('git', ['init', '-q', root]);
        fs.symlinkSync('src/main.ts', path.join(root, 'link.ts'));
      },
    },
  );
}

async function gather(stream: AsyncIterable<FoundFile>): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  for await (const file of stream) files.push(file);
  return files;
}

async function where({ client }: RunningSidecar, pattern: string): Promise<string[]> {
  return (await gather(client.stream('search.text', { pattern }))).map((file) => file.path).sort();
}

/** `path:line text ranges`, sorted: in the order of the files nobody is bound. */
async function ours({ client }: RunningSidecar, query: Query): Promise<{ lines: string[]; engine: string }> {
  const stream = client.stream('search.text', { maxLineLength: 100_000, ...query });
  const files = await gather(stream);
  const lines = files
    .flatMap((file) =>
      file.lines.map(({ line, text, ranges }) => `${file.path}:${line} ${text.slice(0, 80)} ${JSON.stringify(ranges ?? null)}`),
    )
    .sort();
  return { lines, engine: (await stream.end).engine };
}

function theirs(root: string, query: Query): string[] {
  const args = [
    '--json',
    '--no-config',
    ...(query.regex === true ? [] : ['-F']),
    query.caseSensitive === false ? '-i' : '-s',
    ...(query.word === true ? ['-w'] : []),
    ...(query.multiline === true ? ['-U'] : []),
    ...(query.context === undefined ? [] : ['-C', String(query.context)]),
    ...(query.hidden === true ? ['--hidden'] : []),
    ...(query.ignored === true ? ['--no-ignore'] : []),
    ...(query.include ?? []).flatMap((glob) => ['-g', glob]),
    ...(query.exclude ?? []).flatMap((glob) => ['-g', `!${glob}`]),
    ...(query.hidden === true ? ['-g', '!.git'] : []),
    '-e',
    query.pattern,
    '--',
    query.path === undefined ? './' : `./${query.path}`,
  ];
  let output: string;
  try {
    output = execFileSync(rgPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  const lines: string[] = [];
  for (const message of output.split('\n').filter(Boolean)) {
    const { type, data } = JSON.parse(message) as {
      type: string;
      data: {
        path: { text: string };
        lines: { text?: string; bytes?: string };
        line_number: number;
        submatches: { start: number; end: number }[];
      };
    };
    if (type !== 'match' && type !== 'context') continue;
    const bytes = data.lines.text === undefined ? Buffer.from(data.lines.bytes ?? '', 'base64') : Buffer.from(data.lines.text);
    const text = bytes.toString().replace(/\r?\n$/, '');
    const ranges = data.submatches.map(({ start, end }) => [
      Math.min(bytes.subarray(0, start).toString().length, text.length),
      Math.min(bytes.subarray(0, end).toString().length, text.length),
    ]);
    lines.push(`${data.path.text.slice(2)}:${data.line_number} ${text.slice(0, 80)} ${JSON.stringify(type === 'match' ? ranges : null)}`);
  }
  return lines.sort();
}

test('in a file of many megabytes lines are found by reading the parts that may hold them (long form)', () =>
  withSidecar(
    async (running) => {
      await running.client.call('index.wait', {});
      for (const pattern of ['needle-first', 'needle-in-the-middle', 'needle-last', 'needle', 'größe', 'needle-nowhere']) {
        const { lines, engine } = await ours(running, { pattern });
        assert.deepEqual(lines, theirs(running.root, { pattern }), pattern);
        assert.equal(engine, 'index', pattern);
      }
      const over = { pattern: 'needle-first(?s:.){1,40}needle-second', regex: true, multiline: true };
      assert.deepEqual((await ours(running, over)).lines.length, 1);
      // It is another file now than the parts were made of.
      fs.writeFileSync(path.join(running.root, 'huge.h'), `one line more\n${fs.readFileSync(path.join(running.root, 'huge.h'), 'utf8')}`);
      await eventually(async () =>
        assert.deepEqual((await ours(running, { pattern: 'needle-last' })).lines, theirs(running.root, { pattern: 'needle-last' })),
      );
    },
    {
      prepare: (root) => {
        for (let file = 0; file < 300; file++) fs.writeFileSync(path.join(root, `small-${file}.c`), `int value_${file};\n`);
        const places: Record<number, string> = {
          0: 'needle-first, needle-first again',
          1: 'needle-second',
          60_000: 'größe of the needle-in-the-middle',
          60_001: 'needle',
          99_999: 'needle-last',
        };
        const lines = Array.from({ length: 100_000 }, (_, line) => places[line] ?? `#define REGISTER_${line} 0x${line.toString(16)}`);
        fs.writeFileSync(path.join(root, 'huge.h'), lines.join('\n'));
      },
    },
  ));

test('nobody is there: no index is built; it is when somebody connects, and the first search is answered', () =>
  withSidecar(
    async ({ url, token, client, stateFolder }) => {
      const searching = async (): Promise<string | undefined> => {
        const response = await fetch(`${url}/api/system.health`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: '{}',
        });
        const { checks } = (await response.json()) as { checks: { name: string; text: string }[] };
        return checks.find(({ name }) => name === 'search')?.text;
      };
      assert.match((await searching()) ?? '', /when somebody connects/);
      assert.ok(!fs.existsSync(path.join(stateFolder, 'search')));
      // Opens a WebSocket; nothing is searched.
      await client.call('system.info', {});
      await eventually(async () => assert.match((await searching()) ?? '', /^ripgrep .*, 1 files$/));
      assert.ok(fs.existsSync(path.join(stateFolder, 'search')));
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), 'needle\n') },
  ));

test('a search over HTTP alone, the first thing ever asked, finds what there is', () =>
  withSidecar(
    async ({ url, token }) => {
      const response = await fetch(`${url}/api/search.files`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query: 'needle' }),
      });
      assert.deepEqual(
        ((await response.json()) as { files: { path: string }[] }).files.map(({ path }) => path),
        ['needle.txt'],
      );
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'needle.txt'), '') },
  ));

test('a file that became a folder at one blow is found no more', () =>
  withSidecar(async ({ client, root, put }) => {
    put('conf', 'needle\n');
    put('x', 'x\n');
    await client.call('index.wait', {});
    await eventually(async () => assert.equal((await client.call('search.files', { query: '' })).files.length, 2));
    fs.rmSync(path.join(root, 'conf'));
    fs.mkdirSync(path.join(root, 'conf'));
    await eventually(async () => {
      await client.call('index.wait', {});
      const { files } = await client.call('search.files', { query: '' });
      assert.deepEqual(
        files.map((file) => file.path),
        ['x'],
      );
    });
  }));
