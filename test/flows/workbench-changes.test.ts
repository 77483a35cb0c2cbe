import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { accessibilityProblems, command, git, noBrowserOrGit, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { withGitServer } from '../kit/git-server.ts';
import {
  change,
  clientOf,
  lines,
  loanFiles,
  numbered,
  openFocused,
  picture,
  row,
  sourceControl,
  text,
  toast,
} from '../kit/source-control.ts';

test('who is limited to a folder sees what changed there as HEAD moves, and commits of a document, and is offered no commit', {
  skip: noBrowserOrGit,
}, async (t) => {
  await withWorkbench(
    { 'src/a.txt': 'a\n', 'other/b.txt': 'b\n' },
    async (workbenches) => {
      const { page, root } = workbenches;
      for (const name of ['src/a.txt', 'other/b.txt']) writeFileSync(path.join(root, name), 'changed\n');
      const lead = clientOf(workbenches);
      t.after(() => lead.close());
      const { secret } = await lead.call('tokens.create', { name: 'ci', access: 'execute', paths: ['src'] });
      const ada = await page({ name: 'Ada', token: secret });
      await openFocused(ada, 'a.txt');
      await sourceControl(ada);
      await change(ada, 'changes', 'src/a.txt').waitFor();
      await ada.getByText('This link is limited to some paths').waitFor();
      assert.deepEqual(await ada.getByText(/Asking git|is outside|checkpoints\.list/).count(), 0);
      assert.equal(await ada.getByRole('textbox', { name: 'Commit message' }).count(), 0);
      git(root, 'commit', '-q', '-a', '-m', 'All of it');
      await ada.getByTestId('clean').waitFor();
      await command(ada, 'Commits of this document');
      await ada.getByTestId('commit').filter({ hasText: 'All of it' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
    },
    { git: true },
  );
});

test('of two changes in a file one is staged and committed, and the other remains', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada', theme: 'light' });
      await openFocused(ada, 'a.txt');
      await ada.keyboard.press('Control+Home');
      await ada.keyboard.type('first ');
      await ada.keyboard.press('Control+End');
      await ada.keyboard.type('last\n');
      await sourceControl(ada);
      await change(ada, 'changes', 'a.txt').filter({ hasText: '+2' }).waitFor();
      await row(ada, 'changes', 'a.txt').focus();
      await ada.keyboard.press('Enter');
      const diff = ada.getByTestId('diff');
      await diff.locator('.cm-changedLine', { hasText: 'first line 1' }).waitFor();
      await ada.getByTestId('viewed').filter({ hasText: '2 of 2 changes viewed' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'diff-two-changes');

      // By keys: to the second change, and it alone is staged.
      await diff.locator('.cm-content').last().focus();
      await ada.keyboard.press('F7');
      await ada.keyboard.press('+');
      await change(ada, 'staged', 'a.txt').filter({ hasText: '+1' }).waitFor();
      await change(ada, 'changes', 'a.txt').filter({ hasText: '+1' }).waitFor();
      assert.match(git(root, 'diff', '--cached'), /\+last/);
      assert.doesNotMatch(git(root, 'diff', '--cached'), /first line 1/);
      await diff.locator('.cm-changedLine', { hasText: 'last' }).waitFor({ state: 'detached' });
      await picture(ada, 'diff-one-staged');

      await ada.getByRole('textbox', { name: 'Commit message' }).fill('The last line\n\nOnly that.');
      await ada.getByRole('button', { name: 'Commit 1 file' }).click();
      await toast(ada, 'Committed 1 file').waitFor();
      await change(ada, 'staged', 'a.txt').waitFor({ state: 'detached' });
      await change(ada, 'changes', 'a.txt').waitFor();
      assert.equal(git(root, 'show', 'HEAD:a.txt'), lines(...numbered, 'last'));
      assert.match(readFileSync(path.join(root, 'a.txt'), 'utf8'), /^first line 1\n/);

      // Amended, with the message that it had.
      await row(ada, 'changes', 'a.txt').focus();
      await ada.keyboard.press('+');
      await change(ada, 'staged', 'a.txt').waitFor();
      await ada.getByRole('button', { name: 'More of source control' }).click();
      await ada.getByRole('menuitemcheckbox', { name: 'Amend the last commit' }).click();
      await ada.getByRole('button', { name: 'Amend the last commit' }).click();
      await toast(ada, 'Amended the last commit').waitFor();
      assert.equal(git(root, 'log', '--format=%s', '-2').trim(), 'The last line\nThe first loans');
      assert.match(git(root, 'show', 'HEAD:a.txt'), /^first line 1\n[^]*last\n$/);
      await ada.getByTestId('clean').waitFor();

      await ada.getByTestId('commit').filter({ hasText: 'The last line' }).getByRole('button').click();
      await ada.locator('.patch .dl.add', { hasText: 'first line 1' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'commit');
      await ada.getByRole('button', { name: 'Compare a.txt' }).click();
      await diff.locator('.cm-changedLine', { hasText: 'first line 1' }).waitFor();
    },
    { git: true },
  );
});

test('what others put into names, authors, subjects and lines is text, and what turns or hides a part of it is seen', {
  skip: noBrowserOrGit,
}, async () => {
  const script = '<img src=x onerror=globalThis.ran=1>';
  const files = { [`${script}.txt`]: `${script}\n`, 'an\u202Etxt.js': 'if (a\u202E\u2066b) {\u200B}\n', 'new\nline b/c.txt': 'x\n' };
  await withWorkbench(
    files,
    async (served) => {
      const { page, root } = served;
      const client = clientOf(served);
      git(root, '-c', `user.name=${script}`, 'commit', '-q', '--amend', '--reset-author', '-m', `${script}\u202E`);
      git(root, 'branch', 'a<script>globalThis.ran=1</script>');
      await client.call('checkpoints.create', { title: 'Empty' });
      for (const name of Object.keys(files)) writeFileSync(path.join(root, name), `more\u202E\n${script}\n`);
      await client.call('checkpoints.create', { title: script });
      client.close();
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      await ada.getByTestId('commit').getByRole('button').first().click();
      const patch = ada.locator('.patch');
      await patch.getByRole('button', { name: 'an\\u202Etxt.js', exact: true }).waitFor();
      await patch.locator('.dl.add', { hasText: 'if (a\\u202E\\u2066b) {\\u200B}' }).waitFor();
      await picture(ada, 'commit-of-markup');
      await ada.getByTestId('checkpoint').filter({ hasText: script }).getByRole('button').first().click();
      const kept = ada.getByTestId('checkpoint-view');
      await kept.locator('.patch h3').nth(2).waitFor();
      assert.deepEqual(
        (await kept.locator('.patch h3 .path').allInnerTexts()).sort(),
        [`${script}.txt`, 'an\\u202Etxt.js', 'new\\u000Aline b/c.txt'].sort(),
      );
      await picture(ada, 'checkpoint-of-markup');
      await kept.locator('.patch h3 .path', { hasText: 'new' }).click();
      await ada.locator('.cm-content', { hasText: 'more' }).waitFor();
      await ada.keyboard.press('Control+Shift+f');
      await ada.keyboard.type('more');
      await ada.getByTestId('hit').filter({ hasText: 'more\\u202E' }).first().waitFor();
      await ada.keyboard.press('Control+Shift+y');
      await ada.getByText('committed').first().waitFor();
      assert.equal(await ada.evaluate(() => 'ran' in globalThis), false);
    },
    { git: true },
  );
});

test('how long ago a commit was made and a checkpoint kept goes on by itself', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(
    loanFiles,
    async (served) => {
      const client = clientOf(served);
      await client.call('checkpoints.create', { title: 'Kept' });
      client.close();
      const ada = await served.page({ name: 'Ada' });
      await sourceControl(ada);
      for (const row of ['commit', 'checkpoint']) {
        const age = ada.getByTestId(row).first().locator('.xs').last();
        const before = (await age.textContent()) ?? '';
        assert.match(before, /^\d+ (s|min)$/);
        await eventually(async () => assert.notEqual(await age.textContent(), before), 20_000);
      }
    },
    { git: true },
  );
});

test('files are staged and unstaged by keys, discarded and brought back, one, by folder, and all (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
      writeFileSync(path.join(root, 'b.txt'), lines('one', 'TWO', 'three'));
      writeFileSync(path.join(root, 'models/loan.py'), 'class Loan:\n    days = 21\n');
      writeFileSync(path.join(root, 'models/Überfällig 名.py'), 'late = True\n');
      git(root, 'mv', 'a.txt', 'renamed.txt');
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      await change(ada, 'staged', 'renamed.txt').filter({ hasText: 'from a.txt' }).waitFor();
      await change(ada, 'changes', 'models/Überfällig 名.py').getByRole('img', { name: 'untracked' }).waitFor();
      await picture(ada, 'panel');

      await row(ada, 'changes', 'b.txt').focus();
      await ada.keyboard.press('ArrowDown');
      await ada.keyboard.press('+');
      await change(ada, 'staged', 'models/loan.py').waitFor();
      // The row in its place has the focus now.
      const focused = (): Promise<string | null | undefined> =>
        ada.evaluate(() => document.activeElement?.closest('[data-path]')?.getAttribute('data-path'));
      await eventually(async () => assert.ok((await focused()) !== undefined));
      await row(ada, 'staged', 'models/loan.py').focus();
      await ada.keyboard.press('-');
      await change(ada, 'staged', 'models/loan.py').waitFor({ state: 'detached' });

      await row(ada, 'changes', 'b.txt').focus();
      await ada.keyboard.press('Delete');
      await toast(ada, 'Discarded b.txt').getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Brought back b.txt').waitFor();
      assert.equal(read('b.txt'), lines('one', 'TWO', 'three'));

      await ada.getByRole('button', { name: 'More of source control' }).click();
      await ada.getByRole('menuitemcheckbox', { name: 'List by folder' }).click();
      const folder = ada.getByTestId('change-folder').filter({ hasText: 'models' });
      await folder.getByRole('button').first().focus();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'by-folder');
      await ada.keyboard.press('Delete');
      await toast(ada, 'Discarded 2 files').waitFor();
      assert.equal(existsSync(path.join(root, 'models/Überfällig 名.py')), false);
      assert.equal(read('models/loan.py'), loanFiles['models/loan.py']);
      await toast(ada, 'Discarded 2 files').getByRole('button', { name: 'Undo' }).click();
      await eventually(() => assert.equal(read('models/Überfällig 名.py'), 'late = True\n'));
      assert.match(read('models/loan.py'), /21/);

      for (const name of ['b.txt', 'models/loan.py', 'models/Überfällig 名.py']) await change(ada, 'changes', name).waitFor();
      await ada.getByRole('region', { name: 'Changes' }).getByRole('button', { name: 'Stage all' }).click();
      await ada.getByRole('button', { name: 'Commit 4 files' }).waitFor();
      await ada.getByRole('region', { name: 'Staged' }).getByRole('button', { name: 'Unstage all' }).click();
      await ada.getByRole('region', { name: 'Staged' }).waitFor({ state: 'detached' });
    },
    { git: true },
  );
});

