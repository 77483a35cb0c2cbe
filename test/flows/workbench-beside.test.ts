import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, noBrowser, openFile, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { picture } from '../kit/source-control.ts';

const files = {
  'README.md': '# Loans\n',
  'models/book.py': 'class Book:\n    pass\n',
  'models/loan.py': `${'# a line\n'.repeat(60)}class Loan:\n    book = None\n`,
};

const main = (page: Page): Locator => page.locator('#document-panel');
const beside = (page: Page): Locator => page.locator('#beside-panel');
const editorOf = (place: Locator, name: string): Locator => place.getByRole('textbox', { name });
const worksIn = (page: Page, name: string): Promise<void> =>
  page.getByRole('tablist', { name: 'Open documents' }).getByRole('tab', { name, selected: true }).waitFor();
const position = (page: Page, words: string): Promise<void> => page.getByTestId('position').filter({ hasText: words }).waitFor();

test(
  'a second document stands beside the first, from the finder, the tree and the results, and the keys are for the one that is worked in',
  {
    skip: noBrowser,
  },
  () =>
    withWorkbench(files, async ({ page, root }) => {
      const text = (name: string): string => readFileSync(path.join(root, name), 'utf8');
      const ada = await page({ name: 'Ada' });
      const { keyboard } = ada;
      await openFile(ada, 'README.md');
      await keyboard.press('Control+p');
      await keyboard.type('book.py');
      await ada.getByRole('option', { name: 'book.py' }).waitFor();
      await keyboard.press('Control+Enter');
      await editorOf(beside(ada), 'book.py').and(ada.locator(':focus')).waitFor();
      await worksIn(ada, 'book.py');
      await keyboard.press('Control+End');
      await keyboard.type('# beside');
      await position(ada, 'Ln 3');
      await position(ada, 'Python');
      await editorOf(main(ada), 'README.md').click();
      await keyboard.press('Control+End');
      await keyboard.type('in the main place');
      await worksIn(ada, 'README.md');
      await position(ada, 'Markdown');
      await eventually(() => {
        assert.equal(text('README.md'), '# Loans\nin the main place');
        assert.equal(text('models/book.py'), 'class Book:\n    pass\n# beside');
      });
      for (const theme of ['light', 'dark'] as const) {
        await ada.emulateMedia({ colorScheme: theme });
        assert.deepEqual(await accessibilityProblems(ada), [], theme);
        await picture(ada, `beside-${theme}`);
      }

      // The regions are walked through both.
      await keyboard.press('F6');
      await worksIn(ada, 'book.py');
      await keyboard.press('Shift+F6');
      await worksIn(ada, 'README.md');

      // Another takes the place at the side, and a place in it that is asked for is gone to.
      await keyboard.press('Control+Shift+e');
      const tree = ada.getByRole('tree', { name: /^Files in/ });
      await tree.and(ada.locator(':focus')).waitFor();
      await ada.getByRole('treeitem', { name: /^loan\.py/ }).waitFor();
      await keyboard.type('loan');
      await keyboard.press('Control+Enter');
      await editorOf(beside(ada), 'loan.py').and(ada.locator(':focus')).waitFor();
      await editorOf(main(ada), 'README.md').click();
      await worksIn(ada, 'README.md');
      await keyboard.press('Control+Shift+f');
      await ada.getByRole('textbox', { name: 'Search text' }).fill('book = None');
      const results = ada.getByRole('tree', { name: 'Results' });
      await results.getByRole('treeitem', { name: /book = None/ }).waitFor();
      await results.focus();
      await keyboard.press('ArrowDown');
      await keyboard.press('Control+Enter');
      await position(ada, 'Ln 62');
      await worksIn(ada, 'loan.py');
      await editorOf(beside(ada), 'loan.py').and(ada.locator(':focus')).waitFor();

      // It is kept, and goes with its file.
      await ada.reload();
      await editorOf(beside(ada), 'loan.py').and(ada.locator(':focus')).waitFor();
      await editorOf(main(ada), 'README.md').waitFor();
      renameSync(path.join(root, 'models/loan.py'), path.join(root, 'models/lent.py'));
      await editorOf(beside(ada), 'lent.py').and(ada.locator(':focus')).waitFor();

      // Closed, the other is alone; and the last one has the main place.
      await keyboard.press('Alt+w');
      await beside(ada).waitFor({ state: 'detached' });
      await editorOf(main(ada), 'README.md').and(ada.locator(':focus')).waitFor();
      const standsAlone = async (name: string): Promise<void> => {
        await editorOf(main(ada), name).and(ada.locator(':focus')).waitFor();
        await beside(ada).waitFor({ state: 'detached' });
      };
      await keyboard.press('Control+\\');
      await editorOf(beside(ada), 'README.md').and(ada.locator(':focus')).waitFor();
      await editorOf(main(ada), 'book.py').waitFor();
      await keyboard.press('Control+\\');
      await standsAlone('book.py');
      await keyboard.press('Control+\\');
      await editorOf(beside(ada), 'book.py').and(ada.locator(':focus')).waitFor();
      await editorOf(main(ada), 'README.md').click();
      await keyboard.press('Alt+w');
      await standsAlone('book.py');
    }),
);

