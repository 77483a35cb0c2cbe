import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clash, clashError, clashWords } from './clash.ts';

const mib = 1024 ** 2;
const cases: [what: string, entry: Clash['entry'], words: string, reason: string][] = [
  ['a binary file', { kind: 'file', size: 5 }, 'a.txt is binary on disk now.', 'DOCUMENT_BINARY'],
  ['a large file', { kind: 'file', size: 5 * mib }, 'a.txt is 5 MiB on disk now, and shared editing stops at 4 MiB.', 'DOCUMENT_TOO_LARGE'],
  ['a folder', { kind: 'directory', size: 0 }, 'A folder has the place of a.txt on disk now.', 'NOT_A_FILE'],
  ['a link', { kind: 'symlink', size: 9 }, "A link that can't be followed has the place of a.txt on disk now.", 'BUSY_FILE'],
  ['what is not known', undefined, 'sub/a.txt is odd.', 'BUSY_FILE'],
];

for (const [what, entry, words, reason] of cases)
  test(`of ${what} in the place of an open file it is said what it is`, () => {
    const clash: Clash = { path: 'sub/a.txt', problem: 'sub/a.txt is odd.', entry, maxBytes: 4 * mib };
    assert.equal(clashWords(clash), words);
    assert.equal(clashError(clash).reason, reason);
  });
