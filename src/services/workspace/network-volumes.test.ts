// On NFS a file that was replaced or removed while it is open keeps a name, on SMB it can't be replaced. The real things are in test/flows/network-volumes.deep.ts.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { files as table } from '../../contract/files.ts';
import type { Asked } from '../../contract/operation.ts';
import type { ReplacedFile } from './atomic-write.ts';
import { hashBytes } from './content.ts';
import { fileOperations } from './operations.ts';
import type { Workspace } from './workspace.ts';
import { likeOnNfs, likeOnSmb } from '../../../test/kit/network-clients.ts';
import { call, cause, fails, withWorkspace } from '../../../test/kit/workspace-harness.ts';

type Changes = Asked<(typeof table)['files.batch']>['changes'];

const MB = 1024 * 1024;
const operationsOf = (workspace: Workspace): ReturnType<typeof fileOperations> =>
  fileOperations(workspace, { maxTextBytes: MB, maxUploadBytes: MB });
const onLinux = process.platform === 'linux' ? {} : { skip: 'as a client of Linux does it' };
const bytes = (text: string): Buffer => Buffer.from(text);
const ifMatch = (text: string): { ifMatch: string } => ({ ifMatch: `"${hashBytes(text)}"` });

describe('on NFS', onLinux, () => {
  test('a file is written over, on a condition as well, and what was there can be read', (t) =>
    withWorkspace(async ({ workspace, at, put, read, told }) => {
      likeOnNfs(t);
      put('a', 'one');
      await workspace.write('a', bytes('two'), { cause, ...ifMatch('one') });
      assert.equal(read('a'), 'two');
      let kept: ReplacedFile | undefined;
      await workspace.write('a', bytes('three'), { cause, ...ifMatch('two'), replaced: (file) => (kept = file) });
      assert.deepEqual([read('a'), told()], ['three', ['changed a', 'changed a']]);
      assert.equal(fs.readFileSync(kept?.descriptor ?? -1, 'utf8'), 'two');
      assert.equal(fs.readdirSync(at('')).length, 2, 'it has a name as long as it is open');
      fs.closeSync(kept?.descriptor ?? -1);
      assert.deepEqual(fs.readdirSync(at('')), ['a']);
    }));

  test('a batch removes a folder of which a file is open: what is kept by a name of its own goes with the next', (t) =>
    withWorkspace(async ({ workspace, at, put, told }) => {
      likeOnNfs(t);
      put('dir/a');
      put('dir/sub/b');
      const descriptor = fs.openSync(at('dir/a'), 'r');
      const batch = async (...changes: Changes): Promise<unknown> =>
        operationsOf(workspace)['files.batch'](table['files.batch'].input.parse({ changes }), call());
      await batch({ op: 'remove', path: 'dir', recursive: true });
      assert.deepEqual(told().toSorted(), ['removed dir', 'removed dir/a', 'removed dir/sub', 'removed dir/sub/b']);
      const [left = '', ...more] = fs.readdirSync(at(''));
      assert.deepEqual([more, fs.readdirSync(at(left))], [[], ['.nfs000000000000000000000001']]);
      fs.closeSync(descriptor);
      await batch({ op: 'write', path: 'new', text: 'new' });
      assert.deepEqual(fs.readdirSync(at('')), ['new']);
    }));

  test('a large folder is removed by two at once, and fails for neither where it may be missing', (t) =>
    withWorkspace(async ({ workspace, at, put }) => {
      likeOnNfs(t);
      for (let number = 0; number < 1500; number++) put(`dir/${number}`);
      const remove = async (): Promise<unknown> =>
        operationsOf(workspace)['files.remove'](
          table['files.remove'].input.parse({ path: 'dir', recursive: true, missingOk: true }),
          call(),
        );
      await Promise.all([remove(), remove()]);
      assert.equal(fs.existsSync(at('dir')), false);
    }));

  test('a file that was removed while it is open is no part of its folder, which can be removed when nobody has it open', (t) =>
    withWorkspace(async ({ workspace, at, put, told }) => {
      likeOnNfs(t);
      put('dir/a');
      put('dir/b');
      const descriptor = fs.openSync(at('dir/a'), 'r');
      await workspace.remove('dir/a', false, { cause });
      assert.equal(fs.readdirSync(at('dir')).length, 2);
      const names: string[] = [];
      for await (const { name } of workspace.list('dir', true, () => true)) names.push(name);
      assert.deepEqual(names, ['b']);
      await fails('NOT_EMPTY', () => workspace.remove('dir', false, { cause }));
      await fails('BUSY_FILE', () => workspace.remove('dir', true, { cause }), /^dir is empty and can't be removed yet/);
      assert.deepEqual(told(), ['removed dir/a', 'removed dir/b']);
      fs.closeSync(descriptor);
      await workspace.remove('dir', true, { cause });
      assert.deepEqual([fs.existsSync(at('dir')), told().at(-1)], [false, 'removed dir']);
    }));
});

test('on SMB a file is written over as well, and is not held open for that', onLinux, (t) =>
  withWorkspace(async ({ workspace, at, put, read, told }) => {
    likeOnSmb(t);
    put('a', 'one');
    await workspace.write('a', bytes('two'), { cause, ...ifMatch('one'), replaced: () => assert.fail('it is held') });
    assert.deepEqual([read('a'), told(), fs.readdirSync(at(''))], ['two', ['changed a'], ['a']]);
  }),
);
