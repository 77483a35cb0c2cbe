// The page in Chromium: what is pressed before the sidecar has answered what it is about.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { git, noBrowser, noBrowserOrGit, openFile, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { lines, openFocused, picture } from '../kit/source-control.ts';

/** Requests of the page that match, while they are held back. */
interface Held {
  readonly waiting: number;
  release(): void;
}

/** What keeps back what the page asks, once it is loaded anew. */
async function withHolds(page: Page): Promise<(asked: RegExp) => Held> {
  const holds = new Map<RegExp, (() => void)[]>();
  await page.routeWebSocket(/\/rpc/, (socket) => {
    const sidecar = socket.connectToServer();
    socket.onMessage((message) => {
      const [, held] = [...holds].find(([asked]) => asked.test(String(message))) ?? [];
      if (held === undefined) sidecar.send(message);
      else held.push(() => sidecar.send(message));
    });
  });
  return (asked) => {
    const held: (() => void)[] = [];
    holds.set(asked, held);
    return {
      get waiting() {
        return held.length;
      },
      release: () => {
        holds.delete(asked);
        for (const send of held.splice(0)) send();
      },
    };
  };
}

async function again(page: Page): Promise<void> {
  await page.reload();
  await page.locator('[data-known=true]').waitFor();
}

const isHeld = (held: Held): Promise<void> => eventually(() => assert.ok(held.waiting > 0));

test('until the page has come over a slow link it says that the workspace is being opened', { skip: noBrowser }, () =>
  withWorkbench({ 'loan.py': 'due = 14\n' }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    const held = Promise.withResolvers<void>();
    await ada.route('**/assets/*.js', async (route) => {
      await held.promise;
      await route.continue();
    });
    await ada.reload({ waitUntil: 'commit' });
    const opening = ada.getByText('Opening the workspace…');
    await opening.waitFor();
    await picture(ada, 'opening');
    held.resolve();
    await ada.getByRole('treeitem', { name: 'loan.py' }).waitFor();
    assert.equal(await opening.count(), 0);
  }),
);

test('where the page does not come it says so', { skip: noBrowser }, () =>
  withWorkbench(
    {},
    async ({ page }) => {
      const ada = await page({ name: 'Ada' });
      await ada.route('**/assets/*.js', (route) => route.abort());
      await ada.reload();
      await ada.getByText('The page could not be loaded. Reload it to try again.').waitFor();
      await ada.unroute('**/assets/*.js');
      await again(ada);
    },
    { expected: /ERR_FAILED/ },
  ),
);

test('the key that runs a file waits to hear what can be run', { skip: requireTool('chromium', 'python3') }, () =>
  withWorkbench({ 'loan.py': 'print("lent")\n' }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openFocused(ada, 'loan.py');
    const hold = await withHolds(ada);
    const languages = hold(/"code\.languages"/);
    await again(ada);
    await ada.locator('.cm-content').filter({ hasText: 'lent' }).click();
    await isHeld(languages);
    await ada.keyboard.press('Control+Enter');
    await ada.locator('#run-problem').getByText('Asking what can be run here…').waitFor();
    languages.release();
    await ada.getByTestId('run-state').filter({ hasText: 'Exited 0' }).waitFor({ timeout: 20_000 });
  }),
);

test('a folder that is still being listed can be gone into', { skip: noBrowser }, () =>
  withWorkbench({ 'models/loan.py': lines('one'), 'b.txt': lines('one') }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    const hold = await withHolds(ada);
    await again(ada);
    const row = (name: string) => ada.getByRole('treeitem', { name });
    await ada.keyboard.press('Control+p');
    await ada.getByRole('option').filter({ hasText: 'loan.py' }).waitFor();
    await ada.keyboard.press('Escape');
    const listed = hold(/"files\.list".*"path":"models"/);
    await row('models').click();
    await isHeld(listed);
    await openFile(ada, 'loan.py');
    listed.release();
    await row('loan.py').waitFor();
    await eventually(async () => assert.equal(await row('loan.py').getAttribute('aria-selected'), 'true'));
  }),
);

