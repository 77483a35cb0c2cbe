import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { Entry } from '../../contract/files.ts';
import { HASH_MAX_BYTES, hashBytes } from './content.ts';
import type { Noticed } from './echoes.ts';
import { isHalfWritten } from './in-place.ts';
import { REMOVED } from './journal.ts';
import { cause, chunks, fails, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import type { Workspace } from './workspace.ts';

const bytes = (text: string): Buffer => Buffer.from(text);
const etag = (text: string): string => `"${hashBytes(text)}"`;
const all = { overwrite: false, parents: true, cause };

/** A name that no path can say. */
const oddName = (start: string): Buffer => Buffer.concat([Buffer.from(start), Buffer.from([0xe9])]);
const onLinux = process.platform === 'linux' ? {} : { skip: 'other systems refuse such names' };

async function listed(workspace: Workspace, folder = ''): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of workspace.list(folder, true, () => true)) entries.push(entry);
  return entries;
}

describe('a write', () => {
  test('makes the folders above and tells of each, then of the file, with its hash', () =>
    withWorkspace(async ({ workspace, changes, told, read }) => {
      const written = await workspace.write('a/b/c', bytes('one'), { cause });
      assert.equal(read('a/b/c'), 'one');
      assert.deepEqual(told(), ['created a', 'created a/b', 'created a/b/c']);
      assert.deepEqual(written, { path: 'a/b/c', content: hashBytes('one'), size: 3, revision: 3, changed: true, created: true });
      assert.deepEqual([changes[2]?.before, changes[2]?.after, changes[2]?.size, changes[2]?.cause], [null, hashBytes('one'), 3, cause]);
      await fails('FILE_NOT_FOUND', () => workspace.write('x/y', bytes(''), { cause, parents: false }));
      await fails('NOT_A_DIRECTORY', () => workspace.write('a/b/c/d', bytes(''), { cause }));
      await fails('NOT_A_DIRECTORY', () => workspace.write('a/b/c/d/e', bytes(''), { cause }));
      await fails('NOT_A_FILE', () => workspace.write('a/b', bytes(''), { cause }));
    }));

  test(
    'whose file a program moves away at that very moment makes no second one: with a condition it fails, without it begins anew',
    onLinux,
    (t) =>
      withWorkspace(async ({ workspace, told, at, read, put, temporaries }) => {
        const rename = fs.renameSync.bind(fs);
        const moveFirst = (): void => {
          t.mock.method(fs, 'renameSync', (from: string, to: string) => {
            t.mock.reset();
            rename(at('a'), at('moved'));
            rename(from, to);
          });
        };
        put('a', 'old');
        moveFirst();
        await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('new'), { cause, ifMatch: etag('old') }));
        assert.deepEqual([fs.existsSync(at('a')), read('moved'), told(), temporaries()], [false, 'old', [], []]);
        put('a', 'again');
        moveFirst();
        const written = await workspace.write('a', bytes('new'), { cause });
        assert.deepEqual([written.created, read('a'), read('moved'), temporaries()], [true, 'new', 'again', []]);
      }),
  );

  test('whose file a program moves on at once is written all the same', onLinux, (t) =>
    withWorkspace(async ({ workspace, told, at, read, put }) => {
      put('a', 'old');
      const rename = fs.renameSync.bind(fs);
      t.mock.method(fs, 'renameSync', (from: string, to: string) => {
        t.mock.reset();
        rename(from, to);
        rename(at('a'), at('moved'));
      });
      const written = await workspace.write('a', bytes('new'), { cause, ifMatch: etag('old') });
      assert.deepEqual([written.content, written.created, read('moved'), told()], [hashBytes('new'), false, 'new', ['changed a']]);
    }),
  );

  for (const { of, mine, theirs } of [
    { of: 'a file', mine: bytes('mine\n'), theirs: bytes('theirs\n') },
    { of: 'a file that is known by its facts alone', mine: Buffer.alloc(HASH_MAX_BYTES + 1, 'm'), theirs: bytes('t') },
  ]) {
    test(`of ${of}, into which a program writes before we have looked at it, does not take that for its own`, onLinux, (t) =>
      withWorkspace(async ({ workspace, at, put }) => {
        put('a', 'old');
        const rename = fs.renameSync.bind(fs);
        t.mock.method(fs, 'renameSync', (from: string, to: string) => {
          t.mock.reset();
          rename(from, to);
          fs.writeFileSync(at('a'), theirs, { flag: 'r+' });
          // The program was here for longer than clocks of files stand still.
          for (const until = performance.now() + 30; performance.now() < until; );
        });
        const written = await workspace.write('a', mine, { cause });
        await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('next'), { cause, ifMatch: `"${written.content}"` }));
        assert.ok(fs.readFileSync(at('a')).subarray(0, theirs.length).equals(theirs));
      }),
    );
  }

  for (const { of, prepare } of [
    { of: 'a file', prepare: () => {} },
    { of: 'a file with two names', prepare: (at: (name: string) => string) => fs.linkSync(at('a'), at('b')) },
  ]) {
    test(`of ${of}, into which a program writes before it is replaced, has that as what it found`, onLinux, () =>
      withWorkspace(async ({ workspace, at, put, read, told, temporaries }) => {
        put('a', 'old');
        prepare(at);
        const stop = workspace.onAbout(() => {
          stop();
          put('a', 'theirs');
        });
        await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('mine'), { cause, ifMatch: etag('old') }));
        assert.deepEqual([read('a'), told(), temporaries()], ['theirs', [], []]);
      }),
    );
  }

  test('in place, into which a program writes while both contents are kept for a crash, has that as what it found', onLinux, (t) =>
    withWorkspace(async ({ workspace, at, put, read, stateFolder }) => {
      put('a', 'old');
      fs.linkSync(at('a'), at('b'));
      const sync = fs.fdatasyncSync.bind(fs);
      t.mock.method(fs, 'fdatasyncSync', (descriptor: number) => {
        t.mock.reset();
        put('b', 'theirs');
        sync(descriptor);
      });
      await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('mine'), { cause, ifMatch: etag('old') }));
      assert.equal(read('a'), 'theirs');
      assert.deepEqual(fs.readdirSync(path.join(stateFolder, 'in-place')), []);
    }),
  );

  test('that makes a file, which a program makes before it is there, has that as what it found', () =>
    withWorkspace(async ({ workspace, put, read, told }) => {
      workspace.placing = (placed) => {
        workspace.placing = undefined;
        put(placed, 'theirs');
      };
      await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('mine'), { cause, ifNoneMatch: '*' }));
      assert.deepEqual([read('a'), told()], ['theirs', []]);
    }));

  test('in place finds another file where a program has put one there', onLinux, () =>
    withWorkspace(async ({ workspace, at, put, read }) => {
      put('a', 'old');
      fs.linkSync(at('a'), at('b'));
      put('c', 'theirs');
      const stop = workspace.onAbout(() => {
        stop();
        fs.renameSync(at('c'), at('a'));
      });
      await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('mine'), { cause, ifMatch: etag('old') }));
      assert.deepEqual([read('a'), read('b')], ['theirs', 'old']);
    }),
  );

  test('of the content that is there already changes nothing and is not told', () =>
    withWorkspace(async ({ workspace, told, at }) => {
      await workspace.write('a', bytes('one'), { cause });
      const facts = (): number[] => [fs.statSync(at('a')).ino, fs.statSync(at('a')).ctimeMs];
      const before = facts();
      const again = await workspace.write('a', bytes('one'), { cause });
      assert.deepEqual([again.changed, again.revision], [false, 1]);
      assert.deepEqual(facts(), before);
      assert.equal(told().length, 1);
      const mode = fs.statSync(at('a')).mode & 0o777;
      assert.equal((await workspace.write('a', bytes('one'), { cause, mode })).changed, false);
      assert.equal((await workspace.write('a', bytes('one'), { cause, mode: 0o600 })).changed, true);
      assert.equal((await workspace.write('a', bytes('one'), { cause, mode: 0o600 })).changed, false);
      assert.equal(told().length, 2);
    }));

  test('of what another program has just put there leaves it to the watch to tell that', () =>
    withWorkspace(async ({ workspace, put, at, told }) => {
      await workspace.write('removed', bytes('one'), { cause });
      await workspace.remove('removed', false, { cause });
      for (const path of ['removed', 'new']) {
        put(path, 'theirs');
        assert.equal((await workspace.write(path, bytes('theirs'), { cause })).changed, false);
        const { size, mtimeMs, ino } = fs.statSync(at(path));
        workspace.noticed([{ path, kind: 'file', what: 'created', size, mtimeMs, ino, hash: hashBytes('theirs') }]);
        assert.equal(told().at(-1), `created ${path}`);
      }
    }));

  test('keeps the mode that the file has when its turn comes, not that of before', () =>
    withWorkspace(async ({ workspace, at, put }) => {
      const modeNow = (): string => (fs.statSync(at('f')).mode & 0o777).toString(8);
      await Promise.all([workspace.write('f', bytes('one'), { cause, mode: 0o751 }), workspace.write('f', bytes('two'), { cause })]);
      assert.equal(modeNow(), '751');
      put('f', 'three');
      const slow = (async function* () {
        yield Buffer.from('f');
        fs.chmodSync(at('f'), 0o640);
        yield await Promise.resolve(Buffer.from('our'));
      })();
      await workspace.write('f', slow, { cause });
      assert.equal(modeNow(), '640');
    }));

  test('replaces a file whose name is as long as a name may be', onLinux, () =>
    withWorkspace(async ({ workspace, read, told }) => {
      const name = 'x'.repeat(255);
      for (const text of ['one', 'two']) {
        await workspace.write(name, bytes(text), { cause });
        assert.equal(read(name), text);
      }
      assert.deepEqual(told(), [`created ${name}`, `changed ${name}`]);
    }),
  );

  test('keeps the mode of the file, gives a new one that of the umask, and an asked one in spite of it', () =>
    withWorkspace(async ({ workspace, at, put }) => {
      const mode = (name: string): string => (fs.statSync(at(name)).mode & 0o7777).toString(8);
      for (const kept of [0o600, 0o666, 0o755, 0o444, 0o777]) {
        put('kept', `${kept}`);
        fs.chmodSync(at('kept'), kept);
        await workspace.write('kept', bytes('new'), { cause });
        assert.equal(mode('kept'), kept.toString(8));
        fs.unlinkSync(at('kept'));
      }
      const old = process.umask(0o027);
      try {
        await workspace.write('new', bytes(''), { cause });
        await workspace.write('asked', bytes(''), { cause, mode: 0o666 });
      } finally {
        process.umask(old);
      }
      assert.deepEqual([mode('new'), mode('asked')], ['640', '666']);
      put('program');
      fs.chmodSync(at('program'), 0o4755);
      await workspace.write('program', bytes('other'), { cause });
      assert.equal(mode('program'), '755', 'a program that was replaced does not run as its owner any more');
    }));

  test('keeps the owner of the file', { skip: process.getuid?.() === 0 ? false : 'only root may give a file away' }, () =>
    withWorkspace(async ({ workspace, at, put, changes }) => {
      put('a');
      fs.chownSync(at('a'), 12_345, 23_456);
      await workspace.write('a', bytes('new'), { cause });
      const { uid, gid } = fs.statSync(at('a'));
      assert.deepEqual([uid, gid], [12_345, 23_456]);
      assert.equal(changes[0]?.note, undefined);
    }),
  );

  test('meets its conditions or is refused with the ETag that holds, before the content is taken', () =>
    withWorkspace(async ({ workspace, put, read, root }) => {
      put('a', 'one');
      const untouched = (async function* () {
        yield await Promise.reject(new Error('the body was read'));
      })();
      const refused = async (name: string, conditions: { ifMatch?: string; ifNoneMatch?: string }): Promise<unknown> =>
        (await fails('ETAG_MISMATCH', () => workspace.write(name, untouched, { cause, ...conditions }))).details;
      assert.deepEqual(await refused('a', { ifMatch: etag('other') }), { etag: etag('one') });
      assert.deepEqual(await refused('a', { ifMatch: `W/${etag('one')}` }), { etag: etag('one') });
      assert.deepEqual(await refused('a', { ifNoneMatch: '*' }), { etag: etag('one') });
      assert.deepEqual(await refused('a', { ifNoneMatch: `"x", W/${etag('one')}` }), { etag: etag('one') });
      assert.deepEqual(await refused('missing', { ifMatch: '*' }), { etag: null });
      assert.deepEqual(await refused('missing', { ifMatch: etag('one') }), { etag: null });
      // Folders for it are not made.
      assert.deepEqual(await refused('new/deep/missing', { ifMatch: '*' }), { etag: null });
      assert.deepEqual(fs.readdirSync(root), ['a']);
      assert.equal(read('a'), 'one');
      await workspace.write('a', bytes('two'), { cause, ifMatch: `"x" , ${etag('one')}` });
      await workspace.write('a', bytes('three'), { cause, ifMatch: '*', ifNoneMatch: etag('one') });
      await workspace.write('b', bytes('new'), { cause, ifNoneMatch: '*' });
      assert.equal(read('a'), 'three');
    }));

  test('is refused with what to do where the ETag names the content, but was marked on its way', () =>
    withWorkspace(async ({ workspace, put }) => {
      put('a', 'one');
      const hintFor = async (ifMatch: string): Promise<string | undefined> =>
        (await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('two'), { cause, ifMatch }))).hint;
      const marked = [`W/${etag('one')}`, `"x", W/${etag('one')}`, `${etag('one').slice(0, -1)}-gzip"`, `${etag('one').slice(0, -1)}-br"`];
      for (const ifMatch of marked) assert.match((await hintFor(ifMatch)) ?? '', /compresses/);
      await fails('ETAG_MISMATCH', () => workspace.write('a', bytes('two'), { cause, ifMatch: `W/${etag('one')}` }), /changed on its way/);
      for (const ifMatch of [etag('other'), `W/${etag('other')}`]) assert.doesNotMatch((await hintFor(ifMatch)) ?? '', /compresses/);
    }));

  test('is won by exactly one of a hundred with the same ETag, and by exactly one of a hundred that create', () =>
    withWorkspace(async ({ workspace, put, read, told, temporaries }) => {
      put('a', 'base');
      for (const [name, condition] of [
        ['a', { ifMatch: etag('base') }],
        ['new/b', { ifNoneMatch: '*' }],
      ] as const) {
        const writers = Array.from({ length: 100 }, (_, n) =>
          workspace.write(name, n % 2 === 0 ? bytes(`${n}`) : chunks('', `${n}`), { cause, ...condition }).then(
            () => n,
            (error: { reason?: string; details?: { etag: string } }) => {
              assert.equal(error.reason, 'ETAG_MISMATCH');
              assert.match(error.details?.etag ?? '', /^"[0-9a-f]{64}"$/);
            },
          ),
        );
        const winners = (await Promise.all(writers)).filter((n) => n !== undefined);
        assert.equal(winners.length, 1);
        assert.equal(read(name), `${winners[0]}`);
      }
      assert.deepEqual(told(), ['changed a', 'created new', 'created new/b']);
      assert.deepEqual(temporaries(), []);
    }));

  test('without a condition succeeds, also where a hundred come at once; the last told is what stands there', () =>
    withWorkspace(async ({ workspace, changes, read }) => {
      await Promise.all(Array.from({ length: 100 }, (_, n) => workspace.write('a', bytes(`${n}`), { cause })));
      assert.equal(changes.length, 100);
      assert.equal(changes.at(-1)?.after, hashBytes(read('a')));
      for (const [index, change] of changes.entries()) assert.equal(change.before, index === 0 ? null : changes[index - 1]?.after);
    }));

  test('that is aborted or fails in the middle leaves the old content and no temporary file', () =>
    withWorkspace(async ({ workspace, put, read, temporaries, told }) => {
      put('a', 'old');
      const controller = new AbortController();
      const slow = (async function* () {
        yield bytes('part');
        controller.abort(new Error('gone'));
        yield await Promise.resolve(bytes('more'));
      })();
      await assert.rejects(workspace.write('a', slow, { cause, signal: controller.signal }), /gone/);
      const broken = (async function* () {
        yield bytes('part');
        yield await Promise.reject(new Error('lost'));
      })();
      await assert.rejects(workspace.write('a', broken, { cause }), /lost/);
      assert.equal(read('a'), 'old');
      assert.deepEqual([temporaries(), told()], [[], []]);
    }));

  test('whose call ends while it waits for another of the same file is not made', () =>
    withWorkspace(async ({ workspace, put, read, told, temporaries }) => {
      put('f', 'short');
      const leaving = new AbortController();
      const gone = new Error('gone');
      // Of the first, in whose turn the second waits.
      workspace.onAbout(() => leaving.abort(gone));
      const isNext = Promise.withResolvers<void>();
      const first = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes('first');
        // Takes a while to be read again, in the turn.
        put('f', Buffer.alloc(32 * 1024 * 1024));
        setImmediate(isNext.resolve);
      };
      const second = async function* (): AsyncGenerator<Uint8Array> {
        yield bytes('second');
        await isNext.promise;
      };
      const writes = [workspace.write('f', first(), { cause }), workspace.write('f', second(), { cause, signal: leaving.signal })];
      assert.deepEqual(
        (await Promise.allSettled(writes)).map((settled) => (settled.status === 'fulfilled' ? settled.value.revision : settled.reason)),
        [1, gone],
      );
      assert.deepEqual([read('f'), told(), temporaries()], ['first', ['changed f'], []]);
    }));

  test('that sees the file change while it runs takes its condition to what is there now', () =>
    withWorkspace(async ({ workspace, put, read }) => {
      put('a', 'one');
      const body = (async function* () {
        yield await Promise.resolve(bytes('mine'));
        put('a', 'theirs');
      })();
      const error = await fails('ETAG_MISMATCH', () => workspace.write('a', body, { cause, ifMatch: etag('one') }));
      assert.deepEqual(error.details, { etag: etag('theirs') });
      assert.equal(read('a'), 'theirs');
    }));

  test('through a link tells of both names', () =>
    withWorkspace(async ({ workspace, put, at, told, changes }) => {
      put('real/file');
      fs.symlinkSync('real', at('folder'));
      await workspace.write('folder/file', bytes('new'), { cause });
      assert.deepEqual(told(), ['changed real/file', 'changed folder/file']);
      assert.equal(changes[0]?.after, hashBytes('new'));
    }));

  test('to a file with several names goes into all of them, says so, and leaves nothing beside the state', () =>
    withWorkspace(async ({ workspace, put, at, read, changes, stateFolder }) => {
      put('a', 'a long content');
      fs.linkSync(at('a'), at('b'));
      const { ino } = fs.statSync(at('a'));
      for (const text of ['short', 'a much, much longer content', '']) {
        await workspace.write('a', bytes(text), { cause });
        assert.deepEqual([read('a'), read('b')], [text, text]);
      }
      assert.equal(fs.statSync(at('a')).ino, ino);
      assert.match(changes[0]?.note ?? '', /2 links/);
      assert.deepEqual(fs.readdirSync(path.join(stateFolder, 'in-place')), []);
      fs.truncateSync(at('a'), HASH_MAX_BYTES + 1);
      await fails('INPUT_TOO_LARGE', () => workspace.write('a', bytes('x'), { cause }));
      assert.equal(fs.statSync(at('b')).size, HASH_MAX_BYTES + 1);
    }));

  test('to a file with several names gives it the mode that is asked for', () =>
    withWorkspace(async ({ workspace, put, at }) => {
      put('a', 'text');
      fs.chmodSync(at('a'), 0o644);
      fs.linkSync(at('a'), at('b'));
      for (const [text, mode] of [
        ['other', 0o700],
        ['other', 0o666],
      ] as const) {
        assert.equal((await workspace.write('a', bytes(text), { cause, mode })).changed, true);
        assert.equal(fs.statSync(at('b')).mode & 0o777, mode);
      }
    }));

  test('to a file with several names that belongs to another user goes on without the mode, and says so', (context) =>
    withWorkspace(async ({ workspace, put, at, read, changes, stateFolder }) => {
      put('a', 'text');
      fs.chmodSync(at('a'), 0o666);
      fs.linkSync(at('a'), at('b'));
      const { ino } = fs.statSync(at('a'));
      const { fchmodSync } = fs;
      let code = 'EIO';
      context.mock.method(fs, 'fchmodSync', (descriptor: number, mode: number) => {
        if (fs.fstatSync(descriptor).ino === ino) throw Object.assign(new Error(`${code}: fchmod`), { code });
        fchmodSync(descriptor, mode);
      });
      const writing = async (text: string, mode: number, error: string): Promise<void> => {
        code = error;
        await workspace.write('a', bytes(text), { cause, mode });
      };
      await writing('same mode', 0o666, 'EIO');
      assert.equal(changes.at(-1)?.note, 'Written in place: the file has 2 links.');
      await writing('other mode', 0o600, 'EPERM');
      assert.match(changes.at(-1)?.note ?? '', /2 links.*mode.*666/);
      assert.deepEqual([read('b'), fs.statSync(at('a')).mode & 0o777, changes.length], ['other mode', 0o666, 2]);
      await fails('INTERNAL', () => writing('not written', 0o600, 'EIO'));
      assert.deepEqual([read('b'), changes.length], ['other mode', 2]);
      assert.deepEqual(fs.readdirSync(path.join(stateFolder, 'in-place')), []);
    }));

  test('of a file too large to hash is known by the same ETag when it is read', () =>
    withWorkspace(async ({ workspace, at, changes }) => {
      const chunk = Buffer.alloc(8 * 1024 * 1024, 'x');
      const written = await workspace.write('big', chunks(...new Array<Buffer>(9).fill(chunk)), { cause });
      const opened = await workspace.open('big');
      fs.closeSync(opened.descriptor);
      opened.release();
      assert.equal(opened.content, written.content);
      assert.equal(changes[0]?.after, null);
      const { size, mtimeMs, ino } = fs.statSync(at('big'));
      const echo = { path: 'big', kind: 'file', what: 'changed', size, mtimeMs, ino, hash: null } as const;
      assert.deepEqual(workspace.noticed([echo]), []);
    }));
});

