import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutCharacter } from './utf8.ts';

const cases: [string, number[], { there: number; missing: number } | undefined][] = [
  ['nothing', [], undefined],
  ['ASCII', [97], undefined],
  ['a whole character', [0xc3, 0xa4], undefined],
  ['half of two', [97, 0xc3], { there: 1, missing: 1 }],
  ['a third', [0xe2], { there: 1, missing: 2 }],
  ['two thirds', [97, 0xe2, 0x82], { there: 2, missing: 1 }],
  ['three quarters', [0xf0, 0x9f, 0x98], { there: 3, missing: 1 }],
  ['four of four', [0xf0, 0x9f, 0x98, 0x80], undefined],
  ['continuations alone', [0x80, 0x80, 0x80, 0x80, 0x80], undefined],
  ['what no character begins with', [0xff], undefined],
];
for (const [says, bytes, expected] of cases)
  test(`the end of ${says}`, () => assert.deepEqual(cutCharacter(Uint8Array.from(bytes)), expected));
