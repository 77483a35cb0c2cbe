// Python code whose variables live on, against a real sidecar: what it shows, says and leaves is whole, whatever else it does meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CodeOutcome } from '../../src/contract/code.ts';
import { requireTool } from '../kit/require-tools.ts';
import { lentSidecar, type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';

const needsPython = { skip: requireTool('python3') };
const TOO_LARGE = 'The variables are too large to be kept beyond the life of the interpreter.';

interface Seen {
  end: CodeOutcome;
  out: string;
  err: string;
  shown: Record<string, string>[];
}

type Run = (code: string, more?: Record<string, unknown>) => Promise<Seen>;

interface Live {
  run: Run;
  /** Ends the interpreter that ran last. */
  evict: () => Promise<unknown>;
}

const ofOne: SidecarSetup['config'] = { components: ['files', 'code'], 'code.live': '1' };
const withShared = lentSidecar({ config: ofOne });

/** In which one interpreter lives. With `config` it is a sidecar of its own, without one for all. */
function withLive(work: (live: Live & RunningSidecar) => Promise<void>, config?: SidecarSetup['config']): Promise<void> {
  const live = async (running: RunningSidecar): Promise<void> => {
    const run: Run = async (code, more = {}) => {
      const stream = running.client.stream('code.run', { language: 'py', code, keepState: true, ...more });
      const [text, shown] = [{ stdout: '', stderr: '' }, [] as Record<string, string>[]];
      for await (const item of stream) {
        if (item.type === 'output') text[item.stream] += item.text;
        if (item.type === 'display') shown.push(item.data);
      }
      return { end: await stream.end, out: text.stdout, err: text.stderr, shown };
    };
    await work({ ...running, run, evict: () => run('1', { language: 'js' }) });
  };
  return config === undefined ? withShared(live) : withSidecar(live, { config: { ...ofOne, ...config } });
}

const ticks = (until: string): string => `import threading, time
def tick():
  while ${until}:
    print('tick', flush=True)
    time.sleep(0.0005)
thread = threading.Thread(target=tick, daemon=True)
thread.start()
`;

test('what a driver tells is whole, whatever threads and children of the code write beside it (long form)', needsPython, () =>
  withLive(async ({ run, evict }) => {
    for (const size of [30_000, 300_000, 3_000_000]) {
      const begun = performance.now();
      const { end } = await run(`${ticks('True')}big = '"ä' * ${size / 2}\nx = 1`);
      assert.ok(performance.now() - begun < 8000 && !end.notes.join().includes('could not'), end.notes.join());
      await evict();
      const { out, err } = await run(`print(x, big == '"ä' * ${size / 2})`, { session: end.session });
      assert.equal(out, '1 True\n', err);
    }
    const shows = `class Image:
  def __init__(self, what): self.what = what
  def _repr_png_(self): return self.what * 60_000
  def __repr__(self): return '"\\\\' * 9000
`;
    const child = `import os
for what in (b'p', b'q', b'r'):
  if os.fork() == 0:
    display(Image(what))
    os._exit(0)
for _ in range(3): os.wait()
`;
    const limits = { outputBytes: 16_000_000 };
    const { shown, out } = await run(`${shows}on = True\n${ticks('on')}for _ in range(5): display(Image(b'x'))\n${child}on = False`, {
      limits,
    });
    const png = (what: string): string => Buffer.from(what.repeat(60_000)).toString('base64');
    assert.deepEqual(
      shown.map((data) => data['image/png']).toSorted((one = '', other = '') => one.localeCompare(other, 'en')),
      ['p', 'q', 'r', 'x', 'x', 'x', 'x', 'x'].map(png).toSorted((one, other) => one.localeCompare(other, 'en')),
    );
    for (const data of shown) assert.equal(data['text/plain'], '"\\'.repeat(9000));
    assert.match(out, /^(tick\n)+$/);
  }),
);

test('what was written to files that are still open is in them when the run is over', needsPython, () =>
  withLive(async ({ run, client, evict }) => {
    const first = await run(`import csv, io
rows = csv.writer(open('table.csv', 'w'))
rows.writerow([1, 2])
raw = open('raw.bin', 'wb')
raw.write(b'raw')
read = open('table.csv')
memory = io.TextIOWrapper(io.BytesIO())
memory.write('m')`);
    assert.deepEqual(
      Object.fromEntries(first.end.files.map(({ name, size }) => [name, size])),
      { 'raw.bin': 3, 'table.csv': 5 },
      first.err,
    );
    const { session } = first.end;
    await run('rows.writerow([3, 4])\nprint(read.read())', { session });
    await evict();
    const { out } = await run("print(open('table.csv').read(), open('raw.bin').read())", { session });
    assert.equal(out, '1,2\n3,4\n raw\n');
    // What nobody reads is waited for by nobody.
    const piped = await run(
      "import os, fcntl\nr, w = os.pipe()\nwhile True:\n  os.set_blocking(w, False)\n  try: os.write(w, b'x' * 4096)\n  except BlockingIOError: break\nos.set_blocking(w, True)\nfile = os.fdopen(w, 'w')\nn = file.write('more')\nother = open('other.txt', 'w')\nn = other.write('other')",
      { limits: { wallMs: 5000 } },
    );
    assert.deepEqual([piped.end.reason, piped.end.files.map(({ size }) => size)], ['exit', [5]], piped.err);
    await client.call('code.sessions', {});
  }),
);

test('code that ends itself says why, as a program does', needsPython, () =>
  withLive(async ({ run }) => {
    for (const [what, exitCode, said] of [
      ['ValueError("bad")', 1, 'bad\n'],
      ['("a", 1)', 1, "('a', 1)\n"],
      ['"text"', 1, 'text\n'],
      ['300', 44, ''],
      ['None', 0, ''],
    ] as const) {
      const { end, err } = await run(`import sys\nsys.exit(${what})`);
      assert.deepEqual([end.exitCode, err], [exitCode, said]);
    }
    const hooked = await run('import sys\nsys.excepthook = lambda kind, error, frames: print("hook", error)\n1/0');
    assert.deepEqual([hooked.end.exitCode, hooked.out, hooked.err], [1, 'hook division by zero\n', '']);
  }),
);

test('results are shown in all types that they have, and one that can not be made fails nothing', needsPython, () =>
  withLive(async ({ run }) => {
    const { shown, end, err } = await run(`class Bundle:
  def __repr__(self): return 'plain'
  def _repr_mimebundle_(self, include=None, exclude=None):
    return {'application/vnd.vegalite.v5+json': {'mark': 'bar', 'n': [1, None]}, 'image/png': b'PNG', 'application/x': object()}, {'any': 1}
class Json:
  def __repr__(self): return 'json'
  def _repr_json_(self): return {'a': 'b'}, {'expanded': False}
class Sized:
  def __repr__(self): return 'sized'
  def _repr_png_(self): return b'PNG', {'width': 100}
class Wrong:
  def __repr__(self): return 'wrong'
  def _repr_html_(self): raise ValueError('no')
  def _repr_mimebundle_(self): raise TypeError('no')
  def _repr_latex_(self): return '$x$'
for one in Bundle(), Json(), Sized(): display(one)
Wrong()`);
    assert.equal(end.exitCode, 0, err);
    assert.deepEqual(shown, [
      { 'text/plain': 'plain', 'application/vnd.vegalite.v5+json': '{"mark": "bar", "n": [1, null]}', 'image/png': 'UE5H' },
      { 'text/plain': 'json', 'application/json': '{"a": "b"}' },
      { 'text/plain': 'sized', 'image/png': 'UE5H' },
      { 'text/plain': 'wrong', 'text/latex': '$x$' },
    ]);
  }),
);

test('figures of code that fails are shown with it, and not with the next', needsPython, () =>
  withLive(async ({ run }) => {
    const text = `import sys, types
plot, figures = types.ModuleType('matplotlib.pyplot'), {}
class Figure:
  def savefig(self, file, format): file.write(b'PNG')
plot.figure = lambda number: figures.setdefault(number, Figure())
plot.get_fignums = lambda: sorted(figures)
plot.close = lambda which: figures.clear()
sys.modules['matplotlib'] = types.ModuleType('matplotlib')
sys.modules['matplotlib'].pyplot = sys.modules['matplotlib.pyplot'] = plot
`;
    const first = await run('import standin, matplotlib.pyplot as plt\nplt.figure(1)\nraise ValueError("after")', {
      files: [{ name: 'standin.py', text }],
    });
    assert.match(first.err, /ValueError: after/);
    assert.deepEqual(first.shown, [{ 'image/png': 'UE5H', 'text/plain': 'Figure 1' }]);
    assert.deepEqual((await run('print("none")', { session: first.end.session })).shown, []);
    const left = await run('import standin, matplotlib.pyplot as plt\nplt.figure(1)\nimport sys; sys.exit(3)', {
      files: [{ name: 'standin.py', text }],
    });
    assert.deepEqual([left.end.exitCode, left.shown.length], [3, 1]);
  }),
);

test('each code of a session has lines of its own: in tracebacks, in warnings, and for who looks them up', needsPython, () =>
  withLive(async ({ run }) => {
    const { session } = (await run('def f(x):\n  return 1/0\nimport inspect\nprint(inspect.getsource(f))')).end;
    const files = ['code', 'token', 'textwrap', 'ast'].map((name) => ({ name: `${name}.py`, text: '# another\n# file\nraise KeyError\n' }));
    const failed = await run('\n\nf(2)', { session, files });
    assert.match(
      failed.err,
      /^Traceback \(most recent call last\):\n {2}File "<cell 2>", line 3, in <module>\n {4}f\(2\)\n {2}File "<cell 1>", line 2, in f\n {4}return 1\/0\n[ ~^]*\n?ZeroDivisionError: division by zero\n$/,
    );
    const later = await run('def g(): return 5\nprint(inspect.getsource(g), inspect.getsource(f), "__file__" in globals())', { session });
    assert.equal(later.out, 'def g(): return 5\n def f(x):\n  return 1/0\n False\n', later.err);
    const wrong = await run('x = = 2', { session });
    assert.match(wrong.err, /^ {2}File "<cell 4>", line 1\n {4}x = = 2\n[ ^]*\nSyntaxError: invalid syntax\n$/);
    for (const cell of [5, 6]) {
      const { err } = await run('import warnings\nwarnings.warn("careful")', { session });
      assert.equal(err, `<cell ${cell}>:2: UserWarning: careful\n  warnings.warn("careful")\n`);
    }
    const built = await run('print(type(__builtins__).__name__)', { session });
    assert.equal(built.out, 'module\n');
  }),
);

test(
  'while an error is printed, other threads find the modules of the session, and what it says of itself does as well (long form)',
  needsPython,
  () =>
    withLive(async ({ run }) => {
      const files = [{ name: 'words.py', text: 'said = "in its words"\n' }];
      const { session } = (await run("for n in range(300): open(f'own_{n}.py', 'w').write('value = 1')", { files })).end;
      const failed = await run(
        `import threading, importlib
failed, found = [], set()
class Told(Exception):
  def __str__(self):
    import words
    return words.said
def work():
  for n in range(300):
    try: importlib.import_module(f'own_{n}')
    except BaseException as error: failed.append(repr(error))
thread = threading.Thread(target=work)
thread.start()
raise Told`,
        { session },
      );
      assert.match(failed.err, /^Traceback .*\n {2}File "<cell 2>", line 13, in <module>\n {4}raise Told\nTold: in its words\n$/);
      const lazy = `thread.join()
import time
def lazy():
  while on:
    try:
      import words
      found.add(id(words))
    except BaseException as error: failed.append(repr(error))
on = True
thread = threading.Thread(target=lazy)
thread.start()
time.sleep(0.05)`;
      assert.equal((await run(lazy, { session })).end.exitCode, 0);
      for (let n = 0; n < 5; n++) assert.match((await run('int("x")', { session })).err, /\n {4}int\("x"\)\n/);
      const { out, err } = await run('on = False\nthread.join()\nprint(len(failed), failed[:1], len(found))', { session });
      assert.equal(out, '0 [] 1\n', err);
    }),
);

test('errors are printed with their lines beside modules of the session with the names of those that print them', needsPython, () =>
  withLive(async ({ run }) => {
    const names = [
      'traceback',
      'linecache',
      'token',
      'tokenize',
      're',
      'ast',
      'textwrap',
      'contextlib',
      'functools',
      'unicodedata',
      '_colorize',
    ];
    const files = names.map((name) => ({ name: `${name}.py`, text: 'said = "own"\n' }));
    for (const before of ['import sys', 'import traceback, linecache, ast', 'import threading\nthreading.Thread(target=int).start()']) {
      const first = await run(`try:\n  ${before.replaceAll('\n', '\n  ')}\nexcept Exception: pass\nprint("ä", undefined + 1)`, { files });
      assert.match(first.err, /\n {4}print\("ä", undefined \+ 1\)\n[ ~^]*\n?NameError: name 'undefined' is not defined\n$/);
      const { out, err } = await run('import traceback, ast\nprint(traceback.said, ast.said)', { session: first.end.session });
      assert.equal(out, 'own own\n', err);
    }
  }),
);

test('programs that the code starts anew do not look for a file of it', { skip: needsPython.skip || process.platform !== 'linux' }, () =>
  withLive(async ({ run }) => {
    const code = `import multiprocessing, squares
with multiprocessing.get_context('spawn').Pool(1) as pool: print(pool.map(squares.square, [1, 2]))
del pool`;
    const files = [{ name: 'squares.py', text: 'def square(x): return x * x\n' }];
    const { out, err } = await run(code, { files, limits: { wallMs: 10_000 } });
    assert.equal(out, '[1, 4]\n', err);
  }),
);

test('variables that are too large to be kept are found out before there is no memory for it (long form)', needsPython, () =>
  withLive(async ({ run }) => {
    for (const code of ["x = b'a' * 300_000_000", 'x = [float(n) for n in range(7_000_000)]']) {
      const first = await run(code);
      assert.deepEqual([first.end.reason, first.end.notes], ['exit', [TOO_LARGE]]);
      const next = await run('print(len(x))', { session: first.end.session });
      assert.deepEqual([next.out.length > 5, next.end.used.interpreter, next.end.notes], [true, 'live', [TOO_LARGE]]);
    }
  }),
);

test('variables that have something in common have it again, whatever they are named (long form)', needsPython, () =>
  withLive(async ({ run, evict }) => {
    const first = await run(`import threading
a = [1]
b = a
class Node:
  def __init__(self): self.children = []
root, node = Node(), Node()
root.children.append(node)
base = [7]
class Late: n = base[0]
late = Late()
late.base = base
bad = [a, threading.Lock()]
__own = 5
display = 'mine'
typed: int = 3`);
    assert.deepEqual(first.end.notes, ['Not kept beyond the life of the interpreter: bad.'], first.err);
    const { session } = first.end;
    for (const round of [1, 2]) {
      await evict();
      const { out, err } = await run(
        `b.append(2)\nnode.children.append(5)\nprint(a is b, len(a), len(root.children[0].children), late.n, late.base is base, __own, display, typed)`,
        { session },
      );
      assert.equal(out, `True ${1 + round} ${round} 7 True 5 mine 3\n`, err);
    }
    // One that can't be made again leaves the others as they are.
    const files = [{ name: 'gone.py', text: 'class Gone:\n  def __init__(self, of): self.of = of\n' }];
    const second = await run('import gone\nshared = [1]\nlost = gone.Gone(shared)\nother = [shared]\nlast = {"s": shared}', { files });
    await run('import os\nos.remove("gone.py")', { session: second.end.session });
    await evict();
    const { out, end } = await run('print("lost" in globals(), "last" in globals() and other[0] is last["s"])', {
      session: second.end.session,
    });
    assert.deepEqual(
      [out, end.notes.slice(0, 1)],
      ['False True\n', ['Of the kept variables of this session, these could not be taken up: gone, lost.']],
    );
  }),
);
