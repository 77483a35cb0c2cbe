import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Change } from '../contract/events.ts';
import { SecretPlaces } from './secret-places.ts';

const move = (from: string, to: string): Change[] => [{ what: 'moved', from, path: to } as Change];

test('a secret is where it was named, where that leads, and where it was moved, also when a link on the way becomes another', () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-secrets-')));
  const at = (name: string): string => path.join(folder, 'root', name);
  try {
    fs.mkdirSync(at('conf/..1'), { recursive: true });
    fs.mkdirSync(at('conf/..2'));
    for (const n of [1, 2]) fs.writeFileSync(at(`conf/..${n}/token`), `${n}`);
    fs.symlinkSync('..1', at('conf/..data'));
    fs.symlinkSync('..data/token', at('conf/token'));
    // By a path that is a link itself.
    fs.symlinkSync(at('conf'), path.join(folder, 'linked'));
    let now = 0;
    const secrets = new SecretPlaces(
      at(''),
      [path.join(folder, 'linked/token'), undefined, path.join(folder, 'outside'), at('not-there')],
      () => now,
    );
    const places = (): string[] => [...secrets.places].toSorted();
    assert.deepEqual(places(), ['conf/..1/token', 'conf/token', 'not-there']);
    fs.symlinkSync('..2', at('conf/..new'));
    fs.renameSync(at('conf/..new'), at('conf/..data'));
    now += 100;
    assert.deepEqual(places(), ['conf/..1/token', 'conf/..2/token', 'conf/token', 'not-there']);
    fs.renameSync(at('conf'), at('etc'));
    secrets.noticed(move('conf', 'etc'));
    assert.ok(places().includes('etc/..2/token'));
    now += 100;
    // What is not there any more is no secret, but for the name under which the next start looks.
    assert.deepEqual(places(), ['etc/..1/token', 'etc/..2/token', 'etc/token', 'not-there']);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('where no secret is named there is none, and nothing is looked at', () => {
  const secrets = new SecretPlaces(os.tmpdir(), [undefined], () => assert.fail('it looks'));
  assert.equal(secrets.places.size, 0);
});
