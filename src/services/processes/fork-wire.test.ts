import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exitOf, newToken, orderFrame, serverWord, stringBytes, systemError, TOKEN_LENGTH } from './fork-wire.ts';

describe('the wire of a fork server', () => {
  test('frames an order: its length, its kind, and what belongs to it', () => {
    assert.deepEqual(orderFrame('K', 'abc'), Buffer.from([4, 0, 0, 0, ...Buffer.from('Kabc')]));
    assert.deepEqual(orderFrame('S', 'a', Buffer.from([0, 255])), Buffer.from([4, 0, 0, 0, ...Buffer.from('Sa'), 0, 255]));
    assert.deepEqual(orderFrame('P', 'é\0'), Buffer.from([4, 0, 0, 0, ...Buffer.from('Pé\0')]));
  });

  test('reads what the server says', () => {
    assert.deepEqual(serverWord('ready'), { word: 'ready' });
    assert.deepEqual(serverWord('made 00ff 9 10 12'), { word: 'made', token: '00ff', ends: [9, 10, 12] });
    assert.deepEqual(serverWord('began 00ff 17'), { word: 'began', token: '00ff', pid: 17 });
    assert.deepEqual(serverWord('exit 00ff -2'), { word: 'ended', token: '00ff', status: -2 });
  });

  test('tells a code from a signal, also of one that left a core', () => {
    assert.deepEqual(exitOf(0), { exitCode: 0, exitSignal: null });
    assert.deepEqual(exitOf(3 << 8), { exitCode: 3, exitSignal: null });
    assert.deepEqual(exitOf(9), { exitCode: null, exitSignal: 'SIGKILL' });
    assert.deepEqual(exitOf(0x80 | 11), { exitCode: null, exitSignal: 'SIGSEGV' });
  });

  test('takes what execve takes, and refuses with its error what that refuses', () => {
    assert.deepEqual(stringBytes(['a', '', 'ü']), Buffer.from('a\0\0ü\0'));
    assert.equal(stringBytes(['x'.repeat(128 * 1024 - 1)]).length, 128 * 1024);
    assert.throws(() => stringBytes(['x'.repeat(128 * 1024)]), { code: 'E2BIG' });
    assert.throws(() => stringBytes(['é'.repeat(64 * 1024)]), { code: 'E2BIG' });
    assert.throws(() => stringBytes(Array.from({ length: 65_001 }, () => '')), { code: 'E2BIG' });
    assert.throws(() => stringBytes(Array.from({ length: 20 }, () => 'x'.repeat(110_000))), { code: 'E2BIG' });
    assert.throws(() => stringBytes(['a\0b']), { code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('gives what kept a program from its start the name of the system', () => {
    assert.deepEqual({ ...systemError(-2) }, { code: 'ENOENT' });
    assert.match(systemError(-13).message, /^EACCES: permission denied$/);
  });

  test('names are of the length that the server reads, and none comes twice', () => {
    const tokens = Array.from({ length: 1000 }, newToken);
    assert.ok(tokens.every((token) => token.length === TOKEN_LENGTH));
    assert.equal(new Set(tokens).size, 1000);
  });
});
