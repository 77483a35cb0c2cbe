// What others do in and with folders that go on meanwhile, and what we do with them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { nextTick, removed, renamed, report } from '../../../test/kit/noticed-reports.ts';
import { cause, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { hashBytes } from './content.ts';
import type { Noticed } from './echoes.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

/** What was written so long ago was told by now. */
const untilTold = (): Promise<void> => sleep(2_100);

test('a file that was renamed, in a folder that then moved on, is told step by step, also where one of its name stands in its place by now', () =>
  withWorkspace((harness) => {
    const { workspace, put, at } = harness;
    put('d/a');
    put('b');
    workspace.noticed(['d', 'd/a', 'b'].map((name) => report(harness, name, 'created')));
    const reports: Noticed[] = [];
    const moved = (from: string, to: string) => reports.push(renamed(harness, from, to));
    moved('d/a', 'd/y');
    moved('b', 'd/b');
    moved('d', 'e');
    fs.mkdirSync(at('d'));
    reports.push(report(harness, 'd', 'created'));
    moved('e/y', 'd/a');
    put('b', 'another');
    reports.push(report(harness, 'b', 'created'));
    assert.deepEqual(
      workspace.noticed(reports).map(({ what, kind, path: where, from }) => [what, kind, where, from]),
      [
        ['moved', 'file', 'd/y', 'd/a'],
        ['moved', 'file', 'd/b', 'b'],
        ['moved', 'directory', 'e', 'd'],
        ['created', 'directory', 'd', undefined],
        ['moved', 'file', 'd/a', 'e/y'],
        ['created', 'file', 'b', undefined],
      ],
    );
  }));

test('a file that goes back to the place from which its folder went is told so, also in one batch with that', () =>
  withWorkspace((harness) => {
    const { workspace, put, at } = harness;
    put('d/a');
    put('d/b');
    put('d/in/c');
    const names = ['d', 'd/in', 'd/a', 'd/b', 'd/in/c'];
    workspace.noticed(names.map((name) => report(harness, name, 'created')));
    const moved = (from: string, to: string): Noticed => renamed(harness, from, to);
    const made = (name: string): Noticed => {
      fs.mkdirSync(at(name));
      return report(harness, name, 'created');
    };
    const reports = [moved('d', 'e'), made('d'), moved('e/a', 'd/a'), made('d/in'), moved('e/in/c', 'd/in/c'), moved('e', 'f')];
    put('d/b');
    reports.push(report(harness, 'd/b', 'created'));
    assert.deepEqual(
      workspace.noticed(reports).map(({ what, kind, path: where, from }) => [what, kind, where, from]),
      [
        ['moved', 'directory', 'e', 'd'],
        ['created', 'directory', 'd', undefined],
        ['moved', 'file', 'd/a', 'e/a'],
        ['created', 'directory', 'd/in', undefined],
        ['moved', 'file', 'd/in/c', 'e/in/c'],
        ['moved', 'directory', 'f', 'e'],
        ['created', 'file', 'd/b', undefined],
      ],
    );
  }));

test('a file that was moved into a folder that was made just before, and went on at once, is followed', () =>
  withWorkspace((harness) => {
    const { workspace, put, at } = harness;
    put('g/a');
    put('e/f/of before');
    const reports: Noticed[] = [];
    const moved = (from: string, to: string) => reports.push(renamed(harness, from, to));
    const told = (): unknown =>
      workspace
        .noticed(reports.splice(0))
        .map(({ what, kind, path: where, from }) => [what, kind, where, ...(from === undefined ? [] : [from])]);
    workspace.noticed(['g', 'g/a', 'e', 'e/f', 'e/f/of before'].map((name) => report(harness, name, 'created')));
    moved('e/f', 'm0');
    told();
    fs.mkdirSync(at('e/f'));
    reports.push(report(harness, 'e/f', 'created'));
    moved('g/a', 'e/f/b');
    moved('e/f', 'm1');
    moved('m1', 'm2');
    moved('m2/b', 'm2/y');
    assert.deepEqual(told(), [
      ['created', 'directory', 'e/f'],
      ['moved', 'file', 'e/f/b', 'g/a'],
      ['moved', 'directory', 'm1', 'e/f'],
      ['moved', 'directory', 'm2', 'm1'],
      ['moved', 'file', 'm2/y', 'm2/b'],
    ]);
  }));

test('what is in a folder that was made and moved at once is told where it is now', () =>
  withWorkspace((harness) => {
    const { workspace, put, at, changes } = harness;
    put('made/first');
    put('made/sub/second');
    const made = report(harness, 'made', 'created');
    const tell = (...reports: Noticed[]) =>
      workspace.noticed(reports).map(({ what, from, path }) => (from === undefined ? `${what} ${path}` : `${what} ${from} → ${path}`));
    fs.renameSync(at('made'), at('on its way'));
    const onItsWay = report(harness, 'on its way', 'created', { from: 'made' });
    fs.mkdirSync(at('made'));
    assert.deepEqual(tell(made), ['created made']);
    fs.rmdirSync(at('made'));
    assert.deepEqual(tell(onItsWay), ['moved made → on its way']);
    fs.renameSync(at('on its way'), at('final'));
    const late = report(harness, 'final', 'created', { from: 'on its way' });
    const inside = ['final/sub', 'final/first', 'final/sub/second'].map((name) => report(harness, name, 'created'));
    assert.deepEqual(tell(late, ...inside), [
      'moved on its way → final',
      'created final/sub',
      'created final/first',
      'created final/sub/second',
    ]);
    assert.equal(changes.at(-1)?.after, hashBytes('made/sub/second'));
    assert.deepEqual(tell(...inside), [], 'it is told once');
  }));

test('what comes into a folder that was just moved is told, however old it says to be: a file, and a folder with all in it', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, outside } = harness;
    const old = (name: string): string => {
      const place = path.join(outside, name);
      fs.mkdirSync(path.dirname(place), { recursive: true });
      fs.writeFileSync(place, name);
      for (const one of [place, path.dirname(place)]) fs.utimesSync(one, 1e9, 1e9);
      return place;
    };
    const tell = (...names: string[]) => workspace.noticed(names.map((name) => report(harness, name, 'created'))).map(({ path }) => path);
    put('a/unread');
    put('b/unread');
    old('folder/sub/one');
    old('folder/two');
    for (const name of ['one', 'two', 'three']) old(name);
    await untilTold();
    const into = (folder: string, name: string): void => fs.renameSync(path.join(outside, name), at(`${folder}/${name}`));
    await workspace.move('a', 'c', { overwrite: false, parents: false, cause });
    into('c', 'one');
    into('c', 'folder');
    assert.deepEqual(tell('c/one', 'c/folder', 'c/folder/sub', 'c/folder/sub/one', 'c/folder/two', 'c/unread'), [
      'c/one',
      'c/folder',
      'c/folder/sub',
      'c/folder/sub/one',
      'c/folder/two',
    ]);
    // The watch tells of the move when all is there.
    fs.renameSync(at('b'), at('d'));
    await nextTick();
    into('d', 'two');
    await nextTick();
    into('d', 'three');
    workspace.noticed([report(harness, 'd', 'created', { from: 'b' })]);
    assert.deepEqual(tell('d/two', 'd/three'), ['d/two', 'd/three']);
  }));

