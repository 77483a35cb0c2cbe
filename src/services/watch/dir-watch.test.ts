import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { DirWatch } from './dir-watch.ts';
import type { Fact } from './fact.ts';
import { compileIgnore } from './ignore.ts';
import { openFacts } from './rename-pairs.ts';

test('a root that is removed in the very moment in which its watch is made anew is said to be gone', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  const gone: boolean[] = [];
  const watch = new DirWatch({ root, ignore: compileIgnore([]), onFact: () => {}, onRootGone: (now) => gone.push(now) });
  const { watch: real } = fs;
  try {
    await watch.start();
    await watch.complete();
    t.mock.method(fs, 'watch', (at: string, listener: fs.WatchListener<string>) => {
      fs.rmSync(root, { recursive: true, force: true });
      return real(at, listener);
    });
    syncBuiltinESMExports();
    // A name that is known nowhere may be its own, and has it made anew.
    fs.writeFileSync(path.join(root, 'passing'), '');
    fs.rmSync(path.join(root, 'passing'));
    await eventually(() => assert.deepEqual(gone, [true]), 5000);
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
    watch.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
});

test('a watch that lives is left as it is while names come and go, as Linux loses what happens while one is made anew', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  const at = (name: string): string => path.join(root, name);
  made(['a/', 'b/', 'a/0'])(at);
  const told: string[] = [];
  const armed: string[] = [];
  const watch = new DirWatch({ root, ignore: compileIgnore([]), onFact: (fact) => told.push(`${fact.what} ${fact.path}`) });
  const { watch: real } = fs;
  try {
    await watch.start();
    await watch.complete();
    t.mock.method(fs, 'watch', (folder: string, listener: fs.WatchListener<string>) => {
      armed.push(path.relative(root, folder));
      return real(folder, listener);
    });
    syncBuiltinESMExports();
    for (let step = 0; step < 6; step++) {
      const [from, to] = step % 2 === 0 ? ['a', 'b'] : ['b', 'a'];
      fs.renameSync(at(`${from}/${step}`), at(`${to}/${step + 1}`));
      await eventually(() => assert.ok(told.includes(`added ${to}/${step + 1}`)));
    }
    assert.equal(armed.join(), '');
    // Another folder in the place of one: its watch died with it.
    fs.rmSync(at('a'), { recursive: true });
    fs.mkdirSync(at('a'));
    await eventually(() => assert.ok(armed.includes('a')));
    fs.writeFileSync(at('a/last'), '');
    await eventually(() => assert.ok(told.includes('added a/last')));
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
    watch.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
});

test('a file that moves into a new folder while that is read for the first time is told of once, with where it came from', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  const at = (name: string): string => path.join(root, name);
  fs.mkdirSync(at('old'));
  fs.writeFileSync(at('old/file'), 'text');
  const drains: string[][] = [];
  let told: string[] = [];
  const watch = new DirWatch({
    root,
    ignore: compileIgnore([]),
    onFact: ({ path: where, what }) => {
      told.push(`${what} ${where}`);
      // Before anybody could have heard of it, it is found there.
      if (where === 'new') fs.renameSync(at('old/file'), at('new/file'));
    },
    onRootGone: () => {},
    onDrained: () => drains.push(told.splice(0)),
  });
  try {
    await watch.start();
    await watch.complete();
    told = [];
    drains.length = 0;
    // Of another time than the move: clocks of files are coarse.
    fs.utimesSync(at('old/file'), 1, 1);
    await eventually(() => assert.ok(drains.flat().includes('changed old/file')));
    drains.length = 0;
    fs.mkdirSync(at('new'));
    await eventually(() => assert.ok(drains.flat().includes('removed old/file')));
    assert.deepEqual(
      drains.filter((facts) => facts.length > 0),
      [['added new', 'added new/file', 'removed old/file']],
    );
  } finally {
    watch.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
});

