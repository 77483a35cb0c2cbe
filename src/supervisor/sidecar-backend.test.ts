import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { eventually } from '../../test/kit/eventually.ts';
import { SidecarBackend } from './sidecar-backend.ts';

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
