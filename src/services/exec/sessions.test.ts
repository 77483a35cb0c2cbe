import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { CodeFile } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { call, chunks } from '../../../test/kit/workspace-harness.ts';
import { State } from '../state/state.ts';
import { afterwards } from './afterwards.ts';
import { type CodeServices, codeOperations } from './operations.ts';
import { makePassage } from './session-folder.ts';
import { type SessionRecord, SessionStore } from './session-store.ts';
import { Sessions, type SessionsOptions } from './sessions.ts';

interface Kit {
  folder: string;
  /** The folder above that of this state, which may be away. */
  volume: string;
  state: State;
  /** Ids of the sessions that are remembered. */
  stored: () => string[];
  /** `setBy`: how far ahead the clock was set. */
  clock: { now: number; setBy: number };
  /** Sessions as a start finds them. */
  start: (options?: Partial<SessionsOptions>) => Sessions;
}

async function withSessions(run: (kit: Kit) => Promise<void> | void): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-sessions-'));
  fs.mkdirSync(path.join(folder, 'root'));
  const state = new State({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder });
  const clock = { now: 1_000_000, setBy: 0 };
  const onProblem = (error: unknown): never => assert.fail(String(error));
  const usual = {
    lifeMs: 1000,
    most: 3,
    maxFiles: 5,
    maxBytes: 1_000_000,
    maxFileBytes: 1000,
    maxStateBytes: 1000,
    folder: path.join(folder, 'code', 'own', 'sessions'),
  };
  const started: Sessions[] = [];
  try {
    await run({
      folder: usual.folder,
      volume: path.join(folder, 'code'),
      state,
      stored: () => new SessionStore({ state, onProblem }).all().map(({ id }) => id),
      clock,
      start: (options) => {
        const clocks = { now: () => clock.now + clock.setBy, monotonic: () => clock.now };
        const sessions = new Sessions({ store: new SessionStore({ state, onProblem }), ...clocks }, { ...usual, ...options });
        started.push(sessions);
        return sessions;
      },
    });
  } finally {
    for (const sessions of started) sessions.stop();
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const roomy = { maxStateBytes: 100_000 };
/** More than lies in the database. */
const large = (byte: number): Buffer => Buffer.alloc(80_000, byte);

test('the next start keeps sessions with their files, and takes away what runs left that were not ended', () =>
  withSessions(async ({ folder, start, stored }) => {
    const first = start(roomy);
    const session = first.open('entity');
    const data = first.folder(session.id);
    await first.putFile(session, 'kept.txt', Buffer.from('kept'));
    await first.putState(session, large(1));
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
    assert.deepEqual(second.readState(again as SessionRecord).language, 'py');
    fs.rmSync(path.join(folder, session.id), { recursive: true });
    assert.deepEqual([start().all(), stored()], [[], [session.id]]);
  }));

test('a session whose folder is away at a start goes on when it is back, and ends in its time', () =>
  withSessions(async ({ folder, volume, start, stored, clock }) => {
    const session = start().open('entity');
    await start().putFile(session, 'kept.txt', Buffer.from('kept'));
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
    assert.deepEqual(fs.readdirSync(sessions.folder(session.id)), ['kept.txt']);
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

test('what goes on in a session that was closed does not bring it back', () =>
  withSessions(async ({ start, stored }) => {
    const sessions = start();
    const session = sessions.open();
    sessions.remove(session.id);
    await sessions.collect(session, 10);
    sessions.takeBack(session);
    await assert.rejects(sessions.putFile(session, 'late', Buffer.from('x')), { reason: 'WORKSPACE_GONE' });
    await assert.rejects(sessions.putState(session, Buffer.from('x')), { reason: 'NO_SESSION' });
    sessions.removeState(session);
    assert.deepEqual(stored(), []);
  }));

test('one that holds nothing makes room for the next; where all hold something, one too many is refused', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const full = sessions.open();
    await sessions.putFile(full, 'a', Buffer.from('a'));
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
    for (const name of ['code.js', 'code.py']) fs.writeFileSync(path.join(sessions.folder(session.id), name), 'source');
    await sessions.putFile(session, 'code.js', Buffer.from('precious'));
    sessions.takeBack(session);
    assert.deepEqual(fs.readdirSync(sessions.folder(session.id)), ['code.js']);
    assert.equal(fs.readFileSync(path.join(sessions.folder(session.id), 'code.js'), 'utf8'), 'precious');
  }));

test('variables that come slowly are taken when all are there and nothing else is going on', () =>
  withSessions(async ({ folder, start }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    await sessions.putState(session, large(1));
    const order: string[] = [];
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield large(2).subarray(0, 10);
      await new Promise(setImmediate);
      // What a run saves meanwhile.
      await sessions.putState(session, large(3));
      order.push('came');
      yield large(2).subarray(10);
    };
    const { bytes } = await sessions.replaceState(session, slow(), async () => void order.push('made room'));
    assert.deepEqual([bytes, order], [80_000, ['came', 'made room']]);
    assert.equal(sessions.readState(session).bytes[0], 2);
    await assert.rejects(
      sessions.replaceState(session, slow(), () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.equal(sessions.readState(session).bytes[0], 3);
    await assert.rejects(
      sessions.replaceState(session, slow(), async () => sessions.remove(session.id)),
      { reason: 'NO_SESSION' },
    );
    assert.deepEqual(fs.readdirSync(folder), []);
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

test('files are counted at their end as well as at their beginning, found among thousands, and refused in the place of a folder', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const session = sessions.open();
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      await new Promise(setImmediate);
      yield Buffer.from('x');
    };
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => sessions.putFile(session, `f${index}`, slow())));
    const refused = all.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { reason: string }).reason] : []));
    assert.deepEqual([session.files.length, refused], [5, Array.from({ length: 3 }, () => 'TOO_MANY_SESSION_FILES')]);
    const data = sessions.folder(session.id);
    assert.equal(fs.readdirSync(data).length, 5);
    sessions.removeFile(session, session.files[0]?.id ?? '');
    // A run made so many that not all are looked at.
    for (let index = 0; index < 100; index++) fs.writeFileSync(path.join(data, `a${index}`), '');
    const late = await sessions.putFile(session, 'zz', Buffer.from('last'));
    await sessions.collect(session, 0);
    assert.equal(sessions.file(session, late.id).name, 'zz');
    assert.equal(session.files.length, 5);
    fs.mkdirSync(path.join(data, 'folder'));
    const other = sessions.open();
    fs.mkdirSync(path.join(sessions.folder(other.id), 'folder'));
    await assert.rejects(sessions.putFile(other, 'folder', Buffer.from('x')), { reason: 'FILE_EXISTS' });
    await assert.rejects(sessions.putFile(other, 'big', Buffer.alloc(1001)), { reason: 'INPUT_TOO_LARGE' });
    assert.deepEqual(fs.readdirSync(sessions.folder(other.id)), ['folder']);
  }));

