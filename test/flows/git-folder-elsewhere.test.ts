// A repository whose git folder has another name in the workspace: it is no less guarded.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { fails } from '../kit/workspace-harness.ts';

const skip = requireTool('git');
const author = { name: 'Pia', email: 'pia@example.com' };
const identity = ['-c', 'user.name=Pia', '-c', 'user.email=pia@example.com'];

function git(cwd: string, ...args: string[]): void {
  execFileSync('git', [...identity, ...args], { cwd, stdio: 'ignore' });
}

const layouts: [what: string, make: (root: string) => void][] = [
  ['a file `.git` names it', (root) => git(root, 'init', '-q', '-b', 'main', '--separate-git-dir', path.join(root, 'deep/repo'))],
  [
    'a link `.git` leads to it',
    (root) => {
      git(root, 'init', '-q', '-b', 'main');
      fs.renameSync(path.join(root, '.git'), path.join(root, 'deep/repo'));
      fs.symlinkSync('deep/repo', path.join(root, '.git'));
    },
  ],
  [
    'it shares what another folder has',
    (root) => {
      git(root, 'init', '-q', '-b', 'main', 'deep/other');
      git(path.join(root, 'deep/other'), 'commit', '-q', '--allow-empty', '-m', 'none');
      git(path.join(root, 'deep/other'), 'worktree', 'add', '-q', path.join(root, 'tree'));
      fs.renameSync(path.join(root, 'deep/other/.git'), path.join(root, 'deep/repo'));
      fs.writeFileSync(path.join(root, '.git'), 'gitdir: deep/repo/worktrees/tree\n');
    },
  ],
];

for (const [what, make] of layouts)
  test(`who may write changes no git folder of another name, and puts none in its place: ${what}`, { skip }, () =>
    withScratchFolder('git-elsewhere', async (folder, root) => {
      fs.mkdirSync(path.join(root, 'deep'));
      fs.writeFileSync(path.join(root, 'a.txt'), 'a\n');
      make(root);
      await withSidecar(
        async ({ client, clientOf, file }) => {
          const writer = clientOf((await client.call('tokens.create', { name: 'w', access: 'write' })).secret);
          const before = file('deep/repo/config');
          const text = `${before}[filter "f"]\n\tclean = "touch ${path.join(folder, 'ran')}; cat"\n`;
          await fails('ACCESS_DENIED', () => writer.call('files.write', { path: 'deep/repo/config', text }));
          await fails('ACCESS_DENIED', () => writer.call('files.batch', { changes: [{ op: 'write', path: 'deep/repo/config', text }] }));
          await fails('ACCESS_DENIED', () => writer.call('files.create', { path: 'deep/repo/hooks/post-commit', text: '#!/bin/sh\n' }));
          await fails('ACCESS_DENIED', () => writer.call('files.move', { from: 'deep', to: 'away' }));
          await writer.call('files.write', { path: 'mine/repo/config', text });
          await fails('ACCESS_DENIED', () => writer.call('files.copy', { from: 'mine', to: 'deep', overwrite: true }));
          await writer.call('files.write', { path: '.gitattributes', text: '*.txt filter=f\n' });
          await writer.call('git.commit', { message: 'm', all: true, author });
          assert.deepEqual([file('deep/repo/config'), fs.existsSync(path.join(folder, 'ran'))], [before, false]);
          // Who may execute may do that, too.
          await client.call('files.write', { path: 'deep/repo/description', text: 'A repository\n' });
        },
        { workspace: root },
      );
    }),
  );
