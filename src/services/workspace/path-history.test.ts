import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withWorkspace, cause } from '../../../test/kit/workspace-harness.ts';
import { PathHistory } from './path-history.ts';

const everywhere = (_path: string): boolean => true;
const request = { cause, parents: true, overwrite: true } as const;

/** `what path`, newest first. */
function stepsOf(past: PathHistory, path: string, { before = Number.MAX_SAFE_INTEGER, limit = 100, visible = everywhere } = {}): string[] {
  return past.changesOf(path, before, limit, visible).changes.map(({ what, path: at }) => `${what} ${at}`);
}

test('a file is followed back through moves of its own and of folders above it', () =>
  withWorkspace(async ({ workspace, state }) => {
    const past = new PathHistory({ state });
    await workspace.write('a/b/f', Buffer.from('1'), request);
    await workspace.move('a/b/f', 'a/b/g', request);
    await workspace.move('a', 'z', request);
    await workspace.write('z/b/g', Buffer.from('2'), request);
    await workspace.move('z/b', 'y', request);
    await workspace.remove('y/g', false, { cause });
    assert.deepEqual(stepsOf(past, 'y/g'), ['removed y/g', 'changed z/b/g', 'moved a/b/g', 'created a/b/f']);
    assert.deepEqual(
      ['a/b/f', 'z/b/g', 'y'].map((path) => stepsOf(past, path)),
      [[], [], []],
      'it is called so no more',
    );
    assert.deepEqual(stepsOf(past, 'y/g', { visible: (path) => !path.startsWith('a/') }), ['removed y/g', 'changed z/b/g']);
  }));

test('what stands at a path since something else left it has a history of its own; what was removed there has not', () =>
  withWorkspace(async ({ workspace, state }) => {
    const past = new PathHistory({ state });
    await workspace.write('f', Buffer.from('1'), request);
    await workspace.remove('f', false, { cause });
    await workspace.write('f', Buffer.from('2'), request);
    assert.deepEqual(stepsOf(past, 'f'), ['created f', 'removed f', 'created f']);
    await workspace.move('f', 'g', request);
    await workspace.write('f', Buffer.from('3'), request);
    await workspace.write('h', Buffer.from('4'), request);
    await workspace.move('h', 'g', request);
    assert.deepEqual(stepsOf(past, 'f'), ['created f']);
    assert.deepEqual(stepsOf(past, 'g').at(-1), 'created h', 'what was moved over is another file');
  }));

test('what was removed goes along with the folder in which it was, also to a place below its own name of before', () =>
  withWorkspace(async ({ workspace, state }) => {
    const past = new PathHistory({ state });
    await workspace.write('b/deep/three', Buffer.from('1'), request);
    await workspace.remove('b/deep/three', false, { cause });
    await workspace.move('b/deep', 'c', request);
    const steps = ['removed b/deep/three', 'created b/deep/three'];
    assert.deepEqual([stepsOf(past, 'c/three'), stepsOf(past, 'b/deep/three')], [steps, []]);
    await workspace.move('c', 'b/deep/three', request);
    assert.deepEqual([stepsOf(past, 'b/deep/three/three'), stepsOf(past, 'b/deep/three'), stepsOf(past, 'c/three')], [steps, [], []]);
    await workspace.write('b/deep/three/three', Buffer.from('1'), request);
    assert.deepEqual(stepsOf(past, 'b/deep/three/three'), ['created b/deep/three/three', ...steps], 'it is brought back there');
  }));

test('a folder that has or had the name of a file neither adds to its history nor ends it', () =>
  withWorkspace(async ({ workspace, state }) => {
    const past = new PathHistory({ state });
    const folder = (path: string): unknown => workspace.mkdir(path, true, cause);
    await workspace.write('x', Buffer.from('1'), request);
    await workspace.remove('x', false, { cause });
    folder('x');
    assert.deepEqual(stepsOf(past, 'x'), ['removed x', 'created x'], 'of the file that a folder has taken the place of');
    await workspace.write('x/below', Buffer.from('2'), request);
    await workspace.move('x', 'z', request);
    assert.deepEqual(stepsOf(past, 'z/below'), ['created x/below']);
    assert.deepEqual(stepsOf(past, 'z'), []);
    await workspace.write('x', Buffer.from('3'), request);
    assert.deepEqual(stepsOf(past, 'x'), ['created x', 'removed x', 'created x'], 'after a folder of its name left');
    await workspace.remove('z', true, { cause });
    await workspace.write('z', Buffer.from('4'), request);
    assert.deepEqual(stepsOf(past, 'z'), ['created z'], 'after a folder of its name came, and was removed');
  }));

test('pages meet, and a change is found by its number in the history of its file alone', () =>
  withWorkspace(async ({ workspace, state }) => {
    const past = new PathHistory({ state });
    for (let n = 0; n < 5; n++) {
      await workspace.write('f', Buffer.from(`f${n}`), request);
      await workspace.write('other', Buffer.from(`o${n}`), request);
    }
    await workspace.move('f', 'g', request);
    const found: number[] = [];
    for (let before = Number.MAX_SAFE_INTEGER, more = true; more; ) {
      const page = past.changesOf('g', before, 2, everywhere);
      found.push(...page.changes.map(({ revision }) => revision));
      before = found.at(-1) ?? 0;
      more = page.more;
    }
    assert.deepEqual(found, [11, 9, 7, 5, 3, 1]);
    assert.equal(past.at('g', 5, everywhere)?.path, 'f');
    assert.equal(past.at('g', 6, everywhere), undefined, 'of the other');
    assert.equal(past.at('f', 5, everywhere), undefined, 'called so no more');
    assert.equal(
      past.at('g', 5, (path) => path === 'g'),
      undefined,
      'called as may not be known',
    );
    assert.equal(past.at('g', 12, everywhere), undefined);
  }));

test('a file that was moved a hundred times is followed no further', () =>
  withWorkspace(async ({ workspace, state }) => {
    const past = new PathHistory({ state });
    await workspace.write('0', Buffer.from('1'), request);
    for (let n = 0; n < 101; n++) await workspace.move(`${n}`, `${n + 1}`, request);
    const steps = stepsOf(past, '101', { limit: 1000 });
    assert.deepEqual([steps.length, steps.at(-1)], [100, 'moved 2']);
    assert.equal(stepsOf(past, '101', { before: 3 }).length, 0);
  }));

test('a file is followed through a folder that was moved to and fro eighty thousand times, and nobody waits for that', () =>
  withWorkspace(async ({ workspace, state }) => {
    const past = new PathHistory({ state });
    await workspace.write('é𝒙/f', Buffer.from('1'), request);
    await workspace.write('other/f', Buffer.from('1'), request);
    const { revision } = workspace.journal;
    state.transaction(() => {
      const move = state.statement(
        "INSERT INTO changes(revision, path, kind, what, origin, cause, at) VALUES(?, ?, 'directory', 'moved', ?, '{}', 0)",
      );
      for (let n = 1; n <= 80_000; n++) move.run(revision + n, n % 2 === 0 ? 'é𝒙' : 'é𝒚', n % 2 === 0 ? 'é𝒚' : 'é𝒙');
    });
    const began = performance.now();
    assert.deepEqual(stepsOf(past, 'é𝒙/f'), [], 'no further than a hundred moves');
    assert.deepEqual(stepsOf(past, 'other/f'), ['created other/f']);
    assert.deepEqual(stepsOf(past, 'é𝒙/f', { before: revision + 80_000 - 100 }), []);
    const tookMs = performance.now() - began;
    assert.ok(tookMs < 1000, `${tookMs} ms`);
  }));
