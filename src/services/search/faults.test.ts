// Patterns that are bad, threads that die, an index that is spoilt, a disk that is full, a folder that goes away.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import type { OutriggerError } from '../../contract/errors.ts';
import type { FoundFile } from '../../contract/search.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { longestTurn, watchLoop } from '../../../test/kit/loop-hold.ts';
import { childrenOf, noProc } from '../../../test/kit/process-memory.ts';
import { rgPath } from '@vscode/ripgrep';
import { openWorkspace } from '../../../test/kit/workspace-harness.ts';
import { Processes } from '../processes/processes.ts';
import { Ripgrep } from './ripgrep.ts';
import { Search } from './search.ts';
import { rgLines, type TextQuery } from '../../../test/kit/rg-lines.ts';
import { type SearchHarness, withSearch } from '../../../test/kit/search-harness.ts';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { type RunningSidecar, withSidecar } from '../../../test/kit/sidecar.ts';
import { withSmallDisk } from '../../../test/kit/small-disk.ts';

const withoutRipgrep = { 'search.ripgrep': '/nowhere/rg' };

/** Threads that are started from now on; those of `name` that run. */
function watchThreads(name: string): {
  running: Set<Worker>;
  started: () => number;
  onStart: (act: (worker: Worker) => void) => void;
  stop: () => void;
} {
  const running = new Set<Worker>();
  let started = 0;
  let act: (worker: Worker) => void = () => {};
  const onWorker = (worker: Worker): void => {
    if (worker.threadName !== name) return;
    started++;
    running.add(worker);
    worker.once('exit', () => running.delete(worker));
    act(worker);
  };
  process.on('worker', onWorker);
  return {
    running,
    started: () => started,
    onStart: (then) => {
      act = then;
    },
    stop: () => void process.off('worker', onWorker),
  };
}

async function linesOf(stream: AsyncIterable<FoundFile>): Promise<string[]> {
  const lines: string[] = [];
  for await (const file of stream)
    for (const { line, ranges } of file.lines) if (ranges !== undefined) lines.push(`${file.path}:${line} ${JSON.stringify(ranges)}`);
  return lines.sort();
}

const find = ({ client }: RunningSidecar, query: TextQuery): Promise<string[]> => linesOf(client.stream('search.text', query));

/** What a call fails with, whatever that is. */
async function failure(work: Promise<unknown>): Promise<OutriggerError> {
  return work.then(
    () => assert.fail('nothing failed'),
    (error: OutriggerError) => error,
  );
}

test('an expression that V8 never gets done with keeps nobody waiting, and its thread ends with its call', () =>
  withSidecar(
    async (running) => {
      running.put('slow.txt', `${'a'.repeat(60)}!\n${'ab '.repeat(30)}!\n`);
      const threads = watchThreads('search');
      try {
        for (const pattern of ['^(a+)+$', '(a|aa)+$', '^([a-z]+ ?)*$']) {
          const controller = new AbortController();
          const slow = failure(linesOf(running.client.stream('search.text', { pattern, regex: true }, { signal: controller.signal })));
          await eventually(() => threads.running.size === 1);
          const loop = watchLoop();
          assert.deepEqual(await find(running, { pattern: '!', maxResults: 1 }), ['slow.txt:1 [[60,61]]'], 'others are answered meanwhile');
          const heldMs = loop.stop();
          assert.ok(heldMs < 500, `${pattern}: ${heldMs} ms`);
          assert.equal(threads.running.size, 1, `${pattern} is still searched for`);
          controller.abort();
          assert.equal((await slow).reason, 'CANCELED');
          await eventually(() => threads.running.size === 0);
        }
      } finally {
        threads.stop();
      }
    },
    { config: withoutRipgrep },
  ));

test('what V8 can not do ripgrep does, and the event loop goes on (long form)', () =>
  withSidecar(async (running) => {
    await running.client.call('files.write', { path: 'slow.txt', text: `${'a'.repeat(100_000)}!\n` });
    const loop = watchLoop();
    for (const pattern of ['^(a+)+$', '(a|aa)+$', '(a*)*!']) await find(running, { pattern, regex: true });
    const tooLarge = await failure(find(running, { pattern: '((a{1000}){1000}){10}', regex: true }));
    assert.equal(tooLarge.reason, 'BAD_PATTERN');
    const heldMs = loop.stop();
    assert.ok(heldMs < 500, `${heldMs} ms`);
  }));

