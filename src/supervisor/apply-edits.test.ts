import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { testSeed } from '../../test/kit/seed.ts';
import { applyEdits, type ApplyEditsOptions, recoverEdits } from './apply-edits.ts';
import type { ApplyEditsResult, FileEdit } from './file-edit.ts';

type Tree = Record<string, string>;

interface Place {
  root: string;
  outside: string;
  journal: string;
  put(tree: Tree): void;
  tree(): Tree;
  apply(edits: readonly FileEdit[], options?: ApplyEditsOptions): Promise<ApplyEditsResult>;
}

async function withPlace(run: (place: Place) => Promise<void>): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-edits-')));
  const root = path.join(folder, 'work');
  const outside = path.join(folder, 'outside');
  const journal = path.join(folder, 'journal');
  for (const one of [root, outside]) fs.mkdirSync(one);
  try {
    await run({
      root,
      outside,
      journal,
      put: (tree) => {
        for (const [name, text] of Object.entries(tree)) {
          fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
          fs.writeFileSync(path.join(root, name), text);
        }
      },
      tree: () => treeOf(root),
      apply: (edits, options) => applyEdits(root, edits, { journalFolder: journal, ...options }),
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Every file with its content, folders with a slash. */
function treeOf(root: string): Tree {
  const tree: Tree = {};
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    const at = path.join(entry.parentPath, entry.name);
    const name = path.relative(root, at).split(path.sep).join('/');
    if (entry.isDirectory()) tree[`${name}/`] = '';
    else tree[name] = entry.isSymbolicLink() ? `-> ${fs.readlinkSync(at)}` : fs.readFileSync(at, 'utf8');
  }
  return tree;
}

const sha = (text: string): string => createHash('sha256').update(text).digest('hex');
const text = (filePath: string, start: number, end: number, newText: string, expectedSha256?: string): FileEdit => ({
  kind: 'text',
  filePath,
  ...(expectedSha256 === undefined ? {} : { expectedSha256 }),
  edits: [{ range: { start, end }, newText }],
});
const code = (result: ApplyEditsResult): string => (result.ok ? 'ok' : `${result.error.code} ${result.error.filePath}`);

test('a batch of all kinds applies, and the answer names each edit with the hash of what stands there', async () => {
  await withPlace(async ({ put, tree, apply, journal }) => {
    put({ 'a.ts': 'let a = 1;\n', 'old.ts': 'gone', 'over.ts': 'x' });
    const result = await apply([
      text('a.ts', 8, 9, '2', sha('let a = 1;\n').toUpperCase()),
      { kind: 'create', filePath: 'new/deep/b.ts', contents: 'b\r\n' },
      { kind: 'create', filePath: 'over.ts', contents: 'y', overwrite: true },
      { kind: 'delete', filePath: 'old.ts' },
      { kind: 'delete', filePath: 'never.ts', allowMissing: true },
    ]);
    assert.deepEqual(result, {
      ok: true,
      applied: [
        { filePath: 'a.ts', sha256: sha('let a = 2;\n') },
        { filePath: 'new/deep/b.ts', sha256: sha('b\r\n') },
        { filePath: 'over.ts', sha256: sha('y') },
        { filePath: 'old.ts', sha256: null },
        { filePath: 'never.ts', sha256: null },
      ],
    });
    assert.deepEqual(tree(), { 'a.ts': 'let a = 2;\n', 'new/': '', 'new/deep/': '', 'new/deep/b.ts': 'b\r\n', 'over.ts': 'y' });
    assert.deepEqual(fs.readdirSync(journal), [], 'nothing is left of the journal');
  });
});

test('several text edits of one file combine, all counted in the text before', async () => {
  await withPlace(async ({ put, tree, apply }) => {
    put({ 'a.ts': 'one two three' });
    const result = await apply([text('a.ts', 8, 13, '3'), text('a.ts', 0, 3, '1', sha('one two three')), text('a.ts', 4, 7, '2')]);
    assert.equal(code(result), 'ok');
    assert.deepEqual(tree(), { 'a.ts': '1 2 3' });
    assert.equal(code(await apply([text('a.ts', 0, 2, ''), text('a.ts', 1, 3, '')])), 'invalidEdit a.ts');
    assert.deepEqual(tree(), { 'a.ts': '1 2 3' });
  });
});

test('each way to fail has its code and leaves everything as it was', async () => {
  await withPlace(async ({ root, outside, put, tree, apply }) => {
    put({ 'a.ts': 'abc', 'dir/b.ts': 'b', bin: 'x\0y' });
    fs.writeFileSync(path.join(outside, 'secret'), 'secret');
    fs.symlinkSync('../outside', path.join(root, 'out'));
    fs.symlinkSync('../outside/secret', path.join(root, 'secret'));
    fs.symlinkSync('../outside/new', path.join(root, 'dangling'));
    const before = tree();
    const good: FileEdit = { kind: 'create', filePath: 'good.ts', contents: 'good' };
    const cases: [FileEdit, string][] = [
      [text('a.ts', 0, 1, 'x', sha('other')), 'conflict a.ts'],
      [{ kind: 'create', filePath: 'a.ts', contents: '' }, 'conflict a.ts'],
      [text('none.ts', 0, 0, 'x'), 'notFound none.ts'],
      [{ kind: 'delete', filePath: 'dir/none.ts' }, 'notFound dir/none.ts'],
      [{ kind: 'delete', filePath: 'no/such/none.ts' }, 'notFound no/such/none.ts'],
      [text('a.ts', 2, 9, 'x'), 'invalidEdit a.ts'],
      [text('bin', 0, 0, 'x'), 'invalidEdit bin'],
      [text('dir', 0, 0, 'x'), 'invalidEdit dir'],
      [{ kind: 'delete', filePath: 'dir' }, 'invalidEdit dir'],
      [{ kind: 'create', filePath: 'a.ts/b', contents: '' }, 'invalidEdit a.ts/b'],
      [{ kind: 'create', filePath: '../x', contents: '' }, 'invalidEdit ../x'],
      [{ kind: 'create', filePath: path.join(root, 'x'), contents: '' }, `invalidEdit ${path.join(root, 'x')}`],
      [{ kind: 'create', filePath: 'x'.repeat(300), contents: '' }, `invalidEdit ${'x'.repeat(300)}`],
      [{ kind: 'create', filePath: 'half', contents: '\ud83d' }, 'invalidEdit half'],
      [{ kind: 'create', filePath: 'out/x', contents: '' }, 'permissionDenied out/x'],
      [{ kind: 'delete', filePath: 'out/secret' }, 'permissionDenied out/secret'],
      [text('secret', 0, 0, 'x'), 'permissionDenied secret'],
      [{ kind: 'create', filePath: 'dangling', contents: '', overwrite: true }, 'permissionDenied dangling'],
      [{ kind: 'create', filePath: 'dangling/x', contents: '' }, 'permissionDenied dangling/x'],
      [{ kind: 'replace', filePath: 'a.ts' } as never, 'invalidEdit a.ts'],
      [{ kind: 'text', filePath: 'a.ts', edits: [null] } as never, 'invalidEdit a.ts'],
      [{ kind: 'create', filePath: 'a.ts', contents: 7 } as never, 'invalidEdit a.ts'],
    ];
    for (const [edit, expected] of cases) {
      assert.equal(code(await apply([good, edit])), expected);
      assert.equal(code(await apply([edit, good])), expected);
      assert.deepEqual(tree(), before, expected);
    }
    assert.equal(code(await apply([good, { kind: 'delete', filePath: 'good.ts', allowMissing: true }])), 'invalidEdit good.ts');
    assert.equal(code(await apply([text('a.ts', 0, 0, 'x'), { kind: 'delete', filePath: 'a.ts' }])), 'invalidEdit a.ts');
    assert.equal(fs.readFileSync(path.join(outside, 'secret'), 'utf8'), 'secret');
    assert.deepEqual(fs.readdirSync(outside), ['secret']);
    assert.equal(code(await applyEdits(path.join(root, 'nowhere'), [good])), 'ioError ');
  });
});

test('a batch of more than 10,000 edits is refused, and so is a file of more than 64 MiB, before or after', async () => {
  await withPlace(async ({ root, put, apply }) => {
    put({ 'a.ts': 'abc' });
    const edits = Array.from({ length: 10_001 }, () => text('a.ts', 0, 0, 'x'));
    assert.equal(code(await apply(edits)), 'invalidEdit ');
    const size = 64 * 1024 * 1024;
    const large: FileEdit = { kind: 'create', filePath: 'large', contents: 'x'.repeat(size + 1) };
    assert.equal(code(await apply([text('a.ts', 0, 0, 'x'), large])), 'invalidEdit large');
    put({ grown: '' });
    fs.truncateSync(path.join(root, 'grown'), size + 1);
    assert.equal(code(await apply([text('a.ts', 0, 0, 'x'), { kind: 'delete', filePath: 'grown' }])), 'invalidEdit grown');
    assert.deepEqual(fs.readdirSync(root), ['a.ts', 'grown']);
    assert.equal(fs.readFileSync(path.join(root, 'a.ts'), 'utf8'), 'abc');
  });
});

test('mode, byte order mark and line ends stay, and a link inside the folder is written through, or itself deleted', async () => {
  await withPlace(async ({ root, put, tree, apply }) => {
    put({ 'run.sh': '\uFEFF#!/bin/sh\r\n', 'dir/real.ts': 'real' });
    fs.chmodSync(path.join(root, 'run.sh'), 0o751);
    fs.symlinkSync('dir/real.ts', path.join(root, 'link.ts'));
    fs.symlinkSync('dir', path.join(root, 'way'));
    assert.equal(code(await apply([text('run.sh', 9, 9, '\necho'), text('link.ts', 0, 0, 'un'), text('way/real.ts', 4, 4, '!')])), 'ok');
    assert.equal(fs.statSync(path.join(root, 'run.sh')).mode & 0o777, 0o751);
    const { 'run.sh': script, 'dir/real.ts': real, 'link.ts': link } = tree();
    assert.deepEqual([script, real, link], ['\uFEFF#!/bin/sh\r\necho\r\n', 'unreal!', '-> dir/real.ts']);
    assert.equal(code(await apply([{ kind: 'delete', filePath: 'link.ts' }])), 'ok');
    assert.deepEqual(Object.keys(tree()).sort(), ['dir/', 'dir/real.ts', 'run.sh', 'way', 'way/real.ts']);
  });
});

test('batches at the same time wait for each other, and conflicts between them are seen', async () => {
  await withPlace(async ({ put, tree, apply }) => {
    put({ n: '' });
    const results = await Promise.all(Array.from({ length: 20 }, () => apply([text('n', 0, 0, 'x')])));
    assert.ok(results.every(({ ok }) => ok));
    assert.deepEqual(tree(), { n: 'x'.repeat(20) });
    const expected = sha('x'.repeat(20));
    const raced = await Promise.all(Array.from({ length: 5 }, () => apply([text('n', 0, 0, 'y', expected)])));
    assert.equal(raced.filter(({ ok }) => ok).length, 1);
    assert.ok(raced.every((result) => result.ok || result.error.code === 'conflict'));
  });
});

const insertScript = `
  import { pathToFileURL } from 'node:url';
  const [module, root, journalFolder] = process.argv.slice(1);
  const { applyEdits } = await import(pathToFileURL(module).href);
  const edits = [{ kind: 'text', filePath: 'n', edits: [{ range: { start: 0, end: 0 }, newText: 'x' }] }];
  for (let n = 0; n < 10; n++) {
    const result = await applyEdits(root, edits, { journalFolder });
    if (!result.ok) throw new Error(result.error.message);
  }
`;

test('batches of several processes wait for each other, too', async () => {
  await withPlace(async ({ root, journal, put, tree }) => {
    put({ n: '' });
    const args = ['--input-type=module', '-e', insertScript, path.join(import.meta.dirname, 'apply-edits.ts'), root, journal];
    const codes = await Promise.all(
      Array.from({ length: 3 }, () => {
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
        return new Promise((resolve) => child.once('exit', resolve));
      }),
    );
    assert.deepEqual(codes, [0, 0, 0]);
    assert.deepEqual(tree(), { n: 'x'.repeat(30) });
  });
});

test('a lock of a process that is gone is taken over, one of a process that lives is waited for', async () => {
  await withPlace(async ({ put, tree, apply, journal }) => {
    put({ a: '' });
    let folder = '';
    await apply([text('a', 0, 0, '')]);
    await apply([{ kind: 'create', filePath: 'b', contents: '' }], { before: () => (folder ||= fs.readdirSync(journal)[0] as string) });
    const lock = path.join(journal, folder, 'lock');
    const hold = (by: object): void => {
      fs.mkdirSync(path.dirname(lock), { recursive: true });
      fs.writeFileSync(lock, JSON.stringify(by));
    };
    const holder = { pid: process.pid, host: os.hostname(), began: Math.round(Date.now() - process.uptime() * 1000), key: 'k' };
    hold(holder);
    const refused = await apply([text('a', 0, 0, 'x')], { lockTimeoutMs: 50 });
    assert.match(refused.ok ? '' : refused.error.message, /at work on this folder/);
    // The number of this process, given to another one long ago.
    hold({ ...holder, began: holder.began - 1e6 });
    assert.equal(code(await apply([text('a', 0, 0, 'x')], { lockTimeoutMs: 50 })), 'ok');
    const gone = spawnSync(process.execPath, ['--version']).pid;
    hold({ ...holder, pid: gone });
    const all = await Promise.all(Array.from({ length: 8 }, () => apply([text('a', 0, 0, 'x')])));
    assert.ok(all.every(({ ok }) => ok));
    assert.deepEqual(tree(), { a: 'x'.repeat(9), b: '' });
  });
});

const crowd: FileEdit[] = [
  text('a.ts', 0, 1, 'A'),
  { kind: 'create', filePath: 'new/b.ts', contents: 'b' },
  { kind: 'create', filePath: 'over.ts', contents: 'y', overwrite: true },
  { kind: 'delete', filePath: 'old.ts' },
  { kind: 'delete', filePath: 'link' },
];
const crowdBefore: Tree = { 'a.ts': 'a', 'over.ts': 'x', 'old.ts': 'old' };

function prepareCrowd(place: Place): { before: Tree; after: Tree } {
  for (const name of fs.readdirSync(place.root)) fs.rmSync(path.join(place.root, name), { recursive: true });
  place.put(crowdBefore);
  fs.symlinkSync('a.ts', path.join(place.root, 'link'));
  return { before: place.tree(), after: { 'a.ts': 'A', 'new/': '', 'new/b.ts': 'b', 'over.ts': 'y' } };
}

async function stepsOf(place: Place): Promise<string[]> {
  const steps: string[] = [];
  prepareCrowd(place);
  assert.equal(code(await place.apply(crowd, { before: (step) => steps.push(step) })), 'ok');
  return steps;
}

test('a failure at any step undoes all that was done', async () => {
  await withPlace(async (place) => {
    const steps = await stepsOf(place);
    assert.ok(steps.length >= 14, steps.join(', '));
    for (const broken of steps) {
      const { before } = prepareCrowd(place);
      const result = await place.apply(crowd, {
        before: (step) => {
          if (step === broken) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
        },
      });
      assert.equal(result.ok ? 'ok' : result.error.code, 'ioError', broken);
      assert.deepEqual(place.tree(), before, broken);
    }
  });
});

test('an undo that fails, too, is finished by the next call', async () => {
  await withPlace(async (place) => {
    const { before } = prepareCrowd(place);
    let failing = false;
    const result = await place.apply(crowd, {
      before: (step) => {
        if (step === 'do old.ts') failing = true;
        if (failing && step !== 'decide to go back') throw new Error('the disk is gone');
      },
    });
    assert.equal(result.ok, false);
    assert.notDeepEqual(place.tree(), before);
    assert.deepEqual(await recoverEdits(place.root, { journalFolder: place.journal }), { outcome: 'undone', left: [] });
    assert.deepEqual(place.tree(), before);
    assert.equal(await recoverEdits(place.root, { journalFolder: place.journal }), undefined);
  });
});

const killScript = `
  import { pathToFileURL } from 'node:url';
  const [module, root, journalFolder, edits, at, recover] = process.argv.slice(1);
  const { applyEdits, recoverEdits } = await import(pathToFileURL(module).href);
  let n = 0;
  const before = () => { if (n++ === Number(at)) process.kill(process.pid, 'SIGKILL'); };
  if (recover === 'yes') await recoverEdits(root, { journalFolder, before });
  else await applyEdits(root, JSON.parse(edits), { journalFolder, before });
`;

function runKilled(place: Place, at: number, recover = false): boolean {
  const args = [path.join(import.meta.dirname, 'apply-edits.ts'), place.root, place.journal, JSON.stringify(crowd), String(at)];
  const { signal, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', killScript, ...args, recover ? 'yes' : 'no'], {
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  return signal === 'SIGKILL';
}

test('kill -9 at any step leaves all or nothing, once the next call has looked', async () => {
  await withPlace(async (place) => {
    const steps = await stepsOf(place);
    const outcomes = new Set<string>();
    for (let at = 0; at < steps.length; at++) {
      const { before, after } = prepareCrowd(place);
      assert.ok(runKilled(place, at));
      const recovery = await recoverEdits(place.root, { journalFolder: place.journal });
      const expected = at <= steps.indexOf('decide') ? before : after;
      assert.deepEqual(place.tree(), expected, `killed before "${steps[at]}"`);
      outcomes.add(recovery?.outcome ?? 'nothing');
      assert.equal(code(await place.apply([{ kind: 'create', filePath: 'more', contents: '' }])), 'ok');
    }
    assert.deepEqual([...outcomes].sort(), ['finished', 'nothing', 'undone']);
  });
});

test('kill -9 during the recovery from a kill changes nothing about that (long form)', async () => {
  await withPlace(async (place) => {
    const steps = await stepsOf(place);
    for (const [first, expected] of [
      [steps.indexOf('decide'), 'before'],
      [steps.indexOf('do over.ts'), 'after'],
    ] as const) {
      for (let second = 0; second < 8; second++) {
        const { before, after } = prepareCrowd(place);
        assert.ok(runKilled(place, first));
        const killedAgain = runKilled(place, second, true);
        await recoverEdits(place.root, { journalFolder: place.journal });
        assert.deepEqual(place.tree(), { before, after }[expected], `${first} then ${second}`);
        if (!killedAgain) break;
      }
    }
  });
});

test('a file that somebody changed after the kill is left as it is, and the others are put back', async () => {
  await withPlace(async (place) => {
    const steps = await stepsOf(place);
    const { before } = prepareCrowd(place);
    assert.ok(runKilled(place, steps.indexOf('do old.ts')));
    place.put({ 'a.ts': 'mine' });
    const recovery = await recoverEdits(place.root, { journalFolder: place.journal });
    assert.deepEqual(recovery, { outcome: 'undone', left: ['a.ts'] });
    assert.deepEqual(place.tree(), { ...before, 'a.ts': 'mine' });
  });
});

/** mulberry32: the same numbers for the same seed. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

test('random batches with random faults are all or nothing', async () => {
  const random = randomFrom(testSeed());
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  await withPlace(async ({ put, tree, apply }) => {
    put({ a: 'one\ntwo\n', b: 'x\r\ny\r\n', 'd/c': '🛟 text', 'd/e': '' });
    let applied = 0;
    for (let round = 0; round < 150; round++) {
      const before = tree();
      const names = ['a', 'b', 'd/c', 'd/e', 'f/g', 'f/h', 'i'];
      const batch: FileEdit[] = Array.from({ length: 1 + random(4) }, () => {
        const filePath = pick(names);
        const { length } = before[filePath] ?? '';
        if (random(5) === 0) return { kind: 'delete', filePath, allowMissing: random(2) === 0 };
        if (random(3) === 0) return { kind: 'create', filePath, contents: `made ${round}\n`, overwrite: random(2) === 0 };
        const start = random(length + 1);
        return text(filePath, start, start + random(length - start + 2), pick(['', 'q', '\n', '日\n']));
      });
      const breakAt = random(3) === 0 ? random(12) : -1;
      let n = 0;
      const result = await apply(batch, {
        before: () => {
          if (n++ === breakAt) throw new Error('broken');
        },
      });
      if (!result.ok) assert.deepEqual(tree(), before, JSON.stringify(batch));
      else {
        applied++;
        const now = tree();
        for (const { filePath, sha256: hash } of result.applied) {
          assert.equal(now[filePath] === undefined ? null : sha(now[filePath]), hash, JSON.stringify(batch));
        }
        const touched = new Set(batch.map(({ filePath }) => filePath));
        for (const name of names) if (!touched.has(name)) assert.equal(now[name], before[name]);
      }
    }
    assert.ok(applied > 10, `${applied} applied`);
  });
});
