import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { files as table } from '../../contract/files.ts';
import type { Asked, Call, Output } from '../../contract/operation.ts';
import type { BatchFailure } from './batch-plan.ts';
import { hashBytes } from './content.ts';
import { fileOperations } from './operations.ts';
import type { WorkspaceOptions } from './workspace.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { withSmallDisk } from '../../../test/kit/small-disk.ts';
import { call, cause, fails, type Harness, openWorkspace, withWorkspace } from '../../../test/kit/workspace-harness.ts';

const MB = 1024 * 1024;
const etag = (text: string | Uint8Array): string => `"${hashBytes(text)}"`;

type Batch = Asked<(typeof table)['files.batch']>;
type Answer = Output<(typeof table)['files.batch']>;
type Run = (changes: Batch['changes'], facts?: Partial<Batch>, who?: Partial<Call>) => Promise<Answer>;

function withBatches(
  run: (batch: Run, harness: Harness & { tree(): Record<string, string> }) => Promise<void>,
  options: Partial<WorkspaceOptions> & { folder?: string } = {},
): Promise<void> {
  return withWorkspace(async (harness) => {
    const operations = fileOperations(harness.workspace, { maxTextBytes: MB, maxUploadBytes: MB });
    const tree = (): Record<string, string> => treeOf(harness.root);
    await run(
      async (changes, facts = {}, who = {}) =>
        operations['files.batch'](table['files.batch'].input.parse({ changes, ...facts }), call(who)),
      { ...harness, tree },
    );
    assert.deepEqual(harness.temporaries(), [], 'temporary files are left');
    assert.deepEqual(harness.state.statement('SELECT * FROM batches').all(), [], 'a record is left');
  }, options);
}

/** Every entry: a file's text, `/` for a folder, `→ target` for a link. */
function treeOf(root: string): Record<string, string> {
  return Object.fromEntries(
    (fs.readdirSync(root, { recursive: true }) as string[]).sort().map((name) => {
      const at = `${root}/${name}`;
      const stat = fs.lstatSync(at);
      return [name, stat.isDirectory() ? '/' : stat.isSymbolicLink() ? `→ ${fs.readlinkSync(at)}` : fs.readFileSync(at, 'utf8')];
    }),
  );
}

const failuresOf = (error: { details?: unknown }): [number, string, string][] =>
  (error.details as { failures: BatchFailure[] }).failures.map(({ change, path, reason }) => [change, path, reason]);