test('a file that leaves while the folder is read is told of once, with where it is now', async () => {
  const drains = await drainsOf(
    (at) => {
      fs.mkdirSync(at('a'));
      for (const name of ['first', 'a/second']) fs.writeFileSync(at(name), 'text');
    },
    (fact, at) => {
      // The next to be looked at was written too; where it goes nobody has been told.
      if (fact === 'changed first') fs.renameSync(at('a/second'), at('third'));
    },
    (at) => {
      for (const name of ['first', 'a/second']) fs.writeFileSync(at(name), 'longer');
    },
    'added third',
  );
  assert.deepEqual(drains, [['changed first', 'removed a/second', 'added third']]);
});

/** The facts of each drain that has any, of what happens after `begin`. What `hook` does comes between a fact and the next. */
async function drainsOf(
  prepare: (at: (name: string) => string) => void,
  hook: (fact: string, at: (name: string) => string) => void,
  begin: (at: (name: string) => string, watch: DirWatch) => void,
  last: string,
): Promise<string[][]> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  const at = (name: string): string => path.join(root, name);
  prepare(at);
  const drains: string[][] = [];
  let told: string[] = [];
  let begun = false;
  const watch = new DirWatch({
    root,
    ignore: compileIgnore([]),
    onFact: ({ path: where, what, from }) => {
      if (what === 'suspect') return;
      const fact = from === undefined ? `${what} ${where}` : `${what} ${where} from ${from}`;
      told.push(fact);
      if (begun) hook(fact, at);
    },
    onRootGone: () => {},
    onDrained: () => drains.push(told.splice(0)),
  });
  try {
    await watch.start();
    await watch.complete();
    told = [];
    drains.length = 0;
    begun = true;
    begin(at, watch);
    await eventually(() => assert.ok(drains.flat().includes(last), JSON.stringify(drains)));
    return drains.filter((facts) => facts.length > 0);
  } finally {
    watch.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
}

/** Names of files with content, and of folders, which end with '/'. */
function made(names: readonly string[]): (at: (name: string) => string) => void {
  return (at) => {
    for (const name of names) name.endsWith('/') ? fs.mkdirSync(at(name), { recursive: true }) : fs.writeFileSync(at(name), name);
  };
}

test('a file that goes on while it is looked for is told of once, with where it is at last', async () => {
  const drains = await drainsOf(
    made(['a/', 'b/', 'c/', 'd/', 'e/', 'a/one']),
    (fact, at) => {
      if (fact === 'removed a/one') {
        fs.writeFileSync(at('e/other'), '');
        fs.renameSync(at('b/two'), at('c/three'));
      }
      if (fact === 'added e/other') fs.renameSync(at('c/three'), at('d/four'));
    },
    (at) => fs.renameSync(at('a/one'), at('b/two')),
    'added d/four',
  );
  assert.deepEqual(drains, [['removed a/one', 'added e/other', 'added d/four']]);
});

test('a file that goes to where another one has just left before that is looked at is told of once, with where it was', async () => {
  const drains = await drainsOf(
    made(['seen', 'one', 'aside']),
    (fact, at) => {
      if (fact === 'changed seen') fs.renameSync(at('aside'), at('one'));
    },
    (at) => {
      fs.writeFileSync(at('seen'), 'longer than before');
      fs.renameSync(at('one'), at('other'));
    },
    'removed aside',
  );
  assert.deepEqual(drains, [['changed seen', 'changed one', 'added other', 'removed aside']]);
});

test('a file that goes on to a folder which is read in the same turn, from one that was read before it, is told of once', async () => {
  const drains = await drainsOf(
    made(['from/', 'seen/', 'to/', 'from/one']),
    (fact, at) => {
      if (fact !== 'added seen/it') return;
      fs.renameSync(at('from/one'), at('to/two'));
      // Longer than a turn: what the kernel tells of it comes before the next folder is read.
      for (const until = performance.now() + 30; performance.now() < until; );
    },
    (at) => {
      for (const folder of ['from', 'seen', 'to']) fs.writeFileSync(at(`${folder}/it`), 'text');
    },
    'removed from/one',
  );
  assert.deepEqual(drains.flat().toSorted(), ['added from/it', 'added seen/it', 'added to/it', 'added to/two', 'removed from/one']);
  assert.deepEqual(
    drains.filter((facts) => facts.includes('added to/two') || facts.includes('removed from/one')).length,
    1,
    JSON.stringify(drains),
  );
});

