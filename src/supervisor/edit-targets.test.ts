import assert from 'node:assert/strict';
import type { Stats } from 'node:fs';
import { test } from 'node:test';
import { type EditTarget, foldedPairs, groupTargets } from './edit-targets.ts';

const target = (at: string, stat?: Partial<Stats>): EditTarget => ({
  edit: { kind: 'delete', filePath: at },
  at,
  stat: stat === undefined ? undefined : ({ dev: 1, nlink: 1, ...stat } as Stats),
  missing: [],
});

test('targets are one file by what the system says of them, else by their path', () => {
  const sizes = (...targets: EditTarget[]): number[] => groupTargets(targets).map(({ length }) => length);
  assert.deepEqual(sizes(target('/A.ts', { ino: 5 }), target('/a.ts', { ino: 5 })), [2], 'two spellings where names have no case');
  assert.deepEqual(sizes(target('/a', { ino: 5 }), target('/b', { ino: 6 })), [1, 1]);
  assert.deepEqual(sizes(target('/a', { ino: 5, nlink: 2 }), target('/b', { ino: 5, nlink: 2 })), [1, 1], 'two names of one content');
  assert.deepEqual(sizes(target('/a', { ino: 0 }), target('/b', { ino: 0 })), [1, 1], 'no numbers on this volume');
  assert.deepEqual(sizes(target('/new'), target('/new')), [2]);
});

test('paths that differ in case or composition only are pairs to be tried', () => {
  const names = (...targets: EditTarget[]): string[][] => foldedPairs(targets).map((pair) => pair.map(({ at }) => at));
  assert.deepEqual(names(target('/A'), target('/b'), target('/a')), [['/A', '/a']]);
  assert.deepEqual(names(target('/\u00e9'), target('/e\u0301')), [['/\u00e9', '/e\u0301']]);
  assert.deepEqual(names(target('/a'), target('/a')), []);
});
