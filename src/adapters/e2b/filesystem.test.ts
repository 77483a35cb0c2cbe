import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { E2bFilesystem } from './filesystem.ts';

/** Folders `a` and `b` with so many files each. */
function folders(inA: number, inB: number): Dispatch {
  return async ({ input, emit }) => {
    const { path, limit } = input as { path: string; limit: number };
    const names = path === '' ? ['b', 'a'] : Array.from({ length: path === 'a' ? inA : inB }, (_, index) => String(index));
    const kind = path === '' ? 'directory' : 'file';
    for (const name of names.slice(0, limit))
      void emit?.({ path: path === '' ? name : `${path}/${name}`, name, kind, size: 0, modified: 0, mode: 0o644 });
    return { output: { truncated: names.length > limit } } as never;
  };
}

test('a list has a hundred thousand entries, and one more is refused, however deep it lies', async () => {
  const files = new E2bFilesystem('/w');
  const list = async (inA: number, inB: number): Promise<string[]> => {
    const asking = { dispatch: folders(inA, inB), caller: {}, transport: 'e2b', requestId: 'r', signal: new AbortController().signal };
    const { entries } = await files.list(asking as never, { path: '.', depth: 5 });
    return (entries as { path: string }[]).map(({ path }) => path);
  };
  const all = await list(60_000, 39_998);
  assert.deepEqual([all.length, all[0], all[1], all[60_001]], [100_000, '/home/user/a', '/home/user/a/0', '/home/user/b']);
  for (const [inA, inB] of [
    [60_000, 39_999],
    [99_999, 0],
    [100_000, 0],
  ] as const)
    await assert.rejects(list(inA, inB), (error) => error instanceof OutriggerError && error.reason === 'OUTPUT_TOO_LARGE');
});