test('a file of up to 256 KiB is written and read in one turn; a longer one in pieces, between which others have theirs', (t) =>
  withWorkspace(async ({ workspace }) => {
    const holding = [t.mock.method(fs, 'writeSync'), t.mock.method(fs, 'readSync')];
    const pieces = t.mock.method(fs, 'read');
    const mostAtOnce = async (size: number): Promise<number[]> => {
      for (const { mock } of [...holding, pieces]) mock.resetCalls();
      await workspace.write(`${size}`, Buffer.alloc(size), { cause });
      const { bytes: read } = await workspace.read(`${size}`, size);
      assert.equal(read.length, size);
      return holding.map(({ mock }) => Math.max(0, ...mock.calls.map(({ result = 0 }) => result)));
    };
    assert.deepEqual(await mostAtOnce(256 * 1024), [256 * 1024, 256 * 1024]);
    assert.equal(pieces.mock.callCount(), 0);
    // The name of a temporary file is noted before it is written.
    assert.ok((await mostAtOnce(256 * 1024 + 1)).every((bytes) => bytes < 1000));
    assert.ok(pieces.mock.callCount() > 1);
  }));

describe('a write in place that was cut short', () => {
  test('is told from one that was finished, not begun, or followed by another hand', () => {
    const before = bytes('0123456789');
    const after = bytes('abcdefghijklm');
    for (let cut = 1; cut < after.length; cut++) {
      const torn = Buffer.concat([after.subarray(0, cut), before.subarray(cut)]);
      assert.equal(isHalfWritten(torn, before, after), true, torn.toString());
    }
    assert.equal(isHalfWritten(bytes('abc3456789'), before, bytes('abc')), true, 'written, not yet cut off');
    for (const text of ['0123456789', 'abcdefghijklm', '', 'abcX456789', 'abc', 'something else'])
      assert.equal(isHalfWritten(bytes(text), before, after), false, text);
  });

  test('is finished at the next start; what somebody wrote since is left alone', () =>
    withWorkspace(({ workspace, put, read, stateFolder }) => {
      const folder = path.join(stateFolder, 'in-place');
      fs.mkdirSync(folder, { recursive: true });
      const journal = (id: string, name: string): void => {
        fs.writeFileSync(path.join(folder, `${id}.before`), '0123456789');
        fs.writeFileSync(path.join(folder, `${id}.after`), 'abcdefghijklm');
        fs.writeFileSync(path.join(folder, `${id}.json`), JSON.stringify({ path: name }));
      };
      put('torn', 'abcd456789');
      put('theirs', 'something else');
      for (const [id, name] of [
        ['1', 'torn'],
        ['2', 'theirs'],
        ['3', 'missing'],
        ['4', '../../outside/x'],
      ] as const)
        journal(id, name);
      fs.writeFileSync(path.join(folder, '5.json'), 'no json');
      fs.writeFileSync(path.join(folder, '6.before'), 'cut short');
      workspace.recover();
      assert.deepEqual([read('torn'), read('theirs')], ['abcdefghijklm', 'something else']);
      assert.deepEqual(fs.readdirSync(folder), []);
    }));

  test('is finished at a later start where the disk is full at the next one', (t) =>
    withWorkspace(({ workspace, put, read, stateFolder }) => {
      const folder = path.join(stateFolder, 'in-place');
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, '1.before'), '0123456789');
      fs.writeFileSync(path.join(folder, '1.after'), 'abcdefghijklm');
      fs.writeFileSync(path.join(folder, '1.json'), JSON.stringify({ path: 'torn' }));
      put('torn', 'abcd456789');
      const full = t.mock.method(fs, 'writeSync', () => {
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
      });
      workspace.recover();
      full.mock.restore();
      assert.equal(read('torn'), 'abcd456789');
      workspace.recover();
      assert.equal(read('torn'), 'abcdefghijklm');
      assert.deepEqual(fs.readdirSync(folder), []);
    }));
});

