import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { large, roomy, withSessions } from '../../../test/kit/session-harness.ts';
import { type SessionRecord, SessionStore } from './session-store.ts';

test('the next start keeps sessions with their files, and takes away what runs left that were not ended', () =>
  withSessions(async ({ folder, start, stored }) => {
    const first = start(roomy);
    const session = first.open('entity');
    const data = first.files.folder(session.id);
    await first.files.put(session, 'kept.txt', Buffer.from('kept'));
    await first.variables.put(session, large(1));
    // In the middle of a run.
    first.lend(session, ['code.py', '.outrigger-0123']);
    fs.writeFileSync(path.join(data, 'code.py'), 'print(1)');
    fs.mkdirSync(path.join(data, '.outrigger-0123'));
    fs.writeFileSync(path.join(data, '.outrigger-4567.tmp'), 'half');
    fs.writeFileSync(path.join(folder, session.id, '.outrigger-89ab.tmp'), 'half');
    const unknown = first.prepare();
    const second = start(roomy);
    const [again] = second.all();
    assert.deepEqual([again?.id, again?.files.map(({ name }) => name), again?.lent], [session.id, ['kept.txt'], undefined]);
    assert.deepEqual(fs.readdirSync(data), ['kept.txt']);
    assert.deepEqual(fs.readdirSync(path.join(folder, session.id)).sort(), ['data', 'state']);
    assert.ok(!fs.existsSync(unknown.folder));
    assert.deepEqual(second.variables.read(again as SessionRecord).language, 'py');
    fs.rmSync(path.join(folder, session.id), { recursive: true });
    assert.deepEqual([start().all(), stored()], [[], [session.id]]);
  }));

test('a session whose folder is away at a start goes on when it is back, and ends in its time', () =>
  withSessions(async ({ folder, volume, start, stored, clock }) => {
    const session = start().open('entity');
    await start().files.put(session, 'kept.txt', Buffer.from('kept'));
    fs.renameSync(volume, `${volume}-away`);
    const sessions = start();
    assert.throws(() => sessions.use(session.id), { reason: 'NO_SESSION', hint: /option code\.folder/ });
    assert.deepEqual(sessions.all(), []);
    const meanwhile = sessions.open('other').id;
    sessions.sweep();
    // What runs on makes its folder again below the volume.
    fs.renameSync(volume, `${volume}-below`);
    fs.renameSync(`${volume}-away`, volume);
    assert.equal(sessions.open('entity').id, session.id);
    assert.deepEqual(fs.readdirSync(sessions.files.folder(session.id)), ['kept.txt']);
    const next = start();
    assert.deepEqual(
      next.all().map(({ id }) => id),
      [session.id],
    );
    assert.deepEqual(stored().sort(), [meanwhile, session.id].sort());
    clock.now += 1001;
    next.sweep();
    assert.deepEqual([stored(), fs.readdirSync(folder)], [[], []]);
  }));

test('a session ends after its time with its folder, but not while a run is in it', () =>
  withSessions(({ folder, start, clock }) => {
    const sessions = start();
    const [one, other] = [sessions.open(), sessions.open()];
    const letGo = sessions.hold(one.id);
    clock.now += 1001;
    sessions.sweep();
    assert.deepEqual(fs.readdirSync(folder), [one.id]);
    assert.throws(() => sessions.use(other.id), { reason: 'NO_SESSION' });
    letGo();
    sessions.sweep();
    assert.deepEqual(fs.readdirSync(folder), []);
  }));

test('what goes on in a session that was closed does not bring it back', () =>
  withSessions(async ({ start, stored }) => {
    const sessions = start();
    const session = sessions.open();
    sessions.remove(session.id);
    await sessions.files.collect(session, 10);
    sessions.takeBack(session);
    await assert.rejects(sessions.files.put(session, 'late', Buffer.from('x')), { reason: 'NO_SESSION' });
    await assert.rejects(sessions.variables.put(session, Buffer.from('x')), { reason: 'NO_SESSION' });
    sessions.variables.remove(session);
    assert.deepEqual(stored(), []);
  }));

test('one that holds nothing makes room for the next; where all hold something, one too many is refused', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const full = sessions.open();
    await sessions.files.put(full, 'a', Buffer.from('a'));
    const [named, empty] = [sessions.open('entity'), sessions.open()];
    const next = sessions.open();
    assert.throws(() => sessions.use(empty.id), { reason: 'NO_SESSION' });
    for (const { id } of [full, named, next]) sessions.use(id);
    const letGo = sessions.hold(next.id);
    assert.throws(() => sessions.open(), { reason: 'TOO_MANY_SESSIONS' });
    letGo();
    sessions.open();
  }));

