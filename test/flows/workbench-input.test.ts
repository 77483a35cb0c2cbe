// The page in Chromium: keys of an input method, keys that come early, and what was opened while the link was away.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator } from 'playwright-core';
import { eventually } from '../kit/eventually.ts';
import { shownName } from '../../src/workbench/shown-name.ts';
import { noBrowser, noBrowserOrGit, openFile, withWorkbench } from '../kit/browser.ts';

/** Or something in it. */
const hasFocus = (element: Element): boolean => element.contains(document.activeElement);

test('the keys that end a word of an input method end no name, and open nothing', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'a\n', 'b.txt': 'b\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const cdp = await ada.context().newCDPSession(ada);
    const composeAndPress = async (text: string, key: string): Promise<void> => {
      await cdp.send('Input.imeSetComposition', { text, selectionStart: text.length, selectionEnd: text.length });
      for (const type of ['rawKeyDown', 'keyUp'] as const)
        await cdp.send('Input.dispatchKeyEvent', { type, key, code: key, windowsVirtualKeyCode: 229 });
      await cdp.send('Input.insertText', { text });
    };
    await ada.getByRole('treeitem', { name: /^a\.txt/ }).click();
    await ada.keyboard.press('F2');
    const field = ada.getByRole('textbox', { name: /New name/ });
    await field.fill('');
    for (const key of ['Escape', 'Enter']) await composeAndPress('に', key);
    assert.equal(await field.inputValue(), 'にに');
    assert.ok(existsSync(path.join(root, 'a.txt')));
    await ada.keyboard.press('Enter');
    await ada.getByRole('treeitem', { name: /^にに/ }).waitFor();

    await ada.keyboard.press('Control+p');
    const finder = ada.getByRole('combobox');
    await finder.waitFor();
    await composeAndPress('b', 'Enter');
    assert.equal(await finder.inputValue(), 'b');
    await ada.keyboard.press('Enter');
    await ada.getByRole('tablist', { name: 'Open documents' }).getByRole('tab', { name: 'b.txt' }).waitFor();
  }),
);

test('nor do those that a browser sends once the word is there, as Safari does', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'a\n', 'b.txt': 'b\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const press = (field: Locator, key: string): Promise<void> =>
      field.evaluate(
        (element, pressed) =>
          void element.dispatchEvent(new KeyboardEvent('keydown', { key: pressed, keyCode: 229, bubbles: true, cancelable: true })),
        key,
      );
    await ada.getByRole('treeitem', { name: /^a\.txt/ }).click();
    await ada.keyboard.press('F2');
    const field = ada.getByRole('textbox', { name: /New name/ });
    await field.fill('に');
    for (const key of ['Escape', 'Enter']) await press(field, key);
    assert.equal(await field.inputValue(), 'に');
    assert.ok(existsSync(path.join(root, 'a.txt')));
    await ada.keyboard.press('Enter');
    await ada.getByRole('treeitem', { name: /^に/ }).waitFor();

    await ada.keyboard.press('Control+p');
    const finder = ada.getByRole('combobox');
    await finder.fill('b');
    await ada.getByRole('option', { name: /b\.txt/ }).waitFor();
    for (const key of ['Enter', 'Escape']) await press(finder, key);
    assert.equal(await finder.inputValue(), 'b');
    await ada.keyboard.press('Enter');
    await ada.getByRole('tablist', { name: 'Open documents' }).getByRole('tab', { name: 'b.txt' }).waitFor();
  }),
);

test('a name that is left as it was is left alone, whatever is in it', { skip: noBrowser }, () =>
  withWorkbench({ ' lead.txt ': 'a\n', 'line\nfeed.txt': 'b\n', 'z.txt': 'z\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const names = readdirSync(root).sort();
    const field = ada.getByRole('textbox', { name: /New name/ });
    for (const name of names) {
      await ada
        .getByRole('treeitem')
        .filter({ hasText: shownName(name.trim()) })
        .click();
      await ada.getByRole('tree').press('F2');
      await field.waitFor();
      await field.press('Enter');
      await field.waitFor({ state: 'detached' });
    }
    // What is done after them is done last.
    await ada.getByRole('treeitem', { name: 'z.txt' }).click();
    await ada.getByRole('tree').press('F2');
    await field.fill('y.txt');
    await field.press('Enter');
    await ada.getByRole('treeitem', { name: 'y.txt' }).waitFor();
    assert.deepEqual(readdirSync(root).sort(), names.with(-1, 'y.txt'));
  }),
);

