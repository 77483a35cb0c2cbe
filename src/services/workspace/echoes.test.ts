import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { nextTick, removed, renamed, report } from '../../../test/kit/noticed-reports.ts';
import { cause, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { hashBytes } from './content.ts';
import type { Noticed } from './echoes.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

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
  withWorkspace(async (harness) => {
    const { workspace, put, at } = harness;
    const moved = (from: string, to: string) => renamed(harness, from, to);
    const tell = (...reports: Noticed[]) => workspace.noticed(reports).map(({ what, kind, path }) => `${what} ${kind} ${path}`);
    const names = ['again', 'removed', 'appended', 'unread', 'same', 'back', 'again2', 'd/x', 'd/sub/y', 'e/x'];
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
    assert.deepEqual(
      tell(short, report(harness, 's1', 'created')),
      ['moved file s1', 'changed file s1'],
      'written to since, it moved all the same',
    );
    const replaced = moved('s1', 's2');
    put('s3', 'another');
    fs.renameSync(at('s3'), at('s2'));
    assert.deepEqual(tell(replaced, report(harness, 's2', 'created')), ['removed file s1', 'created file s2'], 'another file stands there');
    const written = moved('again2', 'w1');
    fs.linkSync(at('w1'), at('w2'));
    await workspace.write('w1', bytes('ours'), { cause });
    assert.equal(fs.statSync(at('w1')).ino, written.ino);
    assert.deepEqual(tell(written), ['removed file again2'], 'a call wrote into it since, which was told');
    assert.equal(workspace.journal.known('w1'), hashBytes('ours'));
    tell(report(harness, 'w2', 'created'));
    const young = moved('w2', 'w3');
    put('w3', 'more');
    assert.deepEqual(tell({ ...young, mtimeMs: 1 }), ['removed file w2'], 'the one that is there is younger, by its number alone the same');
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

test('a file of which nothing was told yet, and that was gone for a moment, is told to have changed', () =>
  withWorkspace(async (harness) => {
    const { workspace, put, at, told } = harness;
    put('swapped', 'new');
    put('gone', 'new');
    workspace.noticed([removed('swapped'), removed('gone')]);
    fs.rmSync(at('gone'));
    workspace.noticed([removed('gone')]);
    put('gone', 'newer');
    workspace.noticed([report(harness, 'swapped', 'created'), report(harness, 'gone', 'created')]);
    put('swapped', 'newer');
    workspace.noticed([report(harness, 'swapped', 'created')]);
    assert.deepEqual(told(), ['removed gone', 'changed swapped', 'created gone', 'changed swapped']);
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