test('a file that left a folder which is looked for is not told before that is found, or is not', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  const at = (name: string): string => path.join(root, name);
  made(['old/in/', 'old/in/file', 'other/', 'other/1', 'other/2', 'other/3'])(at);
  let found: Fact[] = [];
  let [readFrom, openFrom] = [0, 0];
  const told: string[][] = [];
  const watch = new DirWatch({
    root,
    ignore: compileIgnore([]),
    onFact: (fact) => {
      if (fact.what === 'suspect') return;
      found.push(fact);
      // Each keeps the drain going on, for as long as it may.
      if (fact.what === 'changed') return;
      if (fact.path === 'other/1') fs.mkdirSync(at('new'));
      if (fact.path === 'new') {
        fs.renameSync(at('old/in/file'), at('new/file'));
        fs.rmSync(at('other/2'));
      }
      if (fact.path === 'other/2') {
        fs.rmdirSync(at('old/in'));
        fs.rmSync(at('other/3'));
      }
    },
    onReading: () => {
      readFrom = found.length;
    },
    onRead: () => {
      openFrom = readFrom;
    },
    onDrained: () => {
      const open = watch.isOpen ? openFacts(found, openFrom) : new Set();
      told.push(found.filter((fact) => !open.has(fact)).map((fact) => `${fact.what} ${fact.path}`));
      found = found.filter((fact) => open.has(fact));
      [readFrom, openFrom] = [0, 0];
    },
  });
  try {
    await watch.start();
    await watch.complete();
    // Of another time than the move: clocks of files are coarse.
    fs.utimesSync(at('old/in/file'), 1, 1);
    await eventually(() => assert.ok(told.flat().includes('changed old/in/file')));
    fs.rmSync(at('other/1'));
    await eventually(() => assert.ok(told.flat().includes('removed old/in')));
    assert.equal(
      told.filter((facts) => facts.includes('added new/file') || facts.includes('removed old/in/file')).length,
      1,
      JSON.stringify(told),
    );
  } finally {
    watch.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
});

test('what is in a folder that goes while its names are looked up is not gone', async () => {
  const drains = await drainsOf(
    made(['a/', 'a/first', 'a/second']),
    (fact, at) => {
      if (fact === 'changed a/first') fs.renameSync(at('a'), at('b'));
    },
    (at) => {
      for (const name of ['a/first', 'a/second']) fs.writeFileSync(at(name), 'longer than before');
    },
    'changed b/second',
  );
  assert.deepEqual(drains.flat(), ['changed a/first', 'added b from a', 'changed b/second']);
});

test('a folder that leaves while all is read is told of once, with where it is now', async () => {
  const drains = await drainsOf(
    made(['seen', 'a/one/', 'a/one/file']),
    (fact, at) => {
      // Of where it goes the names are read, of where it was not yet.
      if (fact === 'changed seen') fs.renameSync(at('a/one'), at('two'));
    },
    (at, watch) => {
      fs.writeFileSync(at('seen'), 'longer than before');
      watch.lostHints();
    },
    'added two from a/one',
  );
  assert.deepEqual(drains, [['changed seen', 'added two from a/one']]);
});

test('a file that left a folder which has gone before it was looked at is told of once', async () => {
  const drains = await drainsOf(
    made(['a/', 'a/b/', 'a/b/file']),
    (fact, at) => {
      if (fact === 'added a/file') fs.renameSync(at('a'), at('c'));
    },
    (at) => fs.renameSync(at('a/b/file'), at('a/file')),
    'removed c/b/file',
  );
  assert.deepEqual(drains, [['added a/file', 'added c from a', 'removed c/b/file']]);
});

