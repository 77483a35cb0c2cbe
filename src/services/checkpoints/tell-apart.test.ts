import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cause, Change } from '../../contract/events.ts';
import { Random } from '../../../test/kit/random.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { movedPath } from '../../core/moved-path.ts';
import { isOfOthers, originsBefore, OtherHands } from './other-hands.ts';
import { pairUp } from './pair-up.ts';
import { takeBack } from '../../core/take-back.ts';
import { hashOf, tellApart } from './tell-apart.ts';
import { longestTurn, threadMs } from '../../../test/kit/loop-hold.ts';

const person: Cause = { kind: 'connection', who: [{ name: 'Pia', kind: 'person' }] };
const outside: Cause = { kind: 'outside' };

/** A folder in memory, whose changes are told as the workspace tells them. */
class Folder {
  readonly files = new Map<string, Buffer>();
  readonly hands = new OtherHands({ read: (path, maxBytes) => this.#read(path, maxBytes) });
  revision = 0;

  #read(path: string, maxBytes: number): Buffer | null | undefined {
    const file = this.files.get(path);
    if (file === undefined) return null;
    return file.length > maxBytes ? undefined : file;
  }

  text(path: string): string {
    return this.files.get(path)?.toString() ?? '';
  }

  /** `cause` outside and untold: as a program that writes just before somebody else does. */
  write(path: string, text: string, cause: Cause, told = true): void {
    const before = this.files.get(path) ?? null;
    if (cause.kind !== 'outside') this.hands.about(path);
    const after = Buffer.from(text);
    this.files.set(path, after);
    const what = before === null ? 'created' : 'changed';
    if (told) this.#tell({ path, kind: 'file', what, before: hashOf(before), after: hashOf(after), cause });
  }

  remove(path: string, cause: Cause): void {
    const before = this.files.get(path) ?? null;
    this.hands.about(path);
    this.files.delete(path);
    this.#tell({ path, kind: 'file', what: 'removed', before: hashOf(before), after: null, cause });
  }

  move(from: string, to: string, cause: Cause): void {
    const file = this.files.get(from) ?? Buffer.alloc(0);
    this.files.delete(from);
    this.files.set(to, file);
    this.#tell({ path: to, from, kind: 'file', what: 'moved', before: hashOf(file), after: hashOf(file), cause });
  }

  #tell(change: Omit<Change, 'type' | 'revision' | 'cursor' | 'at'>): void {
    this.hands.changed([{ type: 'change', revision: ++this.revision, cursor: '', at: 0, ...change }]);
  }
}

test('random edits by a run and by people of the same files: what is left without the run are the edits of people alone', async () => {
  const seed = testSeed();
  const random = new Random(seed);
  let both = 0;
  for (let round = 0; round < 300; round++) {
    const folder = new Folder();
    // The last line is nobody's: what comes after it touches no hunk.
    const count = 2 * (3 + random.below(10));
    const found = Array.from({ length: count }, (_, index) => `line ${index}\n`);
    const owner = found.map((_, index) => (index % 2 === 1 ? 'nobody' : random.of(['run', 'people'])));
    const [now, alone] = [[...found], [...found]];
    folder.write('a', found.join(''), outside);
    folder.hands.begin('r');
    for (let step = 0; step < 12; step++) {
      const line = random.below(count);
      const who = owner[line];
      if (who === 'nobody') continue;
      const made = `${who} ${random.below(1000)}\n`;
      now[line] = random.of([made, `${made}${now[line]}`, `${now[line]}${made}`, '']);
      if (who === 'people') alone[line] = now[line] ?? '';
      // What the run wrote may not have been noticed when people's next save comes.
      folder.write('a', now.join(''), who === 'people' ? person : outside, who === 'people' || random.below(2) === 0);
    }
    const seen = folder.hands.end('r');
    const left = Buffer.from(now.join(''));
    const apart = await tellApart(Buffer.from(found.join('')), left, seen?.trails.get('a'));
    assert.notEqual(apart.kind, 'lost', `SEED=${seed} round ${round}`);
    if (apart.kind === 'both') both++;
    const without = apart.kind === 'both' ? apart.keep : apart.kind === 'run alone' ? Buffer.from(found.join('')) : left;
    assert.equal(Buffer.from(without ?? []).toString(), alone.join(''), `SEED=${seed} round ${round}`);
    if (apart.kind === 'both') assert.deepEqual(apart.clashes, [], `SEED=${seed} round ${round}`);
    // And later edits of people stay, too.
    const later = `${folder.text('a')}later\n`;
    const taken = takeBack(left, without, Buffer.from(later), 'keep');
    assert.equal(Buffer.from(taken.result ?? []).toString(), `${alone.join('')}later\n`, `SEED=${seed} round ${round}`);
  }
  assert.ok(both > 100, `${both} of the rounds had hunks of both`);
});