test('a branch is made and switched with typing that is not saved; what would be lost is said and put aside (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      await openFocused(ada, 'b.txt');
      await ada.keyboard.press('Control+End');
      await ada.keyboard.type('typed');
      await ada.keyboard.press('Alt+b');
      const field = ada.getByRole('combobox', { name: 'Find or name a branch' });
      await ada.getByTestId('branch-row').filter({ hasText: 'main' }).waitFor();
      await field.fill('feat/due');
      await picture(ada, 'branches');
      await ada.keyboard.press('Enter');
      await toast(ada, 'Made feat/due and switched to it').waitFor();
      await ada.getByTestId('branch').filter({ hasText: 'feat/due' }).waitFor();
      assert.match(await text(ada), /typed/);
      await sourceControl(ada);
      await ada.getByRole('textbox', { name: 'Commit message' }).fill('Typed');
      await ada.keyboard.press('Control+Enter');
      await toast(ada, 'Committed 1 file').waitFor();
      assert.match(git(root, 'show', 'HEAD:b.txt'), /typed/);

      // Back with other typing in the same file: it would be lost, and is put aside.
      await openFocused(ada, 'b.txt');
      await ada.keyboard.press('Control+Home');
      await ada.keyboard.type('mine ');
      await ada.getByTestId('branch').click();
      await ada.getByTestId('branch-row').filter({ hasText: 'main' }).click();
      const dialog = ada.getByRole('dialog', { name: 'Switching to main would lose changes' });
      await dialog.getByText('b.txt', { exact: true }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'switch-would-lose');
      await dialog.getByRole('button', { name: 'Put them aside and switch' }).click();
      await toast(ada, 'Switched to main').waitFor();
      await eventually(async () => assert.equal((await text(ada)).trim(), 'one\ntwo\nthree'));

      await ada.keyboard.press('Alt+b');
      await ada.getByTestId('branch-row').filter({ hasText: 'feat/due' }).waitFor();
      await field.fill('feat/due');
      await ada.keyboard.press('Enter');
      await toast(ada, 'Switched to feat/due').waitFor();
      await ada.keyboard.press('Control+Shift+p');
      await ada.keyboard.type('What is put aside');
      await ada.keyboard.press('Enter');
      await ada.getByRole('dialog', { name: 'Put aside' }).getByRole('button', { name: 'Apply and drop' }).click();
      await toast(ada, 'Brought your changes back').waitFor();
      await ada.getByText('Nothing is put aside.').waitFor();
      await ada.keyboard.press('Escape');
      await eventually(async () => assert.match(await text(ada), /^mine one/));

      // One whose commits are nowhere else is deleted only when that is said, and comes back.
      git(root, 'branch', 'only', git(root, 'commit-tree', '-m', 'nowhere else', 'HEAD^{tree}').trim());
      await ada.keyboard.press('Alt+b');
      await ada.getByTestId('branch-row').filter({ hasText: 'only' }).waitFor();
      await field.fill('only');
      await ada.keyboard.press('Delete');
      await ada.getByRole('button', { name: 'Delete it' }).click();
      await toast(ada, 'Deleted branch only').getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Brought back only').waitFor();
      assert.match(git(root, 'branch', '--list'), /only/);
    },
    { git: true },
  );
});

