import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, noBrowserOrGit, withWorkbench, type Workbenches } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { readOnlyFolder, withSmallDisk } from '../kit/small-disk.ts';
import { clientOf, loanFiles, openFocused, picture, text, toast } from '../kit/source-control.ts';

const binary = Buffer.from([0, 255, 1, 2, 254]);
const clash = (page: Page): Locator => page.getByTestId('clash');
const saved = (page: Page): Locator => page.getByTestId('saved').filter({ hasText: /Saved · r\d+/ });

test('of an open file that is no text on disk any more its page says so, and that it is kept, until it is text again', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    loanFiles,
    async ({ page, root }) => {
      const file = path.join(root, 'b.txt');
      const ada = await page({ name: 'Ada', theme: 'light', size: [1280, 800] });
      const ben = await page({ name: 'Ben', size: [390, 844] });
      for (const one of [ada, ben]) await openFocused(one, 'b.txt');
      writeFileSync(file, binary);
      await clash(ada).filter({ hasText: 'b.txt is binary on disk now' }).waitFor();
      await ada.keyboard.press('Control+End');
      await ada.keyboard.type('of Ada');
      await clash(ben).waitFor();
      await eventually(async () => assert.match(await text(ben), /of Ada$/));
      assert.deepEqual(readFileSync(file), binary);
      for (const one of [ada, ben]) assert.deepEqual(await accessibilityProblems(one), []);
      await picture(ada, 'clash-light');
      await picture(ben, 'clash-phone');
      await ada.emulateMedia({ colorScheme: 'dark' });
      await ada.setViewportSize({ width: 900, height: 600 });
      await picture(ada, 'clash-dark');

      writeFileSync(file, 'one\ntwo\nthree\nfour\n');
      await saved(ada).waitFor();
      for (const one of [ada, ben]) await clash(one).waitFor({ state: 'detached' });
      await eventually(() => assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\nthree\nof Ada four\n'));
    },
    { git: true },
  );
});

test('the text of a file that is no text on disk any more is saved over that, and back, or let go', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(
    loanFiles,
    async (workbenches) => {
      const { page, root } = workbenches;
      const file = path.join(root, 'b.txt');
      const ada = await page({ name: 'Ada', theme: 'light', size: [1280, 800] });
      const press = async (name: string): Promise<void> => {
        await clash(ada).getByRole('button', { name }).focus();
        await ada.keyboard.press('Enter');
      };
      await openFocused(ada, 'b.txt');
      // All that shows this file hears of it.
      await ada.keyboard.press('Alt+h');
      await ada.getByTestId('history').waitFor();
      await ada.keyboard.press('Alt+d');
      await ada.getByTestId('diff').waitFor();
      await openFocused(ada, 'b.txt');
      await ada.keyboard.press('Control+End');
      await ada.keyboard.type('four');
      await eventually(() => assert.match(readFileSync(file, 'utf8'), /four$/));

      // Nothing is unsaved.
      writeFileSync(file, binary);
      await clash(ada).waitFor();
      await press('Save this text over it');
      await toast(ada, 'Saved your text over b.txt').waitFor();
      assert.equal(readFileSync(file, 'utf8'), 'one\ntwo\nthree\nfour');
      await clash(ada).waitFor({ state: 'detached' });
      await toast(ada, 'Saved your text over b.txt').getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Brought back b.txt').waitFor();
      assert.deepEqual(readFileSync(file), binary);
      await clash(ada).waitFor();

      // Something is, and a folder is in its place.
      writeFileSync(file, 'one\n');
      await eventually(async () => assert.equal(await text(ada), 'one\n'));
      await ada.locator('.cm-content').filter({ visible: true }).focus();
      rmSync(file);
      mkdirSync(file);
      await clash(ada).filter({ hasText: 'A folder has the place of b.txt on disk now' }).waitFor();
      await ada.keyboard.press('Control+End');
      await ada.keyboard.type('mine');
      await press('Save this text over it');
      await saved(ada).waitFor();
      assert.equal(readFileSync(file, 'utf8'), 'one\nmine');

      // What is typed can be let go.
      writeFileSync(file, binary);
      await clash(ada).waitFor();
      await ada.locator('.cm-content').filter({ visible: true }).focus();
      await ada.keyboard.type(' and more');
      await press('Take what is on disk');
      await toast(ada, 'Let go what was not saved in b.txt').getByRole('button', { name: 'Copy it' }).waitFor();
      await ada.getByTestId('binary').waitFor();
      await picture(ada, 'clash-let-go');
      assert.deepEqual(readFileSync(file), binary);
      const owner = clientOf(workbenches);
      await eventually(async () => assert.deepEqual((await owner.call('documents.list', {})).documents, []));
      owner.close();
      writeFileSync(file, 'text\n');
      await ada.locator('.cm-content').filter({ visible: true, hasText: 'text' }).waitFor();
      assert.equal(await text(ada), 'text\n');
      assert.equal(statSync(file).size, 5);
    },
    { git: true },
  );
});

