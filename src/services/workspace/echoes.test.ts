import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OutriggerError } from '../../contract/errors.ts';
import { hashBytes } from './content.ts';
import type { Noticed } from './echoes.ts';
import { cause, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

/** What the watch says of what stands there now. */
function report({ at }: Harness, name: string, what: Noticed['what'] = 'changed', more: Partial<Noticed> = {}): Noticed {
  const stat = fs.lstatSync(at(name), { throwIfNoEntry: false });
  const kind = stat?.isDirectory() === true ? 'directory' : stat?.isSymbolicLink() === true ? 'symlink' : 'file';
  const hash = kind === 'file' && stat !== undefined && what !== 'removed' ? hashBytes(fs.readFileSync(at(name))) : null;
  return { path: name, kind, what, size: stat?.size ?? 0, mtimeMs: stat?.mtimeMs ?? 0, ino: stat?.ino ?? 0, hash, ...more };
}

/** A file system tells no times apart that lie within some milliseconds. */
const nextTick = (): Promise<void> => sleep(30);
/** What was written so long ago was told by now. */
const untilTold = (): Promise<void> => sleep(2_100);

const removed = (name: string, kind: Noticed['kind'] = 'file'): Noticed => ({
  path: name,
  kind,
  what: 'removed',
  size: 0,
  mtimeMs: 0,
  ino: 0,
  hash: null,
});

test('what we did ourselves is not told again', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, changes } = harness;
    put('unread', 'never hashed');
    fs.symlinkSync('unread', at('link'));
    put('folder/inside', 'x');
    await workspace.write('a/b', bytes('one'), { cause });
    await workspace.move('a/b', 'a/c', { overwrite: false, parents: true, cause });
    await workspace.move('unread', 'moved', { overwrite: false, parents: true, cause });
    await workspace.move('folder', 'elsewhere', { overwrite: false, parents: true, cause });
    await workspace.copy('link', 'link2', { overwrite: false, parents: true, cause });
    await workspace.copy('moved', 'copied', { overwrite: false, parents: true, cause });
    workspace.mkdir('made', true, cause);
    await workspace.remove('copied', false, { cause });
    changes.length = 0;
    const here = ['a', 'a/c', 'moved', 'elsewhere', 'link2', 'made'].flatMap((name) => [
      report(harness, name),
      report(harness, name, 'created'),
    ]);
    const gone = ['a/b', 'unread', 'folder', 'copied', 'folder/inside'].map((name) => removed(name));
    assert.deepEqual(workspace.noticed([...here, ...gone]), []);
    assert.deepEqual(
      workspace.noticed([
        report(harness, 'moved', 'changed', { from: 'unread' }),
        report(harness, 'elsewhere', 'created', { from: 'folder' }),
      ]),
      [],
    );
    // Looked at once, it is known by its content from then on.
    fs.writeFileSync(at('moved'), 'now changed!');
    assert.deepEqual(
      workspace.noticed([report(harness, 'moved')]).map(({ what, before }) => [what, before]),
      [['changed', hashBytes('never hashed')]],
    );
  }));

test('what came from outside is told once, with what was there before', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, changes } = harness;
    put('new', 'one');
    put('old', 'one');
    fs.mkdirSync(at('folder'));
    const first = [report(harness, 'new', 'created'), report(harness, 'old'), report(harness, 'folder', 'created')];
    workspace.noticed(first);
    assert.deepEqual(workspace.noticed(first), []);
    assert.deepEqual(
      changes.map(({ path, what, before, after, cause: { kind } }) => [path, what, before, after, kind]),
      [
        ['new', 'created', null, hashBytes('one'), 'outside'],
        ['old', 'changed', null, hashBytes('one'), 'outside'],
        ['folder', 'created', null, null, 'outside'],
      ],
    );
    fs.rmSync(at('new'));
    assert.equal(workspace.noticed([removed('new')])[0]?.before, hashBytes('one'));
    assert.deepEqual(workspace.noticed([removed('new')]), [], 'removed twice');
    put('new', 'one');
    assert.deepEqual(
      workspace.noticed([report(harness, 'new')]).map(({ what }) => what),
      ['created'],
    );
  }));

test('a revert from outside to what we wrote earlier is a change, not an echo', () =>
  withWorkspace(async (harness) => {
    const { workspace, put } = harness;
    await workspace.write('a', bytes('one'), { cause });
    await workspace.write('a', bytes('two'), { cause });
    put('a', 'one');
    const [change] = workspace.noticed([report(harness, 'a')]);
    assert.deepEqual([change?.before, change?.after, change?.cause.kind], [hashBytes('two'), hashBytes('one'), 'outside']);
  }));

