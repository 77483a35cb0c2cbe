import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import * as z from 'zod';
import type { Caller } from './access.ts';
import {
  createDispatch,
  type Dispatch,
  type DispatchDependencies,
  type DispatchFacts,
  type DispatchOptions,
  type DispatchRequest,
} from './dispatch.ts';
import { type ErrorReason, OutriggerError } from './errors.ts';
import { type Call, operation } from './operation.ts';
import { entryPath, workspacePath } from './paths.ts';

const anything = z.unknown();
const table = {
  'a.read': operation({
    summary: '',
    access: 'read',
    scope: { fields: ['path'] },
    input: () => z.object({ path: workspacePath().optional() }),
    output: () => anything,
    errors: [],
  }),
  'a.write': operation({
    summary: '',
    access: 'write',
    scope: { fields: ['from', 'to'] },
    input: () => z.object({ from: entryPath(), to: entryPath() }),
    output: () => anything,
    errors: [],
  }),
  'a.many': operation({
    summary: '',
    access: 'read',
    scope: { fields: ['paths'] },
    input: () => z.object({ paths: z.array(entryPath()) }),
    output: () => anything,
    errors: [],
  }),
  'a.all': operation({ summary: '', access: 'read', scope: 'workspace', input: () => z.object({}), output: () => anything, errors: [] }),
  'a.some': operation({
    summary: '',
    access: 'write',
    scope: 'workspace',
    paths: ['paths'],
    input: () => z.object({ paths: z.array(entryPath()).optional() }),
    output: () => anything,
    errors: [],
  }),
  'a.free': operation({ summary: '', access: 'read', scope: 'none', input: () => z.object({}), output: () => anything, errors: [] }),
  'a.items': operation({
    summary: '',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () => anything,
    item: () => anything,
    errors: [],
  }),
  'a.feed': operation({
    summary: '',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () => anything,
    item: () => anything,
    endless: true,
    errors: [],
  }),
  'a.bytes': operation({
    summary: '',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () => anything,
    bytes: true,
    errors: [],
  }),
  'a.absent': operation({ summary: '', access: 'read', scope: 'none', input: () => z.object({}), output: () => anything, errors: [] }),
};

interface Setup {
  implementations?: Record<string, (input: never, call: Call) => unknown>;
  dependencies?: Partial<DispatchDependencies>;
  options?: Partial<DispatchOptions>;
}

function setUp({ implementations = {}, dependencies = {}, options = {} }: Setup = {}): {
  call: (name: string, input?: unknown, more?: Partial<DispatchRequest>) => ReturnType<Dispatch>;
  log: DispatchFacts[];
} {
  const log: DispatchFacts[] = [];
  const answers = Object.fromEntries(Object.keys(table).flatMap((name) => (name === 'a.absent' ? [] : [[name, () => ({ done: name })]])));
  const dispatch = createDispatch(
    table,
    { ...answers, ...implementations },
    Object.defineProperties({ now: () => 0, log: (facts) => log.push(facts) }, Object.getOwnPropertyDescriptors(dependencies)),
    { ceiling: () => ({ access: 'admin', why: '' }), maxOutputBytes: 1000, maxCallsPerCaller: 3, ...options },
  );
  const request = { caller: person(), transport: 'test', requestId: 'r1', signal: new AbortController().signal };
  return { log, call: (name, input = {}, more = {}) => dispatch({ name, input, ...request, ...more }) };
}

function person(facts: Partial<Caller> = {}): Caller {
  return { id: 'p', name: 'Pia', kind: 'person', access: 'admin', ...facts };
}

function fails(reason: ErrorReason, call: Promise<unknown>, message?: RegExp): Promise<void> {
  return assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof OutriggerError, String(error));
    assert.equal(error.reason, reason, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

const never = (call: Call): Promise<never> =>
  new Promise((_resolve, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason as Error)));

