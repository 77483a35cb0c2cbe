import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foldCodePoint, GramCollector, gramsOfSymbols, symbolsOfCodePoint, symbolsOfText } from './fold.ts';

const maxCodePoint = 0x10ffff;

function gramsOf(bytes: Buffer, pieceBytes = 1 << 20): Set<number> {
  const collector = new GramCollector();
  collector.begin();
  for (let at = 0; at < bytes.length; at += pieceBytes) collector.push(bytes.subarray(at, at + pieceBytes));
  collector.end();
  return new Set(collector.grams);
}

function hasText(grams: Set<number>, text: string): boolean {
  return gramsOfSymbols(symbolsOfText(text)).every((gram) => grams.has(gram));
}

/** Code points that have case for V8, by what it knows of Unicode and not by our table. */
function casedInV8(): number[] {
  const hasCase = /[\p{Changes_When_Casemapped}\p{Changes_When_Casefolded}\p{Cased}]/u;
  const cased: number[] = [];
  for (let codePoint = 0; codePoint <= maxCodePoint; codePoint++) {
    if (hasCase.test(String.fromCodePoint(codePoint))) cased.push(codePoint);
  }
  return cased;
}

test('two letters that /x/iu takes for each other have the same symbols, for all code points', () => {
  const cased = casedInV8();
  assert.ok(cased.length > 2500, `${cased.length} code points have case`);
  const all = String.fromCodePoint(...cased);
  let pairs = 0;
  for (const codePoint of cased) {
    const letter = String.fromCodePoint(codePoint);
    for (const [other] of all.matchAll(new RegExp(`\\u{${codePoint.toString(16)}}`, 'giu'))) {
      if (other === letter) continue;
      pairs++;
      assert.equal(foldCodePoint(codePoint), foldCodePoint(other.codePointAt(0) as number), `${letter} and ${other}`);
    }
  }
  assert.ok(pairs > 2500, `${pairs} pairs were compared`);
});

test('a letter without case in our table has no partner for V8 (long form)', () => {
  const classes = new Map<number, number[]>();
  for (let codePoint = 0; codePoint <= maxCodePoint; codePoint++) {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) continue;
    const representative = foldCodePoint(codePoint);
    if (representative !== codePoint) classes.set(representative, [...(classes.get(representative) ?? [representative]), codePoint]);
  }
  const known = new Set([...classes.values()].flat());
  const knownClass = new RegExp(`[${[...known].map((codePoint) => `\\u{${codePoint.toString(16)}}`).join('')}]`, 'iu');
  const pieces: string[] = [];
  for (let first = 0; first <= maxCodePoint; first += 4096) {
    let piece = '';
    for (let codePoint = first; codePoint < first + 4096; codePoint++) {
      if ((codePoint < 0xd800 || codePoint > 0xdfff) && !known.has(codePoint)) piece += String.fromCodePoint(codePoint);
    }
    pieces.push(piece);
  }
  for (const piece of pieces) assert.equal(knownClass.exec(piece)?.[0].codePointAt(0), undefined);
  // Among those that we know no partner of: nobody matches another bit pattern of the same plane's letters.
  const unknown = pieces.join('');
  for (let bit = 0; bit < 17; bit++) {
    let ranges = '';
    const without: string[] = [];
    for (const letter of unknown.match(/\p{L}|\p{M}|\p{N}|\p{S}/gu) ?? []) {
      const codePoint = letter.codePointAt(0) as number;
      // Above the last letters with case there are ideographs, a hundred thousand of them.
      if (codePoint > 0x1f000 || (codePoint > 0x3400 && codePoint < 0xa000) || (codePoint > 0xac00 && codePoint < 0xd7a4)) continue;
      if ((codePoint >> bit) & 1) ranges += letter;
      else without.push(letter);
    }
    const withBit = new RegExp(`[${ranges.replace(/[\\\]^-]/g, '\\$&')}]`, 'iu');
    assert.equal(withBit.exec(without.join(''))?.[0], undefined, `bit ${bit}`);
  }
});

for (const [one, other] of [
  ['task', 'ta\u017fk'],
  ['Kelvin', '\u212aELVIN'],
  ['Übergrößenträger', 'üBERGRÖßENTRÄGER'],
  ['straße', 'STRAẞE'],
  ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
  ['Москва', 'МОСКВА'],
  ['\u01c4abc', '\u01c6ABC'],
] as const) {
  test(`${one} and ${other} have the same trigrams`, () => {
    assert.deepEqual(gramsOf(Buffer.from(one)), gramsOf(Buffer.from(other)));
  });
}