test('a pattern that is none is refused with the place where it stops to be one, with ripgrep and without (long form)', async () => {
  const places: [string, { rg: number; v8: number }][] = [
    ['ab[z-a]c', { rg: 4, v8: 6 }],
    ['abc)', { rg: 4, v8: 4 }],
    ['a(b)(c', { rg: 5, v8: 5 }],
    ['x{2,1}', { rg: 2, v8: 6 }],
    ['*a', { rg: 1, v8: 1 }],
    ['[(]\\(((x)', { rg: 6, v8: 6 }],
    ['[abc', { rg: 1, v8: 1 }],
    ['ab\\p{Foo}', { rg: 3, v8: 4 }],
  ];
  for (const [config, engine] of [
    [{}, 'rg'],
    [withoutRipgrep, 'v8'],
  ] as const) {
    await withSidecar(
      async (running) => {
        running.put('a.txt');
        for (const word of [false, true]) {
          for (const [pattern, columns] of places) {
            const error = await failure(find(running, { pattern, regex: true, word }));
            assert.equal(error.reason, 'BAD_PATTERN', pattern);
            assert.ok(error.message.length > 5 && error.message.length < 300, error.message);
            assert.equal((error.details as { column?: number }).column, columns[engine], `${engine}: ${pattern}: ${error.message}`);
          }
        }
      },
      { config },
    );
  }
});

/** Enough files for segments on disk, with a needle in each hundredth. */
function prepareTree(root: string, files = 900): void {
  for (let number = 0; number < files; number++) {
    const name = path.join(root, `d${number % 10}`, `f${number}.txt`);
    fs.mkdirSync(path.dirname(name), { recursive: true });
    fs.writeFileSync(name, `file number ${number}\n${number % 100 === 0 ? 'a needle here\n' : ''}some more text ${'x'.repeat(100)}\n`);
  }
}

const queries: TextQuery[] = [
  { pattern: 'needle' },
  { pattern: 'number 7' },
  { pattern: 'NUMBER 42', caseSensitive: false },
  { pattern: 'number 1?5\\b', regex: true },
];

async function equalsRipgrep(running: RunningSidecar, why: string): Promise<void> {
  for (const query of queries)
    assert.deepEqual(await find(running, query), rgLines(running.root, query), `${why}: ${JSON.stringify(query)}`);
}

test('threads that are killed while they index are replaced, and nothing is missed (long form)', async () => {
  for (const deaths of [1, 3]) {
    const threads = watchThreads('search-index');
    let killed = 0;
    threads.onStart((worker) => {
      if (killed++ < deaths) worker.once('online', () => void worker.terminate());
    });
    try {
      await withSidecar(
        async (running) => {
          await running.client.call('index.wait', {});
          await equalsRipgrep(running, `${deaths} killed`);
          assert.ok(killed >= deaths, `${killed} threads were started`);
          assert.ok(running.log.some(({ event }) => event === 'search.index-thread-died'));
          assert.equal((await running.client.call('index.status', {})).state, 'ready');
        },
        { prepare: (root) => prepareTree(root), mayLogErrors: true },
      );
    } finally {
      threads.stop();
    }
  }
});

test('threads that are killed while changes are taken in and searches run are replaced, and nothing is missed (long form)', async () => {
  const threads = watchThreads('search-index');
  const killer = setInterval(() => {
    for (const worker of threads.running) void worker.terminate();
  }, 40);
  try {
    await withSidecar(
      async (running) => {
        await running.client.call('index.wait', {});
        for (let round = 0; round < 2; round++) {
          const writes = Array.from({ length: 40 }, (_, number) =>
            running.client.call('files.write', { path: `d1/new-${number}.txt`, text: `round ${round} needle number 7${number}\n` }),
          );
          await Promise.all([...writes, find(running, { pattern: 'needle' }), find(running, { pattern: 'number 7' })]);
          await equalsRipgrep(running, `round ${round}`);
        }
        assert.ok(threads.started() > 2, `${threads.started()} threads`);
      },
      { prepare: (root) => prepareTree(root), mayLogErrors: true },
    );
  } finally {
    clearInterval(killer);
    threads.stop();
  }
});