describe('a batch', () => {
  test('makes all its changes, each of which sees those before it, and tells of each in order', () =>
    withBatches(async (batch, { put, tree, told, changes, temporaries }) => {
      put('old/a', 'one\n');
      put('old/b', 'two\n');
      put('gone');
      const answer = await batch([
        { op: 'edit', path: 'old/a', edits: [{ find: 'one', replace: 'ONE' }], ifMatch: etag('one\n') },
        { op: 'move', from: 'old', to: 'new/er' },
        { op: 'edit', path: 'new/er/a', edits: [{ find: 'ONE', replace: 'I' }], ifMatch: etag('ONE\n') },
        { op: 'write', path: 'fresh', text: 'f' },
        { op: 'move', from: 'fresh', to: 'gone', overwrite: true },
        { op: 'remove', path: 'new/er/b' },
        { op: 'mkdir', path: 'new/er/b' },
        { op: 'write', path: 'new/er/b/c', base64: 'AP8=' },
        { op: 'write', path: 'new/er/a', text: 'I\n' },
      ]);
      assert.deepEqual(tree(), { gone: 'f', new: '/', 'new/er': '/', 'new/er/a': 'I\n', 'new/er/b': '/', 'new/er/b/c': '\0\uFFFD' });
      assert.deepEqual(told(), [
        'changed old/a',
        'created new',
        'moved old → new/er',
        'changed new/er/a',
        'created fresh',
        'removed gone',
        'moved fresh → gone',
        'removed new/er/b',
        'created new/er/b',
        'created new/er/b/c',
      ]);
      assert.equal(new Set(changes.map(({ cause }) => JSON.stringify(cause))).size, 1);
      assert.equal(answer.revision, 10);
      assert.deepEqual(
        answer.changes.map(({ before, etag: after, changed }) => [before, after, changed]),
        [
          [etag('one\n'), etag('ONE\n'), true],
          [null, null, true],
          [etag('ONE\n'), etag('I\n'), true],
          [null, etag('f'), true],
          [etag('f'), etag('f'), true],
          [etag('two\n'), null, true],
          [null, null, true],
          [null, etag(Buffer.from([0, 255])), true],
          [etag('I\n'), etag('I\n'), false],
        ],
      );
      assert.deepEqual(temporaries(), []);
    }));

  test('is refused whole when one change can not be made, and names all that stands in the way', () =>
    withBatches(async (batch, { put, tree, told, at }) => {
      put('a', 'a');
      put('binary', Buffer.from([0]));
      put('folder/in', 'x');
      fs.symlinkSync('/etc', at('out'));
      fs.linkSync(at('a'), at('other-name'));
      const before = tree();
      const error = await fails(
        'ETAG_MISMATCH',
        () =>
          batch([
            { op: 'write', path: 'new', text: '' },
            { op: 'write', path: 'binary', text: '', ifMatch: etag('b') },
            { op: 'write', path: 'binary', text: '', ifNoneMatch: '*' },
            { op: 'write', path: 'missing', text: '', ifMatch: '*' },
            { op: 'edit', path: 'nowhere', edits: [{ find: 'x', replace: '' }] },
            { op: 'edit', path: 'folder/in', edits: [{ find: 'y', replace: '' }] },
            { op: 'edit', path: 'binary', edits: [{ find: 'x', replace: '' }] },
            { op: 'move', from: 'a', to: 'folder' },
            { op: 'move', from: 'folder', to: 'folder/deeper' },
            { op: 'move', from: 'folder/in', to: 'in', ifMatch: etag('y') },
            { op: 'remove', path: 'folder' },
            { op: 'remove', path: 'folder/in', ifMatch: etag('y') },
            { op: 'mkdir', path: 'a' },
            { op: 'mkdir', path: 'x/y', parents: false },
            { op: 'write', path: 'a/b', text: '' },
            { op: 'write', path: 'folder', text: '' },
            { op: 'write', path: 'out/passwd', text: '' },
            { op: 'write', path: 'a', text: 'parts the two names' },
            { op: 'write', path: 'both', text: '', base64: '' },
          ]),
        /^Change 1 of the batch: binary is not as you last read it\. 17 more of the 19 changes can't be made\. Nothing was changed\.$/,
      );
      assert.deepEqual(failuresOf(error), [
        [1, 'binary', 'ETAG_MISMATCH'],
        [2, 'binary', 'ETAG_MISMATCH'],
        [3, 'missing', 'ETAG_MISMATCH'],
        [4, 'nowhere', 'FILE_NOT_FOUND'],
        [5, 'folder/in', 'EDIT_NOT_FOUND'],
        [6, 'binary', 'NOT_TEXT'],
        [7, 'a', 'FILE_EXISTS'],
        [8, 'folder', 'BAD_PATH'],
        [9, 'folder/in', 'ETAG_MISMATCH'],
        [10, 'folder', 'NOT_EMPTY'],
        [11, 'folder/in', 'ETAG_MISMATCH'],
        [12, 'a', 'FILE_EXISTS'],
        [13, 'x/y', 'FILE_NOT_FOUND'],
        [14, 'a/b', 'NOT_A_DIRECTORY'],
        [15, 'folder', 'NOT_A_FILE'],
        [16, 'out/passwd', 'PATH_ESCAPES'],
        [17, 'a', 'BAD_INPUT'],
        [18, 'both', 'BAD_INPUT'],
      ]);
      assert.deepEqual((error.details as { failures: BatchFailure[] }).failures[0]?.details, { etag: etag(Buffer.from([0])) });
      assert.deepEqual([tree(), told()], [before, []]);
    }));
});

