import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, git, noBrowser, noBrowserOrGit, openFile, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { clientOf, lines, loanFiles, picture, toast } from '../kit/source-control.ts';
import { standInOdoo } from '../kit/stand-in-odoo.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'outrigger-odoo-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const odoo = standInOdoo(scratch, '.');
// What the sidecars of this file are started with.
Object.assign(process.env, { OUTRIGGER_ODOO_COMMAND: odoo.command, OUTRIGGER_ODOO_CONFIG: odoo.config });

const files = { ...loanFiles, 'loans/__manifest__.py': '{}\n' };
type Kind = 'files' | 'commits' | 'checkpoints' | 'runs' | 'deploys';

const entry = (page: Page, kind: Kind, text: string): Locator =>
  page.locator(`[data-testid=activity-row][data-kind=${kind}]`).filter({ hasText: text });

async function openActivity(page: Page): Promise<void> {
  await page.keyboard.press('Control+Shift+y');
  await page.getByRole('feed').waitFor();
}

const writer = "require('node:fs').writeFileSync('b.txt', 'one\\ntwo, by the run\\nthree\\n')";

test('commits, checkpoints, runs and deploys stand in one stream with the changes of files, and lead to what they are', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    files,
    async (workbenches) => {
      const { page, root } = workbenches;
      const owner = clientOf(workbenches);
      const { secret } = await owner.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'execute' });
      const agent = clientOf(workbenches, secret);
      const ada = await page({ name: 'Ada' });
      try {
        await openActivity(ada);
        await entry(ada, 'commits', 'The first loans').filter({ hasText: 'Lead committed' }).waitFor();
        // What comes while it is looked at, by whomever.
        await agent.call('processes.run', { argv: ['node', '-e', writer], title: 'Fix the texts' });
        const run = entry(ada, 'runs', 'Fix the texts');
        await run
          .filter({ hasText: 'agent: fixer ran' })
          .filter({ hasText: /exited 0 after .* · Changed 1 file\./ })
          .waitFor();
        await run.locator('.av.run').waitFor();
        await entry(ada, 'files', 'b.txt').first().waitFor();
        await agent.call('processes.run', { argv: ['sh', '-c', 'exit 3'], title: 'Fails' });
        await entry(ada, 'runs', 'Fails')
          .filter({ hasText: /exited 3 after/ })
          .locator('.bad')
          .waitFor();
        await owner.call('checkpoints.create', { title: 'Before lunch' });
        await entry(ada, 'checkpoints', 'Before lunch').filter({ hasText: 'owner kept a checkpoint' }).waitFor({ timeout: 10_000 });
        git(root, 'commit', '-qam', 'By hand 名');
        await entry(ada, 'commits', 'By hand 名').filter({ hasText: 'b.txt' }).waitFor();
        const { deployment } = await owner.call('deploy.run', { profile: 'odoo', parameters: { module: 'loans' } });
        assert.equal(deployment.state, 'succeeded', deployment.error);
        await entry(ada, 'deploys', 'odoo loans')
          .filter({ hasText: /owner deployed.*succeeded in/ })
          .waitFor();
        assert.equal(await entry(ada, 'runs', 'odoo').count(), 0, 'its program is told by it');
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, 'activity');

        // Each leads to what it is.
        await entry(ada, 'commits', 'By hand').getByRole('button', { name: 'By hand' }).click();
        await ada.locator('.patch .dl.add', { hasText: 'by the run' }).waitFor();
        await openActivity(ada);
        await run.getByRole('button', { name: 'Fix the texts', exact: true }).click();
        await ada.locator('.log-head').filter({ hasText: 'Fix the texts' }).waitFor();
        await entry(ada, 'deploys', 'odoo loans').getByRole('button', { name: 'odoo loans', exact: true }).click();
        await ada.locator('.ll.stderr', { hasText: 'Modules loaded.' }).waitFor();
        await ada.getByRole('button', { name: /^Close panel/ }).click();
        await entry(ada, 'checkpoints', 'Before lunch').getByRole('button', { name: 'Before lunch', exact: true }).click();
        await ada.getByTestId('checkpoint-view').getByRole('heading', { name: 'Before lunch' }).waitFor();

        // A run is undone, and the undoing too; each is an entry.
        await openActivity(ada);
        await run.getByRole('button', { name: 'Undo: Fix the texts' }).focus();
        await ada.keyboard.press('Enter');
        await toast(ada, 'Reverted Fix the texts').waitFor();
        await eventually(() => assert.equal(readFileSync(path.join(root, 'b.txt'), 'utf8'), lines('one', 'two', 'three')));
        const reverted = entry(ada, 'checkpoints', 'you reverted Fix the texts');
        await reverted.waitFor();
        await run.getByRole('button', { name: 'Undo: Fix the texts' }).waitFor({ state: 'detached' });
        await run.locator('button.path:focus').waitFor();
        await reverted.getByRole('button', { name: 'Undo: Fix the texts' }).click();
        await eventually(() => assert.match(readFileSync(path.join(root, 'b.txt'), 'utf8'), /by the run/));
        await reverted.filter({ hasText: 'It was taken back.' }).waitFor();
        await entry(ada, 'checkpoints', 'you brought back Fix the texts').waitFor();
        await entry(ada, 'files', 'the revert of Fix the texts wrote b.txt').first().waitFor();
        await picture(ada, 'activity-undone');

        // Another person with the same link is another one.
        const ben = await page({ name: 'Ben' });
        await openActivity(ben);
        await entry(ben, 'checkpoints', 'Ada brought back Fix the texts').waitFor();
        await ben.keyboard.press('Control+Shift+e');
        await ben.getByRole('button', { name: 'New file (A)' }).click();
        await ben.keyboard.type('ben.txt');
        await ben.keyboard.press('Enter');
        await entry(ada, 'files', 'Ben created ben.txt').waitFor();
        await openActivity(ben);
        await entry(ben, 'files', 'you created ben.txt').waitFor();
      } finally {
        agent.close();
        owner.close();
      }
    },
    { git: true },
  );
});

