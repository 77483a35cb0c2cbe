import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { OwnFolder } from './own-folder.ts';

const DAY_MS = 86_400_000;

test('folders whose sidecars were not seen for a week go, with all that is in them; not those of long sessions, nor what is no sidecar’s', () =>
  withScratchFolder('own', async (_folder, parent) => {
    let now = Date.now();
    const own = (name: string, lifeMs = DAY_MS): OwnFolder =>
      new OwnFolder({ now: () => now }, { folder: path.join(parent, name), lifeMs });
    for (const name of ['gone', 'long', 'lives', 'broken', 'strange', 'link-target']) {
      fs.mkdirSync(path.join(parent, name, 'sessions', 'one'), { recursive: true });
      fs.writeFileSync(path.join(parent, name, 'sessions', 'one', 'file'), name);
    }
    fs.writeFileSync(path.join(parent, 'file'), '');
    const kept = (): string[] => fs.readdirSync(parent).sort();

    await own('gone').keep();
    await own('long', 30 * DAY_MS).keep();
    const lives = own('lives');
    await lives.keep();
    await own('broken').keep();
    fs.truncateSync(path.join(parent, 'broken', '.outrigger-seen'));
    // A marker that leads elsewhere is nobody’s.
    fs.symlinkSync(path.join(parent, 'gone', '.outrigger-seen'), path.join(parent, 'link-target', '.outrigger-seen'));
    // Closed, as a program may leave it.
    fs.chmodSync(path.join(parent, 'gone', 'sessions'), 0);

    now += 6.9 * DAY_MS;
    const before = kept();
    fs.mkdirSync(path.join(parent, 'early'));
    await own('early').keep();
    assert.deepEqual(kept(), [...before, 'early'].sort());

    await lives.keep();
    now += 0.2 * DAY_MS;
    fs.mkdirSync(path.join(parent, 'late'));
    await own('late').keep();
    assert.deepEqual(kept(), ['early', 'file', 'late', 'link-target', 'lives', 'long', 'strange']);

    now += 30 * DAY_MS;
    fs.mkdirSync(path.join(parent, 'last'));
    await own('last').keep();
    assert.deepEqual(kept(), ['file', 'last', 'link-target', 'strange']);
  }));

test('where no folder was made, none is; one that is cleared away and made again is marked again', () =>
  withScratchFolder('own', async (_folder, parent) => {
    let now = Date.now();
    const folder = path.join(parent, 'own');
    const own = new OwnFolder({ now: () => now }, { folder, lifeMs: DAY_MS });
    await own.keep();
    assert.deepEqual(fs.readdirSync(parent), []);
    fs.mkdirSync(folder);
    await own.keep();
    assert.equal(fs.readFileSync(path.join(folder, '.outrigger-seen'), 'utf8'), String(DAY_MS));
    fs.rmSync(folder, { recursive: true });
    fs.mkdirSync(folder);
    now += 3_600_000;
    await own.keep();
    assert.deepEqual(fs.readdirSync(folder), ['.outrigger-seen']);
  }));
