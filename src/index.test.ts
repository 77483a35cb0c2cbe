import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as z from 'zod';
import { eventually } from '../test/kit/eventually.ts';
import { createClient } from './client/client.ts';
import { operation, OutriggerError } from './contract/operations.ts';
import { ConfigError, createSidecar, type CreateSidecarInput, UnavailableError } from 'outrigger';

const scratch = mkdtempSync(join(tmpdir(), 'outrigger-index-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

let count = 0;
function folders(): { workspace: string; state: string } {
  count++;
  const make = (name: string): string => mkdtempSync(join(scratch, `${name}${count}-`));
  return { workspace: make('workspace'), state: make('state') };
}

const words = {
  'words.count': operation({
    summary: 'Count the words of a file.',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: z.string() }),
    output: () => z.object({ words: z.int() }),
    errors: ['FILE_NOT_FOUND'],
    http: { route: 'GET /words/{path}' },
  }),
  'words.each': operation({
    summary: 'Every word, one by one.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ text: z.string() }),
    item: () => z.string(),
    output: () => z.object({ count: z.int() }),
    errors: [],
  }),
};

async function withWords<T>(work: (sidecar: Awaited<ReturnType<typeof startWithWords>>) => Promise<T>): Promise<T> {
  const sidecar = await startWithWords();
  try {
    return await work(sidecar);
  } finally {
    await sidecar.stop();
  }
}

function startWithWords() {
  const { workspace, state } = folders();
  writeFileSync(join(workspace, 'poem.txt'), 'the sea the sea');
  return createSidecar({
    workspace,
    state,
    port: 0,
    env: {},
    components: ['files'],
    operations: {
      table: words,
      implementations: (sidecar) => ({
        'words.count': async ({ path }, { signal }) => {
          const { text } = await sidecar.call('files.read', { path }, { signal });
          return { words: text.split(/\s+/).length };
        },
        'words.each': async ({ text }, { emit }) => {
          const all = text.split(' ');
          for (const word of all) await emit(word);
          return { count: all.length };
        },
      }),
    },
  });
}

test("a host's own operation answers over HTTP, over RPC and in the same process, with the errors of the sidecar", async () => {
  await withWords(async (sidecar) => {
    const authorization = `Bearer ${sidecar.token}`;
    const overHttp = await fetch(`${sidecar.url}/api/words.count`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: '{"path":"poem.txt"}',
    });
    assert.deepEqual(await overHttp.json(), { words: 4 });
    const byRoute = await fetch(`${sidecar.url}/api/words/poem.txt`, { headers: { authorization } });
    assert.deepEqual(await byRoute.json(), { words: 4 });
    const refused = await fetch(`${sidecar.url}/api/words/poem.txt`);
    assert.equal(refused.status, 401);

    const client = createClient<typeof words>({ url: sidecar.url, token: sidecar.token });
    try {
      assert.deepEqual(await client.call('words.count', { path: 'poem.txt' }), { words: 4 });
      assert.equal(client.connection.state.name, 'live', 'it went over the socket');
      const stream = client.stream('words.each', { text: 'a b' });
      const heard: string[] = [];
      for await (const word of stream) heard.push(word);
      assert.deepEqual([heard, await stream.end], [['a', 'b'], { count: 2 }]);
      await assert.rejects(client.call('words.count', { path: 'gone.txt' }), (error: OutriggerError) => error.reason === 'FILE_NOT_FOUND');
    } finally {
      client.close();
    }
    assert.deepEqual(await sidecar.call('words.count', { path: 'poem.txt' }), { words: 4 });
    assert.deepEqual(await sidecar.call('words.each', { text: 'a b' }), { count: 2, items: ['a', 'b'] });
    await assert.rejects(
      sidecar.call('words.count', { path: 7 as never }),
      (error: OutriggerError) => error instanceof OutriggerError && error.reason === 'BAD_INPUT',
    );
  });
});

test("a host's own operation is described in /openapi.json beside ours", async () => {
  await withWords(async (sidecar) => {
    const response = await fetch(`${sidecar.url}/openapi.json`, { headers: { authorization: `Bearer ${sidecar.token}` } });
    const { paths } = (await response.json()) as { paths: Record<string, Record<string, { summary: string }>> };
    assert.equal(paths['/api/words.count']?.['post']?.summary, 'Count the words of a file.');
    assert.ok(paths['/api/words/{path}']?.['get'] !== undefined);
    assert.ok(paths['/api/files.read'] !== undefined);
  });
});

