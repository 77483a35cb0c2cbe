import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Passages } from './passages.ts';

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-passages-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const skip = process.platform === 'linux' && new Passages(() => 0).areOpen([scratch]) ? false : 'the temporary folder is closed to others';

test('a file is open to others where all folders above it are; that one was closed is seen a quarter of a second later', { skip }, () => {
  let now = 0;
  const passages = new Passages(() => now);
  const outer = path.join(scratch, 'outer');
  const inner = path.join(outer, 'inner');
  fs.mkdirSync(inner, { recursive: true });
  for (const one of [scratch, outer, inner]) fs.chmodSync(one, 0o711);
  const file = path.join(inner, 'file');
  assert.equal(passages.areOpen([file]), true);
  fs.chmodSync(outer, 0o700);
  assert.equal(passages.areOpen([outer]), true, 'what it is itself does not count');
  assert.equal(passages.areOpen([file]), true, 'known still');
  now += 250;
  assert.equal(passages.areOpen([file]), false);
  assert.equal(passages.areOpen([outer, file]), false, 'each of them has to be');
  fs.chmodSync(outer, 0o711);
  assert.equal(passages.areOpen([file]), true, 'that it was closed is not remembered');
  assert.equal(passages.areOpen([path.join(scratch, 'missing', 'file')]), false);
});
