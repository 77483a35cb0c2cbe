import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyEdits, diffText, rebaseEdits, type TextEdit, toDelta } from './text-diff.ts';
import { threadMs } from '../../test/kit/loop-hold.ts';
import { testSeed } from '../../test/kit/seed.ts';

const seed = testSeed();

/** mulberry32 */
function randomFrom(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}

function splitsPair(text: string, at: number): boolean {
  return at > 0 && at < text.length && /[\ud800-\udbff]/.test(text.charAt(at - 1)) && /[\udc00-\udfff]/.test(text.charAt(at));
}

function checkDiff(before: string, after: string, hint: string): TextEdit[] {
  const edits = diffText(before, after);
  assert.equal(applyEdits(before, edits), after, hint);
  let grown = 0;
  let end = -1;
  for (const edit of edits) {
    assert.ok(edit.at > end, `edits touch: ${hint}`);
    assert.ok(edit.remove > 0 || edit.insert !== '', `empty edit: ${hint}`);
    end = edit.at + edit.remove;
    for (const at of [edit.at, end]) assert.ok(!splitsPair(before, at), `pair split in the old text at ${at}: ${hint}`);
    for (const at of [edit.at + grown, edit.at + grown + edit.insert.length]) {
      assert.ok(!splitsPair(after, at), `pair split in the new text at ${at}: ${hint}`);
    }
    grown += edit.insert.length - edit.remove;
  }
  return edits;
}

test('typical changes become the edits a person would name', () => {
  const table: [name: string, before: string, after: string, edits: TextEdit[]][] = [
    ['nothing', 'a\n', 'a\n', []],
    ['from empty', '', 'a\n', [{ at: 0, remove: 0, insert: 'a\n' }]],
    ['to empty', 'a\n', '', [{ at: 0, remove: 2, insert: '' }]],
    ['append', 'a\nb\n', 'a\nb\nc\n', [{ at: 4, remove: 0, insert: 'c\n' }]],
    ['append without final newline', 'a\nb', 'a\nb\nc', [{ at: 3, remove: 0, insert: '\nc' }]],
    ['prepend', 'b\n', 'a\nb\n', [{ at: 0, remove: 0, insert: 'a\n' }]],
    ['one word in a line', 'one two three\nx\n', 'one 2wo three\nx\n', [{ at: 4, remove: 3, insert: '2wo' }]],
    ['a word replaced', 'let total = 1;\n', 'let amount = 1;\n', [{ at: 4, remove: 5, insert: 'amount' }]],
    [
      'two words of one line',
      'let total = count + 1;\nx\n',
      'let amount = count + 2;\nx\n',
      [
        { at: 4, remove: 5, insert: 'amount' },
        { at: 20, remove: 1, insert: '2' },
      ],
    ],
    [
      'two lines far apart',
      'a\nb\nc\nd\ne\n',
      'a\nB\nc\nd\nE\n',
      [
        { at: 2, remove: 1, insert: 'B' },
        { at: 8, remove: 1, insert: 'E' },
      ],
    ],
    ['a line like its neighbours', 'a\nab\nz\n', 'a\nax\nab\nz\n', [{ at: 2, remove: 0, insert: 'ax\n' }]],
    ['a block that could slide', 'if\n}\nif\n}\n', 'if\n}\nif\n}\nif\n}\n', [{ at: 10, remove: 0, insert: 'if\n}\n' }]],
    ['an emoji by its sister', 'a😀b', 'a😁b', [{ at: 1, remove: 2, insert: '😁' }]],
    ['an emoji doubled', '😀😀', '😀😀😀', [{ at: 4, remove: 0, insert: '😀' }]],
    ['low halves equal', 'x\ud83d\ude00y', 'x\ud83e\ude00y', [{ at: 1, remove: 2, insert: '\ud83e\ude00' }]],
    [
      'wrapped in a block',
      'a\nfoo();\nbar();\nz\n',
      'a\nif (x) {\n  foo();\n  bar();\n}\nz\n',
      [
        { at: 2, remove: 0, insert: 'if (x) {\n  ' },
        { at: 9, remove: 0, insert: '  ' },
        { at: 16, remove: 0, insert: '}\n' },
      ],
    ],
    ['a word beside one that begins alike', 'go W90w on', 'go W92w  W90w on', [{ at: 3, remove: 0, insert: 'W92w  ' }]],
    ['nothing in common', 'alpha\nbeta\n', '1234\n5678\n90\n', [{ at: 0, remove: 10, insert: '1234\n5678\n90' }]],
  ];
  for (const [name, before, after, edits] of table) assert.deepEqual(checkDiff(before, after, name), edits, name);
});

