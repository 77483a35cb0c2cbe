// Programs that are compiled, against a real sidecar: before they run, and when their sources change.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { CodeItem, CodeOutcome } from '../../src/contract/code.ts';
import { ownCodeFolder } from '../kit/code-folder.ts';
import { needsC, withCode } from '../kit/code-runs.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';

test('a run that is canceled before its program runs is canceled, whatever it was about to do', needsC, () =>
  withCode(async ({ client }) => {
    const code = 'while True: pass';
    for (const more of [
      { language: 'py', code },
      { language: 'py', code, keepState: true },
      { language: 'c', code: 'int main(){for(;;);}' },
      { language: 'ts', code: 'for (;;);' },
    ]) {
      const stream = client.stream('code.run', { limits: { wallMs: 5000 }, ...more });
      for await (const item of stream) if (item.type === 'started') await client.call('code.cancel', { run: item.run });
      assert.equal((await stream.end).reason, 'canceled', JSON.stringify(more));
    }
  }),
);

test('input that comes before its program is compiled waits for it; a run that reads none takes none', needsC, () =>
  withCode(async ({ client }) => {
    const code = '#include <stdio.h>\nint main(){char b[9];while(fgets(b,9,stdin))printf("got %s",b);}';
    const stream = client.stream('code.run', { language: 'c', code, keepStdinOpen: true });
    const inputs: Promise<unknown>[] = [];
    let out = '';
    for await (const item of stream) {
      if (item.type === 'started') {
        inputs.push(
          client.call('code.input', { run: item.run, text: 'one\n' }),
          client.call('code.input', { run: item.run, text: 'two\n', end: true }),
        );
      }
      if (item.type === 'output') out += item.text;
    }
    await Promise.all(inputs);
    assert.deepEqual([out, (await stream.end).exitCode], ['got one\ngot two\n', 0]);
    const quiet = client.stream('code.run', { language: 'bash', code: 'sleep 0.5' });
    for await (const item of quiet)
      if (item.type === 'started') await assert.rejects(client.call('code.input', { run: item.run, text: 'x' }), { reason: 'NO_RUN' });
  }),
);

test('a compiled program is compiled again when anything changed that its compiler can read (long form)', needsC, () =>
  withCode(async ({ client, run }) => {
    const code = '#include "a.h"\n#include <stdio.h>\nint main(){puts(WORD);}';
    const { id: session } = await client.call('code.openSession', {});
    const cacheOf = async (more: Record<string, unknown> = {}): Promise<string[]> => {
      const { end, out, err } = await run('c', code, { session, ...more });
      return [end.used.compileCache, out || err];
    };
    const header = (word: string): { files: object[] } => ({ files: [{ name: 'a.h', text: `#define WORD "${word}"\n` }] });
    assert.deepEqual(await cacheOf(header('one')), ['miss', 'one\n']);
    assert.deepEqual(await cacheOf(), ['hit', 'one\n']);
    assert.deepEqual(await cacheOf(header('two')), ['miss', 'two\n']);
    assert.deepEqual(await cacheOf(header('one')), ['hit', 'one\n']);
    // What is no file of the session is read by a compiler as well.
    await run('bash', 'mkdir -p x; mv a.h x/b.h; ln -s x/b.h a.h', { session });
    assert.deepEqual(await cacheOf(), ['off', 'one\n']);
    // And what is alive in the session could change anything at any time.
    await run('py', 'import os\nos.remove("a.h"); os.rename("x/b.h", "a.h"); os.rmdir("x")', { session, keepState: true });
    assert.deepEqual(await cacheOf(), ['off', 'one\n']);
  }),
);

test('a class of Java that is not public is started all the same (long form)', { skip: requireTool('javac') }, () =>
  withCode(async ({ run }) => {
    const hello = 'public static void main(String[] a) { System.out.println(Other.word()); }';
    const { out, err, end } = await run('java', `class Other { static String word() { return "hello"; } }\nclass Zed { ${hello} }\n`);
    assert.deepEqual([out, end.exitCode], ['hello\n', 0], err);
  }),
);

test(
  'the compiler of Java has its classes in a file from its second run on, and a run says so (long form)',
  { skip: requireTool('javac') },
  () =>
    withCode(async ({ run }) => {
      const code = (number: number): string =>
        `public class Code {\n  public static void main(String[] args) {\n    System.out.println(${number});\n  }\n}\n`;
      assert.equal((await run('java', code(1))).end.used.compilerSeed, false);
      let number = 1;
      await eventually(async () => {
        const { end, out } = await run('java', code(++number));
        assert.equal(out, `${number}\n`);
        assert.deepEqual([end.used.compileCache, end.used.compilerSeed], ['miss', true]);
      }, 30_000);
    }, {}),
);

test('Go has its packages from its second run on, and what a user compiles is not added to them (long form)', {
  skip: requireTool('go'),
}, async () => {
  const folder = path.join(os.tmpdir(), `outrigger-code-seeds-${process.pid}`);
  try {
    await withCode(
      async ({ run }) => {
        const code = (count: number): string =>
          `package main\n\nimport "strings"\n\nfunc main() {\n\tprintln(strings.Repeat("x", ${count}))\n}\n`;
        assert.equal((await run('go', code(1))).end.used.compilerSeed, false);
        let count = 1;
        await eventually(async () => {
          const { end } = await run('go', code(++count));
          assert.deepEqual([end.reason, end.used.compileCache, end.used.compilerSeed], ['exit', 'miss', true]);
        }, 60_000);
        const kept = (): string[] =>
          fs.readdirSync(path.join(ownCodeFolder(folder), 'seeds'), { recursive: true, encoding: 'utf8' }).sort();
        const before = kept();
        assert.ok(before.length > 256, 'a build cache has a folder for each first byte of a hash');
        assert.equal((await run('go', code(++count))).end.used.compilerSeed, true);
        assert.deepEqual(kept(), before);
      },
      { 'code.folder': folder },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('what was compiled of files that changed meanwhile is not kept for those as they were before', needsC, () =>
  withCode(async ({ client, sidecar }) => {
    const program = '#include <stdio.h>\n#include "v.h"\nint main(void) { puts(V); }\n';
    const caller = { id: 'ann', name: 'Ann', kind: 'person', access: 'execute' } as const;
    const ask = async (name: string, input: object, more: object = {}): Promise<unknown> =>
      (await sidecar.dispatch({ name, input, caller, transport: 'http', requestId: 'r', signal: new AbortController().signal, ...more }))
        .output;
    const put = async (session: string, words: string): Promise<void> => {
      const body = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from(`#define V "${words}"\n`);
      };
      await ask('code.putFile', { session, name: 'v.h' }, { body: body() });
    };
    const ran = async (session: string, onCompile = async (): Promise<void> => {}): Promise<[string, string]> => {
      let out = '';
      const emit = async (item: CodeItem): Promise<void> => {
        if (item.type === 'stage' && item.stage === 'compile') await onCompile();
        if (item.type === 'output') out += item.text;
      };
      const end = (await ask('code.run', { language: 'c', code: program, session }, { emit })) as CodeOutcome;
      return [out, end.used.compileCache];
    };
    const [one, other] = [await client.call('code.openSession', {}), await client.call('code.openSession', {})];
    for (const { id } of [one, other]) await put(id, 'one');
    assert.deepEqual(await ran(one.id, () => put(one.id, 'two')), ['two\n', 'miss']);
    assert.deepEqual(await ran(other.id), ['one\n', 'miss']);
    assert.deepEqual(await ran(other.id), ['one\n', 'hit']);
  }),
);
