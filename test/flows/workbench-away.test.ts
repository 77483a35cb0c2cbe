import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { accessibilityProblems, noBrowser, openFile, pageToken, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { picture } from '../kit/source-control.ts';

test('edits that the link of this browser may not send are kept, can be copied, and are sent with a token that may (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({ 'a.txt': 'alpha\n' }, async (workbenches) => {
    const { page, root, url } = workbenches;
    const file = path.join(root, 'a.txt');
    const ada = await page({ name: 'Ada' });
    const editor = ada.locator('.cm-content');
    await openFile(ada, 'a.txt');
    await ada.keyboard.press('Control+End');
    await ada.keyboard.type('sent');
    await ada
      .getByTestId('saved')
      .filter({ hasText: /Saved · r\d+/ })
      .waitFor();

    // Somebody opens a link of a reader in this browser, whose tabs share one cookie.
    await ada.request.get(`${url}/?token=${encodeURIComponent(workbenches.scopedToken('read'))}`);
    await workbenches.kill();
    await ada.keyboard.type(' away');
    await ada.getByTestId('saved').filter({ hasText: '5 edits wait' }).waitFor();
    await workbenches.restart();
    await ada.getByTestId('toast').filter({ hasText: 'Not sent: your edits in a.txt' }).waitFor();
    await ada.getByTestId('saved').filter({ hasText: '5 edits not sent' }).waitFor();
    assert.equal(await editor.getAttribute('aria-readonly'), 'true');
    await ada.keyboard.type('nothing');
    await ada.keyboard.press('Control+z');
    assert.match(await editor.innerText(), /sent away$/);

    await ada.context().clearCookies();
    await workbenches.kill();
    await workbenches.restart();
    await ada.getByTestId('token').getByRole('status').filter({ hasText: '5 edits in 1 document are kept in this page' }).waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await ada.getByTestId('token').getByRole('button', { name: 'Copy my edits' }).click();
    await ada.getByTestId('toast').filter({ hasText: 'Copied your edits' }).waitFor();
    await ada.getByRole('textbox', { name: 'Token' }).fill(pageToken);
    await ada.keyboard.press('Enter');
    await eventually(() => assert.match(readFileSync(file, 'utf8'), /sent away$/), 10_000);
    await ada.locator('.cm-content[aria-readonly=false]').waitFor();
  });
});

test('an open file that is renamed is named and coloured as what it is now, and its text is kept when it is deleted', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({ 'notes.txt': 'class A:\n    pass\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'notes.txt');
    assert.equal(await ada.locator('.cm-line span').count(), 0);
    renameSync(path.join(root, 'notes.txt'), path.join(root, 'notes.py'));
    await ada.locator('.cm-content[aria-label="notes.py"]').waitFor();
    await ada.locator('.cm-line span', { hasText: 'class' }).waitFor();

    // As at http://name, which is no secure context.
    await ada.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    rmSync(path.join(root, 'notes.py'));
    await ada.getByTestId('deleted').getByRole('button', { name: 'Copy its text' }).click();
    await ada.getByTestId('toast').filter({ hasText: 'Copied its text' }).waitFor();
    await ada.keyboard.press('Control+p');
    await ada.keyboard.press('Control+v');
    assert.match(await ada.getByRole('combobox', { name: 'Go to file' }).inputValue(), /^class A:/);
  });
});

test('a page whose sidecar comes back as another version says so, can be typed in, and is of that version after a reload', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({ 'a.txt': 'alpha\n' }, async (workbenches) => {
    const { page, root } = workbenches;
    const ada = await page({ name: 'Ada' });
    const notice = ada.getByTestId('outdated-notice');
    const type = async (text: string): Promise<void> => {
      await ada.keyboard.type(text);
      await eventually(() => assert.ok(readFileSync(path.join(root, 'a.txt'), 'utf8').startsWith(text)), 10_000);
    };
    await openFile(ada, 'a.txt');
    const looked = ada.waitForResponse((answer) => answer.request().method() === 'HEAD');
    await workbenches.kill();
    await workbenches.restart();
    assert.equal((await looked).status(), 200);
    await type('same ');
    assert.equal(await notice.count(), 0);

    await workbenches.kill();
    // The files of another version have other names.
    await ada.route('**/assets/*', (route) => route.fulfill({ status: 404 }));
    await workbenches.restart();
    await notice.filter({ hasText: 'Outrigger was updated.' }).waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await ada.keyboard.press('Control+Home');
    await type('other ');
    await ada.unroute('**/assets/*');
    await notice.getByRole('button', { name: 'Reload' }).click();
    await ada.locator('[data-known=true]').waitFor();
    await ada.locator('.cm-line', { hasText: 'other same alpha' }).waitFor();
    assert.equal(await notice.count(), 0);
  });
});

