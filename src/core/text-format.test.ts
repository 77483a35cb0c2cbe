import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { testSeed } from '../../test/kit/seed.ts';
import { type Eol, joinFormat, keepsFormat, splitFormat } from './text-format.ts';

test('a text whose line ends are alike comes back as it was, and is edited with LF alone', () => {
  const seed = testSeed();
  const line = fc.string({ unit: fc.constantFrom('a', 'ü', '😀', '\t', '\uFEFF') });
  const property = fc.property(fc.array(line), fc.constantFrom<Eol>('lf', 'crlf', 'cr'), fc.boolean(), (parts, eol, bom) => {
    const raw = `${bom ? '\uFEFF' : ''}${parts.join({ lf: '\n', crlf: '\r\n', cr: '\r' }[eol])}`;
    const { text, format } = splitFormat(raw);
    assert.ok(!text.includes('\r'));
    assert.equal(joinFormat(text, format), raw);
    assert.ok(keepsFormat(raw));
    if (parts.length > 1) assert.equal(format.eol, eol);
  });
  fc.assert(property, { seed });
});

test('mixed line ends are told, and the commonest counts', () => {
  const cases: [raw: string, eol: Eol][] = [
    ['a\r\nb\r\nc\n', 'crlf'],
    ['a\nb\nc\r\n', 'lf'],
    ['a\r\nb\n', 'lf'],
    ['a\rb\rc\n', 'cr'],
    ['a\r\nb\r', 'crlf'],
  ];
  for (const [raw, eol] of cases) {
    assert.equal(splitFormat(raw).format.eol, eol, JSON.stringify(raw));
    assert.equal(keepsFormat(raw), false, JSON.stringify(raw));
  }
  const { format } = splitFormat('');
  assert.deepEqual(format, { eol: 'lf', bom: false });
});