test('a hunk that people changed after the run in the same place is remembered as shared, with both ways out', async () => {
  const folder = new Folder();
  folder.write('a', 'one\ntwo\nthree\n', outside);
  const found = folder.files.get('a') ?? null;
  folder.hands.begin('r');
  folder.write('a', 'one\nRUN\nthree\n', outside);
  folder.write('a', 'one\nRUN and me\nthree, me\n', person);
  const apart = await tellApart(found, folder.files.get('a') ?? null, folder.hands.end('r')?.trails.get('a'));
  assert.ok(apart.kind === 'both');
  assert.equal(String(apart.keep), 'one\nRUN and me\nthree, me\n');
  assert.equal(String(apart.remove), 'one\ntwo\nthree, me\n');
  assert.equal(apart.clashes.length, 1);
});

test('files that only others touched are theirs, however they were made, moved and removed', async () => {
  const folder = new Folder();
  folder.write('gone', 'gone\n', outside);
  const gone = folder.files.get('gone') ?? null;
  folder.hands.begin('r');
  folder.write('made', 'made\n', person);
  folder.write('made', 'made again\n', person);
  folder.remove('gone', person);
  folder.move('made', 'moved', person);
  const seen = folder.hands.end('r');
  assert.deepEqual(await tellApart(null, folder.files.get('moved') ?? null, seen?.trails.get('moved')), { kind: 'others alone' });
  assert.deepEqual(await tellApart(gone, null, seen?.trails.get('gone')), { kind: 'others alone' });
  assert.deepEqual(seen?.moves, [{ from: 'made', to: 'moved' }]);
});

test('what is too large to be kept is told apart by its hashes, or said to be lost', async () => {
  const folder = new Folder();
  const large = 'x'.repeat(5 * 1024 * 1024);
  folder.write('a', large, outside);
  const found = folder.files.get('a') ?? null;
  folder.hands.begin('r');
  folder.write('a', `${large}y`, person);
  const alone = folder.files.get('a') ?? null;
  folder.write('a', `${large}z`, outside);
  const trail = folder.hands.end('r')?.trails.get('a');
  assert.deepEqual(await tellApart(found, alone, trail), { kind: 'others alone' });
  assert.deepEqual(await tellApart(found, folder.files.get('a') ?? null, trail), { kind: 'lost' });
});

test('more steps than are told apart, and more contents than are kept, are said to be lost', () => {
  const folder = new Folder();
  folder.write('a', '0', outside);
  folder.hands.begin('r');
  for (let step = 1; step <= 250; step++) folder.write('a', `${step}`, step % 2 === 0 ? outside : person);
  assert.equal(folder.hands.end('r')?.trails.get('a')?.lost, false);
  folder.hands.begin('r');
  for (let step = 1; step <= 500; step++) folder.write('a', `${step}`, step % 2 === 0 ? outside : person);
  assert.equal(folder.hands.end('r')?.trails.get('a')?.lost, true);
  folder.hands.begin('r');
  for (let file = 0; file < 20; file++) folder.write(`f${file}`, 'x'.repeat(4_000_000), person);
  const seen = folder.hands.end('r');
  assert.equal([...(seen?.trails.values() ?? [])].filter(({ lost }) => lost).length, 4);
});