test('temporary files of a process that was killed are removed at the next start, and nothing else is', () =>
  withWorkspace(({ workspace, put, at, stateFolder }) => {
    put('a/.outrigger-0123456789ab.tmp');
    put('a/keep');
    put('.outrigger-000000000000.tmp');
    fs.writeFileSync(
      path.join(stateFolder, 'temporaries'),
      `${['"a/.outrigger-0123456789ab.tmp"', '"a/keep"', '"gone/.outrigger-0123456789ab.tmp"', '"a/.outr'].join('\n')}`,
    );
    workspace.recover();
    assert.deepEqual(fs.readdirSync(at('a')), ['keep']);
    assert.ok(fs.existsSync(at('.outrigger-000000000000.tmp')), 'not one that we made');
  }));

describe('a move', () => {
  test('of a file or folder is one change that keeps what is known of the content', () =>
    withWorkspace(async ({ workspace, told, changes, read }) => {
      await workspace.write('d/one', bytes('1'), { cause });
      await workspace.write('d/sub/two', bytes('2'), { cause });
      changes.length = 0;
      await workspace.move('d/one', 'd/uno', all);
      await workspace.move('d', 'new/place', all);
      assert.deepEqual(told(), ['moved d/one → d/uno', 'created new', 'moved d → new/place']);
      assert.deepEqual([changes[0]?.before, changes[0]?.after], [hashBytes('1'), hashBytes('1')]);
      assert.equal(read('new/place/sub/two'), '2');
      assert.equal(workspace.journal.known('new/place/sub/two'), hashBytes('2'));
      assert.equal(workspace.journal.known('d/sub/two'), '-');
    }));

  test('is refused into itself, by name and by a link, and onto what stands there, unless asked', () =>
    withWorkspace(async ({ workspace, put, at, told, read }) => {
      put('a/b/c');
      put('x', 'x');
      put('y', 'y');
      fs.symlinkSync('a/b', at('link'));
      await fails('BAD_PATH', () => workspace.move('a', 'a/b/d', all));
      await fails('BAD_PATH', () => workspace.move('a', 'link/d', all));
      // Before folders are made for it.
      await fails('BAD_PATH', () => workspace.move('a', 'link/new/d', all));
      await fails('FILE_EXISTS', () => workspace.move('x', 'y', all));
      await fails('FILE_NOT_FOUND', () => workspace.move('missing', 'z', all));
      await fails('FILE_NOT_FOUND', () => workspace.move('missing', 'missing', all));
      await fails('NOT_A_DIRECTORY', () => workspace.move('x', 'y/z', all));
      await workspace.move('a/b/c', 'link/c', { ...all, overwrite: true });
      await workspace.move('x', 'x', all);
      assert.deepEqual(told(), []);
      assert.equal(read('a/b/c'), 'a/b/c');
      await workspace.move('x', 'y', { ...all, overwrite: true });
      assert.deepEqual(told(), ['removed y', 'moved x → y']);
      assert.equal(read('y'), 'x');
    }));

  test('of a file onto a folder, or the reverse, is refused with the name of what is in the way', () =>
    withWorkspace(async ({ workspace, put, at }) => {
      put('file');
      put('full/x');
      fs.mkdirSync(at('empty'));
      const over = { ...all, overwrite: true };
      await fails('NOT_A_FILE', () => workspace.move('file', 'empty', over), /^empty is a folder/);
      await fails('NOT_A_DIRECTORY', () => workspace.move('full', 'file', over), /^file is no folder/);
      await fails('NOT_EMPTY', () => workspace.move('empty', 'full', over), /^full/);
      await workspace.move('full', 'empty', over);
      assert.deepEqual(fs.readdirSync(at('empty')), ['x']);
    }));

  test('may change the case of a name alone', () =>
    withWorkspace(async ({ workspace, put, at, told }) => {
      put('read.me');
      await workspace.move('read.me', 'README', all);
      await workspace.move('README', 'Readme', all);
      assert.deepEqual(fs.readdirSync(at('')), ['Readme']);
      assert.deepEqual(told(), ['moved read.me → README', 'moved README → Readme']);
    }));

  test('onto another name of the same file leaves one name', () =>
    withWorkspace(async ({ workspace, put, at, read }) => {
      put('a/x', 'text');
      fs.mkdirSync(at('b'));
      for (const other of ['b/x', 'a/X']) {
        fs.linkSync(at('a/x'), at(other));
        await fails('FILE_EXISTS', () => workspace.move('a/x', other, all));
        await workspace.move('a/x', other, { ...all, overwrite: true });
        assert.deepEqual([fs.existsSync(at('a/x')), read(other)], [false, 'text']);
        fs.renameSync(at(other), at('a/x'));
      }
    }));
});

