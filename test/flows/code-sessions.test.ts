// Sessions of code against a real sidecar: variables that live on, what is shown, and interpreters that wait.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import type { CodeItem, CodeOutcome } from '../../src/contract/code.ts';
import { named, needsC, needsPython, type Run, runOn, type Seen, withCode } from '../kit/code-runs.ts';
import { eventually } from '../kit/eventually.ts';

test('variables live on in a session, in Python and in JavaScript, also when their interpreter is gone', needsPython, () =>
  withCode(
    async ({ run, client }) => {
      const first = await run('py', 'import math\nx = [1, 2]\ndef f(a): return a + x[0]\nx', { keepState: true });
      assert.equal(first.end.exitCode, 0, first.err);
      assert.deepEqual(
        first.items.filter(({ type }) => type === 'display'),
        [{ type: 'display', data: { 'text/plain': '[1, 2]' } }],
      );
      const { session } = first.end;
      assert.ok((first.end.state?.bytes ?? 0) > 0);
      const second = await run('py', 'x.append(3)\nprint(f(1), math.pi, input())', { keepState: true, session, stdin: 'in\n' });
      assert.deepEqual([second.out, second.end.used.interpreter, second.end.used.restored], ['2 3.141592653589793 in\n', 'live', false]);
      // A failure is of one run alone.
      const third = await run('py', 'raise KeyError("k")', { keepState: true, session });
      assert.deepEqual([third.end.exitCode, /^Traceback [^]*line 1[^]*KeyError: 'k'\n$/.test(third.err)], [1, true]);
      // A time limit ends the interpreter, and the next one has the variables as they were.
      const fourth = await run('py', 'x.append(4)\nwhile True: pass', { keepState: true, session, limits: { wallMs: 300 } });
      assert.deepEqual([fourth.end.reason, fourth.end.exitCode, fourth.end.notes.length], ['timeout', 124, 1]);
      const fifth = await run('py', 'print(x, f(5), math.e > 2)', { keepState: true, session });
      assert.deepEqual([fifth.out, fifth.end.used.restored], ['[1, 2, 3] 6 True\n', true]);

      const js = await run('js', 'var seen = { a: 1 };\nlet count = 1;', { keepState: true });
      const again = await run('js', 'seen.a++; count++;\nconsole.log(seen, count);', { keepState: true, session: js.end.session });
      assert.equal(again.out, '{ a: 2 } 2\n', again.err);
      // The other interpreter is ended: there is room for one.
      const back = await run('py', 'print(x)', { keepState: true, session });
      assert.deepEqual([back.out, back.end.used.restored], ['[1, 2, 3]\n', true]);
      await client.call('code.removeState', { session });
      const none = await run('py', 'print("x" in globals())', { keepState: true, session });
      assert.equal(none.out, 'False\n');
    },
    { 'code.live': '1' },
  ),
);

test('rich results come as bundles by mime type', needsPython, () =>
  withCode(async ({ run }) => {
    const { items, err } = await run(
      'py',
      'class Table:\n  def _repr_html_(self): return "<table></table>"\n  def _repr_png_(self): return b"\\x89PNG"\ndisplay(Table())\nTable()',
      { keepState: true },
    );
    const shown = items.filter((item) => item.type === 'display');
    assert.equal(shown.length, 2, err);
    for (const { data } of shown) {
      assert.deepEqual([data['text/html'], data['image/png']], ['<table></table>', Buffer.from('\x89PNG', 'latin1').toString('base64')]);
    }
  }),
);

