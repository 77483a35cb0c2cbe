import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { commands } from '../../src/workbench/commands.ts';
import { accessibilityProblems, command, git, noBrowser, noBrowserOrGit, openFile, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { picture, row } from '../kit/source-control.ts';

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, index) => `line_${from + index} = 1\n`).join('');
const files = {
  'README.md': '# Loans\n\nA small library.\n',
  'models/loan.py': lines(1, 200),
};

/** The region that has the focus, as F6 walks them. */
const region = (page: Page): Promise<string | undefined> =>
  page.evaluate(() =>
    ['.bot', '.top', '.rail', '.side', '.right', '.status', '#main'].find((one) => document.activeElement?.closest(one) !== null),
  );
const focused = (page: Page): Promise<string> =>
  page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '');
const tab = (page: Page, name: string) => page.getByRole('tablist', { name: 'Open documents' }).getByRole('tab', { name });
const selected = (page: Page, name: string) => tab(page, name).and(page.locator('[aria-selected=true]'));

test('the key sheet lists every command that has a key and is for something here, and each key does what it says', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    files,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      const { keyboard } = ada;
      const field = ada.getByRole('combobox');
      await ada.getByTestId('branch').filter({ hasText: 'main' }).waitFor();

      await keyboard.press('?');
      const sheet = ada.getByRole('dialog', { name: 'Keys' });
      const rows = await sheet
        .locator('dl > div')
        .evaluateAll((all) =>
          all.map((row) =>
            [row.querySelector('dt')?.textContent, ...[...row.querySelectorAll('dd .kbd')].map((key) => key.textContent)].join('|'),
          ),
        );
      const keyed = commands.filter(({ keys }) => keys.length > 0);
      assert.ok(keyed.length > 25);
      // There is no hub, which tasks would be of.
      for (const { id, title, keys } of keyed)
        assert.equal(rows.includes([title.replace('…', ''), ...keys].join('|')), id !== 'go.tasks', title);
      const keys = keyed.flatMap((command) => command.keys);
      assert.equal(new Set(keys).size, keys.length, 'a key has one meaning');
      assert.deepEqual(await accessibilityProblems(ada), []);
      await keyboard.press('Escape');
      await sheet.waitFor({ state: 'detached' });

      await keyboard.press('Alt+t');
      await ada.locator('html[data-theme=light]').waitFor();
      await keyboard.press('Alt+t');
      await ada.locator('html:not([data-theme])').waitFor();

      await keyboard.press('F1');
      await field.waitFor();
      assert.equal(await field.inputValue(), '>');
      await keyboard.press('Escape');

      await openFile(ada, 'README.md');
      await openFile(ada, 'loan.py');
      await keyboard.press('Control+g');
      assert.equal(await field.inputValue(), ':');
      await keyboard.type('150');
      await keyboard.press('Enter');
      await ada.getByTestId('position').filter({ hasText: 'Ln 150' }).waitFor();
      await keyboard.type('# far');
      await keyboard.press('Enter');
      await keyboard.press('Control+Home');
      // On a busy machine it may have saved itself by the time that the key comes.
      await eventually(async () => {
        await keyboard.type('# near');
        await keyboard.press('Enter');
        await keyboard.press('Control+s');
        await ada.locator('.saved.pulse').filter({ hasText: 'Saved now' }).waitFor({ timeout: 2000 });
      });
      await eventually(() => assert.match(readFileSync(path.join(root, 'models', 'loan.py'), 'utf8'), /^# near\n[^]*\n# far\n/));
      await ada.emulateMedia({ reducedMotion: 'reduce' });
      await ada
        .locator('.saved:not(.pulse)')
        .filter({ hasText: /^Saved · r/ })
        .waitFor();
      await keyboard.press('Control+s');
      await ada.locator('.saved.pulse').filter({ hasText: 'Saved already' }).waitFor();
      await ada.getByRole('status').filter({ hasText: 'Saved already' }).waitFor();
      await picture(ada, 'saved-already');
      await ada
        .locator('.saved:not(.pulse)')
        .filter({ hasText: /^Saved · r/ })
        .waitFor();
      await ada.emulateMedia({ reducedMotion: null });

      await keyboard.press('Control+f');
      const find = ada.getByRole('search', { name: 'Find in this document' });
      await find.waitFor();
      assert.equal(await focused(ada), 'Find');
      await keyboard.press('Escape');
      await find.waitFor({ state: 'detached' });

      // Alone, that is said; and what is said can be reached.
      await keyboard.press('Alt+p');
      await ada.getByTestId('toast').filter({ hasText: 'Nobody else is in this document' }).waitFor();
      await keyboard.press('F8');
      assert.equal(await focused(ada), 'Dismiss');
      await keyboard.press('Enter');
      await keyboard.press('Alt+f');
      const toast = ada.getByTestId('toast').filter({ hasText: 'Nobody to follow' });
      await toast.waitFor();
      // No message lies over the keys.
      await keyboard.press('F1');
      await keyboard.type('Keys');
      await keyboard.press('Enter');
      await sheet.waitFor();
      const covered = await toast.evaluate((box) => {
        const { x, y, width, height } = box.getBoundingClientRect();
        return !box.contains(document.elementFromPoint(x + width / 2, y + height / 2));
      });
      assert.equal(covered, true);
      await picture(ada, 'keys-over-toast');
      await keyboard.press('Escape');

      await keyboard.press('Control+PageUp');
      await selected(ada, 'README.md').waitFor();
      await keyboard.press('Control+PageDown');
      await selected(ada, 'loan.py').waitFor();

      await keyboard.press('Alt+d');
      const viewed = ada.getByTestId('viewed');
      await viewed.filter({ hasText: 'of 2 changes' }).waitFor();
      const line = (): Promise<string> =>
        ada.evaluate(() => document.getSelection()?.anchorNode?.parentElement?.closest('.cm-line')?.textContent ?? '');
      await eventually(async () => assert.equal(await focused(ada), 'Open file'));
      // The comparison begins at the first change.
      await keyboard.press('F7');
      await eventually(async () => assert.match(await line(), /far/));
      await keyboard.press('Shift+F7');
      await eventually(async () => assert.match(await line(), /near/));
      await keyboard.press('Alt+w');
      await selected(ada, 'loan.py').waitFor();
      assert.equal(await tab(ada, 'HEAD').count(), 0);

      // The editor, and from there around.
      await eventually(async () => assert.equal(await focused(ada), 'loan.py'));
      await keyboard.press('Control+Alt+b');
      await ada.getByRole('complementary', { name: 'History' }).waitFor();
      assert.equal(await region(ada), '#main');
      const walk = async (key: string, times: number): Promise<(string | undefined)[]> => {
        const seen = [];
        for (let press = 0; press < times; press += 1) {
          await keyboard.press(key);
          seen.push(await region(ada));
        }
        return seen;
      };
      assert.deepEqual(await walk('F6', 6), ['.right', '.status', '.top', '.rail', '.side', '#main']);
      assert.equal(await focused(ada), 'loan.py');
      assert.deepEqual(await walk('Shift+F6', 6), ['.side', '.rail', '.top', '.status', '.right', '#main']);
      await keyboard.press('Control+Alt+b');
      await ada.locator('.right').waitFor({ state: 'detached' });
      assert.equal(await focused(ada), 'loan.py');
    },
    { git: true },
  );
});