test('the trigrams of a text are found again in a file that has it, in any encoding with a mark', () => {
  const text = 'first line\nÜber 人 das naïve Wort 🙂 sagen\r\nlast';
  const swapped = Buffer.from(text, 'utf16le').swap16();
  for (const bytes of [
    Buffer.from(text),
    Buffer.from(`\ufeff${text}`),
    Buffer.from(`\ufeff${text}`, 'utf16le'),
    Buffer.concat([Buffer.from([0xfe, 0xff]), swapped]),
  ]) {
    for (const pieceBytes of [3, 4, 5, 7, 1 << 20]) {
      const grams = gramsOf(bytes, pieceBytes);
      for (const line of text.split('\n')) assert.ok(hasText(grams, line), `${line} in pieces of ${pieceBytes}`);
      assert.deepEqual(grams, gramsOf(bytes), `pieces of ${pieceBytes}`);
    }
  }
});

test('no trigram goes over a line break', () => {
  assert.equal(gramsOf(Buffer.from('ab\ncd\nef')).size, 0);
  assert.equal(gramsOf(Buffer.from('ab\r\n')).size, 1);
});

test('a text between bytes that are no UTF-8 is found', () => {
  for (const around of [
    [0xe9],
    [0xe2],
    [0xe2, 0x82],
    [0xf0, 0x9f],
    [0xc3],
    [0xff, 0xfe, 0xff],
    [0xed, 0xa0, 0x80],
    [0xc0, 0x80],
    [0x80, 0x80],
  ]) {
    const bytes = Buffer.concat([Buffer.from('x'), Buffer.from(around), Buffer.from('été chaud'), Buffer.from(around)]);
    assert.ok(hasText(gramsOf(bytes), 'été chaud'), around.join());
    assert.ok(hasText(gramsOf(bytes, 3), 'été chaud'), around.join());
  }
});

test('latin-1 bytes separate, and make no trigram with what is around them', () => {
  assert.deepEqual(gramsOf(Buffer.from('na\xefve', 'latin1')), gramsOf(Buffer.from('na\nve')));
});

test('a NUL makes a file binary, also after transcoding', () => {
  const collector = new GramCollector();
  const binary = (bytes: Buffer): boolean => {
    collector.begin();
    collector.push(bytes);
    collector.end();
    return collector.binary;
  };
  assert.equal(binary(Buffer.from('abc\0')), true);
  assert.equal(binary(Buffer.from('\ufeffabc', 'utf16le')), false);
  assert.equal(binary(Buffer.from('\ufeffabc\0', 'utf16le')), true);
  assert.equal(binary(Buffer.from('abc', 'utf16le')), true);
  assert.equal(binary(Buffer.from('abc')), false);
});

test('a collector that is used again forgets the file before', () => {
  const collector = new GramCollector();
  collector.begin();
  collector.push(Buffer.from('ü some text'));
  collector.end();
  assert.equal(collector.ascii, false);
  collector.begin();
  collector.push(Buffer.from('some text'));
  collector.end();
  assert.equal(collector.ascii, true);
  assert.deepEqual(new Set(collector.grams), gramsOf(Buffer.from('some text')));
});

test('a binary file leaves nothing behind for the next one', () => {
  const collector = new GramCollector();
  for (const bytes of [Buffer.from('some text\0'), Buffer.from('some text')]) {
    collector.begin();
    collector.push(bytes);
    collector.end();
  }
  assert.deepEqual(new Set(collector.grams), gramsOf(Buffer.from('some text')));
});

test('a trigram is told once for each file', () => {
  const collector = new GramCollector();
  collector.begin();
  collector.push(Buffer.from('abcabcABC abc\nabc'));
  collector.end();
  assert.equal(collector.grams.length, new Set(collector.grams).size);
});

test('the symbol of a code point never is the one of a line break, but for line breaks and NUL', () => {
  for (let codePoint = 1; codePoint <= 0x3000; codePoint++) assert.equal(symbolsOfCodePoint(codePoint).includes('\n'), codePoint === 10);
});