describe('a call is refused', () => {
  test('when there is no such operation, also by names that every object has', async () => {
    const { call, log } = setUp();
    for (const name of ['a.nothing', 'toString', '__proto__', 'constructor', '']) await fails('NO_OPERATION', call(name));
    await fails('NO_OPERATION', call('x'.repeat(5000)), /^.{1,200}$/);
    assert.equal(log.length, 6);
  });

  test('when its part is switched off', () => fails('PART_OFF', setUp().call('a.absent')));

  test('when the sidecar stops, with the reason it gives', () => {
    const refuse = (): OutriggerError => new OutriggerError('STOPPING', 'Over.');
    return fails('STOPPING', setUp({ dependencies: { refuse } }).call('a.free'));
  });

  test('when the level of the caller is too low, or the ceiling is, each with its own reason', async () => {
    const paths = { from: 'a', to: 'b' };
    const { call } = setUp();
    await fails('ACCESS_DENIED', call('a.write', paths, { caller: person({ access: 'read' }) }), /needs write access; Pia has read/);
    await call('a.write', paths, { caller: person({ access: 'write' }) });
    const low = setUp({ options: { ceiling: () => ({ access: 'read', why: 'process 7 holds the folder.' }) } });
    await fails('READ_ONLY', low.call('a.write', paths), /process 7 holds/);
    await low.call('a.read');
  });

  test('when the input does not fit, naming the field; a bad path has its own reason', async () => {
    const { call } = setUp();
    await fails('BAD_INPUT', call('a.write', { from: 1, to: 'b' }), /from/);
    for (const path of ['../x', 'a/../../x', '/etc/passwd', 'a\0b', 'a\ud800', 'x'.repeat(256), `${'d/'.repeat(2100)}x`]) {
      await fails('BAD_PATH', call('a.read', { path }));
    }
    await fails('BAD_PATH', call('a.write', { from: '', to: 'b' }));
  });

  test('when it is a feed and no stream was asked for', async () => {
    const { call } = setUp();
    await fails('STREAM_ONLY', call('a.feed'));
    await call('a.feed', {}, { emit: () => undefined });
  });

  test('when the caller has too many in flight; other callers do not notice', async () => {
    const { call, log } = setUp({ implementations: { 'a.free': (_input, running) => never(running) } });
    const controller = new AbortController();
    const running = [1, 2, 3].map(() => call('a.free', {}, { signal: controller.signal }));
    await fails('TOO_MANY', call('a.read'));
    await call('a.read', {}, { caller: person({ id: 'other' }) });
    controller.abort();
    await Promise.allSettled(running);
    await call('a.read');
    assert.deepEqual(
      log.map(({ outcome }) => outcome),
      ['TOO_MANY', 'ok', 'CANCELED', 'CANCELED', 'CANCELED', 'ok'],
    );
  });
});

