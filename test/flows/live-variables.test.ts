// What lives on from run to run against a real sidecar: what comes back of variables is what they were, or is named; and each run is one of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { CodeItem, CodeOutcome } from '../../src/contract/code.ts';
import { requireTool } from '../kit/require-tools.ts';
import { lentSidecar, type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';

const needsPython = { skip: requireTool('python3') };
const ENDED = 'The interpreter of the session ended; the next run begins with the variables as they were kept last.';
const lostOf = (...names: string[]): string => `Not kept beyond the life of the interpreter: ${names.join(', ')}.`;
const missed = (...names: string[]): string => `Of the kept variables of this session, these could not be taken up: ${names.join(', ')}.`;

interface Seen {
  end: CodeOutcome;
  out: string;
  err: string;
}

type Run = (language: string, code: string, more?: Record<string, unknown>, onItem?: (item: CodeItem) => void) => Promise<Seen>;

const components = ['files', 'code'];
const oneLives = { 'code.live': '1' };
const withMany = lentSidecar({ config: { components } });
const withOne = lentSidecar({ config: { components, ...oneLives } });

/** Every run keeps its variables. In a sidecar for all tests that want no more than one with, or without, `oneLives`. */
function withLive(work: (live: { run: Run } & RunningSidecar) => Promise<void>, config?: SidecarSetup['config']): Promise<void> {
  const live = async (running: RunningSidecar): Promise<void> => {
    const run: Run = async (language, code, more = {}, onItem) => {
      const stream = running.client.stream('code.run', { language, code, keepState: true, ...more });
      const text = { stdout: '', stderr: '' };
      for await (const item of stream) {
        if (item.type === 'output') text[item.stream] += item.text;
        onItem?.(item);
      }
      return { end: await stream.end, out: text.stdout, err: text.stderr };
    };
    await work({ ...running, run });
  };
  if (config === undefined) return withMany(live);
  return config === oneLives ? withOne(live) : withSidecar(live, { config: { components, ...config } });
}

/** Runs each after the other in one session, and the last of them in another interpreter than those before. */
async function afterAnother(run: Run, language: 'py' | 'js', codes: readonly string[]): Promise<{ before: string[]; seen: Seen }> {
  let more = {};
  let before: string[] = [];
  for (const code of codes.slice(0, -1)) {
    const { end, err } = await run(language, code, more);
    assert.equal(end.exitCode, 0, err);
    more = { session: end.session };
    before = end.notes;
  }
  // With one that may live, whoever comes ends the one before.
  await run(language === 'py' ? 'js' : 'py', '1');
  return { before, seen: await run(language, codes.at(-1) ?? '', more) };
}

test('where taking up variables ends the interpreter, the code is run all the same, without them (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    const module = (does: string): { files: object[] } => ({
      files: [{ name: 'later.py', text: `import os, sys, time\nif os.path.exists('ready'): ${does}\nopen('ready', 'w').close()\n` }],
    });
    for (const [does, restored, note] of [
      ['os._exit(0)', false, 'The kept variables of this session could not be taken up.'],
      ['os.kill(os.getpid(), 9)', false, 'The kept variables of this session could not be taken up.'],
      ['sys.exit(0)', true, missed('later')],
      ['raise KeyboardInterrupt', true, missed('later')],
    ] as const) {
      const { session } = (await run('py', 'import later\nx = 41', module(does))).end;
      await run('js', '1');
      const { out, end, err } = await run('py', `print('ran', 'x' in globals())`, { session });
      assert.deepEqual([out, end.reason, end.exitCode], [`ran ${restored ? 'True' : 'False'}\n`, 'exit', 0], err);
      assert.deepEqual([end.used.restored, end.notes], [restored, [note]]);
      const next = await run('py', 'print(2)', { session });
      assert.deepEqual([next.out, next.end.used.interpreter, next.end.notes], ['2\n', 'live', []]);
    }
  }, oneLives),
);