describe('a copy', () => {
  test('takes folders with all in them, links as links, modes of files', () =>
    withWorkspace(async ({ workspace, put, at, read }) => {
      put('a/b/file', 'text');
      fs.chmodSync(at('a/b/file'), 0o750);
      fs.symlinkSync('b/file', at('a/link'));
      fs.symlinkSync('/nowhere', at('a/dangling'));
      fs.mkdirSync(at('a/empty'));
      assert.equal(await workspace.copy('a', 'x/y', all), 7);
      assert.equal(read('x/y/link'), 'text');
      assert.deepEqual([fs.readlinkSync(at('x/y/link')), fs.readlinkSync(at('x/y/dangling'))], ['b/file', '/nowhere']);
      assert.equal(fs.statSync(at('x/y/b/file')).mode & 0o777, 0o750);
      assert.ok(fs.statSync(at('x/y/empty')).isDirectory());
    }));

  test('of a folder is open to nobody who might not look into it', () =>
    withWorkspace(async ({ workspace, put, at }) => {
      put('private/in/notes', 'text');
      const modes = { private: 0o700, 'private/in': 0o750, 'private/in/sealed': 0o555 };
      fs.mkdirSync(at('private/in/sealed'));
      put('private/in/sealed/file', '');
      for (const [name, mode] of Object.entries(modes)) fs.chmodSync(at(name), mode);
      await workspace.copy('private', 'x/copy', all);
      const copied = ['x/copy', 'x/copy/in', 'x/copy/in/sealed'].map((name) => (fs.statSync(at(name)).mode & 0o777).toString(8));
      // Its owner can take away what is in it.
      assert.deepEqual(copied, ['700', '750', '755']);
      assert.ok(fs.statSync(at('x/copy/in/sealed/file')).isFile());
      fs.chmodSync(at('private/in/sealed'), 0o755);
    }));

  test('names what it could not take, as its name is not UTF-8', onLinux, () =>
    withWorkspace(async ({ workspace, put, at, read }) => {
      put('old/in/b', 'text');
      fs.writeFileSync(oddName(at('old/in/caf')), 'latin');
      put('old/in/c\u{fffd}', 'a name as others');
      await fails('BAD_PATH', () => workspace.copy('old', 'new', all), /4 entries.*old\/in\/caf\\xe9/);
      assert.deepEqual([read('new/in/b'), read('new/in/c\u{fffd}')], ['text', 'a name as others']);
    }),
  );

  test('into itself is refused, by name and by a link', () =>
    withWorkspace(async ({ workspace, put, at }) => {
      put('a/b/c');
      fs.symlinkSync('a', at('link'));
      for (const to of ['a', 'a/x', 'link', 'link/x', 'link/b/x/y'])
        await fails('BAD_PATH', () => workspace.copy('a', to, { ...all, overwrite: true }));
      assert.deepEqual((await listed(workspace, 'a')).length, 2);
    }));

  test('replaces only when asked to, and never a folder by a file or a link', () =>
    withWorkspace(async ({ workspace, put, at, read, told }) => {
      put('a', 'a');
      put('b', 'b');
      put('folder/x');
      fs.symlinkSync('a', at('link'));
      const over = { ...all, overwrite: true };
      await fails('FILE_EXISTS', () => workspace.copy('a', 'b', all));
      await fails('NOT_A_FILE', () => workspace.copy('a', 'folder', over));
      await fails('NOT_A_FILE', () => workspace.copy('link', 'folder', over));
      await fails('FILE_EXISTS', () => workspace.copy('folder', 'b', over));
      await workspace.copy('a', 'b', over);
      assert.equal(read('b'), 'a');
      await workspace.copy('link', 'b', over);
      assert.equal(fs.readlinkSync(at('b')), 'a');
      assert.deepEqual(told(), ['changed b', 'changed b']);
    }));

  test('of a file to where a folder came meanwhile is told that something is there, unless it may be replaced', () =>
    withWorkspace(async ({ workspace, put, at }) => {
      for (const overwrite of [false, true]) {
        put('a');
        // Asked after it was found that nothing is there.
        const confirm = (): void => void workspace.mkdir('b', false, cause);
        await fails(overwrite ? 'NOT_A_FILE' : 'FILE_EXISTS', () => workspace.copy('a', 'b', { ...all, overwrite, confirm }));
        fs.rmdirSync(at('b'));
      }
    }));

  test('of a link puts it over nothing that came meanwhile, unless asked', () =>
    withWorkspace(async ({ workspace, put, read, at }) => {
      put('a/file');
      fs.symlinkSync('file', at('a/link'));
      const putting = (): Promise<() => void> => {
        put('b/link', 'by somebody else');
        return Promise.resolve(() => {});
      };
      await fails('FILE_EXISTS', () => workspace.copy('a', 'b', { ...all, putting }));
      assert.equal(read('b/link'), 'by somebody else');
      await workspace.copy('a', 'b', { ...all, overwrite: true, putting });
      assert.equal(fs.readlinkSync(at('b/link')), 'file');
    }));

  test('that is aborted stops; what was made until then was told', () =>
    withWorkspace(async ({ workspace, put, told, at }) => {
      for (let n = 0; n < 50; n++) put(`a/${n}`);
      const controller = new AbortController();
      const stop = workspace.journal.onChanges(() => told().length > 10 && controller.abort(new Error('enough')));
      await assert.rejects(workspace.copy('a', 'b', { ...all, signal: controller.signal }), /enough/);
      stop();
      assert.ok(told().length < 20);
      assert.deepEqual(
        told().slice(1).sort(),
        fs
          .readdirSync(at('b'))
          .map((name) => `created b/${name}`)
          .sort(),
      );
    }));
});