test('a file that changed is known as it is now, also where no more may be given back; one that grew too large is known no more', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const session = sessions.open();
    for (const name of ['a', 'b', 'c']) await sessions.putFile(session, name, Buffer.from('x'));
    const write = (name: string, size: number): void => fs.writeFileSync(path.join(sessions.folder(session.id), name), 'y'.repeat(size));
    write('a', 2);
    write('b', 3);
    write('c', 1001);
    write('new', 1);
    const { files, omitted } = await sessions.collect(session, 1);
    assert.deepEqual([files.map(({ name }) => name), omitted], [['a'], 3]);
    assert.deepEqual(
      session.files.map(({ name, size }) => [name, size]),
      [
        ['a', 2],
        ['b', 3],
      ],
    );
  }));

test('what a run left and found no room is no work of the runs after it, also after a restart; it is taken up as there is room', () =>
  withSessions(async ({ start }) => {
    const first = start();
    const { id } = first.open();
    const write = (name: string, text: string): void => fs.writeFileSync(path.join(first.folder(id), name), text);
    const collected = async (sessions: Sessions, most = 2): Promise<[made: string[], omitted: number, known: string[]]> => {
      const { files, omitted } = await sessions.collect(sessions.use(id), most);
      return [files.map(({ name }) => name), omitted, sessions.use(id).files.map(({ name }) => name)];
    };
    for (let n = 10; n < 20; n++) write(`plot${n}`, `${n}`);
    write('__proto__', 'x');
    write('plot10', 'x'.repeat(1001));
    assert.deepEqual(await collected(first), [['__proto__', 'plot11'], 9, ['__proto__', 'plot11']]);
    assert.deepEqual(await collected(first), [[], 0, ['__proto__', 'plot11', 'plot12', 'plot13']]);
    write('plot18', 'changed');
    assert.deepEqual(await collected(first), [['plot18'], 0, ['__proto__', 'plot11', 'plot12', 'plot13', 'plot18']]);
    write('plot19', 'other');
    write('plot10', 'y'.repeat(1002));
    assert.deepEqual((await collected(first)).slice(0, 2), [[], 2]);
    const again = start();
    assert.deepEqual((await collected(again)).slice(0, 2), [[], 0]);
  }));