test('what came along with its folder is told by the move alone, in a new folder too and whatever the clock says', () => {
  let now = Date.now();
  return withWorkspace(
    async (harness) => {
      const { workspace, put } = harness;
      put('a/unread');
      put('a/sub/unread');
      await untilTold();
      put('new/first');
      workspace.noticed([report(harness, 'new', 'created')]);
      await workspace.move('a', 'new/b', { overwrite: false, parents: false, cause });
      now += 3_600_000;
      const told = ['new/b', 'new/b/unread', 'new/b/sub', 'new/b/sub/unread'];
      for (const what of ['changed', 'created'] as const)
        assert.deepEqual(workspace.noticed(told.map((name) => report(harness, name, what))), [], what);
      put('new/b/unread', 'changed');
      assert.equal(workspace.noticed([report(harness, 'new/b/unread')]).length, 1);
    },
    { now: () => now },
  );
});

test('a folder in one that we moved, which was touched around that time, is told to be there by who moved it, and what others made by them', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, outside } = harness;
    for (const name of ['a/sub/old', 'a/late/old', 'b/sub/old', 'b/late/old']) put(name);
    fs.mkdirSync(path.join(outside, 'aged'));
    await untilTold();
    const tell = (name: string, what: Noticed['what']) =>
      workspace.noticed([report(harness, name, what)]).map((change) => [`${change.what} ${change.path}`, change.cause]);
    for (const [name, what] of [
      ['a', 'created'],
      ['b', 'changed'],
    ] as const) {
      await workspace.remove(`${name}/sub/old`, false, { cause });
      fs.mkdirSync(at(`${name}/made`));
      await workspace.move(name, `${name}2`, { overwrite: false, parents: false, cause });
      await nextTick();
      fs.renameSync(path.join(outside, 'aged'), at(`${name}2/aged`));
      await workspace.write(`${name}2/late/new`, bytes('new'), { cause });
      assert.deepEqual(tell(`${name}2/sub`, what), [[`${what} ${name}2/sub`, cause]], 'it stood there before, and the move brought it');
      assert.deepEqual(tell(`${name}2/late`, what), [[`${what} ${name}2/late`, cause]], 'the same with one that was touched since');
      for (const again of ['sub', 'late']) assert.deepEqual(tell(`${name}2/${again}`, what), [], 'once');
      assert.deepEqual(tell(`${name}2/made`, 'created'), [[`created ${name}2/made`, { kind: 'outside' }]], 'another made it');
      assert.deepEqual(tell(`${name}2/aged`, 'created'), [[`created ${name}2/aged`, { kind: 'outside' }]], 'another put it there since');
      fs.renameSync(at(`${name}2/aged`), path.join(outside, 'aged'));
    }
  }));