test('a merge that stops is said, its conflicts are settled by buttons, and it goes on; another is given up (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const put = (name: string, content: string): void => writeFileSync(path.join(root, name), content);
      git(root, 'checkout', '-q', '-b', 'feature');
      put('a.txt', lines('theirs 1', ...numbered.slice(1, 28), 'theirs 29', 'line 30'));
      put('b.txt', lines('one', 'theirs', 'three'));
      git(root, 'commit', '-qam', 'Theirs');
      git(root, 'checkout', '-q', 'main');
      put('a.txt', lines('ours 1', ...numbered.slice(1, 28), 'ours 29', 'line 30'));
      git(root, 'rm', '-q', 'b.txt');
      git(root, 'commit', '-qam', 'Ours');

      const ada = await page({ name: 'Ada', theme: 'light' });
      await ada.getByTestId('branch').filter({ hasText: 'main' }).click();
      await ada.getByTestId('branch-row').filter({ hasText: 'feature' }).hover();
      await ada.getByRole('button', { name: 'Merge feature' }).click();
      await toast(ada, 'The merge stopped at 2 conflicts').waitFor();
      await sourceControl(ada);
      const banner = ada.getByTestId('under-way');
      await banner.filter({ hasText: 'Merging feature into main' }).filter({ hasText: '2 files are in conflict' }).waitFor();
      await picture(ada, 'merge-stopped');
      for (const width of [721, 800, 901]) {
        await ada.setViewportSize({ width, height: 900 });
        const room = await ada.evaluate(() => {
          const edges = (selector: string) => document.querySelector(selector)?.getBoundingClientRect() ?? new DOMRect();
          return edges('.go').left - edges('.bran .chip').right;
        });
        assert.ok(room > 0, `at ${width} px ${room} px are left between what is under way and the go field`);
      }
      await ada.setViewportSize({ width: 1440, height: 900 });

      await row(ada, 'conflicts', 'a.txt').click();
      const pane = ada.getByTestId('conflict');
      await pane.getByRole('status').filter({ hasText: '2 conflicts' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'conflict');
      await pane.getByRole('region', { name: 'Conflict 1 of 2, line 1' }).getByRole('button', { name: 'Take theirs' }).click();
      await pane.getByRole('status').filter({ hasText: '1 conflict' }).waitFor();
      // The next place has the focus, so that one key settles it.
      await ada.locator('[data-place]:focus').waitFor();
      await ada.keyboard.press('3');
      await pane.getByRole('button', { name: 'Mark as resolved' }).click();
      await change(ada, 'conflicts', 'a.txt').waitFor({ state: 'detached' });
      assert.equal(
        readFileSync(path.join(root, 'a.txt'), 'utf8'),
        lines('theirs 1', ...numbered.slice(1, 28), 'ours 29', 'theirs 29', 'line 30'),
      );

      await row(ada, 'conflicts', 'b.txt').click();
      await pane.getByText('It was deleted here and changed on the other side.').waitFor();
      assert.equal(await pane.getByRole('button', { name: 'Mark as resolved' }).count(), 0, 'it is to be chosen first');
      await pane.getByRole('button', { name: 'Keep the file' }).click();
      await banner.filter({ hasText: 'Nothing is in conflict any more' }).waitFor();
      await banner.getByRole('button', { name: 'Continue' }).click();
      await toast(ada, 'The merge is done').waitFor();
      await banner.waitFor({ state: 'detached' });
      assert.equal(git(root, 'rev-list', '--count', '--merges', 'HEAD').trim(), '1');
      assert.equal(git(root, 'show', 'HEAD:b.txt'), lines('one', 'theirs', 'three'));

      // A rebase says its steps, and is given up.
      git(root, 'checkout', '-q', '-b', 'late', 'main~1');
      put('a.txt', lines('late 1', ...numbered.slice(1)));
      git(root, 'commit', '-qam', 'Late');
      put('new.txt', 'new\n');
      git(root, 'add', 'new.txt');
      git(root, 'commit', '-qm', 'New');
      await ada.getByTestId('branch').filter({ hasText: 'late' }).click();
      await ada.getByTestId('branch-row').filter({ hasText: 'main' }).hover();
      await ada.getByRole('button', { name: 'Rebase onto main' }).click();
      await banner.filter({ hasText: 'Rebasing late onto' }).filter({ hasText: 'Step 1 of 2' }).waitFor();
      await banner.getByRole('button', { name: 'Abort…' }).click();
      await ada.getByRole('button', { name: 'Give up the rebase' }).click();
      await banner.waitFor({ state: 'detached' });
      assert.equal(git(root, 'log', '-1', '--format=%s').trim(), 'New');
    },
    { git: true },
  );
});

