import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replaceInLater, textReplacements } from './moved-replacements.ts';

function replacements(content: string | Buffer, found: string, replacement: string, mark = 0) {
  const bytes = Buffer.from(content);
  const [text, becomes] = [Buffer.from(found), Buffer.from(replacement)];
  const matches: { line: number; start: number; end: number; text: Buffer; replacement: Buffer }[] = [];
  for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + text.length))
    matches.push({ line: 1, start: at - mark, end: at - mark + text.length, text, replacement: becomes });
  return textReplacements(bytes, { matches }, mark);
}

test('what was found is replaced wherever it stands by now', () => {
  const later = (text: string, typed: string, mark = 0): string | undefined => {
    const found = replacements(text, 'one', 'uno', mark);
    return found && replaceInLater(found, typed);
  };
  assert.equal(later('one two one', 'one two one'), 'uno two uno');
  assert.equal(later('one\ntwo\none\n', 'one\n2 🙂 two\none\nmore\n'), 'uno\n2 🙂 two\nuno\nmore\n');
  assert.equal(later('🙂é one\nmid\n🙂 one', 'first\n🙂é one\n🙂 one'), 'first\n🙂é uno\n🙂 uno');
  assert.equal(later('\ufeffone\r\ntwo', '\ufeffone\r\ntwo more', 3), '\ufeffuno\r\ntwo more');
  assert.equal(later('one\nend', 'one\nend\none'), 'uno\nend\none', 'what came since was not found');
});

test('a match that changed, or whose neighbour did, is none any more', () => {
  for (const typed of ['one two on', 'one two', 'one two ones', 'one two xone', 'on two one', 'x'])
    assert.equal(replaceInLater(replacements('one two one', 'one', 'uno') ?? assert.fail(), typed), undefined, typed);
});

test('what is no text is left to its bytes', () => {
  assert.equal(replacements(Buffer.from('caf\xe9 one', 'latin1'), 'one', 'uno'), undefined);
  const match = { line: 1, start: 0, end: 1, text: Buffer.from([0xc3]), replacement: Buffer.from('x') };
  assert.equal(textReplacements(Buffer.from('é'), { matches: [match] }, 0), undefined, 'half a character');
  const half = { line: 1, start: 0, end: 1, text: Buffer.from('a'), replacement: Buffer.from([0xc3]) };
  assert.equal(textReplacements(Buffer.from('a'), { matches: [half] }, 0), undefined);
});