test('a run takes for its own what it says is, and what nobody says is theirs', () => {
  const change = (cause: Cause): Change => ({
    type: 'change',
    revision: 1,
    cursor: '',
    path: 'a',
    kind: 'file',
    what: 'changed',
    before: null,
    after: null,
    cause,
    at: 0,
  });
  assert.equal(isOfOthers(change(outside), 'r'), false);
  assert.equal(isOfOthers(change({ kind: 'run', id: 'r' }), 'r'), false);
  assert.equal(isOfOthers(change({ kind: 'run', id: 'other' }), 'r'), true);
  assert.equal(isOfOthers(change({ kind: 'document' }), 'r'), true);
});

test('paths are followed through moves of folders, in order and back', () => {
  const moves = [
    { from: 'a', to: 'b' },
    { from: 'b/x', to: 'y' },
  ];
  const originOf = originsBefore(moves);
  assert.equal(originOf('y'), 'a/x');
  assert.equal(originOf('b/z'), 'a/z');
  assert.equal(originOf('bz'), 'bz');
  const followed = (path: string, steps: readonly { from: string; to: string }[]): string =>
    steps.toReversed().reduce((origin, { from, to }) => movedPath(origin, to, from) ?? origin, path);
  const random = new Random(testSeed());
  const place = (): string => Array.from({ length: 1 + random.below(3) }, () => random.of(['a', 'b', 'c'])).join('/');
  for (let times = 0; times < 2000; times++) {
    const steps = Array.from({ length: random.below(9) }, () => ({ from: place(), to: place() }));
    const path = random.of(['', 'd/']) + place() + random.of(['', '/d', '/d/e']);
    assert.equal(originsBefore(steps)(path), followed(path, steps), JSON.stringify({ path, steps }));
  }
  assert.equal(movedPath('a/q/r', 'a/q', 'c'), 'c/r');
});

test('files that a run moved are found by their content, and of several alike by their name', () => {
  const file = (object: string) => ({ mode: '100644', object });
  const gone = (path: string, object: string) => ({ path, before: file(object), after: undefined });
  const made = (path: string, object: string) => ({ path, before: undefined, after: file(object) });
  const pairs = pairUp([gone('a/one', '1'), gone('a/two', '1'), made('b/one', '1'), made('b/two', '1'), made('new', '2')], [], []);
  assert.deepEqual(
    pairs.map(({ path, from }) => [path, from]),
    [
      ['b/one', 'a/one'],
      ['b/two', 'a/two'],
      ['new', undefined],
    ],
  );
  const similar = pairUp([gone('old', '1'), made('new', '2')], [{ path: 'new', from: 'old', before: file('1'), after: file('2') }], []);
  assert.deepEqual(similar, [{ path: 'new', from: 'old', found: file('1'), left: file('2') }]);
  const byOthers = pairUp([gone('old', '1'), made('new', '2')], [], [{ from: 'old', to: 'new' }]);
  assert.deepEqual(byOthers, [{ path: 'new', found: file('1'), left: file('2') }]);
});