test('of very many files that a run left, the runs after it are told of those alone that came since', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const session = sessions.open();
    const data = sessions.folder(session.id);
    for (let n = 0; n < 100; n++) fs.writeFileSync(path.join(data, `a${n}`), '');
    const omitted = async (): Promise<number> => (await sessions.collect(session, 1)).omitted;
    assert.deepEqual([await omitted(), await omitted()], [99, 0]);
    for (let n = 0; n < 7; n++) fs.writeFileSync(path.join(data, `b${n}`), '');
    assert.equal(await omitted(), 7);
    for (let n = 0; n < 100; n++) fs.rmSync(path.join(data, `a${n}`));
    await omitted();
    assert.equal(await omitted(), 0);
  }));

test('files of other names that are made the same are told apart by a number, and the same one again takes its own place', () =>
  withSessions(async ({ start, state }) => {
    const sessions = start({ maxFiles: 20 });
    const session = sessions.open();
    const put = (to: SessionRecord, name: string, text: string): Promise<CodeFile> => sessions.putFile(to, name, Buffer.from(text));
    const report = await put(session, '报告.csv', 'report');
    const data = await put(session, '数据.csv', 'data');
    assert.deepEqual([report.name, data.name], ['__.csv', '__-2.csv']);
    // Also those that come at the same time, or from folders.
    const others = await Promise.all(['src/index.js', 'lib/index.js', './lib//index.js'].map((name) => put(session, name, name)));
    assert.deepEqual(
      others.map(({ name }) => name),
      ['index.js', 'index-2.js', 'index-2.js'],
    );
    // The next start knows it as well, and where the first one went the second is not doubled.
    const next = start({ maxFiles: 20 });
    const again = next.use(session.id);
    next.removeFile(again, report.id);
    const newer = await next.putFile(again, '数据.csv', Buffer.from('newer'));
    assert.deepEqual([newer.id, newer.name], [data.id, '__-2.csv']);
    assert.equal((await next.putFile(again, '图表.csv', Buffer.from('chart'))).name, '__.csv');
    // What a program made, and what an earlier version stored, has the name that it has.
    fs.writeFileSync(path.join(next.folder(again.id), 'a_b'), 'made');
    await next.collect(again, 10);
    assert.equal((await next.putFile(again, 'a b', Buffer.from('other'))).name, 'a_b-2');
    assert.equal((await next.putFile(again, 'a_b', Buffer.from('same'))).name, 'a_b');
    const { record } = state.database.prepare('SELECT record FROM code_sessions').get() as { record: string };
    const { files } = JSON.parse(record) as SessionRecord;
    assert.deepEqual(
      files.filter(({ name }) => name.startsWith('a_b')).map(({ name, original }) => [name, original]),
      [
        ['a_b', undefined],
        ['a_b-2', 'a b'],
      ],
    );
  }));

