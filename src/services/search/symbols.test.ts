import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { errorTable, type OutriggerError } from '../../contract/errors.ts';
import { search } from '../../contract/search.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { childrenOf, noProc } from '../../../test/kit/process-memory.ts';
import { Processes } from '../processes/processes.ts';
import { languages } from './languages.ts';
import { Symbols } from './symbols.ts';

const processes = new Processes({ env: process.env });

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

test('who asks is told of each language whose symbols are known', () => {
  const told = [search['files.outline'].summary, errorTable.NO_LANGUAGE.hint];
  for (const { name } of languages) for (const words of told) assert.match(words, new RegExp(`\\b${name}\\b`, 'i'));
});

test('who sees some files is told of their symbols alone, also while others ask for all', () => {
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`${number}.ts`, `const secret${number} = 1;\n`]));
  return withFiles({ ...files, 'mine.ts': 'const mine = 1;\n' }, async (root) => {
    const symbols = new Symbols({ processes }, { root });
    try {
      const names = [...Object.keys(files), 'mine.ts'];
      const mine = { signal, visible: (file: string) => file === 'mine.ts' };
      const told: string[] = [];
      // On a busy machine they answer before all is read, and say so.
      await eventually(async () => {
        const [all, some] = await Promise.all([symbols.find('', names, 1000, { signal }), symbols.find('', names, 1000, mine)]);
        told.push(...some.symbols.map(({ name }) => name));
        assert.deepEqual([all.total, all.complete], [101, true]);
        assert.deepEqual([some.total, some.complete], [1, true]);
      });
      assert.deepEqual([...new Set(told)], ['mine']);
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
    const symbols = new Symbols({ processes }, { root });
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
      const symbols = new Symbols({ processes }, { root, maxSymbols });
      try {
        let found: [number, boolean] = [0, false];
        await eventually(async () => {
          const { total, complete } = await symbols.find('', Object.keys(files), 10, { signal });
          found = [total, complete];
          assert.ok(total >= maxSymbols, `${total}`);
        });
        return found;
      } finally {
        await symbols.stop();
      }
    };
    assert.deepEqual(await find(200), [200, true]);
    const [total, complete] = await find(100);
    // Files are read a few dozen at a time.
    assert.ok(total < 200, `${total}`);
    assert.equal(complete, false);
  });
});

function nested(depth: number): string {
  return `export const deep = ${'['.repeat(depth)}${']'.repeat(depth)};\n`;
}

const tooDeep = (error: OutriggerError): boolean => error.reason === 'OUTPUT_TOO_LARGE' && error.message.includes('deep.ts');

test('a file that is nested too deeply for the parser has no symbols and no outline, and all others have theirs (long form)', () => {
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, number) => [`${number}.ts`, `const one${number} = 1;\n`]));
  return withFiles({ ...many, 'deep.ts': nested(500_000), 'deeper.ts': nested(1_000_000), 'z.ts': 'const last = 1;\n' }, async (root) => {
    const symbols = new Symbols({ processes }, { root });
    try {
      const names = [...Object.keys(many), 'deep.ts', 'deeper.ts', 'z.ts'];
      const outlines = Promise.allSettled([
        symbols.outline('deep.ts', nested(900_000)),
        symbols.outline('fine.ts', 'const fine = 1;\n'),
        symbols.outline('deep.ts', nested(900_000)),
      ]);
      await eventually(async () => assert.equal((await symbols.find('', names, 1, { signal })).complete, true));
      const { symbols: found } = await symbols.find('', names, 100, { signal });
      assert.deepEqual(found.map(({ path: file }) => file).sort(), [...Object.keys(many), 'z.ts'].sort());
      const [first, fine, again] = await outlines;
      for (const refused of [first, again]) assert.ok(refused.status === 'rejected' && tooDeep(refused.reason), JSON.stringify(refused));
      assert.ok(fine.status === 'fulfilled' && fine.value.symbols[0]?.name === 'fine');
    } finally {
      await symbols.stop();
    }
  });
});

const children = (): number[] => childrenOf(process.pid).map(({ pid }) => pid);

test(
  'what the parser died of is passed over by its content; an idle parser is ended, and so is one at the stop (long form)',
  { skip: noProc },
  () =>
    withFiles({ 'deep.ts': nested(1_000_000), 'a.ts': 'const one = 1;\n' }, async (root) => {
      const others = children();
      const parser = (): number[] => children().filter((pid) => !others.includes(pid));
      const symbols = new Symbols({ processes }, { root, idleMs: 500 });
      try {
        const all = async (): Promise<number> => (await symbols.find('', fs.readdirSync(root), 10, { signal })).total;
        assert.equal(await all(), 1);
        await symbols.outline('a.ts', '');
        const before = parser();
        assert.equal(before.length, 1);
        fs.renameSync(path.join(root, 'deep.ts'), path.join(root, 'elsewhere.ts'));
        symbols.forget(['deep.ts', 'a.ts']);
        assert.equal(await all(), 1);
        await assert.rejects(symbols.outline('deep.ts', nested(1_000_000)), tooDeep);
        assert.deepEqual(parser(), before, 'it did not die again');
        await eventually(() => assert.deepEqual(parser(), []));
        assert.equal((await symbols.outline('a.ts', 'const again = 1;\n')).symbols.length, 1);
        assert.equal(parser().length, 1);
      } finally {
        await symbols.stop();
      }
      assert.deepEqual(parser(), []);
      await assert.rejects(symbols.outline('a.ts', ''), (error: OutriggerError) => error.reason === 'STOPPING');
    }),
);

