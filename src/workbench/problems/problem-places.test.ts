import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pathOfProgram, placeInRun } from './problem-places.ts';

test('a file that a program named is where its folder and the workspace say', () => {
  for (const [file, folder, root, expected] of [
    ['a.py', '', '/srv/w', 'a.py'],
    ['./src/a.ts', 'packages/x', '/srv/w', 'packages/x/src/a.ts'],
    ['../a.ts', 'packages/x', '/srv/w', 'packages/a.ts'],
    ['../../../a.ts', 'packages/x', '/srv/w', undefined],
    ['/srv/w/a.ts', 'packages/x', '/srv/w', 'a.ts'],
    ['file:///srv/w/b/a.ts', '', '/srv/w', 'b/a.ts'],
    ['/srv/w2/a.ts', '', '/srv/w', undefined],
    ['/srv/w/../x/a.ts', '', '/srv/w', undefined],
    ['/srv/w/a.ts', '', undefined, undefined],
    ['b/a.ts', '', undefined, 'b/a.ts'],
  ] as const)
    assert.equal(pathOfProgram(file, folder, root), expected, file);
});

test('what a run names is the file that was run, or one that was put beside it', () => {
  const run = { path: 'models/loan.py', firstLine: 1, beside: ['data/helper.py', 'data/loans.csv'] };
  const place = (file: string, over = run) => placeInRun({ file, line: 3, column: 2 }, over);
  assert.deepEqual(place('/mnt/data/code.py'), { path: 'models/loan.py', line: 3, column: 2 });
  assert.deepEqual(place('./main.go'), { path: 'models/loan.py', line: 3, column: 2 });
  assert.deepEqual(place('/mnt/data/helper.py'), { path: 'data/helper.py', line: 3, column: 2 });
  assert.deepEqual(place('data/helper.py'), { path: 'data/helper.py', line: 3, column: 2 });
  assert.equal(place('/usr/lib/python3/json/decoder.py'), undefined);
  assert.deepEqual(place('code.py', { ...run, firstLine: 10 }), { path: 'models/loan.py', line: 12, column: undefined });
});
