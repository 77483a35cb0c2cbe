import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { makePassage } from './session-folder.ts';
import type { SessionRecord, SessionStore } from './session-store.ts';
import { Sessions, type SessionsOptions } from './sessions.ts';

interface Kit {
  folder: string;
  stored: Map<string, string>;
  clock: { now: number };
  /** Sessions as a start finds them. */
  start: (options?: Partial<SessionsOptions>) => Sessions;
}

async function withSessions(run: (kit: Kit) => Promise<void> | void): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-sessions-'));
  const stored = new Map<string, string>();
  const clock = { now: 1_000_000 };
  const store = {
    all: () => [...stored.values()].map((one) => JSON.parse(one) as SessionRecord),
    put: (session: SessionRecord) => void stored.set(session.id, JSON.stringify(session)),
    remove: (id: string) => void stored.delete(id),
  } as unknown as SessionStore;
  const usual = { lifeMs: 1000, most: 3, maxFiles: 5, maxFileBytes: 1000, maxStateBytes: 1000, folder: path.join(folder, 'sessions') };
  try {
    await run({
      folder: usual.folder,
      stored,
      clock,
      start: (options) => new Sessions({ store, now: () => clock.now }, { ...usual, ...options }),
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test('the next start keeps sessions with their files, and takes away what runs left that were not ended', () =>
  withSessions(async ({ folder, start, stored }) => {
    const first = start();
    const session = first.open('entity');
    const data = first.folder(session.id);
    await first.putFile(session, 'kept.txt', Buffer.from('kept'));
    await first.putState(session, Buffer.from([0x80, 4, 1]));
    // In the middle of a run.
    first.lend(session, ['code.py', '.outrigger-0123']);
    fs.writeFileSync(path.join(data, 'code.py'), 'print(1)');
    fs.mkdirSync(path.join(data, '.outrigger-0123'));
    fs.writeFileSync(path.join(data, '.outrigger-4567.tmp'), 'half');
    fs.writeFileSync(path.join(folder, session.id, '.outrigger-89ab.tmp'), 'half');
    const unknown = first.prepare();
    const second = start();
    const [again] = second.all();
    assert.deepEqual([again?.id, again?.files.map(({ name }) => name), again?.lent], [session.id, ['kept.txt'], undefined]);
    assert.deepEqual(fs.readdirSync(data), ['kept.txt']);
    assert.deepEqual(fs.readdirSync(path.join(folder, session.id)).sort(), ['data', 'state']);
    assert.ok(!fs.existsSync(unknown.folder));
    assert.deepEqual(second.readState(again as SessionRecord).language, 'py');
    fs.rmSync(path.join(folder, session.id), { recursive: true });
    assert.deepEqual([start().all(), stored.size], [[], 0]);
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
    await sessions.collect(session, 10);
    sessions.takeBack(session);
    await assert.rejects(sessions.putFile(session, 'late', Buffer.from('x')), { reason: 'WORKSPACE_GONE' });
    assert.equal(stored.size, 0);
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

test('state that comes from outside is known by its form, and one whose file is gone is none', () =>
  withSessions(async ({ start, folder }) => {
    const sessions = start();
    const session = sessions.open();
    await sessions.putState(session, Buffer.from([0xff, 0x0f, 0x6f]));
    assert.equal(sessions.readState(session).language, 'js');
    await sessions.putState(session, Buffer.from([0x80, 4]));
    assert.equal(sessions.readState(session).language, 'py');
    fs.rmSync(path.join(folder, session.id, 'state'));
    assert.throws(() => sessions.readState(session), { reason: 'NO_STATE' });
  }));

const noRoot = { skip: process.getuid?.() === 0 ? false : 'needs root, to give a folder to another user' };
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
