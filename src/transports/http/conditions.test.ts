import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { bearer, fakeToken, readToken, reason, withFakeSidecar } from '../../../test/kit/fake-sidecar.ts';
import { rawSocket } from '../../../test/kit/raw-socket.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { operations } from '../../contract/operations.ts';

describe('a body that waits for 100 Continue', () => {
  const head = (request: string, token: string, fields: string): string =>
    `${request} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nExpect: 100-continue\r\n${fields}\r\n\r\n`;

  test('is asked for once it is wanted, and the connection goes on', async () => {
    await withFakeSidecar(async ({ port, seen }) => {
      for (const [request, fields, body] of [
        ['PUT /api/bytes/a', 'Content-Length: 3', 'abc'],
        ['PUT /api/bytes/a', 'Transfer-Encoding: chunked', '3\r\nabc\r\n0\r\n\r\n'],
        ['POST /api/echo.unary', 'Content-Type: application/json\r\nContent-Length: 14', '{"text":"one"}'],
      ] as const) {
        const raw = await rawSocket(port, head(request, fakeToken, fields));
        await eventually(() => raw.received !== '');
        assert.equal(raw.received, 'HTTP/1.1 100 Continue\r\n\r\n');
        raw.socket.write(body);
        await eventually(() => /^HTTP\/1\.1 20[01] /m.test(raw.received));
        assert.equal(raw.received.match(/100 Continue/g)?.length, 1);
        raw.socket.write(`GET /api/echo.unary?text=next HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${fakeToken}\r\n\r\n`);
        await eventually(() => raw.received.includes('"text":"next"'));
        raw.socket.destroy();
      }
      assert.equal(seen.bytesIn, 6);
    });
  });

  test('is not asked for by who refuses the request, and the connection ends', async () => {
    await withFakeSidecar(
      async ({ port, seen }) => {
        const json = 'Content-Type: application/json\r\n';
        for (const [request, token, fields, status] of [
          ['PUT /api/bytes/a', 'a-token-of-nobody', 'Content-Length: 3', 401],
          ['POST /api/echo.unary', 'a-token-of-nobody', `${json}Content-Length: 14`, 401],
          ['PUT /api/bytes/a', readToken, 'Content-Length: 3', 403],
          ['PUT /nowhere', fakeToken, 'Content-Length: 3', 404],
          ['POST /api/bytes/a', fakeToken, 'Content-Length: 3', 405],
          ['PUT /api/bytes/a?refuse=true', fakeToken, 'Content-Length: 3', 412],
          ['PUT /api/bytes/a', fakeToken, 'Content-Length: 2001', 413],
          ['POST /api/bytes.in', fakeToken, `${json}Content-Length: 1001`, 413],
          ['POST /api/echo.unary', fakeToken, `${json}Content-Length: 1001`, 413],
        ] as const) {
          const raw = await rawSocket(port, head(request, token, fields));
          await raw.closed;
          assert.ok(raw.received.startsWith(`HTTP/1.1 ${status} `), `${request} ${fields}: ${raw.received}`);
          assert.match(raw.received, /^connection: close\r$/im);
        }
        assert.equal(seen.bytesIn, 0);
      },
      { maxInputBytes: 1000, maxUploadBytes: 2000 },
    );
  });

  test('of an older HTTP is not asked for, and nothing else can be expected', async () => {
    await withFakeSidecar(async ({ port }) => {
      const old = head('PUT /api/bytes/a', fakeToken, 'Content-Length: 3').replace('HTTP/1.1', 'HTTP/1.0');
      const answered = await rawSocket(port, `${old}abc`);
      await answered.closed;
      assert.match(answered.received, /^HTTP\/1\.1 201 /);
      for (const body of ['', 'abc']) {
        const fields = `Connection: close\r\nContent-Length: ${body.length}`;
        const raw = await rawSocket(port, head('PUT /api/bytes/a', fakeToken, fields).replace('100-continue', 'a-miracle') + body);
        await raw.closed;
        assert.match(raw.received, /^HTTP\/1\.1 417 [\s\S]*"reason":"BAD_EXPECTATION"/);
      }
    });
  });
});