describe('a removal', () => {
  test('of five thousand files gives way to others, stops when aborted, and tells exactly what is gone (long form)', () =>
    withWorkspace(async ({ workspace, put, at, changes, told }) => {
      for (let n = 0; n < 5000; n++) put(`a/${n % 50}/${n}`, '');
      const controller = new AbortController();
      let turns = 0;
      const tick = (): void => {
        if (++turns === 3) controller.abort(new Error('enough'));
        else setImmediate(tick);
      };
      setImmediate(tick);
      await assert.rejects(workspace.remove('a', true, { cause, signal: controller.signal }), /enough/);
      const left = (await listed(workspace)).map(({ path: where }) => where);
      assert.ok(left.length > 100 && left.length < 5000, `${left.length} are left`);
      assert.equal(left.length + changes.length, 5051);
      assert.equal(await workspace.remove('a', true, { cause }), left.length);
      assert.equal(fs.existsSync(at('a')), false);
      assert.equal(told().length, 5051);
      assert.equal(new Set(told()).size, 5051);
      assert.equal(told().at(-1), 'removed a');
    }));

  test('takes what has a name that is not UTF-8 along with its folder', onLinux, () =>
    withWorkspace(async ({ workspace, put, at }) => {
      put('a/b', 'text');
      put('outside/kept', 'text');
      fs.writeFileSync(oddName(at('a/f')), 'latin');
      fs.mkdirSync(oddName(at('a/d')));
      fs.writeFileSync(Buffer.concat([oddName(at('a/d')), Buffer.from('/in')]), '');
      fs.symlinkSync('../../outside', Buffer.concat([oddName(at('a/d')), Buffer.from('/link')]));
      fs.symlinkSync('../outside', oddName(at('a/l')));
      await fails('NOT_EMPTY', () => workspace.remove('a', false, { cause }));
      await workspace.remove('a', true, { cause });
      assert.deepEqual([fs.existsSync(at('a')), fs.readdirSync(at('outside'))], [false, ['kept']]);
    }),
  );

  test('tells what went before what has a name that is not UTF-8 goes, so that the watch tells it no second time', onLinux, () =>
    withWorkspace(async ({ workspace, put, at, told }) => {
      put('a/b', 'text');
      for (let n = 0; n < 50; n++) fs.writeFileSync(oddName(at(`a/f${n}`)), '');
      const removing = workspace.remove('a', true, { cause });
      while (fs.existsSync(at('a/b'))) await new Promise(setImmediate);
      assert.ok(fs.existsSync(at('a')), 'the others are still there');
      workspace.noticed([{ path: 'a/b', kind: 'file', what: 'removed', size: 0, mtimeMs: 0, ino: 0, hash: null }]);
      assert.equal(await removing, 2);
      assert.deepEqual(told(), ['removed a/b', 'removed a']);
    }),
  );

  test('needs to be asked for what is in a folder, and meets its condition', () =>
    withWorkspace(async ({ workspace, put, at, read }) => {
      put('a/b', 'text');
      fs.mkdirSync(at('empty'));
      fs.symlinkSync('a', at('link'));
      await fails('NOT_EMPTY', () => workspace.remove('a', false, { cause }));
      await fails('FILE_NOT_FOUND', () => workspace.remove('x', true, { cause }));
      await fails('ETAG_MISMATCH', () => workspace.remove('a/b', false, { cause, ifMatch: etag('other') }));
      assert.equal(await workspace.remove('empty', false, { cause }), 1);
      assert.equal(await workspace.remove('link', true, { cause }), 1);
      assert.equal(read('a/b'), 'text');
      assert.equal(await workspace.remove('a/b', false, { cause, ifMatch: etag('text') }), 1);
    }));

  test('does not follow a folder that became a link to another one meanwhile', () =>
    withWorkspace(async ({ workspace, put, at, read }) => {
      for (let n = 0; n < 2000; n++) put(`a/a/${n}`, '');
      put('a/b/x');
      put('other/precious', 'kept');
      const removal = workspace.remove('a', true, { cause });
      // The first folder takes longer than one turn: in the next, the second one is swapped.
      await new Promise(setImmediate);
      assert.ok(fs.existsSync(at('a/a')), 'too fast for this test');
      fs.rmSync(at('a/a'), { recursive: true });
      fs.symlinkSync('../other', at('a/a'));
      await assert.rejects(removal);
      assert.equal(read('other/precious'), 'kept');
    }));
});

