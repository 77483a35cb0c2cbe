import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Settings } from './settings.ts';

const skip = process.platform === 'linux' ? false : 'bound on Linux alone';
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-settings-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

test('the copy has what everybody may read of the settings, and nothing else', { skip }, async () => {
  const settings = new Settings(scratch, () => 0);
  assert.equal(settings.bound(false), undefined, 'there is none yet');
  await Promise.all([settings.make(false), settings.make(true)]);
  const { folder = '', whole = [] } = settings.bound(false) ?? {};
  assert.equal(fs.readFileSync(path.join(folder, 'passwd'), 'utf8'), fs.readFileSync('/etc/passwd', 'utf8'));
  for (const name of ['shadow', 'hosts', 'resolv.conf', 'ssl/private']) assert.equal(fs.existsSync(path.join(folder, name)), false, name);
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (!entry.isSymbolicLink())
      assert.equal(fs.statSync(path.join(entry.parentPath, entry.name)).mode & 0o7777, entry.isFile() ? 0o644 : 0o755);
  const bound = whole.includes('/etc/alternatives');
  const wanted = fs.readdirSync('/etc/alternatives');
  assert.equal(bound, wanted.length >= 64);
  assert.deepEqual(fs.readdirSync(path.join(folder, 'alternatives')).sort(), bound ? [] : wanted.sort());
  assert.equal(fs.existsSync(path.join(settings.bound(true)?.folder ?? '', 'hosts')), fs.existsSync('/etc/hosts'));
  await settings.close();
  assert.deepEqual(fs.readdirSync(scratch), []);
});

const large = '/etc/alternatives';
const isLarge = skip === false && fs.existsSync(large) && fs.readdirSync(large).length >= 64;

test('a large folder is bound whole only where everybody may read all of it (long form)', {
  skip: isLarge ? false : `needs a large ${large}`,
}, async (t) => {
  const { readdirSync, statSync } = fs;
  const secret = path.join(large, 'secret');
  t.mock.method(fs, 'readdirSync', ((folder: string, options: object) => {
    const entries = readdirSync(folder, options as { withFileTypes: true });
    const own = { name: 'secret', parentPath: folder, isSymbolicLink: () => false, isDirectory: () => false, isFile: () => true };
    return folder === large ? [...entries, own] : entries;
  }) as never);
  let mode = 0o100_600;
  t.mock.method(fs, 'statSync', ((file: string, options: object) => (file === secret ? { mode } : statSync(file, options))) as never);
  const settings = new Settings(scratch, () => 0);
  await settings.make(false);
  const closed = settings.bound(false);
  assert.ok(closed !== undefined && !closed.whole.includes(large));
  assert.equal(readdirSync(path.join(closed.folder, 'alternatives')).length, readdirSync(large).length, 'copied instead');
  mode = 0o100_644;
  await settings.make(false);
  assert.ok(settings.bound(false)?.whole.includes(large));
  await settings.close();
});

test('a copy is looked after once in a second, and made anew where something changed (long form)', { skip }, async (t) => {
  let now = 0;
  const settings = new Settings(scratch, () => now);
  await settings.make(false);
  const first = settings.bound(false);
  const { statSync } = fs;
  let looks = 0;
  let later = 0;
  t.mock.method(fs, 'statSync', ((file: string, options: object) => {
    looks += 1;
    const stat = statSync(file, options) as fs.Stats | undefined;
    return stat === undefined ? undefined : { mtimeMs: stat.mtimeMs + later };
  }) as never);
  now = 999;
  assert.equal(settings.bound(false), first);
  assert.equal(looks, 0);
  now = 1000;
  assert.equal(settings.bound(false), first);
  assert.ok(looks > 0);
  later = 1;
  assert.equal(settings.bound(false), first, 'not before another second');
  now = 2000;
  assert.equal(settings.bound(false), undefined, 'bound one by one meanwhile');
  await settings.make(false);
  const second = settings.bound(false);
  assert.ok(second !== undefined && second !== first);
  assert.ok(fs.existsSync(first?.folder ?? ''), 'programs may still run in it');
  await settings.close();
  assert.deepEqual(fs.readdirSync(scratch), []);
});