test(`a word that both texts have once stays where it is, whatever came and went beside it (SEED=${seed})`, () => {
  const random = randomFrom(seed + 2);
  let words = 0;
  const put = (text: string): string => {
    let at = below(random, text.length + 1);
    while (at > 0 && at < text.length && /\w/.test(text.charAt(at - 1)) && /\w/.test(text.charAt(at))) at++;
    words++;
    return text.slice(0, at) + (random() < 0.3 ? `\nW${words}w\n` : ` W${words}w `) + text.slice(at);
  };
  const take = (text: string): string => {
    const found = [...text.matchAll(/W\d+w/g)];
    const match = found[below(random, found.length)];
    return match === undefined ? text : text.slice(0, match.index) + text.slice(match.index + match[0].length);
  };
  for (let round = 0; round < 4000; round++) {
    let before = Array.from({ length: below(random, 12) }, (_, line) => `line ${line} of it`).join('\n');
    for (let count = below(random, 40); count > 0; count--) before = put(before);
    let after = before;
    for (let count = 1 + below(random, 4); count > 0; count--) after = random() < 0.3 ? take(after) : put(after);
    const edits = diffText(before, after);
    for (const { 0: word, index } of before.matchAll(/W\d+w/g)) {
      if (!after.includes(word)) continue;
      const touched = edits.some((edit) => edit.remove > 0 && edit.at < index + word.length && edit.at + edit.remove > index);
      assert.ok(!touched, `SEED=${seed} round ${round}: ${word} was taken away and put back: ${JSON.stringify([before, after, edits])}`);
    }
  }
});

test(`applying the diff gives the new text, for 6000 random pairs (SEED=${seed})`, () => {
  const random = randomFrom(seed);
  const alphabets = ['ab\n', 'abc {}();\n', 'a😀😁\u{1F600}\u{2F600}\n', 'é漢字ñ \n', 'x\r\n\r\n\ty', '\ud83d\ude00\ud83e\udd14a\n'];
  for (let round = 0; round < 6000; round++) {
    const alphabet = round % 50 === 0 ? [...(alphabets[5] as string).split('')] : Array.from(alphabets[below(random, 6)] as string);
    const make = (length: number): string => Array.from({ length }, () => alphabet[below(random, alphabet.length)]).join('');
    const before = make(below(random, 4) === 0 ? below(random, 3) : below(random, 120));
    let after = before;
    if (random() < 0.15) {
      after = make(below(random, 120));
    } else {
      for (let count = below(random, 6); count > 0; count--) {
        const points = Array.from(after);
        points.splice(below(random, points.length + 1), below(random, 8), make(below(random, 8)));
        after = points.join('');
      }
    }
    checkDiff(before, after, `SEED=${seed} round ${round}: ${JSON.stringify([before, after])}`);
  }
});

test(`texts of many lines survive every path of the comparison (SEED=${seed})`, () => {
  const random = randomFrom(seed + 1);
  for (let round = 0; round < 60; round++) {
    const distinct = [3, 40, 100_000][round % 3] as number;
    const lines = Array.from({ length: 200 + below(random, 3000) }, () => `line ${below(random, distinct)} 😀 of the text`);
    const changed = lines.slice();
    for (let count = [3, 60, 2500][below(random, 3)] as number; count > 0; count--) {
      const at = below(random, changed.length + 1);
      const what = below(random, 4);
      if (what === 0) changed.splice(at, 1 + below(random, 3));
      else if (what === 1) changed.splice(at, 0, `new ${below(random, distinct)}`);
      else if (what === 2) changed[at] = `  ${changed[at] ?? ''}`;
      else changed[at] = (changed[at] ?? '').replace('of', 'off');
    }
    if (round % 10 === 9) changed.unshift(...changed.splice(below(random, changed.length), 100));
    const joint = round % 4 === 0 ? ' ' : '\n';
    checkDiff(lines.join(joint), changed.join(joint), `SEED=${seed} round ${round}`);
  }
});