test('a run that is canceled while variables are taken up ends at once, and they stay as they are (long form)', needsPython, () =>
  withLive(async ({ run, client }) => {
    const text = `import os, time\nif os.path.exists('ready'): time.sleep(60)\nopen('ready', 'w').close()\n`;
    const first = await run('py', 'import slow\nx = 41', { files: [{ name: 'slow.py', text }] });
    const { session } = first.end;
    await run('js', '1');
    let id = '';
    let begun = 0;
    const { end } = await run('py', 'print(x)', { session }, (item) => {
      if (item.type === 'started') id = item.run;
      if (item.type !== 'stage') return;
      void wait(500).then(() => {
        begun = performance.now();
        return client.call('code.cancel', { run: id });
      });
    });
    const took = performance.now() - begun;
    assert.equal(end.reason, 'canceled');
    assert.ok(took < 5000, `it took ${Math.round(took)} ms`);
    assert.equal(end.state?.sha256, first.end.state?.sha256);
  }, oneLives),
);

test(
  'variables of Python take no more room than each by itself, and what they share is kept, and written, once (long form)',
  needsPython,
  () =>
    withLive(async ({ run }) => {
      const many = await run('py', "import pickle\nwords = [f'word {n}' for n in range(300_000)]\nprint(len(pickle.dumps(words)))");
      assert.deepEqual(many.end.notes, []);
      const room = Number(many.out);
      assert.ok((many.end.state?.bytes ?? 0) < room + 1000, `${many.end.state?.bytes} bytes, where ${room} are enough`);
      const codes = [
        "text = 'x' * 20_000_000\nparts, by, again = [text], {'a': text}, text",
        'print(parts[0] is by["a"] is text is again)',
      ];
      const { before, seen } = await afterAnother(run, 'py', codes);
      assert.deepEqual([before, seen.out, seen.end.notes], [[], 'True\n', []], seen.err);
      assert.ok((seen.end.state?.bytes ?? Infinity) < 20_100_000, `${seen.end.state?.bytes} bytes`);
      // What can't be kept makes no difference to the others from the second time on.
      const counted = await run(
        'py',
        'import threading\nfirst = threading.Lock()\nclass Counts:\n  n = 0\n  def __getstate__(self):\n    Counts.n += 1\n    return {}\none, last = Counts(), [threading.Lock()]',
      );
      assert.deepEqual(counted.end.notes, [lostOf('first', 'last')], counted.err);
      const { session } = counted.end;
      await run('py', 'before = Counts.n', { session });
      const next = await run('py', 'print(Counts.n - before)', { session });
      assert.deepEqual([next.out, next.end.notes], ['1\n', [lostOf('first', 'last')]], next.err);
    }, oneLives),
);

const defined: readonly { says: string; codes: string[]; prints: string; before?: string[]; after?: string[] }[] = [
  {
    says: 'decorators are of their function and class',
    codes: [
      `import functools
from dataclasses import dataclass
@functools.lru_cache(None)
def cached(x): return x * 2
def twice(g):
  return lambda *a: g(*a) * 2
@(
  # Of several lines.
  twice
)
@twice
def three(): return 3
@dataclass
class P:
  x: int
  y: int
p = P(1, 2)`,
      'print(cached(2), three(), p, P(3, 4), cached.cache_info().hits)',
    ],
    prints: '4 12 P(x=1, y=2) P(x=3, y=4) 0\n',
  },
  {
    says: 'what a decorated one had come to is kept with it',
    codes: [
      'class Counts:\n  def __init__(self): self.n = 0\nlate = Counts\ndef counting(f): return late()',
      '@counting\ndef f(): pass\nf.n = 3',
      'print(f.n)',
    ],
    prints: '3\n',
  },
  {
    says: 'a name that another run bound anew is not what it was before',
    codes: [
      'def f(): return "old"\ndef g(): return "old"',
      'f = lambda: "new"\nif True:\n  def g(): return "new"',
      'print("f" in globals(), "g" in globals())',
    ],
    prints: 'False False\n',
    before: [lostOf('f', 'g')],
  },
  {
    says: 'nor one that the same run did',
    codes: [
      'class C: v = 1\ndef f(): return "old"\nC = type("C", (), {"v": 2})\nf = lambda: "new"\ndef h(): return 1\ndef h(): return 2',
      'print("f" in globals(), "C" in globals(), h())',
    ],
    prints: 'False False 2\n',
    before: [lostOf('C', 'f')],
  },
  {
    says: 'the future that they were written for is theirs, and no other code’s',
    codes: [
      '"""Said."""\nfrom __future__ import annotations\nannotations = 5\ndef g(a: Undefined): return 1',
      'def h(a: int): return 2\n"no word of the module"\nsaid = __doc__',
      'print(g(1), g.__annotations__, h.__annotations__, annotations, said)',
    ],
    prints: "1 {'a': 'Undefined'} {'a': <class 'int'>} 5 Said.\n",
  },
  {
    says: 'what can’t be made again is named',
    codes: [
      'import os\nfrom os import environ\ndef once():\n  if os.path.exists("once"): raise ValueError\n  open("once", "w").close()\nonce()\ndef f(a=once and open("once")): pass',
      'import os; os.remove("once"); os.mkdir("once")',
      'print("f" in globals())',
    ],
    prints: 'False\n',
    before: [lostOf('environ')],
    after: [missed('f')],
  },
];