test('state that comes from outside is known by its form, and one whose file is gone is none', () =>
  withSessions(async ({ start, folder }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    await sessions.putState(session, Buffer.from([0xff, 0x0f, 0x6f]));
    assert.equal(sessions.readState(session).language, 'js');
    await sessions.putState(session, large(0x80));
    assert.equal(sessions.readState(session).language, 'py');
    fs.rmSync(path.join(folder, session.id, 'state'));
    assert.throws(() => sessions.readState(session), { reason: 'NO_STATE' });
  }));

test('a state is whole at the next start whether it is small or large, and none of it is left where it lay before', () =>
  withSessions(async ({ start, folder, state }) => {
    const first = start(roomy);
    const session = first.open();
    const file = path.join(folder, session.id, 'state');
    const rows = (): unknown => state.database.prepare('SELECT count(*) AS count FROM code_states').get()?.['count'];
    const again = (): [Buffer, string] => {
      const second = start(roomy);
      const { bytes, language } = second.readState(second.use(session.id));
      return [bytes, language];
    };
    for (const [content, language] of [
      [Buffer.from('one'), 'py'],
      [Buffer.from('two'), 'js'],
      [large(1), 'py'],
      [large(2), 'py'],
      [Buffer.alloc(0), 'js'],
    ] as const) {
      const info = await first.putState(session, content, language);
      assert.deepEqual(again(), [content, language]);
      assert.deepEqual(first.info(session).state, info);
      assert.deepEqual([fs.existsSync(file), rows()], content.length > 70_000 ? [true, 0] : [false, 1]);
    }
    await assert.rejects(first.putState(session, Buffer.alloc(100_001)), { reason: 'INPUT_TOO_LARGE' });
    assert.deepEqual(again(), [Buffer.alloc(0), 'js']);
    first.removeState(session);
    assert.deepEqual([rows(), start(roomy).use(session.id).state], [0, null]);
    await first.putState(session, Buffer.from('last'));
    first.remove(session.id);
    assert.equal(rows(), 0);
  }));

test('a large state that is put again as it is stays the file that it is, but for one that went away', () =>
  withSessions(async ({ start, folder, clock }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    const file = path.join(folder, session.id, 'state');
    await sessions.putState(session, large(1));
    const { ino } = fs.statSync(file);
    clock.now += 5;
    const { savedAt } = await sessions.putState(session, large(1));
    assert.deepEqual([fs.statSync(file).ino, savedAt], [ino, clock.now]);
    await sessions.putState(session, large(2));
    assert.deepEqual(sessions.readState(session).bytes, large(2));
    fs.rmSync(file);
    await sessions.putState(session, large(2));
    assert.deepEqual(sessions.readState(session).bytes, large(2));
  }));