test('activity is filtered by kind, who and where; what is new waits while one reads, and a lost link tells nothing twice (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    files,
    async (workbenches) => {
      const { page, root, scopedToken } = workbenches;
      const owner = clientOf(workbenches);
      const { secret } = await owner.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'execute' });
      const agent = clientOf(workbenches, secret);
      const ada = await page({ name: 'Ada', theme: 'light' });
      try {
        await agent.call('processes.run', { argv: ['node', '-e', writer], title: 'Fix the texts' });
        for (let index = 0; index < 30; index += 1)
          await (index % 2 === 0 ? owner : agent).call('files.write', { path: `many/${index}.txt`, text: 'x\n' });
        git(root, 'add', 'b.txt');
        git(root, 'commit', '-qm', 'Texts');
        await openActivity(ada);
        await entry(ada, 'commits', 'Texts').waitFor();
        const who = (name: string): Locator => ada.getByRole('checkbox', { name: new RegExp(`^${name} `) });
        await picture(ada, 'activity-filters');

        await who('Changes of files').uncheck();
        await entry(ada, 'files', 'many').first().waitFor({ state: 'detached' });
        await entry(ada, 'runs', 'Fix the texts').waitFor();
        await who('Runs').uncheck();
        await entry(ada, 'runs', 'Fix the texts').waitFor({ state: 'detached' });
        await who('Runs').check();
        await who('agent: fixer').uncheck();
        await entry(ada, 'runs', 'Fix the texts').waitFor({ state: 'detached' });
        await who('agent: fixer').check();
        const where = ada.getByRole('textbox', { name: 'Where' });
        await where.fill('b.txt');
        await entry(ada, 'commits', 'Texts').waitFor();
        await where.fill('nowhere');
        await ada.getByText('Nothing here by these filters.').waitFor();
        await where.fill('');
        await who('Changes of files').check();
        await entry(ada, 'files', 'many').first().waitFor();
        assert.deepEqual(await accessibilityProblems(ada), []);

        // Further down nothing moves, and what is new can be called up.
        await ada.getByRole('feed').focus();
        await ada.keyboard.press('End');
        await entry(ada, 'commits', 'The first loans').waitFor();
        await agent.call('processes.run', { argv: ['true'], title: 'Meanwhile' });
        await ada.getByTestId('news').filter({ hasText: '1 new' }).waitFor();
        assert.equal(await entry(ada, 'runs', 'Meanwhile').count(), 0);
        await picture(ada, 'activity-news');
        await ada.getByTestId('news').focus();
        await ada.keyboard.press('Enter');
        await entry(ada, 'runs', 'Meanwhile').waitFor();
        assert.equal(await ada.evaluate(() => document.activeElement?.getAttribute('role')), 'feed');

        // Off and on again: what was told is not told again, and what came meanwhile is.
        await workbenches.kill();
        await ada
          .getByRole('status')
          .filter({ hasText: /Reconnecting|Offline/ })
          .first()
          .waitFor();
        writeFileSync(path.join(root, 'a.txt'), 'meanwhile\n');
        git(root, 'commit', '-qam', 'While it was away');
        await workbenches.restart();
        await entry(ada, 'commits', 'While it was away').waitFor({ timeout: 15_000 });
        await entry(ada, 'runs', 'Meanwhile').waitFor();
        await who('Changes of files').uncheck();
        await entry(ada, 'files', 'many').first().waitFor({ state: 'detached' });
        const told = await ada.getByTestId('activity-row').evaluateAll((rows) => rows.map((row) => row.getAttribute('aria-label') ?? ''));
        for (const text of ['Meanwhile', 'Fix the texts', 'Texts,', 'While it was away', 'The first loans'])
          assert.equal(told.filter((label) => label.includes(text)).length, 1, `${text} in ${JSON.stringify(told)}`);

        const reader = await page({ token: scopedToken.call(workbenches, 'read') });
        await openActivity(reader);
        await reader.getByRole('checkbox', { name: /^Changes of files / }).uncheck();
        await entry(reader, 'runs', 'Fix the texts').waitFor();
        assert.equal(await reader.getByRole('button', { name: /^Undo/ }).count(), 0);
        await entry(ada, 'runs', 'Fix the texts').getByRole('button', { name: 'Undo: Fix the texts' }).waitFor();
        await who('Changes of files').check();
        await ada.setViewportSize({ width: 390, height: 844 });
        await entry(ada, 'files', 'many').first().waitFor();
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, 'activity-phone');
      } finally {
        agent.close();
        owner.close();
      }
    },
    { git: true },
  );
});

