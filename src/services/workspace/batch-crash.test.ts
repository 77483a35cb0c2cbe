import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSeed } from '../../../test/kit/seed.ts';
import { crashPlace, endOf, killedAtRandom } from '../../../test/kit/batch-crash.ts';

function pointsOf(crash: Parameters<ReturnType<typeof crashPlace>['run']>[0]): string[] {
  const place = crashPlace();
  try {
    return place.run(crash).points;
  } finally {
    place.remove();
  }
}

test('kill -9 at each point of a batch leaves nothing of it before the record is stored, and all of it from then on', () => {
  const points = pointsOf({});
  assert.deepEqual([...new Set(points)], ['prepare', 'record', 'step put', 'step mkdir', 'step move', 'tell', 'clean', 'forget']);
  for (const [kill, point] of points.entries())
    if (point !== 'prepare' || kill === 2)
      assert.equal(endOf({ kill })?.outcome, point === 'prepare' || point === 'record' ? 'nothing' : 'all', `killed at ${kill}, ${point}`);
});

test('kill -9 during the recovery from a kill changes nothing about that (long form)', () => {
  const kill = pointsOf({}).indexOf('step move');
  for (let again = 0; ; again++) {
    const end = endOf({ kill }, { recover: true, kill: again });
    if (end === undefined) {
      assert.ok(again > 8, 'the recovery had points to be killed at');
      break;
    }
    assert.equal(end.outcome, 'all', `killed again at ${again}, ${end.points.at(-1)}`);
  }
});

test('kill -9 while a batch that failed is undone leaves nothing of it (long form)', () => {
  const fail = pointsOf({}).lastIndexOf('step move');
  const points = pointsOf({ fail }).slice(fail + 1);
  assert.deepEqual([...new Set(points)], ['go back', 'undo move', 'undo put', 'undo mkdir', 'remove what was prepared']);
  // Before it is stored that the batch is to be undone, the start finishes it: nobody had an answer yet.
  for (const [index, point] of points.entries())
    assert.equal(endOf({ fail, kill: fail + 1 + index })?.outcome, point === 'go back' ? 'all' : 'nothing', `killed at ${point}`);
});

test('without the record, kill -9 in the middle leaves a torn folder: the tests above would notice', () => {
  const points = pointsOf({});
  const kill = points.lastIndexOf('step move');
  assert.match(endOf({ kill, forget: true })?.outcome ?? '', /^torn/);
});

test('kill -9 at any time leaves files of one batch alone, time after time (long form)', async () => {
  let random = testSeed();
  const made = await killedAtRandom(8, () => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return (random / 2 ** 32) * 40;
  });
  console.log(`${made} batches between 8 kills`);
});