test('of what stands in the place of an open file no more is replaced than what was seen there', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(loanFiles, async ({ page, root }) => {
    const file = path.join(root, 'b.txt');
    const ada = await page({ name: 'Ada' });
    const save = async (): Promise<void> => {
      await clash(ada).getByRole('button', { name: 'Save this text over it' }).focus();
      await ada.keyboard.press('Enter');
    };
    const refused = toast(ada, 'Not saved: b.txt').filter({ hasText: 'changed meanwhile. Nothing was written over it' });
    const dismiss = async (): Promise<void> => {
      await refused.getByRole('button', { name: 'Dismiss' }).click();
      await refused.waitFor({ state: 'detached' });
    };
    await openFocused(ada, 'b.txt');
    await ada.keyboard.type('mine ');
    await eventually(() => assert.match(readFileSync(file, 'utf8'), /^mine /));
    writeFileSync(file, binary);
    await clash(ada).waitFor();

    // Once what was there has been read.
    let meanwhile = (): void => writeFileSync(file, Buffer.from([0, 1, 2]));
    await ada.route(/files\.download$/, async (route) => {
      const response = await route.fetch();
      meanwhile();
      await route.fulfill({ response });
    });
    await save();
    await refused.waitFor();
    assert.deepEqual(readFileSync(file), Buffer.from([0, 1, 2]));
    await dismiss();

    // What came into a folder; all the rest of it is there, too.
    rmSync(file);
    mkdirSync(file);
    writeFileSync(path.join(file, 'b.txt'), 'kept');
    meanwhile = () => writeFileSync(path.join(file, 'new'), 'new');
    await clash(ada).filter({ hasText: 'A folder has the place of b.txt on disk now' }).waitFor();
    await save();
    await refused.waitFor();
    assert.deepEqual(
      ['b.txt', 'new'].map((name) => readFileSync(path.join(file, name), 'utf8')),
      ['kept', 'new'],
    );
    await dismiss();

    // And what is there now is replaced, when that is said of it.
    meanwhile = () => undefined;
    await clash(ada).filter({ hasText: 'A folder has the place of b.txt on disk now' }).waitFor();
    await save();
    await toast(ada, 'Saved your text over b.txt').waitFor();
    assert.match(readFileSync(file, 'utf8'), /^mine one/);
    await ada.locator('.cm-focused').waitFor();
  });
});