test('a file that comes while an interpreter lives, or a program runs, is theirs to write', needsPython, () =>
  withCode(async ({ run, client }) => {
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('given');
    };
    const first = await run('py', 'open("own.txt", "w").close()', { keepState: true });
    const { session } = first.end;
    for (const name of ['put.txt', 'own.txt']) await client.upload('code.putFile', { session, name }, body());
    const files = [{ name: 'come.txt', text: 'given' }];
    const writes = `import os
for name in ['put.txt', 'own.txt', 'come.txt']:
  with open(name, 'a') as file: file.write(' more')
  os.chmod(name, 0o750)
`;
    const second = await run('py', writes, { keepState: true, session, files });
    assert.deepEqual([second.err, second.end.used.interpreter, named(second.end.files)], ['', 'live', ['come.txt', 'own.txt', 'put.txt']]);
    const readsThen = `${writes}print(*[open(name).read() for name in ['put.txt', 'own.txt', 'come.txt']], sep=', ')`;
    const after = await run('py', readsThen, { session });
    assert.deepEqual([after.err, after.out], ['', 'given more more, given more more, given more more\n']);

    const waits = 'print("ready", flush=True)\ninput()\nopen("late.txt", "a").write(" more")\nprint(open("late.txt").read())';
    const stream = client.stream('code.run', { language: 'py', code: waits, session, keepStdinOpen: true });
    let out = '';
    let id = '';
    for await (const item of stream) {
      if (item.type === 'started') id = item.run;
      if (item.type !== 'output') continue;
      out += item.text;
      if (out !== 'ready\n') continue;
      await client.upload('code.putFile', { session, name: 'late.txt' }, body());
      await client.call('code.input', { run: id, text: '\n', end: true });
    }
    assert.equal(out, 'ready\ngiven more\n');
  }),
);

test('one session has one run at a time, also when it is as new as the first of them (long form)', needsPython, () =>
  withCode(async (running) => {
    const stream = running.client.stream('code.run', {
      language: 'py',
      code: 'import time\ntime.sleep(0.6)\nprint(open("code.py").read()[:11])',
    });
    let second: Promise<Seen> | undefined;
    let out = '';
    for await (const item of stream) {
      if (item.type === 'started') second = running.run('py', 'import os\nprint(os.listdir("."))', { session: item.session });
      if (item.type === 'output') out += item.text;
    }
    assert.deepEqual([out, (await stream.end).exitCode], ['import time\n', 0]);
    const seen = await second;
    assert.deepEqual([seen?.out, seen?.items[0]?.type], ["['code.py']\n", 'queued']);
  }),
);

test(
  'a session is free when its run is over, and not when its program is and somebody has yet to read what it wrote (long form)',
  needsPython,
  () =>
    withCode(
      async ({ client, run }) => {
        const { id: session } = await client.call('code.openSession', {});
        const code = 'import time\nfor _ in range(60):\n  print("a" * 200, flush=True)\n  time.sleep(0.01)\nopen("a.txt", "w").close()\n';
        const first = client.stream('code.run', { language: 'py', code, session });
        const items = first[Symbol.asyncIterator]();
        await items.next();
        const second = run('py', 'import os\nprint(os.path.exists(__file__), sorted(os.listdir(".")))\nopen("b.txt", "w").close()\n', {
          session,
        });
        // The slot of the first is free as soon as its program is over: it is the only one.
        assert.equal((await run('py', 'print(1)')).out, '1\n');
        while ((await items.next()).done !== true);
        assert.deepEqual(named((await first.end).files), ['a.txt']);
        const { out, end, items: told } = await second;
        assert.equal(told[0]?.type, 'queued');
        assert.deepEqual([out, named(end.files)], ["True ['a.txt', 'code.py']\n", ['b.txt']]);
        assert.deepEqual(named((await client.call('code.session', { session })).files).sort(), ['a.txt', 'b.txt']);
      },
      { 'code.atOnce': '1' },
    ),
);

test('a session that is closed, or whose variables are, ends what runs in it (long form)', needsPython, () =>
  withCode(async ({ client, run }) => {
    const { id: session } = await client.call('code.openSession', {});
    const first = run('py', 'import time\ntime.sleep(20)', { session });
    const waits = run('py', 'print(1)', { session });
    const refused = assert.rejects(waits, { reason: 'CANCELED' });
    const live = await run('py', 'x = 1', { keepState: true });
    const busy = run('py', 'import time\ntime.sleep(20)', { keepState: true, session: live.end.session });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const begun = performance.now();
    await Promise.all([client.call('code.closeSession', { session }), client.call('code.removeState', { session: live.end.session })]);
    assert.deepEqual([(await first).end.reason, (await busy).end.reason], ['canceled', 'canceled']);
    await refused;
    assert.ok(performance.now() - begun < 3000, `${performance.now() - begun} ms`);
    await assert.rejects(client.call('code.session', { session }), { reason: 'NO_SESSION' });
    assert.equal((await run('py', 'print("x" in globals())', { keepState: true, session: live.end.session })).out, 'False\n');
  }),
);