test('fetch, pull and push ask who one is where the other side does, and say what came of it', { skip: noBrowserOrGit }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'outrigger-remote-'));
  try {
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', path.join(folder, 'loans.git')]);
    execFileSync('git', ['-C', path.join(folder, 'loans.git'), 'config', 'http.receivepack', 'true']);
    await withGitServer(
      folder,
      async (server) => {
        await withWorkbench(
          loanFiles,
          async ({ page, root }) => {
            const ada = await page({ name: 'Ada' });
            await sourceControl(ada);
            const push = async (): Promise<void> => {
              await ada.getByRole('button', { name: 'More of source control' }).click();
              await ada.getByRole('menuitem', { name: 'Push' }).click();
            };
            await push();
            await ada.getByRole('textbox', { name: 'Its address' }).fill(`${server.url}loans.git`);
            await ada.getByRole('button', { name: 'Add it' }).click();
            const asked = ada.getByRole('dialog', { name: 'The other side asks who you are' });
            await asked.getByRole('textbox', { name: 'Name' }).fill('ada');
            await asked.getByLabel('Password or token').fill('wrong');
            await ada.keyboard.press('Enter');
            await asked.getByRole('alert').filter({ hasText: 'It did not take that' }).waitFor();
            assert.deepEqual(await accessibilityProblems(ada), []);
            await picture(ada, 'credentials');
            await asked.getByRole('textbox', { name: 'Name' }).fill('ada');
            await asked.getByLabel('Password or token').fill('a secret');
            await ada.keyboard.press('Enter');
            await toast(ada, 'Pushed to origin/main').waitFor();
            assert.equal(
              execFileSync('git', ['-C', path.join(folder, 'loans.git'), 'log', '-1', '--format=%s', 'main'], { encoding: 'utf8' }).trim(),
              'The first loans',
            );
            assert.doesNotMatch(readFileSync(path.join(root, '.git', 'config'), 'utf8'), /a secret/);
            assert.equal(await ada.evaluate(() => JSON.stringify({ ...localStorage }).includes('a secret')), false);
          },
          { git: true },
        );
      },
      { user: 'ada', password: 'a secret' },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a link is compared as git has it, by where it leads, and not marked; what is written into an empty file is marked as new', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    { 'a.txt': lines('one', 'two', 'three'), 'b.txt': lines('four'), 'empty.txt': '', 'word.txt': 'word' },
    async ({ page, root }) => {
      symlinkSync('a.txt', path.join(root, 'link'));
      git(root, 'add', '-A');
      git(root, 'commit', '-q', '-m', 'A link');
      rmSync(path.join(root, 'link'));
      symlinkSync('b.txt', path.join(root, 'link'));
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      await row(ada, 'changes', 'link').click();
      const diff = ada.getByTestId('diff');
      await diff.locator('.cm-merge-b .cm-changedLine').first().waitFor();
      assert.deepEqual(await diff.locator('.cm-changedLine').allTextContents(), ['a.txt', 'b.txt']);
      await picture(ada, 'link');

      const bars = (kind: 'add' | 'mod' | 'del') => ada.locator(`.cm-bars .bar-${kind}`).filter({ visible: true });
      await openFocused(ada, 'empty.txt');
      await ada.keyboard.type('one');
      await bars('add').waitFor();
      await openFocused(ada, 'link');
      // Which is asked for after what the bars compare.
      await ada.locator('.cm-content').filter({ visible: true, hasText: 'Not committed yet' }).waitFor();
      assert.deepEqual([await bars('mod').count(), await bars('add').count()], [0, 0]);
      await openFocused(ada, 'word.txt');
      await ada.keyboard.press('Control+a');
      await ada.keyboard.press('Delete');
      await bars('del').waitFor();
    },
    { git: true },
  );
});