test('files of one content that a run moved are paired in the time of their number, and what folders others moved is followed as quickly (long form)', () => {
  const empty = { mode: '100644', object: 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391' };
  const moved = (count: number, oldName: (index: number) => string, newName: (index: number) => string) =>
    Array.from({ length: count }, (_, index) => [
      { path: `old/d${index}/${oldName(index)}`, before: empty, after: undefined },
      { path: `new/d${index}/${newName(index)}`, before: undefined, after: empty },
    ]).flat();
  const quickly = <T>(work: () => T): T => {
    const begunMs = threadMs();
    const result = work();
    const tookMs = threadMs() - begunMs;
    assert.ok(tookMs < 1500, `${tookMs} ms`);
    return result;
  };
  const count = 20_000;
  const sameNames = quickly(() =>
    pairUp(
      moved(
        count,
        () => '__init__.py',
        () => '__init__.py',
      ),
      [],
      [],
    ),
  );
  assert.equal(sameNames.length, count);
  assert.ok(sameNames.every(({ path, from }) => from === path.replace('new/', 'old/')));
  const otherNames = quickly(() =>
    pairUp(
      moved(
        count,
        (index) => `a${index}`,
        (index) => `b${index}`,
      ),
      [],
      [],
    ),
  );
  assert.ok(otherNames.length === 2 * count && otherNames.every(({ from }) => from === undefined));
  const made = moved(
    count,
    () => 'x',
    () => 'x',
  ).filter(({ after }) => after !== undefined);
  const moves = Array.from({ length: 2000 }, (_, index) => ({ from: `x${index}`, to: `y${index}` }));
  assert.equal(quickly(() => pairUp(made, [], moves)).length, count);
  const toAndFro = Array.from({ length: 1000 }, (_, index) => (index % 2 === 0 ? { from: 'new', to: 'old' } : { from: 'old', to: 'new' }));
  assert.equal(quickly(() => pairUp(made, [], toAndFro)).length, count);
});

test('what people type in the turn in which a run changes their document stays theirs', async () => {
  const folder = new Folder();
  folder.write('a', 'one\ntwo\n', outside);
  const found = folder.files.get('a') ?? null;
  folder.hands.begin('r');
  folder.hands.typed('a', 'one\ntwo\ntyped\n');
  folder.write('a', 'RUN\ntwo\ntyped\n', { kind: 'run', id: 'r' });
  const apart = await tellApart(found, folder.files.get('a') ?? null, folder.hands.end('r')?.trails.get('a'));
  assert.ok(apart.kind === 'both');
  assert.equal(String(apart.keep), 'one\ntwo\ntyped\n');
});

test('what people save while the folder is looked at, before a run and after it, is there once when the run is taken back', async () => {
  const folder = new Folder();
  const save = (text: string): void => folder.write('a', text, person);
  folder.write('a', 'one\n', outside);
  folder.hands.begin('r');
  save('one\nfirst\n');
  const found = folder.files.get('a') ?? null;
  save('one\nfirst\nsecond\n');
  folder.write('a', 'RUN\nfirst\nsecond\n', outside);
  save('RUN\nfirst\nsecond\nthird\n');
  const told = folder.revision;
  save('RUN\nfirst\nsecond\nthird\nfourth\n');
  const left = folder.files.get('a') ?? null;
  save('RUN\nfirst\nsecond\nthird\nfourth\nfifth\n');
  const apart = await tellApart(found, left, folder.hands.end('r')?.trails.get('a'), told);
  assert.ok(apart.kind === 'both');
  assert.equal(String(apart.keep), 'one\nfirst\nsecond\nthird\nfourth\n');
  const taken = takeBack(left, apart.keep, folder.files.get('a') ?? null, 'keep');
  assert.equal(String(taken.result), 'one\nfirst\nsecond\nthird\nfourth\nfifth\n');
});

test('of many turns of a run and of people at one long file others are not kept waiting', async () => {
  const folder = new Folder();
  const found = Array.from({ length: 10_000 }, (_, index) => `line ${index} of a long file\n`);
  const now = [...found];
  folder.write('a', found.join(''), outside);
  folder.hands.begin('r');
  for (let turn = 0; turn < 24; turn++) {
    for (let line = turn; line < now.length; line += 400) now[line] = `run ${turn} ${line}\n`;
    folder.write('a', now.join(''), outside);
    now[100 + turn] = `people ${turn}\n`;
    folder.write('a', now.join(''), person);
  }
  const trail = folder.hands.end('r')?.trails.get('a');
  const longest = await longestTurn(async () => {
    const giveWay = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const apart = await tellApart(Buffer.from(found.join('')), folder.files.get('a') ?? null, trail, undefined, giveWay);
    assert.equal(apart.kind, 'both');
  });
  assert.ok(longest < 250, `${longest} ms`);
});