test(
  'code whose variables live on has an input, an environment and names of its own, and ends when nothing is left to do',
  needsPython,
  () =>
    withCode(async ({ run }) => {
      const py = await run(
        'py',
        'import os, subprocess\nprint(subprocess.run(["cat"], capture_output=True, text=True).stdout, os.environ["A"])',
        {
          keepState: true,
          stdin: 'all of it',
          env: { A: '1' },
        },
      );
      assert.equal(py.out, 'all of it 1\n', py.err);
      const { session } = py.end;
      assert.equal(
        (await run('py', 'import sys\nprint("A" in os.environ, repr(sys.stdin.read()))', { keepState: true, session })).out,
        "False ''\n",
      );
      assert.equal((await run('py', 'import sys\nsys.exit(-1)', { keepState: true, session })).end.exitCode, 255);
      const js = await run(
        'js',
        `const fs = require('node:fs');
const order = [], read = 5;
setTimeout(() => console.log('later', fs.readFileSync(0, 'utf8'), process.env.A), 50);
process.stdin.on('data', (bytes) => console.log('data', String(bytes)));
new Promise(() => {});`,
        { keepState: true, stdin: 'in', env: { A: '1' } },
      );
      assert.deepEqual([js.out.split('\n').sort(), js.end.exitCode], [['', 'data in', 'later in 1'], 0], js.err);
      assert.equal(
        (await run('js', 'console.log(process.env.A, read, typeof fs.statSync)', { keepState: true, session: js.end.session })).out,
        'undefined 5 function\n',
      );
      assert.equal(
        (await run('js', 'setTimeout(() => process.exit(3), 10)', { keepState: true, session: js.end.session })).end.exitCode,
        3,
      );
    }),
);

test('what is shown stands where it was shown, and is no output', needsPython, () =>
  withCode(async ({ run }) => {
    const { items, end } = await run('py', 'import os\nfor n in range(3):\n  print(n)\n  display(n)\nprint("last", end="\\x1e")', {
      keepState: true,
    });
    const order = items.flatMap((item) =>
      item.type === 'output' ? [item.text] : item.type === 'display' ? [`[${item.data['text/plain']}]`] : [],
    );
    assert.equal(order.join(''), '0\n[0]1\n[1]2\n[2]last\u001e');
    assert.deepEqual(end.program?.outputBytes, { stdout: 11, stderr: 0 });
  }),
);

test('variables are kept again and again: functions, what is made of others, let and const (long form)', needsPython, () =>
  withCode(
    async ({ run, client }) => {
      const first = await run(
        'py',
        'base = 5\ndef f(a=base): return a\nclass C:\n  def __init__(self, v): self.v = v\nc = C(f())\nraise SystemExit',
        {
          keepState: true,
        },
      );
      assert.deepEqual(first.end.notes, []);
      const { session } = first.end;
      for (let round = 0; round < 3; round++) {
        await run('js', '1', { keepState: true });
        const { out, end, err } = await run('py', 'print(f(), c.v, C(1).v)', { keepState: true, session });
        assert.deepEqual([out, end.used.restored, end.notes], ['5 5 1\n', true, []], err);
      }
      const js = await run('js', 'let n = 1; const list = [1, { a: 2 }]; function lost() {}', { keepState: true });
      assert.deepEqual(js.end.notes, ['Not kept beyond the life of the interpreter: lost.']);
      await run('py', '1', { keepState: true });
      const again = await run('js', 'n++; console.log(n, list)', { keepState: true, session: js.end.session });
      assert.deepEqual([again.out, again.end.used.restored], ['2 [ 1, { a: 2 } ]\n', true]);
      // More than may be kept: the interpreter lives on, with all of it.
      const big = await run('py', 'big = "x" * 200_000', { keepState: true, session });
      assert.match(big.end.notes.join(), /too large/);
      const still = await run('py', 'print(len(big)); del big', { keepState: true, session });
      assert.deepEqual([still.out, still.end.used.interpreter, still.end.notes], ['200000\n', 'live', []]);
      assert.equal((await client.call('code.session', { session })).state === null, false);
    },
    { 'code.live': '1', 'code.stateBytes': '100000' },
  ),
);

