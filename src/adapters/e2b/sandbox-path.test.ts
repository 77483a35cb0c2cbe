import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutriggerError } from '../../contract/errors.ts';
import { sandboxPathOf, workspacePathOf } from './sandbox-path.ts';

const root = '/srv/work';

test('a path is found by the name that E2B has for it, from there, from home, or as programs see it', () => {
  for (const [asked, path] of [
    ['', ''],
    ['.', ''],
    ['~', ''],
    ['~/', ''],
    ['/home/user', ''],
    ['/home/user/', ''],
    ['/srv/work', ''],
    ['a/b', 'a/b'],
    ['./a//b/', 'a/b'],
    ['a/../b', 'b'],
    ['~/a', 'a'],
    ['~a', '~a'],
    ['/home/user/a b', 'a b'],
    ['/home/./user/../user/a', 'a'],
    ['/srv/work/a', 'a'],
  ] as const)
    assert.equal(workspacePathOf(asked, root), path, asked);
  assert.deepEqual([sandboxPathOf(''), sandboxPathOf('a/b')], ['/home/user', '/home/user/a/b']);
});

test('what lies elsewhere is refused, whatever it begins like', () => {
  for (const asked of [
    '/',
    '/etc/passwd',
    '..',
    '../x',
    '~/..',
    '~/../x',
    '/home',
    '/home/username',
    '/srv/work2/x',
    '/srv/work/../x',
    'a/../../x',
  ])
    assert.throws(
      () => workspacePathOf(asked, root),
      (error) => error instanceof OutriggerError && error.reason === 'PATH_ESCAPES',
      asked,
    );
});