describe('a batch that fails in the middle', () => {
  const changes: Batch['changes'] = [
    { op: 'write', path: 'a', text: 'a2' },
    { op: 'write', path: 'new/er', text: 'n' },
    { op: 'move', from: 'd', to: 'e' },
    { op: 'remove', path: 'gone', recursive: true },
    { op: 'write', path: 'e/x', text: 'x2' },
    { op: 'move', from: 'a', to: 'b', overwrite: true },
  ];
  const prepare = ({ put }: Pick<Harness, 'put'>): void => {
    for (const name of ['a', 'b', 'd/x', 'gone/deep']) put(name);
  };
  const canFail = (point: string): boolean => /^(prepare|step)/.test(point);

  test('is undone, whichever step it is and whatever the system says', async () => {
    for (const [code, reason] of [
      ['EACCES', 'FILE_PERMISSION'],
      ['ENOSPC', 'DISK_FULL'],
    ] as const) {
      let passed = false;
      let broken = 0;
      for (; !passed; broken++) {
        let point = 0;
        const beforeStep = (name: string): void => {
          if (canFail(name) && point++ === broken) throw Object.assign(new Error(code), { code });
        };
        await withBatches(
          async (batch, harness) => {
            prepare(harness);
            const before = harness.tree();
            const inode = fs.statSync(harness.at('a')).ino;
            passed = (await Promise.allSettled([batch(changes)]))[0]?.status === 'fulfilled';
            if (passed) {
              assert.equal(harness.read('b'), 'a2');
              return;
            }
            assert.deepEqual([harness.tree(), harness.told()], [before, []], `broken at ${broken}`);
            assert.equal(fs.statSync(harness.at('a')).ino, inode, 'the very file came back');
            point = 0;
            await fails(reason, () => batch(changes), /^Change \d of the batch: .*Nothing was changed\.$/);
          },
          { beforeStep },
        );
      }
      assert.equal(broken, 13, 'four things are prepared, and eight steps done');
    }
  });

  for (const [name, reason, make] of [
    ['new', 'FILE_EXISTS', (at: string) => fs.mkdirSync(at)],
    ['e', 'FILE_EXISTS', (at: string) => fs.writeFileSync(at, 'theirs')],
    ['b', 'BUSY_FILE', (at: string) => (fs.rmSync(at), fs.mkdirSync(at))],
    ['a', 'BUSY_FILE', (at: string) => fs.writeFileSync(at, 'theirs')],
  ] as const) {
    test(`because another program was faster at ${name} leaves what that one did`, () => {
      let root = '';
      const beforeStep = (point: string): void => {
        if (point === 'record') make(`${root}/${name}`);
      };
      return withBatches(
        async (batch, harness) => {
          ({ root } = harness);
          prepare(harness);
          const before = harness.tree();
          await fails(reason, () => batch(changes), /Nothing was changed/);
          const found = harness.tree();
          assert.ok(found[name] === '/' || found[name] === 'theirs', found[name]);
          assert.deepEqual({ ...found, [name]: '' }, { ...before, [name]: '' });
        },
        { beforeStep },
      );
    });
  }

  test('because another program renamed a folder leaves nothing in it of what was prepared there', () => {
    let root = '';
    let prepared = 0;
    const beforeStep = (point: string): void => {
      if (point !== 'prepare' || ++prepared !== 3) return;
      fs.renameSync(`${root}/d`, `${root}/renamed`);
      fs.mkdirSync(`${root}/d`);
    };
    return withBatches(
      async (batch, harness) => {
        ({ root } = harness);
        for (const name of ['d/a', 'd/b', 'd/c', 'd/d']) harness.put(name);
        const changes = ['a', 'b', 'c', 'd'].map((name) => ({
          op: 'write' as const,
          path: `d/${name}`,
          text: 'new',
          ifMatch: etag(`d/${name}`),
        }));
        await fails('ETAG_MISMATCH', () => batch(changes), /Nothing was changed/);
        const names = (folder: string): string[] => fs.readdirSync(`${root}/${folder}`);
        assert.deepEqual([names('d'), names('renamed')], [[], ['a', 'b', 'c', 'd']]);
      },
      { beforeStep },
    );
  });

  test('because the disk is full leaves the old contents and no temporary file', (context) =>
    withSmallDisk(context, 512, async (disk) => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-full-'));
      fs.symlinkSync(disk, path.join(folder, 'root'));
      try {
        await withBatches(
          async (batch, { put, tree, told }) => {
            put('a', 'old');
            const big = 'x'.repeat(300_000);
            const error = await fails('DISK_FULL', () =>
              batch([
                { op: 'write', path: 'a', text: big },
                { op: 'write', path: 'b', text: big },
              ]),
            );
            assert.deepEqual(failuresOf(error), [[1, 'b', 'DISK_FULL']]);
            assert.deepEqual([tree(), told()], [{ a: 'old' }, []]);
            await batch([{ op: 'write', path: 'a', text: big }]);
          },
          { folder },
        );
      } finally {
        fs.rmSync(folder, { recursive: true, force: true });
      }
    }));
});

test('a batch that is half done is undone before the next one, and while it can not be, there is no next one', () => {
  let broken: string[] = ['step move', 'undo put'];
  const beforeStep = (point: string): void => {
    if (broken.includes(point)) throw Object.assign(new Error('read-only file system'), { code: 'EROFS' });
  };
  return withBatches(
    async (batch, { put, tree, told }) => {
      put('a', 'old');
      put('b', 'b');
      const half: Batch['changes'] = [
        { op: 'write', path: 'a', text: 'new' },
        { op: 'move', from: 'b', to: 'c' },
      ];
      await fails('INTERNAL', () => batch(half), /not all of it could be undone/);
      await fails('INTERNAL', () => batch([{ op: 'write', path: 'd', text: 'd' }]), /A batch before this one is half done/);
      assert.deepEqual(told(), []);
      broken = [];
      await batch([{ op: 'write', path: 'd', text: 'd' }]);
      assert.deepEqual(tree(), { a: 'old', b: 'b', d: 'd' });
    },
    { beforeStep },
  );
});