test(
  'variables outlive their interpreter whether they are few or many, in both languages, and what is lost is named (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run, client }) => {
        const evict = (language: string): Promise<Seen> => run(language === 'py' ? 'js' : 'py', '1', { keepState: true });
        // By itself, asked for, and in a file.
        for (const size of [10, 20_000, 80_000]) {
          const py = await run('py', `import threading\nx = "ä" * ${size}\nschlüssel = threading.Lock()`, { keepState: true });
          assert.deepEqual(py.end.notes, ['Not kept beyond the life of the interpreter: schlüssel.']);
          const { session } = py.end;
          // A second run changes them, and a third one does not.
          await run('py', 'x += "é"; del schlüssel', { keepState: true, session });
          const same = await run('py', 'print(len(x))', { keepState: true, session });
          assert.deepEqual([same.out, same.end.used.interpreter, same.end.notes], [`${size + 1}\n`, 'live', []]);
          await evict('py');
          const again = await run('py', 'print(x == "ä" * (len(x) - 1) + "é", len(x), threading.__name__)', { keepState: true, session });
          assert.deepEqual([again.out, again.end.used.restored], [`True ${size + 1} threading\n`, true], again.err);
          const js = await run('js', `let y = 'ä'.repeat(${size}); function größe() {}`, { keepState: true });
          assert.deepEqual(js.end.notes, ['Not kept beyond the life of the interpreter: größe.']);
          await evict('js');
          const back = await run('js', 'console.log(y.length, y[0])', { keepState: true, session: js.end.session });
          assert.deepEqual([back.out, back.end.used.restored], [`${size} ä\n`, true], back.err);
          const info = await client.call('code.session', { session });
          assert.equal(info.state?.sha256, again.end.state?.sha256);
        }
      },
      { 'code.live': '1' },
    ),
);

test('a session has its own modules, whatever its interpreter has of the same names (long form)', needsPython, () =>
  withCode(
    async ({ run }) => {
      const names = ['json', 're', 'ast', 'base64', 'pickle', 'collections', 'functools', 'types', 'operator', 'traceback'];
      const files = names.map((name) => ({ name: `${name}.py`, text: `value = 'own ${name}'\n` }));
      // Before the interpreter starts, and after it.
      const early = await run('py', 'def f(): return 1\nx = [f()]\nprint(x)', { keepState: true, files });
      const late = await run('py', 'def f(): return 1\nx = [f()]\nprint(x)', { keepState: true });
      for (const { out, err, end } of [early, late]) {
        assert.deepEqual([out, end.notes], ['[1]\n', []], err);
        const { session } = end;
        const code = `import ${names.join(', ')}\nprint(${names.map((name) => `${name}.value`).join(', ')})`;
        const own = await run('py', code, { keepState: true, session, files });
        assert.deepEqual([own.out, own.end.notes], [`${names.map((name) => `own ${name}`).join(' ')}\n`, []], own.err);
        const failed = await run('py', '1 / 0', { keepState: true, session });
        assert.match(failed.err, /ZeroDivisionError/);
        const after = await run('py', 'print(f(), x, pickle.value)', { keepState: true, session });
        assert.deepEqual([after.out, after.end.used.interpreter, after.end.notes], ['1 [1] own pickle\n', 'live', []]);
        await run('js', '1', { keepState: true });
        const again = await run('py', 'print(f(), x, json.value)', { keepState: true, session });
        assert.deepEqual([again.out, again.end.used.restored], ['1 [1] own json\n', true], again.err);
      }
    },
    { 'code.live': '1' },
  ),
);