test('a link that was written through is moved as a link, of which no content is known', () =>
  withWorkspace(async ({ workspace, at, put, changes }) => {
    put('file', 'one');
    fs.symlinkSync('file', at('link'));
    const look = (path: string): Noticed => {
      const { size, mtimeMs, ino } = fs.lstatSync(at(path));
      return { path, kind: 'symlink', what: 'changed', size, mtimeMs, ino, hash: null };
    };
    for (const text of ['two', 'two']) {
      await workspace.write('link', bytes(text), { cause });
      assert.deepEqual(workspace.noticed([look('link')]), []);
    }
    await workspace.move('link', 'moved', all);
    assert.deepEqual([changes.at(-1)?.kind, changes.at(-1)?.after], ['symlink', null]);
    assert.deepEqual(workspace.noticed([look('moved')]), []);
    await workspace.remove('moved', false, { cause });
    assert.equal(changes.at(-1)?.before, null);
  }));

test('of a removal and a move of an empty folder that meet one is done', () =>
  withWorkspace(async ({ workspace, at }) => {
    for (let turns = 0; turns < 16; turns++) {
      const [from, to] = [`from${turns}`, `to${turns}`];
      workspace.mkdir(from, false, cause);
      const removed = workspace.remove(from, false, { cause });
      removed.catch(() => {});
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      const both = await Promise.allSettled([removed, workspace.move(from, to, all)]);
      assert.equal(both.filter(({ status }) => status === 'fulfilled').length, 1, `after ${turns} turns`);
      assert.equal(fs.existsSync(at(to)), both[1].status === 'fulfilled');
    }
  }));

