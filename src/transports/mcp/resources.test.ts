import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { McpResources } from './resources.ts';

const caller: Caller = { id: 'a', name: 'A', kind: 'agent', access: 'read' };
const { signal } = new AbortController();

/** A folder without an end. */
const dispatch: Dispatch = async ({ name, input, emit }) => {
  const { path, limit = 0 } = input as { path: string; limit?: number };
  if (name === 'files.stat') {
    assert.ok(!path.startsWith('/'), 'the contract refuses what is absolute');
    return { output: {} };
  }
  if (name === 'files.read') return { output: { text: `text of ${path}` } };
  for (let number = 0; number < limit; number++) void emit?.({ path: `${number}`, kind: 'file', size: 1, modified: 0 });
  return { output: { truncated: true } };
};

test('20,000 entries are listed and no more; what lies beyond is read by its address', async () => {
  const resources = new McpResources({ dispatch, caller, transport: 'mcp' }, { maxResourceBytes: 100 });
  const listed = new Set<string>();
  let cursor: string | undefined;
  do {
    const page = await resources.list(cursor, signal);
    for (const { uri } of page.resources) listed.add(uri);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  assert.equal(listed.size, 20_000);
  const uri = 'workspace:///20000';
  assert.ok(!listed.has(uri));
  assert.deepEqual((await resources.read(uri, signal)).contents, [{ uri, mimeType: 'text/plain', text: 'text of 20000' }]);
});

test('each spelling of a path is one resource; what is absolute stays so', async () => {
  const resources = new McpResources({ dispatch, caller, transport: 'mcp' }, { maxResourceBytes: 100 });
  for (const spelled of ['src/é.txt', 'src/%C3%A9.txt', 'src//é.txt', './src/./é.txt', 'src/é.txt/'])
    assert.equal(await resources.checked(`workspace:///${spelled}`, signal), 'src/é.txt', spelled);
  assert.equal(resources.followedPath('workspace:///src//é.txt'), 'src/é.txt');
  await assert.rejects(resources.checked('workspace:////etc/passwd', signal));
  for (const spelled of ['', '.', './'])
    await assert.rejects(resources.checked(`workspace:///${spelled}`, signal), { reason: 'FILE_NOT_FOUND' });
});

test('a file that was written at no time that can be told is listed without one, and all others with theirs', async () => {
  const listing: Dispatch = async ({ emit }) => {
    for (const modified of [0, 8.64e15 + 1000]) void emit?.({ path: `${modified}`, kind: 'file', size: 1, modified });
    return { output: { truncated: false } };
  };
  const resources = new McpResources({ dispatch: listing, caller, transport: 'mcp' }, { maxResourceBytes: 100 });
  const listed = (await resources.list(undefined, signal)).resources;
  assert.deepEqual(
    listed.map(({ annotations }) => annotations),
    [{ lastModified: '1970-01-01T00:00:00.000Z' }, undefined],
  );
  assert.ok(!('annotations' in (listed[1] ?? {})));
});