describe('a caller limited to some paths', () => {
  const caller = person({ paths: ['data', 'notes/mine'] });

  test('reaches those and what is below, by whole names', async () => {
    const { call } = setUp();
    for (const path of ['data', 'data/', './data/x', 'data/a/b', 'notes/mine/x']) await call('a.read', { path }, { caller });
    for (const path of ['data-secret', 'dat', 'notes', 'notes/mine2', 'x/data', 'Data'])
      await fails('OUT_OF_SCOPE', call('a.read', { path }, { caller }));
  });

  test('is refused where a path is left out or a list is empty: both stand for everything', async () => {
    const { call } = setUp();
    await fails('OUT_OF_SCOPE', call('a.read', {}, { caller }));
    await fails('OUT_OF_SCOPE', call('a.read', { path: '' }, { caller }));
    await fails('OUT_OF_SCOPE', call('a.many', { paths: [] }, { caller }));
    await call('a.many', { paths: ['data/a', 'notes/mine'] }, { caller });
    await fails('OUT_OF_SCOPE', call('a.many', { paths: ['data/a', 'other'] }, { caller }));
  });

  test('needs every path of a call, and nothing that touches the whole workspace', async () => {
    const { call } = setUp();
    await fails('OUT_OF_SCOPE', call('a.write', { from: 'data/a', to: 'out/a' }, { caller }));
    await fails('OUT_OF_SCOPE', call('a.write', { from: 'out/a', to: 'data/a' }, { caller }));
    await fails('OUT_OF_SCOPE', call('a.all', {}, { caller }));
    await call('a.free', {}, { caller });
  });

  test('does not get out by a link, and gets in where the limit itself is one', async () => {
    const links: Record<string, string> = { 'data/link': 'secret', data: 'real/data', 'data/x': 'real/data/x' };
    const { call } = setUp({ dependencies: { locate: (path) => links[path] ?? path } });
    await call('a.read', { path: 'data/x' }, { caller });
    await fails('OUT_OF_SCOPE', call('a.read', { path: 'data/link' }, { caller }), /link that leads out/);
    await call('a.read', { path: 'data/link' });
  });

  test('keeps out of the secrets of the sidecar itself, whatever leads there; admins do not', async () => {
    const links: Record<string, string> = { 'data/link': 'conf/config.json' };
    const dependencies = { locate: (path: string) => links[path] ?? path, secrets: new Set(['conf/config.json']) };
    const { call } = setUp({ dependencies, implementations: { 'a.free': (_input, { visible }) => visible('conf/config.json') } });
    const reader = person({ access: 'read' });
    const worker = person({ access: 'execute' });
    for (const one of [reader, worker, person({ access: 'write', paths: ['data', 'conf'] })]) {
      await fails('ACCESS_DENIED', call('a.read', { path: 'conf/config.json' }, { caller: one }));
      await fails('ACCESS_DENIED', call('a.read', { path: 'data/link' }, { caller: one }), /secret of the sidecar/);
      assert.equal((await call('a.free', {}, { caller: one })).output, false);
    }
    await call('a.read', { path: 'conf' }, { caller: reader });
    await call('a.read', {}, { caller: reader });
    await call('a.all', {}, { caller: reader });
    await fails('ACCESS_DENIED', call('a.write', { from: 'conf', to: 'elsewhere' }, { caller: worker }));
    await call('a.write', { from: 'other', to: 'conf2' }, { caller: worker });
    await fails('ACCESS_DENIED', call('a.write', { from: 'other', to: 'conf/config.json/below' }, { caller: worker }));
    for (const path of ['conf/config.json', 'data/link', 'conf/config.json/below'])
      await fails('ACCESS_DENIED', call('a.some', { paths: ['other', path] }, { caller: worker }));
    // What lies in a folder, the operation leaves out itself.
    for (const paths of [undefined, [], ['conf']]) await call('a.some', { paths }, { caller: worker });
    await call('a.some', { paths: ['conf/config.json'] });
    await call('a.read', { path: 'conf/config.json' });
    assert.equal((await call('a.free')).output, true);
  });

  test('looks for the secrets only where that can refuse something', async () => {
    let looks = 0;
    const dependencies = {
      get secrets() {
        looks++;
        return new Set(['conf']);
      },
    };
    const { call } = setUp({ dependencies, implementations: { 'a.free': (_input, { visible }) => visible('conf') } });
    await call('a.read', { path: 'conf' });
    assert.equal((await call('a.free')).output, true);
    await call('a.items', {}, { caller: person({ access: 'write' }) });
    assert.equal(looks, 0);
    await fails('ACCESS_DENIED', call('a.read', { path: 'conf' }, { caller: person({ access: 'write' }) }));
    assert.equal(looks, 1);
  });

  test('is looked at again by `confirmScope`, for what a path leads to by then', async () => {
    const links: Record<string, string> = {};
    const { call } = setUp({
      dependencies: { locate: (path) => links[path] ?? path },
      implementations: {
        'a.read': (_input, { confirmScope }) => {
          confirmScope();
          links['data/x'] = 'secret';
          confirmScope();
        },
      },
    });
    await fails('OUT_OF_SCOPE', call('a.read', { path: 'data/x' }, { caller }), /link that leads out/);
    await call('a.read', { path: 'data/x' });
  });

  test('is told by `visible` what it may see', async () => {
    const { call } = setUp({ implementations: { 'a.free': (_input, { visible }) => ['data/x', 'data2', ''].map(visible) } });
    assert.deepEqual((await call('a.free', {}, { caller })).output, [true, false, false]);
    assert.deepEqual((await call('a.free')).output, [true, true, true]);
  });

  test('is told by `visibleAt` what it may see by a link, where the paths may be links themselves', async () => {
    const asked: [path: string, place: string][] = [
      ['data/x', 'data/x'],
      ['data/x', 'other/x'],
      ['data/x', 'secret'],
      ['data/x', 'secret/in/it'],
      ['secret/in/it', 'secret/in/it'],
      ['data/x', 'stock/x'],
      ['link/x', 'stock/x'],
      ['stock/x', 'data/x'],
    ];
    const { call } = setUp({
      dependencies: {
        locate: (path) => {
          if (path === 'away') throw new OutriggerError('PATH_ESCAPES', 'away leads out of the workspace.');
          return path.replace(/^link/, 'stock');
        },
        secrets: new Set(['secret']),
      },
      implementations: { 'a.free': (_input, { visibleAt }) => asked.map(([path, place]) => visibleAt(path, place)) },
    });
    assert.deepEqual((await call('a.free', {}, { caller })).output, [true, false, false, false, false, false, false, false]);
    const other = person({ paths: ['data', 'away', 'link'] });
    assert.deepEqual((await call('a.free', {}, { caller: other })).output, [true, false, false, false, false, true, true, false]);
    const writer = person({ access: 'write' });
    assert.deepEqual((await call('a.free', {}, { caller: writer })).output, [true, true, false, false, false, true, true, true]);
    const admin = person({ access: 'admin' });
    assert.deepEqual((await call('a.free', {}, { caller: admin })).output, [true, true, true, true, true, true, true, true]);
  });
});

