import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { withSessions } from '../../../test/kit/session-harness.ts';
import { afterwards } from './afterwards.ts';
import type { SessionRecord } from './session-store.ts';

test('a clock that is set ahead ends no session that was used in this life, and one of an earlier life as before', () =>
  withSessions(({ start, clock }) => {
    const first = start();
    const [used, unused] = [first.open('used'), first.open('unused')];
    clock.setBy = 3_600_000;
    assert.deepEqual(new Set(first.all().map(({ id }) => id)), new Set([used.id, unused.id]));
    clock.now += 900;
    first.use(used.id);
    clock.now += 200;
    assert.deepEqual(
      first.all().map(({ id }) => id),
      [used.id],
    );
    clock.setBy *= 2;
    assert.deepEqual(start().all(), []);
  }));

test('a session that is used often is written down once a second, and after what it was lent was taken back', () =>
  withSessions(async ({ start, clock, state }) => {
    const sessions = start({ lifeMs: 100_000 });
    const { id } = sessions.open();
    const stored = (): number => {
      const { record } = state.database.prepare('SELECT record FROM code_sessions').get() as { record: string };
      return (JSON.parse(record) as SessionRecord).usedAt;
    };
    sessions.use(id);
    const first = clock.now;
    for (let count = 0; count < 5; count++) {
      clock.now += 199;
      sessions.use(id);
    }
    assert.equal(stored(), first);
    clock.now += 5;
    sessions.use(id);
    assert.equal(stored(), clock.now);
    // What a run was lent is not taken away from who comes after it.
    const session = sessions.use(id);
    sessions.lend(session, ['code.py']);
    sessions.takeBack(session);
    await sessions.files.collect(session, 10);
    // Whoever waits for the end of the run does not wait for that.
    await new Promise<void>(afterwards);
    assert.equal(start().all()[0]?.lent, undefined);
    assert.ok(
      !('lent' in (JSON.parse((state.database.prepare('SELECT record FROM code_sessions').get() as { record: string }).record) as object)),
    );
  }));

test('one for a run is written down while its program runs, with what it was lent; of what is not, the next start removes the folder', () =>
  withSessions(({ folder, start, stored }) => {
    const sessions = start();
    const { session, spare } = sessions.openPrepared();
    const data = sessions.files.folder(session.id);
    assert.deepEqual(fs.readdirSync(data), [spare]);
    fs.renameSync(path.join(data, spare), path.join(data, 'code.py'));
    sessions.lend(session, ['code.py']);
    assert.deepEqual(stored(), []);
    sessions.settle();
    assert.deepEqual(stored(), [session.id]);
    const late = sessions.openPrepared().session;
    const next = start();
    assert.deepEqual(
      next.all().map(({ id }) => id),
      [session.id],
    );
    assert.deepEqual([fs.readdirSync(folder), fs.readdirSync(data)], [[session.id], []]);
    assert.throws(() => next.use(late.id), { reason: 'NO_SESSION' });
  }));
