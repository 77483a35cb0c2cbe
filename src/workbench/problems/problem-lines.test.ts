import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Finding, ProblemLines } from './problem-lines.ts';

type Said = [severity: string, text: string, place: string];

function said({ severity, text, places: [place] }: Finding): Said {
  const { file, line, column } = place ?? { file: '', line: 0, column: undefined };
  return [severity, text, [file, line, ...(column === undefined ? [] : [column])].join(':')];
}

function read(...lines: string[]): Said[] {
  const reader = new ProblemLines();
  return [...lines.flatMap((line) => reader.take(line)), ...reader.end()].map(said);
}

test('compilers, shells and linters that say it in one line', () => {
  for (const [line, ...expected] of [
    ['bad.c:2:43: error: ‘x’ undeclared', 'error', '‘x’ undeclared', 'bad.c:2:43'],
    ['bad.c:2:29: warning: unused variable ‘p’ [-Wunused-variable]', 'warning', 'unused variable ‘p’ [-Wunused-variable]', 'bad.c:2:29'],
    ['a.c:1:10: fatal error: nosuch.h: No such file', 'error', 'nosuch.h: No such file', 'a.c:1:10'],
    ['Main.java:1: error: incompatible types', 'error', 'incompatible types', 'Main.java:1'],
    ['bad.d(1): Error: cannot convert', 'error', 'cannot convert', 'bad.d:1'],
    ['object.Exception@rt.d(1): no', 'error', 'no', 'rt.d:1'],
    ['./main.go:3:26: cannot use "a"', 'error', 'cannot use "a"', './main.go:3:26'],
    ['vet: ./main.go:3:2: declared and not used: x', 'error', 'declared and not used: x', './main.go:3:2'],
    ['src/a.ts(3,7): error TS2322: not assignable', 'error', 'TS2322: not assignable', 'src/a.ts:3:7'],
    ['src/a.ts:3:7 - error TS2322: not assignable', 'error', 'TS2322: not assignable', 'src/a.ts:3:7'],
    ['src/a.py:10: error: Incompatible types  [arg-type]', 'error', 'Incompatible types  [arg-type]', 'src/a.py:10'],
    ['a.py:3:1: E501 line too long', 'warning', 'E501 line too long', 'a.py:3:1'],
    ['a.py:3:1: E999 SyntaxError: invalid', 'error', 'E999 SyntaxError: invalid', 'a.py:3:1'],
    ['a.py:1:0: C0114: Missing module docstring', 'warning', 'C0114: Missing module docstring', 'a.py:1'],
    ['a.py:2:4: E1101: No such member', 'error', 'E1101: No such member', 'a.py:2:4'],
    ['tests/test_a.py:12: AssertionError', 'error', 'AssertionError', 'tests/test_a.py:12'],
    ['/x/a.py:5: DeprecationWarning: old', 'warning', 'DeprecationWarning: old', '/x/a.py:5'],
    ['bad.sh: line 1: nosuch: command not found', 'error', 'nosuch: command not found', 'bad.sh:1'],
    ['PHP Warning:  Undefined variable $no in /x/bad.php on line 3', 'warning', 'Undefined variable $no', '/x/bad.php:3'],
    ['PHP Fatal error:  Uncaught Exception: no in /x/bad.php:2', 'error', 'Uncaught Exception: no', '/x/bad.php:2'],
    ['Parse error: syntax error, unexpected token ";" in syn.php on line 2', 'error', 'syntax error, unexpected token ";"', 'syn.php:2'],
    ["thread 'main' panicked at 'no', src/main.rs:2:5", 'error', 'no', 'src/main.rs:2:5'],
  ] as const)
    assert.deepEqual(read(line), [expected], line);
});