for (const { says, codes, prints, before = [], after = [] } of defined)
  test(`of what Python code defined: ${says}`, needsPython, () =>
    withLive(async ({ run }) => {
      const { before: found, seen } = await afterAnother(run, 'py', codes);
      assert.deepEqual(found, before);
      assert.deepEqual([seen.out, seen.end.used.restored, seen.end.notes], [prints, true, after], seen.err);
    }, oneLives),
  );

test('code that is wrong anywhere does nothing, wherever it defines something', needsPython, () =>
  withLive(async ({ run }) => {
    for (const wrong of ['return 1', 'from __future__ import annotations', 'break']) {
      const { out, err, end } = await run('py', `print('begun')\ndef f(): pass\n${wrong}\n`);
      assert.deepEqual([out, end.exitCode], ['', 1]);
      assert.match(err, /SyntaxError/);
    }
  }),
);

test('of JavaScript, what would lose what it is an instance of is named, and all else comes back as it was', needsPython, () =>
  withLive(async ({ run }) => {
    const { before, seen } = await afterAnother(run, 'js', [
      `class P { m() { return 1 } }
var p = new P(), deep = [new Map([['a', { b: new Set([p]) }]])], own = new (class extends Error {})('x'), code = Object.assign(new Error('y'), { code: 1 });
var list = [1, , 'ä', null, undefined, NaN, -0, 7n], map = new Map([[{ a: 1 }, [new Date(5)]]]), words = 'ab'.match(/(?<one>a)/), plain = new Error('z');
var buffer = Buffer.from('é'), floats = new Float64Array([1.5]), ring = {}, bare = Object.assign(Object.create(null), { a: 1 });
ring.self = ring;
var chain = null; for (let n = 0; n < 500; n++) chain = { chain };`,
      `console.log(list, map, words.groups.one, words.index, plain.message, String(buffer), floats, ring.self === ring, bare.a, chain.chain !== null);
console.log(typeof p, typeof deep, typeof own, typeof code)`,
    ]);
    assert.deepEqual(before, [lostOf('p', 'deep', 'own', 'code', 'P')]);
    assert.equal(
      seen.out,
      `[ 1, <1 empty item>, 'ä', null, undefined, NaN, -0, 7n ] Map(1) { { a: 1 } => [ 1970-01-01T00:00:00.005Z ] } a 0 z é Float64Array(1) [ 1.5 ] true 1 true
undefined undefined undefined undefined\n`,
      seen.err,
    );
  }, oneLives),
);

