import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../../test/kit/seed.ts';
import { type FileText, fileTextOf, rawTextOf } from './file-text.ts';

test('lines that nobody touched keep their ends, and new ones get the commonest', () => {
  const cases: [raw: string, text: string, wanted: string][] = [
    ['a\r\nb\r\nc\n', 'a\nx\nb\nc\n', 'a\r\nx\r\nb\r\nc\n'],
    ['a\nb\nc\r\n', 'a\nb\nc\nd', 'a\nb\nc\r\nd'],
    ['\uFEFFa\r\nb\n', 'a\nb\nc\n', '\uFEFFa\r\nb\nc\n'],
    ['a\r\nb\r\n', 'a\nb\nc\n', 'a\r\nb\r\nc\r\n'],
  ];
  for (const [raw, text, wanted] of cases) assert.equal(rawTextOf(text, fileTextOf(raw)), wanted, JSON.stringify(raw));
});

test('line ends that come as CRLF or CR, as editors on other systems type them, become those of the file', () => {
  const cases: [raw: string, text: string, wanted: string][] = [
    ['one\r\ntwo\r\n', 'one\r\nx\ntwo\n', 'one\r\nx\r\ntwo\r\n'],
    ['one\r\ntwo\r\n', 'one\rx\r\r\ntwo\n', 'one\r\nx\r\n\r\ntwo\r\n'],
    ['one\ntwo\n', 'one\r\nx\ntwo\n', 'one\nx\ntwo\n'],
    ['one\rtwo\r', 'one\r\nx\ntwo\n', 'one\rx\rtwo\r'],
    ['one\r\ntwo\r\nthree\n', 'one\r\nx\ntwo\nthree\r\n', 'one\r\nx\r\ntwo\r\nthree\n'],
    ['', 'one\r\ntwo\r\n', 'one\ntwo\n'],
  ];
  for (const [raw, text, wanted] of cases) assert.equal(rawTextOf(text, fileTextOf(raw)), wanted, JSON.stringify([raw, text]));
});

test('a CR that is kept and a break behind it stay two, also where one was put between them or what stood there is gone', () => {
  const cases: [raw: string, text: string][] = [
    ['\rb\n', '\n\nb\n'],
    ['a\rx\nb', 'a\n\nb'],
    ['a\rx\n\n\nb', 'a\n\n\n\nb'],
    ['a\rb\rx\n\r\n', 'a\nb\n\n\n\n\n'],
  ];
  for (const [raw, text] of cases) {
    const written = rawTextOf(text, fileTextOf(raw));
    assert.equal(fileTextOf(written).text, text, JSON.stringify(written));
  }
});

test('a letter that is typed changes no other, whatever the line ends of the file are and wherever it is', () => {
  const raws = fc.array(fc.constantFrom('a', '\r', '\n', '\r\n'), { maxLength: 12 }).map((all) => all.join(''));
  const property = fc.property(raws, fc.nat(12), fc.nat(13), (raw, first, second) => {
    const typed = (file: FileText, at: number, letter: string): string =>
      rawTextOf(file.text.slice(0, at) + letter + file.text.slice(at), file);
    const once = typed(fileTextOf(raw), first, 'X');
    assert.equal(once.replace('X', ''), raw);
    assert.equal(typed(fileTextOf(once), second, 'Y').replace('Y', ''), once);
  });
  fc.assert(property, { seed: testSeed(), numRuns: 3000 });
});

test('reading back what was written gives the text, whatever the line ends of the file were', () => {
  const seed = testSeed();
  const piece = (...parts: string[]): fc.Arbitrary<string> =>
    fc.array(fc.constantFrom(...parts), { maxLength: 12 }).map((all) => all.join(''));
  const raws = fc.tuple(fc.boolean(), piece('a', 'b', '😀', '\r', '\n', '\r\n', '\r\r')).map(([bom, body]) => (bom ? '\uFEFF' : '') + body);
  const texts = piece('a', 'b', '😀', '\n', '\n\n');
  const edits = fc.array(fc.record({ at: fc.nat(20), remove: fc.nat(3), insert: texts }), { maxLength: 3 });
  const property = fc.property(raws, edits, fc.option(texts), (raw, changes, whole) => {
    const file = fileTextOf(raw);
    let { text } = file;
    for (const { at, remove, insert } of changes) text = text.slice(0, at) + insert + text.slice(at + remove);
    text = (whole ?? text).toWellFormed();
    assert.equal(fileTextOf(rawTextOf(text, file)).text, text);
    assert.equal(rawTextOf(text.replaceAll('\n', '\r\n'), file), rawTextOf(text, file));
    assert.equal(rawTextOf(file.text, file), raw);
  });
  fc.assert(property, { seed, numRuns: 3000 });
});