test('settings hold at once in the open editor and in the next tab, and their keys can be searched', { skip: noBrowser }, async () => {
  await withWorkbench({ ...files, 'notes.txt': `plain ${'words '.repeat(200)}\n` }, async ({ page, url }) => {
    const ada = await page({ name: 'Ada', theme: 'light' });
    const { keyboard } = ada;
    await openFile(ada, 'notes.txt');
    const editor = ada.locator('.cm-content');
    const lead = () => editor.evaluate((one) => getComputedStyle(one).lineHeight);
    const before = await lead();
    await editor.locator('.cm-line').first().click();
    await keyboard.press('Control+,');
    const settings = ada.getByRole('dialog', { name: 'Settings' });
    const press = (group: string, name: string) =>
      settings.getByRole('group', { name: group }).getByRole('button', { name, exact: true }).click();
    await settings.waitFor();
    await picture(ada, 'settings-light');
    await press('Theme', 'Dark');
    await ada.locator('html[data-theme=dark]').waitFor();
    await press('Size of code', 'Large');
    await eventually(async () => assert.notEqual(await lead(), before));
    await press('Break long lines', 'On');
    await ada.locator('.cm-lineWrapping').waitFor();
    await press('Indent', '8');
    await ada.getByText('Spaces 8').waitFor();
    await picture(ada, 'settings-dark');
    assert.deepEqual(await accessibilityProblems(ada), []);
    await settings.getByRole('textbox', { name: 'Find a key' }).fill('compare');
    assert.deepEqual(await settings.locator('dt').allTextContents(), ['Compare with HEAD']);
    await keyboard.press('Escape');
    await settings.waitFor({ state: 'detached' });
    assert.equal(await ada.evaluate(() => document.activeElement?.closest('.cm-editor') !== null), true, 'the focus is back');

    const other = await ada.context().newPage();
    await other.setViewportSize({ width: 390, height: 844 });
    await other.goto(url);
    await other.locator('[data-known=true]').waitFor();
    await other.keyboard.press('Alt+,');
    const there = other.getByRole('dialog', { name: 'Settings' });
    await there.getByRole('button', { name: 'Large', pressed: true, exact: true }).waitFor();
    await picture(other, 'settings-phone');
    assert.deepEqual(await accessibilityProblems(other), []);
    await there.getByRole('group', { name: 'Theme' }).getByRole('button', { name: 'As the system' }).click();
    await ada.locator('html:not([data-theme])').waitFor();
  });
});