test('a write whose place a link takes meanwhile goes nowhere, and may be asked again', () =>
  withWorkspace(async ({ workspace, at, put, read, told, temporaries }) => {
    put('f', 'old');
    put('g', 'other');
    fs.symlinkSync('f', at('to-f'));
    fs.symlinkSync('g', at('to-g'));
    const writeAmong = (asked: string, link: string): Promise<unknown> => {
      const content = (async function* (): AsyncGenerator<Uint8Array, void, undefined> {
        await workspace.move(link, 'f', { ...all, overwrite: true });
        yield bytes('new');
      })();
      return fails('BUSY_FILE', () => workspace.write(asked, content, { cause }));
    };
    await writeAmong('to-f', 'to-g');
    await workspace.remove('f', false, { cause });
    put('f', 'old');
    await writeAmong('f', 'to-f');
    assert.deepEqual([fs.readlinkSync(at('f')), read('g'), temporaries()], ['f', 'other', []]);
    assert.deepEqual(told(), ['removed f', 'moved to-g → f', 'removed f', 'removed f', 'moved to-f → f']);
  }));

test('of a file whose place a link takes while a condition on it is looked at, the condition does not hold', () =>
  withWorkspace(async ({ workspace, at, put, read }) => {
    put('f', 'x'.repeat(300_000));
    put('g', 'other');
    fs.symlinkSync('g', at('link'));
    const removed = workspace.remove('f', false, { cause, ifMatch: `"${hashBytes('x'.repeat(300_000))}"` });
    await Promise.all([workspace.move('link', 'f', { ...all, overwrite: true }), fails('ETAG_MISMATCH', () => removed)]);
    assert.deepEqual([fs.readlinkSync(at('f')), read('g')], ['g', 'other']);
  }));