describe('an answer', () => {
  test('is bounded, as is each item and all that is gathered', async () => {
    const big = 'x'.repeat(1001);
    const items = (...sizes: number[]): Setup => ({
      implementations: {
        'a.free': () => ({ big }),
        'a.items': async (_input, call) => {
          for (const size of sizes) await call.emit('x'.repeat(size));
          return { count: sizes.length };
        },
      },
    });
    await fails('OUTPUT_TOO_LARGE', setUp(items()).call('a.free'));
    await fails('OUTPUT_TOO_LARGE', setUp(items(600, 600)).call('a.items'));
    await fails('OUTPUT_TOO_LARGE', setUp(items(1001)).call('a.items', {}, { emit: () => undefined }));
    const streamed: unknown[] = [];
    const reply = await setUp(items(600, 600)).call('a.items', {}, { emit: (item) => void streamed.push(item) });
    assert.equal(streamed.length, 2);
    assert.deepEqual(reply, { output: { count: 2 } });
    assert.deepEqual(await setUp(items(1, 1)).call('a.items'), { output: { count: 2 }, items: ['x', 'x'] });
  });
});

describe('an end from outside', () => {
  test('before the call keeps the implementation from running', async () => {
    let ran = false;
    const { call, log } = setUp({ implementations: { 'a.free': () => (ran = true) } });
    await fails('CANCELED', call('a.free', {}, { signal: AbortSignal.abort() }));
    const ended = AbortSignal.abort(new OutriggerError('TOKEN_EXPIRED', 'Over.'));
    await fails('TOKEN_EXPIRED', call('a.free', {}, { caller: person({ ended }) }));
    assert.equal(ran, false);
    assert.equal(log.length, 2);
  });

  test('during the call reaches it, with the reason of whoever ended it', async () => {
    const { call } = setUp({ implementations: { 'a.free': (_input, running) => never(running) } });
    const token = new AbortController();
    const revoked = call('a.free', {}, { caller: person({ ended: token.signal }) });
    token.abort(new OutriggerError('TOKEN_REVOKED', 'Over.'));
    await fails('TOKEN_REVOKED', revoked);
    await fails('DEADLINE', call('a.free', {}, { signal: AbortSignal.timeout(1) }));
    const gone = new AbortController();
    const canceled = call('a.free', {}, { signal: gone.signal, caller: person({ ended: new AbortController().signal }) });
    gone.abort();
    await fails('CANCELED', canceled);
  });

  test('leaves nothing behind on a signal that outlives the call', async () => {
    const ended = new AbortController().signal;
    let listening = 0;
    const count = (by: number, method: 'addEventListener' | 'removeEventListener'): void => {
      const original = ended[method].bind(ended) as (...given: unknown[]) => void;
      Object.defineProperty(ended, method, {
        value: (...given: unknown[]) => {
          listening += by;
          original(...given);
        },
      });
    };
    count(1, 'addEventListener');
    count(-1, 'removeEventListener');
    const { call } = setUp();
    for (let i = 0; i < 5; i++) await call('a.free', {}, { caller: person({ ended }) });
    await fails('BAD_PATH', call('a.read', { path: '/' }, { caller: person({ ended }) }));
    assert.equal(listening, 0);
  });
});