test('whoever has two documents in sight is seen in both, and sees the others in both; a phone shows one', { skip: noBrowser }, () =>
  withWorkbench(files, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const ben = await page({ name: 'Ben' });
    await openFile(ada, 'README.md');
    await ada.keyboard.press('Control+p');
    await ada.keyboard.type('book.py');
    await ada.getByRole('option', { name: 'book.py' }).waitFor();
    await ada.keyboard.press('Control+Enter');
    await editorOf(beside(ada), 'book.py').and(ada.locator(':focus')).waitFor();
    for (const [name, place] of [
      ['README.md', main(ada)],
      ['book.py', beside(ada)],
    ] as const) {
      await openFile(ben, name);
      await ben.locator('.remote-caret').waitFor({ state: 'attached' });
      await ben.keyboard.press('Control+End');
      await ben.keyboard.type('Ben');
      await place.locator('.remote-caret').waitFor({ state: 'attached' });
      await place.locator('.over > i').waitFor({ state: 'attached' });
      await place.getByText('Ben').first().waitFor();
    }

    await eventually(() => assert.match(readFileSync(path.join(root, 'models/book.py'), 'utf8'), /Ben$/));
    await beside(ada)
      .getByTestId('saved')
      .filter({ hasText: /^Saved · r/ })
      .waitFor();
    // What is gone from the side says so there, and the other stays as it was.
    rmSync(path.join(root, 'models/book.py'));
    await beside(ada).getByRole('heading', { name: 'book.py was deleted' }).waitFor();
    await editorOf(main(ada), 'README.md').waitFor();
    await beside(ada).getByRole('button', { name: 'Close tab' }).click();
    await beside(ada).waitFor({ state: 'detached' });
    await editorOf(main(ada), 'README.md').and(ada.locator(':focus')).waitFor();

    await openFile(ada, 'loan.py');
    await ada.keyboard.press('Control+\\');
    await editorOf(beside(ada), 'loan.py').waitFor();
    await ada.setViewportSize({ width: 390, height: 844 });
    await editorOf(main(ada), 'loan.py').waitFor();
    assert.equal(await beside(ada).count(), 0);
    await ada.setViewportSize({ width: 1280, height: 800 });
    await editorOf(beside(ada), 'loan.py').waitFor();
    await editorOf(main(ada), 'README.md').waitFor();
  }),
);

test('a document that goes to the side is there, whatever else is pressed before the page is drawn', { skip: noBrowser }, () =>
  withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'book.py');
    await openFile(ada, 'README.md');
    await ada.evaluate(() => {
      // As on a busy machine.
      const later = setTimeout;
      Object.assign(globalThis, {
        requestAnimationFrame: (draw: FrameRequestCallback) => later(() => draw(performance.now()), 400),
        setTimeout: (run: () => void, ms = 0) => later(run, ms === 0 ? 0 : Math.max(ms, 400)),
      });
    });
    await ada.keyboard.press('Control+\\');
    await ada.keyboard.press('Control+Shift+f');
    await ada.getByRole('textbox', { name: 'Search text' }).and(ada.locator(':focus')).waitFor();
    await ada.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    await editorOf(beside(ada), 'README.md').waitFor();
    await editorOf(main(ada), 'book.py').waitFor();
  }),
);

test('what is drawn in the other place leaves the keys to the document that went to the side', { skip: noBrowser }, () =>
  withWorkbench(files, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'book.py');
    rmSync(path.join(root, 'models/book.py'));
    await ada.getByRole('heading', { name: 'book.py was deleted' }).waitFor();
    await openFile(ada, 'README.md');
    await ada.keyboard.press('Control+\\');
    await main(ada).getByRole('heading', { name: 'book.py was deleted' }).waitFor();
    await editorOf(beside(ada), 'README.md').and(ada.locator(':focus')).waitFor();
    await worksIn(ada, 'README.md');
  }),
);

test('the width of the document beside is dragged or set by keys, and kept', { skip: noBrowser }, () =>
  withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'README.md');
    await openFile(ada, 'loan.py');
    await ada.getByRole('button', { name: /^Show this document beside the other/ }).click();
    const width = async (): Promise<number> => (await beside(ada).boundingBox())?.width ?? 0;
    const edge = ada.getByRole('separator', { name: 'Width of the document beside' });
    await edge.focus();
    const before = await width();
    for (let presses = 0; presses < 5; presses++) await ada.keyboard.press('ArrowRight');
    await eventually(async () => assert.ok(Math.abs((await width()) - (before - 80)) < 4, `${await width()} of ${before}`));
    await ada.reload();
    await editorOf(beside(ada), 'loan.py').waitFor();
    assert.ok(Math.abs((await width()) - (before - 80)) < 4);
    const box = (await beside(ada).boundingBox()) ?? assert.fail('it is in sight');
    await ada.mouse.dblclick(box.x, box.y + box.height / 2);
    await eventually(async () => assert.ok(Math.abs((await width()) - before) < 4));
    await ada.getByRole('button', { name: /^Show one document alone/ }).click();
    await beside(ada).waitFor({ state: 'detached' });
  }),
);