test('a part that is left out answers that it is off, and its sockets are not there', async () => {
  await withWords(async (sidecar) => {
    await assert.rejects(sidecar.call('git.status', {}), (error: OutriggerError) => error.reason === 'PART_OFF');
    await assert.rejects(sidecar.call('documents.list', {}), (error: OutriggerError) => error.reason === 'PART_OFF');
    const page = await fetch(`${sidecar.url}/`);
    assert.equal(page.status, 404);
    const socket = new WebSocket(`${sidecar.url.replace('http', 'ws')}/ws/doc/poem.txt`, [sidecar.token]);
    const outcome = await new Promise<string>((resolve) => {
      socket.onopen = () => resolve('open');
      socket.onerror = () => resolve('refused');
    });
    assert.equal(outcome, 'refused');
  });
});

test('changes are told with who made them, until the listener is taken off; after stop nothing is served', async () => {
  const { workspace, state } = folders();
  const lines: string[] = [];
  const sidecar = await createSidecar({
    workspace,
    state,
    port: 0,
    env: {},
    token: 'token-given-by-the-host',
    log: (line) => lines.push(line),
  });
  const heard: string[] = [];
  const off = sidecar.onChange(({ path, cause }) => heard.push(`${path} ${cause.kind}`));
  try {
    await sidecar.ready;
    assert.equal(sidecar.token, 'token-given-by-the-host');
    await sidecar.call('files.write', { path: 'ours.txt', text: 'x' });
    writeFileSync(join(workspace, 'theirs.txt'), 'y');
    await eventually(() => assert.equal(heard.length, 2));
    assert.deepEqual(heard, ['ours.txt connection', 'theirs.txt outside']);
    off();
    await sidecar.call('files.write', { path: 'later.txt', text: 'z' });
    assert.equal(readFileSync(join(workspace, 'later.txt'), 'utf8'), 'z');
    assert.equal(heard.length, 2);
  } finally {
    await sidecar.stop();
  }
  await sidecar.stop();
  await assert.rejects(fetch(`${sidecar.url}/healthz`));
  const events = lines.map((line) => JSON.parse(line) as { event: string; duration_ms: number; uptimeMs: number });
  const stopped = events.at(-1);
  assert.equal(stopped?.event, 'sidecar.stopped');
  const sinceReady = (stopped?.uptimeMs ?? 0) - (stopped?.duration_ms ?? Number.NaN);
  assert.ok(sinceReady > 0, 'how long the stop took, beside how long it ran');
  assert.ok(!lines.join('').includes('token-given-by-the-host'));
});

async function withFiles(work: (sidecar: Awaited<ReturnType<typeof createSidecar>>, workspace: string, lines: string[]) => Promise<void>) {
  const { workspace, state } = folders();
  const lines: string[] = [];
  const log = (line: string): void => void lines.push(line);
  const sidecar = await createSidecar({ workspace, state, port: 0, env: {}, components: ['files'], log });
  try {
    await work(sidecar, workspace, lines);
  } finally {
    await sidecar.stop();
  }
}

test('a listener of the host that throws fails no write, and keeps nobody else from hearing of it', () =>
  withFiles(async (sidecar, _workspace, lines) => {
    const heard: string[] = [];
    sidecar.onChange(() => {
      throw new Error('of the host');
    });
    sidecar.onChange(({ path }) => heard.push(path));
    assert.equal((await sidecar.call('files.write', { path: 'a', text: 'a' })).path, 'a');
    const changes = ['b', 'c'].map((name) => ({ op: 'write' as const, path: name, text: name }));
    await sidecar.call('files.batch', { changes });
    assert.deepEqual(heard, ['a', 'b', 'c']);
    assert.equal(lines.filter((line) => line.includes('"event":"host.listener-failed"')).length, 3);
  }));

test('what a host does to what it was given changes nothing for others', () =>
  withFiles(async (sidecar) => {
    const heard: string[] = [];
    sidecar.onChange((change) => (change.path = `/absolute/${change.path}`));
    sidecar.onChange(({ path }) => heard.push(path));
    const { cursor } = await sidecar.call('changes.since', {});
    await sidecar.call('files.write', { path: 'a', text: 'a' });
    const told = async (): Promise<string[]> => {
      const { changes } = await sidecar.call('changes.since', { cursor });
      const paths = changes.map(({ path }) => path);
      for (const change of changes) change.path = 'another';
      return paths;
    };
    assert.deepEqual([heard, await told(), await told()], [['a'], ['a'], ['a']]);
  }));