test('late words about what was replaced since are dropped: a content, a removal, a folder', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, told } = harness;
    put('a', 'outside');
    const late = report(harness, 'a');
    await workspace.write('a', bytes('ours'), { cause });
    assert.deepEqual(workspace.noticed([late, removed('a')]), []);
    fs.rmSync(at('a'));
    fs.mkdirSync(at('a'));
    assert.deepEqual(
      workspace.noticed([late, removed('a'), report(harness, 'a')]).map(({ kind, what }) => [kind, what]),
      [
        ['file', 'removed'],
        ['directory', 'created'],
      ],
    );
    assert.deepEqual(told(), ['changed a', 'removed a', 'created a']);
  }));

test('two words about one path in one batch are told once where they are the same', () =>
  withWorkspace((harness) => {
    const { workspace, put } = harness;
    put('a', 'one');
    const one = report(harness, 'a', 'created');
    assert.equal(workspace.noticed([one, { ...one, what: 'changed' }, removed('b'), removed('b')]).length, 2);
  }));

test('a rename from outside is one move, and what is known goes along', () =>
  withWorkspace(async (harness) => {
    const { workspace, at, told, changes } = harness;
    await workspace.write('d/a', bytes('one'), { cause });
    fs.renameSync(at('d/a'), at('d/b'));
    workspace.noticed([report(harness, 'd/b', 'created', { from: 'd/a' })]);
    assert.deepEqual([changes.at(-1)?.before, changes.at(-1)?.after], [hashBytes('one'), hashBytes('one')]);
    fs.renameSync(at('d'), at('e'));
    workspace.noticed([report(harness, 'e', 'created', { from: 'd' })]);
    // What the watch tells of the move's parts was told by it.
    assert.deepEqual(workspace.noticed([removed('d', 'directory'), removed('d/b'), report(harness, 'e/b', 'created')]), []);
    assert.deepEqual(told().slice(2), ['moved d/a → d/b', 'moved d → e']);
  }));

test('what was moved is gone from its old place, whatever happened at the new one since', () =>
  withWorkspace((harness) => {
    const { workspace, put, at } = harness;
    const moved = (from: string, to: string) => {
      fs.renameSync(at(from), at(to));
      return report(harness, to, 'created', { from });
    };
    const tell = (...reports: Noticed[]) => workspace.noticed(reports).map(({ what, kind, path }) => `${what} ${kind} ${path}`);
    const names = ['again', 'removed', 'appended', 'unread', 'same', 'back', 'd/x', 'd/sub/y', 'e/x'];
    for (const name of names) put(name, name.replace('same', 'appended'));
    tell(...[...names, 'd', 'd/sub', 'e'].filter((name) => name !== 'unread').map((name) => report(harness, name, 'created')));

    const first = moved('again', 'a1');
    const second = moved('a1', 'a2');
    assert.deepEqual(tell(first, second), ['moved file a1', 'moved file a2']);
    const late = moved('removed', 'r1');
    fs.rmSync(at('r1'));
    assert.deepEqual(tell(late), ['moved file r1']);
    assert.deepEqual(tell(late, removed('r1')), ['removed file r1'], 'each is told once');
    const unread = moved('unread', 'u1');
    fs.rmSync(at('u1'));
    assert.deepEqual(tell(unread, removed('u1')), ['moved file u1', 'removed file u1']);
    assert.deepEqual(tell(moved('appended', 'same')), ['removed file appended'], 'over a file with the same content');
    const short = moved('same', 's1');
    put('s1', 'and more');
    assert.deepEqual(tell(short, report(harness, 's1', 'created')), ['removed file same', 'created file s1']);
    const away = moved('back', 'b1');
    moved('b1', 'back');
    assert.deepEqual(tell(away), [], 'it stands there again');

    const folder = moved('d', 'd1');
    const further = moved('d1', 'd2');
    assert.deepEqual(tell(folder, further), ['moved directory d1', 'moved directory d2']);
    const whole = moved('e', 'e1');
    fs.rmSync(at('e1'), { recursive: true });
    assert.deepEqual(tell(whole, removed('e1/x'), removed('e1', 'directory')), [
      'moved directory e1',
      'removed file e1/x',
      'removed directory e1',
    ]);
  }));

