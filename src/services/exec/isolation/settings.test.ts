import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Settings } from './settings.ts';

const skip = process.platform === 'linux' ? false : 'bound on Linux alone';
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-settings-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));

function leadsToManual(file: string): boolean {
  return fs.lstatSync(file).isSymbolicLink() && fs.readlinkSync(file).includes('/man/');
}

test('the copy has what everybody may read of the settings, and nothing else', { skip }, async () => {
  const settings = new Settings(scratch, () => 0);
  assert.equal(settings.folder(false), undefined, 'there is none yet');
  await Promise.all([settings.make(false), settings.make(true)]);
  const folder = settings.folder(false) ?? '';
  assert.equal(fs.readFileSync(path.join(folder, 'passwd'), 'utf8'), fs.readFileSync('/etc/passwd', 'utf8'));
  for (const name of ['shadow', 'hosts', 'resolv.conf', 'ssl/private']) assert.equal(fs.existsSync(path.join(folder, name)), false, name);
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (!entry.isSymbolicLink())
      assert.equal(fs.statSync(path.join(entry.parentPath, entry.name)).mode & 0o7777, entry.isFile() ? 0o644 : 0o755);
  const alternatives = fs.readdirSync(path.join(folder, 'alternatives'));
  const wanted = fs.readdirSync('/etc/alternatives').filter((name) => !leadsToManual(path.join('/etc/alternatives', name)));
  assert.deepEqual(alternatives.sort(), wanted.sort());
  assert.equal(fs.existsSync(path.join(settings.folder(true) ?? '', 'hosts')), fs.existsSync('/etc/hosts'));
  await settings.close();
  assert.deepEqual(fs.readdirSync(scratch), []);
});

test('a copy is looked after once in a second, and made anew where something changed', { skip }, async (t) => {
  let now = 0;
  const settings = new Settings(scratch, () => now);
  await settings.make(false);
  const first = settings.folder(false);
  const { statSync } = fs;
  let looks = 0;
  let later = 0;
  t.mock.method(fs, 'statSync', ((file: string, options: object) => {
    looks += 1;
    const stat = statSync(file, options) as fs.Stats | undefined;
    return stat === undefined ? undefined : { mtimeMs: stat.mtimeMs + later };
  }) as never);
  now = 999;
  assert.equal(settings.folder(false), first);
  assert.equal(looks, 0);
  now = 1000;
  assert.equal(settings.folder(false), first);
  assert.ok(looks > 0);
  later = 1;
  assert.equal(settings.folder(false), first, 'not before another second');
  now = 2000;
  assert.equal(settings.folder(false), undefined, 'bound one by one meanwhile');
  await settings.make(false);
  const second = settings.folder(false);
  assert.ok(second !== undefined && second !== first);
  assert.ok(fs.existsSync(first ?? ''), 'programs may still run in it');
  await settings.close();
  assert.deepEqual(fs.readdirSync(scratch), []);
});
