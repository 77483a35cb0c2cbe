import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canBeToken, tokenIn } from './log-in.ts';

test('a token is taken as it is, or out of a link; words that were typed for something else are none', () => {
  assert.equal(tokenIn(' token-of-a-test-0123456789 \n'), 'token-of-a-test-0123456789');
  assert.equal(tokenIn('http://localhost:3000/?token=token-of-a-test-0123456789&x=1'), 'token-of-a-test-0123456789');
  for (const text of ['token-of-a-test-0123456789', '0123456789abcdef']) assert.ok(canBeToken(text), text);
  for (const text of ['', 'short', 'the rest of a long sentence', 'a line\nand-one-more-of-them']) assert.ok(!canBeToken(text), text);
});
