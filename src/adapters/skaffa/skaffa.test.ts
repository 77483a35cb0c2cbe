import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch, DispatchReply, DispatchRequest } from '../../contract/dispatch.ts';
import { errorTable, type ErrorReason, OutriggerError, toWireError } from '../../contract/errors.ts';
import { seedCode } from './seed-errors.ts';
import { createSkaffa } from './skaffa.ts';

const caller: Caller = { id: 'h', name: 'host', kind: 'service', access: 'read' };

function setup(answer: (request: DispatchRequest) => DispatchReply | Promise<DispatchReply>) {
  const asked: { name: string; input: unknown }[] = [];
  const dispatch: Dispatch = async (request) => {
    asked.push({ name: request.name, input: request.input });
    return answer(request);
  };
  const skaffa = createSkaffa({ dispatch }, { version: '1.2.3', build: 'test' });
  const call = (name: string, input?: unknown, emit?: (item: unknown) => void): Promise<DispatchReply> => {
    const request: DispatchRequest = { name, input, caller, transport: 'stdio', requestId: 'r', signal: new AbortController().signal };
    if (emit !== undefined) request.emit = emit;
    return skaffa.dispatch(request);
  };
  return { asked, skaffa, call };
}

const reason = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof OutriggerError ? error.reason : String(error)),
  );

test("each of the seed's methods asks an operation, and its answer has the seed's shape", async () => {
  const hash = 'a'.repeat(64);
  const answers: Record<string, DispatchReply> = {
    'files.read': { output: { path: 'a', text: 'x', etag: `"${hash}"`, size: 1, lines: 1 } },
    'files.stat': { output: { exists: true, revision: 1, entry: { path: 'a', name: 'a', kind: 'file', size: 1, modified: 5, mode: 420 } } },
    'files.hash': { output: { path: 'a', sha256: hash, size: 1 } },
    'search.files': { output: { files: [{ path: 'a.ts' }, { path: 'b.ts' }], truncated: false, revision: 3 } },
    'search.text': {
      output: { matches: 1, files: 1, truncated: false },
      items: [
        {
          path: 'a',
          lines: [
            { line: 1, text: 'before' },
            { line: 2, text: 'an x', ranges: [[3, 4]], cutAt: 10 },
          ],
        },
      ],
    },
    'files.outline': { output: { language: 'ts', symbols: [], problems: 0 } },
    'index.status': { output: { state: 'ready', files: 2 } },
  };
  const { asked, call } = setup(({ name }) => answers[name] as DispatchReply);
  const output = async (name: string, input?: unknown): Promise<unknown> => (await call(name, input)).output;
  assert.deepEqual(await output('ping'), { version: '1.2.3', build: 'test' });
  assert.deepEqual(await output('readFile', { path: 'a' }), { path: 'a', text: 'x', size: 1, sha256: hash });
  assert.deepEqual(await output('stat', { path: 'a' }), { exists: true, kind: 'file', size: 1, mtimeMs: 5, mode: 420 });
  assert.deepEqual(await output('hashFile', { path: 'a' }), { path: 'a', sha256: hash, size: 1 });
  assert.deepEqual(await output('glob', { pattern: '*.ts', limit: 2 }), { paths: ['a.ts', 'b.ts'], truncated: false, revision: 3 });
  assert.deepEqual(await output('search', { pattern: 'x', include: ['*.ts'] }), {
    matches: 1,
    fileCount: 1,
    truncated: false,
    files: [
      {
        path: 'a',
        matches: [
          { line: 1, text: 'before' },
          { line: 2, text: 'an x', ranges: [[3, 4]], cutAt: 10, column: 14 },
        ],
      },
    ],
  });
  assert.deepEqual(await output('outline', { path: 'a' }), { language: 'ts', symbols: [], problems: 0 });
  assert.deepEqual(await output('index.status'), { state: 'ready', files: 2 });
  assert.deepEqual(asked, [
    { name: 'files.read', input: { path: 'a', source: 'disk' } },
    { name: 'files.stat', input: { path: 'a' } },
    { name: 'files.hash', input: { path: 'a' } },
    { name: 'search.files', input: { include: ['*.ts'], limit: 2 } },
    { name: 'search.text', input: { pattern: 'x', include: ['*.ts'] } },
    { name: 'files.outline', input: { path: 'a' } },
    { name: 'index.status', input: {} },
  ]);
});

test('operations go through as they are, a method without its operation says what is missing, an unknown one what there is', async () => {
  const { asked, call } = setup(({ name }) => {
    if (name === 'notes.count') return { output: 7 };
    throw new OutriggerError(name === 'files.hash' ? 'NO_OPERATION' : 'PART_OFF', 'no');
  });
  assert.equal((await call('notes.count', { a: 1 })).output, 7);
  assert.deepEqual(asked, [{ name: 'notes.count', input: { a: 1 } }]);
  for (const [method, operation] of [
    ['hashFile', 'files.hash'],
    ['search', 'search.text'],
  ] as const) {
    await assert.rejects(call(method, {}), { reason: 'PART_OFF', message: new RegExp(`^${method} is not available .*${operation}`) });
  }
  await assert.rejects(call('frobnicate'), { reason: 'NO_OPERATION', message: /"frobnicate"; there are ping, .*readFile/ });
  await assert.rejects(call('toString'), { reason: 'NO_OPERATION' });
  assert.equal(await reason(call('readFile', ['a'])), 'BAD_INPUT');
});