test('edits that are unsorted, overlap or reach out of the text are refused', () => {
  const bad: TextEdit[][] = [
    [{ at: 4, remove: 0, insert: 'x' }],
    [{ at: 2, remove: 2, insert: '' }],
    [{ at: -1, remove: 0, insert: 'x' }],
    [{ at: 0, remove: -1, insert: 'x' }],
    [{ at: 0.5, remove: 0, insert: 'x' }],
    [
      { at: 2, remove: 0, insert: 'x' },
      { at: 1, remove: 0, insert: 'y' },
    ],
    [
      { at: 0, remove: 2, insert: 'x' },
      { at: 1, remove: 1, insert: 'y' },
    ],
  ];
  for (const edits of bad) assert.throws(() => applyEdits('abc', edits), RangeError, JSON.stringify(edits));
  assert.throws(() => toDelta(bad[5] as TextEdit[]), RangeError);
  assert.throws(() => rebaseEdits(bad[6] as TextEdit[], []), RangeError);
});

test('edits become a delta that keeps, inserts and deletes', () => {
  const edits = [
    { at: 0, remove: 1, insert: 'A' },
    { at: 3, remove: 0, insert: '!' },
    { at: 5, remove: 2, insert: '' },
  ];
  assert.deepEqual(toDelta(edits), [{ insert: 'A' }, { delete: 1 }, { retain: 2 }, { insert: '!' }, { retain: 2 }, { delete: 2 }]);
  assert.deepEqual(toDelta([]), []);
});

test('two sides of a text meet as the rules say', () => {
  const base = '0123456789';
  const edit = (at: number, remove: number, insert: string): TextEdit => ({ at, remove, insert });
  const table: [name: string, theirs: TextEdit[], ours: TextEdit[], merged: string][] = [
    ['apart', [edit(8, 1, 'T')], [edit(1, 1, 'OO')], '0OO234567T9'],
    ['same place', [edit(5, 0, 'T')], [edit(5, 0, 'O')], '01234OT56789'],
    ['the same insertion', [edit(5, 0, 'S')], [edit(5, 0, 'S')], '01234S56789'],
    ['the same replacement', [edit(5, 2, 'S')], [edit(5, 2, 'S')], '01234S789'],
    ['the same removal', [edit(5, 2, '')], [edit(5, 2, '')], '01234789'],
    ['removals that overlap', [edit(2, 4, '')], [edit(4, 4, '')], '0189'],
    ['replacements that overlap', [edit(2, 4, 'T')], [edit(4, 4, 'O')], '01TO89'],
    ['ours began earlier', [edit(4, 4, 'T')], [edit(2, 4, 'O')], '01OT89'],
    ['an insertion inside what they removed', [edit(2, 6, '')], [edit(5, 0, 'O')], '01O89'],
    ['an insertion inside what we removed', [edit(5, 0, 'T')], [edit(2, 6, '')], '01T89'],
    ['two insertions inside what we replaced', [edit(4, 0, 'T'), edit(6, 0, 'U')], [edit(2, 6, 'O')], '01OTU89'],
    ['theirs spans two of ours', [edit(1, 8, 'T')], [edit(2, 1, 'O'), edit(5, 1, 'P')], '0TOP9'],
    ['ours spans two of theirs', [edit(2, 1, 'T'), edit(5, 1, 'U')], [edit(1, 8, 'O')], '0OTU9'],
    ['the same range, other texts', [edit(3, 2, 'T')], [edit(3, 2, 'O')], '012OT56789'],
    ['touching, theirs first', [edit(3, 2, 'T')], [edit(5, 2, 'O')], '012TO789'],
    ['touching, ours first', [edit(5, 2, 'T')], [edit(3, 2, 'O')], '012OT789'],
    ['an insertion before what we replaced', [edit(3, 0, 'T')], [edit(3, 2, 'O')], '012TO56789'],
    ['an insertion after what we replaced', [edit(5, 0, 'T')], [edit(3, 2, 'O')], '012OT56789'],
    ['one of two agreed', [edit(2, 1, 'S'), edit(7, 0, 'T')], [edit(2, 1, 'S'), edit(5, 0, 'O')], '01S34O56T789'],
    ['more lines than ours', [edit(5, 0, 'a\nb\nc\n')], [edit(5, 0, 'b\n')], '01234a\nb\nc\n56789'],
    ['fewer lines than ours', [edit(5, 0, 'b\n')], [edit(5, 0, 'a\nb\nc\n')], '01234a\nb\nc\n56789'],
    ['blank lines are no evidence', [edit(5, 0, 't\n\n')], [edit(5, 0, '\n')], '01234\nt\n\n56789'],
    ['part of a line is no line', [edit(5, 0, 'b\n')], [edit(5, 0, 'ab\n')], '01234ab\nb\n56789'],
    ['two functions with one brace each', [edit(5, 0, 'g{\n}\n')], [edit(5, 0, 'f{\n}\n')], '01234f{\n}\ng{\n}\n56789'],
    ['the same text over more', [edit(3, 3, 'same')], [edit(3, 2, 'same')], '012same6789'],
  ];
  for (const [name, theirs, ours, merged] of table) {
    const live = applyEdits(base, ours);
    assert.equal(applyEdits(live, rebaseEdits(theirs, ours)), merged, name);
  }
});

