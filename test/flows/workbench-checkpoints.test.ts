import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { accessibilityProblems, git, noBrowserOrGit, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
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

test('what a run of an agent did is taken back, and what was typed meanwhile stays in the open editor', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async (workbenches) => {
      const { page, root } = workbenches;
      const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
      const ada = await page({ name: 'Ada', theme: 'light' });
      await openFocused(ada, 'a.txt');
      await ada.keyboard.press('Alt+r');
      await toast(ada, 'No run to go back from').waitFor();
      await eventually(async () => assert.equal(await ada.evaluate(() => document.activeElement?.closest('.side') !== null), true));
      const owner = clientOf(workbenches);
      const { secret } = await owner.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'execute' });
      const agent = clientOf(workbenches, secret);
      try {
        // It writes A and B, then waits for a line, so that the typing falls into it.
        const program = [
          "const fs = require('node:fs')",
          "const edit = (name, from, to) => fs.writeFileSync(name, fs.readFileSync(name, 'utf8').replace(from, to))",
          "edit('a.txt', 'line 3\\n', 'line 3, by the run\\n')",
          "edit('b.txt', 'two', 'two, by the run')",
          "process.stdin.once('data', () => process.exit(0))",
        ].join(';');
        const { process: started } = await agent.call('processes.start', {
          argv: ['node', '-e', program],
          title: 'Fix the texts',
          keepStdinOpen: true,
        });
        await eventually(async () => assert.match(await text(ada), /line 3, by the run/));
        await ada.locator('.cm-content').filter({ visible: true }).focus();
        await ada.keyboard.press('Control+End');
        await ada.keyboard.type('typed during the run');
        await eventually(() => assert.match(read('a.txt'), /typed during the run/));
        // What it has done until now; that says the same when the run is over and the tab is looked at again.
        await sourceControl(ada);
        await ada.getByTestId('checkpoint').filter({ hasText: 'Fix the texts running' }).getByRole('button').first().click();
        const byTheRun = ada.getByTestId('checkpoint-view').locator('.dl.add', { hasText: 'line 3, by the run' });
        await byTheRun.waitFor();
        await ada.getByRole('tab', { name: 'a.txt' }).first().click();
        await agent.call('processes.input', { id: started.id, text: '\n', end: true });

        const card = ada.getByTestId('run-card');
        await card.filter({ hasText: 'Fix the texts' }).filter({ hasText: 'by fixer' }).filter({ hasText: 'Changed 2 files.' }).waitFor();
        await ada.getByRole('tab', { name: 'Fix the texts' }).click();
        await byTheRun.waitFor();
        // And after it, in yet another place.
        await openFocused(ada, 'a.txt');
        await ada.keyboard.press('Control+Home');
        await ada.keyboard.type('typed after, ');
        await card.filter({ hasText: '1 of them was edited since.' }).waitFor();
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, 'run-card');
        // By keys alone, from wherever one is.
        await ada.keyboard.press('Control+Shift+e');
        await ada.locator('.cm-content').filter({ visible: true }).focus();
        await ada.keyboard.press('Alt+r');
        await card.getByRole('button', { name: 'Revert run, keep my edits' }).and(ada.locator(':focus')).waitFor();
        await picture(ada, 'run-card-by-key');
        await ada.keyboard.press('Tab');
        await ada.keyboard.press('Enter');
        await byTheRun.waitFor();
        await picture(ada, 'checkpoint');
        await ada.getByRole('tab', { name: 'a.txt' }).first().click();

        await card.getByRole('button', { name: 'Revert run, keep my edits' }).click();
        await toast(ada, 'Reverted Fix the texts: 2 files').waitFor();
        await picture(ada, 'reverted');
        const wanted = lines('typed after, line 1', ...numbered.slice(1), 'typed during the run').trimEnd();
        await eventually(() => assert.equal(read('a.txt'), wanted));
        await eventually(async () => assert.match(await text(ada), /^typed after, line 1\nline 2\nline 3\n/));
        assert.equal(read('b.txt'), loanFiles['b.txt']);
        await card.filter({ hasText: 'It was taken back.' }).waitFor();

        await toast(ada, 'Reverted Fix the texts').getByRole('button', { name: 'Undo' }).click();
        await toast(ada, 'Brought back what Fix the texts did').waitFor();
        assert.match(read('a.txt'), /^typed after, line 1\nline 2\nline 3, by the run\n/);
        assert.match(read('b.txt'), /two, by the run/);

        // Lines that both changed are shown with both, and nothing happens before somebody says what.
        writeFileSync(path.join(root, 'b.txt'), lines('one', 'two, by the run and me', 'three'));
        await card.filter({ hasText: '2 of them were edited since.' }).waitFor();
        await card.getByRole('button', { name: 'Revert run, keep my edits' }).click();
        const clash = ada.getByRole('dialog', { name: 'Not reverted: Fix the texts' });
        await clash.getByRole('region', { name: 'b.txt, line 2' }).getByText('two, by the run and me').waitFor();
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, 'clash');
        await clash.getByRole('button', { name: 'Cancel' }).click();
        assert.match(read('a.txt'), /line 3, by the run/);
        await card.getByRole('button', { name: 'Revert run, keep my edits' }).click();
        await clash.getByRole('button', { name: 'Keep newer edits' }).click();
        await eventually(() => assert.doesNotMatch(read('a.txt'), /by the run/));
        assert.match(read('b.txt'), /two, by the run and me/);
      } finally {
        agent.close();
        owner.close();
      }
    },
    { git: true },
  );
});