test('a batch of which all is done is answered so, also where what it kept aside can not be removed yet', () => {
  let broken = true;
  const beforeStep = (point: string): void => {
    if (broken && point === 'clean') throw Object.assign(new Error('read-only file system'), { code: 'EROFS' });
  };
  return withBatches(
    async (batch, { put, at, read, told, temporaries }) => {
      put('a', 'old');
      await batch([{ op: 'write', path: 'a', text: 'new' }]);
      assert.deepEqual([read('a'), told()], ['new', ['changed a']]);
      assert.equal(temporaries().length, 1);
      broken = false;
      await batch([{ op: 'write', path: 'b', text: 'b' }]);
      assert.deepEqual(temporaries(), []);
      broken = true;
      await batch([{ op: 'write', path: 'a', text: 'newer' }]);
      const [left = ''] = temporaries();
      // It holds up nobody.
      await batch([{ op: 'write', path: 'b', text: 'b2' }]);
      assert.deepEqual([read('a'), read('b')], ['newer', 'b2']);
      broken = false;
      await batch([{ op: 'write', path: 'c', text: 'c' }]);
      fs.rmSync(at(left));
    },
    { beforeStep },
  );
});

const asRoot = process.getuid?.() === 0 ? false : 'needs root, to become somebody whose folders can be read-only';
test('a folder with a read-only one in it is removed by a batch whole', { skip: asRoot }, () =>
  withBatches(async (batch, { put, root, tree, at }) => {
    put('mod/pkg/file', 'text');
    fs.chmodSync(at('mod/pkg'), 0o555);
    const folder = path.dirname(root);
    for (const name of ['', ...(fs.readdirSync(folder, { recursive: true }) as string[])])
      fs.chownSync(path.join(folder, name), 65534, 65534);
    process.seteuid?.(65534);
    try {
      await batch([{ op: 'remove', path: 'mod', recursive: true }]);
    } finally {
      process.seteuid?.(0);
    }
    assert.deepEqual(tree(), {});
  }),
);

test('a record that can not be stored is a reason to change nothing', () =>
  withBatches(async (batch, { put, state, tree, told }) => {
    put('a', 'old');
    state.database.exec('DROP TABLE batches');
    const { hint } = await fails('DISK_FULL', () => batch([{ op: 'write', path: 'a', text: 'new' }]), /nothing was changed/);
    assert.match(hint, /where the state lives/);
    assert.deepEqual([tree(), told()], [{ a: 'old' }, []]);
    state.database.exec('CREATE TABLE batches(id INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT');
  }));

describe('on a disk of the state that becomes full', () => {
  /** The workspace is elsewhere. `fill` leaves no byte, `free` gives all of it back. */
  const withStateDisk = (
    context: { skip: (why: string) => void },
    run: (folder: string, fill: () => void, free: () => void) => Promise<void>,
  ): Promise<void> =>
    withSmallDisk(context, 2048, (disk) =>
      withScratchFolder('full', async (_, root) => {
        const filler = path.join(disk, 'filler');
        const fill = (): void => {
          assert.throws(() => fs.writeFileSync(filler, Buffer.alloc(3 * MB)), { code: 'ENOSPC' });
          assert.throws(() => fs.appendFileSync(filler, 'x'.repeat(5000)), { code: 'ENOSPC' });
        };
        fs.symlinkSync(root, path.join(disk, 'root'));
        await run(disk, fill, () => fs.rmSync(filler, { force: true }));
      }),
    );

  test('as soon as the record is stored, a batch is made all the same', (context) =>
    withStateDisk(context, (folder, fill, free) =>
      withBatches(
        async (batch, { put, state, tree }) => {
          put('a', 'old');
          const transaction = state.transaction.bind(state);
          state.transaction = (work) => {
            const answer = transaction(work);
            state.transaction = transaction;
            fill();
            return answer;
          };
          await batch([
            { op: 'write', path: 'a', text: 'new' },
            { op: 'write', path: 'b', text: 'b' },
          ]);
          assert.deepEqual(tree(), { a: 'new', b: 'b' });
          await fails('DISK_FULL', () => batch([{ op: 'remove', path: 'a' }]), /nothing was changed/);
          free();
          await batch([{ op: 'write', path: 'c', text: 'c' }]);
          assert.deepEqual(tree(), { a: 'new', b: 'b', c: 'c' });
        },
        { folder },
      ),
    ));

  test('a batch that is over is not begun again after the next one was refused', (context) =>
    withStateDisk(context, async (folder, fill, free) => {
      const root = fs.realpathSync(path.join(folder, 'root'));
      await withWorkspace(
        async ({ workspace, put }) => {
          const operations = fileOperations(workspace, { maxTextBytes: MB, maxUploadBytes: MB });
          const batch = (changes: object[]): Promise<unknown> =>
            Promise.resolve(operations['files.batch'](table['files.batch'].input.parse({ changes }), call({})));
          put('a', 'old');
          put('b', 'old');
          await batch([
            { op: 'write', path: 'a', text: 'new' },
            { op: 'write', path: 'b', text: 'new' },
          ]);
          await fails('DISK_FULL', () => batch([{ op: 'write', path: 'c', text: 'c' }]), /nothing was changed/);
        },
        { folder, beforeStep: (point) => (point === 'tell' ? fill() : undefined) },
      );
      fs.rmSync(path.join(root, 'b'));
      fs.writeFileSync(path.join(root, 'b'), 'of somebody else');
      free();
      const { state, workspace } = openWorkspace(folder);
      workspace.recover();
      workspace.close();
      state.close();
      assert.deepEqual(treeOf(root), { a: 'new', b: 'of somebody else' });
    }));
});