test('a look at a file that another was renamed to leaves it to the drain that finds where that came from', async () => {
  const looked: boolean[] = [];
  const drains = await drainsOf(
    made(['old', 'new']),
    () => {},
    (at, watch) => {
      fs.renameSync(at('old'), at('new'));
      looked.push(watch.look('new'));
    },
    'removed old',
  );
  assert.deepEqual([looked, drains.map((facts) => facts.toSorted())], [[false], [['changed new', 'removed old']]]);
});

test('a folder whose place a file takes while it is looked for is told to be gone before', async () => {
  const drains = await drainsOf(
    made(['folder/', 'other/', 'folder/in', 'other/one']),
    (fact, at) => {
      // By now the one is known not to be there, and nobody was told.
      if (fact === 'removed other/one') fs.writeFileSync(at('folder'), 'a file by now');
    },
    (at) => {
      fs.rmSync(at('folder'), { recursive: true });
      fs.rmSync(at('other/one'));
    },
    'added folder',
  );
  assert.deepEqual(drains.flat(), ['removed other/one', 'removed folder/in', 'removed folder', 'added folder']);
});

test('a file that goes on before each look at it is told of once, with where it rests', async (t) => {
  const hops = 10;
  let hop = 0;
  const place = (): string => (hop === 0 ? 'a/one' : `${hop % 2 === 0 ? 'a' : 'b'}/hop-${hop}`);
  const goOn = (at: (name: string) => string): void => {
    const from = at(place());
    hop++;
    fs.renameSync(from, at(place()));
  };
  const { lstatSync: real } = fs;
  try {
    const drains = await drainsOf(
      made(['a/', 'b/', 'a/one']),
      () => {},
      (at) => {
        t.mock.method(fs, 'lstatSync', (path: string, options: fs.StatSyncOptions) => {
          if (hop < hops && path === at(place())) goOn(at);
          return real(path, options);
        });
        syncBuiltinESMExports();
        goOn(at);
      },
      `added a/hop-${hops}`,
    );
    assert.deepEqual(drains, [['removed a/one', `added a/hop-${hops}`]]);
  } finally {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  }
});

test('what was in a folder that went is told to be gone before a folder of the new one in its place moves on', async () => {
  const drains = await drainsOf(
    made(['folder/', 'folder/sub/', 'folder/sub/file', 'other/', 'other/one', 'other/two']),
    (fact, at) => {
      // By now the one is known not to be there, and nobody was told.
      if (fact === 'removed other/one') {
        made(['folder/sub/', 'folder/sub/new'])(at);
        // What came by rename has the drain go on for where it left.
        fs.renameSync(at('other/two'), at('folder/two'));
      }
      if (fact === 'added folder/sub/new') fs.renameSync(at('folder/sub'), at('other/sub'));
    },
    (at) => {
      fs.rmSync(at('folder'), { recursive: true });
      fs.rmSync(at('other/one'));
    },
    'added other/sub from folder/sub',
  );
  const facts = drains.flat();
  const ofSub = facts.filter((fact) => ['removed folder/sub/file', 'added other/sub from folder/sub'].includes(fact));
  assert.deepEqual(ofSub, ['removed folder/sub/file', 'added other/sub from folder/sub'], facts.join('\n'));
});

test('a file that went with its folder is told to be gone before another folder is told to have moved to its place', async () => {
  const drains = await drainsOf(
    made(['folder/', 'folder/it', 'other/', 'other/one', 'other/in/']),
    (fact, at) => {
      // By now the folder is known not to be there, and nobody was told.
      if (fact !== 'removed other/one') return;
      fs.mkdirSync(at('folder'));
      fs.renameSync(at('other/in'), at('folder/it'));
    },
    (at) => {
      fs.rmSync(at('folder'), { recursive: true });
      fs.rmSync(at('other/one'));
    },
    'added folder/it from other/in',
  );
  assert.deepEqual(drains.flat(), [
    'removed other/one',
    'added folder',
    'removed folder/it',
    'known folder',
    'added folder/it from other/in',
  ]);
});