test('of the first checkpoint it is said that there is none before it, of another with the same files that nothing differs', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(loanFiles, async (workbenches) => {
    const owner = clientOf(workbenches);
    for (const title of ['The first', 'The same']) await owner.call('checkpoints.create', { title });
    owner.close();
    const ada = await workbenches.page({ name: 'Ada' });
    await sourceControl(ada);
    for (const [title, hint] of [
      ['The first', 'There is no checkpoint before this one.'],
      ['The same', 'Nothing differs from the checkpoint before.'],
    ] as const) {
      await ada.getByTestId('checkpoint').filter({ hasText: title }).getByRole('button').first().click();
      const view = ada.getByTestId('checkpoint-view');
      await view.getByRole('heading', { name: title }).waitFor();
      await view.locator('.hint', { hasText: hint }).waitFor();
    }
  });
});

test('who wrote a line is said where the caret rests, its commits are listed, and nothing of the text moves (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      writeFileSync(path.join(root, 'b.txt'), lines('one', 'two', 'THREE'));
      git(root, 'commit', '-qam', 'Three, louder');
      writeFileSync(path.join(root, 'a.txt'), lines('another', ...numbered));
      git(root, 'commit', '-qam', 'Another');
      const ada = await page({ name: 'Ada' });
      await openFocused(ada, 'b.txt');
      const note = ada.locator('.cm-blame');
      await note.filter({ hasText: /^Lead, today at .* · The first loans$/ }).waitFor();
      for (const key of ['ArrowDown', 'ArrowDown']) await ada.keyboard.press(key);
      await note.filter({ hasText: 'Three, louder' }).waitFor();
      const before = await ada.locator('.cm-content').boundingBox();
      await ada.keyboard.type('x');
      await note.waitFor({ state: 'detached' });
      assert.deepEqual((await ada.locator('.cm-content').boundingBox())?.height, before?.height);
      await note.filter({ hasText: 'Not committed yet' }).waitFor();
      await ada.keyboard.press('Control+Shift+p');
      await ada.keyboard.type('Commits of this document');
      await ada.keyboard.press('Enter');
      await ada.getByRole('region', { name: 'History of b.txt' }).waitFor();
      const commits = ada.getByTestId('commit');
      await commits.filter({ hasText: 'Three, louder' }).waitFor();
      await eventually(async () => assert.equal(await commits.count(), 2));
      await ada.getByRole('button', { name: 'Show all commits' }).click();
      await eventually(async () => assert.equal(await commits.count(), 3));
    },
    { git: true },
  );
});

