import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Route } from 'playwright-core';
import { accessibilityProblems, git, noBrowser, noBrowserOrGit, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { withGitServer } from '../kit/git-server.ts';
import { picture } from '../kit/source-control.ts';

const sample = path.join(import.meta.dirname, '../../examples/library-loans');

test(
  'an empty folder is filled with the sample project, all of it, and emptied again by Undo; where something came meanwhile nothing is added',
  {
    skip: noBrowser,
  },
  () =>
    withWorkbench({}, async ({ page, root }) => {
      const filesIn = (folder: string): string[] =>
        readdirSync(folder, { recursive: true, withFileTypes: true })
          .flatMap((entry) => (entry.isFile() ? [path.relative(folder, path.join(entry.parentPath, entry.name))] : []))
          .sort();
      const ada = await page({ name: 'Ada' });
      const add = ada.getByTestId('empty').getByRole('button', { name: 'Add the sample project' });
      await add.waitFor();
      await picture(ada, 'empty');
      await add.focus();
      await ada.keyboard.press('Enter');
      const toast = ada.getByTestId('toast').filter({ hasText: 'Added the sample project' });
      await toast.waitFor();
      await ada.getByRole('tab', { name: 'README.md', selected: true }).waitFor();
      assert.deepEqual(filesIn(root), filesIn(sample));
      for (const file of filesIn(sample))
        assert.deepEqual(readFileSync(path.join(root, file)), readFileSync(path.join(sample, file)), file);
      await picture(ada, 'sample');
      await toast.getByRole('button', { name: 'Undo' }).click();
      await eventually(() => assert.deepEqual(readdirSync(root), []));
      await ada.getByRole('button', { name: 'Close tab' }).click();
      await add.waitFor();

      await ada.route('**/sample-project-*', async (route) => {
        writeFileSync(path.join(root, 'README.md'), 'mine\n');
        await route.continue();
      });
      await ada.reload();
      await add.click();
      await ada.getByTestId('toast').filter({ hasText: 'Not added: the sample project' }).waitFor();
      assert.deepEqual([filesIn(root), readFileSync(path.join(root, 'README.md'), 'utf8')], [['README.md'], 'mine\n']);
    }),
);

test('an empty folder says what can be done: a file, what is dropped there, a clone; and less to who may less (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench({}, async ({ page, root, scopedToken, ...rest }) => {
    for (const theme of ['light', 'dark'] as const) {
      const one = await page({ name: 'Cleo', theme });
      await one.getByTestId('empty').getByRole('heading', { name: 'This folder is empty' }).waitFor();
      assert.deepEqual(await accessibilityProblems(one), [], theme);
      await one.context().close();
    }
    const reader = await page({ token: scopedToken.call(rest, 'read') });
    await reader.getByTestId('empty').waitFor();
    assert.equal(await reader.getByTestId('empty').getByRole('button').count(), 0);
    const writer = await page({ token: scopedToken.call(rest, 'write') });
    await writer.getByRole('button', { name: 'New folder' }).filter({ hasText: 'New folder' }).waitFor();
    assert.equal(await writer.getByRole('button', { name: 'Clone a repository' }).count(), 0);

    const ada = await page({ name: 'Ada' });
    const empty = ada.getByTestId('empty');
    // The tree is a place for the keys also when nothing is in it.
    await ada.keyboard.press('Control+Shift+e');
    await ada
      .getByRole('tree', { name: /^Files in/ })
      .and(ada.locator(':focus'))
      .waitFor();
    for (const [key, field] of [
      ['a', 'New file name'],
      ['Shift+A', 'New folder name'],
    ] as const) {
      await ada.keyboard.press(key);
      await ada.getByRole('textbox', { name: field }).waitFor();
      await ada.keyboard.press('Escape');
      await ada
        .getByRole('tree', { name: /^Files in/ })
        .and(ada.locator(':focus'))
        .waitFor();
    }
    await empty.getByRole('button', { name: 'Clone a repository' }).click();
    const dialog = ada.getByRole('dialog', { name: 'Clone a repository' });
    await dialog.getByRole('textbox', { name: 'Its address' }).fill('nonsense');
    await ada.keyboard.press('Enter');
    const failure = ada.getByTestId('toast').filter({ hasText: 'Not cloned' });
    await failure.getByRole('button', { name: 'Change the address' }).waitFor();
    await failure.getByRole('button', { name: 'Dismiss' }).click();
    assert.equal(existsSync(path.join(root, '.git')), false);

    await empty.getByRole('button', { name: 'New file' }).click();
    await ada.getByRole('textbox', { name: 'New file name' }).waitFor();
    await ada.keyboard.press('Escape');
    const transfer = await ada.evaluateHandle(() => {
      const data = new DataTransfer();
      data.items.add(new File(['dropped\n'], 'dropped.txt'));
      return data;
    });
    await empty.dispatchEvent('drop', { dataTransfer: transfer });
    await eventually(() => assert.equal(readFileSync(path.join(root, 'dropped.txt'), 'utf8'), 'dropped\n'));
    await ada.getByTestId('welcome').waitFor();
  });
});