test('keys that follow a command at once go to the view that it shows, never into the open file', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { ...files, 'drafts/a.md': '' },
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      const { keyboard } = ada;
      await ada.getByTestId('branch').filter({ hasText: 'main' }).waitFor();
      await openFile(ada, 'README.md');
      await ada.locator('.cm-focused').waitFor();
      // Frames and files come late, as they do to a machine that has much to do.
      await ada.evaluate(() => {
        const { requestAnimationFrame: draw } = globalThis;
        globalThis.requestAnimationFrame = (run) => Number(setTimeout(() => draw(run), 200));
      });
      await ada.route('**/*.js', async (route) => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        await route.continue();
      });
      const editor = ada.locator('.cm-content');
      const backInEditor = async (): Promise<void> => {
        await editor.click();
        await ada.locator('.cm-focused').waitFor();
      };
      await keyboard.press('Control+Shift+f');
      await keyboard.type('library');
      assert.equal(await ada.getByRole('textbox', { name: 'Search text' }).inputValue(), 'library');

      await backInEditor();
      await keyboard.press('Control+Shift+g');
      await keyboard.type('Draft');
      assert.equal(await ada.getByRole('textbox', { name: 'Commit message' }).inputValue(), 'Draft');

      await backInEditor();
      await keyboard.press('Control+Shift+e');
      await keyboard.type('dra');
      assert.match((await ada.getByRole('treeitem', { name: /^drafts/ }).getAttribute('class')) ?? '', /\bcur\b/);

      // That folder is read first.
      await backInEditor();
      await keyboard.press('Control+Shift+p');
      await keyboard.type('New file');
      await keyboard.press('Enter');
      await ada.getByRole('textbox', { name: 'New file name' }).waitFor();
      await keyboard.type('b.md');
      await keyboard.press('Escape');

      // What is loaded when it is first asked for, and what the sidecar makes: what is typed before it is there is for nothing.
      for (const [key, shown] of [
        ['Control+Shift+r', ada.getByRole('combobox', { name: 'Language' })],
        ['Alt+h', ada.getByTestId('history')],
        ['Control+`', ada.locator('.term .xterm')],
      ] as const) {
        await backInEditor();
        await keyboard.press(key);
        await keyboard.type('lost?');
        await shown.waitFor();
        await eventually(async () => assert.match((await region(ada)) ?? '', /bot|right/, key));
      }
      for (const command of ['Branches…', 'Start a process', 'What keeps runs apart']) {
        await backInEditor();
        await keyboard.press('Control+Shift+p');
        await keyboard.type(command);
        await keyboard.press('Enter');
        await keyboard.type('lost?');
        await ada
          .getByRole('dialog')
          .filter({ hasNot: ada.getByText('Loading…') })
          .waitFor();
        assert.equal(await ada.evaluate(() => document.activeElement?.closest('[role=dialog]') !== null), true, command);
        await keyboard.press('Escape');
        await ada.getByRole('dialog').waitFor({ state: 'detached' });
        await ada.locator('.cm-focused').waitFor();
      }
      await keyboard.press('Control+s');
      await ada.locator('.saved').filter({ hasText: 'Saved' }).waitFor();
      assert.equal(readFileSync(path.join(root, 'README.md'), 'utf8'), files['README.md']);
      assert.equal(await ada.getByRole('dialog', { name: 'Keys' }).count(), 0);
    },
    { git: true },
  ),
);

