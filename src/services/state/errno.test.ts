import assert from 'node:assert/strict';
import fs from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { errnoOf } from './errno.ts';

/** As Node gives it. */
function failed(errno: number): Error {
  const code = `Unknown system error ${errno}`;
  return Object.assign(new Error(`${code}: ${code}, write`), { errno, code, syscall: 'write' });
}

test('errors that Node has no name for have the one of the system', () => {
  const { EDQUOT, ESTALE } = constants.errno;
  assert.deepEqual([errnoOf(failed(-EDQUOT)), errnoOf(failed(-ESTALE))], ['EDQUOT', 'ESTALE']);
  try {
    fs.readFileSync('/nothing/here');
  } catch (error) {
    assert.equal(errnoOf(error), 'ENOENT');
  }
  assert.deepEqual([errnoOf(new Error('x')), errnoOf(undefined), errnoOf(null)], [undefined, undefined, undefined]);
});
