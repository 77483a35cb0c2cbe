import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { Symbols } from './symbols.ts';

async function withFiles(files: Record<string, string>, run: (root: string) => Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-symbols-'));
  for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(root, file), text);
  try {
    await run(root);
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

const { signal } = new AbortController();

test('who sees some files is told of their symbols alone, also while others ask for all', () => {
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`${number}.ts`, `const secret${number} = 1;\n`]));
  return withFiles({ ...files, 'mine.ts': 'const mine = 1;\n' }, async (root) => {
    const symbols = new Symbols({ root });
    try {
      const names = [...Object.keys(files), 'mine.ts'];
      const mine = { signal, visible: (file: string) => file === 'mine.ts' };
      const [all, some] = await Promise.all([symbols.find('', names, 1000, { signal }), symbols.find('', names, 1000, mine)]);
      assert.deepEqual([all.total, all.complete], [101, true]);
      assert.deepEqual([some.symbols.map(({ name }) => name), some.total, some.complete], [['mine'], 1, true]);
      assert.deepEqual((await symbols.find('secret', names, 1000, mine)).symbols, []);
    } finally {
      await symbols.stop();
    }
  });
});

test('a file that changes while it is read is read again', () => {
  const large = Array.from({ length: 10_000 }, (_, number) => `function f${number}() {}\n`).join('');
  const files = Object.fromEntries(Array.from({ length: 8 }, (_, number) => [`${number}.ts`, large]));
  return withFiles({ 'a.ts': 'const before = 1;\n', ...files }, async (root) => {
    const symbols = new Symbols({ root });
    try {
      const names = ['a.ts', ...Object.keys(files)];
      const asked = symbols.find('', names, 1, { signal });
      // Its order is on the way, and as it is the first in it, it may have been read.
      await new Promise((resolve) => setTimeout(resolve, 300));
      fs.writeFileSync(path.join(root, 'a.ts'), 'const after = 1;\n');
      symbols.forget(['a.ts']);
      await asked;
      await eventually(async () => assert.equal((await symbols.find('', names, 1, { signal })).complete, true));
      const { symbols: found } = await symbols.find('', names, 100_000, { signal });
      assert.deepEqual(
        found.filter((symbol) => symbol.path === 'a.ts').map(({ name }) => name),
        ['after'],
      );
    } finally {
      await symbols.stop();
    }
  });
});

test('when as many symbols are kept as may be, further files have none, and the answer is said not to be complete', () => {
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`${number}.ts`, 'const one = 1;\nconst two = 2;\n']));
  return withFiles(files, async (root) => {
    const find = async (maxSymbols: number): Promise<[number, boolean]> => {
      const symbols = new Symbols({ root, maxSymbols });
      try {
        const { total, complete } = await symbols.find('', Object.keys(files), 10, { signal });
        return [total, complete];
      } finally {
        await symbols.stop();
      }
    };
    assert.deepEqual(await find(200), [200, true]);
    const [total, complete] = await find(100);
    // Files are read a few dozen at a time.
    assert.ok(total >= 100 && total < 200, `${total}`);
    assert.equal(complete, false);
  });
});