describe('of two batches at once', () => {
  test('with the same condition exactly one is made, whole', () =>
    withBatches(async (batch, { put, tree }) => {
      for (let round = 0; round < 10; round++) {
        put('a', 'start');
        put('b', 'start');
        const both = (name: string): Batch['changes'] =>
          ['a', 'b'].map((path) => ({ op: 'write', path, text: `${name}${round}`, ifMatch: etag('start') }));
        const outcomes = await Promise.allSettled([batch(both('one')), batch(both('two')), batch(both('three').reverse())]);
        assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
        assert.equal(tree()['a'], tree()['b']);
      }
    }));

  test('and single writes among them, none is lost and none is torn', () =>
    withBatches(async (batch, { put, read, changes, workspace }) => {
      put('a', '0');
      put('b', '0');
      const cause = { kind: 'outside' } as const;
      await Promise.all([
        ...Array.from({ length: 30 }, (_, n) => batch(['a', 'b'].map((path) => ({ op: 'write' as const, path, text: `batch ${n}` })))),
        ...Array.from({ length: 30 }, (_, n) => workspace.write('a', Buffer.from(`single ${n}`), { cause })),
      ]);
      assert.equal(changes.length, 90);
      const last = (name: string): unknown => changes.findLast((change) => change.path === name)?.after;
      assert.deepEqual([last('a'), last('b')], [hashBytes(read('a')), hashBytes(read('b'))]);
    }));
});

describe('the undo of a batch', () => {
  test('is a batch that brings everything back, on condition that nobody changed it since', () =>
    withBatches(async (batch, { put, tree, at }) => {
      put('text', 'one\n');
      put('marked', '\uFEFFone\n');
      put('plain', 'one\n');
      put('binary', Buffer.from([0, 255, 1]));
      put('folder/in', 'in');
      put('taken', 'taken');
      fs.chmodSync(at('taken'), 0o640);
      const before = tree();
      const { undo = [] } = await batch(
        [
          { op: 'edit', path: 'text', edits: [{ find: 'one', replace: 'two' }] },
          { op: 'write', path: 'marked', text: 'two\n' },
          { op: 'write', path: 'plain', base64: Buffer.from('\uFEFFtwo').toString('base64') },
          { op: 'write', path: 'binary', text: 'text' },
          { op: 'move', from: 'folder', to: 'else' },
          { op: 'write', path: 'else/new', text: 'new' },
          { op: 'move', from: 'text', to: 'taken', overwrite: true },
          { op: 'remove', path: 'else/in' },
          { op: 'mkdir', path: 'made' },
          { op: 'write', path: 'made/x', text: '' },
        ],
        { returnBefore: true },
      );
      const made = tree();
      put('else/new', 'somebody else');
      const error = await fails('ETAG_MISMATCH', () => batch(undo));
      assert.deepEqual(
        failuresOf(error).map(([, where]) => where),
        ['else/new'],
      );
      put('else/new', 'new');
      const { undo: redo = [] } = await batch(undo, { returnBefore: true });
      assert.deepEqual(tree(), before);
      assert.equal(fs.statSync(at('taken')).mode & 0o777, 0o640);
      await batch(redo);
      assert.deepEqual(tree(), made);
    }));

  test('says what can not be undone, and why', () =>
    withBatches(async (batch, { put, at }) => {
      put('folder/in');
      put('big', 'x'.repeat(5 * MB));
      fs.symlinkSync('big', at('link'));
      const { undo, notUndoable } = await batch(
        [
          { op: 'remove', path: 'folder', recursive: true },
          { op: 'mkdir', path: 'fine' },
          { op: 'remove', path: 'link' },
          { op: 'remove', path: 'big' },
        ],
        { returnBefore: true },
      );
      assert.equal(undo, undefined);
      assert.deepEqual(
        notUndoable?.map(({ change }) => change),
        [0, 2, 3],
      );
      assert.deepEqual([(await batch([{ op: 'mkdir', path: 'fine' }])).undo], [undefined]);
    }));
});