test('a file that is being named goes where its folder was renamed to', { skip: noBrowser }, () =>
  withWorkbench({ 'old/x.txt': 'a\n', 'z.txt': 'z\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await ada.getByRole('treeitem', { name: 'old' }).click();
    await ada.getByRole('treeitem', { name: 'x.txt' }).waitFor();
    await ada.getByRole('tree').press('a');
    const field = ada.getByRole('textbox', { name: 'New file name' });
    await field.pressSequentially('half');
    renameSync(path.join(root, 'old'), path.join(root, 'new'));
    await ada.getByRole('treeitem', { name: 'new' }).waitFor();
    await field.pressSequentially('way.txt');
    await field.press('Enter');
    await ada.getByRole('treeitem', { name: 'halfway.txt' }).waitFor();
    assert.deepEqual(
      [readdirSync(root).sort(), readdirSync(path.join(root, 'new')).sort()],
      [
        ['new', 'z.txt'],
        ['halfway.txt', 'x.txt'],
      ],
    );

    // Nothing is made where it was removed. The file that was made opens, and its editor takes the focus.
    await ada.locator('.cm-focused').waitFor();
    await ada.getByRole('tree').press('a');
    await field.pressSequentially('nowhere.txt');
    rmSync(path.join(root, 'new'), { recursive: true });
    await field.waitFor({ state: 'detached' });
    await ada.keyboard.press('Control+p');
    await ada.getByRole('combobox').waitFor();
    assert.deepEqual(readdirSync(root), ['z.txt']);
  }),
);

test('Enter that comes before the list of files opens what was typed, when it is there (long form)', { skip: noBrowser }, () =>
  withWorkbench(
    Object.fromEntries(Array.from({ length: 3000 }, (_, index) => [`folder ${index % 50}/file ${index}.txt`, `${index}\n`])),
    async ({ page }) => {
      const ada = await page({ name: 'Ada' });
      await ada.keyboard.press('Control+p');
      await ada.keyboard.type('file 2999');
      await ada.keyboard.press('Enter');
      await ada.getByRole('tab', { name: 'file 2999.txt' }).waitFor();
    },
  ),
);

test('an editor that is drawn late takes no keys from the tree where somebody clicked on there (long form)', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'a\n' }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    let held: (() => void)[] | undefined = [];
    await ada.routeWebSocket(/\/ws\/doc\//, (socket) => {
      socket.connectToServer().onMessage((message) => {
        if (held === undefined) socket.send(message);
        else held.push(() => socket.send(message));
      });
    });
    const file = ada.getByRole('treeitem', { name: /^a\.txt/ });
    await file.click();
    await ada.keyboard.press('Enter');
    await eventually(() => assert.ok(held !== undefined && held.length > 0));
    assert.equal(await ada.getByTestId('saved').innerText(), '', 'what is not here yet is not said to be saved');
    await file.click();
    for (const release of held) release();
    held = undefined;
    await ada.locator('.cm-line', { hasText: 'a' }).waitFor();
    await ada.keyboard.press('F2');
    await ada.getByRole('textbox', { name: 'New name of a.txt' }).waitFor();
  }),
);

test('a file that is opened by keys takes what is typed next, not a terminal below it', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'a\n', 'b.txt': 'b\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'a.txt');
    await ada.keyboard.press('Control+`');
    await ada.locator('.xterm-helper-textarea:focus').waitFor({ state: 'attached' });
    // The key after it is the editor's, however soon it is pressed.
    const isBack = await ada.evaluate(() => {
      const init = { key: '`', code: 'Backquote', ctrlKey: true, bubbles: true, cancelable: true };
      document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', init));
      return document.activeElement?.closest('.cm-editor') !== null;
    });
    assert.equal(isBack, true);
    await ada.locator('.cm-focused').waitFor();
    await openFile(ada, 'b.txt');
    await ada.locator('.cm-focused').waitFor();
    await ada.keyboard.type('typed ');
    await eventually(() => assert.equal(readFileSync(path.join(root, 'b.txt'), 'utf8'), 'typed b\n'));
  }),
);

test('what takes the place of what had the focus has it: a card of a file, a comparison, Activity', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'a.txt': 'a\n', 'b.dat': 'b\0' },
    async ({ page }) => {
      const ada = await page({ name: 'Ada' });
      const focused = (locator: Locator): Promise<void> => eventually(async () => assert.ok(await locator.evaluate(hasFocus)));
      await openFile(ada, 'a.txt');
      await ada.keyboard.type('A');
      await ada.getByTestId('saved').getByRole('button', { name: /^r/ }).press('Enter');
      const activity = ada.getByRole('feed', { name: 'Activity' });
      await focused(activity);
      await ada.getByRole('button', { name: /^Compare/ }).press('Enter');
      await focused(ada.getByTestId('diff'));

      await ada.keyboard.press('Control+p');
      await ada.keyboard.type('b.dat');
      await ada.getByRole('option', { name: 'b.dat' }).waitFor();
      await ada.keyboard.press('Enter');
      await focused(ada.getByTestId('binary'));
      await ada.keyboard.press('Tab');
      await focused(ada.getByTestId('binary').getByRole('link', { name: 'Download' }));

      await ada.keyboard.press('Control+Shift+y');
      await focused(activity);
      await ada.keyboard.press('Control+Shift+e');
      await focused(ada.getByRole('tree'));
      await ada.keyboard.press('Control+Shift+y');
      await focused(activity);
    },
    { git: true },
  ),
);