test('while what was done is still asked for nothing is said to be all of it', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page }) => {
      const ada = await page({ name: 'Ada' });
      const held: (() => void)[] = [];
      await ada.routeWebSocket(/\/rpc/, (socket) => {
        const sidecar = socket.connectToServer();
        socket.onMessage((message) => {
          if (String(message).includes('git.log')) held.push(() => sidecar.send(message));
          else sidecar.send(message);
        });
      });
      await ada.reload();
      await ada.locator('[data-known=true]').waitFor();
      await ada.keyboard.press('Control+Shift+y');
      await ada.getByText('Asking what was done here…').waitFor();
      await ada.getByText('Asking who did something…').waitFor();
      await eventually(() => assert.equal(held.length, 1));
      held.shift()?.();
      await entry(ada, 'commits', 'The first loans').waitFor();
      await ada.getByText('Asking').first().waitFor({ state: 'detached' });

      await openFile(ada, 'a.txt');
      await ada.keyboard.press('Alt+h');
      await ada.getByText('Asking what was done with it…').waitFor();
      await eventually(() => assert.ok(held.length > 0));
      for (const send of held.splice(0)) send();
      await ada.getByTestId('history-step').filter({ hasText: 'The first loans' }).waitFor();
      assert.equal(await ada.getByText('Asking').count(), 0);
    },
    { git: true },
  );
});

