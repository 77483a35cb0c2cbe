// MCP as its official client sees it: both transports, both kinds of the protocol, on a real sidecar.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Client, ClientOptions } from '@modelcontextprotocol/client';
import type { Caller } from '../../src/contract/access.ts';
import { OutriggerError, type WireError } from '../../src/contract/errors.ts';
import { operations } from '../../src/contract/operations.ts';
import { isTool, toolName } from '../../src/transports/mcp/tools.ts';
import { eventually } from '../kit/eventually.ts';
import { type McpFixture, type McpFixtureOptions, mcpToken, withMcp, withMcpStdio } from '../kit/mcp-fixtures.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

const modern: ClientOptions = { versionNegotiation: { mode: { pin: '2026-07-28' } } };

interface Way {
  name: string;
  options: ClientOptions;
  open: (sidecar: RunningSidecar['sidecar'], options: ClientOptions, run: (client: Client) => Promise<void>) => Promise<void>;
}

const overHttp: Way['open'] = (sidecar, options, run) => withMcp(sidecar, async ({ connect }) => run(await connect(mcpToken, options)));
const overStdio: Way['open'] = (sidecar, options, run) => withMcpStdio(sidecar, ({ client }) => run(client), { client: options });
const ways: Way[] = [
  { name: 'HTTP with a session', options: {}, open: overHttp },
  { name: 'HTTP, revision 2026-07-28', options: modern, open: overHttp },
  { name: 'stdio', options: {}, open: overStdio },
  { name: 'stdio, revision 2026-07-28', options: modern, open: overStdio },
];

interface ToolAnswer {
  text: string;
  value: Record<string, unknown>;
  failed: boolean;
  /** Texts after the first. */
  notes: string[];
}

async function call(client: Client, name: string, input: Record<string, unknown> = {}): Promise<ToolAnswer> {
  const { content, structuredContent, isError } = await client.callTool({ name, arguments: input });
  const [text = '', ...notes] = content.map((part) => (part.type === 'text' ? part.text : part.type));
  return { text, value: (structuredContent ?? {}) as Record<string, unknown>, failed: isError === true, notes };
}

async function reason(client: Client, name: string, input: Record<string, unknown> = {}): Promise<string> {
  const { failed, value, text } = await call(client, name, input);
  assert.ok(failed, `${name} did not fail: ${text}`);
  return (value as unknown as WireError).reason;
}