test('a comparison that is opened while the link is away is there when it is back (long form)', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'c.txt': 'c\n' },
    async (workbench) => {
      const { page, root } = workbench;
      const ada = await page({ name: 'Ada' });
      await openFile(ada, 'c.txt');
      writeFileSync(path.join(root, 'c.txt'), 'CHANGED\n');
      await ada.locator('.cm-line', { hasText: 'CHANGED' }).waitFor();
      await workbench.kill();
      await ada.locator('[data-link=live]').waitFor({ state: 'detached' });
      await ada.keyboard.press('Alt+d');
      const diff = ada.getByTestId('diff');
      await diff.getByText('The sidecar does not answer.').waitFor();
      await workbench.restart();
      await diff.locator('.cm-line', { hasText: 'CHANGED' }).first().waitFor();
      await diff.getByText('The sidecar does not answer.').waitFor({ state: 'detached' });
    },
    { git: true },
  ),
);

test('a message that is acted on or dismissed gives the focus back to where it came from', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'a\n', 'b.txt': 'b\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const tree = ada.getByRole('tree');
    const toast = ada.getByTestId('toast');
    await ada.getByRole('treeitem', { name: 'b.txt' }).waitFor();
    await ada.keyboard.press('Control+Shift+e');
    await ada.keyboard.press('Home');
    await ada.keyboard.press('Delete');
    await toast.filter({ hasText: 'Deleted a.txt' }).waitFor();
    await ada.keyboard.press('F8');
    await ada.keyboard.press('Enter');
    await toast.filter({ hasText: 'Brought back a.txt' }).waitFor();
    assert.ok(existsSync(path.join(root, 'a.txt')));
    assert.ok(await tree.evaluate(hasFocus), 'after Undo by keys');
    await toast.getByRole('button', { name: 'Dismiss' }).click();
    await toast.waitFor({ state: 'detached' });
    assert.ok(await tree.evaluate(hasFocus), 'after Dismiss by the pointer');
  }),
);

test('who is in a comparison that has nothing to show any more has the focus beside it', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { 'a.txt': 'a\n' },
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      await openFile(ada, 'a.txt');
      await ada.keyboard.type('A');
      await ada
        .getByTestId('saved')
        .filter({ hasText: /^Saved/ })
        .waitFor();
      await ada.keyboard.press('Alt+d');
      const diff = ada.getByTestId('diff');
      await diff.getByTestId('viewed').waitFor();
      await ada.keyboard.press('F7');
      await eventually(async () => assert.ok(await diff.locator('.diff-host').evaluate(hasFocus)));
      writeFileSync(path.join(root, 'a.txt'), 'a\n');
      await diff.getByTestId('same').waitFor();
      await eventually(async () => assert.ok(await diff.getByRole('button', { name: 'Open file' }).evaluate(hasFocus)));
    },
    { git: true },
  ),
);

test('who goes from the field of the search into results that go away is in the field again', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'alpha\n' }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await ada.keyboard.press('Control+Shift+f');
    const field = ada.getByRole('textbox', { name: 'Search text' });
    const results = ada.getByRole('tree', { name: 'Results' });
    await ada.keyboard.type('alpha');
    await results.waitFor();
    // Those of the search before stand there until the next one has found something, or nothing. That begins a moment after the last letter.
    await ada.clock.install();
    await ada.clock.pauseAt(Date.now() + 60_000);
    await ada.keyboard.type(' and nothing');
    await ada.keyboard.press('ArrowDown');
    assert.equal(await results.evaluate((one) => one === document.activeElement), true);
    await ada.clock.resume();
    await ada.getByRole('status').filter({ hasText: 'No results' }).waitFor();
    await eventually(async () => assert.equal(await field.evaluate((one) => one === document.activeElement), true));
  }),
);

test('each row of the tree says how many are in its folder, also where others come and go below it', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': '', 'b.txt': '' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const sizes = (): Promise<(string | null)[]> =>
      ada.locator('.tree [role=treeitem]').evaluateAll((rows) => rows.map((row) => row.getAttribute('aria-setsize')));
    await eventually(async () => assert.deepEqual(await sizes(), ['2', '2']));
    writeFileSync(path.join(root, 'c.txt'), '');
    await eventually(async () => assert.deepEqual(await sizes(), ['3', '3', '3']));
    rmSync(path.join(root, 'b.txt'));
    await eventually(async () => assert.deepEqual(await sizes(), ['2', '2']));
  }),
);