test('a file that was renamed, in a folder that then moved on, is told step by step, also where one of its name stands in its place by now', () =>
  withWorkspace((harness) => {
    const { workspace, put, at } = harness;
    const inoOf = (name: string): number => fs.lstatSync(at(name)).ino;
    put('d/a');
    put('b');
    workspace.noticed(['d', 'd/a', 'b'].map((name) => report(harness, name, 'created')));
    const reports: Noticed[] = [];
    const moved = (from: string, to: string): void => {
      fs.renameSync(at(from), at(to));
      const folder = path.dirname(to);
      reports.push(report(harness, to, 'created', { from, ...(folder === '.' ? {} : { folderIno: inoOf(folder) }) }));
    };
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
    const moved = (from: string, to: string): Noticed => {
      fs.renameSync(at(from), at(to));
      return report(harness, to, 'created', { from });
    };
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
    const moved = (from: string, to: string): void => {
      const folder = path.dirname(to);
      fs.renameSync(at(from), at(to));
      reports.push(report(harness, to, 'created', { from, ...(folder === '.' ? {} : { folderIno: fs.lstatSync(at(folder)).ino }) }));
    };
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

test('a file or a link that we moved, and another program then moved on, leaves the place where we put it', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, told, changes } = harness;
    put('file');
    fs.symlinkSync('file', at('link'));
    for (const name of ['file', 'link']) {
      changes.length = 0;
      await workspace.move(name, 'b', { overwrite: false, parents: false, cause });
      fs.renameSync(at('b'), at('c'));
      workspace.noticed([report(harness, 'c', 'created', { from: name })]);
      assert.deepEqual(told(), [`moved ${name} → b`, 'moved b → c']);
      fs.renameSync(at('c'), at(`${name} moved`));
      workspace.noticed([report(harness, `${name} moved`, 'created', { from: 'c' })]);
    }
  }));