for (const { name, options, open } of ways) {
  describe(`over ${name}`, () => {
    test('an agent lists the tools, reads, writes and edits', async () => {
      await withSidecar(async ({ sidecar, put, file }) => {
        put('src/a.py', 'print(1)\n');
        await open(sidecar, options, async (client) => {
          assert.deepEqual(client.getServerVersion(), { name: 'outrigger', title: 'Outrigger', version: '1.2.3' });
          const { tools } = await client.listTools();
          assert.ok(tools.some((tool) => tool.name === 'files_read'));
          const read = await call(client, 'files_read', { path: 'src/a.py' });
          assert.equal(read.value['text'], 'print(1)\n');
          assert.deepEqual(JSON.parse(read.text), read.value);
          const edits = [{ find: '1', replace: '2' }];
          assert.equal((await call(client, 'files_edit', { path: 'src/a.py', edits, ifMatch: read.value['etag'] })).failed, false);
          assert.equal(file('src/a.py'), 'print(2)\n');
          assert.equal(await reason(client, 'files_edit', { path: 'src/a.py', edits, ifMatch: read.value['etag'] }), 'ETAG_MISMATCH');
          await call(client, 'files_write', { path: 'new/b.txt', text: 'b' });
          const list = await call(client, 'files_list', { recursive: true });
          assert.deepEqual((list.value['items'] as { path: string }[]).map((entry) => entry.path).toSorted(), [
            'new',
            'new/b.txt',
            'src',
            'src/a.py',
          ]);
        });
      });
    });

    test('what fails is a result with code, reason, message and hint; what is no tool is an error of the protocol', async () => {
      await withSidecar(async ({ sidecar }) => {
        await open(sidecar, options, async (client) => {
          const missing = await call(client, 'files_read', { path: 'none' });
          assert.equal(missing.failed, true);
          assert.match(missing.text, /^FILE_NOT_FOUND \(not_found\): .*none.*\nfiles_list shows what is there\.$/);
          const { code, reason: why, hint, retryable } = missing.value;
          assert.deepEqual([code, why, hint, retryable], ['not_found', 'FILE_NOT_FOUND', 'files_list shows what is there.', false]);
          assert.equal(await reason(client, 'files_read', { path: 5 }), 'BAD_INPUT');
          await assert.rejects(client.callTool({ name: 'tokens_list' }), { code: -32_602 });
          await assert.rejects(client.callTool({ name: 'files_download', arguments: { path: 'a' } }), { code: -32_602 });
        });
      });
    });

    test('files are resources: listed, read as text or bytes, and told about when they change', async () => {
      await withSidecar(async ({ sidecar, put, root }) => {
        const bytes = Buffer.from([0, 1, 2, 255]);
        put('a b/ü.txt', 'one\n');
        put('bytes.bin', bytes);
        await open(sidecar, options, async (client) => {
          const updated: string[] = [];
          let lists = 0;
          client.setNotificationHandler('notifications/resources/updated', ({ params }) => void updated.push(params.uri));
          client.setNotificationHandler('notifications/resources/list_changed', () => void lists++);
          const { resources } = await client.listResources();
          const text = 'workspace:///a%20b/%C3%BC.txt';
          assert.deepEqual(resources.map(({ uri, size }) => `${uri} ${size}`).toSorted(), [`${text} 4`, 'workspace:///bytes.bin 4']);
          const { resourceTemplates } = await client.listResourceTemplates();
          assert.deepEqual(
            resourceTemplates.map(({ uriTemplate }) => uriTemplate),
            ['workspace:///{+path}'],
          );
          const content = async (uri: string): Promise<unknown> => (await client.readResource({ uri })).contents[0];
          assert.deepEqual(await content(text), { uri: text, mimeType: 'text/plain', text: 'one\n' });
          assert.deepEqual(await content('workspace:///bytes.bin'), {
            uri: 'workspace:///bytes.bin',
            mimeType: 'application/octet-stream',
            blob: bytes.toString('base64'),
          });
          for (const uri of ['workspace:///none', 'file:///etc/passwd', 'workspace:///a%2Fb'])
            await assert.rejects(client.readResource({ uri }), { code: -32_602 }, uri);

          const followed = [text, 'workspace:///later.txt'];
          let unfollow: () => Promise<unknown>;
          if (options === modern) {
            const subscription = await client.listen({ resourceSubscriptions: followed, resourcesListChanged: true });
            unfollow = () => subscription.close();
          } else {
            for (const uri of followed) await client.subscribeResource({ uri });
            unfollow = () => Promise.all(followed.map((uri) => client.unsubscribeResource({ uri })));
          }
          put('a b/ü.txt', 'two\n');
          await eventually(() => assert.deepEqual(updated.splice(0), [text]));
          put('later.txt');
          await eventually(() => assert.deepEqual(updated.splice(0), ['workspace:///later.txt']));
          await eventually(() => assert.ok(lists > 0));
          assert.deepEqual(await content(text), { uri: text, mimeType: 'text/plain', text: 'two\n' });
          // A folder that moves takes along what is in it.
          fs.renameSync(path.join(root, 'a b'), path.join(root, 'c'));
          await eventually(() => assert.ok(updated.splice(0).includes(text)));
          await unfollow();
          // News of one that is followed still come after all that was before them.
          const still = 'workspace:///seen.txt';
          if (options === modern) await client.listen({ resourceSubscriptions: [still] });
          else await client.subscribeResource({ uri: still });
          put('later.txt', 'changed');
          put('seen.txt');
          await eventually(() => assert.ok(updated.includes(still)));
          assert.deepEqual([...new Set(updated)], [still]);
        });
      });
    });

    test('a path that leads out of the workspace is refused, by dots or by links, and beside a folder of like name', async () => {
      await withSidecar(async ({ sidecar, root }) => {
        // CVE-2025-53109, CVE-2025-53110, CVE-2026-35397: what begins like the root is not inside of it.
        const beside = `${root}-secret`;
        fs.mkdirSync(beside);
        fs.writeFileSync(path.join(beside, 'key'), 'secret');
        fs.symlinkSync(beside, path.join(root, 'folder'));
        fs.symlinkSync(path.join(beside, 'key'), path.join(root, 'file'));
        await open(sidecar, options, async (client) => {
          for (const given of ['../work-secret/key', 'folder/../../work-secret/key', '/etc/passwd', path.join(beside, 'key'), 'a\0b'])
            assert.equal(await reason(client, 'files_read', { path: given }), 'BAD_PATH', given);
          for (const given of ['folder/key', 'file']) {
            assert.equal(await reason(client, 'files_read', { path: given }), 'PATH_ESCAPES', given);
            await assert.rejects(client.readResource({ uri: `workspace:///${given}` }), { code: -32_602 });
          }
          for (const uri of [
            'workspace:///..%2Fwork-secret/key',
            'workspace:///../work-secret/key',
            'workspace:////etc/passwd',
            'workspace:///%2e%2e/x',
          ])
            await assert.rejects(client.readResource({ uri }), { code: -32_602 }, uri);
          assert.equal(await reason(client, 'files_write', { path: 'folder/new', text: 'x' }), 'PATH_ESCAPES');
          assert.equal(await reason(client, 'files_move', { from: 'folder/key', to: 'taken' }), 'PATH_ESCAPES');
          assert.deepEqual(fs.readdirSync(beside), ['key']);
          const { resources } = await client.listResources();
          assert.deepEqual(resources, []);
        });
      });
    });
  });
}