test('what extends pickle, and modules that come after the interpreter, are those of the program', needsPython, () =>
  withCode(
    async ({ run }) => {
      const code = `import re, copyreg, functools, enum, collections
Point = collections.namedtuple('Point', 'a b')
class Opaque:
  __slots__ = ('v',)
  def __getstate__(self): raise TypeError('not so')
copyreg.pickle(Opaque, lambda one: (complex, (one.v, 0)))
o = Opaque()
o.v = 4
r = re.compile('a+', re.I)
d = collections.OrderedDict(a=collections.Counter('aab'))
p = functools.partial(int, base=2)
`;
      const first = await run('py', code, { keepState: true });
      assert.deepEqual([first.end.exitCode, first.end.notes], [0, ['Not kept beyond the life of the interpreter: Point.']], first.err);
      await run('js', '1', { keepState: true });
      const again = await run('py', 'print(o, r.match("AAb")[0], dict(d["a"]), p("101"))', { keepState: true, session: first.end.session });
      assert.equal(again.out, "(4+0j) AA {'a': 2, 'b': 1} 5\n", again.err);
    },
    { 'code.live': '1' },
  ),
);

test('the limit of the output holds to the byte in a live session, and is not that of what is kept', needsPython, () =>
  withCode(async ({ run }) => {
    const limits = { outputBytes: 1024 };
    const full = await run('py', 'x = "x" * 15_000\nprint(end="y" * 1024)', { keepState: true, limits });
    assert.deepEqual([full.out.length, full.end.reason, full.end.notes], [1024, 'exit', []]);
    const { session } = full.end;
    const more = await run('py', 'import sys, time\nprint(end="ü" * 513, flush=True)\ntime.sleep(20)', {
      keepState: true,
      session,
      limits,
    });
    assert.deepEqual([more.out, more.end.reason, more.end.program?.limit?.name], ['ü'.repeat(512), 'output', 'outputBytes']);
    assert.deepEqual(
      [more.end.program?.omittedBytes, more.end.program?.outputBytes],
      [
        { stdout: 2, stderr: 0 },
        { stdout: 1024, stderr: 0 },
      ],
    );
    const flood = await run('py', 'import sys\nwhile True: print("z" * 1000, file=sys.stderr)', { keepState: true, session, limits });
    assert.deepEqual([flood.err.length, flood.end.reason], [1024, 'output']);
    const after = await run('py', 'print(len(x))', { keepState: true, session, limits });
    assert.deepEqual([after.out, after.end.used.restored], ['15000\n', true]);
  }),
);

test(
  'what code writes while its variables are written down is no output of it, and too much of that ends its interpreter',
  needsPython,
  () =>
    withCode(
      async ({ run }) => {
        const noisy = (size: number): string => `import os, sys
class Noisy:
  def __reduce__(self):
    print(end='n' * ${size}, flush=True)
    print(end='e' * 9, file=sys.stderr, flush=True)
    return (int, (7,))
noisy = Noisy()
print('said')`;
        const some = await run('py', noisy(5000), { keepState: true });
        assert.deepEqual([some.out, some.err, some.end.notes], ['said\n', '', []]);
        const { session } = some.end;
        const next = await run('py', 'print("next")', { keepState: true, session });
        assert.deepEqual([next.out, next.err, next.end.used.interpreter], ['next\n', '', 'live']);
        const flood = await run('py', noisy(30_000_000), { keepState: true, session });
        assert.deepEqual([flood.out, flood.end.reason, flood.end.notes.length], ['said\n', 'exit', 2], flood.end.notes.join());
        const after = await run('py', 'print(noisy)', { keepState: true, session });
        assert.deepEqual([after.out, after.end.used.restored], ['7\n', true]);
      },
      { 'code.stateBytes': '100000' },
    ),
);

test('an answer that is too large to be given leaves the session as it is after any other run (long form)', needsPython, () =>
  withCode(
    async ({ run, client }) => {
      const slow = `import time
class Slow:
  def __reduce__(self):
    time.sleep(1)
    return (int, (7,))
x = Slow()
print('y' * 200_000)`;
      const { session } = (await run('py', 'x = 1', { keepState: true })).end;
      await assert.rejects(client.call('code.run', { language: 'py', code: slow, keepState: true, session }), {
        reason: 'OUTPUT_TOO_LARGE',
      });
      const next = await run('py', 'print("next")\nx = 2', { keepState: true, session });
      assert.deepEqual([next.out, next.end.used.interpreter, next.end.notes], ['next\n', 'live', []]);
      const last = await run('py', 'print(x)', { keepState: true, session });
      assert.equal(last.out, '2\n');
    },
    { 'limits.outputBytes': '100000' },
  ),
);

