import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, mock, test } from 'node:test';
import { FakeChannel } from '../../../test/kit/byte-channel.ts';
import { asking, documentsOf } from '../../../test/kit/documents-harness.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { likeOnNfs } from '../../../test/kit/network-clients.ts';
import { withScratchFolder } from '../../../test/kit/scratch-folder.ts';
import { cause, withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { MOST_REPLACED, MOST_REPLACED_BYTES, ReplacedFiles, type Replacing } from './replaced-files.ts';

interface Setting {
  replaced: ReplacedFiles;
  /** Makes a file, opens it, and gives it to those that are followed. */
  follow(name: string, text: string, bytes?: number, isNamed?: boolean): { at: string; descriptor: number };
  overtaken: string[][];
  refused: string[];
}

function withReplaced(run: (setting: Setting) => Promise<void> | void): Promise<void> {
  return withScratchFolder('replaced', async (folder) => {
    const replaced = new ReplacedFiles();
    const overtaken: string[][] = [];
    const refused: string[] = [];
    const by: Replacing = {
      mostBytes: () => 1000,
      overtaken: (before, after) => void overtaken.push([before, after]),
      refused: (why) => void refused.push(why),
    };
    const follow = (name: string, text: string, bytes = text.length, isNamed = false): { at: string; descriptor: number } => {
      const at = path.join(folder, name);
      fs.writeFileSync(at, text);
      // Sparse: it takes no room.
      fs.truncateSync(at, bytes);
      const descriptor = fs.openSync(at, 'r');
      replaced.follow({ descriptor, stat: fs.fstatSync(descriptor), isNamed }, text, by);
      return { at, descriptor };
    };
    try {
      await run({ replaced, follow, overtaken, refused });
    } finally {
      replaced.leave();
    }
  });
}

function isOpen(descriptor: number, at: string): boolean {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`) === at;
  } catch {
    return false;
  }
}

describe('a file that a save replaced', () => {
  test('is told of with what it held before, each time a program writes', () =>
    withReplaced(async ({ follow, overtaken }) => {
      const { at } = follow('a.txt', 'one\n');
      fs.appendFileSync(at, 'two\n');
      await eventually(() => assert.deepEqual(overtaken, [['one\n', 'one\ntwo\n']]));
      fs.appendFileSync(at, 'three\n');
      await eventually(() => assert.deepEqual(overtaken.at(1), ['one\ntwo\n', 'one\ntwo\nthree\n']));
      assert.equal(overtaken.length, 2);
    }));

  test('that a program writes to again and again is told of while it does', () =>
    withReplaced(async ({ follow, overtaken }) => {
      const { at } = follow('a.txt', 'one\n');
      const program = setInterval(() => fs.appendFileSync(at, 'äöü\n'), 20);
      try {
        await eventually(() => assert.ok(overtaken.length > 1));
      } finally {
        clearInterval(program);
      }
      await eventually(() => assert.equal(overtaken.at(-1)?.[1], fs.readFileSync(at, 'utf8')));
      for (const [count, [before]] of overtaken.entries()) assert.equal(before, count === 0 ? 'one\n' : overtaken[count - 1]?.[1]);
    }));

  test('that only lost its end is told of when that has not come for a second, or at the last look', () =>
    withReplaced(async ({ replaced, follow, overtaken }) => {
      const { at } = follow('a.txt', 'one\n');
      const began = performance.now();
      fs.truncateSync(at, 0);
      await eventually(() => assert.deepEqual(overtaken, [['one\n', '']]));
      assert.ok(performance.now() - began > 900);
      const { at: other } = follow('b.txt', 'two\n');
      fs.truncateSync(other, 0);
      replaced.look();
      assert.deepEqual(overtaken.at(1), ['two\n', '']);
    }));

  test('that is written as it was, or that nobody writes, is told of to nobody', () =>
    withReplaced(({ replaced, follow, overtaken }) => {
      const { at } = follow('a.txt', 'one\n');
      fs.writeFileSync(at, 'one\n');
      follow('b.txt', 'two\n');
      replaced.look();
      assert.deepEqual(overtaken, []);
    }));

  for (const [what, bytes, why] of [
    ['too large', Buffer.alloc(1001, 'x'), 'It is too large.'],
    ['no text', Buffer.from([65, 0, 66]), 'It is not text.'],
  ] as const)
    test(`that becomes ${what} is refused once and let go`, () =>
      withReplaced(({ replaced, follow, overtaken, refused }) => {
        const { at, descriptor } = follow('a.txt', 'one\n');
        fs.writeFileSync(at, bytes);
        replaced.look();
        replaced.look();
        assert.deepEqual([overtaken, refused], [[], [why]]);
        assert.equal(isOpen(descriptor, at), false);
      }));

  test('that can not be looked at any more is refused and let go', () =>
    withReplaced(({ replaced, follow, refused }) => {
      const { at, descriptor } = follow('a.txt', 'one\n');
      const fstat = mock.method(fs, 'fstatSync', () => {
        throw new Error('ESTALE');
      });
      try {
        replaced.look();
        replaced.look();
      } finally {
        fstat.mock.restore();
      }
      assert.deepEqual([refused, isOpen(descriptor, at)], [['Error: ESTALE'], false]);
    }));

  test('that can be seen in its folder is let go a second after what was written last, others later', () =>
    withReplaced(async ({ follow, overtaken }) => {
      const named = follow('a.txt', 'one\n', undefined, true);
      const nameless = follow('b.txt', 'two\n');
      fs.appendFileSync(named.at, 'more\n');
      await eventually(() => assert.equal(isOpen(named.descriptor, named.at), false));
      assert.deepEqual([overtaken, isOpen(nameless.descriptor, nameless.at)], [[['one\n', 'one\nmore\n']], true]);
    }));

  test('is let go where more are replaced than may be followed: the one that was written to longest ago', () =>
    withReplaced(({ replaced, follow, overtaken }) => {
      const files = [follow('0.txt', 'zero\n'), follow('1.txt', 'one\n')];
      fs.appendFileSync((files[0] as { at: string }).at, 'written\n');
      replaced.look();
      for (let more = 2; more <= MOST_REPLACED; more++) files.push(follow(`${more}.txt`, ''));
      assert.deepEqual(
        files.filter(({ at, descriptor }) => !isOpen(descriptor, at)).map(({ at }) => path.basename(at)),
        ['1.txt'],
      );
      assert.deepEqual(overtaken, [['zero\n', 'zero\nwritten\n']]);
    }));

  test('is let go where those that are followed would take more room on the disk than they may', () =>
    withReplaced(({ follow }) => {
      const [first, second] = [follow('a.txt', '', MOST_REPLACED_BYTES / 2), follow('b.txt', '', MOST_REPLACED_BYTES / 2)];
      assert.ok(isOpen(first.descriptor, first.at) && isOpen(second.descriptor, second.at));
      const { at, descriptor } = follow('c.txt', 'c');
      assert.deepEqual(
        [isOpen(first.descriptor, first.at), isOpen(second.descriptor, second.at), isOpen(descriptor, at)],
        [false, true, true],
      );
    }));
});

test('a folder is removed on NFS as well, of which a file was just saved: the one that was replaced is not kept in it', (t) =>
  withWorkspace(async ({ workspace, state, put, at, read }) => {
    if (process.platform === 'linux') likeOnNfs(t);
    put('dir/a.txt', 'one\n');
    const documents = documentsOf({ workspace, state });
    await documents.start();
    workspace.liveText = documents;
    try {
      await documents.join('dir/a.txt', new FakeChannel(), asking);
      await documents.write('dir/a.txt', (raw) => `${raw}two\n`, cause);
      await eventually(() => assert.equal(read('dir/a.txt'), 'one\ntwo\n'));
      await workspace.remove('dir', true, { cause });
      assert.equal(fs.existsSync(at('dir')), false);
    } finally {
      await documents.stop();
    }
  }));
