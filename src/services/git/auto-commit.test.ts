import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { type GitWorld, isAlive, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { AutoCommit, autoMessage } from './auto-commit.ts';
import { checkout } from './branches.ts';
import type { GitOptions } from './git.ts';
import { parseStatus, type StatusEntry } from './parse-status.ts';

interface Auto extends GitWorld {
  auto: AutoCommit;
  /** Something in the folder changed. */
  change(): void;
  /** Events of the log. */
  said: string[];
  commits(): string[];
}

async function withAuto(run: (world: Auto) => Promise<void>, afterMs = 40, options: Partial<GitOptions> = {}): Promise<void> {
  await withRepository(async (made) => {
    const world = { ...made, git: made.make(options) };
    let listener: (() => void) | undefined;
    const said: string[] = [];
    const auto = new AutoCommit(
      {
        git: world.git,
        onChanges: (called) => {
          listener = called;
          return () => (listener = undefined);
        },
        log: (event, facts) => void said.push(`${event} ${String(facts['message'] ?? facts['files'])}`),
      },
      { afterMs },
    );
    try {
      const commits = (): string[] => world.run('log', '--format=%s').split('\n');
      await run({ ...world, auto, said, commits, change: () => listener?.() });
    } finally {
      await auto.stop();
      await auto.stop();
    }
    assert.equal(listener, undefined, 'nobody is told any more');
  });
}

async function entries(...paths: string[]): Promise<StatusEntry[]> {
  return (await parseStatus(Buffer.from(paths.map((name) => `? ${name}\0`).join('')), new Uint8Array())).entries;
}

test('the message names the files', async () => {
  const table: [string[], string][] = [
    [['a'], 'Save a'],
    [['src/a.ts'], 'Save a.ts\n\nsrc/a.ts'],
    [['a', 'b'], 'Save a, b\n\na\nb'],
    [['a', 'b', 'c', 'd'], 'Save a, b, c and 1 more\n\na\nb\nc\nd'],
    [['a\n\nSigned-off-by: x'], 'Save a??Signed-off-by: x'],
    [['x'.repeat(120)], `Save 1 file\n\n${'x'.repeat(120)}`],
  ];
  for (const [paths, expected] of table) assert.equal(autoMessage(await entries(...paths)), expected);
  const many = autoMessage(await entries(...Array.from({ length: 250 }, (_, index) => `f${index}`)));
  assert.match(many, /^Save f0, f1, f2 and 247 more\n/);
  assert.match(many, /\nf99\nand 150 more$/);
});

describe('auto-commit', { skip: requireTool('git') }, () => {
  test('commits what changed once nothing changes any more, and nothing twice', async () => {
    await withAuto(async ({ put, change, commits, said, run }) => {
      for (const name of ['a', 'b']) {
        put(name);
        change();
      }
      await eventually(() => said.length === 1);
      assert.deepEqual(commits(), ['Save a, b']);
      // Its own work is heard of, and is nothing to commit.
      change();
      put('c');
      change();
      await eventually(() => said.length === 2);
      assert.deepEqual(commits(), ['Save c', 'Save a, b']);
      assert.equal(run('status', '--short'), '');
    });
  });

  test('waits for the last of many changes', async () => {
    await withAuto(async ({ put, change, commits, said }) => {
      const until = performance.now() + 400;
      for (let at = 0; performance.now() < until; at++) {
        put(`f${at % 3}`, `${at}\n`);
        change();
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await eventually(() => said.length > 0);
      assert.deepEqual(commits(), ['Save f0, f1, f2']);
    }, 200);
  });

  test('leaves what a person staged, and goes on when that is committed', async () => {
    await withAuto(async ({ put, change, commits, auto, save, run, said }) => {
      put('a', 'one\n');
      save('base');
      put('a', 'two\n');
      put('b');
      run('add', 'a');
      change();
      await eventually(() => assert.deepEqual(auto.state, { kind: 'paused', why: '1 file is staged: commit or unstage' }));
      assert.deepEqual([commits(), run('diff', '--cached', '--name-only')], [['base'], 'a']);
      run('commit', '-qm', 'mine');
      change();
      await eventually(() => said.length === 1);
      assert.deepEqual([commits(), auto.state], [['Save b', 'mine', 'base'], { kind: 'waiting' }]);
    });
  });

  test('never commits in the middle of a merge', async () => {
    await withAuto(async ({ put, change, save, run, auto, commits, said }) => {
      put('a', 'base\n');
      save('base');
      run('checkout', '-qb', 'side');
      put('a', 'side\n');
      save('side');
      run('checkout', '-q', 'main');
      put('a', 'main\n');
      save('main');
      assert.throws(() => run('merge', 'side'));
      put('a', 'both\n');
      change();
      await eventually(() => assert.deepEqual(auto.state, { kind: 'paused', why: 'a merge is under way' }));
      assert.deepEqual([commits(), said], [['main', 'base'], []]);
    });
  });

  test('never commits what a git command left that was ended in the middle, and goes on when that is put right', async () => {
    await withAuto(
      async ({ git, put, change, save, run, auto, commits, said }) => {
        run('config', 'filter.slow.smudge', 'sleep 60');
        put('.gitattributes', 'slow filter=slow\n');
        put('a', 'main\n');
        save('main');
        run('checkout', '-qb', 'side');
        put('a', 'side\n');
        put('slow');
        save('side');
        run('checkout', '-q', 'main');
        await assert.rejects(checkout(git, { to: 'side', create: false, changes: 'keep' }));
        put('more');
        change();
        await eventually(() => assert.match(JSON.stringify(auto.state), /paused.*was ended in the middle/));
        assert.deepEqual([commits(), said], [['main'], []]);
        run('add', '--all');
        run('commit', '-qm', 'mine');
        put('more', 'two\n');
        change();
        await eventually(() => said.length === 1);
        assert.deepEqual([commits(), auto.state], [['Save more', 'mine', 'main'], { kind: 'waiting' }]);
      },
      40,
      { networkTimeoutMs: 1000 },
    );
  });

  test('a folder that became a link does not keep everything from being committed', async () => {
    await withAuto(async ({ put, save, root, change, said, run }) => {
      for (const name of ['docs/a', 'real/a', 'other']) put(name, 'one\n');
      save('base');
      fs.rmSync(path.join(root, 'docs'), { recursive: true });
      fs.symlinkSync('real', path.join(root, 'docs'));
      put('other', 'two\n');
      change();
      await eventually(() => said.length === 1);
      assert.deepEqual([said, run('status', '--short')], [['git.auto-commit 3'], '']);
    });
  });

  test('a failure is told once for each try, later each time, and does not go round', async () => {
    await withAuto(async ({ put, change, root, said, auto, commits }) => {
      put('a');
      const hook = path.join(root, '.git/hooks/pre-commit');
      const tries = path.join(root, '../tries');
      fs.writeFileSync(hook, `#!/bin/sh\necho x >> '${tries}'\necho "error: no" >&2; exit 1\n`, { mode: 0o755 });
      change();
      await eventually(() => said.length === 1);
      assert.equal(auto.state.kind, 'failed');
      change();
      // A second try waits twice as long: it has not been made when the first wait is over.
      await eventually(() => said.length === 2);
      assert.equal(fs.readFileSync(tries, 'utf8'), 'x\nx\n');
      fs.rmSync(hook);
      change();
      await eventually(() => said.at(-1) === 'git.auto-commit 1');
      assert.deepEqual([auto.state, commits()], [{ kind: 'waiting' }, ['Save a']]);
    });
  });

  test('a hook that hangs is ended when it stops', async () => {
    await withAuto(async ({ put, change, root, auto, folder, said, run }) => {
      put('a');
      const pids = path.join(folder, 'pids');
      fs.writeFileSync(path.join(root, '.git/hooks/pre-commit'), `#!/bin/sh\nsleep 60 & echo $! > '${pids}'; wait\n`, { mode: 0o755 });
      change();
      await eventually(() => fs.existsSync(pids) && fs.readFileSync(pids, 'utf8') !== '');
      await auto.stop();
      await eventually(() => !isAlive(Number(fs.readFileSync(pids, 'utf8'))));
      assert.deepEqual(said, []);
      assert.equal(run('status', '--short'), '?? a', 'nothing stays staged');
    });
  });

  test('without a repository nothing is made', async () => {
    await withAuto(async ({ put, change, root, auto }) => {
      fs.rmSync(path.join(root, '.git'), { recursive: true });
      put('a');
      change();
      await eventually(() => assert.deepEqual(auto.state, { kind: 'paused', why: 'there is no repository' }));
      assert.deepEqual(fs.readdirSync(root), ['a']);
    });
  });
});
