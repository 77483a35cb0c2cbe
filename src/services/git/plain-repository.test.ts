import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { fails, names, withRepository } from '../../../test/kit/git-world.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { isPlainConfig, plainGitFolder } from './plain-repository.ts';
import { log } from './reading.ts';
import { status } from './status.ts';

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
});