test(
  'code that closes its outputs, or puts others in their place, is done all the same, and what it leaves is kept (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run }) => {
        const closings = [
          'sys.stdout.close()',
          'os.close(1)',
          'sys.stdout = None',
          'os.dup2(os.open("/dev/null", os.O_WRONLY), 1)',
          'sys.stderr.close()\nos.close(2) if False else None',
          'class Closing:\n  def __reduce__(self):\n    os.closerange(0, 3)\n    return (int, (7,))\nclosing = Closing()',
        ];
        for (const closing of closings) {
          const first = await run('py', `import os, sys\nprint('before', flush=True)\nx = 5\n${closing}`, { keepState: true });
          assert.deepEqual([first.out, first.end.exitCode, first.end.notes], ['before\n', 0, []], `${closing}: ${first.err}`);
          const { session } = first.end;
          const second = await run('py', 'x += 1', { keepState: true, session });
          assert.deepEqual(
            [second.end.exitCode, second.end.used.interpreter, second.end.notes],
            [0, 'live', []],
            `${closing}: ${second.err}`,
          );
          await run('js', '1', { keepState: true });
          const third = await run('py', 'print(x)', { keepState: true, session });
          assert.deepEqual([third.out, third.end.used.restored], ['6\n', true], closing);
        }
      },
      { 'code.live': '1' },
    ),
);

test('an input is that of its order, also where there was none before, or the code wrote to it', needsPython, () =>
  withCode(async ({ run }) => {
    const read = 'import os, sys\nprint(repr(sys.stdin.read()))\n';
    const first = await run('py', read, { keepState: true });
    const { session } = first.end;
    const said = [first.out];
    for (const [code, stdin] of [
      [read, 'one'],
      [read, ''],
      [`${read}os.pwrite(0, b"own", 0)`, ''],
      [read, ''],
      [`${read}sys.stdin.close()`, ''],
      [read, ''],
      [`${read}os.dup2(os.memfd_create("other"), 0); os.write(0, b"more"); os.lseek(0, 0, 0)`, ''],
      [read, ''],
    ] as const)
      said.push((await run('py', code, { keepState: true, session, stdin })).out);
    assert.deepEqual(said, ["''\n", "'one'\n", ...Array.from({ length: 7 }, () => "''\n")]);
  }),
);

test(
  'who does not read what his program wrote keeps nobody from running, and the health says what holds code back (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run, url, token }) => {
        // More than all buffers on the way to somebody who does not read.
        const flood = await fetch(`${url}/api/code.run`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, accept: 'application/x-ndjson', 'content-type': 'application/json' },
          body: JSON.stringify({ language: 'py', code: "print('x' * 60_000_000)", limits: { wallMs: 3000, outputBytes: 100_000_000 } }),
        });
        await new Promise((resolve) => setTimeout(resolve, 500));
        const begun = performance.now();
        assert.equal((await run('py', 'print(1)')).out, '1\n');
        assert.ok(performance.now() - begun < 8000, 'as soon as the first program is over, and long before anybody reads what it wrote');
        await flood.body?.cancel();
        const ready = await fetch(`${url}/readyz`, { headers: { authorization: `Bearer ${token}` } });
        const { checks } = (await ready.json()) as { checks: { name: string; text: string }[] };
        assert.match(checks.find(({ name }) => name === 'isolation')?.text ?? '', /^Code runs at rung \d/);
      },
      { 'code.atOnce': '1', 'code.maxOutputBytes': '100000000' },
    ),
);

