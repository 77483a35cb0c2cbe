import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../test/kit/eventually.ts';
import { runProgram } from '../test/kit/running-program.ts';

const example = join(import.meta.dirname, 'file-sync.ts');
const token = 'token-of-the-example-0123';

test('the file sync example has at most 40 lines', () => {
  assert.ok(readFileSync(example, 'utf8').trimEnd().split('\n').length <= 40);
});

test('the file sync example logs changes and serves the files of WORKSPACE_PATH, in our shapes and in those of the seed', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'outrigger-example-'));
  const workspace = join(scratch, 'workspace');
  mkdirSync(join(workspace, 'models'), { recursive: true });
  writeFileSync(join(workspace, 'models', 'book.py'), 'class Book: pass\n');
  const env = { PATH: process.env['PATH'], HOME: scratch, WORKSPACE_PATH: workspace, API_PORT: '0', OUTRIGGER_TOKEN: token };
  const program = runProgram(process.execPath, [example], { cwd: scratch, env });
  try {
    const [, url = ''] = await program.until(/"event":"ready".*"url":"([^"]+)"/);
    const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
      fetch(url + path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });
    const file = '/api/files/models/book.py';
    assert.equal(await (await ask(file)).text(), 'class Book: pass\n');
    const { items } = (await (await ask('/api/files.list?recursive=true')).json()) as { items: { path: string }[] };
    assert.deepEqual(items.map(({ path }) => path).sort(), ['models', 'models/book.py']);
    assert.equal((await ask('/api/files/new.txt', { method: 'PUT', body: 'new' })).status, 201);
    assert.equal(readFileSync(join(workspace, 'new.txt'), 'utf8'), 'new');
    writeFileSync(join(workspace, 'outside.txt'), 'x');
    await program.until(/"event":"file".*"path":"new\.txt"/);
    await program.until(/"event":"file".*"path":"outside\.txt"/);

    const { files } = (await (await ask('/files')).json()) as { files: string[] };
    assert.deepEqual(files.sort(), ['models', 'models/book.py', 'new.txt', 'outside.txt']);
    assert.equal(((await (await ask('/files/models/book.py')).json()) as { content: string }).content, 'class Book: pass\n');
    const put = await ask('/files/new.txt', {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"content":"newer"}',
    });
    assert.deepEqual(await put.json(), { success: true });
    await eventually(() => assert.equal(readFileSync(join(workspace, 'new.txt'), 'utf8'), 'newer'));

    assert.equal((await fetch(`${url}/api/files/new.txt`)).status, 401, 'a token is needed');
    assert.equal(await program.stop(), 0);
    assert.ok(existsSync(join(workspace, 'new.txt')));
  } finally {
    if (program.child.exitCode === null) await program.stop('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  }
});
