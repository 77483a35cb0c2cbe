import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { CompileCache, type CompileKey } from './compile-cache.ts';

const said = { stdout: '', stderr: 'warning: x\n' };
const key: CompileKey = { domain: 'me', tool: 'gcc:1', argv: ['c', 'gcc'], env: { A: '1', B: '2' }, sources: [['a.c', '11']] };

async function withCache(
  run: (place: { at: (name: string) => string; cache: (maxBytes?: number) => CompileCache }) => Promise<void>,
): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-cache-'));
  try {
    await run({
      at: (name) => path.join(folder, name),
      cache: (maxBytes = 1000) => new CompileCache(path.join(folder, 'cache'), { maxBytes }),
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('the key is another one for each thing that a program was made of, and for each caller', () => {
  const others: CompileKey[] = [
    { ...key, domain: 'you' },
    { ...key, tool: 'gcc:2' },
    { ...key, argv: ['cpp', 'gcc'] },
    { ...key, env: { A: '1' } },
    { ...key, sources: [['a.c', '12']] },
    { ...key, sources: [['b.c', '11']] },
    {
      ...key,
      sources: [
        ['a.c', '11'],
        ['b.h', '1'],
      ],
    },
  ];
  assert.equal(new Set([key, ...others].map((one) => CompileCache.key(one))).size, others.length + 1);
  assert.equal(CompileCache.key({ ...key, env: { B: '2', A: '1' } }), CompileCache.key(key));
});

test('what was put is taken again with what its compiler said, also by the next start, and a whole folder too', () =>
  withCache(async ({ at, cache }) => {
    fs.writeFileSync(at('made'), 'program');
    fs.mkdirSync(at('classes/deep'), { recursive: true });
    fs.writeFileSync(at('classes/deep/A.class'), 'A');
    const first = cache();
    await first.put('a'.repeat(64), at('made'), said);
    await first.put('b'.repeat(64), at('classes'), said);
    for (const [index, one] of [first, cache()].entries()) {
      assert.deepEqual(one.take('a'.repeat(64), at(`out${index}`)), said);
      assert.equal(fs.readFileSync(at(`out${index}`), 'utf8'), 'program');
      assert.equal(fs.statSync(at(`out${index}`)).mode & 0o777, 0o755);
      assert.deepEqual(one.take('b'.repeat(64), at(`classes${index}`)), said);
      assert.equal(fs.readFileSync(at(`classes${index}/deep/A.class`), 'utf8'), 'A');
      assert.equal(one.take('c'.repeat(64), at('none')), undefined);
    }
  }));

test('what is no file of its own is not kept: links, folders with links, files of other names, pipes', () =>
  withCache(async ({ at, cache }) => {
    fs.writeFileSync(at('secret'), 'secret');
    fs.symlinkSync(at('secret'), at('link'));
    fs.mkdirSync(at('folder'));
    fs.writeFileSync(at('folder/one'), '1');
    fs.symlinkSync(at('secret'), at('folder/link'));
    fs.linkSync(at('secret'), at('other'));
    const one = cache();
    for (const [index, name] of ['link', 'folder', 'other', 'not-there'].entries()) {
      await one.put(String(index).repeat(64), at(name), said);
      assert.equal(one.take(String(index).repeat(64), at('out')), undefined, name);
    }
    assert.deepEqual(fs.readdirSync(at('cache')), []);
  }));

test('what is half there is compiled again: left by a crash, without its content, without what was said', () =>
  withCache(async ({ at, cache }) => {
    fs.writeFileSync(at('made'), 'program');
    const keys = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];
    const first = cache();
    for (const one of keys) await first.put(one, at('made'), said);
    fs.truncateSync(at(`cache/${keys[0]}/product`), 0);
    fs.rmSync(at(`cache/${keys[1]}/said.json`));
    fs.rmSync(at(`cache/${keys[2]}/product`));
    fs.mkdirSync(at('cache/.outrigger-0123456789ab'));
    fs.symlinkSync('nowhere', at('cache/dangling'));
    for (const one of [first, cache()])
      for (const name of keys) {
        assert.equal(one.take(name, at('out')), undefined);
        assert.ok(!fs.existsSync(at('out')));
      }
    assert.deepEqual(fs.readdirSync(at('cache')), []);
  }));

test('puts of one key at the same time leave one whole entry, and beyond its size the oldest go', () =>
  withCache(async ({ at, cache }) => {
    fs.writeFileSync(at('made'), 'x'.repeat(200));
    const one = cache();
    await Promise.all(Array.from({ length: 20 }, () => one.put('a'.repeat(64), at('made'), said)));
    assert.deepEqual(fs.readdirSync(at('cache')), ['a'.repeat(64)]);
    for (const letter of ['b', 'c', 'd', 'e']) await one.put(letter.repeat(64), at('made'), said);
    // Used again, it is not the oldest any more.
    assert.deepEqual(one.take('a'.repeat(64), at('out')), said);
    await one.put('f'.repeat(64), at('made'), said);
    assert.deepEqual(
      fs.readdirSync(at('cache')).map((name) => name[0]),
      ['a', 'c', 'd', 'e', 'f'],
    );
    // More than a quarter of all of it is not kept at all.
    fs.writeFileSync(at('made'), 'x'.repeat(300));
    await one.put('9'.repeat(64), at('made'), said);
    assert.equal(one.take('9'.repeat(64), at('out2')), undefined);
  }));