test('each operation is a tool unless it needs bytes, has no end, is for admins or needs a socket', () => {
  const left = Object.entries(operations).flatMap(([name, operation]) => (isTool(name, operation) ? [] : [name]));
  assert.deepEqual(left.filter((name) => !/^(tokens|search|index|code|processes|terminals|tasks|deploy)\./.test(name)).toSorted(), [
    'changes.watch',
    'documents.open',
    'documents.watch',
    'files.download',
    'files.upload',
  ]);
  for (const name of ['tokens.create', 'tokens.list', 'tokens.revoke', 'tokens.rotate']) assert.ok(left.includes(name), name);
  const names = Object.keys(operations).map(toolName);
  assert.equal(new Set(names).size, names.length);
  // What programs that hand tools to a model accept.
  for (const name of names) assert.match(name, /^[a-zA-Z0-9_-]{1,64}$/);
});

test('annotations and schemas of tools say what the table says', async () => {
  await withSidecar(async ({ sidecar }) => {
    await overHttp(sidecar, {}, async (client) => {
      const { tools } = await client.listTools();
      const of = (name: string): unknown => tools.find((tool) => tool.name === name)?.annotations;
      const hints = { openWorldHint: false };
      assert.deepEqual(of('files_read'), {
        ...hints,
        title: 'files.read',
        readOnlyHint: true,
        destructiveHint: false,
        idempotentHint: true,
      });
      assert.deepEqual(of('files_write'), { ...hints, title: 'files.write', readOnlyHint: false, destructiveHint: true });
      assert.deepEqual(of('files_mkdir'), { ...hints, title: 'files.mkdir', readOnlyHint: false, destructiveHint: false });
      for (const { name, inputSchema, description } of tools) {
        assert.equal(inputSchema.type, 'object', name);
        assert.ok((description ?? '').length > 10, name);
      }
      const edit = tools.find(({ name }) => name === 'files_edit')?.inputSchema;
      assert.deepEqual(edit?.required?.toSorted(), ['edits', 'path']);
    });
  });
});

test('an argument that no tool has is refused before anything is done, with the names that the tool has, nearest first', async () => {
  await withSidecar(async ({ sidecar, put, file }) => {
    put('a.txt', 'one');
    await overHttp(sidecar, {}, async (client) => {
      const edits = [{ find: 'one', replace: 'two' }];
      const dry = await call(client, 'files_edit', { path: 'a.txt', edits, dryRun: true });
      assert.match(dry.text, /^BAD_INPUT .*files_edit takes no "dryRun"; it takes /);
      const stale = await call(client, 'files_write', { path: 'a.txt', text: 'two', if_match: '"stale"' });
      assert.match(stale.text, /^BAD_INPUT .*files_write takes no "if_match"; it takes ifMatch, /);
      const inside = await call(client, 'files_edit', { path: 'a.txt', edits: [{ ...edits[0], regex: true }] });
      assert.match(inside.text, /^BAD_INPUT .*files_edit takes no "edits\.0\.regex"; it takes /);
      assert.equal(await reason(client, 'search_files', { path: '', pattern: '*' }), 'BAD_INPUT');
      assert.equal(file('a.txt'), 'one');
      const { tools } = await client.listTools();
      for (const { name, inputSchema } of tools) assert.equal(inputSchema['additionalProperties'], false, name);
    });
  });
});

