import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, git, noBrowserOrGit, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { change, clientOf, lines, loanFiles, numbered, picture, row, sourceControl, toast } from '../kit/source-control.ts';

/** Puts the keyboard into the newer side of the comparison, at its first change. */
async function intoDiff(page: Page, changed: string): Promise<void> {
  const diff = page.getByTestId('diff');
  await diff.locator('.cm-changedLine', { hasText: changed }).last().waitFor();
  await diff.locator('.cm-content').last().focus();
}

test('single changes are discarded and brought back, staged and unstaged, by keys', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
      const both = lines('first', ...numbered.slice(1, 29), 'last');
      writeFileSync(path.join(root, 'a.txt'), both);
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      await row(ada, 'changes', 'a.txt').click();
      await intoDiff(ada, 'last');
      await ada.keyboard.press('F7');
      await ada.keyboard.press('Delete');
      await toast(ada, 'Discarded a change in a.txt').waitFor();
      await eventually(() => assert.equal(read('a.txt'), lines('first', ...numbered.slice(1))));
      await toast(ada, 'Discarded a change in a.txt').getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Brought back a change in a.txt').waitFor();
      assert.equal(read('a.txt'), both);

      await intoDiff(ada, 'last');
      await row(ada, 'changes', 'a.txt').focus();
      await ada.keyboard.press('+');
      await row(ada, 'staged', 'a.txt').click();
      await ada.getByRole('heading', { name: 'a.txt' }).waitFor();
      await intoDiff(ada, 'last');
      await ada.getByRole('button', { name: 'Unstage this change (−)' }).first().waitFor();
      await ada.keyboard.press('F7');
      await ada.keyboard.press('-');
      await change(ada, 'changes', 'a.txt').filter({ hasText: '+1' }).waitFor();
      await change(ada, 'staged', 'a.txt').filter({ hasText: '+1' }).waitFor();
      assert.equal(git(root, 'show', ':a.txt').split('\n').at(-2), 'line 30');
      assert.equal(git(root, 'show', ':a.txt').split('\n')[0], 'first');
      assert.equal(read('a.txt'), both);
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'hunk-unstaged');

      // From the list F7 goes to a change as well; a button that goes when it was pressed leaves the focus to the comparison.
      await row(ada, 'changes', 'a.txt').click();
      await ada.getByRole('button', { name: 'Stage this change (+)' }).waitFor();
      await row(ada, 'changes', 'a.txt').focus();
      await ada.keyboard.press('F7');
      await ada.locator('[data-testid=diff] .cm-focused').waitFor();
      await ada.getByRole('button', { name: 'Stage file' }).focus();
      await ada.keyboard.press('Enter');
      await row(ada, 'changes', 'a.txt').waitFor({ state: 'detached' });
      await ada.waitForFunction(() => document.activeElement?.closest('[data-testid=diff]') !== null);
    },
    { git: true },
  ),
);

test('of thousands of changes in one file each is counted, gone to and staged by itself', { skip: noBrowserOrGit }, async () => {
  const old = Array.from({ length: 20_000 }, (_, index) => `line ${index} of the loans`);
  await withWorkbench(
    { 'loans.txt': lines(...old) },
    async ({ page, root }) => {
      writeFileSync(path.join(root, 'loans.txt'), lines(...old.map((line, index) => (index % 8 === 4 ? `${line}, returned` : line))));
      const ada = await page({ name: 'Ada' });
      await sourceControl(ada);
      await change(ada, 'changes', 'loans.txt').filter({ hasText: '+2500 −2500' }).waitFor();
      await row(ada, 'changes', 'loans.txt').click();
      await intoDiff(ada, 'returned');
      await ada.getByTestId('viewed').filter({ hasText: 'of 2,500 changes viewed' }).waitFor();
      await ada.getByTestId('diff').getByText('+2500 −2500').waitFor();
      await picture(ada, 'diff-thousands');

      // From the first to the last.
      await ada.keyboard.press('Shift+F7');
      await ada.getByTestId('diff').locator('.cm-changedLine', { hasText: 'line 19996 of the loans, returned' }).waitFor();
      await ada.keyboard.press('+');
      await change(ada, 'staged', 'loans.txt').filter({ hasText: '+1 −1' }).waitFor();
      assert.match(git(root, 'diff', '--cached', '-U0'), /^\+line 19996 of the loans, returned$/m);
      await ada.getByTestId('viewed').filter({ hasText: 'of 2,499 changes viewed' }).waitFor();
    },
    { git: true },
  );
});

