// What other programs do at the very moment of a removal, a copy or a move.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hashBytes } from './content.ts';
import { cause, fails, withWorkspace } from '../../../test/kit/workspace-harness.ts';

const etag = (text: string): string => `"${hashBytes(text)}"`;

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
});