test('a thread that is killed while it searches fails that call alone', () =>
  withSidecar(
    async (running) => {
      running.put('slow.txt', `${'a'.repeat(60)}!\n`);
      const threads = watchThreads('search');
      threads.onStart((worker) => worker.once('online', () => void worker.terminate()));
      const error = await failure(find(running, { pattern: '^(a+)+$', regex: true }));
      assert.ok(['CANCELED', 'INTERNAL'].includes(error.reason), error.reason);
      threads.stop();
      assert.deepEqual(await find(running, { pattern: '!' }), ['slow.txt:1 [[60,61]]']);
    },
    { config: withoutRipgrep, mayLogErrors: true },
  ));

test('a process that is killed before it outlines fails that call alone', { skip: noProc }, () =>
  withSidecar(
    async (running) => {
      const others = childrenOf(process.pid).map(({ pid }) => pid);
      const outlineKilled = async (path: string): Promise<string> => {
        running.put(path, `export const of = '${path}';\n`);
        const killing = setInterval(() => {
          for (const { pid } of childrenOf(process.pid)) if (!others.includes(pid)) process.kill(pid, 'SIGKILL');
        }, 1);
        const error = await failure(running.client.call('files.outline', { path })).finally(() => clearInterval(killing));
        return error.reason;
      };
      let last: { path: string; reason: string } | undefined;
      // Where this thread had to wait for a processor it was at its work by then, and its parser is said to have died of the text.
      for (let count = 0; count < 20 && (last?.reason ?? 'OUTPUT_TOO_LARGE') === 'OUTPUT_TOO_LARGE'; count++)
        last = { path: `${count}.ts`, reason: await outlineKilled(`${count}.ts`) };
      assert.equal(last?.reason, 'INTERNAL');
      assert.equal((await running.client.call('files.outline', { path: last.path })).symbols[0]?.name, 'of');
    },
    { config: withoutRipgrep, mayLogErrors: true },
  ),
);