test('a dry run answers what would come of it and changes nothing', () =>
  withBatches(async (batch, { put, tree, told, workspace }) => {
    put('a', 'one');
    const changes: Batch['changes'] = [
      { op: 'edit', path: 'a', edits: [{ find: 'one', replace: 'two' }] },
      { op: 'move', from: 'a', to: 'b/c' },
    ];
    const dry = await batch(changes, { dryRun: true });
    assert.deepEqual([tree(), told(), dry.revision], [{ a: 'one' }, [], 0]);
    await fails('FILE_NOT_FOUND', () => batch([{ op: 'remove', path: 'b' }], { dryRun: true }));
    const real = await batch(changes);
    assert.deepEqual(dry.changes, real.changes);
    assert.equal(workspace.journal.revision, real.revision);
  }));

test('a thousand changes are made in one go; one more, or too many bytes, or too long an answer, is refused before (long form)', () =>
  withBatches(async (batch, { put, tree, told }) => {
    const names = Array.from({ length: 1000 }, (_, n) => `d${n % 10}/f${n}`);
    for (const name of names) put(name, 'word one\n');
    const changes = names.map((name) => ({ op: 'edit' as const, path: name, edits: [{ find: 'one', replace: 'two' }] }));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 1);
    const started = performance.now();
    const { undo = [] } = await batch(changes, { returnBefore: true });
    console.log(`1,000 edits: ${Math.round(performance.now() - started)} ms, of which the longest turn ${Math.round(longest)} ms`);
    clearInterval(timer);
    assert.equal(told().length, 1000);
    assert.ok(Object.values(tree()).every((text) => text === '/' || text === 'word two\n'));
    await batch(undo);
    assert.ok(Object.values(tree()).every((text) => text === '/' || text === 'word one\n'));
    assert.throws(() => table['files.batch'].input.parse({ changes: [...changes, ...changes.slice(0, 1)] }));
    const half = 'x'.repeat(33 * MB);
    const error = await fails('INPUT_TOO_LARGE', () => batch(['p', 'q'].map((name) => ({ op: 'write', path: name, text: half }))));
    assert.deepEqual(failuresOf(error), [[1, 'q', 'INPUT_TOO_LARGE']]);
    const long = 'l/'.repeat(900);
    await fails('OUTPUT_TOO_LARGE', () =>
      batch(
        names.map((name) => ({ op: 'mkdir', path: long + name })),
        { dryRun: true },
      ),
    );
  }));

test('a folder of 5,000 entries is removed in a batch; one entry more, and nothing of the batch is done (long form)', () =>
  withBatches(async (batch, { at, put, told }) => {
    put('full/0');
    for (let n = 1; n < 5000; n++) fs.linkSync(at('full/0'), at(`full/${n}`));
    const changes: Batch['changes'] = [
      { op: 'write', path: 'new', text: '' },
      { op: 'remove', path: 'full', recursive: true },
    ];
    await batch(changes, { dryRun: true });
    put('full/5000');
    const error = await fails('INPUT_TOO_LARGE', () => batch(changes));
    assert.deepEqual(failuresOf(error), [[1, 'full', 'INPUT_TOO_LARGE']]);
    assert.deepEqual([fs.readdirSync(at('full')).length, fs.existsSync(at('new')), told()], [5001, false, []]);
  }));

test('who may only write gets neither into a git folder nor through a link that the batch moves', () =>
  withBatches(async (batch, { put, at, tree }) => {
    put('.git/hooks/x');
    put('sub/f');
    fs.symlinkSync('../.git/hooks', at('sub/link'));
    const before = tree();
    const who = { caller: { id: 'w', name: 'w', kind: 'agent' as const, access: 'write' as const } };
    const write = (where: string): Batch['changes'][number] => ({ op: 'write', path: where, text: 'evil' });
    await fails('ACCESS_DENIED', () => batch([write('.git/hooks/x')], {}, who));
    await fails('ACCESS_DENIED', () => batch([write('sub/link/x')], {}, who));
    await fails('ACCESS_DENIED', () => batch([{ op: 'move', from: 'sub/link', to: 'other' }, write('other/x')], {}, who));
    await fails(
      'BAD_INPUT',
      () => batch([{ op: 'move', from: 'sub', to: 'other' }, write('other/link/x')], {}, who),
      /goes through a link that this batch moves/,
    );
    assert.deepEqual(tree(), before);
  }));

test('through a link a batch writes what it leads to, and both names are told', () =>
  withBatches(async (batch, { put, at, read, told }) => {
    put('real/f', 'one');
    fs.symlinkSync('real', at('way'));
    fs.symlinkSync('real/f', at('name'));
    await batch([
      { op: 'edit', path: 'way/f', edits: [{ find: 'one', replace: 'two' }] },
      { op: 'write', path: 'name', text: 'three', ifMatch: etag('two') },
    ]);
    assert.equal(read('real/f'), 'three');
    assert.ok(fs.lstatSync(at('name')).isSymbolicLink());
    assert.deepEqual(told(), ['changed real/f', 'changed way/f', 'changed real/f', 'changed name']);
  }));

