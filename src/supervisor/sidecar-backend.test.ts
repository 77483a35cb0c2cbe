import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { OutriggerError } from '../contract/errors.ts';
import { SidecarBackend, type SidecarPort } from './sidecar-backend.ts';

test('a listener that throws hears of what comes after, and its error surfaces', async () => {
  const changes = ['a', 'b', 'c'].map((path, at) => ({ type: 'change', what: 'changed', path, kind: 'file', cursor: `e-${at}` }));
  const items = (async function* () {
    for (const change of changes) yield await Promise.resolve(change);
  })();
  const backend = new SidecarBackend('/folder', {
    state: { name: 'ready' },
    onState: () => () => {},
    request: () => Promise.resolve({}),
    stream: () => ({ items, result: Promise.resolve({}) }),
    stop: () => Promise.resolve(),
  });
  const heard: string[] = [];
  const mistake = new Error('a mistake of the host');
  // The test's own handler would take it for a failure.
  const own = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  try {
    const surfaced = once(process, 'uncaughtException');
    backend.watch('**', ({ path }) => {
      heard.push(path);
      if (path === 'b') throw mistake;
    });
    assert.equal((await surfaced)[0], mistake);
  } finally {
    for (const listener of own) process.on('uncaughtException', listener);
  }
  await eventually(() => assert.deepEqual(heard, ['a', 'b', 'c']));
});

/** A port whose feeds are what `feeds` gives, one after another. */
function portOf(feeds: (() => AsyncGenerator<unknown>)[]): { port: SidecarPort; asked: unknown[] } {
  const asked: unknown[] = [];
  const port: SidecarPort = {
    state: { name: 'ready' },
    onState: () => () => {},
    request: () => Promise.resolve({}),
    stream: (_method, input) => {
      asked.push(input);
      return { items: (feeds.shift() ?? quiet)(), result: Promise.resolve({}) } as ReturnType<SidecarPort['stream']>;
    },
    stop: () => Promise.resolve(),
  };
  return { port, asked };
}

async function* quiet(): AsyncGenerator<unknown> {
  await new Promise(() => {});
}

const changed = (path: string): object => ({ type: 'change', what: 'changed', path, kind: 'file', cursor: `e-${path}` });

test('hundreds of watches are one feed, which ends with the last of them', async () => {
  const gate = Promise.withResolvers<void>();
  const { port, asked } = portOf([
    async function* () {
      await gate.promise;
      yield changed('f1.ts');
      yield changed('f299.ts');
      yield* quiet();
    },
  ]);
  const backend = new SidecarBackend('/folder', port);
  const heard: string[] = [];
  const watches = Array.from({ length: 300 }, (_, at) => backend.watch(`/f${at}.ts`, ({ path }) => heard.push(`${at} ${path}`)));
  assert.deepEqual(asked, [{ git: false }]);
  watches[1]?.dispose();
  gate.resolve();
  await eventually(() => assert.deepEqual(heard, ['299 f299.ts']));
  for (const watch of watches) watch.dispose();
  backend.watch('**', () => {});
  assert.equal(asked.length, 2);
});

test('a feed that the child ends is asked for again, from where it was', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { port, asked } = portOf([
    async function* () {
      yield changed('a');
      throw new OutriggerError('TOO_MANY', 'At most 256 requests may be in flight here.');
    },
    async function* () {
      yield changed('b');
    },
  ]);
  const heard: string[] = [];
  const watch = new SidecarBackend('/folder', port).watch('**', ({ what, path }) => heard.push(`${what} ${path}`));
  const passed = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    t.mock.timers.tick(1000);
  };
  for (let time = 0; time < 3; time++) await passed();
  assert.deepEqual(heard, ['changed a', 'changed b']);
  assert.deepEqual(asked.slice(0, 3), [{ git: false }, { git: false, cursor: 'e-a' }, { git: false, cursor: 'e-b' }]);
  watch.dispose();
});

test('where a folder moved all is to be read anew, whatever is listened for', async () => {
  const { port } = portOf([
    async function* () {
      yield { type: 'change', what: 'created', path: 'new', kind: 'directory', cursor: 'e-1' };
      yield { type: 'change', what: 'moved', from: 'old', path: 'new/old', kind: 'directory', cursor: 'e-2' };
      yield changed('a.ts');
      yield* quiet();
    },
  ]);
  const heard: string[] = [];
  const watch = new SidecarBackend('/folder', port).watch('*.ts', ({ what, path }) => heard.push(`${what} ${path}`));
  await eventually(() => assert.deepEqual(heard, ['resync ', 'changed a.ts']));
  watch.dispose();
});

test('that there is no feed is told to each watch, also to a later one', async () => {
  const { port } = portOf([
    async function* () {
      yield* [];
      throw new OutriggerError('PART_OFF', 'The part is off.');
    },
  ]);
  const backend = new SidecarBackend('/folder', port);
  const told: number[] = [];
  for (const number of [1, 2])
    backend.watch(
      '**',
      () => {},
      () => told.push(number),
    );
  await eventually(() => assert.deepEqual(told, [1, 2]));
  backend.watch(
    '**',
    () => {},
    () => told.push(3),
  );
  await eventually(() => assert.deepEqual(told, [1, 2, 3]));
});