test('who reads nothing keeps nobody from running, in whatever step his next runs are', needsC, () =>
  withCode(
    async ({ run, ...code }) => {
      const { client, url, token } = code;
      await run('py', 'print(0)');
      const socket = new WebSocket(`${url.replace('http', 'ws')}/rpc`, [token]);
      await new Promise((resolve) => socket.once('open', resolve));
      const ask = (id: string, method: string, params: object): void => socket.send(JSON.stringify({ id, method, stream: true, params }));
      ask('first', 'code.run', { language: 'py', code: 'import time\ntime.sleep(1)' });
      ask('plain', 'code.run', { language: 'py', code: 'import os\nos.write(1, b"1")' });
      ask('warned', 'code.run', { language: 'c', code: '#warning said\n#include <unistd.h>\nint main(void) { write(1, "2", 1); }' });
      ask('wrong', 'code.run', { language: 'c', code: 'no program' });
      await client.call('files.write', { path: 'large.txt', text: 'x'.repeat(2_000_000) });
      // More than all buffers on the way to him: what comes after it waits behind it.
      for (let count = 0; count < 16; count++) ask(`large ${count}`, 'files.download', { path: 'large.txt' });
      const answered = new Map<string, { out: string; end?: CodeOutcome }>();
      socket.on('message', (data) => {
        const {
          id,
          items = [],
          bytes,
          result,
        } = JSON.parse(String(data)) as {
          id: string;
          items?: CodeItem[];
          bytes?: string;
          result?: CodeOutcome;
        };
        const one = answered.get(id) ?? { out: '' };
        answered.set(id, one);
        for (const item of items) one.out += item.type === 'output' ? `${item.stage}: ${item.text.slice(0, 200)}` : `${item.type} `;
        if (items.length > 0 || bytes !== undefined) socket.send(JSON.stringify({ id, credit: 1 }));
        if (result !== undefined) one.end = result;
      });
      await eventually(() => answered.has('large 15'), 10_000);
      socket.pause();
      assert.equal((await runOn(code, { language: 'py', code: 'print(3)' }, AbortSignal.timeout(15_000))).out, '3\n');
      socket.resume();
      // And of all that he was told nothing is lost, when he reads again.
      await eventually(() => [...answered.values()].filter(({ end }) => end !== undefined).length === 20, 20_000);
      assert.match(answered.get('plain')?.out ?? '', /^(?:queued )*started stage run: 1$/);
      assert.match(answered.get('warned')?.out ?? '', /^(?:queued )*started stage compile: [^]*said[^]*stage run: 2$/);
      assert.match(answered.get('wrong')?.out ?? '', /^(?:queued )*started stage compile: [^]*$/);
      assert.deepEqual(
        ['plain', 'warned', 'wrong'].map((id) => answered.get(id)?.end?.exitCode),
        [0, 0, 1],
      );
      socket.close();
    },
    { 'code.atOnce': '1' },
  ),
);

const endings: readonly { language: string; code: string; files?: object[] }[] = [
  {
    // Left open, in a cycle, in a module of its own, by a thread that goes on, after the end.
    language: 'py',
    code: `import atexit, threading, time, other
class Last:
    def __del__(self):
        print('deleted')
class Knot: pass
last, knot = Last(), Knot()
knot.self, knot.file = knot, open('knot.txt', 'w')
knot.file.write('knot')
open('gone.txt', 'w').write('gone')
left = open('left.txt', 'wb')
left.write(b'left')
atexit.register(lambda: print('exit'))
def later():
    time.sleep(0.1)
    print('thread')
threading.Thread(target=later).start()
print('end', end='')
`,
    files: [{ name: 'other.py', text: "file = open('other.txt', 'w')\nfile.write('other')\n" }],
  },
  { language: 'py', code: "import sys, atexit\natexit.register(print, 'exit')\nprint('out')\nsys.exit('said')\n" },
  { language: 'py', code: "open('file.txt', 'w').write('kept')\nraise SystemExit(7)\n" },
  { language: 'py', code: "import ctypes\nctypes.CDLL(None).printf(b'by C')\n" },
  { language: 'py', code: 'import atexit\natexit.register(lambda: 1 / 0)\n' },
  {
    language: 'js',
    code: `process.on('exit', (code) => { console.log('exit', code, require.main === module, __filename, module.id); process.exitCode = 9; });
process.once('beforeExit', () => setTimeout(() => console.log('once more'), 20));
require('node:fs').createWriteStream('stream.txt').end('streamed');
setTimeout(() => console.log('later'), 20);
console.log(Object.keys(require.cache).length, process.argv.length);
`,
  },
  {
    language: 'js',
    code: "process.on('exit', () => console.log('exit'));\nprocess.stdout.write('x'.repeat(300_000));\nprocess.exit(3);\n",
  },
  { language: 'js', code: "process.exitCode = 4;\nthrow new Error('thrown');\n" },
  { language: 'js', code: "console.log('out');\nPromise.reject(new Error('rejected'));\n" },
];