test('what was written just before its folder was moved is told, whoever moved it and however late the watch is heard', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at } = harness;
    const tell = (...reports: Noticed[]) =>
      workspace.noticed(reports).map(({ what, from, path }) => (from === undefined ? `${what} ${path}` : `${what} ${from} → ${path}`));
    for (const name of ['a', 'b', 'c', 'd']) put(`${name}/in/old`);
    await nextTick();
    put('a/in/new');
    await nextTick();
    fs.renameSync(at('a'), at('a2'));
    assert.deepEqual(
      tell(report(harness, 'a2', 'created', { from: 'a' }), report(harness, 'a2/in/new', 'created')),
      ['moved a → a2', 'created a2/in/new'],
      'it was not told before its folder went',
    );
    put('b/in/new');
    fs.mkdirSync(at('b/made'));
    const early = [report(harness, 'b/in/new', 'created'), report(harness, 'b/made', 'created')];
    fs.renameSync(at('b'), at('b2'));
    assert.deepEqual(tell(...early), ['created b/in/new', 'created b/made'], 'its folder went meanwhile, which is told next');
    assert.deepEqual(tell(report(harness, 'b2', 'created', { from: 'b' })), ['moved b → b2']);
    assert.deepEqual(tell(...['b2/in/new', 'b2/made'].map((name) => report(harness, name))), [], 'it went along');
    put('c/in/new');
    put('c/in/old', 'changed');
    const late = [report(harness, 'c/in/new', 'created'), report(harness, 'c/in/old')];
    await workspace.move('c', 'c2', { overwrite: false, parents: false, cause });
    assert.deepEqual(tell(...late), ['created c2/in/new', 'changed c2/in/old'], 'we moved its folder meanwhile');
    put('d/in/new');
    await nextTick();
    await workspace.move('d', 'd2', { overwrite: false, parents: false, cause });
    assert.deepEqual(tell(report(harness, 'd2/in/new', 'created')), ['created d2/in/new'], 'the watch says only where it is now');
  }));

