import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codePlaceIn } from './code-places.ts';

function said(text: string): [name: string, line: number, column: number | undefined] | undefined {
  const place = codePlaceIn(text);
  return place && [text.slice(place.start, place.end), place.line, place.column];
}

test('places are found as each compiler, interpreter and stack names them', () => {
  for (const [text, ...place] of [
    ['  File "/mnt/data/code.py", line 3, in f', '/mnt/data/code.py", line 3', 3, undefined],
    ['/mnt/data/code.js:3', '/mnt/data/code.js:3', 3, undefined],
    ['    at f (/mnt/data/code.js:3:9)', '/mnt/data/code.js:3:9', 3, 9],
    ['    at Object.<anonymous> (code.ts:5:1)', 'code.ts:5:1', 5, 1],
    ['file:///mnt/data/code.ts:1', 'file:///mnt/data/code.ts:1', 1, undefined],
    ['./main.go:3:14: cannot use "a"', './main.go:3:14', 3, 14],
    ['\t/mnt/data/main.go:4 +0x27', '/mnt/data/main.go:4', 4, undefined],
    ['\tat Main.main(Main.java:3)', 'Main.java:3', 3, undefined],
    ['/mnt/data/Main.java:2: error: incompatible types', '/mnt/data/Main.java:2', 2, undefined],
    ['/mnt/data/code.c:2:10: error: ‘x’ undeclared', '/mnt/data/code.c:2:10', 2, 10],
    ['/mnt/data/code.cpp:2:10: error', '/mnt/data/code.cpp:2:10', 2, 10],
    ['PHP Fatal error:  Uncaught Exception: no in /mnt/data/code.php:3', '/mnt/data/code.php:3', 3, undefined],
    ['#0 /mnt/data/code.php(5): f()', '/mnt/data/code.php(5)', 5, undefined],
    ['  thrown in /mnt/data/code.php on line 3', '/mnt/data/code.php on line 3', 3, undefined],
    [' --> /mnt/data/main.rs:2:18', '/mnt/data/main.rs:2:18', 2, 18],
    ["thread 'main' panicked at 'no', /mnt/data/main.rs:2:5", '/mnt/data/main.rs:2:5', 2, 5],
    ['/mnt/data/code.f90:3:6:', '/mnt/data/code.f90:3:6', 3, 6],
    ['object.Exception@/mnt/data/code.d(2): no', '/mnt/data/code.d(2)', 2, undefined],
    ['/mnt/data/code.sh: line 2: nosuch: command not found', '/mnt/data/code.sh: line 2', 2, undefined],
  ] as const)
    assert.deepEqual(said(text), place, text);
});

test('other places are left alone', () => {
  for (const text of [
    '    at Module._compile (node:internal/modules/cjs/loader:1929:14)',
    '\tat java.base/java.lang.Thread.run(Thread.java:1583)',
    'Main.main(Native Method)',
    'decode.py:3',
    'lib/code.py:3',
    'code.py',
    'code.xyz:3',
    'at 12:30:45',
    '',
    `${'x'.repeat(100_000)} code.py:3`,
  ])
    assert.equal(codePlaceIn(text), undefined, text.slice(0, 80));
});
