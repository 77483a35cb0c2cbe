import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutriggerError } from '../../contract/errors.ts';
import type { CodeItem, CodeOutcome } from '../../contract/code.ts';
import { scriptedIsolation, scriptedLanguages, scriptedOutcome, scriptedRunId, scriptedSession } from '../../../test/kit/scripted-code.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { mostDisplays } from './run-record.ts';
import { RunStore } from './run-store.ts';
import type { WorkspaceFile } from './sent-files.ts';

type Input = Record<string, unknown>;
type Answer = (input: Input, signal: AbortSignal) => AsyncGenerator<CodeItem, CodeOutcome>;

const started: CodeItem = { type: 'started', run: scriptedRunId, session: scriptedSession, language: 'py', isolation: scriptedIsolation };
const said = (text: string, stream: 'stdout' | 'stderr' = 'stdout', stage: 'compile' | 'run' = 'run'): CodeItem => ({
  type: 'output',
  stage,
  stream,
  text,
});

/** A run that says these things and ends as it usually does. */
const saying = (...items: CodeItem[]): Answer =>
  async function* () {
    yield* items;
    return scriptedOutcome();
  };

function make(answers: Answer[], files: WorkspaceFile[] = []) {
  const asked: Input[] = [];
  const calls: [string, unknown][] = [];
  const kept = new Map<string, string>();
  const stream = (_name: string, input: Input, { signal }: { signal: AbortSignal }) => {
    asked.push(input);
    const run = (answers.shift() as Answer)(input, signal);
    const end = Promise.withResolvers<CodeOutcome>();
    end.promise.catch(() => undefined);
    return {
      end: end.promise,
      async *[Symbol.asyncIterator]() {
        try {
          for (let step = await run.next(); ; step = await run.next()) {
            if (step.done === true) return end.resolve(step.value);
            yield step.value;
          }
        } catch (error) {
          end.reject(error);
          throw error;
        }
      },
    };
  };
  const call = async (name: string, input: unknown): Promise<unknown> => {
    calls.push([name, input]);
    if (name === 'code.languages') return { languages: scriptedLanguages };
    if (name === 'code.openSession') return { id: scriptedSession };
    return {};
  };
  const upload = async (name: string, input: { name: string }): Promise<unknown> => {
    calls.push([name, input]);
    return { id: 'f'.repeat(21) };
  };
  const store = new RunStore({
    client: { stream, call, upload } as unknown as WorkbenchClient,
    layout: {
      recall: (name) => kept.get(name) ?? null,
      remember: (name, value) => void (value === undefined ? kept.delete(name) : kept.set(name, value)),
    },
    now: () => 1_000,
    drawn: () => new Promise((resolve) => setImmediate(resolve)),
    readFile: async (path) => {
      const file = files.find((one) => one.path === path);
      if (file === undefined) throw new OutriggerError('FILE_NOT_FOUND', `There is no ${path}.`);
      return file;
    },
  });
  return { store, asked, calls, kept };
}

const request = { path: 'loan.py', text: 'print(1)', what: 'file', firstLine: 1 } as const;

test('a run is asked for as its form says, and its output is kept apart by stage and stream', async () => {
  const { store, asked, kept } = make([
    saying(
      { type: 'queued', ahead: 2 },
      started,
      { type: 'stage', stage: 'compile', cached: true },
      said('careful\n', 'stderr', 'compile'),
      said('on'),
      said('e\ntwo\n'),
    ),
  ]);
  await store.want();
  store.setForm('loan.py', {
    args: '-n "a b"',
    stdin: 'in',
    limits: { ...store.form('loan.py').limits, seconds: '2' },
    network: true,
    keepState: true,
  });
  await store.run(request);
  assert.deepEqual(asked, [
    {
      language: 'py',
      code: 'print(1)',
      files: [],
      args: ['-n', 'a b'],
      stdin: 'in',
      limits: { wallMs: 2000 },
      network: true,
      keepState: true,
    },
  ]);
  const { value: record } = store.current;
  assert.deepEqual([record?.phase.value, record?.ahead.value, record?.cached.value], ['over', 2, true]);
  assert.deepEqual(
    record?.compile.lines.map(({ stream, text }) => [stream, text]),
    [['stderr', 'careful']],
  );
  assert.deepEqual(
    record?.program.lines.map(({ text }) => text),
    ['one', 'two'],
  );
  assert.equal(record?.outcome.value?.exitCode, 0);
  // The next one finds the files of this one, also after a reload.
  assert.equal(kept.get('run-session'), scriptedSession);
});

test('the session is kept until a new one is asked for; one that ran out is replaced, and that is said', async () => {
  const gone: Answer = async function* () {
    throw new OutriggerError('NO_SESSION', 'That session has ended.');
  };
  const { store, asked } = make([saying(started), saying(started), gone, saying(started), saying(started)]);
  await store.want();
  await store.run(request);
  await store.run(request);
  await store.run(request);
  assert.deepEqual(store.current.value?.notes.value.length, 1);
  assert.equal(store.current.value?.phase.value, 'over');
  assert.equal(store.current.value?.problem.value, undefined);
  store.newSession();
  await store.run(request);
  assert.deepEqual(
    asked.map(({ session }) => session),
    [undefined, scriptedSession, scriptedSession, undefined, undefined],
  );
});

