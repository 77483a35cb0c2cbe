import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, test } from 'node:test';
import { Containment } from './containment.ts';
import { unmounted, withSmallDisk } from '../../../test/kit/small-disk.ts';
import { cause, fails, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';

const limit = 1e6;

for (const byDescriptor of [true, false]) {
  describe(byDescriptor ? 'paths checked by descriptor' : 'paths checked by name, as where there is no /proc', () => {
    const withFolder = (run: (harness: Harness) => Promise<void> | void): Promise<void> => withWorkspace(run, { byDescriptor });

    test('the way asked for is taken', () =>
      withFolder(({ workspace }) => {
        assert.equal(workspace.containment.byDescriptor, byDescriptor && process.platform === 'linux');
      }));

    test('links inside are followed: at the end, in the middle, in chains, and to the folder above', () =>
      withFolder(async ({ workspace, at, put, read }) => {
        put('a/b/file', 'text');
        const links: [name: string, target: string][] = [
          ['to-file', 'a/b/file'],
          ['absolute', at('a/b/file')],
          ['to-folder', 'a'],
          ['a/up', '..'],
          ['chain', 'to-folder/b/../../to-file'],
          ['a/b/sibling', 'file'],
          ['self/', '.'],
        ];
        for (const [name, target] of links) fs.symlinkSync(target, at(name.replace(/\/$/, '')));
        for (const name of ['to-file', 'absolute', 'to-folder/b/file', 'a/up/a/b/file', 'chain', 'a/b/sibling', 'self/to-file']) {
          assert.equal(Buffer.from((await workspace.read(name, limit)).bytes).toString(), 'text', name);
          assert.equal(workspace.realPath(name), 'a/b/file', name);
        }
        await workspace.write('chain', Buffer.from('new'), { cause });
        assert.equal(read('a/b/file'), 'new');
        assert.ok(fs.lstatSync(at('chain')).isSymbolicLink(), 'the link itself stays');
        assert.ok(fs.lstatSync(at('to-file')).isSymbolicLink());
      }));

    test('links that lead out are refused in every operation, and nothing outside is touched', () =>
      withFolder(async ({ workspace, at, put, outside }) => {
        put('a/file');
        fs.writeFileSync(path.join(outside, 'secret'), 'secret');
        fs.mkdirSync(path.join(outside, 'folder'));
        const links: [name: string, target: string][] = [
          ['out', path.join(outside, 'secret')],
          ['out-relative', '../outside/secret'],
          ['out-folder', outside],
          ['chain', 'out-relative'],
          ['new-outside', path.join(outside, 'new')],
          ['proc', '/proc/self/root/etc'],
          ['above', '..'],
          ['a/above', '../..'],
        ];
        for (const [name, target] of links) fs.symlinkSync(target, at(name));
        const before = fs.statSync(path.join(outside, 'secret'));
        const files = [
          'out',
          'out-relative',
          'chain',
          'new-outside',
          'out-folder/secret',
          'out-folder/new',
          'proc/passwd',
          'above/outside/secret',
          'a/above/outside/secret',
        ];
        for (const name of files) {
          await fails('PATH_ESCAPES', () => workspace.read(name, limit));
          await fails('PATH_ESCAPES', () => workspace.open(name));
          await fails('PATH_ESCAPES', () => workspace.write(name, Buffer.from('x'), { cause }));
        }
        for (const name of files.filter((one) => one.includes('/'))) {
          await fails('PATH_ESCAPES', () => workspace.entry(name));
          await fails('PATH_ESCAPES', () => workspace.remove(name, true, { cause }));
          await fails('PATH_ESCAPES', () => workspace.move(name, 'here', { overwrite: true, parents: true, cause }));
          await fails('PATH_ESCAPES', () => workspace.move('a/file', name, { overwrite: true, parents: true, cause }));
          await fails('PATH_ESCAPES', () => workspace.copy('a/file', name, { overwrite: true, parents: true, cause }));
          await fails('PATH_ESCAPES', () => workspace.mkdir(`${name}/x`, true, cause));
        }
        for (const name of ['out-folder', 'above', 'a/above']) {
          await fails('PATH_ESCAPES', async () => {
            for await (const entry of workspace.list(name, false, () => true)) assert.fail(entry.path);
          });
          await fails('PATH_ESCAPES', () => workspace.mkdir(name, true, cause));
        }
        for await (const entry of workspace.list('', true, () => true)) assert.doesNotMatch(entry.path, /secret/);
        assert.deepEqual(fs.readdirSync(outside).sort(), ['folder', 'secret']);
        assert.deepEqual(fs.statSync(path.join(outside, 'secret')), before);
        // The link itself is inside: it may be looked at, moved and removed.
        assert.equal(workspace.entry('out')?.kind, 'symlink');
        await workspace.move('out', 'moved', { overwrite: false, parents: true, cause });
        await workspace.remove('moved', false, { cause });
        assert.ok(fs.existsSync(path.join(outside, 'secret')));
      }));

    test('beyond a link that leads out, nobody is told whether something is there', () =>
      withFolder(async ({ workspace, at, put, outside }) => {
        put('a/file');
        fs.mkdirSync(path.join(outside, 'folder'));
        for (const [name, target] of [
          ['there', path.join(outside, 'folder')],
          ['gone', path.join(outside, 'none')],
          ['gone-deep', path.join(outside, 'none/deep')],
          ['gone-relative', '../outside/none'],
          ['chain', 'gone-relative'],
          ['a/above', '../../none'],
          ['long', `${outside}/${'x'.repeat(300)}`],
        ] as const)
          fs.symlinkSync(target, at(name));
        const told = async (work: () => unknown): Promise<string> => {
          try {
            await work();
            return 'nothing';
          } catch (error) {
            return (error as Error).message;
          }
        };
        for (const name of ['there', 'gone', 'gone-deep', 'gone-relative', 'chain', 'a/above', 'long'])
          for (const wirePath of [`${name}/x`, `${name}/x/y`]) {
            for (const work of [
              () => workspace.entry(wirePath),
              () => workspace.realPath(wirePath),
              () => workspace.read(wirePath, limit),
              () => workspace.write(wirePath, Buffer.from('x'), { cause }),
              () => workspace.mkdir(wirePath, true, cause),
              () => workspace.remove(wirePath, true, { cause }),
            ])
              assert.match(await told(work), /leads out of the workspace/, `${wirePath}: ${work}`);
            assert.equal(await told(() => workspace.realPath(wirePath)), `${wirePath} leads out of the workspace.`);
          }
        // A link to what is not there inside says so.
        fs.symlinkSync('a/none', at('inside'));
        await fails('FILE_NOT_FOUND', () => workspace.read('inside/x', limit));
        assert.deepEqual(fs.readdirSync(outside), ['folder']);
      }));

    test('loops end, and dangling links inside are made by a write', () =>
      withFolder(async ({ workspace, at, read }) => {
        fs.symlinkSync('b', at('a'));
        fs.symlinkSync('a', at('b'));
        fs.symlinkSync('self/x', at('self'));
        for (const name of ['a', 'b', 'self', 'a/x']) await fails('PATH_ESCAPES', () => workspace.read(name, limit));
        fs.symlinkSync('not/yet', at('dangling'));
        await fails('FILE_NOT_FOUND', () => workspace.read('dangling', limit));
        fs.symlinkSync('not-yet', at('near'));
        await workspace.write('near', Buffer.from('made'), { cause });
        assert.equal(read('not-yet'), 'made');
      }));

    test('names that mean something elsewhere are only names here', () =>
      withFolder(async ({ workspace, at, told }) => {
        const names = [
          ' ',
          'a b',
          '-rf',
          'new\nline',
          '😀',
          '?#%2e%2e',
          'back\\slash',
          '..\\x',
          '~',
          '$HOME',
          '*',
          ' (deleted)',
          'x (deleted)',
          `${'é'.repeat(127)}x`,
          'x'.repeat(255),
          '...',
          '__proto__',
        ];
        for (const name of names) {
          const file = `${name}/${name}`;
          await workspace.write(file, Buffer.from(name), { cause });
          assert.equal(fs.readFileSync(at(file), 'utf8'), name);
          assert.equal(Buffer.from((await workspace.read(file, limit)).bytes).toString(), name);
        }
        const listed: string[] = [];
        for await (const entry of workspace.list('', true, () => true)) if (entry.kind === 'file') listed.push(entry.name);
        assert.deepEqual(listed.toSorted(), names.toSorted());
        for (const name of names) await workspace.remove(name, true, { cause });
        assert.deepEqual(fs.readdirSync(at('')), []);
        assert.equal(told().length, names.length * 4);
        await fails('NAME_TOO_LONG', () => workspace.write('y'.repeat(256), Buffer.from(''), { cause }));
      }));

    test('pipes, sockets and devices are refused at once, without being opened', () =>
      withFolder(async ({ workspace, at }) => {
        execFileSync('mkfifo', [at('pipe')]);
        const server = net.createServer().listen(at('socket'));
        const made = ['pipe', 'socket'];
        try {
          // Only root may; elsewhere a link to one is outside anyway.
          execFileSync('mknod', [at('device'), 'c', '1', '5'], { stdio: 'ignore' });
          made.push('device');
        } catch {
          // Said by the names that were looked at.
        }
        for (const name of made) {
          await fails('NOT_A_FILE', () => workspace.read(name, limit));
          await fails('NOT_A_FILE', () => workspace.open(name));
          await fails('NOT_A_FILE', () => workspace.write(name, Buffer.from('x'), { cause }));
          await fails('NOT_A_FILE', () => workspace.copy(name, 'copy', { overwrite: false, parents: true, cause }));
          assert.equal(workspace.entry(name)?.kind, 'other');
        }
        fs.symlinkSync('pipe', at('to-pipe'));
        await fails('NOT_A_FILE', () => workspace.read('to-pipe', limit));
        for (const name of made) await workspace.remove(name, false, { cause });
        server.close();
      }));

    test('a folder that was deleted is gone in every call, and is served again when it is back', () =>
      withFolder(async ({ workspace, root, put, told }) => {
        put('a/b');
        fs.rmSync(root, { recursive: true });
        const gone = [
          () => workspace.read('a/b', limit),
          () => workspace.write('a/b', Buffer.from(''), { cause }),
          () => workspace.write('new', Buffer.from(''), { cause }),
          () => workspace.mkdir('x', true, cause),
          () => workspace.remove('a', true, { cause }),
          () => workspace.move('a', 'c', { overwrite: false, parents: true, cause }),
          () => workspace.copy('a', 'c', { overwrite: false, parents: true, cause }),
          () => workspace.entry('a'),
          () => workspace.realPath('a/b'),
          async () => {
            for await (const entry of workspace.list('', true, () => true)) assert.fail(entry.path);
          },
        ];
        for (const work of gone) await fails('WORKSPACE_GONE', work);
        assert.deepEqual(told(), []);
        assert.deepEqual(workspace.noticed([{ path: 'a/b', kind: 'file', what: 'changed', size: 0, mtimeMs: 0, ino: 0, hash: 'x' }]), []);
        fs.mkdirSync(root);
        await workspace.write('a/b', Buffer.from('back'), { cause });
        assert.deepEqual(told(), ['created a', 'created a/b']);
      }));

    test('where all of the machine is the folder, paths begin at its root', () =>
      withFolder(async ({ workspace, at, put }) => {
        put('a/b/file');
        for (const [name, target] of [
          ['to-b', 'a/b'],
          ['dangling', 'not/there'],
          ['absolute', at('not/there')],
        ] as const)
          fs.symlinkSync(target, at(name));
        const all = new Containment('/', { byDescriptor: workspace.containment.byDescriptor });
        const of = (name: string): string => at(name).slice(1);
        for (const [asked, place] of [
          ['a', 'a'],
          ['a/b/file', 'a/b/file'],
          ['to-b/file', 'a/b/file'],
          ['to-b/none/more', 'a/b/none/more'],
          ['dangling/more', 'not/there/more'],
          ['absolute', 'not/there'],
        ] as const)
          assert.equal(all.realPath(of(asked)), of(place));
        assert.equal(all.realPath('not-there-at-all/a/b'), 'not-there-at-all/a/b');
      }));

    test('a way of 2,000 folders that are not there is named in a moment, wherever it ends (long form)', () =>
      withFolder(async ({ workspace, at, put, outside }) => {
        const names = (count: number): string => 'd/'.repeat(count);
        put('a/b/file');
        fs.mkdirSync(path.join(at('half'), names(800)), { recursive: true });
        for (const [name, target] of [
          ['to-b', 'a/b'],
          ['dangling', `a/${names(100)}x`],
          ['out', outside],
          ['out-dangling', `${outside}/${names(100)}x`],
        ] as const)
          fs.symlinkSync(target, at(name));
        const started = threadMs();
        const deep = `${names(1900)}f`;
        for (const [asked, place] of [
          [deep, deep],
          [`to-b/${deep}`, `a/b/${deep}`],
          [`to-b/file/${deep}`, `a/b/file/${deep}`],
          [`dangling/${deep}`, `a/${names(100)}x/${deep}`],
          [`half/${deep}`, `half/${deep}`],
        ] as const)
          assert.equal(workspace.realPath(asked), place);
        for (const asked of [`out/${deep}`, `out-dangling/${deep}`]) await fails('PATH_ESCAPES', () => workspace.realPath(asked));
        await fails('FILE_NOT_FOUND', () => workspace.read(deep, limit));
        const took = threadMs() - started;
        assert.ok(took < 2000, `${Math.round(took)} ms`);
      }));

    test('no descriptor is left open, whatever the outcome', { skip: process.platform !== 'linux' }, () =>
      withFolder(async ({ workspace, at, put }) => {
        put('a/file');
        fs.symlinkSync('/etc/passwd', at('out'));
        await workspace.write('warm', Buffer.from('up'), { cause });
        const count = (): number => fs.readdirSync('/proc/self/fd').length;
        const before = count();
        for (const name of ['a/file', 'a', 'out', 'missing/x', 'missing', 'a/file/x']) {
          await workspace.read(name, limit).catch(() => {});
          await workspace.write(name, Buffer.from('x'), { cause, parents: false }).catch(() => {});
          await workspace.move(name, 'a/file/y', { overwrite: false, parents: false, cause }).catch(() => {});
          await workspace.remove(name, false, { cause, ifMatch: '"no"' }).catch(() => {});
          const opened = await workspace.open(name).catch(() => undefined);
          if (opened === undefined) continue;
          fs.closeSync(opened.descriptor);
          opened.release();
        }
        assert.equal(count(), before);
      }),
    );
  });
}

test('a folder that this user may not read is not served', (context) =>
  withWorkspace(({ root }) => {
    context.mock.method(fs, 'accessSync', () => {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    });
    assert.throws(() => new Containment(root), {
      reason: 'FILE_PERMISSION',
      message: `The folder ${root} is refused by the operating system.`,
    });
  }));

test('a volume that is unmounted is gone: nothing is written beneath it, and its files are there when it is back', (context) =>
  withSmallDisk(context, 1024, async (at) => {
    fs.writeFileSync(path.join(at, 'file'), 'kept');
    const containment = new Containment(at);
    const read = (): string => {
      using place = containment.place('file', true);
      return fs.readFileSync(place.at, 'utf8');
    };
    assert.equal(read(), 'kept');
    {
      using disk = unmounted(at);
      assert.deepEqual(fs.readdirSync(at), []);
      assert.equal(containment.exists(), false);
      await fails('WORKSPACE_GONE', read);
      await fails('WORKSPACE_GONE', () => containment.place('new', false));
      await fails('WORKSPACE_GONE', () => containment.directory(''));
      disk.mountAgain();
    }
    assert.equal(containment.exists(), true);
    assert.equal(read(), 'kept');
  }));

test('a folder opened before it was moved out of the workspace is noticed before anything is put there', () =>
  withWorkspace(({ workspace, at, put, outside }) => {
    put('a/file');
    using place = workspace.containment.place('a/file', false);
    fs.renameSync(at('a'), path.join(outside, 'a'));
    assert.throws(() => place.recheck(), { reason: 'PATH_ESCAPES' });
  }));

test('to begin with a folder costs the same however many names are in it', () =>
  withWorkspace(({ at }) => {
    fs.mkdirSync(at('many'));
    for (let index = 0; index < 10_000; index++) fs.symlinkSync('x', at(`many/${index}`));
    const before = threadMs();
    for (let count = 0; count < 50; count++) assert.equal(new Containment(at('many')).byDescriptor, process.platform === 'linux');
    const taken = threadMs() - before;
    assert.ok(taken < 100, `${taken} ms`);
  }));

test('the root is told apart from a neighbour whose name begins alike', () =>
  withWorkspace(async ({ workspace, root, at }) => {
    fs.mkdirSync(`${root}-secret`);
    fs.writeFileSync(`${root}-secret/x`, 'x');
    fs.symlinkSync(`${root}-secret`, at('link'));
    await fails('PATH_ESCAPES', () => workspace.read('link/x', limit));
    await fails('NOT_A_DIRECTORY', () => new Containment(`${root}-secret/x`));
    await fails('WORKSPACE_GONE', () => new Containment(`${root}-nothing`));
  }));