test('the undo of a file that was made through a link removes the file and leaves the link', () =>
  withBatches(async (batch, { at, put }) => {
    put('real/f');
    fs.symlinkSync('real/new', at('link'));
    fs.symlinkSync('real', at('way'));
    const { undo = [] } = await batch(
      [
        { op: 'write', path: 'link', text: 'one' },
        { op: 'write', path: 'way/deep/other', text: 'two' },
      ],
      { returnBefore: true },
    );
    await batch(undo);
    assert.deepEqual(fs.readdirSync(at('real')), ['f']);
    assert.equal(fs.readlinkSync(at('link')), 'real/new');
  }));

test('where a link leads to nothing a batch makes no folder, as single calls do not, unless a change before has put one there', () =>
  withBatches(async (batch, { at, put, read, tree, workspace }) => {
    put('f', 'text');
    fs.symlinkSync('nothing', at('link'));
    fs.symlinkSync('not/there', at('far'));
    const before = tree();
    const single = async (path: string): Promise<unknown> =>
      fails(['FILE_NOT_FOUND', 'FILE_EXISTS', 'NOT_A_DIRECTORY'], () => workspace.write(path, Buffer.from(''), { cause }));
    for (const path of ['far', 'link/x', 'link/x/y', 'far/x']) {
      await single(path);
      for (const change of [
        { op: 'write' as const, path, text: '' },
        { op: 'mkdir' as const, path: `${path}/folder` },
        { op: 'move' as const, from: 'f', to: `${path}/g` },
      ])
        assert.equal(failuresOf(await fails('FILE_NOT_FOUND', () => batch([change])))[0]?.[2], 'FILE_NOT_FOUND');
    }
    assert.deepEqual(tree(), before);
    await batch([
      { op: 'mkdir', path: 'nothing' },
      { op: 'write', path: 'link/x/y', text: 'y' },
      { op: 'mkdir', path: 'not' },
      { op: 'write', path: 'far', text: 'z' },
    ]);
    assert.deepEqual([read('nothing/x/y'), read('not/there')], ['y', 'z']);
  }));

test('a batch goes by links to what the changes before left there', () =>
  withBatches(async (batch, { put, at, read, outside, tree }) => {
    put('x', 'old');
    put('folder/f', 'old');
    for (const [name, target] of [
      ['second', 'x'],
      ['first', 'second'],
      ['way', 'folder'],
      ['deep/by', '../way/f'],
      ['out', outside],
      ['far', 'out/f'],
    ] as const) {
      fs.mkdirSync(path.dirname(at(name)), { recursive: true });
      fs.symlinkSync(target, at(name));
    }
    await batch([
      { op: 'move', from: 'second', to: 'moved' },
      { op: 'write', path: 'first', text: 'first' },
      { op: 'move', from: 'way', to: 'other' },
      { op: 'write', path: 'way/f', text: 'way' },
      { op: 'write', path: 'deep/by', text: 'by' },
      { op: 'move', from: 'out', to: 'away' },
      { op: 'write', path: 'out/f', text: 'inside' },
      { op: 'write', path: 'far', text: 'far' },
    ]);
    assert.deepEqual([read('x'), read('folder/f')], ['old', 'old'], 'where they led before');
    assert.deepEqual([read('second'), read('way/f'), read('out/f')], ['first', 'by', 'far']);
    assert.equal(fs.readlinkSync(at('first')), 'second');
    assert.deepEqual(fs.readdirSync(outside), []);
    assert.equal(tree()['folder/f'], 'old');
    fs.symlinkSync('loop', at('loop'));
    await fails('PATH_ESCAPES', () => batch([{ op: 'write', path: 'loop', text: 'x' }]));
  }));

test('what went with a folder that a batch moves is not told to be gone where something else is put there', () =>
  withBatches(async (batch, { told, workspace, changes }) => {
    workspace.mkdir('a/x/deep', true, cause);
    changes.length = 0;
    await batch([
      { op: 'move', from: 'a', to: 'b' },
      { op: 'write', path: 'a/x', text: 'a file now' },
    ]);
    assert.deepEqual(told(), ['moved a → b', 'created a', 'created a/x']);
  }));

test('a batch that writes the content and the mode that are there already changes nothing', () =>
  withBatches(async (batch, { put, at, told }) => {
    put('f', 'one');
    fs.chmodSync(at('f'), 0o640);
    const { changes } = await batch([
      { op: 'write', path: 'f', text: 'one', mode: 0o640 },
      { op: 'write', path: 'new', text: 'two', mode: 0o600 },
      { op: 'write', path: 'new', text: 'two', mode: 0o600 },
      { op: 'write', path: 'new', text: 'two', mode: 0o644 },
    ]);
    assert.deepEqual(
      changes.map(({ changed }) => changed),
      [false, true, false, true],
    );
    assert.deepEqual(told(), ['created new', 'changed new']);
  }));