test(`edits that do not meet are all applied, in 6000 random cases (SEED=${seed})`, () => {
  const random = randomFrom(seed + 2);
  const base = Array.from({ length: 60 }, (_, index) => String.fromCharCode(97 + (index % 26))).join('');
  for (let round = 0; round < 6000; round++) {
    const sides: [TextEdit[], TextEdit[], TextEdit[]] = [[], [], []];
    for (let at = below(random, 3); at < 57; at += 3 + below(random, 3)) {
      if (random() < 0.4) continue;
      const edit = { at, remove: below(random, 3), insert: 'XYZ'.slice(below(random, 4)) };
      if (edit.remove === 0 && edit.insert === '') continue;
      sides[random() < 0.5 ? 0 : 1].push(edit);
      sides[2].push(edit);
    }
    const [theirs, ours, both] = sides;
    const moved = rebaseEdits(theirs, ours);
    assert.equal(applyEdits(applyEdits(base, ours), moved), applyEdits(base, both), `SEED=${seed} round ${round}`);
    assert.deepEqual(rebaseEdits(theirs, theirs), [], `SEED=${seed} round ${round}: agreed edits are done once`);
    assert.deepEqual(rebaseEdits(both, theirs).length, ours.length, `SEED=${seed} round ${round}: only what is new is left`);
  }
});

test(`edits that meet lose no insertion and remove exactly what either side removed (SEED=${seed})`, () => {
  const random = randomFrom(seed + 3);
  const base = Array.from({ length: 40 }, (_, index) => String.fromCharCode(0x4e00 + index)).join('');
  for (let round = 0; round < 6000; round++) {
    let mark = 0x5000;
    const side = (): TextEdit[] => {
      const edits: TextEdit[] = [];
      for (let at = below(random, 6); at < 40; ) {
        const remove = Math.min(40 - at, below(random, 8));
        const insert = random() < 0.6 ? String.fromCharCode(mark++, mark++) : '';
        if (remove > 0 || insert !== '') edits.push({ at, remove, insert });
        at += remove + below(random, 6);
        if (remove === 0) at++;
      }
      return edits;
    };
    const [ours, theirs] = [side(), side()];
    const merged = applyEdits(applyEdits(base, ours), rebaseEdits(theirs, ours));
    const hint = `SEED=${seed} round ${round}: ${JSON.stringify({ ours, theirs, merged })}`;
    const removed = (index: number): boolean => [...ours, ...theirs].some((edit) => index >= edit.at && index < edit.at + edit.remove);
    const survivors = [...base].filter((_, index) => !removed(index)).join('');
    assert.equal([...merged].filter((char) => char < '\u5000').join(''), survivors, hint);
    const marks = [...ours, ...theirs].map((edit) => edit.insert).filter((text) => text !== '');
    for (const text of marks) assert.ok(merged.includes(text), hint);
    assert.equal(merged.length, survivors.length + marks.join('').length, hint);
  }
});