test('a parser that the system kills, as for want of memory, is no fault of the text: it is tried once more', {
  skip: noProc,
}, async () => {
  const own = new Processes({ env: process.env });
  const start = own.starter.start.bind(own.starter);
  let kills = 0;
  own.starter.start = async (request) => {
    const program = await start(request);
    program.stdout.on('data', (bytes) => {
      if (kills > 0 && bytes.toString().includes('"parsing"') && kills-- > 0) process.kill(program.pid, 'SIGKILL');
    });
    return program;
  };
  const symbols = new Symbols({ processes: own }, { root: os.tmpdir() });
  const text = (name: string): string => Array.from({ length: 30_000 }, (_, number) => `function ${name}${number}() {}\n`).join('');
  try {
    kills = 1;
    assert.equal((await symbols.outline('a.ts', text('once'))).symbols.length, 30_000);
    assert.equal(kills, 0);
    kills = 2;
    await assert.rejects(symbols.outline('a.ts', text('twice')), { reason: 'OUTPUT_TOO_LARGE' });
    assert.equal(kills, 0);
    assert.equal((await symbols.outline('a.ts', 'const one = 1;\n')).symbols.length, 1);
  } finally {
    await symbols.stop();
    await own.stop();
  }
});

test('a parser that gets nowhere is ended, and what it was at has no outline (long form)', async () => {
  const symbols = new Symbols({ processes }, { root: os.tmpdir(), timeoutMs: 300 });
  try {
    const large = Array.from({ length: 300_000 }, (_, number) => `function f${number}() {}\n`).join('');
    await assert.rejects(symbols.outline('deep.ts', large), tooDeep);
    let tries = 0;
    // A new one has to load the parser, which may take as long where much else goes on.
    await eventually(async () => assert.equal((await symbols.outline('a.ts', `const one${++tries} = 1;\n`)).symbols.length, 1));
  } finally {
    await symbols.stop();
  }
});

const kinds: Record<string, (count: number) => string> = {
  brackets: (count) => `x = ${'['.repeat(count)}${']'.repeat(count)}`,
  parentheses: (count) => `x = ${'('.repeat(count)}1${')'.repeat(count)}`,
  'open brackets': (count) => '['.repeat(count),
  blocks: (count) => '{'.repeat(count) + '}'.repeat(count),
  objects: (count) => `x = ${'{a:'.repeat(count)}1${'}'.repeat(count)}`,
  functions: (count) => 'function f(){'.repeat(count) + '}'.repeat(count),
  classes: (count) => 'class A{m(){'.repeat(count) + '}}'.repeat(count),
  namespaces: (count) => 'namespace A{'.repeat(count) + '}'.repeat(count),
  sum: (count) => `x = 1${'+1'.repeat(count)}`,
  powers: (count) => `x = 1${'**1'.repeat(count)}`,
  'else if': (count) => `if(a){}${'else if(a){}'.repeat(count)}`,
  conditionals: (count) => `x = ${'a?b:'.repeat(count)}c`,
  templates: (count) => `x = ${'`${'.repeat(count)}1${'}`'.repeat(count)}`,
  elements: (count) => `x = ${'<a>'.repeat(count)}${'</a>'.repeat(count)}`,
  arrows: (count) => `x = ${'a=>'.repeat(count)}1`,
  unary: (count) => `x = ${'!'.repeat(count)}1`,
  awaits: (count) => `x = ${'await '.repeat(count)}1`,
  members: (count) => `x = a${'.b()'.repeat(count)}`,
  assignments: (count) => `${'a='.repeat(count)}1`,
  labels: (count) => `${'a:'.repeat(count)};`,
  types: (count) => `type A = ${'keyof '.repeat(count)}B`,
  'type arguments': (count) => `type A = ${'B<'.repeat(count)}C${'>'.repeat(count)}`,
  'type conditions': (count) => `type A = ${'B extends C?D:'.repeat(count)}E`,
  'array types': (count) => `type A = B${'[]'.repeat(count)}`,
  patterns: (count) => `const ${'['.repeat(count)}a${']'.repeat(count)} = 1`,
};

test('nothing that is nested 300,000 deep ends this process, or keeps from what comes after it (long form)', async () => {
  const symbols = new Symbols({ processes }, { root: os.tmpdir() });
  try {
    for (const [kind, text] of Object.entries(kinds)) {
      const file = kind === 'elements' ? 'deep.tsx' : 'deep.ts';
      const said = await symbols.outline(file, text(300_000)).catch((error: unknown) => error);
      if (said instanceof Error) assert.equal((said as OutriggerError).reason, 'OUTPUT_TOO_LARGE', `${kind}: ${said.message}`);
      assert.equal((await symbols.outline('a.ts', 'const one = 1;\n')).symbols.length, 1, kind);
    }
  } finally {
    await symbols.stop();
  }
});