test('over HTTP, what changed while no event stream was open is told once when one is', async () => {
  await withSidecar(async ({ sidecar }) => {
    const feed = { maxFollowed: 10, everyMs: 10, againAfterMs: 1000 };
    const watch = async ({ url }: McpFixture): Promise<void> => {
      const headers: Record<string, string> = { authorization: `Bearer ${mcpToken}`, accept: 'application/json, text/event-stream' };
      const ask = async (id: number, method: string, params: object): Promise<Response> => {
        const body = JSON.stringify({ jsonrpc: '2.0', id, method, params });
        const answer = await fetch(url, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body });
        await answer.text();
        return answer;
      };
      const clientInfo = { name: 'raw', version: '1' };
      const opened = await ask(1, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
      headers['mcp-session-id'] = opened.headers.get('mcp-session-id') ?? '';
      const [a, b] = ['workspace:///a.txt', 'workspace:///b.txt'];
      for (const uri of [a, b]) await ask(2, 'resources/subscribe', { uri });
      const listen = async (): Promise<{ told: () => string[]; end: () => void }> => {
        const stop = new AbortController();
        const { body, status } = await fetch(url, { headers, signal: stop.signal });
        assert.equal(status, 200);
        let text = '';
        (async () => {
          for await (const chunk of body ?? []) text += Buffer.from(chunk as Uint8Array).toString();
        })().catch(() => undefined);
        return { told: () => [...text.matchAll(/"uri":"([^"]*)"/g)].map(([, uri]) => uri ?? ''), end: () => stop.abort() };
      };
      let content = 0;
      const changed = async (name: string): Promise<void> => {
        // Longer than a stream needs to end, and than news are held back: each would have been told by itself.
        await new Promise((resolve) => setTimeout(resolve, 200));
        await ask(3, 'tools/call', { name: 'files_write', arguments: { path: name, text: String(++content) } });
        await new Promise((resolve) => setTimeout(resolve, 200));
      };
      await changed('a.txt');
      const first = await listen();
      await eventually(() => assert.deepEqual(first.told(), [a]));
      first.end();
      await changed('b.txt');
      await changed('b.txt');
      const second = await listen();
      await eventually(() => assert.deepEqual(second.told(), [b]));
      await changed('a.txt');
      await eventually(() => assert.deepEqual(second.told(), [b, a]));
      second.end();
    };
    await withMcp(sidecar, watch, { server: { feed } });
  });
});

test('answers are bounded: beginning and end stay, and what is left out is counted and said', async () => {
  await withSidecar(async ({ sidecar, put }) => {
    put('long.txt', `begin\n${'x'.repeat(300_000)}\nend\n`);
    for (let n = 0; n < 900; n++) put(`many/file-${String(n).padStart(4, '0')}.txt`, '');
    await overHttp(sidecar, {}, async (client) => {
      const long = await call(client, 'files_read', { path: 'long.txt' });
      const text = long.value['text'] as string;
      assert.ok(Buffer.byteLength(long.text) <= 65_536 && long.text.length > 60_000);
      assert.ok(text.startsWith('begin\n') && text.endsWith('end\n'));
      const [, omitted] = /… (\d+) bytes omitted …/.exec(text) ?? [];
      assert.equal(Number(omitted) + text.length - `\n… ${omitted} bytes omitted …\n`.length, 300_011);
      assert.match(long.notes[0] ?? '', new RegExp(`^Left out .*: ${omitted} bytes from the middle of "text"\\.`));
      const many = await call(client, 'files_list', { path: 'many' });
      const items = many.value['items'] as { name: string }[];
      assert.ok(Buffer.byteLength(many.text) <= 65_536);
      assert.deepEqual([items[0]?.name, items.at(-1)?.name, many.value['count']], ['file-0000.txt', 'file-0899.txt', 900]);
      assert.match(many.notes[0] ?? '', new RegExp(`: ${900 - items.length} items from the middle of "items"`));
      const short = await call(client, 'files_read', { path: 'long.txt', head: 1 });
      assert.deepEqual([short.value['text'], short.notes], ['begin\n', []]);
    });
  });
});

test('images that code shows come whole, as content of their own', { skip: requireTool('python3') }, async () => {
  await withSidecar(
    async ({ sidecar }) => {
      await overHttp(sidecar, {}, async (client) => {
        const code = `class Figure:
  def __init__(self, byte): self.bytes = b"\\x89PNG" + byte * 90_000
  def _repr_png_(self): return self.bytes
display(Figure(b"a"))
Figure(b"b")`;
        const { content, structuredContent } = await client.callTool({
          name: 'code_run',
          arguments: { language: 'py', code, keepState: true },
        });
        const images = content.flatMap((part) => (part.type === 'image' ? [part] : []));
        assert.deepEqual(
          images.map(({ mimeType, data }) => [mimeType, Buffer.from(data, 'base64').length, Buffer.from(data, 'base64').at(-1)]),
          [
            ['image/png', 90_004, 97],
            ['image/png', 90_004, 98],
          ],
        );
        const { items } = structuredContent as { items: { type: string; data: Record<string, string> }[] };
        const shown = items.filter(({ type }) => type === 'display').map(({ data }) => data['image/png']);
        assert.deepEqual(shown, ['image 1 of this answer', 'image 2 of this answer']);
        assert.equal(content.length, 3);
      });
    },
    { config: { components: ['files', 'code'] } },
  );
});

test('a resource that is too long is refused whole, and a long list comes in pages (long form)', async () => {
  await withSidecar(async ({ sidecar, put }) => {
    put('long.txt', 'x'.repeat(1024 * 1024 + 1));
    put('long.bin', Buffer.alloc(1024 * 1024 + 1));
    put('fits.bin', Buffer.alloc(1024 * 1024));
    for (let n = 0; n < 600; n++) put(`many/${n}`, '');
    await overHttp(sidecar, {}, async (client) => {
      for (const name of ['long.txt', 'long.bin'])
        await assert.rejects(client.readResource({ uri: `workspace:///${name}` }), /OUTPUT_TOO_LARGE: .*1048577 bytes/);
      const [fits] = (await client.readResource({ uri: 'workspace:///fits.bin' })).contents;
      assert.equal(fits !== undefined && 'blob' in fits && Buffer.from(fits.blob, 'base64').length, 1024 * 1024);
      const page = await client.listResources({ cursor: '0:0' });
      assert.ok(page.resources.length <= 500 && page.nextCursor !== undefined);
      const all = (await client.listResources()).resources.map(({ uri }) => uri);
      assert.deepEqual([all.length, new Set(all).size], [603, 603]);
      for (const cursor of ['x', '9:0', '0:999999']) await assert.rejects(client.listResources({ cursor }), /BAD_CURSOR/);
    });
  });
});

describe('a token', () => {
  const limited: Caller = { id: 'limited', name: 'Limited', kind: 'agent', access: 'write', paths: ['data', 'one.txt'] };
  const reader: Caller = { id: 'reader', name: 'Reader', kind: 'agent', access: 'read' };
  const callers: McpFixtureOptions = { callers: { limited, reader } };

  test('that may only read sees no tools that write, and is refused when it calls one', async () => {
    await withSidecar(async ({ sidecar, put, file }) => {
      put('a.txt', 'a');
      await withMcp(
        sidecar,
        async ({ connect }) => {
          const client = await connect('reader');
          const { tools } = await client.listTools();
          assert.deepEqual(
            tools.filter(({ annotations }) => annotations?.readOnlyHint !== true),
            [],
          );
          assert.ok(tools.length > 5);
          assert.equal(await reason(client, 'files_write', { path: 'a.txt', text: 'b' }), 'ACCESS_DENIED');
          assert.equal(file('a.txt'), 'a');
        },
        callers,
      );
    });
  });

  test('limited to some paths sees these alone, in tools, resources and news', async () => {
    await withSidecar(async ({ sidecar, put, root }) => {
      for (const name of ['data/in.txt', 'data-secret/out.txt', 'one.txt', 'other.txt']) put(name);
      fs.symlinkSync('../data-secret', path.join(root, 'data/link'));
      await withMcp(
        sidecar,
        async ({ connect }) => {
          for (const options of [{}, modern]) {
            const client = await connect('limited', options);
            const news: string[] = [];
            client.setNotificationHandler('notifications/resources/updated', ({ params }) => void news.push(params.uri));
            assert.equal((await call(client, 'files_read', { path: 'data/in.txt' })).value['text'], 'data/in.txt\n');
            for (const given of ['data-secret/out.txt', 'other.txt', 'data/link/out.txt'])
              assert.equal(await reason(client, 'files_read', { path: given }), 'OUT_OF_SCOPE', given);
            assert.equal(await reason(client, 'git_commit', { message: 'all' }), 'OUT_OF_SCOPE');
            const { tools } = await client.listTools();
            assert.ok(!tools.some((tool) => tool.name === 'git_commit'));
            const { resources } = await client.listResources();
            assert.deepEqual(
              resources.map(({ uri }) => uri),
              ['workspace:///data/in.txt', 'workspace:///one.txt'],
            );
            for (const name of ['data-secret/out.txt', 'data/link/out.txt']) {
              const uri = `workspace:///${name}`;
              await assert.rejects(client.readResource({ uri }), /OUT_OF_SCOPE/);
              await assert.rejects(
                options === modern ? client.listen({ resourceSubscriptions: [uri] }) : client.subscribeResource({ uri }),
                /OUT_OF_SCOPE/,
              );
            }
            if (options === modern) await client.listen({ resourceSubscriptions: ['workspace:///one.txt'] });
            else await client.subscribeResource({ uri: 'workspace:///one.txt' });
            put('data-secret/out.txt', `secret ${String(options === modern)}`);
            put('one.txt', `changed ${String(options === modern)}`);
            await eventually(() => assert.deepEqual(news, ['workspace:///one.txt']));
          }
        },
        callers,
      );
    });
  });

  test('that ends takes its session and its calls along; a request with it is refused', async () => {
    await withSidecar(async ({ sidecar, put }) => {
      put('a.txt');
      const end = new AbortController();
      const brief: Caller = { id: 'brief', name: 'Brief', kind: 'agent', access: 'write', ended: end.signal };
      await withMcp(
        sidecar,
        async ({ connect, mcp, url }) => {
          const client = await connect('brief');
          const other = await connect('brief', modern);
          await client.subscribeResource({ uri: 'workspace:///a.txt' });
          const listening = await other.listen({ resourceSubscriptions: ['workspace:///a.txt'] });
          assert.equal(mcp.sessions, 1);
          end.abort(new OutriggerError('TOKEN_EXPIRED', 'That token has run out.'));
          assert.equal(mcp.sessions, 0);
          await listening.closed;
          await assert.rejects(client.listTools());
          await assert.rejects(other.listTools());
          const answer = await fetch(url, { method: 'POST', headers: { authorization: 'Bearer brief' }, body: '{}' });
          assert.deepEqual([answer.status, ((await answer.json()) as WireError).reason], [401, 'TOKEN_EXPIRED']);
        },
        { callers: { brief } },
      );
    });
  });
});

test('a word that looks like an option or a command of a shell stays a word', async () => {
  await withSidecar(async ({ sidecar, put, root }) => {
    // CVE-2026-28463: arguments were checked one by one, and then handed to a shell as one text.
    execFileSync('git', ['init', '-q'], { cwd: root });
    put('a.txt');
    await overHttp(sidecar, {}, async (client) => {
      const words = ['$(touch pwned)', '`touch pwned`', '; touch pwned', '--output=pwned', '| touch pwned', 'a.txt\ntouch pwned'];
      for (const word of words) {
        await call(client, 'git_diff', { from: word });
        await call(client, 'git_log', { path: word, from: word });
        await call(client, 'git_show', { path: word, revision: word });
        put('a.txt', word);
        await call(client, 'git_commit', { message: word, author: { name: word, email: word } });
      }
      const log = await call(client, 'git_log');
      const subjects = (log.value['commits'] as { subject: string }[]).map(({ subject }) => subject);
      assert.ok(subjects.includes('$(touch pwned)'), 'the words were used, as words');
    });
    assert.deepEqual(
      fs.readdirSync(root).filter((name) => name.includes('pwned')),
      [],
    );
  });
});