test('what we moved, or wrote into a folder, and then removed is told by us alone, however late the watch is heard', () =>
  withWorkspace(async (harness) => {
    const { workspace, at } = harness;
    await workspace.write('a/new', bytes('new'), { cause });
    await workspace.write('file', bytes('file'), { cause });
    const early = [report(harness, 'a', 'created'), report(harness, 'a/new', 'created')];
    await workspace.move('file', 'moved', { overwrite: false, parents: false, cause });
    await workspace.move('a', 'b', { overwrite: false, parents: false, cause });
    const late = [report(harness, 'moved', 'created', { from: 'file' }), report(harness, 'b', 'created', { from: 'a' })];
    for (const name of ['moved', 'b']) await workspace.remove(name, true, { cause });
    assert.equal(fs.existsSync(at('b')), false);
    assert.deepEqual(workspace.noticed([...early, ...late]), []);
  }));

test('what we moved out of a folder before we moved the folder is told by us alone', () =>
  withWorkspace(async (harness) => {
    const { workspace, put } = harness;
    for (const name of ['a/moved', 'a/removed', 'a/stays']) put(name);
    await workspace.move('a/moved', 'moved', { overwrite: false, parents: false, cause });
    await workspace.remove('a/removed', false, { cause });
    await workspace.move('a', 'b', { overwrite: false, parents: false, cause });
    const late = ['a/moved', 'a/removed', 'a/stays', 'b/moved', 'b/removed'];
    assert.deepEqual(workspace.noticed(late.map((name) => removed(name))), []);
  }));

test('what we took out of a folder whose move by another program was not told yet does not stay for who follows', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, changes } = harness;
    for (const name of ['a/s/moved', 'a/s/removed', 'a/t/deep', 'a/stays']) put(name);
    fs.renameSync(at('a'), at('b'));
    await workspace.move('b/s/moved', 'moved', { overwrite: false, parents: false, cause });
    await workspace.move('b/t', 't', { overwrite: false, parents: false, cause });
    await workspace.remove('b/s/removed', false, { cause });
    await workspace.move('b/stays', 'c', { overwrite: false, parents: false, cause });
    await workspace.move('c', 'b/stays', { overwrite: false, parents: false, cause });
    changes.length = 0;
    workspace.noticed([report(harness, 'b', 'created', { from: 'a' })]);
    assert.deepEqual(
      changes.map(({ what, kind, from = '', path: where }) => [what, kind, from, where]),
      [
        ['moved', 'directory', 'a', 'b'],
        ['removed', 'file', '', 'b/s/moved'],
        ['removed', 'file', '', 'b/s/removed'],
        ['removed', 'directory', '', 'b/t'],
      ],
    );
  }));

test('a folder that another program moved, and we then moved on, is moved as a whole', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, changes } = harness;
    put('a/one');
    fs.renameSync(at('a'), at('b'));
    const late = report(harness, 'b', 'created', { from: 'a' });
    await workspace.move('b', 'c', { overwrite: false, parents: false, cause });
    workspace.noticed([late]);
    assert.deepEqual(
      changes.map(({ what, from, path }) => [what, from, path]),
      [
        ['moved', 'b', 'c'],
        ['moved', 'a', 'c'],
      ],
    );
  }));

test('a folder inside of one whose name was moved before, too, is one move', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at } = harness;
    const make = (): void => {
      put('lib/in/two');
      workspace.noticed(['lib', 'lib/in', 'lib/in/two'].map((name) => report(harness, name, 'created')));
      fs.renameSync(at('lib'), at('kept'));
    };
    make();
    workspace.noticed([report(harness, 'kept', 'created', { from: 'lib' })]);
    fs.rmSync(at('kept'), { recursive: true });
    workspace.noticed([removed('kept/in/two'), removed('kept/in', 'directory'), removed('kept', 'directory')]);
    make();
    put('lib/one');
    await workspace.move('lib', 'other', { overwrite: false, parents: false, cause });
    assert.deepEqual(
      workspace
        .noticed([report(harness, 'kept/in', 'created', { from: 'lib/in' }), report(harness, 'kept', 'created')])
        .map(({ what, from, path }) => [what, from, path]),
      [
        ['moved', 'lib/in', 'kept/in'],
        ['created', undefined, 'kept'],
      ],
    );
  }));