test('what a batch makes it can move into a folder that it makes', () =>
  withBatches(async (batch, { tree }) => {
    await batch([
      { op: 'write', path: 'new', text: 'one' },
      { op: 'move', from: 'new', to: 'folder/below/new' },
      { op: 'mkdir', path: 'made' },
      { op: 'move', from: 'made', to: 'folder/other/made' },
    ]);
    assert.equal(tree()['folder/below/new'], 'one');
    assert.equal(tree()['folder/other/made'], '/');
  }));

test('of what comes along with a folder nothing is known that was of another file', () =>
  withBatches(async (batch, { put, workspace }) => {
    put('x/a', 'one');
    put('e/a', 'two');
    await batch([
      { op: 'move', from: 'x/a', to: 'c' },
      { op: 'move', from: 'e', to: 'x', overwrite: true },
    ]);
    assert.equal(workspace.journal.known('x/a'), undefined);
  }));

test('any batch comes to what its changes do one after the other, or to nothing; its undo brings everything back', async () => {
  const seed = testSeed();
  let random = seed;
  const next = (below: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((random / 2 ** 32) * below);
  };
  const names = ['a', 'b', 'c', 'd', 'd/a', 'd/b', 'd/e', 'd/e/a', 'x', 'x/a', 'x/e/a'];
  const name = (): string => names[next(names.length)] as string;
  const change = (): Batch['changes'][number] => {
    const kind = next(10);
    if (kind < 3) return { op: 'write', path: name(), text: `${next(3)}` };
    if (kind < 5) return { op: 'edit', path: name(), edits: [{ find: '1', replace: `1${next(3)}1`, all: true }] };
    if (kind < 8) {
      const [from, to] = [name(), name()];
      return from === to ? { op: 'mkdir', path: from } : { op: 'move', from, to, overwrite: next(2) === 0 };
    }
    if (kind < 9) return { op: 'remove', path: name(), recursive: next(2) === 0 };
    return { op: 'mkdir', path: name() };
  };
  const seen = { made: 0, refused: 0, undone: 0 };
  for (let round = 0; round < 120; round++) {
    const changes = Array.from({ length: 1 + next(4) }, change);
    const start = (harness: Harness): void => {
      for (const [file, text] of Object.entries({ a: '1', b: '2', 'd/a': '1', 'd/e/a': '11', 'x/a': '0' })) harness.put(file, text);
    };
    const about = `SEED=${seed} round ${round}: ${JSON.stringify(changes)}`;
    let expected: { tree: Record<string, string> } | { failed: number; reason: string } = { failed: -1, reason: '' };
    await withWorkspace(async (harness) => {
      start(harness);
      const operations = fileOperations(harness.workspace, { maxTextBytes: MB, maxUploadBytes: MB }) as unknown as Record<
        string,
        (input: unknown, facts: Call) => Promise<unknown>
      >;
      for (const [index, { op, ...input }] of changes.entries()) {
        try {
          const operation = `files.${op}` as 'files.write';
          await operations[operation]?.(table[operation].input.parse(input), call());
        } catch (error) {
          expected = { failed: index, reason: (error as { reason: string }).reason };
          return;
        }
      }
      expected = { tree: treeOf(harness.root) };
    });
    await withBatches(async (batch, harness) => {
      start(harness);
      const before = harness.tree();
      if ('failed' in expected) {
        const error = await batch(changes).then(
          () => assert.fail(`${about} was made, but ${JSON.stringify(expected)}`),
          (caught: unknown) => caught as { details?: unknown },
        );
        const [failed] = failuresOf(error);
        assert.deepEqual([failed?.[0], failed?.[2]], [expected.failed, expected.reason], about);
        assert.deepEqual([harness.tree(), harness.told()], [before, []], about);
        seen.refused++;
        return;
      }
      const { undo } = await batch(changes, { returnBefore: true }).catch((error: unknown) => assert.fail(`${about}: ${String(error)}`));
      assert.deepEqual(harness.tree(), expected.tree, about);
      for (const [file, text] of Object.entries(harness.tree()))
        if (text !== '/' && harness.workspace.journal.known(file) !== undefined)
          assert.equal(harness.workspace.journal.known(file), hashBytes(text), about);
      seen.made++;
      if (undo === undefined) return;
      await batch(undo.length === 0 ? [{ op: 'mkdir', path: 'd' }] : undo).catch((error: unknown) =>
        assert.fail(`${about}: ${String(error)}`),
      );
      assert.deepEqual(harness.tree(), before, about);
      seen.undone++;
    });
  }
  assert.ok(seen.made > 8 && seen.refused > 8 && seen.undone > 5, JSON.stringify(seen));
});