test('a comparison of a file that somebody deletes meanwhile, and that no commit has, does not call it the same', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      const says = (words: string): Promise<void> => ada.getByTestId('same').getByText(words, { exact: true }).waitFor();
      writeFileSync(path.join(root, 'new.txt'), 'new\n');
      await openFocused(ada, 'new.txt');
      await ada.keyboard.press('Alt+d');
      await ada.getByTestId('diff').locator('.cm-content', { hasText: 'new' }).waitFor();
      rmSync(path.join(root, 'new.txt'));
      await says('It is not there, and was not at HEAD.');
      writeFileSync(path.join(root, 'new.txt'), '');
      await says('It is new, and empty.');
    },
    { git: true },
  );
});

test('who writes what a commit says goes on where git fails meanwhile, sees why, and that it does no more', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      const index = path.join(root, '.git/index');
      const kept = readFileSync(index);
      await sourceControl(ada);
      writeFileSync(path.join(root, 'new.txt'), 'new\n');
      await row(ada, 'changes', 'new.txt').waitFor();
      await ada.getByRole('textbox', { name: 'Commit message' }).focus();
      await ada.keyboard.type('A new ');
      writeFileSync(index, 'no index');
      writeFileSync(path.join(root, 'newer.txt'), 'newer\n');
      await ada.getByTestId('no-git').filter({ hasText: 'index' }).waitFor();
      await ada.keyboard.type('file');
      await picture(ada, 'git-fails');
      writeFileSync(index, kept);
      writeFileSync(path.join(root, 'newest.txt'), 'newest\n');
      await row(ada, 'changes', 'newest.txt').waitFor();
      await ada.getByTestId('no-git').waitFor({ state: 'detached' });
      await ada.keyboard.type(' and more');
      assert.equal(await ada.getByRole('textbox', { name: 'Commit message' }).inputValue(), 'A new file and more');
    },
    { git: true },
  ),
);