test('items of a search stream in the shape that gathered ones have', async () => {
  const { call } = setup(async ({ emit }) => {
    await emit?.({ path: 'a', lines: [{ line: 1, text: 'x', ranges: [[0, 1]] }] });
    return { output: { matches: 1, files: 1, truncated: false } };
  });
  const items: unknown[] = [];
  const { output } = await call('search', { pattern: 'x' }, (item) => void items.push(item));
  assert.deepEqual(items, [{ path: 'a', matches: [{ line: 1, text: 'x', ranges: [[0, 1]], column: 1 }] }]);
  assert.deepEqual(output, { matches: 1, fileCount: 1, truncated: false });
});

test("errors of the seed's methods have the seed's codes, those of operations ours", () => {
  const { codec } = setup(() => ({ output: {} })).skaffa;
  const error = toWireError(new OutriggerError('FILE_NOT_FOUND', 'none'));
  const escapes = toWireError(new OutriggerError('PATH_ESCAPES', 'out'));
  const codeOf = (id: string, wire = error): unknown => JSON.parse(codec.encode({ kind: 'error', id, error: wire })).error.code;
  for (const [id, method] of [
    ['1', 'readFile'],
    ['2', 'files.read'],
    ['3', 'stat'],
    ['4', 'index.status'],
    ['5', 'nonsense'],
  ])
    codec.decode(JSON.stringify({ id, method }));
  assert.equal(codeOf('1', escapes), 'invalid_path');
  assert.equal(codeOf('2', escapes), 'permission_denied');
  codec.encode({ kind: 'result', id: '3', result: {} });
  assert.equal(codeOf('3', escapes), 'permission_denied', 'an id that was answered is forgotten');
  assert.equal(codeOf('5', toWireError(new OutriggerError('NO_OPERATION', 'no'))), 'unknown_method');
  codec.decode(JSON.stringify({ id: '1', method: 'readFile' }));
  codec.decode(JSON.stringify({ id: '1', method: 'readFile' }));
  assert.equal(codeOf('1', toWireError(new OutriggerError('DUPLICATE_ID', 'twice'))), 'invalid_params');
  assert.equal(codeOf('1', escapes), 'invalid_path', 'the first of two with one id');
});

test('every error of the table has a code that the seed knows or was added to it', () => {
  const codes = new Set(Object.entries(errorTable).map(([name, { code }]) => seedCode({ code, reason: name as ErrorReason })));
  for (const code of ['invalid_path', 'not_found', 'timeout', 'internal', 'cancelled', 'too_large', 'binary', 'invalid_params'] as const)
    assert.ok(codes.has(code), code);
  assert.equal(seedCode({ code: 'made_up' as never, reason: 'toString' }), 'internal');
});

test('changes come as events, late to a slow host but all of them, until it wants no more', async () => {
  let emitItem: ((item: unknown) => Promise<void> | void) | undefined;
  let ended: unknown;
  const { asked, skaffa, call } = setup(
    ({ emit, signal }) =>
      new Promise((_resolve, reject) => {
        emitItem = emit;
        signal.addEventListener('abort', () => {
          ended = signal.reason;
          reject(signal.reason as Error);
        });
      }),
  );
  assert.equal(await reason(call('watch')), 'STARTING');
  const events: [string, unknown][] = [];
  let refuse = 2;
  skaffa.attach({
    event: (event, data) => {
      if (refuse-- > 0) return false;
      events.push([event, data]);
      return true;
    },
  });
  assert.deepEqual((await call('watch', { cursor: 'e-1' })).output, { watching: true });
  await call('watch');
  assert.deepEqual(asked, [{ name: 'changes.watch', input: { cursor: 'e-1' } }], 'one feed, however often it is asked for');
  await emitItem?.({ type: 'change', path: 'a' });
  assert.deepEqual(events, [['change', { type: 'change', path: 'a' }]]);
  await call('unwatch');
  await eventually(() => ended instanceof OutriggerError);
  assert.equal(events.length, 1);
  await call('watch');
  assert.equal(asked.length, 2);
  skaffa.close();
});

test('a feed that ends by itself says why, and can be asked for again', async () => {
  const { asked, skaffa, call } = setup(() => {
    throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
  });
  const events: unknown[] = [];
  skaffa.attach({ event: (event, data) => events.push([event, data]) > 0 });
  await call('watch');
  await eventually(() => events.length === 1);
  assert.deepEqual(events, [['watch-ended', { reason: 'STOPPING', message: 'The sidecar is stopping.' }]]);
  await call('watch');
  await eventually(() => asked.length === 2);
});