test('of a way that leads elsewhere by the time nothing is told', () =>
  withWorkspace(async ({ workspace, at, put, told }) => {
    put('real/f', 'one');
    fs.symlinkSync('real', at('way'));
    fs.symlinkSync('real/f', at('link'));
    for (const [path, link] of [
      ['link', 'link'],
      ['way/f', 'way'],
    ] as const) {
      let asked = 0;
      // Just before it is put into its place.
      const confirm = (): void => void (++asked === 2 && fs.renameSync(at(link), at(`${link}-now`)));
      await workspace.write(path, bytes(`by ${link}`), { cause, confirm });
    }
    assert.deepEqual(told(), ['changed real/f', 'changed real/f']);
  }));

test('what is made, moved, copied or removed by a way through a link is told by the name where it lies too, each with who did it', () =>
  withWorkspace(async ({ workspace, at, put, changes, told }) => {
    put('real/f');
    put('real/sub/g');
    fs.symlinkSync('real', at('way'));
    fs.symlinkSync('f', at('real/link'));
    const since = async (work: () => unknown): Promise<string[]> => {
      const before = changes.length;
      await work();
      assert.ok(changes.slice(before).every((change) => change.cause === cause));
      return told().slice(before);
    };
    const [move, copy] = [workspace.move.bind(workspace), workspace.copy.bind(workspace)];
    assert.deepEqual(await since(() => workspace.mkdir('way/a/b', true, cause)), [
      ...['created real/a', 'created real/a/b', 'created way/a', 'created way/a/b'],
    ]);
    assert.deepEqual(await since(() => move('way/f', 'way/a/f', all)), ['moved way/f → way/a/f', 'moved real/f → real/a/f']);
    assert.deepEqual(await since(() => move('real/sub', 'way/a/sub', all)), ['created way/a/sub', 'moved real/sub → real/a/sub']);
    assert.deepEqual(await since(() => move('way/a/sub', 'sub', all)), ['moved way/a/sub → sub', 'moved real/a/sub → sub']);
    assert.deepEqual(await since(() => copy('real/link', 'way/other', all)), ['created real/other', 'created way/other']);
    assert.deepEqual(await since(() => copy('sub', 'way/sub', all)), [
      ...['created real/sub', 'created way/sub', 'created real/sub/g', 'created way/sub/g'],
    ]);
    put('more');
    assert.deepEqual(await since(() => move('more', 'way/sub/g', { ...all, overwrite: true })), [
      ...['removed real/sub/g', 'removed way/sub/g', 'created way/sub/g', 'moved more → real/sub/g'],
    ]);
    assert.deepEqual(await since(() => workspace.remove('way/a/f', false, { cause })), ['removed real/a/f', 'removed way/a/f']);
    const removed = await since(async () => assert.equal(await workspace.remove('way/sub', true, { cause }), 2));
    assert.deepEqual(removed, ['removed real/sub/g', 'removed way/sub/g', 'removed real/sub', 'removed way/sub']);
    assert.equal(workspace.journal.known('real/sub/g'), REMOVED);
  }));

test('a list holds every entry once, says what is ignored, passes over temporary files, and goes deep', () =>
  withWorkspace(
    async ({ workspace, put, at }) => {
      put('a/b/c', '123');
      put('a/skip/deep');
      put('a/.outrigger-0123456789ab.tmp');
      fs.symlinkSync('a', at('z'));
      const entries = await listed(workspace);
      assert.deepEqual(
        entries.map(({ path: where, kind, size, ignored }) => `${where} ${kind} ${size}${ignored === true ? ' ignored' : ''}`),
        ['a directory 0', 'z symlink 0', 'a/b directory 0', 'a/skip directory 0 ignored', 'a/b/c file 3', 'a/skip/deep file 11'],
      );
      const shallow: string[] = [];
      for await (const { path: where } of workspace.list('a', true, (folder) => folder !== 'a/skip')) shallow.push(where);
      assert.deepEqual(shallow, ['a/b', 'a/skip', 'a/b/c']);
      await fails('NOT_A_DIRECTORY', () => listed(workspace, 'a/b/c'));
      await fails('FILE_NOT_FOUND', () => listed(workspace, 'nothing'));
    },
    { ignored: (name) => name.endsWith('skip') },
  ));

const asRoot = process.getuid?.() === 0 ? false : 'needs root, to become somebody who may not read every folder';
test('a list passes over a folder below that may not be read, and fails for the one that was asked for', { skip: asRoot }, () =>
  withWorkspace(async ({ workspace, put, root, at }) => {
    for (const name of ['a', 'closed/secret', 'mod/inner/data', 'mod/z', 'z']) put(name);
    const folder = path.dirname(root);
    for (const name of ['', ...(fs.readdirSync(folder, { recursive: true }) as string[])])
      fs.chownSync(path.join(folder, name), 65534, 65534);
    for (const name of ['closed', 'mod/inner']) {
      fs.chownSync(at(name), 0, 0);
      fs.chmodSync(at(name), 0o700);
    }
    process.seteuid?.(65534);
    try {
      const paths = async (where: string): Promise<string[]> => (await listed(workspace, where)).map((entry) => entry.path);
      assert.deepEqual(await paths(''), ['a', 'closed', 'mod', 'z', 'mod/inner', 'mod/z']);
      assert.deepEqual(await paths('mod'), ['mod/inner', 'mod/z']);
      await fails('FILE_PERMISSION', () => listed(workspace, 'mod/inner'), /^mod\/inner /);
    } finally {
      process.seteuid?.(0);
    }
  }),
);