test('what stands over several lines is one', () => {
  const python = [
    'Traceback (most recent call last):',
    '  File "/mnt/data/code.py", line 3, in <module>',
    '    f()',
    '  File "/mnt/data/code.py", line 2, in f',
    '    return {}["x"]',
    '           ~~^^^^^',
    "KeyError: 'x'",
  ];
  assert.deepEqual(read(...python), [['error', "KeyError: 'x'", '/mnt/data/code.py:2']]);
  assert.deepEqual(read('  File "syn.py", line 1', '    def f(:', '          ^', 'SyntaxError: invalid syntax'), [
    ['error', 'SyntaxError: invalid syntax', 'syn.py:1'],
  ]);
  const node = [
    '/x/a.js:1',
    'throw new TypeError("no")',
    '^',
    '',
    'TypeError: no',
    '    at f (/x/a.js:1:7)',
    '    at node:internal/x:33:47',
    '',
  ];
  assert.deepEqual(read(...node, 'Node.js v24.21.0'), [['error', 'TypeError: no', '/x/a.js:1:7']]);
  const syntax = [
    '/x/a.js:1',
    'const x = ;',
    '          ^',
    '',
    "SyntaxError: Unexpected token ';'",
    '    at wrapSafe (node:internal/a:1:1)',
  ];
  assert.deepEqual(read(...syntax), [['error', "SyntaxError: Unexpected token ';'", '/x/a.js:1']]);
  const java = [
    'Exception in thread "main" java.lang.IllegalStateException: no',
    '\tat Boom.f(Boom.java:1)',
    '\tat Boom.main(Boom.java:2)',
  ];
  assert.deepEqual(read(...java), [['error', 'IllegalStateException: no', 'Boom.java:1']]);
  const go = ['panic: index out of range', '', 'goroutine 1 [running]:', 'main.main()', '\t/x/panic.go:2 +0x18', 'exit status 2'];
  assert.deepEqual(read(...go), [['error', 'panic: index out of range', '/x/panic.go:2']]);
  assert.deepEqual(read('error[E0308]: mismatched types', ' --> main.rs:1:36', '  |', 'error: aborting due to 1 previous error'), [
    ['error', 'mismatched types', 'main.rs:1:36'],
  ]);
  assert.deepEqual(read("thread 'main' (1) panicked at src/main.rs:1:54:", 'index out of bounds', 'note: run with RUST_BACKTRACE=1'), [
    ['error', 'index out of bounds', 'src/main.rs:1:54'],
  ]);
  assert.deepEqual(read('bad.f90:4:13:', '', '    4 |  call f(', '      |         1', 'Error: Syntax error at (1)'), [
    ['error', 'Error: Syntax error at (1)', 'bad.f90:4:13'],
  ]);
  assert.deepEqual(read('At line 4 of file rt.f90', "Fortran runtime error: Index '5' above upper bound"), [
    ['error', "Index '5' above upper bound", 'rt.f90:4'],
  ]);
  assert.deepEqual(read('/x/a.js', "  1:7  error    'x' is unused     no-unused-vars", '  2:1  warning  Missing semicolon  semi'), [
    ['error', "'x' is unused  no-unused-vars", '/x/a.js:1:7'],
    ['warning', 'Missing semicolon  semi', '/x/a.js:2:1'],
  ]);
  assert.deepEqual(read('F401 [*] `os` imported but unused', ' --> a.py:1:8'), [['warning', 'F401 `os` imported but unused', 'a.py:1:8']]);
});

test('each of several is there, whatever stands between them', () => {
  const lines = ['bad.f90:4:13:', 'Error: one', 'bad.f90:3:5:', 'Error: two', 'a.c:1:1: error: three'];
  assert.deepEqual(read(...lines), [
    ['error', 'Error: one', 'bad.f90:4:13'],
    ['error', 'Error: two', 'bad.f90:3:5'],
    ['error', 'three', 'a.c:1:1'],
  ]);
});

test('what names no line of a file is nothing wrong', () => {
  for (const line of [
    'bad.c:2:43: note: each undeclared identifier is reported once',
    'bad.sh: line 2: `if then`',
    '10:41:08: error: no',
    'error: aborting due to 1 previous error',
    'ValueError: no',
    'Listening on http://localhost:8080',
    'link.c:(.text+0x5): undefined reference to `f`',
    'KeyboardInterrupt',
    '2026-11-28 10:41:08,530 WARNING demo odoo.models: x',
    'a.c:0: error: no',
    '',
    `${'x'.repeat(1_000_000)}`,
  ])
    assert.deepEqual(read(line), [], line.slice(0, 80));
});

test('a stack is said as soon as nothing more comes for now, and a traceback that is half there when it is whole', () => {
  const reader = new ProblemLines();
  for (const line of ['Error: no', '    at f (/x/a.js:1:7)']) assert.deepEqual(reader.take(line), []);
  assert.deepEqual(reader.rest().map(said), [['error', 'Error: no', '/x/a.js:1:7']]);
  assert.deepEqual(reader.take('    at g (/x/a.js:9:9)'), []);
  for (const line of ['Traceback (most recent call last):', '  File "a.py", line 2, in f']) assert.deepEqual(reader.take(line), []);
  assert.deepEqual(reader.rest(), []);
  assert.deepEqual(reader.take('ValueError: no').map(said), [['error', 'ValueError: no', 'a.py:2']]);
});

test('a stack without an end is bounded', () => {
  const reader = new ProblemLines();
  reader.take('Error: no');
  for (let frame = 1; frame < 100_000; frame += 1) reader.take(`    at f (/x/a.js:${frame}:1)`);
  const [found] = reader.end();
  assert.equal(found?.places.length, 50);
  assert.equal(found?.places[0]?.line, 1);
});