test('a file that could not be written says why, and what can be done; what is typed is kept, and saved when that is gone', {
  skip: noBrowserOrGit,
}, async (context) => {
  await withWorkbench(loanFiles, async (workbenches) => {
    const { page, root } = workbenches;
    const file = path.join(root, 'models/loan.py');
    const ada = await page({ name: 'Ada', size: [900, 600] });
    const ben = await page({ name: 'Ben', theme: 'light', size: [390, 844], token: workbenches.scopedToken('read') });
    const failed = (one: Page): Locator => one.getByTestId('failed');
    const tryNow = failed(ada).getByRole('button', { name: 'Try now' });
    for (const one of [ada, ben]) await openFocused(one, 'loan.py');
    const disk = readOnlyFolder(path.dirname(file));
    if (typeof disk === 'string') return context.skip(disk);
    using _ = disk;
    await ada.keyboard.type('mine ');
    await failed(ada).filter({ hasText: 'models/loan.py is on a read-only file system. This text is kept and not saved.' }).waitFor();
    await failed(ben).filter({ hasText: 'This text is not in the file yet.' }).waitFor();
    await ada.getByTestId('saved').getByText('Not saved', { exact: true }).waitFor();
    for (const one of [ada, ben]) assert.deepEqual(await accessibilityProblems(one), []);
    await picture(ada, 'failed-dark');
    await picture(ben, 'failed-phone');
    assert.equal(await failed(ben).getByRole('button', { name: 'Try now' }).count(), 0);

    await tryNow.focus();
    await ada.keyboard.press('Enter');
    await toast(ada, 'Not saved: loan.py').waitFor();
    disk[Symbol.dispose]();
    await tryNow.press('Enter');
    for (const one of [ada, ben]) await failed(one).waitFor({ state: 'detached' });
    await saved(ada).waitFor();
    assert.match(readFileSync(file, 'utf8'), /^mine class Loan/);
    await ada.locator('.cm-focused').waitFor();
  });
});

test('that edits are not stored is seen beside what is saved, and said, until they are again', {
  skip: noBrowserOrGit,
}, async (context) => {
  await withSmallDisk(context, 4096, async (disk) => {
    const look = async ({ page, root }: Workbenches): Promise<void> => {
      const file = path.join(root, 'models/loan.py');
      const ada = await page({ name: 'Ada' });
      const ben = await page({ name: 'Ben', theme: 'light', size: [390, 844] });
      for (const one of [ada, ben]) await openFocused(one, 'loan.py');
      await ada.keyboard.type('first ');
      await saved(ada).waitFor();
      assert.equal(await ada.getByTestId('unsafe').count(), 0);
      assert.throws(() => writeFileSync(path.join(disk, 'filler'), Buffer.alloc(8_000_000)), { code: 'ENOSPC' });
      // More than a page of the log that is there already.
      await ada.keyboard.insertText(`# ${'second '.repeat(2000)}\n`);
      for (const one of [ada, ben]) {
        await one.getByTestId('unsafe').filter({ hasText: 'Edits not stored' }).waitFor();
        await one.getByRole('status').filter({ hasText: "Edits can't be stored: " }).waitFor({ state: 'attached' });
        assert.deepEqual(await accessibilityProblems(one), []);
      }
      await eventually(() => assert.match(readFileSync(file, 'utf8'), /^first # second [^]*class Loan/));
      await saved(ada).waitFor();
      await picture(ada, 'unsafe-dark');
      await picture(ben, 'unsafe-phone');
      rmSync(path.join(disk, 'filler'));
      await ada.keyboard.type('third ');
      for (const one of [ada, ben]) await one.getByTestId('unsafe').waitFor({ state: 'detached' });
    };
    await withWorkbench(loanFiles, look, { state: path.join(disk, 'state') });
  });
});

test('a file that turned binary while the sidecar was away is said to be so', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(loanFiles, async (workbenches) => {
    const { page, root } = workbenches;
    const file = path.join(root, 'b.txt');
    const ada = await page({ name: 'Ada' });
    // The document hears of it before the page is back.
    const back = Promise.withResolvers<void>();
    let isAway = false;
    await ada.routeWebSocket(/\/rpc/, async (socket) => {
      if (isAway) await back.promise;
      socket.connectToServer();
    });
    await ada.reload();
    // Before the workspace is known its keys do nothing.
    await ada.locator('[data-known=true]').waitFor();
    await openFocused(ada, 'b.txt');
    isAway = true;
    await workbenches.kill();
    writeFileSync(file, binary);
    let refused = false;
    ada.on('websocket', (socket) => {
      // One that was open: a refused connection closes, too.
      if (socket.url().includes('/ws/doc')) socket.on('framesent', () => socket.on('close', () => (refused = true)));
    });
    await workbenches.restart();
    await eventually(() => assert.ok(refused), 20_000);
    back.resolve();
    await ada.getByTestId('binary').waitFor();
    writeFileSync(file, 'text\n');
    await ada.locator('.cm-content').filter({ visible: true, hasText: 'text' }).waitFor();
  });
});
