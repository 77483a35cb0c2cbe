import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outlineOfPython } from './python-outline.ts';

function outlined(text: string): string[] {
  const { symbols } = outlineOfPython(text);
  return symbols.map(
    ({ depth, kind, name, line, column, endLine, exported }) =>
      `${'  '.repeat(depth)}${kind} ${name} ${line}:${column}-${endLine}${exported ? ' exported' : ''}`,
  );
}

test('classes with their fields and methods, functions, constants and variables, in order', () => {
  const text = `"""Größe: 😀"""
MAX_DAYS = 14
_cache: dict = {}

@decorated
class Loan(models.Model):
    """def not_this(): pass"""
    _name = "library.loan"
    member: str
    due = fields.Date(
        compute="_due",
    )

    @api.depends("days")
    async def _due(self):
        def inner():
            pass
        days = 1

    class Meta:
        abstract = True

def late(days): return days > MAX_DAYS


print(late(3))
`;
  assert.deepEqual(outlined(text), [
    'constant MAX_DAYS 2:1-2 exported',
    'variable _cache 3:1-3',
    'class Loan 6:7-21 exported',
    '  property _name 8:5-8',
    '  property member 9:5-9',
    '  property due 10:5-12',
    '  method _due 15:15-18',
    '    function inner 16:13-17',
    '  class Meta 20:11-21',
    '    property abstract 21:9-21',
    'function late 23:5-23 exported',
  ]);
});

test('what is defined on a condition counts; each name once; targets alone', () => {
  const text = `if TYPE_CHECKING:
    def g(): ...
else:
    h = lambda x: x
try:
    import q
except ImportError:
    q = None
with open("a") as f:
    text = f.read()
a, b = c = 1, 2
a = 3
x.y = 4
z += 1
for i in b:
    inside = i
q = 1
`;
  assert.deepEqual(
    outlined(text).map((line) => line.replace(/:.*/, '')),
    ['function g 2', 'variable h 4', 'variable q 8', 'variable text 10', 'variable a 11', 'variable b 11', 'variable c 11'],
  );
});

test('what is broken leaves the rest, and is counted', () => {
  const { symbols, problems } = outlineOfPython('def (\nclass A:\n    def f(self:\n        return [1, 2\n\ndef g():\n    pass\n');
  assert.ok(problems > 0);
  assert.ok(symbols.some(({ name }) => name === 'A'));
  assert.deepEqual(outlineOfPython(''), { symbols: [], problems: 0 });
});

test('no nesting is too deep', () => {
  const brackets = `${'('.repeat(20_000)}1${')'.repeat(20_000)}\ndef after(): pass\n`;
  assert.deepEqual(outlined(brackets), ['function after 2:5-2 exported']);
  const blocks = Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}if a:\n`).join('') + `${' '.repeat(300)}x = 1\n`;
  assert.deepEqual(outlined(blocks), ['variable x 301:301-301 exported']);
});
