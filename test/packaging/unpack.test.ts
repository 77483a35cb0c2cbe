// scripts/unpack.mjs: what the single executable does before anything else.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { hash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';

interface File {
  path: string;
  sha256: string;
  executable: boolean;
}
interface Unpacking {
  id: string;
  files: readonly File[];
  read: (path: string) => Uint8Array;
  places: readonly string[];
  now?: number;
}
const unpackModule = path.join(import.meta.dirname, '..', '..', 'scripts', 'unpack.mjs');
const { unpack } = (await import(pathToFileURL(unpackModule).href)) as { unpack: (unpacking: Unpacking) => string };

const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-unpack-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const onPosix = process.platform === 'win32' && 'Windows has no modes and owners of this kind';
const asRoot = process.getuid?.() !== 0 && 'only root can give a folder to another user';
const day = 24 * 3600_000;

const contents: Record<string, string> = { 'main.mjs': 'export {};', 'bin/rg': '#!/bin/sh\n', 'deep/er/data.json': '{}' };
const files = Object.entries(contents).map(([name, text]) => ({ path: name, sha256: hash('sha256', text), executable: name === 'bin/rg' }));
let written = 0;
const read = (name: string): Uint8Array => {
  written++;
  return Buffer.from(contents[name] as string);
};
let count = 0;
const place = (): string => path.join(scratch, `place-${count++}`);
const unpackTo = (where: string, more: Partial<Unpacking> = {}): string =>
  unpack({ id: '1.0.0-abc', files, read, places: [where], ...more });
const assertWhole = (folder: string): void => {
  const there = fs.readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  assert.equal(there.length, files.length);
  for (const [name, text] of Object.entries(contents)) assert.equal(fs.readFileSync(path.join(folder, name), 'utf8'), text);
};

test('files are unpacked once, for this user alone, and programs among them may be run', { skip: onPosix }, () => {
  const where = place();
  const folder = unpackTo(where);
  assertWhole(folder);
  const modeOf = (name: string): number => fs.statSync(path.join(where, name)).mode & 0o777;
  assert.deepEqual(['', '1.0.0-abc', '1.0.0-abc/main.mjs', '1.0.0-abc/bin/rg'].map(modeOf), [0o700, 0o700, 0o600, 0o700]);
  const before = written;
  assert.equal(unpackTo(where), folder);
  assert.equal(written, before, 'nothing is written again');
  assert.deepEqual(fs.readdirSync(where), ['1.0.0-abc'], 'and nothing is left beside it');
});

for (const { what, damage } of [
  { what: 'a changed file', damage: (at: string) => fs.writeFileSync(path.join(at, 'main.mjs'), 'export {} ') },
  { what: 'a missing file', damage: (at: string) => fs.rmSync(path.join(at, 'deep', 'er', 'data.json')) },
  {
    what: 'a package that nobody unpacked',
    damage: (at: string) => {
      fs.mkdirSync(path.join(at, 'node_modules', 'oxc-parser'), { recursive: true });
      fs.writeFileSync(path.join(at, 'node_modules', 'oxc-parser', 'index.js'), '');
    },
  },
  { what: 'a stray file', damage: (at: string) => fs.writeFileSync(path.join(at, 'deep', 'x.mjs'), '') },
  {
    what: 'a link to a file with the same bytes',
    damage: (at: string) => {
      fs.renameSync(path.join(at, 'main.mjs'), path.join(at, '..', 'moved'));
      fs.symlinkSync(path.join(at, '..', 'moved'), path.join(at, 'main.mjs'));
    },
  },
  {
    what: 'a link in place of the folder',
    damage: (at: string) => {
      fs.renameSync(at, path.join(at, '..', 'moved'));
      fs.symlinkSync('moved', at);
    },
  },
  { what: 'a program that may not be run', damage: (at: string) => fs.chmodSync(path.join(at, 'bin', 'rg'), 0o600) },
  {
    what: 'a file in place of the folder',
    damage: (at: string) => {
      fs.rmSync(at, { recursive: true });
      fs.writeFileSync(at, '');
    },
  },
]) {
  test(`${what} is noticed and mended`, { skip: onPosix }, () => {
    const where = place();
    const folder = unpackTo(where);
    damage(folder);
    assert.equal(unpackTo(where), folder);
    assertWhole(folder);
    assert.ok(!fs.lstatSync(folder).isSymbolicLink());
    assert.notEqual(fs.statSync(path.join(folder, 'bin', 'rg')).mode & 0o100, 0);
  });
}

test("a folder that is another user's is passed over, and without another there is an error that says what to do", { skip: asRoot }, () => {
  const [theirs, ours] = [place(), place()];
  fs.mkdirSync(theirs);
  fs.chownSync(theirs, 65_534, 65_534);
  assert.ok(unpackTo(theirs, { places: [theirs, ours] }).startsWith(ours));
  assert.throws(() => unpackTo(theirs), /XDG_CACHE_HOME[^]*belongs to another user/);
  assert.deepEqual(fs.readdirSync(theirs), []);
});

test('a folder that others may enter is closed to them, and one that is a link is not used', { skip: onPosix }, () => {
  const [open, link] = [place(), place()];
  fs.mkdirSync(open, { mode: 0o777 });
  fs.chmodSync(open, 0o777);
  unpackTo(open);
  assert.equal(fs.statSync(open).mode & 0o777, 0o700);
  fs.symlinkSync(open, link);
  assert.throws(() => unpackTo(link), /is no folder/);
});

test('what no start used for a month goes when another version comes, and what a killed one left after an hour', () => {
  const where = place();
  const old = unpackTo(where, { id: '0.9.0-old' });
  const used = unpackTo(where, { id: '0.9.1-used' });
  const now = Date.now() + 40 * day;
  unpackTo(where, { id: '0.9.1-used', now: now - day });
  for (const name of ['.x-killed', '.x-working']) fs.mkdirSync(path.join(where, name));
  fs.utimesSync(path.join(where, '.x-working'), now / 1000, now / 1000);
  const folder = unpackTo(where, { now });
  assert.ok(!fs.existsSync(old));
  for (const kept of [used, folder]) assertWhole(kept);
  assert.deepEqual(fs.readdirSync(where).toSorted(), ['.x-working', '0.9.1-used', '1.0.0-abc']);
});

for (const { state, damaged } of [
  { state: 'nothing is there', damaged: false },
  { state: 'it is damaged', damaged: true },
])
  test(`eight starts at once leave one whole folder where ${state}`, async () => {
    const where = place();
    if (damaged) fs.rmSync(path.join(unpackTo(where, { id: 'one' }), 'main.mjs'));
    const code = `const { unpack } = await import(process.argv[1]); const { contents, ...rest } = JSON.parse(process.argv[2]);
    console.log(unpack({ ...rest, read: (name) => Buffer.from(contents[name]) }));`;
    const given = JSON.stringify({ id: 'one', files, places: [where], contents });
    const starts = Array.from({ length: 8 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', code, pathToFileURL(unpackModule).href, given]);
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const [exit] = (await once(child, 'close')) as [number | null];
      return `${exit} ${said.trim()}`;
    });
    assert.deepEqual(new Set(await Promise.all(starts)), new Set([`0 ${path.join(where, 'one')}`]));
    assertWhole(path.join(where, 'one'));
    assert.deepEqual(fs.readdirSync(where), ['one']);
  });
