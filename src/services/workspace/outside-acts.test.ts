// What other programs do at the very moment of a removal, a copy or a move.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { hashBytes } from './content.ts';
import type { Noticed } from './echoes.ts';
import { cause, fails, withWorkspace } from '../../../test/kit/workspace-harness.ts';

const etag = (text: string): string => `"${hashBytes(text)}"`;
const all = { overwrite: false, parents: true, cause };

function seen(at: string, path: string): Noticed {
  const { size, mtimeMs, ino } = fs.lstatSync(at);
  return { path, kind: 'file', what: 'changed', size, mtimeMs, ino, hash: hashBytes(fs.readFileSync(at)) };
}

describe('what a program does', () => {
  test('to a file that is about to be removed on a condition keeps that from being so', () =>
    withWorkspace(async ({ workspace, put, read, told }) => {
      put('a', 'old');
      const stop = workspace.onAbout(() => {
        stop();
        put('a', 'theirs');
      });
      await fails('ETAG_MISMATCH', () => workspace.remove('a', false, { cause, ifMatch: etag('old') }));
      assert.deepEqual([read('a'), told()], ['theirs', []]);
    }));

  test('in the place of a link that was copied this moment is told as its own', (t) =>
    withWorkspace(async ({ workspace, at, put, told }) => {
      put('a');
      fs.symlinkSync('a', at('link'));
      const replace = (): void => {
        fs.rmSync(at('copy'));
        put('copy', 'theirs');
      };
      for (const name of ['renameSync', 'symlinkSync'] as const) {
        const real = fs[name].bind(fs) as (from: string, to: string) => void;
        t.mock.method(fs, name, (from: string, to: string) => {
          real(from, to);
          if (fs.existsSync(at('copy'))) {
            t.mock.reset();
            replace();
          }
        });
      }
      await workspace.copy('link', 'copy', all);
      workspace.noticed([seen(at('copy'), 'copy')]);
      assert.deepEqual(told(), ['created copy', 'changed copy']);
      assert.equal(workspace.journal.known('copy'), hashBytes('theirs'));
    }));
});

test('a file in the place of which another is moved, or a link is copied, is about to be removed: what it held can be kept', () =>
  withWorkspace(async ({ workspace, put, at, read, changes }) => {
    for (const name of ['a', 'b', 'c']) put(name);
    fs.symlinkSync('b', at('link'));
    const held: string[] = [];
    workspace.onAbout((path) => held.push(read(path)));
    await workspace.move('a', 'b', { ...all, overwrite: true });
    await workspace.copy('link', 'c', { ...all, overwrite: true });
    assert.deepEqual(held, ['b', 'c']);
    const [removed, , changed] = changes;
    assert.deepEqual([removed?.before, changed?.before], [hashBytes('b'), hashBytes('c')]);
  }));
