import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lateCode } from './late-code.ts';

test('code that can not be had is asked for again while somebody wants it', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  let asked = 0;
  let wanted = true;
  const load = (): Promise<string> => (++asked < 4 ? Promise.reject(new Error('away')) : Promise.resolve('code'));
  const pass = async (): Promise<void> => {
    await new Promise(setImmediate);
    context.mock.timers.tick(1000);
    await new Promise(setImmediate);
  };
  const found = lateCode(load, () => wanted);
  for (let n = 0; n < 3; n++) await pass();
  assert.deepEqual([await found, asked], ['code', 4]);
  const given = lateCode(
    () => Promise.reject(new Error('away')),
    () => wanted,
  );
  wanted = false;
  await pass();
  assert.equal(await given, undefined);
});