test('in a narrow window the head of a comparison holds its name and all that can be done', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      writeFileSync(path.join(root, 'models/loan.py'), lines('class Loan:', '    days = 21'));
      // Twice as large as on a screen of 1442 points, and as on a phone.
      for (const width of [721, 390]) {
        const ada = await page({ name: 'Ada', size: [width, 450] });
        await sourceControl(ada);
        await row(ada, 'changes', 'models/loan.py').click();
        await intoDiff(ada, '21');
        await ada.getByRole('heading', { name: 'loan.py' }).waitFor();
        const head = ada.locator('.dfh');
        assert.equal(await head.evaluate((one) => one.scrollWidth <= one.clientWidth), true, `${width} px`);
        const box = await head.boundingBox();
        for (const button of await head.getByRole('button').all()) {
          const { y = 0, height = 0 } = (await button.boundingBox()) ?? {};
          assert.ok(
            box !== null && y >= box.y && y + height <= box.y + box.height,
            `${width} px: ${await button.getAttribute('aria-label')}`,
          );
        }
        const name = await ada.getByRole('heading', { name: 'loan.py' }).boundingBox();
        assert.ok(name !== null && name.width > 48, `${width} px`);
        await picture(ada, `diff-narrow-${width}`);
      }
    },
    { git: true },
  );
});

test(
  'a new file has its lines counted and is staged by its change; a renamed one gives a change back and keeps its name (long form)',
  {
    skip: noBrowserOrGit,
  },
  () =>
    withWorkbench(
      loanFiles,
      async ({ page, root }) => {
        writeFileSync(path.join(root, 'neu 名.txt'), lines('one', 'two', 'three'));
        git(root, 'mv', 'a.txt', 'renamed.txt');
        writeFileSync(path.join(root, 'renamed.txt'), lines('first', ...numbered.slice(1, 29), 'last'));
        git(root, 'add', 'renamed.txt');
        const ada = await page({ name: 'Ada', theme: 'light' });
        await sourceControl(ada);
        await change(ada, 'changes', 'neu 名.txt').filter({ hasText: '+3' }).waitFor();
        await row(ada, 'changes', 'neu 名.txt').click();
        await intoDiff(ada, 'three');
        await picture(ada, 'diff-new-file');
        await ada.keyboard.press('Delete');
        await toast(ada, 'Discarded neu 名.txt').waitFor();
        assert.equal(existsSync(path.join(root, 'neu 名.txt')), false);
        await toast(ada, 'Discarded neu 名.txt').getByRole('button', { name: 'Undo' }).click();
        await change(ada, 'changes', 'neu 名.txt').filter({ hasText: '+3' }).waitFor();
        await row(ada, 'changes', 'neu 名.txt').click();
        await intoDiff(ada, 'three');
        await ada.keyboard.press('+');
        await change(ada, 'staged', 'neu 名.txt').filter({ hasText: '+3' }).waitFor();
        assert.equal(git(root, 'show', ':neu 名.txt'), lines('one', 'two', 'three'));

        await row(ada, 'staged', 'renamed.txt').click();
        await ada.getByRole('heading', { name: 'renamed.txt' }).waitFor();
        await intoDiff(ada, 'last');
        await picture(ada, 'diff-renamed');
        await ada.keyboard.press('F7');
        await ada.keyboard.press('-');
        await change(ada, 'changes', 'renamed.txt').filter({ hasText: '+1' }).waitFor();
        await change(ada, 'staged', 'renamed.txt').filter({ hasText: 'from a.txt' }).filter({ hasText: '+1' }).waitFor();
        assert.equal(git(root, 'show', ':renamed.txt'), lines('first', ...numbered.slice(1)));
      },
      { git: true },
    ),
);

