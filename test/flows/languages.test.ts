// Every language of the table, through its real compiler or interpreter and the best isolation that this machine gives.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import type { CodeItem, CodeOutcome } from '../../src/contract/code.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { baseEnvironment, filled, languages, programsOf } from '../../src/services/exec/languages.ts';
import { programs } from '../kit/language-programs.ts';
import { requireTool, type Tool } from '../kit/require-tools.ts';
import { sharedSidecar, withSidecar } from '../kit/sidecar.ts';

interface Seen {
  end: CodeOutcome;
  out: string;
  err: string;
  compiler: string;
  items: CodeItem[];
}

/** What programs put into their own environment. */
const setByShells = /^(PWD|SHLVL|_)$/;
const setByIt: Record<string, RegExp> = { r: /^(R_\w+|EDITOR|LD_LIBRARY_PATH|LN_S|MAKE|PAGER|SED|TAR)$/ };

describe('each language', () => {
  const shared = sharedSidecar({ config: { components: ['files', 'code'] } });

  /** `endAt`: the run is ended when it has said that. */
  async function run(
    input: { language: string; code: string } & Record<string, unknown>,
    { endAt }: { endAt?: string } = {},
  ): Promise<Seen> {
    const client = createClient<Operations>({ url: shared().url, token: shared().token });
    try {
      const stream = client.stream('code.run', input);
      const seen = { out: '', err: '', compiler: '', items: [] as CodeItem[] };
      let id = '';
      for await (const item of stream) {
        seen.items.push(item);
        if (item.type === 'started') id = item.run;
        if (item.type !== 'output') continue;
        if (item.stage === 'compile') seen.compiler += item.text;
        else seen[item.stream === 'stdout' ? 'out' : 'err'] += item.text;
        if (endAt !== undefined && seen.out === endAt) await client.call('code.cancel', { run: id });
      }
      return { ...seen, end: await stream.end };
    } finally {
      client.close();
    }
  }

  for (const language of languages) {
    const of = programs[language.code];
    const isCompiled = language.compile !== undefined;
    const needed = programsOf(language).filter((program): program is Tool => !['node', 'bash'].includes(program));
    describe(language.name, { skip: requireTool(...needed) }, () => {
      assert.ok(of !== undefined, `test/kit/language-programs.ts has no programs in ${language.name}`);

      test('its sample says hello, and is compiled once', async () => {
        const { end, out, err } = await run({ language: language.aliases[0]?.toUpperCase() ?? language.code, code: language.sample });
        assert.deepEqual([out, err], [`Hello from ${language.name}\n`, '']);
        assert.deepEqual(
          [end.reason, end.exitCode, end.program?.exitCode, end.compile?.exitCode],
          ['exit', 0, 0, isCompiled ? 0 : undefined],
        );
        assert.deepEqual([end.files, end.notes], [[], []]);
        const again = await run({ language: language.code, code: language.sample });
        assert.equal(again.out, out);
        assert.equal(again.end.used.compileCache, isCompiled ? 'hit' : 'none');
      });

      test('arguments and input come in, both streams and the exit code out', async () => {
        const { end, out, err } = await run({ language: language.code, code: of.fails, args: ['-ä $HOME', '--'], stdin: 'line\n' });
        assert.equal(out, 'out -ä $HOME line\n');
        assert.equal(err, 'err\n');
        assert.deepEqual([end.reason, end.exitCode], ['exit', 3]);
        assert.ok(end.program?.cpuMs !== null && end.program?.memoryBytes !== null, JSON.stringify(end.program));
      });

      test('what does not compile says why', async () => {
        const { end, compiler, err, out } = await run({ language: language.code, code: of.broken });
        assert.equal(end.reason, 'exit');
        assert.notEqual(end.exitCode, 0);
        assert.equal(end.program === null, isCompiled);
        assert.notEqual(compiler + err + out, '');
      });

      test('a time limit ends it, what it said is kept', async () => {
        if (isCompiled) await run({ language: language.code, code: of.endless }, { endAt: 'before\n' });
        let wallMs = Math.round(900 / language.timeMultiplier);
        // What is compiled already needs none of the time for that.
        const within = (): Promise<Seen> => run({ language: language.code, code: of.endless, limits: { wallMs } });
        let { end, out } = await within();
        if (out === '') {
          // A machine that is that slow has not started it by then.
          wallMs *= 5;
          ({ end, out } = await within());
        }
        assert.deepEqual([out, end.used.compileCache], ['before\n', isCompiled ? 'hit' : 'none']);
        assert.deepEqual([end.reason, end.exitCode, end.program?.limit?.name], ['timeout', 124, 'wallMs']);
        // Ten times what the goal allows, on a machine that does other things as well.
        assert.ok((end.program?.wallMs ?? 0) < wallMs * language.timeMultiplier + 2000, `${end.program?.wallMs} ms`);
      });

      test('it finds the environment of its language and of its caller, and nothing else of ours', async () => {
        const { end, out } = await run({ language: language.code, code: of.lists, env: { MINE: 'ä b' } });
        const found = Object.fromEntries([...out.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
        const places = { workdir: '/mnt/data', file: '', out: '' };
        const own = Object.entries(language.environment).map(([name, value]) => [name, filled(value, places)]);
        const expected: Record<string, string> = { ...baseEnvironment(language), ...Object.fromEntries(own), MINE: 'ä b' };
        // Below the highest rung folders have the names that they have outside.
        const isSame = (name: string): boolean => end.isolation.rung === 3 || !/^\/(tmp|mnt)/.test(expected[name] ?? '');
        for (const [name, value] of Object.entries(expected)) assert.equal(isSame(name) ? found[name] : found[name] && value, value, name);
        const more = Object.keys(found).filter(
          (name) => !(name in expected) && !setByShells.test(name) && !setByIt[language.code]?.test(name),
        );
        assert.deepEqual(more, []);
      });

      test('a memory limit ends it, and files that it wrote come back', async () => {
        // Where nothing holds it back, it would take the memory of the machine.
        const { isolation } = await shared().client.call('code.isolation', {});
        assert.ok(isolation.holds.includes('memory') || process.env['REQUIRE_TOOLS'] !== '1', JSON.stringify(isolation));
        if (isolation.holds.includes('memory')) {
          // Compilers take more than most programs; filling memory takes time.
          const memoryBytes = isCompiled ? 300_000_000 : 150_000_000;
          const { end } = await run({ language: language.code, code: of.hungry, limits: { memoryBytes } });
          assert.notEqual(end.exitCode, 0);
          assert.notEqual(end.reason, 'timeout');
        }
        const written = await run({ language: language.code, code: of.writes });
        assert.deepEqual([written.end.exitCode, written.end.files.map(({ name, size }) => [name, size])], [0, [['made.txt', 4]]]);
      });
    });
  }

  const ofToday = {
    rs: 'async fn f() -> u8 { 6 }\n\nfn main() {\n    let n: u8 = 6_i32.try_into().unwrap();\n    drop(f());\n    println!("{n}");\n}\n',
    cpp: '#include <iostream>\n#include <span>\n\nauto twice(std::integral auto n) { return 2 * n; }\n\nint main() {\n  int all[] = {3};\n  std::cout << twice(std::span(all)[0]) << std::endl;\n}\n',
  };
  for (const [code, about] of [
    ['rs', 'Rust is that of 2021: async, and what its prelude has'],
    ['cpp', 'C++ is that of 2020: concepts and spans'],
  ] as const)
    test(about, { skip: requireTool(code === 'rs' ? 'rustc' : 'g++') }, async () => {
      const { out, compiler } = await run({ language: code, code: ofToday[code] });
      assert.equal(out, '6\n', compiler);
    });
});

describe('each language where containers give no namespaces, and nothing is compiled ahead', () => {
  for (const language of languages) {
    const needed = programsOf(language).filter((program): program is Tool => !['node', 'bash'].includes(program));
    test(`${language.name} (long form)`, { skip: requireTool(...needed) }, () =>
      withSidecar(
        async ({ url, token }) => {
          const client = createClient<Operations>({ url, token });
          try {
            const stream = client.stream('code.run', { language: language.code, code: language.sample });
            let said = '';
            for await (const item of stream) if (item.type === 'output') said += item.text;
            assert.deepEqual([said, (await stream.end).exitCode], [`Hello from ${language.name}\n`, 0]);
          } finally {
            client.close();
          }
        },
        { config: { components: ['files', 'code'], 'code.isolation': 'landlock', 'code.compilerSeed': false } },
      ),
    );
  }
});

test('Java in a package runs (long form)', { skip: requireTool('javac') }, () =>
  withSidecar(
    async ({ url, token }) => {
      const client = createClient<Operations>({ url, token });
      try {
        const code =
          'package com.example;\n\npublic class Main {\n  public static void main(String[] a) {\n    System.out.println(Main.class.getName());\n  }\n}\n';
        const stream = client.stream('code.run', { language: 'java', code });
        let said = '';
        for await (const item of stream) if (item.type === 'output') said += item.text;
        assert.deepEqual([said, (await stream.end).exitCode], ['com.example.Main\n', 0]);
      } finally {
        client.close();
      }
    },
    { config: { components: ['files', 'code'] } },
  ),
);

test('an error of TypeScript names its own file and line, also where its syntax is more than types (long form)', () =>
  withSidecar(
    async ({ url, token }) => {
      const client = createClient<Operations>({ url, token });
      try {
        const fails = "interface I {\n  a: number;\n}\nfunction f(x: I): void {\n  throw new Error('sixth');\n}\nf({ a: 1 });\n";
        for (const [code, places] of [
          [`enum A { X,\n Y }\n${fails}`, ['code.ts:7', 'code.ts:7:9', 'code.ts:9:1']],
          [`import 'node:fs'; namespace N { export const x = 1 }\n${fails}`, ['code.ts:6', 'code.ts:6:9', 'code.ts:8:1']],
          [`${fails}`, ['code.ts:5', 'code.ts:5:9', 'code.ts:7:1']],
          ['const a: number = 1;\nconst a = 2;\n', ['code.ts:2']],
        ] as const) {
          const stream = client.stream('code.run', { language: 'ts', code });
          let said = '';
          for await (const item of stream) if (item.type === 'output' && item.stream === 'stderr') said += item.text;
          await stream.end;
          assert.deepEqual(said.match(/code\.ts:\d+(:\d+)?/g), places, said);
          assert.doesNotMatch(said, /outrigger-/);
        }
      } finally {
        client.close();
      }
    },
    { config: { components: ['files', 'code'] } },
  ));