test('what can not be stored leaves the state that was there', () =>
  withSessions(async ({ start, state }) => {
    const sessions = start(roomy);
    const session = sessions.open();
    await sessions.putState(session, Buffer.from('before'));
    state.database.exec("CREATE TRIGGER full BEFORE UPDATE ON code_states BEGIN SELECT RAISE(ABORT, 'full'); END");
    await assert.rejects(sessions.putState(session, Buffer.from('after')));
    assert.deepEqual([sessions.readState(session).bytes.toString(), session.state?.bytes], ['before', 6]);
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
    await sessions.collect(session, 10);
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
    const data = sessions.folder(session.id);
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

test('folders are there before they are asked for, also after somebody cleared them away, and none is left after the end', () =>
  withSessions(({ folder, start }) => {
    const ready = (): string[] => fs.readdirSync(`${folder}-ready`);
    const sessions = start();
    sessions.discard(sessions.prepare());
    sessions.settle();
    const made = ready();
    assert.deepEqual([made.length, fs.readdirSync(folder)], [2, []]);
    const { id, folder: data, spare } = sessions.prepare();
    assert.deepEqual([made.includes(id), fs.readdirSync(data)], [true, [spare]]);
    sessions.settle();
    for (const place of [folder, `${folder}-ready`]) fs.rmSync(place, { recursive: true });
    const again = sessions.prepare().folder;
    assert.deepEqual([fs.statSync(again).mode & 0o777, fs.statSync(path.dirname(again)).mode & 0o777], [0o700, 0o711]);
    // The next life has none of this one's.
    start().all();
    assert.deepEqual(ready(), []);
    sessions.settle();
    sessions.stop();
    assert.equal(fs.existsSync(`${folder}-ready`), false);
  }));

test('what was lent under a name of ours goes after the answer', () =>
  withSessions(({ start }) => {
    const sessions = start();
    const session = sessions.open();
    const data = sessions.folder(session.id);
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

const noRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to give a folder to another user' };
test('all folders that are made on the way to those of runs let others pass, whatever the umask takes', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-passage-'));
  const before = process.umask(0o077);
  try {
    makePassage(path.join(folder, 'a', 'b'));
    const modes = ['', 'a', 'a/b'].map((name) => fs.statSync(path.join(folder, name)).mode & 0o777);
    assert.deepEqual(modes, [0o700, 0o711, 0o711]);
  } finally {
    process.umask(before);
    fs.rmSync(folder, { recursive: true });
  }
});

test('where the folder of runs can not be made it is said which option names it', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-passage-'));
  try {
    fs.writeFileSync(path.join(folder, 'file'), '');
    fs.symlinkSync('nothing/here', path.join(folder, 'link'));
    for (const name of ['file', 'file/deeper', 'link', 'link/deeper'])
      assert.throws(() => makePassage(path.join(folder, name)), { reason: 'FILE_PERMISSION', message: /code\.folder/ }, name);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

test('a folder that another user made first, where everybody can, is not used', noRoot, () => {
  const open = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-open-'));
  try {
    fs.chmodSync(open, 0o1777);
    fs.mkdirSync(path.join(open, 'theirs'));
    fs.chownSync(path.join(open, 'theirs'), 12_345, 12_345);
    fs.symlinkSync(os.tmpdir(), path.join(open, 'link'));
    fs.lchownSync(path.join(open, 'link'), 12_345, 12_345);
    for (const name of ['theirs', 'theirs/deeper', 'link']) {
      assert.throws(() => makePassage(path.join(open, name)), { reason: 'FILE_PERMISSION' }, name);
    }
    makePassage(path.join(open, 'ours/deeper'));
  } finally {
    fs.rmSync(open, { recursive: true, force: true });
  }
});

test('variables that are sent are not taken when their call ends while a run makes room for them', () =>
  withSessions(async ({ folder, start }) => {
    const sessions = start();
    const session = sessions.open();
    await sessions.putState(session, Buffer.from('old'));
    const leaving = new AbortController();
    const gone = new OutriggerError('TOKEN_REVOKED', 'That token was revoked.');
    const close = async (): Promise<void> => leaving.abort(gone);
    const operations = codeOperations({ runs: { close }, sessions } as unknown as CodeServices);
    const put = async (): Promise<unknown> =>
      operations['code.putState']({ session: session.id }, call({ signal: leaving.signal, body: chunks('new') }));
    await assert.rejects(put(), gone);
    assert.equal(sessions.readState(session).bytes.toString(), 'old');
    assert.deepEqual(fs.readdirSync(path.join(folder, session.id)), ['data']);
  }));