test('a terminal that is asked for while the link is away is refused at once, and who types in the file goes on', { skip: noBrowser }, () =>
  withWorkbench(files, async (workbenches) => {
    const ada = await workbenches.page({ name: 'Ada' });
    await openFile(ada, 'README.md');
    await ada.locator('.cm-focused').waitFor();
    await workbenches.kill();
    await ada.locator('[data-testid=workbench][data-link=reconnecting]').waitFor();
    await ada.keyboard.press('Control+`');
    await ada.getByTestId('toast').filter({ hasText: 'No terminal was opened' }).waitFor();
    await ada.keyboard.type('Typed on: ');
    await ada.locator('.cm-line').filter({ hasText: 'Typed on: # Loans' }).waitFor();
  }),
);

test('the history of a document tells its revisions, checkpoints and commits; one is compared, and restored', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    files,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      const { keyboard } = ada;
      await openFile(ada, 'README.md');
      const step = (text: string) => ada.getByTestId('history-step').filter({ hasText: text });
      await keyboard.press('Control+Shift+p');
      await keyboard.type('Keep a checkpoint');
      await keyboard.press('Enter');
      await ada.getByRole('textbox', { name: 'What it is for' }).fill('As it was good');
      await keyboard.press('Enter');
      await ada.getByTestId('toast').filter({ hasText: 'Kept' }).waitFor();

      await ada.locator('.cm-content').click();
      await keyboard.press('Alt+h');
      await ada.getByRole('heading', { name: 'History of README.md' }).waitFor();
      await step('As it was good').waitFor();
      await step('The first loans').waitFor();
      // The ring of the one that has the focus stands beside its age.
      const row = await step('The first loans').getByRole('button').first().boundingBox();
      const age = await step('The first loans').getByRole('button').first().locator('span').last().boundingBox();
      assert.ok(row !== null && age !== null && row.x + row.width - (age.x + age.width) >= 2);
      await eventually(async () => assert.equal(await region(ada), '.right'));
      // From there back to the text; by the keys of the panel it closes.
      await keyboard.press('Escape');
      await eventually(async () => assert.equal(await focused(ada), 'README.md'));
      await keyboard.press('Control+Home');
      await keyboard.type('Worse: ');
      await step('You changed it').filter({ hasText: /r\d+/ }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);

      await step('As it was good').getByRole('button').first().click();
      await ada.getByTestId('diff').locator('.cm-changedLine', { hasText: 'Worse' }).waitFor();
      await ada.getByRole('heading', { name: 'History of README.md' }).waitFor();
      await step('As it was good').hover();
      await ada.getByRole('button', { name: 'Restore README.md as it was: As it was good' }).click();
      await eventually(() => assert.equal(readFileSync(path.join(root, 'README.md'), 'utf8'), files['README.md']));
      await ada.getByTestId('toast').getByRole('button', { name: 'Undo' }).waitFor();

      // Whose focus is there leaves it; pressed again, it comes back and takes it.
      await keyboard.press('Alt+h');
      await ada.getByTestId('history').waitFor({ state: 'detached' });
      await eventually(async () => assert.equal(await region(ada), '#main'));
      await keyboard.press('Alt+h');
      await eventually(async () => assert.equal(await region(ada), '.right'));

      // Where the window is narrow it stands over the document: nothing moves for it, and Escape closes it.
      await ada.setViewportSize({ width: 1000, height: 800 });
      const box = await ada.locator('.right').boundingBox();
      assert.ok(box !== null && box.width > 300 && box.x + box.width <= 1000, JSON.stringify(box));
      await keyboard.press('Escape');
      await ada.getByTestId('history').waitFor({ state: 'detached' });

      const ben = await page({ name: 'Ben', size: [390, 844] });
      await ben.getByRole('button', { name: 'Files', exact: true }).click();
      await ben.getByRole('treeitem', { name: /^README\.md/ }).click();
      await ben.getByRole('button', { name: 'History', exact: true }).click();
      await ben.getByRole('heading', { name: 'History of README.md' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ben), []);
      await ben.getByRole('button', { name: /^Close history/ }).click();
      await ben.locator('.cm-content').waitFor();

      // The keys of the finder are told where there are keys.
      for (const [one, isTold] of [
        [ada, true],
        [ben, false],
      ] as const) {
        await one.keyboard.press('Control+p');
        const finder = one.getByRole('dialog', { name: 'Go to file' });
        await finder.getByRole('option').first().waitFor();
        assert.equal(await finder.getByText('beside').isVisible(), isTold);
        assert.equal(await finder.locator('.ft').isVisible(), isTold);
        await picture(one, `finder-keys-${isTold}`);
        await one.keyboard.press('Escape');
      }
    },
    { git: true },
  );
});