describe('a condition of HTTP', () => {
  const {
    'files.write': write,
    'files.upload': upload,
    'files.remove': remove,
    'files.mkdir': mkdir,
    'files.download': download,
  } = operations;
  const table = { 'files.write': write, 'files.upload': upload, 'files.remove': remove, 'files.mkdir': mkdir, 'files.download': download };
  const ask = async (method: string, path: string, headers: Record<string, string>, body?: string): Promise<unknown> => {
    let asked: unknown;
    let answered: unknown;
    await withFakeSidecar(
      async ({ url }) => {
        const type = body?.startsWith('{') === true ? { ...bearer, 'content-type': 'application/json' } : bearer;
        const answer = await fetch(`${url}/api/${path}`, {
          method,
          headers: { ...type, ...headers },
          ...(body === undefined ? {} : { body }),
        });
        answered = method === 'HEAD' ? [answer.status] : await reason(answer);
      },
      {
        table,
        dispatch: () => (request) => {
          asked = request.input;
          throw new OutriggerError('ETAG_MISMATCH', 'It is another.');
        },
      },
    );
    return asked ?? answered;
  };
  const refused = [400, 'BAD_INPUT'];
  const old = 'Thu, 01 Jan 2015 00:00:00 GMT';

  test('holds for an operation that knows it, whichever way that is asked', async () => {
    const conditions = { 'if-match': '"x"', 'if-none-match': '"y"' };
    const fields = { path: 'a', ifMatch: '"x"', ifNoneMatch: '"y"' };
    assert.deepEqual(await ask('POST', 'files.write', conditions, '{"path":"a","text":"t"}'), { ...fields, text: 't' });
    assert.deepEqual(await ask('POST', 'files.upload?path=a', conditions, 't'), fields);
    assert.deepEqual(await ask('POST', 'files.upload', conditions, '{"path":"a"}'), fields);
    assert.deepEqual(await ask('PUT', 'files/a', conditions, 't'), fields);
    assert.deepEqual(await ask('GET', 'files.download?path=a', { ...conditions, range: 'bytes=0-0' }), { ...fields, range: 'bytes=0-0' });
    assert.deepEqual(await ask('POST', 'files.remove', { 'if-match': '"x"' }, '{"path":"a"}'), { path: 'a', ifMatch: '"x"' });
  });

  test('that is a date holds for who only reads, and If-Modified-Since for GET and HEAD alone', async () => {
    const both = { 'if-unmodified-since': old, 'if-modified-since': old };
    const fields = { path: 'a', ifUnmodifiedSince: old, ifModifiedSince: old };
    assert.deepEqual(await ask('GET', 'files/a', both), fields);
    assert.deepEqual(await ask('HEAD', 'files/a', both), fields);
    assert.deepEqual(await ask('GET', 'files.download?path=a', both), fields);
    assert.deepEqual(await ask('POST', 'files.download', both, '{"path":"a"}'), { path: 'a', ifUnmodifiedSince: old });
    assert.deepEqual(await ask('PUT', 'files/a', { 'if-modified-since': old }, 't'), { path: 'a' });
  });

  test('that is another in the input is refused', async () => {
    assert.deepEqual(await ask('POST', 'files.remove', { 'if-match': '"x"' }, '{"path":"a","ifMatch":"\\"y\\""}'), refused);
    assert.deepEqual(await ask('PUT', 'files/a?ifMatch=*', { 'if-match': '"x"' }), refused);
    assert.deepEqual(await ask('PUT', 'files/a?ifMatch=*', { 'if-match': '*' }), { path: 'a', ifMatch: '*' });
  });

  test('that can not be checked keeps what changes something from being done, and nothing else', async () => {
    for (const header of ['if-match', 'if-none-match'])
      assert.deepEqual(await ask('POST', 'files.mkdir', { [header]: '*' }, '{"path":"a"}'), refused);
    assert.deepEqual(await ask('DELETE', 'files/a', { 'if-none-match': '"x"' }), refused);
    for (const method of ['PUT', 'DELETE']) assert.deepEqual(await ask(method, 'files/a', { 'if-unmodified-since': old }), refused);
    // An If-Match says it better, and counts alone (RFC 9110 section 13.1.4).
    const both = { 'if-unmodified-since': old, 'if-match': '"x"' };
    assert.deepEqual(await ask('DELETE', 'files/a', both), { path: 'a', ifMatch: '"x"' });
  });
});
