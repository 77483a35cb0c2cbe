import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { large, roomy, withSessions } from '../../../test/kit/session-harness.ts';

test('variables that come slowly are taken when all are there and nothing else is going on', () =>
  withSessions(async ({ folder, start }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    await sessions.variables.put(session, large(1));
    const order: string[] = [];
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield large(2).subarray(0, 10);
      await new Promise(setImmediate);
      // What a run saves meanwhile.
      await sessions.variables.put(session, large(3));
      order.push('came');
      yield large(2).subarray(10);
    };
    const { bytes } = await sessions.variables.replace(session, slow(), async () => void order.push('made room'));
    assert.deepEqual([bytes, order], [80_000, ['came', 'made room']]);
    assert.equal(sessions.variables.read(session).bytes[0], 2);
    await assert.rejects(
      sessions.variables.replace(session, slow(), () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(sessions.variables.read(session).bytes[0], 3);
    await assert.rejects(
      sessions.variables.replace(session, slow(), async () => sessions.remove(session.id)),
      { reason: 'NO_SESSION' },
    );
    assert.deepEqual(fs.readdirSync(folder), []);
  }));

test('state that comes from outside is known by its form, and one whose file is gone is none', () =>
  withSessions(async ({ start, folder }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    await sessions.variables.put(session, Buffer.from([0xff, 0x0f, 0x6f]));
    assert.equal(sessions.variables.read(session).language, 'js');
    await sessions.variables.put(session, large(0x80));
    assert.equal(sessions.variables.read(session).language, 'py');
    fs.rmSync(path.join(folder, session.id, 'state'));
    assert.throws(() => sessions.variables.read(session), { reason: 'NO_STATE' });
  }));

test('a state is whole at the next start whether it is small or large, and none of it is left where it lay before', () =>
  withSessions(async ({ start, folder, state }) => {
    const first = start(roomy);
    const session = first.open();
    const file = path.join(folder, session.id, 'state');
    const rows = (): unknown => state.database.prepare('SELECT count(*) AS count FROM code_states').get()?.['count'];
    const again = (): [Buffer, string] => {
      const second = start(roomy);
      const { bytes, language } = second.variables.read(second.use(session.id));
      return [bytes, language];
    };
    for (const [content, language] of [
      [Buffer.from('one'), 'py'],
      [Buffer.from('two'), 'js'],
      [large(1), 'py'],
      [large(2), 'py'],
      [Buffer.alloc(0), 'js'],
    ] as const) {
      const info = await first.variables.put(session, content, language);
      assert.deepEqual(again(), [content, language]);
      assert.deepEqual(first.info(session).state, info);
      assert.deepEqual([fs.existsSync(file), rows()], content.length > 70_000 ? [true, 0] : [false, 1]);
    }
    await assert.rejects(first.variables.put(session, Buffer.alloc(100_001)), { reason: 'INPUT_TOO_LARGE' });
    assert.deepEqual(again(), [Buffer.alloc(0), 'js']);
    first.variables.remove(session);
    assert.deepEqual([rows(), start(roomy).use(session.id).state], [0, null]);
    await first.variables.put(session, Buffer.from('last'));
    first.remove(session.id);
    assert.equal(rows(), 0);
  }));

test('a large state that is put again as it is stays the file that it is, but for one that went away', () =>
  withSessions(async ({ start, folder, clock }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    const file = path.join(folder, session.id, 'state');
    await sessions.variables.put(session, large(1));
    const { ino } = fs.statSync(file);
    clock.now += 5;
    const { savedAt } = await sessions.variables.put(session, large(1));
    assert.deepEqual([fs.statSync(file).ino, savedAt], [ino, clock.now]);
    await sessions.variables.put(session, large(2));
    assert.deepEqual(sessions.variables.read(session).bytes, large(2));
    fs.rmSync(file);
    await sessions.variables.put(session, large(2));
    assert.deepEqual(sessions.variables.read(session).bytes, large(2));
  }));

test('what can not be stored leaves the state that was there', () =>
  withSessions(async ({ start, state }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    await sessions.variables.put(session, Buffer.from('before'));
    state.database.exec("CREATE TRIGGER full BEFORE UPDATE ON code_states BEGIN SELECT RAISE(ABORT, 'full'); END");
    await assert.rejects(sessions.variables.put(session, Buffer.from('after')));
    assert.deepEqual([sessions.variables.read(session).bytes.toString(), session.state?.bytes], ['before', 6]);
  }));