test('how a file is run goes with it when it is moved, itself or with its folder, and so do the files beside it', () => {
  const { store } = make([]);
  store.target.value = 'a/loan.py';
  store.setForm('a/loan.py', { args: 'one', files: ['a/data.csv', 'other.csv'] });
  store.moved('a', 'b');
  store.moved('b/loan.py', 'b/lent.py');
  assert.equal(store.target.value, 'b/lent.py');
  const { args, files } = store.form('b/lent.py');
  assert.deepEqual([args, files, store.form('a/loan.py').args], ['one', ['b/data.csv', 'other.csv'], '']);
});

test('a run that is stopped is canceled by its id and keeps what it wrote; one that waits is let go of', async () => {
  const canceled = Promise.withResolvers<void>();
  const endless: Answer = async function* () {
    yield started;
    yield said('half\n');
    await canceled.promise;
    return scriptedOutcome({ reason: 'canceled' });
  };
  const waiting: Answer = async function* (_input, signal) {
    yield { type: 'queued', ahead: 3 };
    await new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(new OutriggerError('CANCELED', 'The call was canceled.'))),
    );
    return scriptedOutcome();
  };
  const { store, calls } = make([endless, waiting]);
  await store.want();
  const running = store.run(request);
  await eventually(() => store.current.value?.program.lines.length === 1);
  await store.run(request);
  await store.stop();
  assert.deepEqual(calls.at(-1), ['code.cancel', { run: scriptedRunId }]);
  canceled.resolve();
  await running;
  assert.deepEqual([store.current.value?.outcome.value?.reason, store.current.value?.program.lines.length], ['canceled', 1]);

  const queued = store.run(request);
  await eventually(() => store.current.value?.phase.value === 'queued');
  await store.stop();
  await queued;
  assert.equal(store.current.value?.problem.value?.reason, 'CANCELED');
});

test('a lost link ends the run with what came until then', async () => {
  const lost: Answer = async function* () {
    yield started;
    yield said('half\n');
    throw new OutriggerError('CONNECTION_LOST', 'The connection was lost.');
  };
  const { store } = make([lost]);
  await store.want();
  await store.run(request);
  assert.equal(store.current.value?.problem.value?.reason, 'CONNECTION_LOST');
  assert.equal(store.current.value?.program.lines[0]?.text, 'half');
  assert.equal(store.busy.value, false);
});

test('files beside it go along in the call when they are small; larger ones go into the session first, once', async () => {
  const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(0xff);
  const small: WorkspaceFile = { path: 'a/small.txt', name: 'small.txt', etag: '1', bytes: new TextEncoder().encode('grüße') };
  const binary: WorkspaceFile = { path: 'b.bin', name: 'b.bin', etag: '1', bytes: bytes(3) };
  const large: WorkspaceFile = { path: 'c/large.bin', name: 'large.bin', etag: '1', bytes: bytes(300 * 1024) };
  const other: WorkspaceFile = { ...large, path: 'd/large.bin' };
  const { store, asked, calls } = make([saying(started), saying(started)], [small, binary, large, other]);
  await store.want();
  store.setForm('loan.py', { files: [small, binary, large, other].map(({ path }) => path) });
  await store.run(request);
  await store.run(request);
  for (const { files, session } of asked) {
    assert.equal(session, scriptedSession);
    assert.deepEqual(files, [
      { name: 'small.txt', text: 'grüße' },
      { name: 'b.bin', base64: '////' },
      // As it is called in the session, where another of that name has another.
      { session: scriptedSession, id: 'f'.repeat(21) },
      { session: scriptedSession, id: 'f'.repeat(21) },
    ]);
  }
  assert.deepEqual(
    calls.filter(([name]) => name === 'code.putFile').map(([, input]) => (input as { name: string }).name),
    ['c/large.bin', 'd/large.bin'],
  );
  store.setForm('loan.py', { files: ['gone.txt'] });
  await store.run(request);
  assert.match(store.current.value?.problem.value?.message ?? '', /There is no gone\.txt/);
});

test('what a run shows is bounded, and what was left out is counted', async () => {
  const many = Array.from({ length: mostDisplays + 7 }, (): CodeItem => ({ type: 'display', data: { 'text/plain': 'x' } }));
  const { store } = make([saying(started, ...many)]);
  await store.want();
  await store.run(request);
  assert.deepEqual([store.current.value?.displays.value.length, store.current.value?.omittedDisplays.value], [mostDisplays, 7]);
});

test('the runs before are kept, the newest first, until they are many or large; the last is shown until another is chosen', async () => {
  const large = 'x'.repeat(3_000).concat('\n').repeat(2_400);
  const answers = [
    ...Array.from({ length: 12 }, (_, at) => saying(started, said(`${at}\n`))),
    ...Array.from({ length: 7 }, () => saying(started, said(large))),
  ];
  const { store } = make(answers);
  await store.want();
  const held = () => store.all.value.map(({ program }) => program.lines[0]?.text.slice(0, 2));
  for (let at = 0; at < 12; at += 1) await store.run(request);
  assert.deepEqual(held(), ['11', '10', '9', '8', '7', '6', '5', '4', '3', '2']);
  store.shown.value = store.all.value[3];
  await store.run(request);
  assert.equal(store.shown.value, store.current.value);
  for (let at = 0; at < 6; at += 1) await store.run(request);
  // Of 7 MB each four are kept beside the last.
  assert.deepEqual(held(), ['xx', 'xx', 'xx', 'xx', 'xx']);
  store.moved('loan.py', 'models/loan.py');
  assert.deepEqual(new Set(store.all.value.map(({ path }) => path)), new Set(['models/loan.py']));
});