test('a person is followed from file to file and line to line, until one types, leaves or goes elsewhere (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page, root }) => {
    const ada = await page({ name: 'Ada', size: [1000, 500] });
    const ben = await page({ name: 'Ben' });
    const following = ada.getByTestId('following');
    await openFile(ben, 'loan.py');
    await ada.getByTestId('people').and(ada.locator('[aria-label*=Ben]')).waitFor();

    await ada.keyboard.press('Alt+f');
    await following.filter({ hasText: 'Following Ben' }).waitFor();
    await selected(ada, 'loan.py').waitFor();
    await ben.keyboard.press('Control+End');
    await ada.locator('.cm-line', { hasText: 'line_200 ' }).waitFor();
    await ada.locator('.ed.following').waitFor();
    assert.match((await ada.getByTestId('position').textContent()) ?? '', /Ln 1,/, 'the own caret stays');
    await ada.keyboard.press('Alt+p');
    await ada.getByTestId('toast').filter({ hasText: 'Ben, line 201' }).waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);

    await openFile(ben, 'README.md');
    await selected(ada, 'README.md').waitFor();
    await ada.keyboard.press('Escape');
    await following.waitFor({ state: 'detached' });
    await openFile(ben, 'loan.py');
    await ada.getByRole('treeitem', { name: /^models/ }).waitFor();
    await selected(ada, 'README.md').waitFor();

    // By name, from who is here; ended by typing, and by going elsewhere.
    await ada.getByTestId('people').click();
    await ada.getByRole('button', { name: 'Follow Ben' }).click();
    await selected(ada, 'loan.py').waitFor();
    await ada.locator('.cm-content').click();
    await following.waitFor();
    // Also the first letter in a document that was only looked at stays.
    await ada.keyboard.type('xyz');
    await following.waitFor({ state: 'detached' });
    await eventually(() => assert.match(readFileSync(path.join(root, 'models', 'loan.py'), 'utf8'), /xyz/));
    await openFile(ada, 'README.md');
    await ada.keyboard.press('Alt+f');
    await selected(ada, 'loan.py').waitFor();
    await ada.keyboard.press('Control+PageDown');
    await selected(ada, 'README.md').waitFor();
    await following.waitFor({ state: 'detached' });
  });
});

