import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lateCode, loadCode } from './late-code.ts';

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

test('a browser that remembers that code did not come is only asked for it where it is to be had', async () => {
  const loaded: string[] = [];
  const load = async (): Promise<number> => loaded.push('code');
  const answers: (() => Promise<boolean>)[] = [() => Promise.reject(new TypeError('away')), async () => false, async () => true];
  for (const canLoad of answers.slice(0, 2)) {
    await assert.rejects(loadCode(load, { asksFirst: true, canLoad }));
    assert.deepEqual(loaded, []);
  }
  for (const canLoad of answers) await loadCode(load, { asksFirst: false, canLoad });
  assert.equal(loaded.length, 3);
  assert.equal(await loadCode(load, { asksFirst: true, canLoad: async () => true }), 4);
});