describe('what failed inside', () => {
  test('is hidden from the caller and told to the log', async () => {
    const cause = new Error('the password is 1234');
    const { call, log } = setUp({ implementations: { 'a.free': () => Promise.reject(cause) } });
    await fails('INTERNAL', call('a.free'), /^(?!.*1234).*r1/);
    assert.equal(log[0]?.error, cause);
    assert.equal(log[0]?.outcome, 'INTERNAL');
  });

  test('is told to the log also where a service found the words for it', async () => {
    const told = new OutriggerError('INTERNAL', 'x could not be used.');
    const { call, log } = setUp({ implementations: { 'a.free': () => Promise.reject(told) } });
    await fails('INTERNAL', call('a.free'));
    assert.equal(log[0]?.error, told);
  });

  test('for want of descriptors says so, wherever they were missed', async () => {
    const failed = (code: string, message: string): Error => Object.assign(new Error(message), { code });
    for (const error of [
      failed('EMFILE', "EMFILE: too many open files, open '/a/b.ts'"),
      failed('ENFILE', 'ENFILE: file table overflow'),
      failed('ERR_WORKER_INIT_FAILED', 'Worker initialization failure: EMFILE'),
    ])
      await fails(
        'TOO_MANY_FILES',
        setUp({ implementations: { 'a.free': () => Promise.reject(error) } }).call('a.free'),
        /^Too many files/,
      );
    for (const error of [failed('ERR_WORKER_INIT_FAILED', 'Worker initialization failure'), failed('EIO', 'EMFILE'), null])
      await fails('INTERNAL', setUp({ implementations: { 'a.free': () => Promise.reject(error as Error) } }).call('a.free'));
  });

  test('is not told for mistakes of a peer', async () => {
    const { call, log } = setUp({ implementations: { 'a.free': () => Promise.reject(new OutriggerError('FILE_NOT_FOUND', 'No.')) } });
    await fails('FILE_NOT_FOUND', call('a.free'));
    assert.equal(log[0]?.error, undefined);
  });
});