test('where fewer may be than there are, all that hold nothing make room at once', () =>
  withSessions(({ start }) => {
    const before = start({ most: 10 });
    for (let count = 0; count < 9; count++) before.open();
    const kept = before.open('entity');
    const after = start({ most: 3 });
    const next = after.open();
    assert.equal(after.all().length, 3);
    for (const { id } of [kept, next]) after.use(id);
  }));

test('a file that came under a name of ours is not ours to take back', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const session = sessions.open();
    sessions.lend(session, ['code.js', 'code.py']);
    for (const name of ['code.js', 'code.py']) fs.writeFileSync(path.join(sessions.files.folder(session.id), name), 'source');
    await sessions.files.put(session, 'code.js', Buffer.from('precious'));
    sessions.takeBack(session);
    assert.deepEqual(fs.readdirSync(sessions.files.folder(session.id)), ['code.js']);
    assert.equal(fs.readFileSync(path.join(sessions.files.folder(session.id), 'code.js'), 'utf8'), 'precious');
  }));

test('a record that can’t be read is told of and forgotten, and the others stay', () =>
  withSessions(async ({ folder, state, start }) => {
    const [first, second] = [start(), start()];
    const [kept, torn] = [first.open('kept'), first.open('torn')];
    state.statement('UPDATE code_sessions SET record = substr(record, 1, 40) WHERE id = ?').run(torn.id);
    const problems: unknown[] = [];
    const store = new SessionStore({ state, onProblem: (error) => problems.push(error) });
    assert.deepEqual(
      store.all().map(({ id }) => id),
      [kept.id],
    );
    assert.equal(problems.length, 1);
    // Where the database can't be asked at all, it is asked again.
    state.database.exec('ALTER TABLE code_sessions RENAME TO elsewhere');
    assert.throws(() => second.all(), /code_sessions/);
    state.database.exec('ALTER TABLE elsewhere RENAME TO code_sessions');
    state.statement('DELETE FROM code_sessions WHERE id = ?').run(torn.id);
    assert.equal(second.open('kept').id, kept.id);
    assert.deepEqual(fs.readdirSync(folder), [kept.id]);
  }));

test('of those that hold nothing the one that was used longest ago makes room, also after a restart', () =>
  withSessions(({ start, clock }) => {
    const options = { most: 2, lifeMs: 100_000 };
    let sessions = start(options);
    const kept = sessions.open();
    for (const isNew of [false, true]) {
      const other = sessions.open();
      clock.now += 2000;
      sessions.use(kept.id);
      if (isNew) sessions = start(options);
      const next = sessions.open();
      assert.throws(() => sessions.use(other.id), { reason: 'NO_SESSION' });
      sessions.use(kept.id);
      sessions.settle();
      sessions.remove(next.id);
    }
    assert.deepEqual(
      sessions.all().map(({ id }) => id),
      [kept.id],
    );
  }));

test('what was lent under a name of ours goes after the answer', () =>
  withSessions(({ start }) => {
    const sessions = start();
    const session = sessions.open();
    const data = sessions.files.folder(session.id);
    for (const name of ['code.c', '.outrigger-1', '.outrigger-1.js']) fs.writeFileSync(path.join(data, name), '');
    sessions.lend(session, ['code.c', '.outrigger-1', '.outrigger-1.js']);
    sessions.takeBack(session);
    assert.deepEqual(fs.readdirSync(data).sort(), ['.outrigger-1', '.outrigger-1.js']);
    sessions.settle();
    assert.deepEqual(fs.readdirSync(data), []);
  }));

test('one that makes room is unknown at once, and its folder and record go before the end', () =>
  withSessions(({ folder, start, stored }) => {
    const sessions = start({ most: 1 });
    const [first, second] = [sessions.open(), sessions.open()];
    assert.throws(() => sessions.use(first.id), { reason: 'NO_SESSION' });
    sessions.settle();
    assert.deepEqual([stored(), fs.readdirSync(folder)], [[second.id], [second.id]]);
    // One of an entity whose time is over makes place for one of the same.
    const named = start({ most: 5, lifeMs: -1 }).open('entity');
    assert.notEqual(start({ most: 5, lifeMs: -1 }).open('entity').id, named.id);
  }));