test('who opens a file while the sidecar is away has the focus where it comes, and types in it when it is there', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({ 'a.txt': 'alpha\n', 'b.txt': 'beta\n' }, async (workbenches) => {
    const { page, root } = workbenches;
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'a.txt');
    await workbenches.kill();
    await ada.keyboard.press('Control+p');
    await ada.getByRole('combobox', { name: 'Go to file' }).fill('b.txt');
    await ada.getByRole('option', { name: 'b.txt' }).waitFor();
    await ada.keyboard.press('Enter');
    await ada.getByRole('tab', { name: 'b.txt', selected: true }).waitFor();
    await eventually(async () => assert.equal(await ada.evaluate(() => document.activeElement?.closest('main')?.id), 'main'), 2000);
    await workbenches.restart();
    await ada.locator('.cm-content[aria-label="b.txt"]').waitFor();
    await ada.keyboard.type('typed ');
    await eventually(() => assert.equal(readFileSync(path.join(root, 'b.txt'), 'utf8'), 'typed beta\n'));
  });
});

test('the panel at the right says what it is, and is closed by pointer and by keys, while it waits for the sidecar', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({ 'a.txt': 'alpha\n' }, async (workbenches) => {
    const ada = await workbenches.page({ name: 'Ada', theme: 'light', size: [1280, 800] });
    const panel = ada.locator('.right');
    const waiting = panel.getByText('Waits for the sidecar.');
    const close = panel.getByRole('button', { name: 'Close history' });
    const isFocused = (): Promise<void> => close.and(ada.locator(':focus')).waitFor();
    await openFile(ada, 'a.txt');
    await workbenches.kill();
    await ada
      .getByRole('status')
      .filter({ hasText: /Reconnecting/ })
      .first()
      .waitFor();
    await ada.keyboard.press('Alt+h');
    await panel.getByRole('heading', { name: 'History of a.txt' }).waitFor();
    await waiting.waitFor();
    await isFocused();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await picture(ada, 'history-away');
    await close.click();
    await panel.waitFor({ state: 'detached' });
    await ada.locator('.cm-content:focus').waitFor();
    await ada.keyboard.press('Alt+h');
    await isFocused();
    await ada.keyboard.press('Alt+h');
    await panel.waitFor({ state: 'detached' });
    await ada.locator('.cm-content:focus').waitFor();
    await ada.setViewportSize({ width: 900, height: 600 });
    await ada.emulateMedia({ colorScheme: 'dark' });
    await ada.keyboard.press('Alt+h');
    await isFocused();
    await picture(ada, 'history-away-narrow');
    await ada.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });

    // Whoever waits there is there when it comes.
    await ada.keyboard.press('Alt+h');
    await isFocused();
    await workbenches.restart();
    await ada.getByTestId('history').waitFor({ timeout: 20_000 });
    await eventually(async () => assert.equal(await ada.evaluate(() => document.activeElement?.closest('.right') !== null), true));
  });
});

test('who comes back to a page whose file was renamed meanwhile has it by its new name', { skip: noBrowser }, () =>
  withWorkbench({ 'notes.txt': 'alpha\n', 'other.txt': '' }, async ({ page, root, url }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'notes.txt');
    await ada.goto('about:blank');
    renameSync(path.join(root, 'notes.txt'), path.join(root, 'loans.txt'));
    // The sidecar has heard of it.
    await eventually(async () => assert.equal((await ada.request.get(`${url}/files/loans.txt`)).ok(), true));
    await ada.goto(url);
    const tab = (name: string) => ada.getByRole('tablist', { name: 'Open documents' }).getByRole('tab', { name });
    await tab('loans.txt').waitFor();
    assert.equal(await tab('notes.txt').count(), 0);
    await ada.locator('.cm-content[aria-label="loans.txt"]').click();
    await ada.keyboard.press('Control+Home');
    await ada.keyboard.type('more ');
    await eventually(() => assert.equal(readFileSync(path.join(root, 'loans.txt'), 'utf8'), 'more alpha\n'));
  }),
);