test(
  'what changed since a checkpoint is compared file by file; lines of a run are removed with what was made of them (long form)',
  {
    skip: noBrowserOrGit,
  },
  () =>
    withWorkbench(
      loanFiles,
      async (workbenches) => {
        const { page, root } = workbenches;
        const owner = clientOf(workbenches);
        const ada = await page({ name: 'Ada' });
        try {
          await owner.call('checkpoints.create', { title: 'Before lunch' });
          await owner.call('files.write', { path: 'a.txt', text: lines('after lunch', ...numbered.slice(1)) });
          await sourceControl(ada);
          await ada.getByTestId('checkpoint').filter({ hasText: 'Before lunch' }).getByRole('button').first().click();
          const view = ada.getByTestId('checkpoint-view');
          await view.getByRole('button', { name: 'Since then' }).click();
          await view.locator('.dl.add', { hasText: 'after lunch' }).waitFor();
          assert.deepEqual(await accessibilityProblems(ada), []);
          await picture(ada, 'checkpoint-since');
          await view.getByRole('button', { name: 'Compare a.txt' }).click();
          const diff = ada.getByTestId('diff');
          await diff.locator('.cm-changedLine', { hasText: 'after lunch' }).waitFor();
          await diff.getByText('Checkpoint', { exact: true }).first().waitFor();
          // It follows what is typed.
          await owner.call('files.write', { path: 'a.txt', text: lines('much later', ...numbered.slice(1)) });
          await diff.locator('.cm-changedLine', { hasText: 'much later' }).waitFor();
          await picture(ada, 'checkpoint-compare');

          const program = "const fs=require('node:fs');fs.writeFileSync('b.txt','one\\ntwo, by the run\\nthree\\n')";
          await owner.call('processes.run', { argv: ['node', '-e', program], title: 'Fix the texts', checkpoint: true });
          const card = ada.getByTestId('run-card');
          await card.filter({ hasText: 'Changed 1 file.' }).waitFor();
          writeFileSync(path.join(root, 'b.txt'), lines('one', 'two, by the run and me', 'three'));
          await card.filter({ hasText: 'It was edited since.' }).waitFor();
          await card.getByRole('button', { name: 'Revert run, keep my edits' }).click();
          const clash = ada.getByRole('dialog', { name: 'Not reverted: Fix the texts' });
          await clash.getByRole('button', { name: 'Remove run’s lines' }).click();
          await toast(ada, 'Reverted Fix the texts: 1 file').waitFor();
          assert.equal(readFileSync(path.join(root, 'b.txt'), 'utf8'), loanFiles['b.txt']);
          await toast(ada, 'Reverted Fix the texts').getByRole('button', { name: 'Undo' }).click();
          await eventually(() => assert.match(readFileSync(path.join(root, 'b.txt'), 'utf8'), /by the run and me/));
        } finally {
          owner.close();
        }
      },
      { git: true },
    ),
);

test('a name that is written from right to left leaves the folder beside it as it is', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'folder/a.txt': 'a\n' },
    async ({ page, root }) => {
      // The second turns all that follows, and takes that nowhere back.
      const names = ['שלום.txt', '\u202etxt.eman'];
      for (const name of names) writeFileSync(path.join(root, 'folder', name), 'needle\n');
      const ada = await page({ name: 'Ada' });
      /** By where each letter stands. */
      const seen = (box: Locator): Promise<string> =>
        box.evaluate((element) => {
          const letters: [number, string][] = [];
          const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
          for (let text = texts.nextNode(); text !== null; text = texts.nextNode())
            for (const [at, letter] of [...(text.textContent ?? '')].entries()) {
              const range = document.createRange();
              range.setStart(text, at);
              range.setEnd(text, at + 1);
              letters.push([range.getBoundingClientRect().left, letter]);
            }
          return letters
            .sort(([a], [b]) => a - b)
            .map(([, letter]) => letter)
            .join('');
        });
      await sourceControl(ada);
      for (const name of names) {
        await row(ada, 'changes', `folder/${name}`).click();
        await ada.getByTestId('diff').waitFor();
        // How many lines are new is counted after what is new.
        await eventually(async () => assert.match(await seen(row(ada, 'changes', `folder/${name}`)), / ?folder ?\+1/));
        await eventually(async () => assert.match(await seen(ada.getByTestId('diff').locator('h2')), / ?folder ?$/));
      }
      await ada.keyboard.press('Control+Shift+f');
      await ada.keyboard.type('needle');
      await ada.locator('.sr-file').nth(1).waitFor();
      for (const file of await ada.locator('.sr-file .ell').all()) assert.match(await seen(file), / ?folder ?$/);
    },
    { git: true },
  ),
);