test('while files are uploaded the page says how many have come, and the browser asks before it leaves them', { skip: noBrowser }, () =>
  withWorkbench({}, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const held: Route[] = [];
    await ada.route(/files\.upload/, (route) => void held.push(route));
    const transfer = await ada.evaluateHandle(() => {
      const data = new DataTransfer();
      for (const name of ['one.txt', 'two.txt']) data.items.add(new File(['dropped\n'], name));
      return data;
    });
    await ada.getByTestId('empty').dispatchEvent('drop', { dataTransfer: transfer });
    const uploading = ada.getByTestId('uploading');
    await uploading.filter({ hasText: 'Uploading 1 of 2' }).waitFor();
    await eventually(() => assert.equal(held.length, 1));
    // The browser asks nobody who has done nothing here.
    await ada.getByTestId('entries').click();
    const asked = ada.waitForEvent('dialog', { timeout: 10_000 });
    await ada.close({ runBeforeUnload: true });
    const question = await asked;
    assert.equal(question.type(), 'beforeunload');
    await question.dismiss();
    await held[0]?.continue();
    await uploading.filter({ hasText: 'Uploading 2 of 2' }).waitFor();
    await ada
      .getByTestId('entries')
      .filter({ hasText: /^(1 of )?1 entry$/ })
      .waitFor();
    await eventually(() => assert.equal(held.length, 2));
    await held[1]?.continue();
    await uploading.waitFor({ state: 'detached' });
    assert.deepEqual(readdirSync(root).sort(), ['one.txt', 'two.txt']);
  }),
);

test('an empty folder is filled by a clone, which asks who one is where the other side does, and can be stopped (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'outrigger-clone-'));
  const source = path.join(folder, 'source');
  try {
    mkdirSync(source);
    git(source, 'init', '-q', '-b', 'main');
    git(source, 'commit', '-q', '--allow-empty', '-m', 'Nothing');
    execFileSync('sh', ['-c', 'echo "# Cloned" > README.md'], { cwd: source });
    git(source, 'add', '-A');
    git(source, 'commit', '-q', '-m', 'A file');
    execFileSync('git', ['clone', '-q', '--bare', source, path.join(folder, 'loans.git')]);
    await withGitServer(
      folder,
      (server) =>
        withWorkbench({}, async ({ page, root }) => {
          const ada = await page({ name: 'Ada' });
          const ask = async (): Promise<void> => {
            await ada.getByTestId('empty').getByRole('button', { name: 'Clone a repository' }).click();
            await ada.getByRole('textbox', { name: 'Its address' }).fill(`${server.url}loans.git`);
            await ada.keyboard.press('Enter');
          };
          const { waiting, release } = server.hold();
          await ask();
          await eventually(() => assert.ok(waiting() > 0));
          await ada.getByTestId('cloning').getByRole('button', { name: 'Stop' }).click();
          await ada.getByTestId('toast').filter({ hasText: 'Stopped the clone' }).waitFor();
          release();
          await ask();
          await ada.getByRole('textbox', { name: 'Name' }).fill('ada');
          await ada.getByLabel(/^Password/).fill('secret');
          await ada.keyboard.press('Enter');
          await ada.getByTestId('toast').filter({ hasText: 'Cloned the repository' }).filter({ hasText: 'main' }).waitFor();
          await ada.getByRole('treeitem', { name: /^README\.md/ }).waitFor();
          await ada.getByTestId('branch').filter({ hasText: 'main' }).waitFor();
          await ada.getByTestId('welcome').waitFor();
          assert.equal(git(root, 'log', '-1', '--format=%s').trim(), 'A file');
        }),
      { user: 'ada', password: 'secret' },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