test('what JavaScript code left to be done when it ended itself, or failed, is not done in the next run (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    for (const [code, exitCode] of [
      ['var x = 7; let n = 0; setInterval(() => console.log("tick", n++), 20); setTimeout(() => process.exit(3), 100)', 3],
      ['var x = 7; require("node:fs").watch("."); setTimeout(() => { throw new Error("x") }, 20)', 1],
      ['var x = 7; setInterval(() => console.log("tick"), 20); throw new Error("x")', 1],
      // Of which more is kept than is told unasked.
      ['var x = 7, much = "y".repeat(100_000); setInterval(() => console.log("tick"), 20); process.exit(3)', 3],
    ] as const) {
      const first = await run('js', code);
      assert.deepEqual([first.end.reason, first.end.exitCode], ['exit', exitCode], first.err);
      assert.deepEqual(first.end.notes.at(-1), ENDED);
      const { out, end } = await run('js', 'console.log("second", x)', { session: first.end.session, limits: { wallMs: 3000 } });
      assert.deepEqual([out, end.reason, end.used.restored], ['second 7\n', 'exit', true]);
    }
    // What leaves nothing lives on.
    for (const code of [
      'var x = 7; process.exit(3)',
      'var x = 7; setTimeout(() => process.exit(3), 20)',
      'var x = 7; setTimeout(() => { throw new Error("x") }, 20)',
      'var x = 7; Promise.reject(new Error("x"))',
      'var x = 7; throw new Error("x")',
    ]) {
      const { notes, session } = (await run('js', code)).end;
      const next = await run('js', 'console.log("second", x)', { session });
      assert.deepEqual([notes, next.out, next.end.used.interpreter], [[], 'second 7\n', 'live']);
    }
  }),
);

test('who does not read what code wrote whose variables live on keeps nobody from running (long form)', needsPython, () =>
  withLive(
    async ({ run, url, token }) => {
      for (const code of ["print('x' * 60_000_000)", "print('x' * 5_000_000)"]) {
        const flood = await fetch(`${url}/api/code.run`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, accept: 'application/x-ndjson', 'content-type': 'application/json' },
          body: JSON.stringify({ language: 'py', code, keepState: true, limits: { wallMs: 3000, outputBytes: 100_000_000 } }),
        });
        await wait(500);
        const second = run('py', 'print(1)', { keepState: false });
        const first = await Promise.race([second.then(({ out }) => out), wait(10_000, 'still waits', { ref: false })]);
        await flood.body?.cancel();
        await second;
        assert.equal(first, '1\n');
      }
    },
    { 'code.atOnce': '1', 'code.maxOutputBytes': '100000000' },
  ),
);

test('a mark of the byte order that code writes is its output, and one that code begins with is none of it (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    for (const keepState of [true, false]) {
      const { out, end } = await run('py', 'import sys; n = sys.stdout.buffer.write("\\ufeffid;name\\n".encode())', { keepState });
      assert.deepEqual([out, end.program?.outputBytes.stdout], ['\ufeffid;name\n', 11]);
      for (const language of ['py', 'js']) {
        const code = `\ufeff${language === 'py' ? 'def f(): return 1\nprint(f())' : 'console.log(1)'}`;
        const seen = await run(language, code, { keepState });
        assert.deepEqual([seen.out, seen.end.exitCode], ['1\n', 0], seen.err);
      }
    }
  }),
);

test('a program that JavaScript code starts reads the input of its order, and no order', needsPython, () =>
  withLive(async ({ run }) => {
    const reads = `var read = String(require('node:child_process').spawnSync('cat', { stdio: ['inherit', 'pipe', 'inherit'] }).stdout); console.log(JSON.stringify(read))`;
    let more = {};
    for (const stdin of ['given', '', 'another, which is longer', 'ä']) {
      const { out, end } = await run('js', reads, { stdin, limits: { wallMs: 5000 }, ...more });
      assert.deepEqual([out, end.reason], [`${JSON.stringify(stdin)}\n`, 'exit']);
      more = { session: end.session };
    }
    const late = await run('js', "require('node:child_process').spawn('cat', { stdio: 'inherit', detached: true }).unref(); 1", more);
    assert.equal(late.end.reason, 'exit');
    const next = await run('js', 'console.log(read, require("node:fs").readFileSync(0, "utf8"))', { stdin: 'now', ...more });
    assert.deepEqual([next.out, next.end.used.interpreter], ['ä now\n', 'live']);
  }),
);