test('a megabyte takes no cliff, whatever it holds (long form)', () => {
  const random = randomFrom(42);
  const words = 'const let return function import from await async class this value index file update'.split(' ');
  const makeLine = (tag: string | number): string =>
    `${'  '.repeat(1 + below(random, 4))}${Array.from({ length: 3 + below(random, 8) }, () => words[below(random, words.length)]).join(' ')} // ${tag}`;
  const lines: string[] = [];
  for (let size = 0; size < 1e6; size += (lines.at(-1) as string).length + 1) lines.push(makeLine(lines.length));
  const edited = (count: number, of: string[] = lines): string[] => {
    const copy = of.slice();
    for (let index = 0; index < count; index++) {
      const at = below(random, copy.length);
      const what = random();
      if (what < 0.4) copy[at] = makeLine(`e${index}`);
      else if (what < 0.7) copy.splice(at, 0, makeLine(`n${index}`));
      else copy.splice(at, 1);
    }
    return copy;
  };
  const text = lines.join('\n');
  const few = Array.from({ length: 60_000 }, () => `${'  '.repeat(below(random, 3))}${words[below(random, 12)]};`);
  const bits = Array.from({ length: 500_000 }, () => (random() < 0.5 ? '0' : '1'));
  const cases: [name: string, before: string, after: string, mostEdits: number][] = [
    ['append', text, `${text}\nlast line`, 1],
    ['one keystroke', text, `${text.slice(0, 5e5)}x${text.slice(5e5)}`, 1],
    ['10 lines', text, edited(10).join('\n'), 40],
    ['200 lines', text, edited(200).join('\n'), 800],
    ['every line indented anew', text, lines.map((line) => `  ${line.trimStart()}`).join('\n'), lines.length],
    ['every line changed', text, lines.map((line) => line.replace(' //', ' ;//')).join('\n'), lines.length],
    [
      'unrelated',
      text,
      Array.from(lines, (_, index) => makeLine(`z${index * 7}`))
        .slice(5)
        .join('\n'),
      1e6,
    ],
    ['unrelated, as many lines', text, Array.from(lines, (_, index) => makeLine(`y${index * 7}`)).join('\n'), 1e6],
    ['reversed', text, lines.toReversed().join('\n'), 1e6],
    ['one line of a megabyte', lines.join(' '), edited(20).join(' '), 200],
    ['few different lines', few.join('\n'), edited(200, few).join('\n'), 1000],
    ['lines of one character', bits.join('\n'), edited(5, bits).join('\n'), 200],
    ['lines of one character, unrelated', bits.join('\n'), bits.toReversed().join('\n'), 1e6],
    ['one character', 'a'.repeat(1e6), `${'a'.repeat(4e5)}b${'a'.repeat(4e5)}`, 3],
    ['only newlines', '\n'.repeat(1e6), '\n'.repeat(9e5), 1],
  ];
  for (const [name, before, after, mostEdits] of cases) {
    const started = threadMs();
    const edits = diffText(before, after);
    const took = threadMs() - started;
    // Ten times and more above what it takes: this is about hangs, bench/ has the figures.
    assert.ok(took < 1000, `${name} took ${took} ms`);
    assert.equal(applyEdits(before, edits), after, name);
    assert.ok(edits.length <= mostEdits, `${name}: ${edits.length} edits`);
  }
});