test('what went with a folder that we moved, and made anew at once, is told by our move alone, also where that had been moved before', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, told, changes } = harness;
    const move = (from: string, to: string) => workspace.move(from, to, { overwrite: false, parents: false, cause });
    put('never/told/x');
    await untilTold();
    await move('never', 'n');
    workspace.mkdir('never', false, cause);
    changes.length = 0;
    workspace.noticed([report(harness, 'n/told', 'created', { from: 'never/told' })]);
    assert.deepEqual(told(), [], 'of which nothing was told before');
    workspace.mkdir('a/b', true, cause);
    await move('a', 'first');
    workspace.mkdir('a/b', true, cause);
    await workspace.write('a/b/x', bytes('x'), { cause });
    await move('a', 'second');
    await move('second', 'third');
    workspace.mkdir('a', false, cause);
    changes.length = 0;
    workspace.noticed([report(harness, 'third/b', 'created', { from: 'a/b' })]);
    assert.deepEqual(told(), [], 'where another of its name had been moved before');
    fs.mkdirSync(at('a/b'));
    workspace.noticed([report(harness, 'a/b', 'created')]);
    fs.rmdirSync(at('first/b'));
    fs.renameSync(at('a/b'), at('first/b'));
    workspace.noticed([report(harness, 'first/b', 'created', { from: 'a/b' })]);
    assert.deepEqual(told(), ['created a/b', 'moved a/b → first/b'], 'others moved that');
  }));

test('a folder that is moved over an empty one is one move', () =>
  withWorkspace((harness) => {
    const { workspace, put, at } = harness;
    put('src/one');
    fs.mkdirSync(at('dst'));
    workspace.noticed(['src', 'src/one', 'dst'].map((name) => report(harness, name, 'created')));
    fs.renameSync(at('src'), at('dst'));
    const moved = report(harness, 'dst', 'changed', { from: 'src' });
    assert.deepEqual(
      workspace.noticed([moved]).map(({ what, from, path }) => [what, from, path]),
      [['moved', 'src', 'dst']],
    );
    assert.deepEqual(workspace.noticed([moved]), [], 'it is told once');
  }));

test('a folder moved from where another was that we took away since is one move: nothing else tells of its files', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, changes } = harness;
    put('lib/one');
    put('lib/two');
    workspace.noticed(['lib', 'lib/one', 'lib/two'].map((name) => report(harness, name, 'created')));
    fs.renameSync(at('lib'), at('kept'));
    put('lib/one');
    await workspace.move('lib', 'other', { overwrite: false, parents: false, cause });
    workspace.noticed([report(harness, 'kept', 'created', { from: 'lib' }), report(harness, 'other', 'created')]);
    assert.deepEqual(
      changes.slice(3).map(({ what, from, path }) => [what, from, path]),
      [
        ['moved', 'lib', 'other'],
        ['moved', 'lib', 'kept'],
      ],
    );
    fs.rmSync(at('kept/two'));
    assert.deepEqual(
      workspace.noticed([removed('kept/two')]).map(({ what, path }) => [what, path]),
      [['removed', 'kept/two']],
    );
  }));

test('what went out of a folder just before that was moved is told where the folder is now', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at } = harness;
    const names = ['d', 'd/b', 'd/e', 'd/e/f', 'd/g', 'd/stays'];
    for (const name of ['b', 'e/f', 'g', 'h', 'stays', 'unread']) put(`d/${name}`, name);
    workspace.noticed(names.map((name) => report(harness, name, 'created')));
    for (const name of ['b', 'e', 'unread']) fs.rmSync(at(`d/${name}`), { recursive: true });
    for (const name of ['g', 'h']) fs.renameSync(at(`d/${name}`), at(`out-${name}`));
    await workspace.move('d', 'k', { overwrite: false, parents: false, cause });
    await workspace.move('k', 'm', { overwrite: false, parents: false, cause });
    const late = [
      removed('d/b'),
      removed('d/e/f'),
      removed('d/e', 'directory'),
      removed('d/unread'),
      removed('d/stays'),
      removed('k/stays'),
      report(harness, 'out-g', 'created', { from: 'd/g' }),
      report(harness, 'out-h', 'created', { from: 'd/h' }),
    ];
    assert.deepEqual(
      workspace.noticed(late).map(({ what, from, path }) => `${what} ${from ?? ''} ${path}`),
      ['removed  m/b', 'removed  m/e/f', 'removed  m/e', 'removed  m/unread', 'moved m/g out-g', 'moved m/h out-h'],
    );
    assert.deepEqual(workspace.noticed(late), []);
    // What is made under the old name is told there.
    put('d/b', 'another');
    put('d/g', 'another');
    workspace.noticed(['d', 'd/b', 'd/g'].map((name) => report(harness, name, 'created')));
    fs.rmSync(at('d/b'));
    fs.renameSync(at('d/g'), at('out-2'));
    assert.deepEqual(
      workspace.noticed([removed('d/b'), report(harness, 'out-2', 'created', { from: 'd/g' })]).map(({ from, path }) => [from, path]),
      [
        [undefined, 'd/b'],
        ['d/g', 'out-2'],
      ],
    );
  }));

