import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { requireTool } from '../../../../test/kit/require-tools.ts';
import { type Facts, framed, Marks } from './marks.ts';
import { livePythonDriver } from './live-python-driver.ts';

const needsPython = { skip: requireTool('python3') };
const keep = { most: 1_000_000, unasked: 1_000_000 };

interface Told {
  out: string;
  err: string;
  /** What could not be taken up, and what could not be kept. */
  lost: string[];
  /** As it was kept last. */
  state: Buffer;
  /** Of each code, whether it left the variables as they were told before. */
  same: boolean[];
}

/** What the driver says to codes, after it took up a state where one is given. */
function driven(
  codes: readonly string[],
  { state, files = {}, known = false }: { state?: Buffer; files?: Record<string, string>; known?: boolean } = {},
): Told {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-driver-'));
  try {
    for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
    const restoring = state === undefined ? [] : [framed({ restore: state.length }), state];
    const orders = codes.map((code) => framed({ code, file: 'code.py', args: [], stdin: '', env: {}, keep: { ...keep, known } }));
    const input = Buffer.concat([framed({ live: 'token' }), ...restoring, ...orders]);
    const { stdout, stderr } = spawnSync('python3', ['-c', livePythonDriver], { cwd: folder, input, encoding: 'utf8' });
    const [out, err] = [stdout, stderr].map((text) => new Marks('token').take(text)) as [(string | Facts)[], (string | Facts)[]];
    const marks = out.filter((part) => typeof part !== 'string');
    return {
      out: out.filter((part) => typeof part === 'string').join(''),
      err: err.filter((part) => typeof part === 'string').join(''),
      lost: marks.flatMap(({ lost = [] }) => lost),
      state: Buffer.from(marks.findLast(({ state }) => state !== undefined)?.state ?? '', 'base64'),
      same: marks.filter(({ same, state }) => same === true || state !== undefined).map(({ same }) => same === true),
    };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('large variables are told again when anything changed, and else that they are the same', needsPython, () => {
  const codes = ['big, n = "y" * 100_000, [1]', '1', 'n.append(2)', 'gone = (k for k in n)', 'import math', 'big = "y" * 100_000', '1'];
  const { same, state, lost } = driven(codes, { known: true });
  assert.deepEqual(same, [false, true, false, true, false, true, true]);
  assert.deepEqual(lost, ['gone', 'gone', 'gone', 'gone']);
  assert.equal(driven(['print(len(big), n, math.floor(1.5))'], { state }).out, '100000 [1, 2] 1\n');
  // Whoever has nothing of it yet gets all of it.
  assert.deepEqual(driven(codes.slice(0, 2)).same, [false, false]);
});

test('code that closed its output leaves the next one an output, whatever it closed it by', needsPython, () => {
  const { out, err } = driven([
    'import os\nos.close(1); os.close(2)',
    'print("one")\n1 / 0',
    'import sys\nsys.stdout.close(); sys.stderr.close()',
    'print("twö")\nprint("\\udc80", file=sys.stderr)\n1 / 0',
    'os.system("echo three")',
  ]);
  assert.equal(out, 'one\ntwö\nthree\n');
  assert.equal(err.match(/ZeroDivisionError: division by zero\n/g)?.length, 2, err);
  assert.match(err, /^\\udc80$/m);
});

test('code awaits at its top, all of it in one task, and what it leaves to be done goes on when code awaits again', needsPython, () => {
  const { out, err, state, lost } = driven([
    `import asyncio, contextvars
said = []
place = contextvars.ContextVar('place', default='none')
async def later(word):
  await asyncio.sleep(0.01)
  said.append(word)
  return word
place.set('set')
print(await later('first'), await asyncio.gather(later('a'), later('b')))
def between(): return place.get()
print([n async for n in (later(n) for n in ())] if False else between())
left = asyncio.create_task(later('left'))`,
    'print(said, left.done())',
    'await left',
    'asyncio.run(later("run"))',
    'try:\n  await later(1) / 0\nexcept ArithmeticError: said.append("caught")\nasync with asyncio.timeout(9):\n  said.append(await later("with"))',
    'print(said[3:])',
  ]);
  assert.equal(err, '');
  assert.equal(out, "first ['a', 'b']\nset\n['first', 'a', 'b'] False\n['left', 'run', 1, 'caught', 'with', 'with']\n");
  assert.ok(lost.includes('left'));
  const again = driven(['await later("again")\nprint(said[-1])'], { state });
  assert.deepEqual([again.out, again.err], ['again\n', '']);
});

test('an error of code that awaits has no lines but its own, and the next code is none the wiser', needsPython, () => {
  const { out, err } = driven([
    'import asyncio\nasync def fails():\n  await asyncio.sleep(0)\n  raise StopIteration("no")\ndef f(): pass\nawait fails()',
    'await asyncio.sleep(0)\nnext(iter(()))',
    'import sys\nawait asyncio.sleep(0)\nsys.exit(3)',
    'loop = asyncio.get_event_loop()\nloop.close()',
    'await asyncio.sleep(0, "on")\nprint("goes on")',
  ]);
  assert.equal(out, 'goes on\n');
  assert.match(err, /line 6, in <module>\n {4}await fails\(\)\n/);
  assert.match(err, /StopIteration\n$/);
  assert.doesNotMatch(err, /asyncio[/\\]|<string>|perform/);
});

const failing = `class Gone:
  def __init__(self, of): self.of = of
class Picky(Gone):
  def __setstate__(self, state): raise KeyError('no')
`;
const shared = `import failing
first = [0]
inner, deep = [1], (2, [3])
lost = failing.Gone([inner, deep, [n for n in range(300)], [str(n) for n in range(300)]])
of_lost, of_inner, by_lost = [lost], [inner], {'a': lost}
of_of_inner = (of_inner,)
picky = failing.Picky([first, deep])
last = [first]
twins = [[4], [5]]
one, other = twins
del inner, deep
`;

test('values are made again beside those that can not be: with all that they share, or not at all', needsPython, () => {
  const files = { 'failing.py': failing };
  const kept = driven([shared], { files });
  assert.deepEqual([kept.err, kept.lost], ['', []]);
  const says =
    "print(sorted(n for n in globals() if n[0] != '_' and n != 'display'), last[0] is first, twins == [one, other], one is twins[0], last)";
  const whole = driven([says], {
    files: { 'failing.py': failing.replace("raise KeyError('no')", 'self.__dict__.update(state)') },
    state: kept.state,
  });
  assert.deepEqual([whole.lost, whole.err], [[], '']);
  const names = ['by_lost', 'failing', 'first', 'last', 'lost', 'of_inner', 'of_lost', 'of_of_inner', 'one', 'other', 'picky', 'twins'];
  assert.equal(whole.out, `[${names.map((name) => `'${name}'`).join(', ')}] True True True [[0]]\n`);
  const { out, err, lost } = driven([says], { state: kept.state });
  assert.deepEqual(lost.toSorted(), ['by_lost', 'failing', 'lost', 'of_inner', 'of_lost', 'of_of_inner', 'picky']);
  assert.deepEqual([out, err], ["['first', 'last', 'one', 'other', 'twins'] True True True [[0]]\n", '']);
  const picky = driven([says], { files, state: kept.state });
  assert.deepEqual(picky.lost, ['picky'], picky.err);
});

test('another name of a class or function is kept as that, as long as the one that it was defined by is', needsPython, () => {
  const code = `class First:
  n = 1
Second = First
class Third(Second): pass
def f(): return 1
g = h = f
def f(): return 2
again = f
`;
  const { state, lost, err } = driven([code]);
  assert.deepEqual([err, lost], ['', ['g', 'h']]);
  const says = 'print(Second is First, Third.__mro__[1] is First, again is f, f())';
  const next = driven([says, 'First.n = 2\ndel First'], { state });
  assert.deepEqual([next.err, next.out, next.lost], ['', 'True True True 2\n', ['Second']]);
});

test('many values that can not be made again are found out at once', needsPython, () => {
  const code = `import failing
class Counts:
  n = 0
  def __setstate__(self, state): Counts.n += 1
counts = Counts()
counts.any = 1
globals().update({f'gone_{n}': failing.Gone(n) for n in range(40)})`;
  const { state, lost, err } = driven([code], { files: { 'failing.py': failing } });
  assert.deepEqual([lost, err], [[], '']);
  const told = driven(['print(Counts.n)'], { state });
  assert.equal(told.lost.length, 41);
  assert.ok(Number(told.out) < 8, `${told.out.trim()} times`);
});

test('what is made of a class or function that is not kept is not kept either, and is said to be so', needsPython, () => {
  const code = `import collections, enum, functools
Point = collections.namedtuple('Point', 'a b')
Kind = enum.Enum('Kind', 'ONE TWO')
class Kept:
  class Inner: pass
  def of(self): return 1
def double(n): return 2 * n
Alias = Kept
point, points, kind, plain = Point(1, 2), {'first': [Point(3, 4)]}, Kind.ONE, [5]
kept, inner, of, twice = [Kept()], Kept.Inner(), Kept().of, functools.partial(double, 4)
`;
  const { state, lost, err } = driven([code]);
  assert.deepEqual([err, lost], ['', ['Point', 'Kind', 'point', 'points', 'kind']]);
  const again = driven(['print(plain, type(kept[0]) is Kept, type(inner) is Kept.Inner, of(), twice(), Alias is Kept)'], { state });
  assert.deepEqual([again.err, again.lost, again.out], ['', [], '[5] True True 1 8 True\n']);
});

const earlier: Record<string, string> = {
  'each by itself': 'values = {name: pickle.dumps(value) for name, value in values}\nmore = {}',
  'with numbered places': `file = io.BytesIO()
pickler = pickle.Pickler(file, 3)
parts, more = {}, {'joined': True}
for name, value in values:
  start = file.tell()
  pickler.dump(value)
  parts[name] = file.getvalue()[start:]
values = parts`,
};

for (const [how, makes] of Object.entries(earlier))
  test(`variables that were kept by an earlier version are taken up: ${how}`, needsPython, () => {
    const code = `import io, pickle, sys, failing
shared = [1]
values = [('text', 'ä'), ('a', [shared]), ('lost', failing.Gone(shared)), ('b', [[2], {'k': 3}]), ('n', 5), ('c', shared), ('d', ['x', 'x'])]
${makes}
kept = {'modules': {'fail': 'failing', 'math': 'math'}, 'sources': {'f': 'def f(): return c'}, 'flags': {}, 'values': values, **more}
sys.stdout.buffer.write(pickle.dumps(kept))`;
    const cwd = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-driver-'));
    try {
      fs.writeFileSync(path.join(cwd, 'failing.py'), failing);
      const { stdout: state, stderr } = spawnSync('python3', ['-c', code], { cwd });
      assert.equal(String(stderr), '');
      const says = 'print(text, a, b, n, f() is c, d, math.floor(1.5), "lost" in globals())';
      for (const [files, lost] of [
        [{ 'failing.py': failing }, []],
        [{}, ['fail', 'lost']],
      ] as const) {
        const told = driven([says], { state, files });
        assert.deepEqual([told.err, told.lost], ['', lost]);
        assert.equal(told.out, `ä [[1]] [[2], {'k': 3}] 5 True ['x', 'x'] 1 ${lost.length > 0 ? 'False' : 'True'}\n`);
      }
    } finally {
      fs.rmSync(cwd, { recursive: true, force: true });
    }
  });
