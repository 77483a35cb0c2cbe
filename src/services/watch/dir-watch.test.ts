import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { DirWatch } from './dir-watch.ts';
import { compileIgnore } from './ignore.ts';

test('a root that is removed in the very moment in which its watch is made anew is said to be gone', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  fs.writeFileSync(path.join(root, 'old'), 'old');
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
    // A name that comes or goes has it made anew.
    fs.rmSync(path.join(root, 'old'));
    await eventually(() => assert.deepEqual(gone, [true]), 5000);
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
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-dir-watch-'));
  const at = (name: string): string => path.join(root, name);
  fs.mkdirSync(at('a'));
  for (const name of ['first', 'a/second']) fs.writeFileSync(at(name), 'text');
  const drains: string[][] = [];
  let told: string[] = [];
  let armed = false;
  const watch = new DirWatch({
    root,
    ignore: compileIgnore([]),
    onFact: ({ path: where, what }) => {
      told.push(`${what} ${where}`);
      // The next to be looked at was written too; where it goes nobody has been told.
      if (armed && where === 'first') fs.renameSync(at('a/second'), at('third'));
    },
    onRootGone: () => {},
    onDrained: () => drains.push(told.splice(0)),
  });
  try {
    await watch.start();
    await watch.complete();
    told = [];
    drains.length = 0;
    armed = true;
    fs.writeFileSync(at('first'), 'longer');
    fs.writeFileSync(at('a/second'), 'longer');
    await eventually(() => assert.ok(drains.flat().includes('added third')));
    assert.deepEqual(
      drains.filter((facts) => facts.length > 0).map((facts) => facts.filter((fact) => !fact.startsWith('suspect'))),
      [['changed first', 'removed a/second', 'added third']],
    );
  } finally {
    watch.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
});
