// The page in Chromium: files that two lines of work changed, settled one by one.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { accessibilityProblems, git, noBrowserOrGit, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { change, lines, openFocused, picture, row, sourceControl, text, toast } from '../kit/source-control.ts';

/** Two branches that did this to the same files, and the merge that stops there; a file without content is removed. */
function stoppedMerge(root: string, ours: Readonly<Record<string, string>>, theirs: Readonly<Record<string, string>>): void {
  const commit = (files: Readonly<Record<string, string>>): void => {
    for (const [name, content] of Object.entries(files))
      if (content === '') rmSync(path.join(root, name));
      else writeFileSync(path.join(root, name), content);
    git(root, 'add', '-A');
    git(root, 'commit', '-qm', 'A side');
  };
  git(root, 'checkout', '-q', '-b', 'feature');
  commit(theirs);
  git(root, 'checkout', '-q', 'main');
  commit(ours);
  assert.throws(() => git(root, 'merge', 'feature'), 'it stops at conflicts');
}

test('of a file that is no text one side is taken whole, also that it is gone, and given back', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'a.bin': '\0was', 'b.bin': '\0was', 'gone.bin': '\0was', 'kept.lock': 'was\n', '.gitattributes': '*.lock -merge\n' },
    async ({ page, root }) => {
      const theirs = { 'a.bin': '\0theirs', 'b.bin': '\0theirs', 'gone.bin': '\0theirs', 'kept.lock': 'theirs\n' };
      stoppedMerge(root, { 'a.bin': '\0ours', 'b.bin': '\0ours', 'gone.bin': '', 'kept.lock': 'ours\n' }, theirs);
      const ada = await page({ name: 'Ada', theme: 'light' });
      const file = (name: string): string => readFileSync(path.join(root, name), 'utf8');
      const pane = ada.getByTestId('conflict');
      const settle = async (name: string, choice: string): Promise<void> => {
        await row(ada, 'conflicts', name).click();
        await pane.getByRole('button', { name: choice }).click();
        await change(ada, 'conflicts', name).waitFor({ state: 'detached' });
      };
      await sourceControl(ada);
      await row(ada, 'conflicts', 'a.bin').click();
      await pane.getByRole('button', { name: 'Take ours' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'conflict-no-text');
      // What somebody made of it by hand goes, and comes back with the conflict.
      writeFileSync(path.join(root, 'a.bin'), '\0by hand');
      await settle('a.bin', 'Take theirs');
      assert.equal(file('a.bin'), '\0theirs');
      await toast(ada, 'Took theirs: a.bin').getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Brought back a.bin').waitFor();
      await change(ada, 'conflicts', 'a.bin').waitFor();
      assert.equal(file('a.bin'), '\0by hand');
      await settle('a.bin', 'Take theirs');
      await settle('b.bin', 'Take ours');
      writeFileSync(path.join(root, 'gone.bin'), '\0by hand');
      await settle('gone.bin', 'Delete it');
      assert.equal(existsSync(path.join(root, 'gone.bin')), false);
      await toast(ada, 'Deleted gone.bin').getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Brought back gone.bin').waitFor();
      await change(ada, 'conflicts', 'gone.bin').waitFor();
      assert.equal(file('gone.bin'), '\0by hand');
      await settle('gone.bin', 'Delete it');
      // Text that git was told not to merge has no marks, and is ours until somebody says so.
      await settle('kept.lock', 'Take theirs');
      assert.deepEqual([file('a.bin'), file('b.bin'), file('kept.lock')], ['\0theirs', '\0ours', 'theirs\n']);
      await pane.getByRole('button', { name: 'Continue' }).click();
      await toast(ada, 'The merge is done').waitFor();
      assert.deepEqual(git(root, 'ls-tree', '--name-only', 'HEAD').trim().split('\n'), ['.gitattributes', 'a.bin', 'b.bin', 'kept.lock']);
    },
    { git: true },
  ),
);

/** So much that they are two conflicts. */
const middle = ['1', '2', '3', '4', '5'];

test('a side is taken, and given back, while somebody types in the file', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'a.txt': lines('same', 'was', ...middle, 'was', 'end') },
    async ({ page, root }) => {
      const side = (name: string): string => lines('same', name, ...middle, name, 'end');
      stoppedMerge(root, { 'a.txt': side('ours') }, { 'a.txt': side('theirs') });
      const bob = await page({ name: 'Bob' });
      await openFocused(bob, 'a.txt');
      await bob.keyboard.press('Control+End');
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      await row(ada, 'conflicts', 'a.txt').click();
      const pane = ada.getByTestId('conflict');
      await pane.getByRole('status').filter({ hasText: '2 conflicts' }).waitFor();
      let isDone = false;
      let typed = '';
      const typing = (async () => {
        for (; !isDone; typed += 'b') await bob.keyboard.type('b', { delay: 20 });
      })();
      await eventually(() => assert.ok(typed.length > 5));
      // The two conflicts are the same text: it is the second that is meant.
      await pane.getByRole('region', { name: 'Conflict 2 of 2' }).getByRole('button', { name: 'Take ours' }).click();
      await toast(ada, 'Took ours in line 12').waitFor();
      await pane.getByRole('region', { name: 'Conflict 1 of 1' }).getByRole('button', { name: 'Take theirs' }).click();
      await toast(ada, 'Took theirs in line 2').waitFor();
      await toast(ada, 'Took ours in line 12').getByRole('button', { name: 'Undo' }).click();
      await pane.getByRole('region', { name: 'Conflict 1 of 1' }).waitFor();
      isDone = true;
      await typing;
      await eventually(async () => {
        const now = await text(bob);
        assert.match(now, /^same\ntheirs\n[1-5\n]*<{7} HEAD\nours\n={7}\ntheirs\n>{7} feature\nend\nb+$/);
        assert.ok(now.endsWith(`\n${typed}`), 'nothing that was typed is lost');
      });
      assert.equal(await toast(ada, 'Not taken').count(), 0);
    },
    { git: true },
  ),
);
