import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Change } from '../contract/events.ts';
import { loadConfig } from '../config/load.ts';
import { eventually } from '../../test/kit/eventually.ts';
import { longestTurn } from '../../test/kit/loop-hold.ts';
import { testSeed } from '../../test/kit/seed.ts';
import { assertSame, Storm, scan } from '../../test/kit/watch-harness.ts';
import { withScratchFolder } from '../../test/kit/scratch-folder.ts';
import { cause, type Harness, withWorkspace } from '../../test/kit/workspace-harness.ts';
import { GitPulse } from './git-pulse.ts';
import { Health } from './health.ts';
import { startWatch, type Watching } from './watching.ts';

const ROUNDS = 20;

async function withWatchedWorkspace(
  run: (harness: Harness, watching: Watching) => Promise<void>,
  files: Readonly<Record<string, string>> = {},
): Promise<void> {
  await withWorkspace(async (harness) => {
    for (const [name, text] of Object.entries(files)) harness.put(name, text);
    await watched(harness, (watching) => run(harness, watching));
  });
}

async function watched(
  { workspace, state }: Harness,
  run: (watching: Watching) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const watching = startWatch(
    { workspace, state, pulse: new GitPulse(), log: () => {}, health: new Health(Date.now) },
    loadConfig({ env }).config,
  );
  try {
    await watching.started;
    await run(watching);
  } finally {
    await watching.stop();
  }
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('a file that a program renames as soon as it is written here is told as moved', async () => {
  await withWatchedWorkspace(async ({ workspace, told, put, at }, watching) => {
    for (let round = 0; round < ROUNDS; round++) {
      const [old, now] = [`old-${round}`, `now-${round}`];
      put(old, 'first');
      await watching.barrier();
      await workspace.write(old, bytes(`second of ${round}`), { cause });
      fs.renameSync(at(old), at(now));
      await watching.barrier();
      assert.deepEqual(told().slice(-3), [`created ${old}`, `changed ${old}`, `moved ${old} → ${now}`]);
    }
  });
});

test('a file that a program renames as soon as it is made here is told as moved', async () => {
  await withWatchedWorkspace(async ({ workspace, told, at }, watching) => {
    for (let round = 0; round < ROUNDS; round++) {
      const [old, now] = [`old-${round}`, `now-${round}`];
      await workspace.write(old, bytes(`made in ${round}`), { cause });
      fs.renameSync(at(old), at(now));
      await watching.barrier();
      assert.deepEqual(told().slice(-2), [`created ${old}`, `moved ${old} → ${now}`]);
    }
  });
});

test('a file that a program removes as soon as it is made here is told as removed', async () => {
  await withWatchedWorkspace(async ({ workspace, told, at }, watching) => {
    for (let round = 0; round < ROUNDS; round++) {
      await workspace.write(`made-${round}`, bytes('made'), { cause });
      fs.rmSync(at(`made-${round}`));
      await watching.barrier();
      assert.deepEqual(told().slice(-2), [`created made-${round}`, `removed made-${round}`]);
    }
  });
});

test('a file that a program renames or removes as soon as it was moved here is told with its last place', async () => {
  await withWatchedWorkspace(async ({ workspace, told, put, at }, watching) => {
    for (let round = 0; round < ROUNDS; round++) {
      const [old, put1, now] = [`old-${round}`, `put-${round}`, `now-${round}`];
      put(old, 'text');
      await watching.barrier();
      await workspace.move(old, put1, { overwrite: false, parents: true, cause });
      if (round % 2 === 0) fs.renameSync(at(put1), at(now));
      else fs.rmSync(at(put1));
      await watching.barrier();
      assert.deepEqual(told().slice(-2), [`moved ${old} → ${put1}`, round % 2 === 0 ? `moved ${put1} → ${now}` : `removed ${put1}`]);
    }
  });
});

test('a folder that a program removes or renames as soon as it is made here is told to be gone, with what was in it', async () => {
  await withWatchedWorkspace(async ({ workspace, told, at }, watching) => {
    for (let round = 0; round < ROUNDS; round++) {
      const [folder, other] = [`folder-${round}`, `other-${round}`];
      workspace.mkdir(`${folder}/inner`, true, cause);
      await workspace.write(`${folder}/inner/file`, bytes(`of ${round}`), { cause });
      const before = told().length;
      if (round % 2 === 0) fs.rmSync(at(folder), { recursive: true });
      else fs.renameSync(at(folder), at(other));
      await watching.barrier();
      const after = told().slice(before);
      if (round % 2 === 0) assert.deepEqual(after, [`removed ${folder}/inner/file`, `removed ${folder}/inner`, `removed ${folder}`]);
      else assert.deepEqual(left(told(), folder), [], after.join());
    }
  });
});

test('a folder and a file of long ago are told to be gone where a program puts one in the place of the other', async () => {
  await withWatchedWorkspace(
    async ({ told, changes, put, at }, watching) => {
      fs.rmSync(at('folder'), { recursive: true });
      put('folder', 'a file by now');
      await watching.barrier();
      assert.deepEqual(told(), ['removed folder/in/file', 'removed folder/in', 'removed folder', 'created folder']);
      assert.deepEqual(
        changes.slice(-2).map(({ kind }) => kind),
        ['directory', 'file'],
      );
      changes.length = 0;
      fs.rmSync(at('file'));
      put('file/inside', 'x');
      await watching.barrier();
      assert.deepEqual(told(), ['removed file', 'created file', 'created file/inside']);
      assert.deepEqual(
        changes.map(({ kind }) => kind),
        ['file', 'directory', 'file'],
      );
    },
    { 'folder/in/file': 'x', file: 'y' },
  );
});

test('so they are where that was while nobody watched', async () => {
  await withWorkspace(async (harness) => {
    const { told, put, at } = harness;
    put('folder/in/file', 'x');
    put('file', 'y');
    await watched(harness, (watching) => watching.barrier());
    fs.rmSync(at('folder'), { recursive: true });
    put('folder', 'a file by now');
    fs.rmSync(at('file'));
    put('file/inside', 'x');
    await watched(harness, async (watching) => {
      await eventually(() => assert.equal(told().length, 7));
      await watching.barrier();
      const of = (name: string): string[] => told().filter((one) => one.split(/[ /]/)[1] === name);
      assert.deepEqual(of('folder'), ['removed folder/in/file', 'removed folder/in', 'removed folder', 'created folder']);
      assert.deepEqual(of('file'), ['removed file', 'created file', 'created file/inside']);
    });
  });
});

test('a folder that a program makes again as soon as it was removed or moved here is told, with what is in it', async () => {
  await withWatchedWorkspace(async ({ workspace, told, changes, root, at }, watching) => {
    for (let round = 0; round < ROUNDS; round++) {
      const folder = `folder-${round}`;
      workspace.mkdir(`${folder}/inner`, true, cause);
      await workspace.write(`${folder}/inner/file`, bytes(`of ${round}`), { cause });
      await watching.barrier();
      if (round % 2 === 0) await workspace.remove(folder, true, { cause });
      else await workspace.move(folder, `other-${round}`, { overwrite: false, parents: true, cause });
      fs.mkdirSync(at(`${folder}/inner`), { recursive: true });
      fs.writeFileSync(at(`${folder}/inner/file`), `of ${round}`);
      await watching.barrier();
      assertSame(toldState(changes, scan(root)), scan(root), told().slice(-6).join());
    }
  });
});

test('a file that comes where others were a moment ago is told as created, also when these places are looked at before it stands still', async () => {
  await withWorkspace(async (harness) => {
    const live = async (): Promise<void> => {
      const { workspace, told, put } = harness;
      workspace.mkdir('folder', false, cause);
      await workspace.remove('folder', true, { cause });
      put('folder/inner/file', 'text');
      const expected = ['created folder', 'created folder/inner', 'created folder/inner/file'];
      await eventually(() => assert.deepEqual(told().slice(2), expected));
    };
    await watched(harness, live, { OUTRIGGER_WATCH_SETTLE_MS: '600' });
  });
});

test('of thousands of files that come, change and go at once is told while others are served', async () => {
  const names = Array.from({ length: 2500 }, (_, number) => `many/${number % 40}/${number}`);
  await withWatchedWorkspace(async ({ told, put, at }, watching) => {
    for (const [what, does] of [
      ['created', () => names.forEach((name) => put(name, 'one'))],
      ['changed', () => names.forEach((name) => put(name, 'another'))],
      ['removed', () => fs.rmSync(at('many'), { recursive: true })],
    ] as const) {
      does();
      const longest = await longestTurn(() => watching.barrier());
      assert.equal(told().filter((line) => line.startsWith(what)).length, what === 'changed' ? 2500 : 2541);
      assert.ok(longest < 250, `${what}: ${Math.round(longest)} ms`);
    }
  });
});

test('a folder that another took away and put back, over one that we made in its place meanwhile, is told with what is in it', async () => {
  await withWatchedWorkspace(async ({ workspace, root, put, at, changes }, watching) => {
    for (const [name, other] of [
      ['dir', 'away'],
      ['b/a', 'a/a/a'],
    ] as const) {
      put(`${name}/file`, 'text');
      fs.mkdirSync(path.dirname(at(other)), { recursive: true });
      await watching.barrier();
      // As it was told at first, it is known.
      await workspace.write(`${name}/file`, bytes('ours'), { cause });
      await watching.barrier();
      fs.renameSync(at(name), at(other));
      workspace.mkdir(name, true, cause);
      fs.renameSync(at(other), at(name));
      await watching.barrier();
    }
    assertSame(toldState(changes, scan(root)), scan(root), 'put back');
  });
});

/** Of all that was told, what still stands at the path or below it. */
function left(told: readonly string[], folder: string): string[] {
  const there = new Set<string>();
  for (const line of told) {
    const [, what, from, to] = /^(\w+) (\S+)(?: → (\S+))?$/.exec(line) as unknown as [string, string, string, string | undefined];
    if (what === 'removed') there.delete(from);
    else if (what === 'moved') {
      for (const path of [...there]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        there.delete(path);
        there.add(to + path.slice(from.length));
      }
      there.add(to as string);
    } else there.add(from);
  }
  return [...there].filter((path) => path === folder || path.startsWith(`${folder}/`));
}

const folders = ['a', 'b', 'a/a', 'a/b', 'b/a', 'a/a/a', 'b/a/b'];

for (const [what, names] of [
  ['files', ['a', 'b', 'c']],
  ['folders', folders],
] as const) {
  test(`what people and programs do to the same ${what} at once is told so that it adds up to the folder`, async () => {
    const seed = testSeed();
    await withWatchedWorkspace(async (harness, watching) => {
      const { changes, root } = harness;
      const storm = new Storm(root, seed);
      const hands = [oursIn(harness, storm, names), theirsIn(harness, storm, names)];
      for (let burst = 0; burst < 60; burst++) {
        await stormOf(hands, storm, 1 + storm.below(12));
        await watching.barrier();
        assertSame(toldState(changes, scan(root)), scan(root), `SEED=${seed} burst ${burst}`);
      }
    });
  });
}

const polling = { OUTRIGGER_WATCH_ENGINE: 'poll', OUTRIGGER_WATCH_POLL_MS: '100' };
for (const [end, lives, env, form] of [
  ['stopped', 12, {}, ''],
  ['killed', 12, {}, ''],
  ['stopped', 200, {}, ' (long form)'],
  ['killed', 200, {}, ' (long form)'],
  ['killed', 200, polling, ', polling (long form)'],
] as const)
  test(`what people and programs do until the watch is ${end}, and others after it, is told by the end of the next start${form}`, async () => {
    const seed = testSeed();
    await withScratchFolder('watching-lives', async (folder) => {
      const storm = new Storm(path.join(folder, 'root'), seed);
      const told: Change[] = [];
      for (let life = 0; life < lives; life++)
        await withWorkspace(
          async (harness) => {
            harness.workspace.journal.onChanges((changes) => void told.push(...changes));
            const snapshot = path.join(harness.stateFolder, 'watch-snapshot');
            let old: Buffer | undefined;
            const live = async (watching: Watching): Promise<void> => {
              await watching.barrier();
              assertSame(toldState(told, scan(harness.root)), scan(harness.root), `SEED=${seed} life ${life}`);
              if (end === 'killed') await eventually(() => (old = fs.readFileSync(snapshot)));
              await stormOf([oursIn(harness, storm, folders), theirsIn(harness, storm, folders)], storm, 1 + storm.below(12));
            };
            await watched(harness, live, env);
            if (old !== undefined) fs.writeFileSync(snapshot, old);
            await stormOf([theirsIn(harness, storm, folders)], storm, storm.below(4));
          },
          { folder },
        );
    });
  });

test('what changed between a look at the folder and the first start of the watch is not passed over: cursors of before are answered with resync', async () => {
  await withWorkspace(async (harness) => {
    harness.put('there', 'as it was listed');
    const { cursor } = harness.workspace.journal;
    harness.put('there', 'as the watch found it');
    let told = 0;
    harness.workspace.journal.onChanges((changes) => void (told += changes.length === 0 ? 1 : 0));
    await watched(harness, async (watching) => {
      await watching.barrier();
      assert.match(harness.workspace.journal.since(cursor, 10).resync ?? '', /not watched/);
      assert.equal(told, 1, 'who holds a cursor is woken to hear of it');
      const fresh = harness.workspace.journal.cursor;
      harness.put('there', 'as it is now');
      await watching.barrier();
      const { resync, changes } = harness.workspace.journal.since(fresh, 10);
      assert.deepEqual([resync, changes.map(({ path: at }) => at)], [undefined, ['there']]);
    });
  });
});

test('where the watch does not know what happened while it did not run, cursors of before are answered with resync', async () => {
  await withScratchFolder('watching-unknown', async (folder) => {
    let cursor = '';
    const live = (run: (harness: Harness, snapshot: string) => Promise<void>): Promise<void> =>
      withWorkspace((harness) => run(harness, path.join(harness.stateFolder, 'watch-snapshot')), { folder });
    await live((harness) =>
      watched(harness, async () => {
        await harness.workspace.write('kept', bytes('kept'), { cause });
        ({ cursor } = harness.workspace.journal);
      }),
    );
    await live((harness) =>
      watched(harness, async () => {
        assert.equal(harness.workspace.journal.since(cursor, 10).resync, undefined);
      }),
    );
    for (const lose of [fs.rmSync, (snapshot: string) => fs.truncateSync(snapshot, 10)])
      await live(async (harness, snapshot) => {
        lose(snapshot);
        await watched(harness, async (watching) => {
          assert.match(harness.workspace.journal.since(cursor, 10).resync ?? '', /not watched/);
          ({ cursor } = harness.workspace.journal);
          await watching.barrier();
        });
        assert.equal(harness.workspace.journal.since(cursor, 10).resync, undefined);
      });
  });
});

type Step = () => unknown;

function oursIn({ workspace }: Harness, storm: Storm, names: readonly string[]): Step[] {
  const some = (): string => names[storm.below(names.length)] as string;
  const recursive = names.some((name) => name.includes('/'));
  return [
    () => workspace.write(some(), bytes(`ours ${storm.random()}`), { cause }),
    () => workspace.write(some(), bytes(`ours ${storm.random()}`), { cause, parents: recursive }),
    () => workspace.move(some(), some(), { overwrite: storm.random() < 0.5, parents: true, cause }),
    () => workspace.remove(some(), recursive, { cause }),
    ...(recursive ? [() => workspace.mkdir(some(), true, cause)] : []),
  ];
}

function theirsIn({ root }: Harness, storm: Storm, names: readonly string[]): Step[] {
  const some = (): string => path.join(root, names[storm.below(names.length)] as string);
  return [
    () => fs.renameSync(some(), some()),
    () => fs.rmSync(some(), { recursive: true }),
    () => fs.writeFileSync(some(), `theirs ${storm.random()}`),
    () => fs.appendFileSync(some(), 'more'),
    ...(names.some((name) => name.includes('/')) ? [() => fs.mkdirSync(some(), { recursive: true })] : []),
  ];
}

/** One step after the other, each by one of the hands. */
async function stormOf(hands: readonly Step[][], storm: Storm, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const hand = hands[storm.below(hands.length)] ?? [];
    // What the folder does not allow now is no step.
    await (async () => hand[storm.below(hand.length)]?.())().catch(() => {});
    if (storm.random() < 0.1) await new Promise((resolve) => setTimeout(resolve, storm.below(8)));
  }
}

/** What the changes add up to. Content of which a change says that it is not known is taken to be what stands there. */
function toldState(changes: readonly Change[], real: ReadonlyMap<string, string>): Map<string, string> {
  const there = new Map<string, string>();
  for (const { what, kind, path: at, from, after } of changes) {
    if (what === 'moved' && from !== undefined) {
      const along = [...there].filter(([name]) => name.startsWith(`${from}/`));
      for (const [name] of [...there]) if (name === at || name.startsWith(`${at}/`) || name.startsWith(`${from}/`)) there.delete(name);
      for (const [name, entry] of along) there.set(at + name.slice(from.length), entry);
      there.delete(from);
    }
    if (what === 'removed') {
      for (const name of [...there.keys()]) if (name === at || name.startsWith(`${at}/`)) there.delete(name);
    } else there.set(at, kind === 'directory' ? 'directory' : after === null ? 'unknown' : `file ${after}`);
  }
  for (const [name, entry] of there) if (entry === 'unknown') there.set(name, real.get(name) ?? entry);
  return there;
}
