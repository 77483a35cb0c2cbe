import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confined } from './working-folder.ts';

test('a path is one below the working folder, however it is written, or refused', () => {
  const paths = ['a', './a', 'b/../a', '/mnt/data/a', 'a/', 'a//b', '', '.', 'b/..', '/mnt/data'];
  assert.deepEqual(paths.map(confined), ['a', 'a', 'a', 'a', 'a', 'a/b', '', '', '', '']);
  for (const path of ['..', '../a', 'a/../../b', '/etc/passwd', '/mnt/data-evil/a', '/mnt/data/../x', '//mnt/data/a', '/'])
    assert.throws(() => confined(path), { reason: 'OUT_OF_SCOPE' }, path);
});
