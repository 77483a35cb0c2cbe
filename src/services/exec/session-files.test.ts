import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { CodeFile } from '../../contract/code.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { withSessions } from '../../../test/kit/session-harness.ts';
import type { SessionRecord } from './session-store.ts';
import type { Sessions } from './sessions.ts';

test('files are counted at their end as well as at their beginning, found among thousands, and refused in the place of a folder', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const session = sessions.open();
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      await new Promise(setImmediate);
      yield Buffer.from('x');
    };
    const all = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => sessions.files.put(session, `f${index}`, slow())));
    const refused = all.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { reason: string }).reason] : []));
    assert.deepEqual([session.files.length, refused], [5, Array.from({ length: 3 }, () => 'TOO_MANY_SESSION_FILES')]);
    const data = sessions.files.folder(session.id);
    assert.equal(fs.readdirSync(data).length, 5);
    sessions.files.remove(session, session.files[0]?.id ?? '');
    // A run made so many that not all are looked at.
    for (let index = 0; index < 100; index++) fs.writeFileSync(path.join(data, `a${index}`), '');
    const late = await sessions.files.put(session, 'zz', Buffer.from('last'));
    await sessions.files.collect(session, 0);
    assert.equal(sessions.files.get(session, late.id).name, 'zz');
    assert.equal(session.files.length, 5);
    fs.mkdirSync(path.join(data, 'folder'));
    const other = sessions.open();
    fs.mkdirSync(path.join(sessions.files.folder(other.id), 'folder'));
    await assert.rejects(sessions.files.put(other, 'folder', Buffer.from('x')), { reason: 'FILE_EXISTS' });
    await assert.rejects(sessions.files.put(other, 'big', Buffer.alloc(1001)), { reason: 'INPUT_TOO_LARGE' });
    assert.deepEqual(fs.readdirSync(sessions.files.folder(other.id)), ['folder']);
  }));

test('others are served while a session of very many things is looked at, or goes, and what is put there meanwhile is not lost', () =>
  withSessions(async ({ start }) => {
    const sessions = start({ maxBytes: 1_000_000_000 });
    const session = sessions.open();
    const data = sessions.files.folder(session.id);
    const before = await sessions.files.put(session, 'before', Buffer.from('x'));
    for (let index = 0; index < 8000; index++) fs.mkdirSync(path.join(data, `d${index}`));
    const longest = await longestTurn(async () => {
      const collecting = sessions.files.collect(session, 10);
      // Behind all that is there, and of what was looked at already.
      for (let count = 0; count < 5; count++) await new Promise(setImmediate);
      const meanwhile = await sessions.files.put(session, 'meanwhile', Buffer.from('y'));
      assert.deepEqual(await collecting, { files: [], omitted: 0, sizes: new Set() });
      for (const { id, name } of [before, meanwhile]) assert.equal(sessions.files.get(session, id).name, name);
      sessions.remove(session.id);
      await eventually(() => !fs.existsSync(data), 30_000);
    });
    assert.ok(longest < 100, `${longest} ms`);
  }));

test('a file that changed is known as it is now, also where no more may be given back; one that grew too large is known no more', () =>
  withSessions(async ({ start }) => {
    const sessions = start();
    const session = sessions.open();
    for (const name of ['a', 'b', 'c']) await sessions.files.put(session, name, Buffer.from('x'));
    const write = (name: string, size: number): void =>
      fs.writeFileSync(path.join(sessions.files.folder(session.id), name), 'y'.repeat(size));
    write('a', 2);
    write('b', 3);
    write('c', 1001);
    write('new', 1);
    const { files, omitted } = await sessions.files.collect(session, 1);
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
    const write = (name: string, text: string): void => fs.writeFileSync(path.join(first.files.folder(id), name), text);
    const collected = async (sessions: Sessions, most = 2): Promise<[made: string[], omitted: number, known: string[]]> => {
      const { files, omitted } = await sessions.files.collect(sessions.use(id), most);
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
    const data = sessions.files.folder(session.id);
    for (let n = 0; n < 100; n++) fs.writeFileSync(path.join(data, `a${n}`), '');
    const omitted = async (): Promise<number> => (await sessions.files.collect(session, 1)).omitted;
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
    const put = (to: SessionRecord, name: string, text: string): Promise<CodeFile> => sessions.files.put(to, name, Buffer.from(text));
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
    next.files.remove(again, report.id);
    const newer = await next.files.put(again, '数据.csv', Buffer.from('newer'));
    assert.deepEqual([newer.id, newer.name], [data.id, '__-2.csv']);
    assert.equal((await next.files.put(again, '图表.csv', Buffer.from('chart'))).name, '__.csv');
    // What a program made, and what an earlier version stored, has the name that it has.
    fs.writeFileSync(path.join(next.files.folder(again.id), 'a_b'), 'made');
    await next.files.collect(again, 10);
    assert.equal((await next.files.put(again, 'a b', Buffer.from('other'))).name, 'a_b-2');
    assert.equal((await next.files.put(again, 'a_b', Buffer.from('same'))).name, 'a_b');
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