/** A folder with `root` to be searched; its files are old, those written just now would be read again at the next start. */
async function withFolder(run: (folder: string, expected: readonly (string[] | 'refused')[]) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-search-'));
  const root = path.join(folder, 'root');
  fs.mkdirSync(root);
  prepareTree(root);
  for (const name of fs.readdirSync(root, { recursive: true, encoding: 'utf8' }))
    if (name.endsWith('.txt')) fs.utimesSync(path.join(root, name), 1_700_000_000, 1_700_000_000);
  try {
    await run(
      folder,
      queries.map((query) => rgLines(root, query)),
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** `expected`: of each query, what ripgrep finds. */
async function findsAsRipgrep({ find: query }: SearchHarness, expected: readonly (string[] | 'refused')[], why: string): Promise<void> {
  const engines: string[] = [];
  for (const [number, one] of queries.entries()) {
    const { lines, engine } = await query(one);
    assert.deepEqual(lines, expected[number], `${why}: ${JSON.stringify(one)}`);
    engines.push(engine);
  }
  assert.ok(engines.includes('index'), `${why}: ${engines.join(' ')}`);
}

test('an index with any bytes turned over, cut off, or of another version is made anew, and finds the same (long form)', () =>
  withFolder(async (folder, expected) => {
    const seed = testSeed();
    const random = new Random(seed);
    const below = (limit: number): number => random.below(limit);
    const damages: [string, (bytes: Buffer) => Buffer][] = [
      ['bytes turned over', (bytes) => bytes.map((byte, at) => (at % 97 === below(97) ? byte ^ (1 << below(8)) : byte)) as Buffer],
      [
        'one byte turned over',
        (bytes) => {
          const at = below(bytes.length);
          bytes[at] = (bytes[at] as number) ^ (1 << below(8));
          return bytes;
        },
      ],
      ['cut off', (bytes) => bytes.subarray(0, below(bytes.length))],
      ['longer', (bytes) => Buffer.concat([bytes, Buffer.alloc(1 + below(5000), 7)])],
      ['of an older version', (bytes) => bytes.fill(0, 4, 5)],
      ['something else', () => Buffer.from(Array.from({ length: 5000 }, () => below(256)))],
    ];
    const index = path.join(folder, 'index');
    await withSearch(folder, (harness) => findsAsRipgrep(harness, expected, 'undamaged'));
    for (const [says, damage] of damages) {
      const names = fs.readdirSync(index).filter((name) => name.endsWith('.trigrams'));
      assert.ok(names.length > 0, 'there is an index to be damaged');
      for (const name of names) fs.writeFileSync(path.join(index, name), damage(fs.readFileSync(path.join(index, name))));
      await withSearch(folder, async (harness) => {
        assert.ok(harness.log.includes('search.segment-refused'), `SEED=${seed}: ${says} was noticed: ${harness.log.join(' ')}`);
        await findsAsRipgrep(harness, expected, `SEED=${seed}: ${says}`);
      });
    }
  }));

test('where the disk is full while it indexes, searches are right all the same, and the index is made when there is room (long form)', (context) =>
  withSmallDisk(context, 32, (disk) =>
    withFolder(async (folder, expected) => {
      const index = path.join(folder, 'index');
      fs.symlinkSync(disk, index);
      await withSearch(folder, async (harness) => {
        assert.ok(harness.log.includes('search.segment-not-written'), harness.log.join(' '));
        assert.equal(harness.search.status().state, 'ready');
        await findsAsRipgrep(harness, expected, 'on a full disk');
      });
      assert.deepEqual(fs.readdirSync(disk), [], 'nothing half written is left');
      fs.rmSync(index);
      await withSearch(folder, async (harness) => {
        assert.ok(harness.search.status().indexBytes > 0);
        await findsAsRipgrep(harness, expected, 'with room again');
      });
    }),
  ));

test('a folder that is removed while it is searched or indexed ends calls with a clear error, and is searched again when it is back (long form)', async () => {
  for (const when of ['searching', 'indexing'] as const) {
    await withSidecar(
      async (running) => {
        const { client, root } = running;
        const away = `${root}-away`;
        if (when === 'searching') await client.call('index.wait', {});
        const reasons = new Set<string>();
        const ask = async (work: Promise<unknown>): Promise<void> => {
          await work.then(
            () => reasons.add('found'),
            (error: OutriggerError) => reasons.add(error.reason),
          );
        };
        const searches = Array.from({ length: 6 }, () => ask(find(running, { pattern: 'some more', maxResults: 1_000_000 })));
        await new Promise((resolve) => setTimeout(resolve, 10));
        fs.renameSync(root, away);
        searches.push(
          ask(find(running, { pattern: 'needle' })),
          ask(client.call('search.files', { query: 'f1' })),
          ask(find(running, { pattern: 'n.*dle', regex: true })),
        );
        await Promise.all(searches);
        await ask(find(running, { pattern: 'needle', hidden: true }));
        await ask(client.call('search.files', { include: ['*.txt'] }));
        for (const reason of reasons) assert.ok(['found', 'WORKSPACE_GONE'].includes(reason), `${when}: ${[...reasons].join(' ')}`);
        assert.ok(reasons.has('WORKSPACE_GONE'), `${when}: ${[...reasons].join(' ')}`);
        fs.renameSync(away, root);
        await eventually(
          async () => assert.deepEqual(await find(running, { pattern: 'needle' }), rgLines(root, { pattern: 'needle' })),
          20_000,
        );
        await eventually(async () => {
          await find(running, { pattern: 'needle' });
          assert.equal((await client.call('index.status', {})).state, 'ready', 'it is indexed again');
        });
        running.put('d1/late.txt', 'a needle that came late\n');
        await eventually(
          async () => assert.deepEqual(await find(running, { pattern: 'needle' }), rgLines(root, { pattern: 'needle' })),
          20_000,
        );
      },
      { prepare: (root) => prepareTree(root), mayLogErrors: true },
    );
  }
});

test('a stop while ripgrep is started to be asked for its version is the end of that, and no fault', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-search-'));
  fs.mkdirSync(path.join(folder, 'root'));
  const { state, workspace } = openWorkspace(folder);
  const processes = new Processes({ env: {} });
  const { starter } = processes;
  const start = starter.start.bind(starter);
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  starter.start = async (request) => {
    const program = await start(request);
    begun.resolve();
    await gate.promise;
    return program;
  };
  const ripgrep = new Ripgrep({ processes }, { program: rgPath, root: workspace.root });
  const ready = (): Promise<void> => Promise.resolve();
  const search = new Search({ workspace, processes, ripgrep, flush: ready, settled: ready, log: () => {} });
  try {
    const starting = search.start();
    await begun.promise;
    const stopping = Promise.all([search.stop(), processes.stop()]);
    gate.resolve();
    await Promise.all([starting, stopping]);
    assert.equal(search.status().state, 'building');
  } finally {
    workspace.close();
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('where the system has no room to start ripgrep, that is said, and the folder is searched by it when there is', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-search-'));
  fs.mkdirSync(path.join(folder, 'root'));
  fs.writeFileSync(path.join(folder, 'root', 'a.txt'), 'a needle\n');
  const { state, workspace } = openWorkspace(folder);
  const processes = new Processes({ env: {} });
  const { starter } = processes;
  const start = starter.start.bind(starter);
  starter.start = () => Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
  const ripgrep = new Ripgrep({ processes }, { program: rgPath, root: workspace.root });
  const ready = (): Promise<void> => Promise.resolve();
  const index = { threads: 1, open: () => ({ folder: path.join(folder, 'index'), kept: true, release: () => {} }) };
  const search = new Search({ workspace, processes, ripgrep, flush: ready, settled: ready, log: () => {} }, { index });
  const found: string[] = [];
  const query = { regex: false, caseSensitive: true, word: false, multiline: false, context: 0, maxResults: 10, maxLineLength: 100 };
  const walk = { path: '', include: [], exclude: [], hidden: false, ignored: false };
  const searched = async (): Promise<string> => {
    const call = { signal: new AbortController().signal, found: ({ path: file }: FoundFile) => void found.push(file) };
    return (await search.text({ ...query, ...walk, pattern: 'needle' }, call)).engine;
  };
  try {
    await search.start();
    assert.equal(search.status().state, 'failed');
    assert.equal(search.status().problem, 'The system has no room for the program: EMFILE.');
    await assert.rejects(searched(), { reason: 'TOO_MANY_PROCESSES' });
    starter.start = start;
    assert.equal(await searched(), 'walk');
    assert.deepEqual(found, ['a.txt']);
    await eventually(async () => {
      await searched();
      return search.status().state === 'ready';
    });
    assert.match(search.status().ripgrep ?? '', /^\d/);
    assert.equal(search.status().problem, undefined);
    assert.equal(search.status().files, 1);
  } finally {
    await search.stop();
    await processes.stop();
    workspace.close();
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('files of which the index knows nothing are looked into while others are served, and a pipe in the place of one is not waited for', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-search-'));
  const root = path.join(folder, 'root');
  try {
    // Their NUL stands beyond where ripgrep looks for one first.
    fs.mkdirSync(root);
    fs.writeFileSync(path.join(root, 'dump0.sql'), Buffer.concat([Buffer.alloc(4 * 1024 * 1024, 'text without it\n'), Buffer.of(0)]));
    for (let at = 1; at < 60; at++) fs.linkSync(path.join(root, 'dump0.sql'), path.join(root, `dump${at}.sql`));
    fs.writeFileSync(path.join(root, 'a.txt'), 'needle\n');
    await withSearch(folder, async ({ find: findHere }) => {
      const findNeedle = (): ReturnType<typeof findHere> => findHere({ pattern: 'needle', caseSensitive: false });
      const found = { lines: ['a.txt:1 [[0,6]]'], engine: 'index' };
      assert.deepEqual(await findNeedle(), found);
      const longest = await longestTurn(findNeedle);
      assert.ok(longest < 150, `${longest} ms`);
      if (process.platform === 'win32') return;
      const pipe = path.join(root, 'dump7.sql');
      fs.rmSync(pipe);
      execFileSync('mkfifo', [pipe]);
      // Whoever waits for a writer has one in the end.
      const begun = performance.now();
      const writer = spawn(process.execPath, ['-e', `setTimeout(() => fs.openSync(${JSON.stringify(pipe)}, 'r+'), 20_000)`]);
      try {
        assert.deepEqual(await findNeedle(), found);
        assert.ok(performance.now() - begun < 20_000, 'nobody waited for it');
      } finally {
        writer.kill('SIGKILL');
      }
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