test('a log of the host that throws fails no call and no stop, and how many lines it lost is told when it takes them again', async () => {
  const { workspace, state } = folders();
  const lines: string[] = [];
  let isGone = false;
  const log = (line: string): void => {
    if (isGone) throw new TypeError('Object has been destroyed');
    lines.push(line);
  };
  const start = (): ReturnType<typeof createSidecar> =>
    createSidecar({ workspace, state, port: 0, env: {}, components: ['files'], 'log.level': 'debug', log });
  const first = await start();
  isGone = true;
  await first.call('files.write', { path: 'a', text: 'a' });
  assert.equal((await fetch(`${first.url}/api/files/a`, { headers: { authorization: `Bearer ${first.token}` } })).status, 200);
  isGone = false;
  await first.call('files.read', { path: 'a' });
  await eventually(() => assert.ok(lines.some((line) => line.includes('log.left_out'))));
  isGone = true;
  await first.stop();
  isGone = false;
  const second = await start();
  assert.equal((await second.call('files.write', { path: 'b', text: 'b' })).path, 'b');
  await second.stop();
});

test('where the system does not say how much memory is held, the health is told all the same', (context) =>
  withFiles(async (sidecar) => {
    assert.ok((await sidecar.call('system.health', {})).memoryBytes > 0);
    context.mock.method(process.memoryUsage, 'rss', () => {
      throw Object.assign(new Error('ENOENT: no such file or directory, uv_resident_set_memory'), { code: 'ENOENT' });
    });
    assert.equal((await sidecar.call('system.health', {})).memoryBytes, 0);
    const metrics = await fetch(`${sidecar.url}/metrics`, { headers: { authorization: `Bearer ${sidecar.token}` } });
    assert.equal(metrics.status, 200);
  }));

test('the token of a sidecar is the one that holds, also when it was given out anew', () =>
  withFiles(async (sidecar) => {
    const before = sidecar.token;
    const { secret } = await sidecar.call('tokens.rotate', {});
    assert.notEqual(secret, before);
    assert.equal(sidecar.token, secret);
  }));

test('bytes that a call in the same process does not read are let go of', () =>
  withFiles(async (sidecar, workspace) => {
    writeFileSync(join(workspace, 'big'), Buffer.alloc(4 * 1024 * 1024));
    for (let n = 0; n < 300; n++) assert.equal((await sidecar.call('files.download', { path: 'big' })).path, 'big');
    const began = performance.now();
    await sidecar.stop();
    assert.ok(performance.now() - began < 5000, 'nothing is waited for');
  }));

test('all that is wrong with the options is said at once, by the names that the host used', async () => {
  const input = { env: {}, port: 70_000, 'documents.maxBytes': 1, components: ['deploys'] } as unknown as CreateSidecarInput;
  await assert.rejects(createSidecar(input), (error: ConfigError) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /^port: 70000 is not between/m);
    assert.match(error.message, /^documents\.maxBytes: 1 is not between/m);
    assert.match(error.message, /^components: "deploys" is none of files/m);
    return true;
  });
  await assert.rejects(createSidecar({ env: {}, prot: 1 } as never), /createSidecar: there is no option "prot"/);
  await assert.rejects(createSidecar({ env: { API_PORT: 'x' } }), /API_PORT: "x" is not a whole number/);
});

test('own operations that collide, have no dotted name or lack an implementation are refused before anything starts', async () => {
  const { workspace, state } = folders();
  const own = words['words.each'];
  const start = (table: object, implementations: object): Promise<unknown> =>
    createSidecar({ workspace, state, port: 0, env: {}, operations: { table, implementations } as never });
  await assert.rejects(start({ 'files.read': own }, { 'files.read': () => ({}) }), /files\.read is an operation of the sidecar itself/);
  await assert.rejects(start({ count: own }, { count: () => ({}) }), /"count" is no name for an operation/);
  await assert.rejects(start({ 'words.each': own }, {}), /words\.each has no implementation/);
  await assert.rejects(start({}, { 'words.each': () => ({}) }), /implementation of "words\.each", but no such operation/);
});

test('a folder that is not there and a port that is taken are said with errors that can be told apart', async () => {
  const { workspace, state } = folders();
  await assert.rejects(
    createSidecar({ workspace: join(workspace, 'gone'), state, port: 0, env: {} }),
    (error: OutriggerError) => error.reason === 'WORKSPACE_GONE',
  );
  await withWords(async ({ url }) => {
    const port = Number(new URL(url).port);
    await assert.rejects(createSidecar({ workspace, state, port, env: {} }), UnavailableError);
  });
});
