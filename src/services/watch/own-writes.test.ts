import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnWrites } from './own-writes.ts';
import type { OwnWrite } from './watch-protocol.ts';

const write = (path: string, ino: number): OwnWrite => ({ path, kind: 'file', key: { size: 1, mtimeMs: 1, ino } });
const nowhere = (): boolean => false;

test('what left its place is what was put there last, until the table knows what stands there', () => {
  const own = new OwnWrites();
  own.add([write('a', 1), write('b', 2)], 0);
  own.add([write('a', 3)], 0);
  assert.deepEqual(
    own.left(nowhere).map(({ path, key }) => [path, key.ino]),
    [
      ['a', 3],
      ['b', 2],
    ],
  );
  own.compare(({ path }) => path === 'a');
  assert.deepEqual(
    own.left(nowhere).map(({ path }) => path),
    ['b'],
    'of the other the table tells by itself',
  );
  assert.ok(own.has('a'), 'those who follow know of it');
  own.add([write('a', 4)], 0);
  assert.deepEqual(
    own.left(nowhere).map(({ path, key }) => [path, key.ino]),
    [
      ['a', 4],
      ['b', 2],
    ],
  );
});

test('one that passed on before it was told to be put is not put, and its folder takes the one before it along', () => {
  const own = new OwnWrites();
  own.add([write('e/c', 1)], 0);
  own.expect(write('e/c', 2), 0);
  own.moved('e', 'm', (path) => path === 'm/c');
  assert.deepEqual(
    own.takePassed(() => true).map(({ key }) => key.ino),
    [2],
  );
  own.add([write('e/c', 2)], 0);
  // The table has looked at what stands at m/c, which is not what was put there last.
  own.compare(() => true);
  assert.deepEqual(own.left(nowhere), []);
});

test('one that went with its folder and on from there at once left the new place', () => {
  const own = new OwnWrites();
  own.add([write('e/c', 1), write('f/c', 2)], 0);
  own.moved('e', 'm', nowhere);
  // Another folder stands there by now, in which it may have been put.
  own.moved('f', 'n', (path) => path === 'f');
  assert.deepEqual(
    own.left(nowhere).map(({ path }) => path),
    ['m/c', 'f/c'],
  );
});

test('one that is said to be put when its folder has moved with it is where that went', () => {
  const own = new OwnWrites();
  own.expect(write('e/c', 1), 0);
  own.moved('e', 'm', (path) => path === 'm/c');
  own.add([write('e/c', 1)], 0);
  assert.deepEqual(
    own.left(nowhere).map(({ path }) => path),
    ['m/c'],
  );
});

test('one that is put in a folder of whose move nobody has heard yet is where that went', () => {
  const own = new OwnWrites();
  const placeOf = (path: string): string => path.replace(/^e\//, 'm/');
  own.expect(write('e/a', 1), 0, placeOf);
  // By then the move was heard of.
  own.add([write('e/a', 1)], 0);
  own.add([write('e/b', 2)], 0, placeOf);
  assert.deepEqual(
    own.left(nowhere).map(({ path }) => path),
    ['m/b', 'm/a'],
  );
});