test('JavaScript code whose variables live on may be corrected, wait and import, and its lines are where they were', needsPython, () =>
  withLive(async ({ run }) => {
    const files = [
      { name: 'one.mjs', text: 'export const value = 3;\nexport default "first";\n' },
      { name: 'two.json', text: '{"a":1}' },
    ];
    let more: Record<string, unknown> = { files };
    for (const [code, out, err] of [
      [`const data = JSON.parse('{bad');`, '', /^SyntaxError: .*\n {4}at JSON\.parse \(<anonymous>\)\n {4}at \S+code\.js:1:19\n$/],
      [`const data = JSON.parse('{"a":1}'); console.log(data.a)`, '1\n', /^$/],
      ['const a = 1; let b = 2; class K {}', '', /^$/],
      ['const a = 3; let b = 4; class K {}\nconsole.log(a, b)', '3 4\n', /^$/],
      ['const late = await Promise.resolve(5);\nconsole.log(late)', '5\n', /^$/],
      ['await 0;\nthrow new Error("second")', '', /^Error: second\n {4}at \S+code\.js:2:7\n$/],
      [
        "import fs, { existsSync as is,\n  statSync } from 'node:fs'; import * as path from 'node:path'\nimport 'node:os';\nconsole.log(typeof fs.readSync, typeof is, typeof statSync, path.sep);",
        'function function function /\n',
        /^$/,
      ],
      [
        "import first, { value } from './one.mjs';\nimport two from './two.json' with { type: 'json' };\nconsole.log(first, value, two)",
        'first 3 { a: 1 }\n',
        /^$/,
      ],
      [
        "console.log((await import('./one.mjs')).value, `${typeof import('node:os')} import('x')`, /import('y')/.source, 'import(z)')",
        "3 object import('x') import('y') import(z)\n",
        /^$/,
      ],
      ["import { none } from 'node:fs'", '', /^SyntaxError: The requested module 'node:fs' does not provide an export named 'none'\n/],
      ['\nlet = ', '', /^\S+code\.js:2\nlet = \n {6}\^\n\nSyntaxError: Unexpected end of input\n$/],
      ['function f() { throw new Error("x") }', '', /^$/],
      ['\n\nf()', '', /^Error: x\n {4}at f \(\S+code\.js:1:22\)\n {4}at \S+code\.js:3:1\n$/],
    ] as const) {
      const seen = await run('js', code, more);
      assert.deepEqual([seen.out, seen.end.exitCode], [out, err.test('') ? 0 : 1], `${code}: ${seen.err}`);
      assert.match(seen.err, err);
      more = { session: seen.end.session };
    }
  }),
);

test('an error of JavaScript code whose variables live on is printed with all that it has, as Node does (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    for (const code of [
      `throw new Error('outer', { cause: new TypeError('inner') })`,
      `throw new AggregateError([new Error('a'), new Error('b')], 'both')`,
      `throw Object.assign(new Error('m'), { code: 'E_X', detail: { a: 1 } })`,
      'throw { a: 1 }',
    ]) {
      const { err } = await run('js', code);
      const plain = spawnSync(process.execPath, ['-e', `try { ${code} } catch (error) { console.error(error); }`], {
        encoding: 'utf8',
      });
      const bare = (text: string): string => text.replace(/\n +(at|\.\.\.) [^\n]*?(?=,?( [{[])?\n)/g, '');
      assert.equal(bare(err), bare(plain.stderr));
      assert.doesNotMatch(err, /node:inspector|\[eval\]/);
    }
  }),
);

test('a variable of JavaScript code with the name of something of Node is the code’s, and is kept or named (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    const { before, seen } = await afterAnother(run, 'js', [
      'crypto.randomUUID(); navigator.userAgent; performance.now(); path.sep; void fetch;',
      `const crypto = require('node:crypto'); var fetch = () => 1; let performance = 5; var fs = 'mine';`,
      'console.log(performance, fs, typeof crypto.subtle, typeof fetch)',
    ]);
    assert.deepEqual(before, [lostOf('fetch', 'crypto')]);
    assert.deepEqual([seen.out, seen.end.notes], ['5 mine object function\n', []], seen.err);
  }, oneLives),
);

