import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fails, names, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { reset } from './integrating.ts';
import { isPlainConfig, plainGitFolder } from './plain-repository.ts';
import { log } from './reading.ts';
import { stash } from './stash.ts';
import { status } from './status.ts';
import { underWay } from './under-way.ts';

test('only a config that can change nothing of what was seen is plain', () => {
  const usual =
    '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n[remote "origin"]\n\turl = https://example.org/r\n';
  assert.ok(isPlainConfig(usual));
  for (const more of [
    '[core]\n\tbare = true\n',
    '[core]\n\tbare\n',
    '[core]\n\tBare=1\n',
    '[core] worktree = /x\n',
    '[include]\n\tpath = x\n',
    '[includeIf "gitdir:x"]\n\tpath = x\n',
    '[filter "x"]\n\tclean = rm\n',
    '[FILTER "x"]\n\tclean = rm\n',
    '[extensions]\n\tworktreeConfig = true\n',
    '[core]\n\tx = "a\\\nbare"\n',
  ])
    assert.ok(!isPlainConfig(usual + more), more);
});

describe('a look at the repository', { skip: requireTool('git') }, () => {
  test('says what git would say, and what it can not tell is left to git', async () => {
    await withRepository(async ({ git, root, run, runIn, folder, put, save }) => {
      put('a');
      save('base');
      assert.equal(plainGitFolder(root), run('rev-parse', '--absolute-git-dir'));
      run('worktree', 'add', '-q', path.join(folder, 'tree'));
      assert.equal(plainGitFolder(path.join(folder, 'tree')), undefined, 'a worktree has a file there');
      fs.mkdirSync(path.join(root, 'sub'));
      assert.equal(plainGitFolder(path.join(root, 'sub')), undefined);
      runIn(folder, 'init', '-q', '--bare', 'bare');
      assert.equal(plainGitFolder(path.join(folder, 'bare')), undefined);
      fs.rmSync(path.join(root, '.git/objects'), { recursive: true });
      assert.equal(await status(git, false), undefined, 'what git takes for no repository is none');
      await assert.rejects(log(git, { count: 1, skip: 0, from: 'main' }), fails('NO_REPOSITORY'));
    });
  });

  test('takes no folder for a repository that git would not, and never reaches the one above in its place', async () => {
    const damages: Readonly<Record<string, (folder: string) => void>> = {
      'HEAD is empty': (folder) => fs.writeFileSync(path.join(folder, 'HEAD'), ''),
      'HEAD names nothing': (folder) => fs.writeFileSync(path.join(folder, 'HEAD'), 'main\n'),
      'HEAD names no ref': (folder) => fs.writeFileSync(path.join(folder, 'HEAD'), 'ref: main\n'),
      'HEAD is a link to another file': (folder) => {
        fs.renameSync(path.join(folder, 'HEAD'), path.join(folder, 'head'));
        fs.symlinkSync('head', path.join(folder, 'HEAD'));
      },
      'HEAD is a folder': (folder) => {
        fs.rmSync(path.join(folder, 'HEAD'));
        fs.mkdirSync(path.join(folder, 'HEAD'));
      },
      'no refs': (folder) => fs.rmSync(path.join(folder, 'refs'), { recursive: true }),
      'no objects': (folder) => fs.rmSync(path.join(folder, 'objects'), { recursive: true }),
    };
    await withRepository(
      async ({ git, root, folder, put, save, run, runIn }) => {
        const precious = path.join(folder, 'work/precious');
        put('a');
        fs.writeFileSync(precious, 'committed\n');
        runIn(folder, '-C', 'work', 'add', '--all');
        save('outer');
        runIn(root, 'init', '-q');
        save('inner');
        run('pack-refs', '--all');
        fs.writeFileSync(precious, 'a day of work\n');
        fs.cpSync(path.join(root, '.git'), path.join(folder, 'sound'), { recursive: true });
        for (const [name, damage] of Object.entries(damages)) {
          assert.equal(plainGitFolder(root), path.join(root, '.git'), name);
          damage(path.join(root, '.git'));
          assert.equal(run('rev-parse', '--show-prefix'), 'sub/', name);
          assert.equal(plainGitFolder(root), undefined, name);
          await assert.rejects(reset(git, { to: 'HEAD', mode: 'hard' }), fails('GIT_OUTSIDE'), name);
          await assert.rejects(stash(git, { action: 'push', untracked: true, keepIndex: false }), fails('GIT_OUTSIDE'), name);
          assert.equal(fs.readFileSync(precious, 'utf8'), 'a day of work\n', name);
          fs.rmSync(path.join(root, '.git'), { recursive: true });
          fs.cpSync(path.join(folder, 'sound'), path.join(root, '.git'), { recursive: true });
        }
      },
      { below: 'sub' },
    );
  });

  test('a head that names a commit, or is a link as in old repositories, is one', async () => {
    await withRepository(async ({ git, root, run, put, save }) => {
      put('a');
      save('base');
      run('checkout', '-q', '--detach');
      assert.equal(plainGitFolder(root), path.join(root, '.git'));
      run('checkout', '-q', 'main');
      fs.rmSync(path.join(root, '.git/HEAD'));
      fs.symlinkSync('refs/heads/main', path.join(root, '.git/HEAD'));
      assert.deepEqual([(await status(git, false))?.branch, await names(git)], ['main', []]);
    });
  });

  test('a filter that is configured between two calls holds back the next one', async () => {
    await withRepository(async ({ git, put, save, run, folder }) => {
      put('.gitattributes', '*.txt filter=evil\n');
      put('a.txt', 'one\n');
      save('base');
      assert.deepEqual(await names(git), []);
      run('config', 'filter.evil.clean', `touch '${folder}/sprung'; cat`);
      put('a.txt', 'two\n');
      assert.deepEqual(await names(git), ['- modified a.txt']);
      assert.ok(!fs.existsSync(path.join(folder, 'sprung')));
    });
  });

  test('a git folder whose config is elsewhere is asked about: reading runs no filter of that config', async () => {
    await withRepository(async ({ git, put, save, run, root, folder }) => {
      put('.gitattributes', '*.txt filter=evil\n');
      put('a.txt', 'one\n');
      save('base');
      const common = path.join(folder, 'common');
      fs.cpSync(path.join(root, '.git'), common, { recursive: true });
      fs.writeFileSync(path.join(root, '.git/commondir'), `${common}\n`);
      fs.appendFileSync(path.join(common, 'config'), `[filter "evil"]\n\tclean = "touch '${folder}/sprung'; cat"\n`);
      put('a.txt', 'two\n');
      assert.equal(plainGitFolder(root), undefined);
      assert.deepEqual(await names(git), ['- modified a.txt']);
      assert.ok(!fs.existsSync(path.join(folder, 'sprung')));
      run('status');
      assert.ok(fs.existsSync(path.join(folder, 'sprung')), 'the trap does spring for who does not take care');
    });
  });

  test('pipes in place of the files of git hold nothing up', { skip: process.platform === 'win32' }, async () => {
    await withRepository(async ({ git, put, save, root }) => {
      put('a');
      save('base');
      fs.writeFileSync(path.join(root, '.git/MERGE_HEAD'), '');
      const pipe = path.join(root, '.git/MERGE_MSG');
      execFileSync('mkfifo', [pipe]);
      // Held open for writing, so that who waits for its end is let go again some time.
      const holder = spawn('sh', ['-c', 'exec 3<>"$0"; echo ready; exec sleep 5', pipe], { stdio: ['ignore', 'pipe', 'ignore'] });
      try {
        await once(holder.stdout, 'data');
        const began = performance.now();
        underWay(path.join(root, '.git'));
        assert.ok(performance.now() - began < 2000, 'the event loop stood still');
      } finally {
        holder.kill('SIGKILL');
      }
      assert.equal((await status(git, false))?.underWay?.message, undefined);
    });
  });
});