test('co-authors are the others who edited what is committed, and can be left out (long form)', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(
    loanFiles,
    async (workbenches) => {
      const { page, root } = workbenches;
      const ada = await page({ name: 'Ada', theme: 'dark', size: [390, 844] });
      const owner = clientOf(workbenches);
      const { secret } = await owner.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'write' });
      const agent = clientOf(workbenches, secret);
      try {
        await agent.call('files.write', { path: 'b.txt', text: 'fixed\n' });
        await ada.getByRole('button', { name: /^Changes/ }).click();
        await change(ada, 'changes', 'b.txt').waitFor();
        const others = ada.getByRole('checkbox', { name: 'Name as co-authors: fixer' });
        await others.waitFor();
        assert.equal(await others.isChecked(), true);
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, 'panel-phone');
        await ada.getByRole('textbox', { name: 'Commit message' }).fill('What was fixed');
        await ada.getByRole('button', { name: 'Commit 1 file' }).click();
        await toast(ada, 'Committed 1 file').waitFor();
        assert.match(git(root, 'log', '-1', '--format=%B'), /\nCo-authored-by: fixer <fixer@outrigger\.invalid>/);

        // git counts seconds: the next edit is after the commit when one has passed.
        const at = Number(git(root, 'log', '-1', '--format=%ct'));
        await eventually(() => assert.ok(Date.now() >= (at + 1) * 1000));
        await agent.call('files.write', { path: 'b.txt', text: 'fixed again\n' });
        await others.waitFor();
        await others.uncheck();
        await row(ada, 'changes', 'b.txt').click();
        await ada.getByTestId('diff').locator('.cm-changedLine').first().waitFor();
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, 'diff-phone');
        await ada.getByRole('button', { name: /^Changes/ }).click();
        await ada.getByRole('textbox', { name: 'Commit message' }).fill('Fixed by nobody');
        await ada.getByRole('button', { name: 'Commit 1 file' }).click();
        await eventually(() => assert.match(git(root, 'log', '-1', '--format=%B'), /nobody/));
        assert.doesNotMatch(git(root, 'log', '-1', '--format=%B'), /Co-authored/);
      } finally {
        agent.close();
        owner.close();
      }
    },
    { git: true },
  );
});

test('a folder without a repository says so and gets one; checkpoints are kept and restored without (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench({ 'a.txt': 'a\n' }, async (workbenches) => {
    const { page, root, scopedToken } = workbenches;
    const ada = await page({ name: 'Ada' });
    await sourceControl(ada);
    await ada.getByTestId('no-repository').filter({ hasText: 'No repository here. Start one to keep commits' }).waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await picture(ada, 'no-repository');
    await ada.getByRole('button', { name: 'Keep a checkpoint now' }).click();
    await ada.getByRole('textbox', { name: /What it is for/ }).fill('Before lunch');
    await ada.keyboard.press('Enter');
    const kept = ada.getByTestId('checkpoint').filter({ hasText: 'Before lunch' });
    await kept.waitFor();
    writeFileSync(path.join(root, 'a.txt'), 'b\n');
    await kept.hover();
    await kept.getByRole('button', { name: 'Restore Before lunch' }).click();
    await toast(ada, 'Restored Before lunch: 1 file').waitFor();
    assert.equal(readFileSync(path.join(root, 'a.txt'), 'utf8'), 'a\n');

    const reader = await page({ token: scopedToken.call(workbenches, 'read') });
    await sourceControl(reader);
    await reader.getByTestId('no-repository').waitFor();
    await reader.getByTestId('checkpoint').first().waitFor();
    for (const name of ['Start one', 'Keep a checkpoint now', /^Restore (the folder|Before)/])
      assert.equal(await reader.getByRole('button', { name }).count(), 0, String(name));

    await ada.getByRole('button', { name: 'Start one' }).click();
    await toast(ada, 'Started a repository').waitFor();
    await change(ada, 'changes', 'a.txt').waitFor();
    assert.equal(existsSync(path.join(root, '.git')), true);
  });
});