test('an interpreter that waited ends its program as one that was started for it does (long form)', needsPython, async () => {
  const facts = async (run: Run, { language, code, files }: (typeof endings)[number]): Promise<[string, object]> => {
    const seen = await run(language, code, { files: files ?? [] });
    const { reason, exitCode, used } = seen.end;
    const texts = { out: seen.out, err: seen.err.replaceAll(/^node:internal.*$|^ +at .*$|^Node\.js v.*$|0x\w+/gm, '').trim() };
    return [
      used.interpreter,
      { reason, exitCode, ...texts, files: Object.fromEntries(seen.end.files.map(({ name, sha256 }) => [name, sha256])) },
    ];
  };
  const expected: object[] = [];
  await withCode(
    async ({ run }) => {
      for (const ending of endings) {
        const [how, found] = await facts(run, ending);
        assert.equal(how, 'cold');
        expected.push(found);
      }
    },
    { 'code.warm': '0' },
  );
  await withCode(async ({ run }) => {
    for (const [count, ending] of endings.entries())
      await eventually(async () => {
        const [how, found] = await facts(run, ending);
        assert.deepEqual(found, expected[count]);
        assert.equal(how, 'warm');
      });
  });
});

test('what an interpreter that waited becomes has its own modules, and its arguments as they were given', needsPython, () =>
  withCode(async ({ run }) => {
    const warm = async (code: string, more: Record<string, unknown> = {}): Promise<string> => {
      let out = '';
      await eventually(async () => {
        const seen = await run('py', code, more);
        assert.equal(seen.end.used.interpreter, 'warm');
        out = seen.out + seen.err;
      });
      return out;
    };
    const files = ['json', 're'].map((name) => ({ name: `${name}.py`, text: "value = 'own'\n" }));
    assert.equal(await warm('import json, re\nprint(json.value, re.value)', { files }), 'own own\n');
    const later =
      "import os, sys\nos.mkdir('lib')\nopen('lib/json.py', 'w').write('value = 1')\nsys.path.insert(0, 'lib')\nimport json\nprint(json.value)";
    assert.equal(await warm(later), '1\n');
    const args = ['"', "'", '\\', '\\n', 'a\tb\nc', '\u2028', '😀', 'null', '{true}', '# coding: latin-1'];
    const told = await warm('import sys, json\nprint(json.dumps(sys.argv[1:]))', { args });
    assert.deepEqual(JSON.parse(told), args);
  }),
);

test(
  'other limits, or a network, start the interpreter of a session anew, and two that work do not end each other (long form)',
  needsPython,
  () =>
    withCode(
      async ({ run }) => {
        const first = await run('py', 'x = 1', { keepState: true });
        const { session } = first.end;
        const other = await run('py', 'print(x)', {
          keepState: true,
          session,
          limits: { processes: 40, cpuMs: 1000 },
          keepStdinOpen: true,
        });
        assert.deepEqual([other.out, other.end.used.interpreter, other.end.used.restored], ['1\n', 'cold', true]);
        assert.deepEqual([other.end.notes.length, /anew/.test(other.end.notes.join())], [2, true]);
        // The time is of each run.
        const same = await run('py', 'print(x)', { keepState: true, session, limits: { processes: 40, wallMs: 5000 } });
        assert.equal(same.end.used.interpreter, 'live');
        const both = await Promise.all(
          [1, 2, 3].map((n) => run('py', `import time\nprint(${n}, flush=True)\ntime.sleep(0.4)\ny = ${n}\nprint(y)`, { keepState: true })),
        );
        assert.deepEqual(
          both.map(({ end, out }) => [end.reason, out]),
          [1, 2, 3].map((n) => ['exit', `${n}\n${n}\n`]),
        );
      },
      { 'code.live': '1' },
    ),
);
