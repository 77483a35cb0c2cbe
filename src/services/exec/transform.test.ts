import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasMap, TypeScriptTransform } from './transform.ts';

test('types are taken away in their place, and other syntax is made JavaScript', async () => {
  const transform = new TypeScriptTransform();
  try {
    assert.equal(await transform.apply('let a: number = 1;', 'code.ts'), 'let a         = 1;\n//# sourceURL=code.ts\n');
    assert.match((await transform.apply('enum E { A = 5 }\nconsole.log(E.A)', 'code.ts')) ?? '', /E\["A"\] = 5/);
    for (const source of ['let = =', 'let a: number = 1\0', `${' '.repeat(300_000)}`])
      assert.equal(await transform.apply(source, 'c.ts'), undefined);
    assert.ok((await transform.apply('let a = "\ud800";', 'code.ts'))?.includes('let a'));
  } finally {
    await transform.stop();
  }
});

test('what moves lines has a map of them, and what does not compile is left to Node', async () => {
  const transform = new TypeScriptTransform();
  try {
    assert.ok(hasMap((await transform.apply('namespace N { export const a = 1 }\nconsole.log(N.a)', 'code.ts')) ?? ''));
    assert.ok(!hasMap((await transform.apply('let a: number = 1;', 'code.ts')) ?? ''));
    for (const source of [
      'const a: number = 1;\nconst a = 2;',
      "import fs from 'node:fs';\nlet a: number;\nlet a;",
      'let a: number; break;',
    ])
      assert.equal(await transform.apply(source, 'code.ts'), undefined, source);
    for (const source of [
      "import fs from 'node:fs';\nawait 1;",

      'const x: number = await 1',
      'export {}',
      '#!/usr/bin/env node\nlet a: 1;',
    ])
      assert.ok((await transform.apply(source, 'code.ts')) !== undefined, source);
  } finally {
    await transform.stop();
  }
});

test('source that breaks the transform breaks it for nobody else', async () => {
  const transform = new TypeScriptTransform();
  try {
    for (const bomb of ['('.repeat(100_000), '['.repeat(200_000), `${'!'.repeat(200_000)}1`, '`${'.repeat(60_000)]) {
      assert.equal(await transform.apply(bomb, 'code.ts'), undefined);
      assert.match((await transform.apply('let a: number = 1;', 'code.ts')) ?? '', /^let a {9}= 1;/);
    }
    // Those beside it may have to be left to Node, and none of them waits for ever.
    const beside = await Promise.all([transform.apply('('.repeat(100_000), 'a.ts'), transform.apply('let b: string;', 'b.ts')]);
    assert.equal(beside[0], undefined);
    await transform.stop();
    assert.match((await transform.apply('let a: number = 1;', 'code.ts')) ?? '', /let a/);
  } finally {
    await transform.stop();
  }
});
