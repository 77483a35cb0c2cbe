import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWhenReplaced, remoteFileSystem } from './file-system.ts';

test('of a file system is known whether others change it unheard, and what becomes of an open file that is replaced', () => {
  const of = (type: number): unknown[] => [remoteFileSystem('/', () => type), openWhenReplaced('/', () => type)];
  const known = new Map([
    [0xef53, [null, 'nameless']],
    [0x01021994, [null, 'nameless']],
    [0x6969, ['NFS', 'named']],
    [0x65735546, ['FUSE or VirtioFS', 'named']],
    [0x01021997, ['9P', 'nameless']],
    [0x517b, ['SMB', 'refused']],
    [0xfe534d42, ['SMB2', 'refused']],
    // As a signed number of 32 bits.
    [0xff534d42 | 0, ['CIFS', 'refused']],
  ]);
  for (const [type, expected] of known) assert.deepEqual(of(type), expected, type.toString(16));
  const fails = (): never => {
    throw new Error('no such call');
  };
  assert.deepEqual([remoteFileSystem('/', fails), openWhenReplaced('/', fails)], [null, 'nameless']);
});