test('a theme that is chosen reaches the other tabs of the browser; chosen back, it follows the system again (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page, url }) => {
    const ada = await page({ name: 'Ada', theme: 'light' });
    const other = await ada.context().newPage();
    await other.goto(url);
    await other.locator('[data-known=true]').waitFor();
    await other.keyboard.press('Alt+t');
    for (const one of [ada, other]) await one.locator('html[data-theme=dark]').waitFor();
    await ada.keyboard.press('Alt+t');
    const background = (one: Page) => one.evaluate(() => getComputedStyle(document.body).backgroundColor);
    for (const one of [ada, other]) {
      await one.locator('html:not([data-theme])').waitFor();
      const light = await background(one);
      await one.emulateMedia({ colorScheme: 'dark' });
      await eventually(async () => assert.notEqual(await background(one), light));
    }
  });
});

test('thirty documents are open again after a reload, and the one that is shown stands whole in the bar', { skip: noBrowser }, async () => {
  const names = Array.from({ length: 30 }, (_, at) => `module_${String(at + 1).padStart(2, '0')}.py`);
  await withWorkbench(Object.fromEntries(names.map((name) => [name, 'x = 1\n'])), async ({ page }) => {
    const ada = await page({ name: 'Ada', size: [900, 600] });
    for (const name of names) await openFile(ada, name);
    // Of those, one of the first.
    await selected(ada, 'module_30.py').focus();
    await ada.keyboard.press('Home');
    for (let at = 1; at < 4; at++) await ada.keyboard.press('ArrowRight');
    await selected(ada, 'module_04.py').waitFor();
    await ada.reload();
    await selected(ada, 'module_04.py').waitFor();
    await ada.locator('.cm-content').filter({ visible: true }).waitFor();
    assert.deepEqual((await ada.getByRole('tablist', { name: 'Open documents' }).getByRole('tab').allInnerTexts()).toSorted(), names);
    // What can be done to it takes room from the bar when that is known.
    await ada.getByRole('button', { name: /^Run / }).first().waitFor();
    const hidden = (): Promise<number> =>
      selected(ada, 'module_04.py').evaluate((element) => {
        const [box, bar] = [element, element.parentElement as HTMLElement].map((one) => one.getBoundingClientRect()) as [DOMRect, DOMRect];
        return Math.max(0, bar.left - box.left, box.right - bar.right);
      });
    await eventually(async () => assert.ok((await hidden()) < 1, 'all of it can be seen'));
  });
});

test('two tabs of a browser have each their own documents after a reload, and a third begins with the last ones (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page, url }) => {
    const ada = await page({ name: 'Ada' });
    const open = async (): Promise<Page> => {
      const one = await ada.context().newPage();
      await one.goto(url);
      await one.locator('[data-known=true]').waitFor();
      return one;
    };
    const other = await open();
    await openFile(ada, 'README.md');
    await openFile(other, 'loan.py');
    const names = (one: Page) => one.getByRole('tablist', { name: 'Open documents' }).getByRole('tab').allInnerTexts();
    // What a reload restores is not what was opened last.
    for (const [one, name] of [
      [other, 'loan.py'],
      [ada, 'README.md'],
    ] as const) {
      await one.reload();
      await selected(one, name).waitFor();
    }
    await selected(await open(), 'loan.py').waitFor();
    assert.equal((await names(ada)).length, 1);
  });
});

