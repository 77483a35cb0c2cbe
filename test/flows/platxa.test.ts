import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { eventually } from '../kit/eventually.ts';
import { rawSocket, upgradeText } from '../kit/raw-socket.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

type Ask = (method: string, where: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

/** REST with this token; `null`: with none. */
function rest({ url, token }: RunningSidecar, own: string | null = token): Ask {
  return async (method, where, body, headers = {}) => {
    const json = body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' };
    const response = await fetch(url + where, {
      method,
      headers: { ...json, ...(own === null ? {} : { authorization: `Bearer ${own}` }), ...headers },
      ...(body === undefined ? {} : { body: body instanceof FormData ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
}

/** As `rest`, with the path as it is given: `fetch` takes the dots out. */
function unnormalised({
  port,
  token,
}: RunningSidecar): (method: string, where: string, body?: unknown) => Promise<Pick<Answer, 'status' | 'body'>> {
  return async (method, where, body) => {
    const asked = request({
      port,
      host: '127.0.0.1',
      method,
      path: where,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    });
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, body: (await json(response)) as Record<string, unknown> };
  };
}

type Frame = Record<string, unknown> & { type?: string; docName?: string; payload?: Record<string, unknown> };

/** A JSON socket that keeps all it hears. */
class JsonClient {
  readonly frames: Frame[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data as string) as Frame;
      this.frames.push(frame);
      this.onFrame(frame);
    };
    socket.onclose = ({ code, reason }) => (this.closed = { code, reason });
  }

  static async open(url: string, token: string | null): Promise<JsonClient> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/`, token === null ? [] : [token]);
    const client = new JsonClient(socket);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error('refused'));
    });
    return client;
  }

  onFrame: (frame: Frame) => void = () => undefined;

  send(frame: unknown): void {
    this.#socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  sendBytes(bytes: Uint8Array): void {
    this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
  }

  async next(wanted: (frame: Frame) => boolean): Promise<Frame> {
    let found: Frame | undefined;
    await eventually(() => (found = this.frames.find(wanted)) !== undefined);
    return found as Frame;
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  close(): void {
    this.#socket.close();
  }
}

/** A Yjs document on a JSON socket, in either form. */
function bind(client: JsonClient, docName: string, form: 'seed' | 'payload', ydoc = new Y.Doc()): Y.Text {
  client.onFrame = (frame) => {
    if (frame.docName !== docName) return;
    const update = frame.type === 'yjs-update' ? frame['update'] : frame.payload?.['update'];
    if (Array.isArray(update)) Y.applyUpdate(ydoc, Uint8Array.from(update as number[]), 'server');
    if (frame.type === 'sync' && update === undefined) {
      client.send({ type: 'update', docName, payload: { update: [...Y.encodeStateAsUpdate(ydoc)] } });
    }
  };
  ydoc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin === 'server') return;
    client.send(
      form === 'seed'
        ? { type: 'yjs-update', docName, update: [...update] }
        : { type: 'update', docName, payload: { update: [...update] } },
    );
  });
  if (form === 'seed') client.send({ type: 'yjs-update', docName, update: [] });
  else client.send({ type: 'sync', docName, payload: { stateVector: [...Y.encodeStateVector(ydoc)] } });
  return ydoc.getText('content');
}

describe('REST of the Platxa sidecar', () => {
  test('files are listed, read, written and deleted by any name', async () => {
    await withSidecar(async (running) => {
      const ask = rest(running);
      const names = [
        'plain.py',
        'with space.txt',
        'é/ü 🎉.txt',
        'new\nline',
        '100%.txt',
        'a?b#c',
        'it\'s "q"',
        'api/x',
        'files',
        'git/status',
        'logs/odoo',
        'collab/x',
        'ws/doc/x',
        'health',
        'upload/upload',
        '%2e%2e',
        '-rf',
        'back\\slash',
      ];
      for (const name of names) {
        const content = `content of ${name}\r\n`;
        for (const where of [name.split('/').map(encodeURIComponent).join('/'), encodeURIComponent(name)]) {
          assert.deepEqual((await ask('PUT', `/files/${where}`, { content })).body, { success: true }, name);
          assert.deepEqual((await ask('GET', `/files/${where}`)).body, { path: name, content }, name);
        }
        assert.equal(running.file(name), content);
      }
      const { body, status } = await ask('GET', '/files');
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(body), ['files']);
      for (const name of [...names, 'é', 'api', 'git', 'ws', 'ws/doc']) assert.ok((body['files'] as string[]).includes(name), name);
      for (const name of names) assert.deepEqual((await ask('DELETE', `/files/${encodeURIComponent(name)}`)).body, { success: true }, name);
      assert.equal((await ask('GET', '/files/plain.py')).status, 404);
    });
  });

  test('ignored folders are not listed', async () => {
    await withSidecar(async (running) => {
      running.put('node_modules/lib/index.js');
      running.put('src/a.py');
      running.put('src/__pycache__/a.pyc');
      assert.deepEqual((await rest(running)('GET', '/files')).body, { files: ['src', 'src/a.py'] });
    });
  });

  test('nothing leads out of the workspace', async () => {
    await withSidecar(async (running) => {
      const ask = unnormalised(running);
      const outside = path.join(path.dirname(running.root), 'secret.txt');
      fs.writeFileSync(outside, 'secret');
      fs.mkdirSync(`${running.root}-evil`);
      fs.writeFileSync(`${running.root}-evil/secret.txt`, 'secret');
      fs.symlinkSync(outside, path.join(running.root, 'link'));
      fs.symlinkSync(path.dirname(running.root), path.join(running.root, 'up'));
      const escapes = [
        '../secret.txt',
        '../../../etc/passwd',
        'a/../../secret.txt',
        '..%2fsecret.txt',
        '%2e%2e/secret.txt',
        '%2e%2e%2fsecret.txt',
        'a/..%2f..%2fsecret.txt',
        '%2fetc%2fpasswd',
        '/etc/passwd',
        '..%2fwork-evil%2fsecret.txt',
        'link',
        'up/secret.txt',
        'a%00b',
        `${'x/'.repeat(3000)}y`,
      ];
      for (const where of escapes) {
        for (const [method, body] of [['GET'], ['PUT', { content: 'x' }], ['DELETE']] as const) {
          // A link that leads out may be removed: what is removed is the link.
          if (method === 'DELETE' && where === 'link') continue;
          const answer = await ask(method, `/files/${where}`, body);
          assert.deepEqual([answer.status, answer.body], [403, { error: 'Invalid path' }], `${method} ${where}`);
        }
      }
      assert.equal(fs.readFileSync(outside, 'utf8'), 'secret');
      assert.ok(!JSON.stringify((await ask('GET', '/files')).body).includes('secret'));
    });
  });

  test('errors have the shape of the seed', async () => {
    await withSidecar(async (running) => {
      const ask = rest(running);
      running.put('bin', Buffer.from([0, 255, 1]));
      running.put('full/file');
      const table: [string, string, unknown, number, RegExp][] = [
        ['GET', '/files/nope', undefined, 404, /nope is not there/],
        ['DELETE', '/files/nope', undefined, 404, /nope/],
        ['GET', '/files/bin', undefined, 415, /not UTF-8/],
        ['GET', '/files/full', undefined, 409, /full/],
        ['DELETE', '/files/full', undefined, 409, /full/],
        ['PUT', '/files/x', {}, 400, /content/],
        ['PUT', '/files/x', { content: 1 }, 400, /content/],
        ['PUT', '/files/full/file/below', { content: '' }, 409, /./],
        ['POST', '/files/x', { content: '' }, 404, /upload/],
        ['POST', '/files/x/upload', { content: '' }, 406, /multipart/],
        ['PATCH', '/files/x', { content: '' }, 405, /PATCH/],
        ['POST', '/git/commit', {}, 400, /message/],
        ['GET', '/git/log?count=x', undefined, 400, /count/],
        ['GET', '/git/log', undefined, 409, /no git repository/],
      ];
      for (const [method, where, body, status, message] of table) {
        const answer = await ask(method, where, body);
        assert.deepEqual(
          [answer.status, Object.keys(answer.body)],
          [status, ['error']],
          `${method} ${where} ${JSON.stringify(answer.body)}`,
        );
        assert.match(String(answer.body['error']), message);
      }
    });
  });

  test('uploads take bytes as they are, up to 10 MB, whole or not at all', async () => {
    await withSidecar(async (running) => {
      const ask = rest(running);
      const form = (size: number): FormData => {
        const data = new FormData();
        data.set('note', 'before');
        data.set('file', new Blob([new Uint8Array(size).map((_, at) => at * 31)]), 'photo é.bin');
        return data;
      };
      assert.deepEqual((await ask('POST', '/files/a%20b/photo.bin/upload', form(70_000))).body, {
        success: true,
        path: 'a b/photo.bin',
        size: 70_000,
      });
      const bytes = fs.readFileSync(path.join(running.root, 'a b/photo.bin'));
      assert.ok(bytes.length === 70_000 && bytes.every((byte, at) => byte === (at * 31) % 256));
      assert.deepEqual((await ask('POST', '/files/a%20b/upload', form(3))).body, { success: true, path: 'a b/photo é.bin', size: 3 });
      assert.equal((await ask('POST', '/files/limit/upload', form(10 * 1024 * 1024))).body['size'], 10 * 1024 * 1024);
      const large = await ask('POST', '/files/large/upload', form(10 * 1024 * 1024 + 1));
      assert.deepEqual([large.status, Object.keys(large.body)], [413, ['error']]);
      assert.ok(!fs.existsSync(path.join(running.root, 'large')));
      assert.equal((await ask('POST', '/files/..%2fout/upload', form(3))).status, 403);
      const empty = new FormData();
      empty.set('note', 'no file');
      assert.equal((await ask('POST', '/files/none/upload', empty)).status, 400);
      const torn = await fetch(`${running.url}/files/torn/upload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${running.token}`, 'content-type': 'multipart/form-data; boundary=x' },
        body: '--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nhalf of it',
      });
      assert.deepEqual([torn.status, fs.existsSync(path.join(running.root, 'torn'))], [400, false]);
      const nameless = await fetch(`${running.url}/files/a%20b/upload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${running.token}`, 'content-type': 'multipart/form-data; boundary=x' },
        body: '--x\r\nContent-Disposition: form-data; name="f"\r\nContent-Type: application/octet-stream\r\n\r\nwhole\r\n--x--\r\n',
      });
      assert.equal(nameless.status, 400);
      assert.deepEqual(fs.readdirSync(path.join(running.root, 'a b')).sort(), ['photo é.bin', 'photo.bin']);
    });
  });

  test('conditions hold, and what did not change is not sent again', async () => {
    await withSidecar(async (running) => {
      const ask = rest(running);
      const first = await ask('PUT', '/files/a', { content: 'one' }, { 'if-none-match': '*' });
      assert.equal(first.status, 200);
      assert.equal((await ask('PUT', '/files/a', { content: 'two' }, { 'if-none-match': '*' })).status, 412);
      const etag = first.headers.get('etag') ?? '';
      const again = await ask('GET', '/files/a', undefined, { 'if-none-match': etag });
      assert.deepEqual([again.status, again.body, again.headers.get('etag')], [304, {}, etag]);
      assert.equal(first.headers.get('cache-control'), 'no-store, no-transform');
      assert.equal((await ask('PUT', '/files/a', { content: 'two' }, { 'if-match': etag })).status, 200);
      assert.equal((await ask('PUT', '/files/a', { content: 'three' }, { 'if-match': etag })).status, 412);
      assert.equal((await ask('DELETE', '/files/a', undefined, { 'if-match': etag })).status, 412);
      const old = { 'if-unmodified-since': 'Thu, 01 Jan 2015 00:00:00 GMT' };
      assert.equal(
        (await ask('PUT', '/files/a', { content: 'three' }, old)).status,
        400,
        'what can not be checked keeps it from being done',
      );
      assert.equal((await ask('DELETE', '/files/a', undefined, old)).status, 400);
      assert.equal((await ask('DELETE', '/files/a', undefined, { 'if-none-match': '"x"' })).status, 400);
      assert.equal(running.file('a'), 'two');
      const now = (await ask('GET', '/files/a', undefined, old)).headers.get('etag') ?? '';
      assert.equal((await ask('PUT', '/files/a', { content: 'four' }, { ...old, 'if-match': now })).status, 200);
      running.put('bom', '\ufeffmarked');
      assert.equal((await ask('GET', '/files/bom')).body['content'], '\ufeffmarked');
    });
  });

  test('a token is needed, and decides what may be done', async () => {
    await withSidecar(async (running) => {
      running.put('mine/a');
      running.put('other/b');
      const reader = await running.client.call('tokens.create', { name: 'reader', access: 'read', paths: ['mine', 'gone'] });
      for (const where of ['/files', '/files/mine/a', '/git/status', '/git/log']) {
        assert.equal((await rest(running, null)('GET', where)).status, 401, where);
        assert.equal((await rest(running, 'x'.repeat(32))('GET', where)).status, 401, where);
      }
      assert.equal((await rest(running, null)('PUT', '/files/x', { content: '' })).status, 401);
      const ask = rest(running, reader.secret);
      assert.deepEqual((await ask('GET', '/files')).body, { files: ['mine/a'] });
      assert.equal((await ask('GET', '/files/mine/a')).status, 200);
      assert.equal((await ask('GET', '/files/other/b')).status, 403);
      assert.equal((await ask('PUT', '/files/mine/a', { content: '' })).status, 403);
      assert.equal((await ask('POST', '/git/commit', { message: 'x' })).status, 403);
    });
  });

  test('health and readiness answer anybody, with evidence for those with a token', async () => {
    await withSidecar(async (running) => {
      const [open, known] = [rest(running, null), rest(running)];
      assert.deepEqual((await open('GET', '/health')).body, { status: 'ok', uptime: null, memory: null, connections: null });
      assert.deepEqual((await open('GET', '/ready')).body, { status: 'ready', checks: {} });
      assert.deepEqual((await known('GET', '/ready')).body, { status: 'ready', checks: { workspace: true, git: true, websocket: true } });
      const { status, uptime, memory, connections } = (await known('GET', '/health')).body as {
        status: string;
        uptime: number;
        memory: { rss: number };
        connections: number;
      };
      assert.equal(status, 'ok');
      assert.ok(uptime > 0 && uptime < 60 && memory.rss > 1e6 && connections >= 1);
    });
  });

  test('callers without a token may do what the option says, and no more', async () => {
    await withSidecar(
      async (running) => {
        const ask = rest(running, null);
        assert.equal((await ask('PUT', '/files/a', { content: 'open' })).status, 200);
        assert.equal((await ask('GET', '/files/a')).body['content'], 'open');
        assert.equal((await rest(running, 'x'.repeat(32))('GET', '/files/a')).status, 401, 'a wrong token is no anonymous caller');
        assert.equal((await ask('POST', '/api/files.read', { path: 'a' })).status, 401, 'only this wire is open');
        const client = await JsonClient.open(running.url, null);
        client.send({ type: 'sync', docName: 'a' });
        await client.next(({ type }) => type === 'sync');
        client.close();
        await assert.rejects(JsonClient.open(`${running.url}/rpc?`, null));
      },
      { config: { 'anonymous.platxa': 'write' } },
    );
    await withSidecar(
      async (running) => {
        assert.equal((await rest(running, null)('GET', '/files')).status, 200);
        assert.equal((await rest(running, null)('PUT', '/files/a', { content: '' })).status, 403);
      },
      { config: { 'anonymous.platxa': 'read' } },
    );
  });

  test('git answers in the shapes of the seed', { skip: requireTool('git') }, async () => {
    await withSidecar(
      async (running) => {
        const ask = rest(running);
        running.put('a b.txt', 'one\n');
        running.put('é.txt', 'one\n');
        assert.deepEqual((await ask('GET', '/git/status')).body, { staged: [], modified: [], untracked: [] });
        const first = await ask('POST', '/git/commit', { message: 'First\n\nbody' });
        assert.match(String(first.body['commit']), /^[0-9a-f]{40}$/);
        assert.deepEqual((await ask('POST', '/git/commit', { message: 'again' })).body, { commit: '' });
        running.put('a b.txt', 'two\n');
        running.put('new.txt');
        execFileSync('git', ['add', 'new.txt'], { cwd: running.root });
        running.put('fresh.txt');
        assert.deepEqual((await ask('GET', '/git/status')).body, { staged: ['new.txt'], modified: ['a b.txt'], untracked: ['fresh.txt'] });
        assert.match(String((await ask('GET', '/git/diff')).body['diff']), /^-one\n\+two$/m);
        assert.deepEqual((await ask('GET', '/git/diff?path=%C3%A9.txt')).body, { diff: '' });
        const { commits } = (await ask('GET', '/git/log?count=1')).body as { commits: Record<string, unknown>[] };
        assert.deepEqual(
          commits.map(({ hash, message, body }) => [hash, message, body]),
          [[first.body['commit'], 'First', 'body']],
        );
        assert.deepEqual(Object.keys(commits[0] ?? {}), ['hash', 'date', 'message', 'refs', 'body', 'author_name', 'author_email']);
        const headers = { 'x-request-id': 'req-1' };
        assert.equal((await ask('GET', '/git/status', undefined, headers)).headers.get('x-request-id'), 'req-1');
        await eventually(() => {
          const line = running.log.find(({ request_id }) => request_id === 'req-1');
          assert.deepEqual(
            [line?.['operation'], line?.['service'], typeof line?.['timestamp'], typeof line?.['duration_ms']],
            ['git.status', 'outrigger', 'string', 'number'],
          );
        });
      },
      { config: { 'git.init': true, 'log.names': 'platxa' } },
    );
  });

  test('what is typed and not yet saved is in the commit', { skip: requireTool('git') }, async () => {
    await withSidecar(
      async (running) => {
        running.put('a.txt', 'hello');
        const client = await JsonClient.open(running.url, running.token);
        const text = bind(client, 'a.txt', 'payload');
        await eventually(() => text.toString() === 'hello');
        text.insert(5, ' world');
        client.send({ type: 'presence', docName: 'a.txt', messageId: 'sent' });
        await client.next(({ messageId }) => messageId === 'sent');
        await rest(running)('POST', '/git/commit', { message: 'typed' });
        assert.equal(execFileSync('git', ['show', 'HEAD:a.txt'], { cwd: running.root, encoding: 'utf8' }), 'hello world');
        client.close();
      },
      { config: { 'git.init': true, 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' } },
    );
  });
});

describe('JSON sockets of the Platxa sidecar', () => {
  test('the frames of docs/platxa.md are what is said', async () => {
    const blocks = [...fs.readFileSync(new URL('../../docs/platxa.md', import.meta.url), 'utf8').matchAll(/```frames ?(\w*)\n(.*?)```/gs)];
    const framesOf = (name: string): string[] =>
      blocks
        .find(([, label]) => label === name)?.[2]
        ?.trim()
        .split('\n') ?? [];
    const run = async (running: RunningSidecar): Promise<void> => {
      const replay = async (client: JsonClient, lines: string[]): Promise<void> => {
        let heard = 0;
        for (const line of lines) {
          if (line.startsWith('> ')) {
            client.send(line.slice(2));
            continue;
          }
          await eventually(() => client.frames.length > heard);
          assert.equal(abridged(JSON.stringify(client.frames[heard++]), line.slice(2)), line.slice(2));
        }
        assert.equal(client.frames.length, heard, 'nothing else was said');
      };
      const [writer, other] = [await JsonClient.open(running.url, running.token), await JsonClient.open(running.url, running.token)];
      other.send({ type: 'sync', docName: 'notes.txt' });
      await other.next(({ type }) => type === 'sync');
      other.frames.length = 0;
      assert.ok(framesOf('').length > 10 && framesOf('seed').length === 6);
      await replay(writer, framesOf(''));
      await eventually(() => other.frames.length === 2);
      await replay(other, framesOf('other'));
      const seed = await JsonClient.open(running.url, running.token);
      await replay(seed, framesOf('seed'));
      for (const client of [writer, other, seed]) client.close();
      await running.client.call('documents.flush', {});
      assert.match(running.file('notes.txt'), /^(hi|ok|!){3}$/);
    };
    // Saved at the end only: a socket that is not in the document yet would be told.
    const config = { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' };
    await withSidecar(run, { config, prepare: (root) => fs.writeFileSync(path.join(root, 'notes.txt'), 'hi') });
  });

  test('clients of both forms and a stock y-websocket client end with one text, and so does the file', async () => {
    await withSidecar(async (running) => {
      const name = 'src/mod é.py';
      running.put(name, 'first line\n');
      running.put('elsewhere.py', 'untouched\n');
      const [one, two, bystander] = [
        await JsonClient.open(running.url, running.token),
        await JsonClient.open(running.url, running.token),
        await JsonClient.open(running.url, running.token),
      ];
      const texts = [bind(one, name, 'payload'), bind(two, name, 'seed')];
      bind(bystander, 'elsewhere.py', 'seed');
      const ydoc = new Y.Doc();
      const provider = new WebsocketProvider(`${running.url.replace('http', 'ws')}/ws/doc`, encodeURIComponent(name), ydoc, {
        protocols: [running.token],
        disableBc: true,
      });
      texts.push(ydoc.getText('content'));
      await eventually(() => texts.every((text) => text.toString() === 'first line\n'));
      for (let round = 0; round < 20; round++) for (const [at, text] of texts.entries()) text.insert((round * 7) % text.length, `${at}`);
      running.put('elsewhere.py', 'changed outside\n');
      texts[0]?.insert(0, 'done ');
      const length = 'first line\n'.length + 60 + 5;
      await eventually(() => new Set(texts.map(String)).size === 1 && texts[0]?.length === length, 10_000);
      const wanted = String(texts[0]);
      assert.match(wanted, /done /);
      await eventually(() => running.file(name) === wanted);
      assert.ok(
        bystander.of('yjs-update').every(({ docName }) => docName === 'elsewhere.py'),
        'only documents that were joined',
      );
      provider.awareness.setLocalStateField('user', { name: 'Stock' });
      const presence = (client: JsonClient): string => JSON.stringify(client.of('presence'));
      await eventually(() => presence(one).includes('"Stock"') && presence(two).includes('"Stock"'));
      one.send({ type: 'presence', docName: name, payload: { state: { id: 'u1', name: 'Json', color: '#00f' } } });
      await eventually(
        () => [...provider.awareness.getStates().values()].some((state) => state['name'] === 'Json') && presence(two).includes('"Json"'),
      );
      assert.ok(!presence(one).includes('"Json"'), 'one’s own presence is not sent back');
      one.close();
      await eventually(() => ![...provider.awareness.getStates().values()].some((state) => state['name'] === 'Json'));
      provider.destroy();
      ydoc.destroy();
      for (const client of [two, bystander]) client.close();
    });
  });

  test('presence is the state that is named, or else the payload itself; who sends null leaves', async () => {
    await withSidecar(async (running) => {
      const [one, other] = [await JsonClient.open(running.url, running.token), await JsonClient.open(running.url, running.token)];
      other.send({ type: 'sync', docName: 'a.txt', payload: {} });
      await other.next(({ type }) => type === 'sync');
      const ann = { id: 'u1', name: 'Ann', color: '#f00', colorLight: '#f003', cursor: { anchor: 1, head: 1 } };
      for (const [payload, state] of [
        [ann, ann],
        [{ client: 7, ...ann }, ann],
        [{ client: 7, state: { name: 'Ann' } }, { name: 'Ann' }],
        [{ client: 7, state: null }, null],
      ]) {
        other.frames.length = 0;
        one.send({ type: 'presence', docName: 'a.txt', payload });
        const { payload: told } = await other.next(({ type }) => type === 'presence');
        assert.deepEqual(
          (told?.['states'] as { state: unknown }[]).map((each) => each.state),
          [state],
        );
      }
      for (const client of [one, other]) client.close();
    });
  });

  test('a client that comes back after the state was lost doubles nothing', async () => {
    for (const form of ['payload', 'seed'] as const) {
      const ydoc = new Y.Doc();
      await withSidecar(async (running) => {
        running.put('a.txt', 'the text\n');
        const client = await JsonClient.open(running.url, running.token);
        const text = bind(client, 'a.txt', form, ydoc);
        await eventually(() => text.toString() === 'the text\n');
        text.insert(0, 'mine and ');
        await eventually(() => running.file('a.txt') === 'mine and the text\n');
        client.close();
      });
      const offline = new Y.Doc();
      Y.applyUpdate(offline, Y.encodeStateAsUpdate(ydoc));
      offline.getText('content').insert(0, 'offline, ');
      await withSidecar(async (running) => {
        running.put('a.txt', 'mine and the text\nfrom another\n');
        const client = await JsonClient.open(running.url, running.token);
        if (form === 'seed') client.send({ type: 'yjs-update', docName: 'a.txt', update: [...Y.encodeStateAsUpdate(offline)] });
        const text = bind(client, 'a.txt', form, offline);
        await eventually(() => text.toString().includes('another') && text.toString().includes('offline'));
        assert.equal(text.toString().split('the text').length, 2, text.toString());
        await eventually(() => running.file('a.txt') === text.toString());
        client.close();
      });
    }
  });

  test('changes of files are told as they happen, to those who may see them', async () => {
    const run = async (running: RunningSidecar): Promise<void> => {
      const limited = await running.client.call('tokens.create', { name: 'limited', access: 'write', paths: ['mine'] });
      const [all, some, inside] = [
        await JsonClient.open(running.url, running.token),
        await JsonClient.open(running.url, limited.secret),
        await JsonClient.open(running.url, running.token),
      ];
      const text = bind(inside, 'open.txt', 'payload');
      await eventually(() => text.toString() === 'one');
      const ask = rest(running);
      await ask('PUT', '/files/mine/a.txt', { content: 'two' });
      await ask('PUT', '/files/new.txt', { content: 'x' });
      running.put('outside.txt');
      await all.next(({ path: where }) => where === 'outside.txt');
      await running.client.call('files.move', { from: 'new.txt', to: 'moved.txt' });
      await ask('DELETE', '/files/moved.txt');
      await running.client.call('files.mkdir', { path: 'folder' });
      text.insert(3, ' and more');
      await all.next(({ path: where }) => where === 'open.txt');
      await ask('PUT', '/files/mine/last.txt', { content: '' });
      for (const client of [all, some, inside]) await client.next(({ path: where }) => where === 'mine/last.txt');
      const news = (client: JsonClient): Frame[] => client.of('file-changed').filter(({ path: where }) => where !== 'outside.txt');
      const mine = [
        { type: 'file-changed', path: 'mine/a.txt' },
        { type: 'file-changed', path: 'mine/last.txt', change: 'created' },
      ];
      const others = [
        { type: 'file-changed', path: 'new.txt', change: 'created' },
        { type: 'file-changed', path: 'moved.txt', change: 'moved', from: 'new.txt' },
        { type: 'file-changed', path: 'moved.txt', change: 'deleted' },
        { type: 'file-changed', path: 'folder', change: 'created', kind: 'directory' },
      ];
      assert.deepEqual(news(all), [mine[0], ...others, { type: 'file-changed', path: 'open.txt' }, mine[1]]);
      assert.deepEqual(news(inside), [mine[0], ...others, mine[1]], 'who is in the document knows');
      assert.deepEqual(some.of('file-changed'), mine);
      assert.ok(all.of('file-changed').some(({ path: where, change }) => where === 'outside.txt' && change === 'created'));
      some.send({ type: 'sync', docName: 'open.txt', messageId: 1 });
      assert.equal((await some.next(({ type }) => type === 'error')).payload?.['reason'], 'OUT_OF_SCOPE');
      for (const client of [all, some, inside]) client.close();
    };
    const prepare = (root: string): void => {
      fs.mkdirSync(path.join(root, 'mine'));
      for (const name of ['mine/a.txt', 'open.txt']) fs.writeFileSync(path.join(root, name), 'one');
    };
    await withSidecar(run, { prepare });
  });

  test('who may only read is told so, and sees what others do', async () => {
    await withSidecar(async (running) => {
      running.put('a.txt', 'one');
      const reader = await running.client.call('tokens.create', { name: 'reader', access: 'read' });
      const [client, writer] = [await JsonClient.open(running.url, reader.secret), await JsonClient.open(running.url, running.token)];
      const [seen, text] = [bind(client, 'a.txt', 'payload'), bind(writer, 'a.txt', 'seed')];
      await eventually(() => seen.toString() === 'one' && text.toString() === 'one');
      const mine = new Y.Doc();
      mine.getText('content').insert(0, 'never');
      for (const form of ['yjs-update', 'update']) {
        const update = [...Y.encodeStateAsUpdate(mine)];
        client.send({ type: form, docName: 'a.txt', update, payload: { update }, messageId: form });
        assert.equal((await client.next(({ messageId }) => messageId === form)).payload?.['reason'], 'READ_ONLY');
      }
      client.send({ type: 'sync', docName: 'missing.txt', messageId: 'm' });
      assert.equal((await client.next(({ messageId }) => messageId === 'm')).payload?.['reason'], 'FILE_NOT_FOUND');
      text.insert(3, ' two');
      await eventually(() => seen.toString() === 'one two');
      await running.client.call('tokens.revoke', { id: reader.id });
      await eventually(() => client.closed?.code === 4001);
      await eventually(() => running.file('a.txt') === 'one two');
      writer.close();
    });
  });

  test('what is no message is answered, and what can not be one ends the socket', async () => {
    await withSidecar(
      async (running) => {
        const client = await JsonClient.open(running.url, running.token);
        const bad: unknown[] = [
          '',
          '[]',
          '1',
          'null',
          { docName: 'a.txt' },
          { type: 'sync' },
          { type: 'sync', docName: 5 },
          { type: 'sync', docName: '' },
          { type: 'update', docName: 'a.txt', payload: [] },
          { type: 'yjs-update', docName: 'a.txt', update: 'AAA=' },
          { type: 'yjs-update', docName: 'a.txt', update: [256] },
          { type: 'yjs-update', docName: 'a.txt', update: [-1] },
          { type: 'yjs-update', docName: 'a.txt', update: [1.5] },
          { type: 'yjs-update', docName: 'a.txt', update: ['1'] },
          { type: 'presence', docName: 'a.txt', payload: { state: 'x' } },
          { type: 'presence', docName: 'a.txt', payload: { client: -1 } },
          { type: 'yjs-update', docName: 'a.txt', update: [1, 2, 3, 200] },
        ];
        for (const [at, message] of bad.entries()) {
          client.send(message);
          await eventually(() => client.frames.length === at + 1);
          assert.equal(client.frames[at]?.payload?.['reason'], 'BAD_FRAME', JSON.stringify(message));
        }
        const ids = ['platxa.connected', 'platxa.message-refused'].map((event) =>
          running.log.filter((line) => line['event'] === event).map((line) => line['request_id']),
        );
        assert.equal(ids[0]?.length, 1);
        assert.match(String(ids[0]?.[0]), /^[\w-]{36}$/);
        assert.deepEqual(ids[1], ids[0], 'one line for a socket, however much it sends');
        client.send({ type: 'ack', messageId: 1 });
        const text = bind(client, 'a.txt', 'payload');
        await eventually(() => text.toString() === 'one');
        // Well-formed as JSON, broken as an update of a document that is open, in its structs or in what it deletes: the socket stays in it.
        for (const update of [
          [1, 2, 3],
          [1, 1, 9, 0, 4, 1],
          [0, 1, 9],
        ]) {
          client.frames.length = 0;
          client.send({ type: 'update', docName: 'a.txt', payload: { update }, messageId: 'broken' });
          client.send({ type: 'update', docName: 'a.txt', payload: {}, messageId: 'whole' });
          await client.next(({ messageId }) => messageId === 'whole');
          const told = client.frames.map(({ type, docName, messageId, payload }) => [type, docName, messageId, payload?.['reason']]);
          assert.deepEqual(told, [
            ['error', 'a.txt', 'broken', 'BAD_FRAME'],
            ['ack', 'a.txt', 'whole', undefined],
          ]);
        }
        client.sendBytes(Uint8Array.of(0, 0, 0));
        await eventually(() => client.closed?.code === 4000);

        const large = await JsonClient.open(running.url, running.token);
        large.send(`"${'x'.repeat(70_000)}"`);
        await eventually(() => large.closed?.code === 1009);
      },
      { config: { 'limits.frameBytes': '65536' }, prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), 'one') },
    );
  });

  test('too many messages a second end the socket, a burst below the limit does not', async () => {
    await withSidecar(
      async (running) => {
        const client = await JsonClient.open(running.url, running.token);
        // A busy machine reads them over seconds, each of which allows for 20 more.
        for (let count = 0; count < 300; count++) client.send({ type: 'ack' });
        await eventually(() => client.closed !== undefined);
        assert.equal(client.closed?.code, 4003);
        assert.equal(client.frames.at(-1)?.payload?.['reason'], 'TOO_MANY');
        const calm = await JsonClient.open(running.url, running.token);
        for (let count = 0; count < 20; count++) calm.send({ type: 'x', messageId: count });
        await eventually(() => calm.frames.length === 20);
        assert.ok(calm.closed === undefined && calm.frames.every(({ payload }) => payload?.['reason'] === 'BAD_FRAME'));
        calm.close();
      },
      { config: { 'limits.jsonMessagesPerS': '20' } },
    );
  });

  test('without a token there is no socket, and with one it is echoed as the protocol', async () => {
    await withSidecar(async ({ port, token, url }) => {
      for (const [headers, status] of [
        [{}, 401],
        [{ Authorization: 'Bearer nonsense-nonsense' }, 401],
        [{ 'Sec-WebSocket-Protocol': token, Origin: 'https://evil.example' }, 403],
      ] as const) {
        const refused = await rawSocket(port, upgradeText('/', headers));
        await refused.closed;
        assert.match(refused.received, new RegExp(`^HTTP/1\\.1 ${status} `));
      }
      const taken = await rawSocket(port, upgradeText('/', { 'Sec-WebSocket-Protocol': token }));
      await eventually(() => taken.received.includes('\r\n\r\n'));
      assert.match(taken.received, /^HTTP\/1\.1 101 /);
      assert.ok(taken.received.toLowerCase().includes(`sec-websocket-protocol: ${token.toLowerCase()}`));
      taken.socket.destroy();
      const byQuery = await JsonClient.open(`${url}/?token=${token}&x=`, null);
      byQuery.close();
    });
  });

  test('a socket whose other end is gone without a word is cut after two silent beats, and its presence with it', async () => {
    await withSidecar(
      async (running) => {
        running.put('a.txt', 'one');
        const gone = await rawSocket(running.port, upgradeText('/', { 'Sec-WebSocket-Protocol': running.token }), true);
        await eventually(() => gone.received.includes('\r\n\r\n'));
        gone.socket.write(masked(JSON.stringify({ type: 'presence', docName: 'a.txt', payload: { state: { name: 'Ghost' } } })));
        const alive = await JsonClient.open(running.url, running.token);
        alive.send({ type: 'presence', docName: 'a.txt' });
        const presence = (): unknown[] =>
          alive
            .of('presence')
            .flatMap(({ payload }) => payload?.['states'] as { state: unknown }[])
            .map(({ state }) => state);
        await eventually(() => JSON.stringify(presence()).includes('Ghost'));
        gone.socket.pause();
        await eventually(() => presence().at(-1) === null, 3000);
        assert.equal(alive.closed, undefined, 'who answers stays');
        gone.socket.destroy();
        alive.close();
      },
      { config: { 'limits.heartbeatMs': '150' } },
    );
  });

  test('the second port speaks the same, and one port does when it is not set', async () => {
    await withSidecar(
      async (running) => {
        running.put('a.txt', 'one');
        const second = running.sidecar.socketUrl ?? '';
        const clients = [await JsonClient.open(second, running.token), await JsonClient.open(running.url, running.token)];
        const texts = clients.map((client) => bind(client, 'a.txt', 'seed'));
        await eventually(() => texts.every((text) => text.toString() === 'one'));
        texts[0]?.insert(3, ' two');
        await eventually(() => texts.every((text) => text.toString() === 'one two'));
        await eventually(() => running.file('a.txt') === 'one two');
        for (const client of clients) client.close();
      },
      { config: { wsPort: '0' } },
    );
  });

  test('a stopping sidecar closes with 1001 and has saved what was typed', async () => {
    let closed: { code: number } | undefined;
    let text = '';
    await withSidecar(
      async (running) => {
        running.put('a.txt', 'one');
        const client = await JsonClient.open(running.url, running.token);
        const bound = bind(client, 'a.txt', 'payload');
        await eventually(() => bound.toString() === 'one');
        bound.insert(3, ' two');
        client.send({ type: 'presence', docName: 'a.txt', messageId: 1 });
        await client.next(({ messageId }) => messageId === 1);
        await running.sidecar.stop();
        await eventually(() => client.closed !== undefined);
        closed = client.closed;
        text = running.file('a.txt');
        assert.deepEqual(client.of('error'), []);
      },
      { config: { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '60000' } },
    );
    assert.deepEqual([closed?.code, text], [1001, 'one two']);
  });
});

/** As the documentation shortens it: what stands for `[…]` and `…` there is not compared. */
function abridged(said: string, written: string): string {
  let text = said;
  if (written.includes('"update":[…]')) text = text.replace(/"update":\[[\d,]+\]/, '"update":[…]');
  if (written.includes('"stateVector":[…]')) text = text.replace(/"stateVector":\[[\d,]+\]/, '"stateVector":[…]');
  if (written.includes('"message":"…"')) text = text.replace(/"message":"(?:[^"\\]|\\.)+"/, '"message":"…"');
  return text;
}

/** A text frame as a client sends it, with a mask of zeros. */
function masked(text: string): Buffer {
  const payload = Buffer.from(text);
  assert.ok(payload.length < 126);
  return Buffer.concat([Buffer.of(0x81, 0x80 | payload.length, 0, 0, 0, 0), payload]);
}
