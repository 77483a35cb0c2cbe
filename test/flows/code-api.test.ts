import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { languages, programsOf } from '../../src/services/exec/languages.ts';
import { eventually } from '../kit/eventually.ts';
import { blocks, fits, wordsOf } from '../kit/doc-pages.ts';
import { goldenFiles, replay } from '../kit/golden.ts';
import { rawSocket } from '../kit/raw-socket.ts';
import { requireTool, type Tool } from '../kit/require-tools.ts';
import { lentSidecar, type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** Asks the Code API with this key. */
function codeApi({ url, token }: RunningSidecar, key: string = token): (method: string, where: string, body?: unknown) => Promise<Answer> {
  return async (method, where, body) => {
    const isRaw = body === undefined || body instanceof FormData || typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(`${url}/v1${where}`, {
      method,
      headers: { 'x-api-key': key, ...(body instanceof FormData ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
  };
}

function formOf(...files: [name: string, content: string | Uint8Array<ArrayBuffer>][]): FormData {
  const form = new FormData();
  for (const [name, content] of files) form.append('files', new Blob([content]), name);
  return form;
}

interface Uploaded {
  session_id: string;
  files: { filename: string; fileId: string }[];
}

async function upload(ask: ReturnType<typeof codeApi>, form: FormData): Promise<Uploaded> {
  const { status, body } = await ask('POST', '/upload', form);
  assert.equal(status, 200, JSON.stringify(body));
  return body as unknown as Uploaded;
}

/** Those that count sessions, or calls in its log, have a sidecar of their own. */
const withShared = lentSidecar();
const bash = (code: string, more: object = {}): object => ({ code, lang: 'bash', ...more });

describe('golden requests and responses of the Code API', () => {
  for (const golden of goldenFiles('code-api')) {
    test(golden.about, { skip: requireTool('bwrap', ...golden.needs) }, () => withShared((running) => replay(golden, running)));
  }
});

test('the requests of docs/code-api.md answer as it says', () =>
  withSidecar(
    async ({ url, token, sidecar }) => {
      const lines = blocks('docs/code-api.md', 'console').flatMap((block) => block.trimEnd().split('\n'));
      assert.equal(lines.length, 12);
      for (let at = 0; at < lines.length; at += 2) {
        const line = lines[at] as string;
        const [dollar, program, address = '', ...args] = wordsOf(line.replaceAll('$OUTRIGGER_TOKEN', token));
        assert.deepEqual([dollar, program], ['$', 'curl'], line);
        const headers = args.flatMap((arg, n) => (arg === '-H' ? [(args[n + 1] ?? '').split(': ') as [string, string]] : []));
        const body = args.includes('-d') ? args[args.indexOf('-d') + 1] : undefined;
        const asked = new URL(address);
        const base = asked.hostname === 'runner' ? sidecar.runnerUrl : url;
        const answer = await fetch(`${base}${asked.pathname}`, { headers, ...(body === undefined ? {} : { method: 'POST', body }) });
        const text = await answer.text();
        assert.ok(fits(text, lines[at + 1] as string), `${line}\nanswered ${text}`);
      }
    },
    { config: { runnerPort: '0', runnerLanguage: 'bash', 'anonymous.runner': 'execute' } },
  ));

describe('each language answers at /v1/exec, as a script asks that looks whether a service is up', () => {
  for (const language of languages) {
    const needed = programsOf(language).filter((program): program is Tool => !['node', 'bash'].includes(program));
    test(language.name, { skip: requireTool(...needed) }, () =>
      withShared(async (running) => {
        const asked = { code: language.sample, lang: language.code, user_id: 'smoke-tester' };
        const { status, body } = await codeApi(running)('POST', '/exec', asked);
        const { session_id: session, stdout, stderr, files } = body;
        assert.deepEqual(
          { status, stdout, stderr, files },
          { status: 200, stdout: `Hello from ${language.name}\n`, stderr: '', files: [] },
        );
        assert.match(String(session), /^[\w-]{21}$/);
      }),
    );
  }
});

test('variables of Python live on in a session, and are what its state says', { skip: requireTool('python3') }, () =>
  withShared(async (running) => {
    const ask = codeApi(running);
    const { body: first } = await ask('POST', '/exec', { code: 'x = 41', lang: 'py' });
    assert.deepEqual([first['has_state'], typeof first['state_size'], String(first['state_hash']).length], [true, 'number', 64]);
    const session = String(first['session_id']);
    const state = await fetch(`${running.url}/v1/state/${session}`, { headers: { 'x-api-key': running.token } });
    assert.equal(state.headers.get('etag'), `"${String(first['state_hash'])}"`);
    assert.equal((await state.arrayBuffer()).byteLength, first['state_size']);
    assert.equal((await ask('POST', '/exec', { code: 'print(x + 1)', lang: 'py', session_id: session })).body['stdout'], '42\n');
    assert.equal((await ask('POST', '/exec', bash('echo', { session_id: session }))).body['has_state'], false);
    assert.match(String((await ask('POST', '/exec', { code: 'print(x)', lang: 'py' })).body['stderr']), /NameError/);
  }),
);

test('a state that is sent without a body, with a type or without one, is an empty one', () =>
  withShared(async ({ url, token, client }) => {
    const { id } = await client.call('code.openSession', {});
    for (const type of [{}, { 'content-type': 'application/octet-stream' }]) {
      const answer = await fetch(`${url}/v1/state/${id}`, { method: 'POST', headers: { 'x-api-key': token, ...type } });
      assert.deepEqual([answer.status, await answer.json()], [201, { message: 'state_uploaded', size: 0 }]);
    }
  }));

test('a file is had by the ids of its own session alone, in downloads, in runs and when it is removed', () =>
  withShared(async (running) => {
    const ask = codeApi(running);
    const one = await upload(ask, formOf(['secret.txt', 'of one']));
    const other = await upload(ask, formOf(['other.txt', 'of the other']));
    const id = one.files[0]?.fileId ?? '';
    assert.equal((await ask('GET', `/download/${other.session_id}/${id}`)).status, 404);
    assert.equal((await ask('DELETE', `/files/${other.session_id}/${id}`)).status, 404);
    const files = [{ id, session_id: other.session_id, name: 'secret.txt' }];
    assert.equal((await ask('POST', '/exec', bash('cat secret.txt', { files }))).status, 404);
    const inside = await ask('POST', '/exec', bash('cat secret.txt', { files, session_id: other.session_id }));
    assert.equal(inside.status, 404, 'also where the run is in the session that is named');
    for (const odd of ['../../etc/passwd', '%2e%2e%2f%2e%2e', 'x'.repeat(21), `${id}\0`, '☀'.repeat(21)]) {
      const name = encodeURIComponent(odd);
      assert.equal((await ask('GET', `/download/${one.session_id}/${name}`)).status, 404, odd);
      assert.deepEqual((await ask('GET', `/files/${name}`)).body, [], odd);
    }
  }));

test('a form that ends within a file, and a file of no field, are the mistakes of who sent them', () =>
  withSidecar(
    async ({ url, token, sidecar, log }) => {
      const sent = async (base: string | undefined, where: string, body: string): Promise<[number, string]> => {
        const headers = { 'x-api-key': token, authorization: `Bearer ${token}`, 'content-type': 'multipart/form-data; boundary=X' };
        const response = await fetch(`${base}${where}`, { method: 'POST', headers, body });
        return [response.status, await response.text()];
      };
      const torn = '--X\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf of it';
      for (const [expected, [status, text]] of [
        [422, await sent(url, '/v1/upload', torn)],
        [400, await sent(sidecar.runnerUrl, '/files', torn)],
      ] as const) {
        assert.equal(status, expected, text);
        assert.match(text, /The form is broken/);
      }
      const nameless = '--X\r\nContent-Disposition: form-data; filename="a.txt"\r\n\r\nwhole\r\n--X--\r\n';
      assert.equal((await sent(url, '/v1/upload', nameless))[0], 422);
      assert.deepEqual(
        log.filter(({ level }) => level === 'error'),
        [],
      );
    },
    { config: { runnerPort: '0' }, mayLogErrors: true },
  ));

test('of a file that a program makes longer as many bytes are sent as were announced, and one that became shorter is cut off', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-code-'));
  await withSidecar(
    async (running) => {
      const ask = codeApi(running);
      const { session_id: session, files } = await upload(ask, formOf(['log.txt', 'start\n']));
      const at = (fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }) as string[]).find((name) => name.endsWith('/log.txt'));
      const file = path.join(folder, at ?? '');
      const request = `GET /v1/download/${session}/${files[0]?.fileId} HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: ${running.token}\r\n\r\n`;
      fs.appendFileSync(file, 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged');
      const longer = await rawSocket(running.port, request + request);
      await eventually(() => assert.equal(longer.received.match(/start\n/g)?.length, 2));
      assert.doesNotMatch(longer.received, /forged/);
      longer.socket.destroy();
      fs.truncateSync(file, 3);
      const shorter = await rawSocket(running.port, request);
      await shorter.closed;
      assert.match(shorter.received, /content-length: 6\r\n.*\r\n\r\nsta$/is);
    },
    { config: { 'code.folder': folder } },
  ).finally(() => fs.rmSync(folder, { recursive: true, force: true }));
});

test(
  'figures and other images that Python shows are files of the answer, those that do not fit are named, and what is no image is none',
  {
    skip: requireTool('python3'),
  },
  () =>
    withSidecar(
      async (running) => {
        const ask = codeApi(running);
        const png = Buffer.from('89504e470d0a1a0a', 'hex');
        const code = `
class Image:
  def __init__(self, type, data): self.type, self.data = type, data
  def _repr_mimebundle_(self, include=None, exclude=None): return {'text/plain': 'an image', self.type: self.data}
open('own.txt', 'w').write('own')
display(Image('image/png', '${png.toString('base64')}'))
display(Image('text/html', '<b>table</b>'))
Image('image/svg+xml', '<svg/>')`;
        const py = (more: object): Promise<Answer> => ask('POST', '/exec', { lang: 'py', ...more });
        const { body } = await py({ code });
        const { session_id: session, files } = body as { session_id: string; files: { id: string; name: string; path: string }[] };
        assert.deepEqual(
          files.map(({ name }) => name.replace(/-[A-Za-z0-9]{6}-/, '-RUN-')),
          ['own.txt', 'figure-RUN-1.png', 'figure-RUN-2.svg'],
        );
        assert.deepEqual([body['stdout'], body['stderr']], ['', '']);
        const download = async (id = ''): Promise<[type: string | null, bytes: Buffer]> => {
          const response = await fetch(`${running.url}/v1/download/${session}/${id}`, { headers: { 'x-api-key': running.token } });
          return [response.headers.get('content-type'), Buffer.from(await response.arrayBuffer())];
        };
        assert.deepEqual(await download(files[1]?.id), ['image/png', png]);
        assert.deepEqual((await download(files[2]?.id))[1], Buffer.from('<svg/>'));
        // The next run has others, and finds these in its folder; one that shows many has the first ten, one that is too large none.
        const again = (
          await py({
            session_id: session,
            code: `import os\nfor n in range(12): display(Image('image/png', '${png.toString('base64')}'))\nprint(len(os.listdir('.')))`,
          })
        ).body;
        assert.deepEqual([again['stdout'], again['stderr']], ['3\n', 'note: 2 of the images that it showed were not kept.']);
        assert.equal((again['files'] as unknown[]).length, 10);
        const large = (await py({ session_id: session, code: "display(Image('image/png', 'A' * 8000))" })).body;
        assert.deepEqual(large['files'], []);
        assert.match(
          String(large['stderr']),
          /^note: An image that it showed was not kept: figure-\w+-1\.png is larger than 4000 bytes\.$/,
        );
      },
      { config: { 'code.fileBytes': '4000' } },
    ),
);

test('names of which nothing is left are refused, and nothing of their form stays', () =>
  withShared(async (running) => {
    const ask = codeApi(running);
    const { session_id: session } = await upload(ask, entityForm('agent', ['kept.txt', 'kept']));
    for (const name of ['..', '.', '/', '...', '☀', '\0']) {
      const refused = await ask('POST', '/upload', entityForm('agent', ['new.txt', 'new'], [name, 'x']));
      assert.ok(refused.status === 422 || refused.status === 400, `${JSON.stringify(name)}: ${refused.status}`);
      assert.equal(refused.body['error_type'], 'validation');
    }
    const { body } = await ask('GET', `/files/${session}?detail=simple`);
    assert.deepEqual(
      (body as unknown as { name: string }[]).map(({ name }) => name),
      ['kept.txt'],
    );
    const { files } = await upload(ask, formOf(['../../a/b c?.txt', '1'], ['.hidden', '2'], [`${'a'.repeat(300)}.txt`, '3']));
    const names = files.map(({ filename }) => filename);
    assert.deepEqual(names, ['b_c_.txt', '_.hidden', `${'a'.repeat(251)}.txt`]);
  }));

test('files of other names that are made the same are two, in one form and for runs that name them (long form)', () =>
  withShared(async (running) => {
    const ask = codeApi(running);
    const form = formOf(['报告.csv', 'report'], ['数据.csv', 'data'], ['a/b.txt', 'a'], ['c/b.txt', 'c']);
    const { session_id: session, files } = await upload(ask, form);
    assert.deepEqual(
      files.map(({ filename }) => filename),
      ['__.csv', '__-2.csv', 'b.txt', 'b-2.txt'],
    );
    const refs = files.map(({ fileId: id, filename: name }) => ({ id, name, session_id: session }));
    const { body } = await ask('POST', '/exec', bash('grep . *.csv *.txt', { files: refs }));
    assert.deepEqual([body['stdout'], body['stderr']], ['__-2.csv:data\n__.csv:report\nb-2.txt:c\nb.txt:a\n', '']);
    // Those of the session of the run keep their places before others.
    const other = await upload(ask, formOf(['报告.csv', 'newer']));
    const newer = { id: other.files[0]?.fileId, name: '__.csv', session_id: other.session_id };
    const again = (await ask('POST', '/exec', bash('grep . *.csv *.txt', { session_id: session, files: [newer, ...refs] }))).body;
    assert.equal(again['stdout'], '__-2.csv:data\n__-3.csv:newer\n__.csv:report\nb-2.txt:c\nb.txt:a\n');
    assert.equal(again['stderr'], 'note: "__.csv" is stored as "__-3.csv".');
  }));

test('a name that comes twice in one form is refused, and the form with it', () =>
  withSidecar(async (running) => {
    const ask = codeApi(running);
    const twice = (): FormData => formOf(['same.txt', '1'], ['same.txt', '2']);
    const refused = await ask('POST', '/upload', twice());
    assert.equal(refused.status, 422);
    assert.match(JSON.stringify(refused.body), /same\.txt/);
    assert.equal((await running.client.call('code.sessions', {})).sessions.length, 0);
    const { body } = await ask('POST', '/upload/batch', twice());
    assert.deepEqual([body['message'], body['succeeded'], body['failed']], ['partial_success', 1, 1]);
  }));

test('files of a form that have no name are refused each, however many there are', () =>
  withSidecar(async ({ url, token }) => {
    const part = '--X\r\nContent-Disposition: form-data; name="files"\r\nContent-Type: application/octet-stream\r\n\r\nx\r\n';
    const ask = (where: string): Promise<Response> =>
      fetch(`${url}/v1${where}`, {
        method: 'POST',
        headers: { 'x-api-key': token, 'content-type': 'multipart/form-data; boundary=X' },
        body: `${part}${part}--X--\r\n`,
      });
    assert.equal((await ask('/upload')).status, 422);
    const batch = await ask('/upload/batch');
    const { message, failed } = (await batch.json()) as { message: string; failed: number };
    assert.deepEqual([batch.status, message, failed], [200, 'error', 2]);
  }));

function entityForm(entity: string, ...files: [string, string][]): FormData {
  const form = formOf(...files);
  form.append('entity_id', entity);
  return form;
}

/** What the files of a session hold, by their names. */
async function contentsOf(
  { url, token }: RunningSidecar,
  ask: ReturnType<typeof codeApi>,
  session: string,
): Promise<Record<string, string>> {
  const { body } = await ask('GET', `/files/${session}?detail=simple`);
  const contents: Record<string, string> = {};
  for (const { id, name } of body as unknown as { id: string; name: string }[]) {
    const response = await fetch(`${url}/v1/download/${session}/${id}`, { headers: { 'x-api-key': token } });
    contents[name] = await response.text();
  }
  return contents;
}

test('a form that is refused, finds no room or breaks off leaves the files of its entity as they were, and those that came meanwhile', () =>
  withSidecar(
    async (running) => {
      const { port, token, client } = running;
      const ask = codeApi(running);
      const { session_id: session } = await upload(ask, entityForm('agent', ['notes.txt', 'old']));
      const fieldOf = (names: string, content: string): string => `Content-Disposition: form-data; ${names}\r\n\r\n${content}\r\n`;
      const part = (name: string, content: string): string => fieldOf(`name="files"; filename="${name}"`, content);
      const begun = ['', fieldOf('name="entity_id"', 'agent'), part('notes.txt', 'new'), part('data.csv', 'mine'), ''].join('--X\r\n');
      const begin = (rest: string): ReturnType<typeof rawSocket> =>
        rawSocket(
          port,
          `POST /v1/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nx-api-key: ${token}\r\nConnection: close\r\n` +
            `content-type: multipart/form-data; boundary=X\r\ncontent-length: ${begun.length + rest.length}\r\n\r\n${begun}`,
        );
      const isRead = (): Promise<void> =>
        eventually(async () => {
          const { sessions } = await client.call('code.sessions', {});
          assert.ok(sessions.some(({ files }) => files.some(({ name }) => name === 'data.csv')));
        });
      const isGone = (): Promise<void> => eventually(async () => assert.equal((await client.call('code.sessions', {})).sessions.length, 1));

      const broken = await begin('the rest');
      await isRead();
      broken.socket.destroy();
      await eventually(async () => assert.deepEqual(await contentsOf(running, ask, session), { 'notes.txt': 'old' }));
      await isGone();

      const rest = `${part('twice.txt', '1')}--X\r\n${part('twice.txt', '2')}--X--\r\n`;
      const refused = await begin(rest);
      await isRead();
      await upload(ask, entityForm('agent', ['data.csv', 'theirs']));
      refused.socket.write(rest);
      await refused.closed;
      assert.match(refused.received, /^HTTP\/1.1 422 /);
      assert.deepEqual(await contentsOf(running, ask, session), { 'notes.txt': 'old', 'data.csv': 'theirs' });

      const many = await ask('POST', '/upload', entityForm('agent', ['notes.txt', 'new'], ['third.txt', '3'], ['fourth.txt', '4']));
      assert.equal(many.status, 413);
      assert.deepEqual(await contentsOf(running, ask, session), { 'notes.txt': 'old', 'data.csv': 'theirs' });
      const { body } = await ask(
        'POST',
        '/upload/batch',
        entityForm('agent', ['notes.txt', 'new'], ['third.txt', '3'], ['fourth.txt', '4']),
      );
      assert.deepEqual([body['message'], body['succeeded'], body['failed']], ['partial_success', 2, 1]);
      assert.deepEqual(await contentsOf(running, ask, session), { 'notes.txt': 'new', 'data.csv': 'theirs', 'third.txt': '3' });
      await isGone();
    },
    { config: { 'code.sessionFiles': '3' } },
  ));

test('people who share an agent do not share its session', () =>
  withShared(async (running) => {
    const ask = codeApi(running);
    const session = async (more: object): Promise<unknown> =>
      (await ask('POST', '/exec', bash('true', { entity_id: 'agent', ...more }))).body['session_id'];
    const [none, ann, ben] = [await session({}), await session({ user_id: 'ann' }), await session({ user_id: 'ben' })];
    assert.equal(new Set([none, ann, ben]).size, 3);
    assert.deepEqual([await session({}), await session({ user_id: 'ann' })], [none, ann]);
  }));

test('NUL, bytes that are no UTF-8, 10 MB of code, and far too much of it (long form)', { skip: requireTool('python3') }, () =>
  withShared(async (running) => {
    const ask = codeApi(running);
    const nul = await ask('POST', '/exec', { code: 'print(1)\0', lang: 'py' });
    assert.equal(nul.status, 200);
    assert.match(String(nul.body['stderr']), /null bytes/);
    assert.equal((await ask('POST', '/exec', bash('echo', { args: ['a\0b'] }))).status, 422);
    const broken = await ask(
      'POST',
      '/exec',
      Buffer.concat([Buffer.from('{"lang":"bash","code":"echo '), Buffer.from([0xff]), Buffer.from('"}')]),
    );
    assert.deepEqual([broken.status, (broken.body['details'] as { message: string }[])[0]?.message], [422, 'The body is not UTF-8']);
    const big = await ask('POST', '/exec', bash(`echo big\n# ${'x'.repeat(10 * 1024 * 1024)}`));
    assert.deepEqual([big.status, big.body['stdout']], [200, 'big\n']);
    const huge = await ask('POST', '/exec', bash('x'.repeat(17 * 1024 * 1024)));
    assert.deepEqual([huge.status, huge.body['error_type']], [413, 'resource_exhausted']);
  }),
);

test('too many files, and one that is too large, are answered with 413, and nothing of them stays', () =>
  withSidecar(
    async (running) => {
      const ask = codeApi(running);
      const { session_id: session } = await upload(ask, entityForm('agent', ['a', '1']));
      const many = await ask('POST', '/upload', entityForm('agent', ['b', '1'], ['c', '1'], ['d', '1']));
      assert.deepEqual([many.status, many.body['error_type']], [413, 'resource_exhausted']);
      const large = await ask('POST', '/upload', formOf(['large', 'x'.repeat(5000)]));
      assert.equal(large.status, 413);
      assert.equal(((await ask('GET', `/files/${session}`)).body as unknown as unknown[]).length, 1);
      assert.equal((await running.client.call('code.sessions', {})).sessions.length, 1, 'the session of the large file is gone again');
    },
    { config: { 'code.sessionFiles': '3', 'code.fileBytes': '4096' } },
  ));

test('a token for reading runs nothing', () =>
  withShared(async (running) => {
    const { secret } = await running.client.call('tokens.create', { name: 'reader', access: 'read' });
    const refused = await codeApi(running, secret)('POST', '/exec', bash('echo 1'));
    assert.deepEqual([refused.status, refused.body['error_type']], [403, 'authorization']);
  }));

test('a run ends when its client goes, and connections are kept for longer than 75 s', () =>
  withSidecar(async (running) => {
    const { url, token, log } = running;
    const gone = new AbortController();
    const asked = fetch(`${url}/v1/exec`, {
      method: 'POST',
      headers: { 'x-api-key': token, 'content-type': 'application/json' },
      body: JSON.stringify(bash('sleep 20')),
      signal: gone.signal,
    }).catch(() => undefined);
    await eventually(async () => assert.equal((await running.client.call('code.sessions', {})).sessions.length, 1), 5000);
    gone.abort();
    await asked;
    await eventually(() => assert.ok(log.some(({ operation, outcome }) => operation === 'code.run' && outcome === 'CANCELED')), 2000);

    const request = http.get(`${url}/v1/health`, { agent: new http.Agent({ keepAlive: true }) });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.resume();
    const [, seconds] = /timeout=(\d+)/.exec(String(response.headers['keep-alive'])) ?? [];
    assert.ok(Number(seconds) >= 75, `${response.headers['keep-alive']}`);
  }));

describe('programs that call tools', { skip: requireTool('python3') }, () => {
  const tools = [{ name: 'tool' }];
  const begin = (code: string, more: object = {}): object => ({ code, tools, ...more });

  test('are ended after 20 rounds (long form)', () =>
    withSidecar(async (running) => {
      const ask = codeApi(running);
      let { body } = await ask('POST', '/exec/programmatic', begin('n = 0\nwhile True:\n    n = await tool(n=n)'));
      let rounds = 0;
      while (body['status'] === 'tool_call_required') {
        rounds++;
        const [call] = body['tool_calls'] as { id: string; input: { n: number } }[];
        assert.equal(call?.input.n, rounds - 1);
        const tool_results = [{ call_id: call?.id, result: rounds, is_error: false }];
        ({ body } = await ask('POST', '/exec/programmatic', { continuation_token: body['continuation_token'], tool_results }));
      }
      assert.deepEqual([rounds, body['status'], body['error']], [20, 'error', 'Exceeded maximum round trips (20)']);
      await eventually(() => running.log.some(({ operation }) => operation === 'code.run'));
      assert.deepEqual(running.log.filter(({ operation }) => operation === 'code.run').length, 1);
    }));

  test('are no one else’s to go on with, and a token holds once', () =>
    withShared(async (running) => {
      const { secret } = await running.client.call('tokens.create', { name: 'other', access: 'execute' });
      const [ask, other] = [codeApi(running), codeApi(running, secret)];
      const { body } = await ask('POST', '/exec/programmatic', begin('print(await tool())'));
      const next = {
        continuation_token: body['continuation_token'],
        tool_results: [{ call_id: 'call_001', result: 'x', is_error: false }],
      };
      assert.equal((await other('POST', '/exec/programmatic', next)).status, 404);
      assert.equal((await ask('POST', '/exec/programmatic', { ...next, tool_results: 'x' })).status, 422);
      assert.equal((await ask('POST', '/exec/programmatic', next)).body['stdout'], 'x\n');
      assert.equal((await ask('POST', '/exec/programmatic', next)).status, 404);
    }));

  test('hold large results, keep their own input and output to themselves, and may not forge calls (long form)', () =>
    withShared(async (running) => {
      const ask = codeApi(running);
      const code =
        'import subprocess, sys\nprint(sys.stdin.read() == "", end="")\nsubprocess.run(["cat"])\nbig = await tool()\nprint(len(big), big[:3])';
      const { body } = await ask('POST', '/exec/programmatic', begin(code));
      const tool_results = [{ call_id: 'call_001', result: 'äöü'.repeat(700_000), is_error: false }];
      const done = await ask('POST', '/exec/programmatic', { continuation_token: body['continuation_token'], tool_results });
      assert.deepEqual([done.body['status'], done.body['stdout'], done.body['stderr']], ['completed', 'True2100000 äöü\n', '']);

      const forged = [
        'import os',
        'inside = lambda function, kind: next(c.cell_contents for c in function.__closure__ if type(c.cell_contents) is kind)',
        'mark = inside(next(c.cell_contents for c in tool.__closure__ if getattr(c.cell_contents, "__name__", "") == "ask"), dict)["mark"]',
        'os.write(1, (mark + "no json\\n" + mark + \'[{"name":"rm","input":{}}]\\n\').encode())',
        'await tool()',
      ].join('\n');
      const { body: refused } = await ask('POST', '/exec/programmatic', begin(forged));
      assert.deepEqual([refused['status'], refused['error']], ['error', 'Sandbox requested an unregistered tool: rm']);
    }));

  test('wait for no more than a few at a time, and end with the sidecar (long form)', async () => {
    await withSidecar(async (running) => {
      const ask = codeApi(running);
      const begun = await Promise.all([1, 2, 3, 4].map(() => ask('POST', '/exec/programmatic', begin('await tool()'))));
      assert.ok(begun.every(({ body }) => body['status'] === 'tool_call_required'));
      const refused = await ask('POST', '/exec/programmatic', begin('await tool()'));
      assert.deepEqual([refused.status, refused.body['error'], refused.body['retry_after_seconds']], [429, 'rate_limited', 1]);
      const asked = performance.now();
      await running.sidecar.stop();
      assert.ok(performance.now() - asked < 5000, 'stopping waits for none of them');
    });
  });

  test('whose tools can be no functions are refused', () =>
    withShared(async (running) => {
      const ask = codeApi(running);
      for (const names of [[''], ['---'], ['a-b', 'a_b'], [1]]) {
        const refused = await ask('POST', '/exec/programmatic', { code: '1', tools: names.map((name) => ({ name })) });
        assert.deepEqual([refused.status, refused.body['error_type']], [400, 'validation'], JSON.stringify(names));
      }
    }));
});