test('what was open is there again before the folders are listed, and is not lost to what is opened meanwhile (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'README.md');
    await tab(ada, 'README.md').dblclick();
    await openFile(ada, 'loan.py');
    let go: (() => void)[] | undefined = [];
    await ada.routeWebSocket(/\/rpc/, (socket) => {
      const server = socket.connectToServer();
      socket.onMessage((message) => {
        const isFolder = /"files\.list"/.test(String(message)) && String(message).includes('"models"');
        if (isFolder && go !== undefined) go.push(() => server.send(message));
        else server.send(message);
      });
    });
    await ada.reload();
    await selected(ada, 'loan.py').waitFor();
    await ada.locator('.cm-content').filter({ hasText: 'line_1 = 1' }).waitFor();
    await eventually(() => assert.equal(go?.length, 1));
    await tab(ada, 'README.md').click();
    await selected(ada, 'README.md').waitFor();
    for (const release of go) release();
    go = undefined;
    // The tree follows to where one is.
    await ada.getByRole('treeitem', { name: 'loan.py' }).waitFor();
    await ada.locator('[role=treeitem][aria-selected=true]').filter({ hasText: 'README.md' }).waitFor();
    assert.equal(await selected(ada, 'README.md').count(), 1);
  });
});

test('a button that rests or goes once it is pressed by keys gives the focus on', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    { ...files, 'a.bin': '\0was' },
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      /** A button may rest for a moment just when it has the focus. */
      const press = (name: RegExp, done: Locator): Promise<void> =>
        eventually(async () => {
          if (await done.isVisible()) return;
          await ada.getByRole('button', { name, disabled: false }).filter({ visible: true }).last().focus({ timeout: 2000 });
          await ada.keyboard.press('Enter');
          await done.waitFor({ timeout: 2000 });
        });
      const focused = (): Promise<string> =>
        ada.evaluate(
          () => document.activeElement?.closest('[data-testid=conflict], .side')?.className ?? document.activeElement?.tagName ?? '',
        );
      await ada.keyboard.press('Control+Shift+f');
      await ada.getByRole('textbox', { name: 'Search text' }).fill('line_17');
      await ada.getByRole('button', { name: 'Replace', exact: true }).click();
      await ada.getByTestId('replacement').fill('row_17');
      await press(/^Replace 11 places/, ada.getByTestId('replaced').filter({ hasText: 'Replaced' }));
      await eventually(async () => assert.equal(await focused(), 'side'));
      await press(/^Undo$/, ada.getByTestId('replaced').filter({ hasText: 'Taken back' }));
      await eventually(async () => assert.equal(await focused(), 'side'));

      await openFile(ada, 'README.md');
      await ada.keyboard.type('changed');
      await ada.keyboard.press('Control+Shift+g');
      await ada.getByRole('textbox', { name: 'Commit message' }).fill('Changed');
      await press(/^Commit 1 file/, ada.getByTestId('toast').filter({ hasText: 'Committed 1 file' }));
      await eventually(async () => assert.equal(await focused(), 'side'));

      for (const [branch, text] of [
        ['feature', '\0theirs'],
        ['main', '\0ours'],
      ] as const) {
        git(root, 'checkout', '-q', ...(branch === 'main' ? [branch] : ['-b', branch]));
        writeFileSync(path.join(root, 'a.bin'), text);
        git(root, 'commit', '-qam', branch);
      }
      assert.throws(() => git(root, 'merge', 'feature'));
      await row(ada, 'conflicts', 'a.bin').click();
      await press(/^Take theirs$/, ada.getByTestId('toast').filter({ hasText: 'Took theirs' }));
      await eventually(async () => assert.equal(await ada.evaluate(() => document.activeElement?.textContent), 'Continue'));
      await ada.keyboard.press('Enter');
      await ada.getByTestId('toast').filter({ hasText: 'The merge is done' }).waitFor();
      await eventually(async () => assert.equal(await focused(), 'pane'));
    },
    { git: true },
  ),
);