test('a file that another changed before we moved it is told to be changed, also where its folder of before was moved elsewhere', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, told, changes } = harness;
    const move = (from: string, to: string) => workspace.move(from, to, { overwrite: false, parents: false, cause });
    await workspace.write('a/one', bytes('one'), { cause });
    await move('a', 'b');
    for (const name of ['changed', 'moved']) {
      await workspace.write(`a/${name}`, bytes('before'), { cause });
      put(`a/${name}`, 'now another');
      await move(`a/${name}`, name);
    }
    fs.renameSync(at('moved'), at('moved on'));
    changes.length = 0;
    for (const [from, to] of [
      ['a/changed', 'changed'],
      ['a/moved', 'moved on'],
    ] as const)
      workspace.noticed([report(harness, to, 'created', { from })]);
    assert.deepEqual(told(), ['changed changed', 'moved moved → moved on']);
    assert.deepEqual(
      changes.map(({ before, after }) => [before, after]),
      Array(2).fill([hashBytes('before'), hashBytes('now another')]),
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

test('a file in the place of a folder of which nobody told yet that it is gone tells that first, whoever put it there', () =>
  withWorkspace(async (harness) => {
    const { workspace, at, told, put, changes } = harness;
    for (const name of ['ours', 'theirs']) {
      await workspace.write(`${name}/in/file`, bytes('x'), { cause, parents: true });
      fs.rmSync(at(name), { recursive: true });
    }
    changes.length = 0;
    await workspace.write('ours', bytes('now a file'), { cause });
    put('theirs', 'now a file');
    workspace.noticed([report(harness, 'theirs')]);
    const gone = (name: string): string[] => [`removed ${name}/in/file`, `removed ${name}/in`, `removed ${name}`];
    assert.deepEqual(told(), [...gone('ours'), 'created ours', ...gone('theirs'), 'created theirs']);
    assert.deepEqual([...new Set(changes.filter(({ what }) => what === 'removed').map((change) => change.cause.kind))], ['outside']);
    changes.length = 0;
    workspace.noticed([removed('ours/in/file'), removed('ours/in', 'directory')]);
    assert.deepEqual(told(), [], 'the watch tells it no second time');
  }));

test('what nobody told of yet is told to be gone where something of another kind stands in its place', () =>
  withWorkspace(async (harness) => {
    const { workspace, at, told, put, changes } = harness;
    put('folder', 'a file by now');
    put('file/inside', 'x');
    workspace.noticed([removed('folder/inside'), removed('folder', 'directory'), report(harness, 'folder', 'created')]);
    workspace.noticed([removed('file'), report(harness, 'file', 'created'), report(harness, 'file/inside', 'created')]);
    assert.deepEqual(told(), [
      ...['removed folder/inside', 'removed folder', 'created folder'],
      ...['removed file', 'created file', 'created file/inside'],
    ]);
    assert.deepEqual(
      changes.filter(({ what }) => what === 'removed').map(({ kind }) => kind),
      ['file', 'directory', 'file'],
    );
    changes.length = 0;
    put('same', 'again a file');
    assert.deepEqual(workspace.noticed([removed('same')]), [], 'another of its kind may be the one that is meant');
    fs.rmSync(at('same'));
  }));

test('what is gone is told as what it was told to be, also where the watch last saw something of another kind there', () =>
  withWorkspace(async (harness) => {
    const { workspace, at } = harness;
    await workspace.write('file', bytes('x'), { cause });
    workspace.mkdir('folder', false, cause);
    for (const name of ['file', 'folder']) fs.rmSync(at(name), { recursive: true });
    assert.deepEqual(
      workspace
        .noticed([removed('file', 'directory'), removed('folder', 'file')])
        .map(({ path: gone, kind, before }) => [gone, kind, before]),
      [
        ['file', 'file', hashBytes('x')],
        ['folder', 'directory', null],
      ],
    );
  }));

test('what another moved out of a folder before we removed that, or put a file where it was, is told where it came', () =>
  withWorkspace(async (harness) => {
    const { workspace, at, told, changes } = harness;
    for (const name of ['removed', 'replaced']) {
      await workspace.write(`${name}/in/file`, bytes(name), { cause, parents: true });
      fs.renameSync(at(`${name}/in`), at(`from ${name}`));
    }
    await workspace.remove('removed', true, { cause });
    await workspace.write('replaced/in', bytes('a file'), { cause });
    for (const name of ['removed', 'replaced']) {
      changes.length = 0;
      workspace.noticed([report(harness, `from ${name}`, 'created', { from: `${name}/in` })]);
      assert.deepEqual(told(), [name === 'removed' ? 'moved removed/in → from removed' : 'created from replaced']);
      // Its file nobody has any more: the watch is asked for it.
      assert.ok(workspace.takeDifferences().includes(`from ${name}/file`));
    }
    assert.equal(workspace.journal.known('replaced/in'), hashBytes('a file'));
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

test('a large file from outside, known by its facts alone, is told once each time it changes', () =>
  withWorkspace((harness) => {
    const { workspace, put } = harness;
    put('big', 'stands for many');
    const seen = report(harness, 'big', 'created', { hash: null });
    assert.deepEqual(
      workspace.noticed([seen]).map(({ after }) => after),
      [null],
    );
    assert.deepEqual(workspace.noticed([seen]), []);
    put('big', 'longer than it was before');
    assert.equal(workspace.noticed([report(harness, 'big', 'changed', { hash: null })]).length, 1);
  }));

test('the test of echoes can fail: a workspace that forgets its own writes tells them twice', () =>
  withWorkspace(
    async (harness) => {
      await harness.workspace.write('a', bytes('one'), { cause });
      assert.equal(harness.workspace.noticed([report(harness, 'a')]).length, 1);
    },
    { forgetWrites: true },
  ));

test('what is noticed while no descriptor is left is told all the same', () =>
  withWorkspace((harness) => {
    const { workspace, put, told } = harness;
    put('kept');
    put('new');
    const place = workspace.containment.place.bind(workspace.containment);
    workspace.containment.place = () => {
      throw new OutriggerError('TOO_MANY_FILES', 'none is left');
    };
    try {
      workspace.noticed([report(harness, 'new', 'created'), report(harness, 'kept', 'changed'), removed('kept')]);
      assert.deepEqual(told(), ['created new', 'changed kept'], 'what is said to be removed stands there');
    } finally {
      workspace.containment.place = place;
    }
  }));

test('of a file of which nothing was told yet, what was read there is what it held before', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, changes } = harness;
    for (const name of ['read', 'unread', 'read since']) put(name, 'old');
    await nextTick();
    await workspace.read('read', 100);
    for (const name of ['read', 'unread', 'read since']) put(name, 'new');
    await nextTick();
    await workspace.read('read since', 100);
    workspace.noticed(['read', 'unread', 'read since'].map((name) => report(harness, name)));
    assert.deepEqual(
      changes.map(({ before, after }) => [before, after]),
      [hashBytes('old'), null, null].map((before) => [before, hashBytes('new')]),
    );
  }));
