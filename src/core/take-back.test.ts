import assert from 'node:assert/strict';
import { test } from 'node:test';
import { threadMs } from '../../test/kit/loop-hold.ts';
import { Random } from '../../test/kit/random.ts';
import { testSeed } from '../../test/kit/seed.ts';
import { takeBack, takeBackText } from './take-back.ts';

const rows: { says: string; base: string; alone: string; now: string; result: string; clashes?: number; removed?: string }[] = [
  { says: 'nobody came after', base: 'a\nRUN\nc\n', alone: 'a\nb\nc\n', now: 'a\nRUN\nc\n', result: 'a\nb\nc\n' },
  { says: 'another line was changed', base: 'a\nRUN\nc\n', alone: 'a\nb\nc\n', now: 'a\nRUN\nC\n', result: 'a\nb\nC\n' },
  { says: 'a line was put right below', base: 'a\nRUN\nb\n', alone: 'a\nb\n', now: 'a\nRUN\nme\nb\n', result: 'a\nme\nb\n' },
  { says: 'a line was put right above', base: 'a\nRUN\nb\n', alone: 'a\nb\n', now: 'a\nme\nRUN\nb\n', result: 'a\nme\nb\n' },
  { says: 'a removed line comes back beside a new one', base: 'a\nc\n', alone: 'a\nb\nc\n', now: 'a\nme\nc\n', result: 'a\nb\nme\nc\n' },
  { says: 'it was taken back by hand', base: 'a\nRUN\nc\n', alone: 'a\nb\nc\n', now: 'a\nb\nc\nd\n', result: 'a\nb\nc\nd\n' },
  {
    says: 'the same words were changed',
    base: 'a\nthe run wrote this\nc\n',
    alone: 'a\nold\nc\n',
    now: 'a\nthe run and I wrote this\nc\n',
    result: 'a\nthe run and I wrote this\nc\n',
    clashes: 1,
    removed: 'a\nold\nc\n',
  },
  {
    says: 'one hunk clashes and another does not',
    base: 'RUN1\nb\nc\nd\nRUN2\n',
    alone: 'a\nb\nc\nd\ne\n',
    now: 'RUN1\nb\nc\nd\nRUN2mine\n',
    result: 'a\nb\nc\nd\nRUN2mine\n',
    clashes: 1,
    removed: 'a\nb\nc\nd\ne\n',
  },
];

for (const { says, base, alone, now, result, clashes = 0, removed = result } of rows) {
  test(`what a run did is taken back out of a text where ${says}`, () => {
    const kept = takeBackText(base, alone, now, 'keep');
    assert.equal(kept.result, result);
    assert.equal(kept.clashes.length, clashes);
    assert.equal(takeBackText(base, alone, now, 'remove').result, removed);
  });
}

test('a clash says where it is and what each side has there', () => {
  const { clashes } = takeBackText('1\nrun\n3\n', '1\n2\n3\n', 'new\n1\nrun, mine\n3\n', 'keep');
  assert.equal(clashes[0]?.line, 3);
  assert.match(clashes[0]?.now ?? '', /mine/);
});

test('of a text that the run and others changed in many lines each place is told in the time of their number', () => {
  const linesOf = (who: string): string =>
    Array.from({ length: 40_000 }, (_, index) => (index % 2 === 0 ? `${who} ${index}\n` : `line ${index}\n`)).join('');
  const began = threadMs();
  const { result, clashes } = takeBackText(linesOf('run'), linesOf('before'), linesOf('later'), 'keep');
  const tookMs = threadMs() - began;
  assert.equal(result, linesOf('later'));
  assert.deepEqual([clashes.length, clashes[0]?.line, clashes.at(-1)?.line], [20_000, 1, 39_999]);
  assert.ok(tookMs < 1500, `${Math.round(tookMs)} ms`);
});

test('where nobody came after, long texts need not be compared', () => {
  const linesOf = (who: string): string => Array.from({ length: 150_000 }, (_, index) => `${who} ${index}\n`).join('');
  const [run, before] = [linesOf('run'), linesOf('before')];
  const began = threadMs();
  assert.deepEqual(takeBackText(run, before, run, 'keep'), { result: before, clashes: [] });
  const tookMs = threadMs() - began;
  assert.ok(tookMs < 50, `${Math.round(tookMs)} ms`);
});

test('a file that is no text, or was made or removed, is taken back whole or is a clash', () => {
  const [one, two, three] = [Buffer.from([0, 1]), Buffer.from([0, 2]), Buffer.from([0, 3])];
  assert.deepEqual(takeBack(two, one, two, 'keep').result, one);
  assert.equal(takeBack(two, null, two, 'keep').result, null);
  assert.deepEqual(takeBack(null, one, null, 'keep').result, one);
  for (const [base, alone, now] of [
    [two, one, three],
    [two, null, three],
    [two, one, null],
  ] as const) {
    const kept = takeBack(base, alone, now, 'keep');
    assert.equal(kept.result, now);
    assert.equal(kept.clashes[0]?.kind, 'file');
    assert.equal(takeBack(base, alone, now, 'remove').result, alone);
  }
  assert.equal(takeBack(two, null, null, 'keep').clashes.length, 0);
});

test('whatever the three texts are, each line of the others is there once and none of the run, where they change other lines', () => {
  const seed = testSeed();
  const random = new Random(seed);
  for (let round = 0; round < 400; round++) {
    const lines = Array.from({ length: 4 + random.below(30) }, (_, index) => `line ${index}\n`);
    // Each line is the run's to change, the others', or nobody's; between the two is always one that nobody touches.
    const owner = lines.map((_, index) => (index % 2 === 1 ? 'nobody' : random.of(['run', 'others', 'nobody'])));
    const write = (index: number, who: string): string => {
      const made = `${who} ${index} ${random.below(1000)}\n`;
      return random.of([made, '', `${made}${lines[index]}`, `${lines[index]}${made}`]);
    };
    const byRun = lines.map((line, index) => (owner[index] === 'run' ? write(index, 'run') : line));
    const byOthers = lines.map((line, index) => (owner[index] === 'others' ? write(index, 'others') : line));
    const now = lines.map((_, index) => (owner[index] === 'run' ? byRun[index] : byOthers[index]));
    const taken = takeBackText(byRun.join(''), lines.join(''), now.join(''), 'keep');
    assert.equal(taken.result, byOthers.join(''), `SEED=${seed} round ${round}`);
    assert.deepEqual(taken.clashes, [], `SEED=${seed} round ${round}`);
  }
});