test('in a dialog Tab goes past a button that rests, to all that can be pressed', { skip: noBrowserOrGit }, () =>
  withWorkbench(
    files,
    async ({ page }) => {
      const bob = await page({ name: 'Bob' });
      await openFile(bob, 'README.md');
      const ada = await page({ name: 'Ada' });
      const named = (): Promise<string> =>
        ada.evaluate(() => {
          const { activeElement } = document;
          return activeElement?.getAttribute('aria-label') ?? (activeElement?.id || (activeElement?.textContent ?? ''));
        });
      const around = async (key: 'Tab' | 'Shift+Tab'): Promise<string[]> => {
        const stops = [await named()];
        for (;;) {
          await ada.keyboard.press(key);
          const stop = await named();
          if (stops.includes(stop)) return stops;
          stops.push(stop);
        }
      };
      await command(ada, 'Who is here');
      const dialog = ada.getByRole('dialog');
      await dialog.getByText('Bob').waitFor();
      assert.ok(await dialog.getByRole('button', { name: 'Rename me' }).isDisabled());
      const forth = await around('Tab');
      assert.ok(
        forth.some((stop) => stop.includes('Bob')),
        forth.join(),
      );
      assert.deepEqual(await around('Shift+Tab'), [forth[0], ...forth.slice(1).toReversed()]);
      await ada.keyboard.press('Escape');

      await command(ada, 'New branch…');
      assert.ok(await dialog.getByRole('button', { name: 'Create and switch' }).isDisabled());
      assert.deepEqual(await around('Tab'), ['ask-text', 'Cancel']);
    },
    { git: true },
  ),
);

test('who takes another name in one tab of a browser has it in the others too', { skip: noBrowser }, () =>
  withWorkbench(files, async ({ page, url }) => {
    const ada = await page({ name: 'Ada' });
    const other = await ada.context().newPage();
    await other.goto(url);
    await other.locator('[data-known=true]').waitFor();
    await openFile(other, 'README.md');
    await command(ada, 'Who is here');
    const name = (one: Page) => one.getByRole('textbox', { name: 'Your name, as others see it' });
    await name(ada).fill('Grace');
    await ada.keyboard.press('Enter');
    const bob = await page({ name: 'Bob' });
    await openFile(bob, 'README.md');
    await command(bob, 'Who is here');
    await bob.getByRole('dialog').getByText('Grace').waitFor();
    await command(other, 'Who is here');
    assert.equal(await name(other).inputValue(), 'Grace');
  }),
);

test('in Firefox, which opens a private window by the other key, the commands are told to be behind F1', { skip: noBrowser }, () =>
  withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    const told = (name: string): Locator => ada.getByRole('button', { name: new RegExp(`^${name}`) });
    for (const name of ['Commands', 'All commands']) await told(`${name} ?Ctrl Shift P$`).waitFor();
    await ada.addInitScript(() => Object.defineProperty(navigator, 'userAgent', { value: 'Gecko/20100101 Firefox/153.0' }));
    await ada.reload();
    await ada.locator('[data-known=true]').waitFor();
    for (const name of ['Commands', 'All commands']) await told(`${name} ?F1$`).waitFor();
    await ada.keyboard.press('F1');
    const list = ada.getByRole('listbox', { name: 'Commands' });
    await list.getByRole('option', { name: /^All commands ?F1$/ }).waitFor();
  }),
);
