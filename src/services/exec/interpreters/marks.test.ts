import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framed, Marks } from './marks.ts';
import { threadMs } from '../../../../test/kit/loop-hold.ts';

const token = 'abc123';
const mark = (facts: object): string => `\u001e${token}${JSON.stringify(facts)}\u001e`;

test('what a driver tells stands in its place among what the program wrote, wherever it is cut', () => {
  const text = `one${mark({ display: { 'text/plain': 'x' } })}two\u001e\u001eabc${mark({ done: 3 })}\u001e${token.slice(0, 3)}!`;
  const expected = ['one', { display: { 'text/plain': 'x' } }, 'two\u001e\u001eabc', { done: 3 }, `\u001e${token.slice(0, 3)}!`];
  for (let size = 1; size <= text.length; size++) {
    const marks = new Marks(token);
    const joined: unknown[] = [];
    for (let at = 0; at < text.length; at += size)
      for (const part of marks.take(text.slice(at, at + size))) {
        if (typeof part === 'string' && typeof joined.at(-1) === 'string') joined.push((joined.pop() as string) + part);
        else joined.push(part);
      }
    assert.deepEqual(joined, expected, `in pieces of ${size}`);
    assert.equal(marks.rest(), '');
  }
});

test('the start of a mark that never ends is what the program wrote', () => {
  const marks = new Marks(token);
  assert.deepEqual(marks.take('a\u001eab'), ['a']);
  assert.equal(marks.rest(), '\u001eab');
  assert.deepEqual(marks.take(`\u001e${token}{"do`), []);
  assert.equal(marks.rest(), `\u001e${token}{"do`);
});

test('a program that plays the driver can tell nothing that is not well-formed', () => {
  const marks = new Marks(token);
  assert.deepEqual(marks.take(`\u001e${token}no json\u001e`), []);
  assert.deepEqual(marks.take(`\u001e${token}null\u001e`), []);
  const odd = { done: 'x', state: 5, lost: 'all', display: { a: 1 }, tooLarge: 'yes', other: 1 };
  assert.deepEqual(marks.take(mark(odd)), [{}]);
  assert.deepEqual(marks.take(mark({ done: 1.5, lost: [1, null] })), [{ lost: ['1', 'null'] }]);
});

test('a mark of fifty megabytes in small pieces is read in time that grows with it, not with its square', () => {
  const marks = new Marks(token);
  const begun = threadMs();
  marks.take(`\u001e${token}{"done":0,"state":"`);
  const piece = 'x'.repeat(8192);
  for (let count = 0; count < 6400; count++) marks.take(piece);
  const [facts] = marks.take('"}\u001e');
  assert.equal(typeof facts === 'object' && facts.state?.length, 8192 * 6400);
  const took = threadMs() - begun;
  assert.ok(took < 3000, `${took} ms`);
});

test('a mark that comes in pieces is joined, whatever stands between them, wherever they are cut and whoever else writes some', () => {
  const piece = (part: string, more: object = {}): string => mark({ part, ...more });
  const whole = JSON.stringify({ display: { 'text/html': '<a href="x">ä</a>' } });
  const other = JSON.stringify({ display: { m: 'other' } });
  const text = `a${piece(whole.slice(0, 5))}tick${piece(other.slice(0, 3), { by: '7.1' })}${piece(whole.slice(5, 20))}${piece(other.slice(3), { by: '7.1', last: true })}b${piece('', {})}${piece(whole.slice(20), { last: true })}c${mark({ done: 0 })}`;
  for (let size = 1; size <= text.length; size += 3) {
    const marks = new Marks(token);
    const seen: unknown[] = [];
    for (let at = 0; at < text.length; at += size) seen.push(...marks.take(text.slice(at, at + size)));
    assert.equal(seen.filter((one) => typeof one === 'string').join(''), 'atickbc');
    assert.deepEqual(
      seen.filter((one) => typeof one !== 'string'),
      [JSON.parse(other), JSON.parse(whole), { done: 0 }],
    );
  }
});

test('pieces that never end, or make nothing well-formed, tell nothing and are not held for ever', () => {
  const marks = new Marks(token);
  assert.deepEqual(marks.take(mark({ part: '{"do' }) + mark({ part: 'x', last: true }) + mark({ part: 5, last: true })), [{}]);
  assert.deepEqual(marks.take(mark({ part: '{"done"', by: 'first' })), []);
  for (let count = 0; count < 1000; count++) assert.deepEqual(marks.take(mark({ part: 'x'.repeat(1000), by: `${count}` })), []);
  assert.deepEqual(marks.take(mark({ part: ':0}', by: 'first', last: true })), []);
  // One that is whole is no piece of another.
  assert.deepEqual(marks.take(mark({ part: JSON.stringify({ part: '{"done":0}', last: true }), last: true })), [{}]);
});

test('an order is framed by its length in bytes', () => {
  assert.equal(framed({ a: 'ä' }).toString(), '00000010{"a":"ä"}');
});