test('who opens a document over a slow link is in its place until it is there, and in the document then', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': lines('one'), 'b.txt': lines('two') }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    const hold = await withHolds(ada);
    await again(ada);
    const opened = hold(/"documents\.open"/);
    await ada.keyboard.press('Control+p');
    const field = ada.getByRole('combobox', { name: 'Go to file' });
    await field.fill('a.txt');
    await ada.getByRole('option').filter({ hasText: 'a.txt' }).waitFor();
    await ada.keyboard.press('Enter');
    await isHeld(opened);
    await field.waitFor({ state: 'detached' });
    await ada.getByRole('region', { name: 'Opening' }).and(ada.locator(':focus')).waitFor();
    opened.release();
    await ada.locator('.cm-focused').filter({ hasText: 'one' }).waitFor();

    // Who goes elsewhere meanwhile stays there.
    const another = hold(/"documents\.open"/);
    await ada.keyboard.press('Control+p');
    await field.fill('b.txt');
    await ada.getByRole('option').filter({ hasText: 'b.txt' }).waitFor();
    await ada.keyboard.press('Enter');
    await ada.getByRole('region', { name: 'Opening' }).and(ada.locator(':focus')).waitFor();
    await ada.keyboard.press('Control+Shift+f');
    await ada.getByRole('textbox', { name: 'Search text' }).and(ada.locator(':focus')).waitFor();
    another.release();
    await ada.locator('.cm-content').filter({ visible: true, hasText: 'two' }).waitFor();
    assert.ok(await ada.getByRole('textbox', { name: 'Search text' }).evaluate((field) => field === document.activeElement));
  }),
);

test('a branch whose name is typed before the branches are known is switched to, and not made anew', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'a.txt': lines('one') },
    async ({ page, root }) => {
      git(root, 'branch', 'topic');
      const ada = await page({ name: 'Ada' });
      const hold = await withHolds(ada);
      const status = hold(/"git\.status"/);
      const branches = hold(/"git\.branches"/);
      await again(ada);
      await isHeld(status);
      await ada.keyboard.press('Alt+b');
      await isHeld(branches);
      await ada.getByRole('combobox', { name: 'Find or name a branch' }).fill('topic');
      await ada.getByRole('dialog', { name: 'Branches' }).getByText('Asking git…').waitFor();
      await ada.keyboard.press('Enter');
      status.release();
      branches.release();
      await eventually(() => assert.equal(git(root, 'branch', '--show-current').trim(), 'topic'));
    },
    { git: true },
  ),
);

test('a comparison with HEAD waits to hear what HEAD is', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'a.txt': lines('one', 'two', 'three') },
    async ({ page, root }) => {
      writeFileSync(path.join(root, 'a.txt'), lines('one', 'TWO', 'three'));
      const ada = await page({ name: 'Ada' });
      const hold = await withHolds(ada);
      const status = hold(/"git\.status"/);
      const texts = hold(/"files\.read".*"path":"a\.txt"/);
      await again(ada);
      await isHeld(status);
      await openFile(ada, 'a.txt');
      await ada.keyboard.press('Alt+d');
      const diff = ada.getByTestId('diff');
      await diff.waitFor();
      await ada.reload();
      await diff.waitFor();
      await eventually(() => assert.equal(status.waiting, 2));
      assert.equal(texts.waiting, 0, 'nothing is compared yet');
      status.release();
      await isHeld(texts);
      texts.release();
      await diff.getByText('+1').waitFor();
    },
    { git: true },
  ),
);

test(
  'a line that was asked for of a file that was left before it came is not gone to when it is opened for itself',
  { skip: noBrowser },
  () =>
    withWorkbench(
      { 'a.txt': lines(...Array.from({ length: 40 }, (_, at) => `${at + 1}`), 'needle'), 'b.txt': 'needle\n' },
      async ({ page }) => {
        const ada = await page({ name: 'Ada' });
        const hold = await withHolds(ada);
        await again(ada);
        await ada.keyboard.press('Control+Shift+f');
        await ada.keyboard.type('needle');
        const hit = ada.getByTestId('hit');
        await eventually(async () => assert.equal(await hit.count(), 2));
        const opened = hold(/"documents\.open".*"path":"a\.txt"/);
        await hit.first().click();
        await isHeld(opened);
        await hit.last().click();
        await ada.locator('.cm-content').filter({ hasText: 'needle' }).waitFor();
        opened.release();
        await openFile(ada, 'a.txt');
        await ada.getByTestId('position').filter({ hasText: 'Ln 1' }).waitFor();
      },
    ),
);
