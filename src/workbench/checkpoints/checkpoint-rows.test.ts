import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Checkpoint } from '../../contract/checkpoints.ts';
import { checkpointRows, newestRun, sayRun } from './checkpoint-rows.ts';

const point = (id: number, facts: Partial<Checkpoint>): Checkpoint => ({
  id,
  at: id * 1000,
  title: `point ${id}`,
  cause: { kind: 'run', who: [{ name: 'fixer', kind: 'agent' }], id: facts.run ?? 'x' },
  point: 'made',
  revision: id,
  files: null,
  omitted: 0,
  ...facts,
});

test('the two checkpoints of a run are one row, and the card is for the newest run that ended', () => {
  const rows = checkpointRows([
    point(9, { point: 'before', run: 'p3' }),
    point(8, { point: 'after', run: 'revert-0a1b2c3d', files: 2 }),
    point(7, { point: 'before', run: 'revert-0a1b2c3d' }),
    point(6, { point: 'made' }),
    point(5, { point: 'after', run: 'p1', files: 3, edited: 1, title: 'python fix.py' }),
    point(4, { point: 'before', run: 'p1', title: 'python fix.py' }),
  ]);
  assert.deepEqual(
    rows.map((row) => (row.kind === 'made' ? row.key : `${row.key} ${row.before}-${row.after}`)),
    ['rp3 9-undefined', 'rrevert-0a1b2c3d 7-8', 'c6', 'rp1 4-5'],
  );
  const newest = newestRun(rows);
  assert.equal(newest?.run, 'p1');
  assert.equal(newest.actor.name, 'fixer');
  assert.equal(newestRun(rows.slice(0, 3)), undefined);
});

test('what a run did is said in numbers that are known', () => {
  const [row] = checkpointRows([point(5, { point: 'after', run: 'p1', files: 3, edited: 1 })]);
  assert.ok(row?.kind === 'run');
  assert.equal(sayRun(row), 'Changed 3 files. 1 of them was edited since.');
  assert.equal(sayRun({ ...row, edited: null }), 'Changed 3 files.');
  assert.equal(sayRun({ ...row, files: 1, edited: 0 }), 'Changed 1 file. Nobody has edited it since.');
  assert.equal(sayRun({ ...row, files: 0 }), 'It changed nothing.');
  assert.equal(sayRun({ ...row, reverted: 'revert-00000000' }), 'It was taken back.');
  assert.equal(sayRun({ ...row, after: undefined }), 'It has not ended.');
});
