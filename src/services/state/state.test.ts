import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { unmounted, withSmallDisk } from '../../../test/kit/small-disk.ts';
import { STATE_HINT, stateHeldFrom, State, type StateOptions, workspaceId } from './state.ts';

async function withFolder(run: (open: (options?: Partial<StateOptions>) => State, folder: string) => void | Promise<void>): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-state-')));
  const root = path.join(folder, 'root');
  fs.mkdirSync(root);
  const opened: State[] = [];
  const open = (options: Partial<StateOptions> = {}): State => {
    const state = new State({ root, folder: path.join(folder, 'state'), temporary: path.join(folder, 'tmp'), ...options });
    opened.push(state);
    return state;
  };
  try {
    await run(open, folder);
  } finally {
    for (const state of opened) state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const mode = (file: string): string => (fs.statSync(file).mode & 0o777).toString(8);
const asRoot = process.getuid?.() === 0;

describe('the folder of the state', () => {
  test('is private, and keeps what was put there', () =>
    withFolder((open, folder) => {
      const first = open();
      first.set('a', '1');
      first.set('a', '2');
      assert.equal(mode(path.join(folder, 'state')), '700');
      first.close();
      first.close();
      assert.equal(open().get('a'), '2');
    }));

  test('is below the home of states, else below the temporary folder, which is said', () =>
    withFolder((open, folder) => {
      const id = workspaceId(path.join(folder, 'root'));
      const home = open({ folder: undefined, stateHome: path.join(folder, 'home') });
      assert.deepEqual([home.folder, home.ephemeral], [path.join(folder, 'home', 'outrigger', id), false]);
      home.close();
      fs.writeFileSync(path.join(folder, 'no-folder'), '');
      for (const stateHome of [undefined, path.join(folder, 'no-folder'), path.join(folder, 'root', '.local')]) {
        const fallen = open({ folder: undefined, stateHome });
        assert.equal(fallen.ephemeral, true, stateHome);
        assert.equal(path.basename(fallen.folder), id);
        assert.deepEqual([mode(fallen.folder), mode(path.dirname(fallen.folder))], ['700', '700']);
        fallen.close();
      }
      assert.deepEqual(fs.readdirSync(path.join(folder, 'root')), []);
    }));

  test('that was asked for and can not be used is an error that names the option', () =>
    withFolder((open, folder) => {
      fs.writeFileSync(path.join(folder, 'file'), '');
      fs.mkdirSync(path.join(folder, 'shared'));
      fs.chmodSync(path.join(folder, 'shared'), 0o1777);
      fs.symlinkSync(path.join(folder, 'root'), path.join(folder, 'link'));
      const cases = [
        ['file', /option state/],
        ['root/.state', /lies in the workspace/],
        ['link/deep/state', /lies in the workspace/],
        ['root', /lies in the workspace/],
        ['shared', /shared with other users/],
        ['/proc/nothing/deep', /can't be used/],
      ] as const;
      for (const [name, message] of cases) {
        assert.throws(
          () => open({ folder: path.resolve(folder, name) }),
          (error: Error & { details?: unknown; hint?: string }) => {
            assert.match(error.message, message);
            assert.deepEqual(error.details, { option: 'state' });
            assert.match(error.hint ?? '', /outside of the workspace/);
            return true;
          },
        );
      }
      assert.equal((fs.statSync(path.join(folder, 'shared')).mode & 0o7777).toString(8), '1777', 'left as it was');
      assert.deepEqual(fs.readdirSync(path.join(folder, 'root')), []);
      open({ folder: path.join(folder, 'root-state') });
    }));

  test('of somebody else in the temporary folder is not trusted', { skip: asRoot ? false : 'only root may give a folder away' }, () =>
    withFolder((open, folder) => {
      const shared = path.join(folder, 'tmp', `outrigger-${process.getuid?.()}`);
      fs.mkdirSync(shared, { recursive: true });
      fs.chownSync(shared, 12_345, 12_345);
      assert.throws(() => open({ folder: undefined }), /belongs to user 12345/);
    }),
  );

  test('is the same by whatever path the workspace is named', () =>
    withFolder((_open, folder) => {
      fs.symlinkSync('root', path.join(folder, 'alias'));
      assert.equal(workspaceId(path.join(folder, 'alias')), workspaceId(`${folder}/x/../root/`.replace('x/../', '')));
    }));
});

describe('a database', () => {
  test('that is broken is kept aside, and a fresh one takes its place', () =>
    withFolder((open, folder) => {
      const file = path.join(folder, 'state', 'state.db');
      const garbage = Buffer.alloc(8192, 'garbage ');
      open().close();
      fs.writeFileSync(file, garbage);
      const fresh = open();
      assert.equal(fresh.get('a'), undefined);
      fresh.set('a', '1');
      const aside = fs.readdirSync(path.join(folder, 'state')).filter((name) => name.startsWith('state.db.corrupt-'));
      assert.equal(aside.length, 1);
      assert.deepEqual(fs.readFileSync(path.join(folder, 'state', aside[0] ?? '')), garbage);
    }));

  test('that is torn anywhere does not keep the sidecar from starting, twice', () =>
    withFolder((open, folder) => {
      const file = path.join(folder, 'state', 'state.db');
      const first = open();
      for (let n = 0; n < 500; n++) first.set(`name ${n}`, 'x'.repeat(100));
      first.close();
      const whole = fs.readFileSync(file);
      for (let page = 0; page < whole.length / 4096; page++) {
        const torn = Buffer.from(whole);
        torn.fill(0xaa, page * 4096, page * 4096 + 4096);
        for (const name of fs.readdirSync(path.dirname(file)))
          if (name.startsWith('state.db')) fs.rmSync(path.join(path.dirname(file), name));
        fs.writeFileSync(file, torn);
        for (const round of [1, 2]) {
          const state = open();
          state.set('name 1', 'new');
          assert.equal(state.get('name 1'), 'new', `page ${page}, start ${round}`);
          state.statement('SELECT max(revision) FROM changes').get();
          state.close();
        }
      }
    }));

  test('of a newer version is refused, says so, and is left alone; the lock is free again', () =>
    withFolder((open, folder) => {
      const file = path.join(folder, 'state', 'state.db');
      open().close();
      const database = new DatabaseSync(file);
      database.exec('PRAGMA user_version = 99');
      database.close();
      for (let n = 0; n < 2; n++)
        assert.throws(() => open(), { reason: 'STATE_TOO_NEW', message: /schema 99/, details: { option: 'state' } });
      fs.rmSync(file);
      assert.equal(open().writable, true);
    }));

  test('of a version that did not note how a document stands in its file keeps its documents, and the other way around', () =>
    withFolder((open, folder) => {
      open().close();
      const database = new DatabaseSync(path.join(folder, 'state', 'state.db'));
      database.exec('ALTER TABLE texts DROP COLUMN format');
      const insert = "INSERT INTO texts(path, life, base, sequence, saved_hash, saved_text, used) VALUES(?, 1, x'00', 0, '', NULL, 0)";
      database.prepare(insert).run('before.txt');
      database.close();
      for (let n = 0; n < 2; n++) {
        const state = open();
        state.statement(insert).run(`after-${n}.txt`);
        state.close();
      }
      const state = open();
      const rows = state.statement('SELECT path, format FROM texts ORDER BY id').all();
      assert.deepEqual(
        rows.map((row) => Object.values(row)),
        ['before.txt', 'after-0.txt', 'after-1.txt'].map((name) => [name, null]),
      );
    }));

  test('opens a database of its own for what must not be lost: synced at each commit, closed with it, in memory for a second sidecar', () =>
    withFolder((open, folder) => {
      const file = path.join(folder, 'state', 'tasks.db');
      const state = open();
      const database = state.openDurable('tasks');
      assert.deepEqual(
        ['synchronous', 'journal_mode'].map((name) => Object.values(database.prepare(`PRAGMA ${name}`).get() as object)[0]),
        [2, 'wal'],
      );
      database.exec('CREATE TABLE a(b); INSERT INTO a VALUES(1)');
      const other = open();
      assert.throws(() => other.openDurable('tasks').prepare('SELECT b FROM a'), /no such table/);
      other.close();
      state.close();
      assert.equal(database.isOpen, false);
      const again = open();
      assert.deepEqual({ ...again.openDurable('tasks').prepare('SELECT b FROM a').get() }, { b: 1 });
      again.close();
      fs.writeFileSync(file, 'this is no database, and it is longer than a header of one would be'.repeat(100));
      open().openDurable('tasks').exec('CREATE TABLE a(b)');
      assert.ok(fs.readdirSync(path.dirname(file)).some((name) => name.startsWith('tasks.db.corrupt-')));
    }));

  test('takes a transaction whole or not at all', () =>
    withFolder((open) => {
      const state = open();
      assert.throws(
        () =>
          state.transaction(() => {
            state.set('a', '1');
            throw new Error('no');
          }),
        /no/,
      );
      assert.equal(state.get('a'), undefined);
    }));
});

describe('on a full disk', () => {
  const full = { reason: 'DISK_FULL', message: 'The disk of the state is full.', hint: STATE_HINT };

  test('a statement and a transaction say so; what is there can be read, and other errors stay what they are', () =>
    withFolder((open) => {
      const state = open();
      state.set('a', '1');
      // Not smaller than it is: there is no room for another page.
      state.database.exec('PRAGMA max_page_count = 1');
      const large = 'x'.repeat(20_000);
      assert.throws(() => state.set('b', large), full);
      assert.throws(() => state.transaction(() => state.set('b', large)), full);
      assert.deepEqual([state.get('a'), state.get('b')], ['1', undefined]);
      assert.throws(() => state.statement('INSERT INTO facts(name, value) VALUES(?, ?)').run('a', '2'), /UNIQUE constraint failed/);
    }));

  test('a file beside it that is replaced stays as it was, and a state that can not be opened says so; its locks are free again', (context) =>
    withSmallDisk(context, 1024, async (at) => {
      await withFolder((open) => {
        const options = { folder: path.join(at, 'state') };
        const state = open(options);
        state.writeFile('token', 'old');
        fs.writeFileSync(path.join(at, 'spare'), Buffer.alloc(4096));
        const filler = fs.openSync(path.join(at, 'filler'), 'w');
        try {
          for (;;) fs.writeSync(filler, Buffer.alloc(4096));
        } catch {
          fs.closeSync(filler);
        }
        assert.throws(() => state.writeFile('token', 'new'.repeat(3000)), full);
        assert.equal(fs.readFileSync(path.join(at, 'state/token'), 'utf8'), 'old');
        assert.deepEqual(
          fs.readdirSync(path.join(at, 'state')).filter((name) => name.includes('.new')),
          [],
        );
        state.close();
        for (let round = 0; round < 2; round++) assert.throws(() => open(options), full);
        fs.rmSync(path.join(at, 'filler'));
        const again = open(options);
        assert.equal(again.writable, true);
        again.close();
      });
    }));
});

describe('a state that was asked for, of another workspace', () => {
  const refused = { reason: 'STATE_TAKEN', message: /is of the workspace .*root, which is still there/, details: { option: 'state' } };
  const another = (folder: string): string => {
    const other = path.join(folder, 'other');
    fs.mkdirSync(other);
    return other;
  };

  test('is refused while that one is there, and stays what it was; its lock is free again', () =>
    withFolder((open, folder) => {
      open().close();
      const other = another(folder);
      for (let n = 0; n < 2; n++) assert.throws(() => open({ root: other }), refused);
      assert.equal(open({ root: other, passive: true }).writable, false);
      assert.equal(open().writable, true);
    }));

  test('is refused while a sidecar of that one has it, which goes on', () =>
    withFolder((open, folder) => {
      const first = open();
      const other = another(folder);
      assert.throws(() => open({ root: other }), refused);
      const second = open();
      assert.deepEqual([first.writable, second.writable], [true, false]);
      first.set('still', 'here');
      second.close();
      first.close();
      assert.equal(open().get('still'), 'here');
    }));

  test('is taken where that one is gone, or is not what it was', () =>
    withFolder((open, folder) => {
      const other = another(folder);
      const root = path.join(folder, 'root');
      open().close();
      fs.rmdirSync(root);
      open({ root: other }).close();
      fs.mkdirSync(root);
      assert.throws(() => open(), { message: /is of the workspace .*other, which/ });
      fs.renameSync(other, `${other}-kept`);
      fs.mkdirSync(other);
      open().close();
    }));

  test('goes with a workspace that moves; a copy of it is of who comes first', () =>
    withFolder((open, folder) => {
      const root = path.join(folder, 'root');
      const moved = path.join(folder, 'moved');
      open().close();
      fs.renameSync(root, moved);
      fs.mkdirSync(root);
      open({ root: moved }).close();

      const copy = path.join(folder, 'copy-of-state');
      fs.cpSync(path.join(folder, 'state'), copy, { recursive: true });
      open({ root, folder: copy }).close();
      open({ root, folder: copy }).close();
      assert.throws(() => open({ root: moved, folder: copy }), refused);
    }));

  test('of a version that did not note whose it is, is of who comes first', () =>
    withFolder((open, folder) => {
      const first = open();
      first.statement('DELETE FROM facts').run();
      first.close();
      const other = another(folder);
      open({ root: other }).close();
      assert.throws(() => open(), { message: /is of the workspace .*other, which/ });
    }));
});

describe('a state that goes while it is held', () => {
  const why = 'its state was removed or replaced while it ran.';

  test('says so, and takes and removes nothing more by name: who comes next has the folder for itself', () =>
    withFolder((open, folder) => {
      const options = { folder: undefined, stateHome: path.join(folder, 'home') };
      const first = open(options);
      first.look();
      assert.equal(first.lost, undefined);
      fs.rmSync(first.folder, { recursive: true });
      const second = open(options);
      second.writeFile('token', 'of the second');
      first.look();
      assert.deepEqual([first.lost, second.lost], [why, undefined]);
      assert.throws(() => first.writeFile('token', 'of the first'), { reason: 'READ_ONLY' });
      first.removeFile('token');
      first.close();
      assert.equal(fs.readFileSync(path.join(second.folder, 'token'), 'utf8'), 'of the second');
      second.look();
      assert.deepEqual([second.writable, second.lost, open(options).writable], [true, undefined, false]);
    }));

  for (const [what, file] of [
    ['database', 'state/state.db'],
    ['lock', 'state/lock.db'],
    ['lock of the usual place', 'home/outrigger/ID/lock.db'],
  ] as const)
    test(`is noticed within seconds by its ${what}, told of once, and stays lost`, (t) =>
      withFolder((open, folder) => {
        t.mock.timers.enable({ apis: ['setInterval'] });
        const told: string[] = [];
        const state = open({ stateHome: path.join(folder, 'home'), onLost: (said) => told.push(said) });
        const at = path.join(folder, file.replace('ID', state.id));
        fs.renameSync(at, `${at}-aside`);
        t.mock.timers.tick(5000);
        fs.renameSync(`${at}-aside`, at);
        t.mock.timers.tick(5000);
        assert.deepEqual([state.lost, told], [why, [why]]);
      }));
});

describe('a workspace that was a volume', () => {
  test('is refused while the volume is away, whatever lies below it, and is as it was when it is back', (context) =>
    withSmallDisk(context, 1024, (root) =>
      withFolder((open) => {
        const first = open({ root });
        first.set('kept', 'yes');
        first.close();
        {
          using disk = unmounted(root);
          const gone = { reason: 'WORKSPACE_GONE', message: /^The volume .* is not mounted/, hint: /Mount it.* option `state`/ };
          for (let n = 0; n < 2; n++) assert.throws(() => open({ root }), gone);
          fs.writeFileSync(path.join(root, 'file'), '');
          assert.throws(() => open({ root }), gone);
          fs.rmSync(path.join(root, 'file'));
          open({ root, folder: `${root}-state` }).close();
          fs.rmSync(`${root}-state`, { recursive: true });
          disk.mountAgain();
        }
        const again = open({ root });
        assert.deepEqual([again.writable, again.get('kept')], [true, 'yes']);
      }),
    ));
});

describe('the folder of a part', () => {
  const foldersOf = (folder: string): string[] => fs.readdirSync(path.join(folder, 'state')).filter((name) => name.startsWith('part'));

  test('is kept for who holds the folder; others have each their own, gone with them', () =>
    withFolder((open, folder) => {
      const holder = open();
      assert.equal(holder.partFolder('part'), path.join(folder, 'state', 'part'));
      const others = [open(), open({ passive: true })];
      const own = others.map((other) => other.partFolder('part'));
      assert.equal(new Set([...own, holder.partFolder('part')]).size, 3);
      for (const one of own) {
        assert.equal(mode(one), '700');
        fs.writeFileSync(path.join(one, 'file'), '');
      }
      for (const other of others) other.close();
      assert.deepEqual(foldersOf(folder), ['part']);
    }));

  test('goes at the next start where its sidecar was killed, and stays where that lives, whoever has its number', () =>
    withFolder(async (open, folder) => {
      const program = `
        import { State } from ${JSON.stringify(path.join(import.meta.dirname, 'state.ts'))};
        globalThis.state = new State(${JSON.stringify({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder, passive: true })});
        console.log(state.partFolder('part'));
        setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
      const [printed] = (await once(child.stdout, 'data')) as [Buffer];
      const own = printed.toString().trim();
      const first = open();
      first.partFolder('part');
      assert.ok(fs.existsSync(own));
      first.close();
      child.kill('SIGKILL');
      await once(child, 'exit');
      // Of versions that did not lock them: who wrote there may run elsewhere, under any number.
      const [old, fresh] = ['part-4000001', 'part-4000002'].map((name) => path.join(folder, 'state', name)) as [string, string];
      for (const one of [old, fresh]) fs.mkdirSync(one);
      fs.utimesSync(old, 1, 1);
      fs.mkdirSync(path.join(folder, 'state', 'partial'));
      open().partFolder('part');
      assert.deepEqual(foldersOf(folder), ['part', 'part-4000002', 'partial']);
    }));
});

describe('the lock', () => {
  test('lets one write; the next is told who does, and keeps what it must in memory', () =>
    withFolder((open, folder) => {
      const first = open();
      first.set('a', '1');
      const second = open();
      assert.deepEqual([first.writable, second.writable], [true, false]);
      assert.match(second.holder ?? '', new RegExp(`process ${process.pid}, since `));
      second.set('a', '2');
      assert.equal(first.get('a'), '1');
      first.close();
      second.close();
      assert.equal(open().writable, true);
      assert.ok(fs.existsSync(path.join(folder, 'state', 'state.db')));
    }));

  test('holds between a state that lies elsewhere and one in the usual place, whichever came first, and leaves nothing there', () =>
    withFolder((open, folder) => {
      const stateHome = path.join(folder, 'home');
      const usual = path.join(stateHome, 'outrigger', workspaceId(path.join(folder, 'root')));
      const elsewhere = open({ stateHome });
      assert.equal(elsewhere.folder, path.join(folder, 'state'));
      assert.equal(stateHeldFrom(usual), elsewhere.folder);
      const others = [open({ folder: undefined, stateHome }), open({ folder: path.join(folder, 'third'), stateHome })];
      assert.deepEqual(
        [elsewhere, ...others].map((state) => state.writable),
        [true, false, false],
      );
      for (const other of others) assert.match(other.holder ?? '', new RegExp(`process ${process.pid}, since `));
      for (const state of [...others, elsewhere]) state.close();
      assert.ok(!fs.existsSync(usual), 'nothing was kept there');

      const first = open({ folder: undefined, stateHome });
      first.set('a', '1');
      assert.equal(stateHeldFrom(usual), usual);
      const late = open({ stateHome });
      assert.equal(late.writable, false);
      late.close();
      first.close();
      const again = open({ stateHome });
      assert.equal(again.writable, true);
      again.close();
      assert.equal(open({ folder: undefined, stateHome }).get('a'), '1', 'what others keep there stays');
    }));

  test('ends with its process, however that ends', () =>
    withFolder(async (open, folder) => {
      const program = `
        import { State } from ${JSON.stringify(path.join(import.meta.dirname, 'state.ts'))};
        globalThis.state = new State(${JSON.stringify({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder })});
        console.log('held');
        setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      const second = open();
      assert.equal(second.writable, false);
      assert.match(second.holder ?? '', new RegExp(`process ${child.pid}`));
      second.close();
      child.kill('SIGKILL');
      await once(child, 'exit');
      assert.equal(open().writable, true);
    }));
});