test('in a narrow window Activity says what was done, and what can be done about it is there for who points at it', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({ 'a.txt': 'a\n' }, async (workbenches) => {
    const { page, root } = workbenches;
    const ada = await page({ name: 'Ada', size: [760, 600] });
    writeFileSync(path.join(root, 'noted.txt'), 'a\n');
    await ada.getByRole('treeitem', { name: /^noted/ }).waitFor();
    await ada.keyboard.press('Control+Shift+y');
    const article = ada.getByTestId('activity-row').filter({ hasText: 'noted.txt' });
    await article.waitFor();
    const said = article.locator('.did');
    assert.equal(await said.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth), 0);
    await article.hover();
    await article.getByRole('button', { name: 'Jump' }).click();
    await ada.locator('.cm-content').waitFor();

    // A name that is too long for its line is cut, and not left out.
    const owner = clientOf(workbenches);
    await owner.call('checkpoints.create', { title: 'Before the shelves are counted anew, which takes the whole of the afternoon' });
    owner.close();
    const ben = await page({ name: 'Ben', size: [390, 844] });
    await ben.getByRole('button', { name: 'Activity', exact: true }).click();
    const long = ben.getByTestId('activity-row').filter({ hasText: 'Before the shelves' }).locator('.did');
    const { line, name } = await long.evaluate((did) => ({
      line: did.getBoundingClientRect().right,
      name: did.querySelector('button')?.getBoundingClientRect().right ?? Number.NaN,
    }));
    assert.ok(name <= line, `the name ends at ${name}, the line at ${line}`);
    await picture(ben, 'activity-phone');
  });
});

test('what somebody points at in Activity stays where it is while rows come, and so does what has the focus', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async (workbenches) => {
      const { page, root } = workbenches;
      const owner = clientOf(workbenches);
      const ada = await page({ name: 'Ada', theme: 'light', size: [1280, 800] });
      // By others in turn: what one does at once is one row.
      const outside = (name: string): void => writeFileSync(path.join(root, name), `${name}\n`);
      const call = (name: string): Promise<unknown> => owner.call('files.write', { path: name, text: `${name}\n` });
      const news = ada.getByTestId('news');
      const comes = async (name: string, run: () => unknown): Promise<void> => {
        await run();
        await news.waitFor();
        assert.equal(await entry(ada, 'files', name).count(), 0);
      };
      try {
        await call('one.txt');
        outside('two.txt');
        await openActivity(ada);
        await entry(ada, 'files', 'two.txt').waitFor();
        const undo = entry(ada, 'files', 'one.txt').getByRole('button', { name: /^Undo/ });
        await entry(ada, 'commits', 'The first loans').waitFor();
        await entry(ada, 'files', 'one.txt').hover();
        await undo.hover();
        const { x, y } = await undo.evaluate((button) => button.getBoundingClientRect());
        await comes('three.txt', () => call('three.txt'));
        await comes('four.txt', () => outside('four.txt'));
        const still = await undo.evaluate((button) => button.getBoundingClientRect());
        assert.deepEqual([still.x, still.y], [x, y]);
        await news.filter({ hasText: '2 new' }).waitFor();
        await picture(ada, 'activity-held');
        await ada.mouse.down();
        await ada.mouse.up();
        await toast(ada, 'in one.txt').waitFor();
        assert.equal(existsSync(path.join(root, 'one.txt')), false);
        // They come when nobody is there any more.
        await ada.getByRole('textbox', { name: 'Where' }).focus();
        await ada.mouse.move(5, 5);
        await entry(ada, 'files', 'three.txt').waitFor();
        await news.waitFor({ state: 'detached' });

        // Whoever only looks sees what comes.
        await ada.getByRole('feed').focus();
        await call('five.txt');
        await entry(ada, 'files', 'five.txt').waitFor();
        await ada.keyboard.press('Tab');
        await comes('six.txt', () => outside('six.txt'));
        // What is asked for is shown.
        const where = ada.getByRole('checkbox', { name: /^Commits / });
        await entry(ada, 'commits', 'The first loans').hover();
        await where.evaluate((box) => (box as HTMLInputElement).click());
        await entry(ada, 'commits', 'The first loans').waitFor({ state: 'detached' });
        await where.evaluate((box) => (box as HTMLInputElement).click());
        await entry(ada, 'commits', 'The first loans').waitFor();
        await call('seven.txt');
        await news.waitFor();
        await ada.emulateMedia({ colorScheme: 'dark' });
        await ada.setViewportSize({ width: 900, height: 600 });
        await picture(ada, 'activity-held-narrow');
        await news.click();
        await entry(ada, 'files', 'seven.txt').waitFor();
      } finally {
        owner.close();
      }
    },
    { git: true },
  );
});
