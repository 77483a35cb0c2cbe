import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { accessibilityProblems, noBrowser, openFile, pageToken, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';

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
