// The page in Chromium in little room: at 400 %, where what a window of 1280 by 1024 has left is 320 by 256, and in narrow panels.
import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, noBrowserOrGit, openFile, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { numbered, picture, row, sourceControl } from '../kit/source-control.ts';

const files = Object.fromEntries([...Array(30).keys()].map((at) => [`folder/a-file-with-a-long-name-${at}.txt`, 'needle in it\n']));

/** Names of those that can't be seen once they have the focus, or where nothing can be pressed. */
async function hidden(controls: Locator): Promise<string[]> {
  const names: string[] = [];
  assert.ok((await controls.count()) > 0);
  for (const control of await controls.all()) {
    await control.focus();
    const isSeen = await control.evaluate((element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const at = document.elementFromPoint(left + width / 2, top + height / 2);
      return at !== null && (element.contains(at) || at.contains(element));
    });
    if (!isSeen) names.push(await control.evaluate((element) => element.getAttribute('aria-label') ?? element.textContent ?? ''));
  }
  return names;
}

const heightOf = (box: Locator): Promise<number> => box.evaluate((element) => element.clientHeight);
const isTooWide = (page: Page): Promise<boolean> => page.evaluate(() => document.documentElement.scrollWidth > innerWidth);

for (const theme of ['light', 'dark'] as const)
  test(`at 400 % everything can be reached, and of a text or a list several lines are seen: ${theme}`, { skip: noBrowserOrGit }, () =>
    withWorkbench(
      { ...files, 'a.txt': numbered.join('\n') },
      async ({ page, root }) => {
        writeFileSync(path.join(root, 'a.txt'), 'changed\n');
        const ada = await page({ name: 'Ada', theme, size: [320, 256] });
        const look = async (name: string): Promise<void> => {
          assert.equal(await isTooWide(ada), false, `${name} is scrolled to one side`);
          assert.deepEqual(await accessibilityProblems(ada), []);
          await picture(ada, `zoom-${theme}-${name}`);
        };
        await ada.keyboard.press('Control+Shift+e');
        assert.ok((await heightOf(ada.getByRole('tree', { name: /^Files/ }))) >= 96);
        await look('files');

        await openFile(ada, 'a.txt');
        assert.ok((await heightOf(ada.locator('.cm-scroller'))) >= 96);
        await look('editor');
        await ada.keyboard.press('Control+f');
        const find = ada.getByRole('search', { name: 'Find in this document' });
        await find.getByRole('button', { name: 'Replace', exact: true }).click();
        const field = find.getByRole('textbox', { name: 'Find', exact: true });
        await field.fill('changed');
        await find.getByRole('button', { name: 'Replace all', disabled: false }).waitFor();
        assert.deepEqual(await hidden(find.locator('input, button')), []);
        const close = find.getByRole('button', { name: 'Close' });
        const edge = (box: Locator, side: 'left' | 'right'): Promise<number> =>
          box.evaluate((element, at) => element.getBoundingClientRect()[at], side);
        assert.ok((await edge(field, 'right')) <= (await edge(close, 'left')));
        await look('find');
        await ada.keyboard.press('Escape');

        await ada.keyboard.press('Control+Shift+f');
        await ada.locator('.side .field input:focus').waitFor();
        await ada.keyboard.type('needle');
        await ada.getByText('30 results').waitFor();
        await ada.getByRole('button', { name: 'Replace', exact: true }).click();
        assert.deepEqual(await hidden(ada.locator('.side').locator('input, button')), []);
        const results = ada.locator('.results');
        await results.focus();
        await results.scrollIntoViewIfNeeded();
        assert.ok((await heightOf(results)) >= 96);
        await look('search');

        await sourceControl(ada);
        assert.deepEqual(await hidden(ada.locator('.side').locator('textarea, button:visible')), []);
        await look('changes');
        await row(ada, 'changes', 'a.txt').focus();
        await ada.keyboard.press('Enter');
        await ada.getByTestId('diff').locator('.cm-changedLine, .cm-deletedChunk').first().waitFor();
        await look('diff');

        await openFile(ada, 'a.txt');
        await ada.keyboard.press('Control+Shift+r');
        await ada.getByRole('button', { name: 'Run', exact: true }).last().waitFor();
        assert.deepEqual(await hidden(ada.locator('.bot').locator('summary:visible, button:visible:enabled, select:visible')), []);
        await look('run');
      },
      { git: true },
    ),
  );

test('of a path beside a name no part is left a single letter, which would read as another folder', { skip: noBrowserOrGit }, () => {
  const files = ['src/cli/templates/project-files.ts', 'src/sidecar/open-code.ts', 'packages/loan-widget/src/nested/index.ts', 'a/b.ts'];
  return withWorkbench(
    Object.fromEntries(files.map((file) => [file, 'one\n'])),
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      for (const file of files) appendFileSync(path.join(root, file), 'two\n');
      await ada.keyboard.press('Control+Shift+g');
      const rows = ada.getByTestId('change');
      await eventually(async () => assert.equal(await rows.count(), files.length));
      await ada.getByRole('separator', { name: 'Width of the side panel' }).focus();
      const seen = { whole: 0, cut: 0, hidden: 0 };
      for (let presses = 0; presses < 12; presses++) {
        const parts = await rows.locator('.cut > span > span').evaluateAll((all) =>
          all.map((text) => {
            const [own, part] = [text.getBoundingClientRect(), (text.parentElement as HTMLElement).getBoundingClientRect()];
            const em = Number.parseFloat(getComputedStyle(text).fontSize);
            return {
              text: text.textContent,
              isHidden: own.top >= part.bottom,
              isCut: text.scrollWidth > text.clientWidth,
              em: own.width / em,
            };
          }),
        );
        for (const { text, isHidden, isCut, em } of parts) {
          if (text === '') continue;
          seen[isHidden ? 'hidden' : isCut ? 'cut' : 'whole']++;
          assert.ok(isHidden || !isCut || em > 1.9, `${em} em are left of ${text}`);
        }
        if (presses % 4 === 3) await picture(ada, `paths-${presses}`);
        await ada.keyboard.press('ArrowLeft');
      }
      for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `some are ${what}`);
    },
    { git: true },
  );
});
