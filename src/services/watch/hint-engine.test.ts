import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { HintEngine, type HintEngineOptions } from './hint-engine.ts';

type Library = Awaited<ReturnType<HintEngineOptions['library']>>;
type Told = Parameters<Library['subscribe']>[1];

/** An engine of the library `subscribe`, with what it hints at: paths, and `lost`. */
function engineOf(root: string, subscribe: Library['subscribe']): { engine: HintEngine; hints: string[] } {
  const hints: string[] = [];
  const engine = new HintEngine({
    root,
    settings: { engine: 'parcel', ignore: ['.git'], pollMs: 1000, sweepMs: 1000 },
    library: async () => ({ subscribe }),
    onHint: (path) => hints.push(path),
    onLost: () => hints.push('lost'),
    sweep: async () => {},
  });
  return { engine, hints };
}

test('events of the library are hints at paths in the folder; of the folder itself, or where it fails, at anything', () =>
  withScratchFolder('hints', async (_folder, root) => {
    let tell: Told | undefined;
    let ended = 0;
    const { engine, hints } = engineOf(root, async (_root, told, options) => {
      tell = told;
      assert.deepEqual(options?.ignore, ['.git']);
      return { unsubscribe: async () => void ended++ };
    });
    assert.equal(engine.name, 'parcel');
    await engine.start();
    tell?.(null, [
      { type: 'update', path: `${root}/a/b.txt` },
      { type: 'delete', path: root },
    ]);
    tell?.(new Error('events were dropped'), []);
    assert.deepEqual(hints, ['a/b.txt', 'lost', 'lost']);
    await engine.close();
    assert.deepEqual([ended, engine.name, engine.degraded], [1, 'parcel', null]);
  }));

test('a library that finds a folder gone when it is to end is as good as ended', () =>
  withScratchFolder('hints', async (_folder, root) => {
    const unsubscribe = () => Promise.reject(new Error('Unable to remove watcher: Invalid argument'));
    const { engine } = engineOf(root, async () => ({ unsubscribe }));
    await engine.start();
    await engine.close();
  }));

test('where the library can not be used it is polled, and said why', () =>
  withScratchFolder('hints', async (_folder, root) => {
    const { engine } = engineOf(root, () => Promise.reject(new Error('No prebuild or local build found.\nTried: …')));
    await engine.start();
    assert.equal(engine.name, 'polling');
    assert.equal(engine.degraded?.reason, "@parcel/watcher can't be used (No prebuild or local build found.)");
    assert.match(engine.degraded?.hint ?? '', /@parcel\/watcher/);
    await engine.close();
  }));