test('JavaScript code that waits for what never comes leaves nothing behind that ends the interpreter later (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    const never = `const fs = require('node:fs'); function helper() { return 7 }
await new Promise((done) => fs.createReadStream('missing.csv').on('end', done));`;
    const first = await run('js', never);
    assert.match(first.err, /ENOENT/);
    const more = { session: first.end.session };
    const busy =
      'for (let n = 0; n < 150; n++) { Array.from({ length: 20_000 }, (_, i) => ({ i })); await new Promise((r) => setTimeout(r, 1)); }';
    for (const code of ['await new Promise(() => {})', 'helper()', `${busy} helper()`, busy]) {
      const { end, err } = await run('js', code, more);
      assert.deepEqual([end.reason, end.exitCode, err], ['exit', 0, '']);
    }
    assert.equal((await run('js', 'console.log(helper())', more)).out, '7\n');
  }),
);

test('all that JavaScript code writes before it fails or ends itself is told, and the interpreter lives on (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    let more: Record<string, unknown> = {};
    for (const [last, exitCode] of [
      ['throw new Error("at last")', 1],
      ['process.exit(3)', 3],
      ['', 0],
    ] as const) {
      const { out, err, end } = await run(
        'js',
        `var kept = 7; for (let n = 0; n < 4000; n++) { console.log('x'.repeat(120)); console.error('line', n) } ${last}`,
        more,
      );
      assert.deepEqual([out.length, end.exitCode, end.notes], [4000 * 121, exitCode, []]);
      assert.ok(err.includes('line 3999\n') && err.includes('at last') === (exitCode === 1), err.slice(-200));
      more = { session: end.session };
    }
  }),
);

test('a method of JavaScript code may be called import', needsPython, () =>
  withLive(async ({ run }) => {
    const code = `class Repo { import(f, { g } = {}) { return f } async *import2() {} static import (a = ')') { return a } #import(x) { return x } own() { return this.#import(5) } }
const one = { import(f) { return f + 1 }, async import2() { return (await import('node:os')).EOL } };
console.log(new Repo().import(3), Repo.import(), new Repo().own(), one.import(3), JSON.stringify(await one.import2()));
if (true) import('node:fs').then((fs) => console.log(typeof fs.readSync));`;
    const { out, err } = await run('js', code);
    assert.equal(out, '3 ) 5 4 "\\n"\nfunction\n', err);
  }),
);

test('a variable of JavaScript code is taken up also where Node has only a way to read the name', needsPython, () =>
  withLive(async ({ run }) => {
    const { seen } = await afterAnother(run, 'js', [`const navigator = { mine: 1 }; let later = 2;`, 'console.log(navigator.mine, later)']);
    assert.deepEqual([seen.out, seen.end.notes], ['1 2\n', []], seen.err);
  }, oneLives),
);

test(
  'variables of JavaScript that are many are written down in the memory that there is, and those that are too large are not tried (long form)',
  needsPython,
  () =>
    withLive(async ({ run }) => {
      for (const [code, isKept] of [
        [`var x = Array.from({ length: 1_000_000 }, (_, i) => ({ a: i, b: 's' + i }))`, true],
        ['var x = Buffer.alloc(150_000_000, 97)', false],
        ['var x = Buffer.alloc(30_000_000, 97), y = Buffer.alloc(30_000_000, 98)', false],
        // What is there twice is written once.
        ['var x = Buffer.alloc(30_000_000, 97), y = x', true],
      ] as const) {
        const first = await run('js', code, { limits: { memoryBytes: 512 * 1024 * 1024 } });
        assert.deepEqual(first.end.notes, isKept ? [] : ['The variables are too large to be kept beyond the life of the interpreter.']);
        const next = await run('js', 'console.log(x.length > 1)', {
          session: first.end.session,
          limits: { memoryBytes: 512 * 1024 * 1024 },
        });
        assert.deepEqual([next.out, next.end.used.interpreter], ['true\n', 'live']);
      }
    }),
);
