// Programs that call tools, in a clock of the test's own: what they would be run by only says that they call, and hears when it is given up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { BadRequest } from './answers.ts';
import type { Asking } from './ask.ts';
import { KnownLanguages } from './languages.ts';
import { Programmatic } from './programmatic.ts';

interface Scene {
  /** POST /exec/programmatic. */
  post: (body: object) => Promise<Record<string, unknown>>;
  /** Limits of the runs that were asked for. */
  limits: object[];
  /** Runs that were given up. */
  stopped: () => number;
}

/** `calls`: what a program does; else it computes for ever. `input`: what becomes of a line that it is given. */
function scene({ calls, input: takeInput = () => Promise.resolve() }: { calls: boolean; input?: () => Promise<void> }): Scene {
  const limits: object[] = [];
  let stopped = 0;
  const run = ({ input, emit, signal }: Parameters<Dispatch>[0]): Promise<never> => {
    const { code, limits: asked } = input as { code: string; limits: object };
    limits.push(asked);
    void emit?.({ type: 'started', run: 'run', session: 'session' });
    const packed = /_outrigger_main\("(.*)"\)/.exec(code)?.[1] ?? '';
    const { mark } = JSON.parse(Buffer.from(packed, 'base64').toString()) as { mark: string };
    if (calls) void emit?.({ type: 'output', stream: 'stdout', text: `${mark}[{"name":"tool","input":{}}]\n` });
    return new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => {
        stopped++;
        reject(signal.reason as Error);
      }),
    );
  };
  const dispatch = (async (request) => {
    if (request.name === 'code.languages') return { output: { languages: [{ code: 'py', aliases: [], rollout: 'enabled' }] } };
    if (request.name === 'code.run') return run(request);
    if (request.name === 'code.input') return takeInput().then(() => ({ output: {} }));
    throw new OutriggerError('NO_OPERATION', request.name);
  }) as Dispatch;
  const asking: Asking = {
    dispatch,
    caller: { id: 'me', name: 'me', kind: 'agent', access: 'execute' },
    transport: 'test',
    requestId: 'r',
    signal: new AbortController().signal,
  };
  const programmatic = new Programmatic(new KnownLanguages());
  return { post: (body) => programmatic.answer(asking, body), limits, stopped: () => stopped };
}

const begin = { code: 'await tool()', tools: [{ name: 'tool' }] };

test('a program whose calls of tools nobody answers for five minutes is ended', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { post, stopped } = scene({ calls: true });
  const { status, continuation_token } = await post(begin);
  assert.equal(status, 'tool_call_required');
  t.mock.timers.tick(299_999);
  assert.equal(stopped(), 0);
  t.mock.timers.tick(1);
  assert.equal(stopped(), 1);
  await assert.rejects(post({ continuation_token, tool_results: [] }), { reason: 'NO_RUN' });
});

test('a program that computes for more than five minutes between its calls is ended, whatever time was asked for', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { post, limits, stopped } = scene({ calls: false });
  const answer = post({ ...begin, timeout: 3_600_000 });
  await new Promise(setImmediate);
  t.mock.timers.tick(299_999);
  assert.equal(stopped(), 0);
  t.mock.timers.tick(1);
  assert.equal(stopped(), 1);
  const { status, error } = await answer;
  assert.deepEqual([status, error], ['error', 'Time limit exceeded']);
  assert.equal((limits[0] as { cpuMs: number }).cpuMs, 300_000);
});

test('a program that does not read its results is ended when its time is over, and one that can not be given them is at once', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const deaf = scene({ calls: true, input: () => new Promise(() => {}) });
  const { continuation_token } = await deaf.post(begin);
  const answer = deaf.post({ continuation_token, tool_results: [] });
  await new Promise(setImmediate);
  t.mock.timers.tick(60_000);
  assert.equal(deaf.stopped(), 1);
  assert.equal((await answer)['error'], 'Time limit exceeded');

  const refusal = new OutriggerError('TOO_MANY', 'Too many calls are in flight.');
  const busy = scene({ calls: true, input: () => Promise.reject(refusal) });
  const { continuation_token: token } = await busy.post(begin);
  assert.equal((await busy.post({ continuation_token: token, tool_results: [] }))['error'], refusal.message);
  assert.equal(busy.stopped(), 1);
});

test('a program may call a hundred tools, and no more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { post } = scene({ calls: true });
  const tools = Array.from({ length: 101 }, (_, number) => ({ name: number === 0 ? 'tool' : `tool_${number}` }));
  await assert.rejects(post({ ...begin, tools }), (error) => error instanceof BadRequest && error.status === 400);
  assert.equal((await post({ ...begin, tools: tools.slice(0, 100) }))['status'], 'tool_call_required');
});
