import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../test/kit/random.ts';
import { testSeed } from '../../test/kit/seed.ts';
import { merge3 } from './text-merge.ts';

const seed = testSeed();

test('two sides that put words beside each other leave every word whole', () => {
  const base = 'line W89w W90w   W88w  1 of\nline 2 of\n';
  const ours = 'line W89w    W88w  1 of\nline W91w  2 of\n';
  const theirs = 'line W89w W92w  W90w   W88w  1 of\nline 2 of\n';
  assert.deepEqual(merge3(base, ours, theirs).match(/W\d+w/g), ['W89w', 'W92w', 'W88w', 'W91w']);
});

test('the same formatter on both sides, and an edit on one of them, does not double text', () => {
  const base = 'function f( a,b ) {\nreturn a+b\n}\nlet x = 1\n';
  const formatted = 'function f(a, b) {\n  return a + b;\n}\nlet x = 1;\n';
  assert.equal(merge3(base, formatted, formatted), formatted);
  const edited = formatted.replace('let x', '// one\nlet y');
  assert.equal(merge3(base, edited, formatted), edited);
  assert.equal(merge3(base, formatted, edited), edited);
  const added = formatted.replace('function', '// adds\nfunction');
  assert.equal(merge3(base, edited, added), edited.replace('function', '// adds\nfunction'));
});

test(`a three-way merge never throws and keeps each side's own lines (SEED=${seed})`, () => {
  const random = new Random(seed + 4);
  for (let round = 0; round < 2500; round++) {
    const lines = Array.from(
      { length: random.below(40) },
      () => ['{', '}', '', 'return 😀;', `line ${random.below(30)}`][random.below(5)] as string,
    );
    const marks: string[] = [];
    const change = (who: string): string => {
      const changed = lines.slice();
      for (let count = random.below(8); count > 0; count--) {
        const at = random.below(changed.length + 1);
        const what = random.below(5);
        const mark = `${who}-${marks.length}-${random.below(1e9)}`;
        // A side does not touch its own marks again.
        const free = changed[at] !== undefined && !changed[at].includes(who);
        if (what === 0 && free) changed.splice(at, 1);
        else if (what === 1 && free) changed[at] += [';', ' // why', '😁', ' line 3'][random.below(4)] as string;
        else if (what === 2 && free) changed[at] = `  ${changed[at] as string}`;
        else if (what === 3) changed.splice(at, 0, '}');
        else {
          changed.splice(at, 0, mark);
          marks.push(mark);
        }
      }
      return changed.join('\n');
    };
    const base = lines.join('\n');
    const [ours, theirs] = [change('ours'), change('theirs')];
    const merged = merge3(base, ours, theirs);
    const hint = `SEED=${seed} round ${round}: ${JSON.stringify({ base, ours, theirs, merged })}`;
    for (const mark of marks) assert.equal(merged.split(mark).length, 2, `${mark} must be there once. ${hint}`);
    assert.equal(merge3(base, ours, ours), ours, hint);
    assert.equal(merge3(base, ours, base), ours, hint);
    assert.equal(merge3(base, base, theirs), theirs, hint);
  }
});

test(`words of two sides that meet do not grow together (SEED=${seed})`, () => {
  assert.equal(merge3('of b\nmore of b\n', 'by a program\n', 'of b\ntyped\nmore of b\n'), 'by a program typed\n\n');
  const random = new Random(seed + 5);
  let words = 0;
  for (let round = 0; round < 3000; round++) {
    const base = Array.from({ length: random.below(8) }, () => `W${words++}w${[' ', '\n', ', '][random.below(3)]}`).join('');
    const news: string[] = [];
    const change = (): string => {
      let text = base;
      for (let count = 1 + random.below(4); count > 0; count--) {
        const places = [0, ...[...text.matchAll(/W\d+w/g)].map(({ index, 0: word }) => index + word.length), text.length];
        const at = places[random.below(places.length)] as number;
        const word = `W${words++}w`;
        if (random.below(2) === 0) text = text.replace(new RegExp(`^([^]{${random.below(text.length + 1)}}[^]*?)W\\d+w[ \n]?`), '$1');
        else text = `${text.slice(0, at)}${[` ${word} `, `\n${word}\n`, ` ${word}`][random.below(3)]}${text.slice(at)}`;
      }
      // What it removed grew together by its own doing.
      const whole = text.replaceAll(/(?<=W\d+w)(?=W)/g, ' ');
      news.push(...(whole.match(/W\d+w/g) ?? []).filter((word) => !base.includes(word)));
      return whole;
    };
    const [ours, theirs] = [change(), change()];
    const merged = merge3(base, ours, theirs);
    const found = merged.match(/\w+/g) ?? [];
    const hint = `SEED=${seed} round ${round}: ${JSON.stringify({ base, ours, theirs, merged })}`;
    for (const word of found)
      assert.ok(ours.match(/\w+/g)?.includes(word) === true || theirs.match(/\w+/g)?.includes(word) === true, `${word} grew. ${hint}`);
    for (const word of news) assert.equal(found.filter((one) => one === word).length, 1, `${word} must be there once. ${hint}`);
  }
});

test('a word that both sides changed is not parted, also where what came to it stands elsewhere as a word', () => {
  const base = "it's foo(1)";
  assert.equal(merge3(base, "it's foos(1)", "it's bar(1)"), "it's bars(1)");
  assert.equal(merge3(base, "it's bar(1)", "it's foos(1)"), "it's bars(1)");
  assert.equal(merge3('x 2\nitem here', 'x 2\nitem2 here', 'x 2\nthing here'), 'x 2\nthing2 here');
  assert.equal(merge3('foo bar', 'food bar', 'foobar'), 'foodbar');
});

test('three words that meet do not grow together', () => {
  assert.equal(merge3('one, two-three-', 'one, four-three-five\n', 'one, three'), 'one, four three five\n');
});

test('lines of one side keep their last word whole where the other side replaced what it ended like', () => {
  const base = 'line 25\nline 9';
  const theirs = 'line 9 line 3\nabove\nmark-66318359';
  const merged = merge3(base, 'line 25\nother-900842617', theirs);
  assert.equal(merged.split('mark-66318359').length, 2, merged);
  assert.equal(merge3(base, base, theirs), theirs);
});