test('a folder that is moved over another one is one move, also where a third stands at its place by now', () =>
  withWorkspace(async (harness) => {
    const { workspace, at, told, changes } = harness;
    workspace.mkdir('to', false, cause);
    await workspace.write('from/file', bytes('x'), { cause, parents: true });
    changes.length = 0;
    fs.renameSync(at('from'), at('to'));
    fs.mkdirSync(at('from'));
    workspace.noticed([removed('to', 'directory'), report(harness, 'to', 'created', { from: 'from' }), report(harness, 'from', 'created')]);
    assert.deepEqual(told(), ['moved from → to', 'created from']);
    assert.equal(workspace.journal.known('to/file'), hashBytes('x'));
    // Done by us it is the echo of that.
    await workspace.move('to', 'there', { overwrite: false, parents: true, cause });
    workspace.mkdir('to', false, cause);
    changes.length = 0;
    workspace.noticed([report(harness, 'there', 'created', { from: 'to' }), report(harness, 'to', 'created')]);
    assert.deepEqual(told(), []);
  }));

test('a folder that we moved on before the watch looked is told by our moves alone, also where another stands at its place of before', () =>
  withWorkspace(async (harness) => {
    const { workspace, at, told, changes } = harness;
    const move = (from: string, to: string) => workspace.move(from, to, { overwrite: false, parents: true, cause });
    workspace.mkdir('one', false, cause);
    await move('one', 'two');
    await move('two', 'one/in/it');
    changes.length = 0;
    const seen = [report(harness, 'one/in/it', 'created', { from: 'one' }), report(harness, 'one', 'created')];
    workspace.noticed(seen);
    assert.deepEqual(told(), []);
    await move('one/in', 'above');
    changes.length = 0;
    workspace.noticed([report(harness, 'above/it', 'created', { from: 'one' })]);
    assert.deepEqual(told(), [], 'a folder above it was moved after that');
    await workspace.write('p/x/file', bytes('x'), { cause, parents: true });
    await move('p', 'q');
    await move('q/x', 'r');
    workspace.mkdir('p/x', true, cause);
    changes.length = 0;
    workspace.noticed([report(harness, 'r', 'created', { from: 'p/x' })]);
    assert.deepEqual(told(), [], 'and before that');
    // Another one is told, also by the same names.
    fs.rmdirSync(at('above/it'));
    fs.renameSync(at('one'), at('above/it'));
    fs.mkdirSync(at('one'));
    workspace.noticed([report(harness, 'above/it', 'created', { from: 'one' }), report(harness, 'one', 'created')]);
    assert.deepEqual(told(), ['moved one → above/it', 'created one']);
  }));

test('what we moved out of a folder that was made anew is not told to be gone from the one before, which was moved on', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, told, changes } = harness;
    put('b/file');
    fs.symlinkSync('../a', at('b/up'));
    fs.renameSync(at('b'), at('moved'));
    workspace.noticed([report(harness, 'moved', 'created', { from: 'b' })]);
    workspace.mkdir('b/up', true, cause);
    await workspace.move('b/up', 'out', { overwrite: false, parents: true, cause });
    changes.length = 0;
    workspace.noticed([report(harness, 'out', 'created', { from: 'b/up' }), removed('b/up', 'directory')]);
    assert.deepEqual(told(), []);
  }));
