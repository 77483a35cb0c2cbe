import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutSequence } from './cut-sequence.ts';

test('the beginning of a sequence is found at the end of output, and none where the last one is complete', () => {
  const cases: [output: string, cut: string][] = [
    ['', ''],
    ['text', ''],
    ['x\x1b', '\x1b'],
    ['x\x1b[38;2;10', '\x1b[38;2;10'],
    ['x\x1b[31m', ''],
    ['x\x1b[31my\x1b[', '\x1b['],
    ['x\x1b[3\n1', '\x1b[3\n1'],
    ['x\x1b(', '\x1b('],
    ['x\x1b([', ''],
    ['x\x1b7', ''],
    ['x\x1b]0;my tïtle', '\x1b]0;my tïtle'],
    ['x\x1b]0;title\x07', ''],
    // Its end ends it, of whatever it is the beginning.
    ['x\x1b]0;title\x1b', '\x1b'],
    ['x\x1b]0;title\x1b\\', ''],
    ['x\x1bP1$r\x07', '\x1bP1$r\x07'],
    ['x\x1bP1$r\x1b\\y', ''],
    ['x\x1b_G\x1b]0;', '\x1b]0;'],
    ['x\x1b[3\x18', ''],
    ['x\x1b]0;\x1a', ''],
    ['x\x1b[3é', ''],
    ['x\u009b3', '\u009b3'],
    ['x\u009b3m', ''],
    ['x\u009d0;a\u009c', ''],
    ['\u00c2x', ''],
  ];
  for (const [output, cut] of cases) assert.equal(cutSequence(Buffer.from(output)), Buffer.byteLength(cut), JSON.stringify(output));
});