describe('bytes', () => {
  class Source implements AsyncIterableIterator<Uint8Array> {
    closed = 0;
    left = 3;
    readonly #fails: boolean;
    constructor(fails_ = false) {
      this.#fails = fails_;
    }
    [Symbol.asyncIterator](): this {
      return this;
    }
    next(): Promise<IteratorResult<Uint8Array, undefined>> {
      if (this.#fails && this.left === 1) return Promise.reject(new Error('disk'));
      return Promise.resolve(this.left-- > 0 ? { done: false, value: new Uint8Array(10) } : { done: true, value: undefined });
    }
    return(): Promise<IteratorResult<Uint8Array, undefined>> {
      this.closed++;
      return Promise.resolve({ done: true, value: undefined });
    }
  }
  const withSource = (source: Source): ReturnType<typeof setUp> =>
    setUp({ implementations: { 'a.bytes': () => ({ head: { size: 30 }, bytes: source }) } });
  const read = async (bytes: AsyncIterable<Uint8Array> | undefined, stopAfter = Number.POSITIVE_INFINITY): Promise<number> => {
    let count = 0;
    for await (const chunk of bytes ?? []) {
      count += chunk.length;
      if (count >= stopAfter) break;
    }
    return count;
  };

  test('end the call, with one line in the log, when they are read to the end', async () => {
    const { call, log } = withSource(new Source());
    const reply = await call('a.bytes');
    assert.deepEqual(reply.output, { size: 30 });
    assert.equal(log.length, 0);
    assert.equal(await read(reply.bytes), 30);
    assert.deepEqual(
      log.map(({ outcome, bytes }) => [outcome, bytes]),
      [['ok', 30]],
    );
  });

  test('end the call when they are returned early, or before the first was read', async () => {
    const early = new Source();
    const one = withSource(early);
    assert.equal(await read((await one.call('a.bytes')).bytes, 10), 10);
    assert.deepEqual([one.log.length, one.log[0]?.bytes, early.closed], [1, 10, 1]);
    const untouched = new Source();
    const other = withSource(untouched);
    await (await other.call('a.bytes')).bytes?.[Symbol.asyncIterator]().return?.();
    assert.deepEqual([other.log.length, other.log[0]?.bytes, untouched.closed], [1, 0, 1]);
  });

  test('are closed when the caller goes away without ever reading, and its place in the count is free again', async () => {
    const source = new Source();
    const { call, log } = withSource(source);
    const gone = new AbortController();
    for (let i = 0; i < 3; i++) await call('a.bytes', {}, { signal: gone.signal });
    await fails('TOO_MANY', call('a.free'));
    gone.abort();
    await new Promise(setImmediate);
    assert.equal(source.closed, 3);
    assert.deepEqual(
      log.map(({ outcome }) => outcome),
      ['TOO_MANY', 'CANCELED', 'CANCELED', 'CANCELED'],
    );
    await call('a.free');
  });

  test('stop with the reason when the token ends in the middle', async () => {
    const source = new Source();
    const { call, log } = withSource(source);
    const token = new AbortController();
    const { bytes } = await call('a.bytes', {}, { caller: person({ ended: token.signal }) });
    const iterator = bytes?.[Symbol.asyncIterator]();
    await iterator?.next();
    token.abort(new OutriggerError('TOKEN_REVOKED', 'Over.'));
    await fails('TOKEN_REVOKED', Promise.resolve(iterator?.next()));
    assert.deepEqual([source.closed, log.length, log[0]?.outcome, log[0]?.bytes], [1, 1, 'TOKEN_REVOKED', 10]);
  });

  test('that fail in the middle hide the cause, name the request and close the source', async () => {
    const source = new Source(true);
    const { call, log } = withSource(source);
    const { bytes } = await call('a.bytes');
    await fails('INTERNAL', read(bytes), /request r1/);
    assert.deepEqual([source.closed, log.length, (log[0]?.error as Error).message], [1, 1, 'disk']);
  });
});

describe('a body', () => {
  /** Gives what it has, and then nothing and no end. */
  class Coming implements AsyncIterableIterator<Uint8Array> {
    closed = 0;
    left: number;
    readonly #waiting = Promise.withResolvers<IteratorResult<Uint8Array, undefined>>();
    constructor(left = 1) {
      this.left = left;
    }
    [Symbol.asyncIterator](): this {
      return this;
    }
    next(): Promise<IteratorResult<Uint8Array, undefined>> {
      return this.left-- > 0 ? Promise.resolve({ done: false, value: new Uint8Array(10) }) : this.#waiting.promise;
    }
    return(): Promise<IteratorResult<Uint8Array, undefined>> {
      this.closed++;
      return Promise.reject(new Error('it does not close, either'));
    }
    end(): void {
      this.#waiting.resolve({ done: true, value: undefined });
    }
    fail(): void {
      this.#waiting.reject(new Error('the socket is gone'));
    }
  }
  const sizeOf = async (call: Call): Promise<number> => {
    let size = 0;
    for await (const chunk of call.body) size += chunk.length;
    return size;
  };
  const whole = { implementations: { 'a.free': async (_input: never, call: Call) => ({ size: await sizeOf(call) }) } };

  test('that still comes ends with its call, at once and for its reason, and is closed', async () => {
    const body = new Coming();
    const { call, log } = setUp(whole);
    const token = new AbortController();
    const upload = call('a.free', {}, { body, caller: person({ ended: token.signal }) });
    await new Promise(setImmediate);
    token.abort(new OutriggerError('TOKEN_REVOKED', 'Over.'));
    await fails('TOKEN_REVOKED', upload);
    assert.deepEqual([body.closed, log[0]?.outcome], [1, 'TOKEN_REVOKED']);
    // What comes too late reaches nobody, as an error neither.
    body.fail();
    await new Promise(setImmediate);
  });

  test('of a call without a token that can end, too', async () => {
    const body = new Coming();
    const gone = new AbortController();
    const upload = setUp(whole).call('a.free', {}, { body, signal: gone.signal });
    await new Promise(setImmediate);
    gone.abort();
    await fails('CANCELED', upload);
    assert.equal(body.closed, 1);
  });

  test('is read to its end, or closed by who reads no more, and leaves nothing on the signal', async () => {
    const { signal } = new AbortController();
    const body = new Coming(3);
    body.end();
    assert.deepEqual(await setUp(whole).call('a.free', {}, { body, signal }), { output: { size: 30 } });
    assert.deepEqual([body.closed, getEventListeners(signal, 'abort')], [0, []]);
    const failing = new Coming();
    failing.fail();
    await fails('INTERNAL', setUp(whole).call('a.free', {}, { body: failing, signal }));
    const early = new Coming(3);
    const first = async (_input: never, { body: coming }: Call): Promise<number> => {
      for await (const { length } of coming) return length;
      return 0;
    };
    // That it can't be closed is for the log.
    await fails('INTERNAL', setUp({ implementations: { 'a.free': first } }).call('a.free', {}, { body: early, signal }));
    assert.deepEqual([early.closed, getEventListeners(signal, 'abort')], [1, []]);
  });

  test('is left alone where nobody reads it, and may be read when the call is answered', async () => {
    const { signal } = new AbortController();
    const unread = new Coming();
    await setUp().call('a.free', {}, { body: unread, signal });
    assert.deepEqual([unread.closed, unread.left, getEventListeners(signal, 'abort')], [0, 1, []]);
    let later: Promise<number> | undefined;
    const { call } = setUp({ implementations: { 'a.free': (_input, running) => void (later = sizeOf(running)) } });
    const body = new Coming(2);
    await call('a.free', {}, { body, signal, caller: person({ ended: new AbortController().signal }) });
    body.end();
    assert.equal(await later, 20);
  });
});

test('each call is one line: who, what, how, how long, how many', async () => {
  let now = 0;
  const { call, log } = setUp({
    dependencies: { now: () => (now += 7.123) },
    implementations: { 'a.items': async (_input, running) => void (await running.emit(1)) },
  });
  await call('a.items');
  assert.deepEqual(log, [
    { operation: 'a.items', transport: 'test', caller: 'Pia', requestId: 'r1', outcome: 'ok', durationMs: 7.1, items: 1 },
  ]);
});
