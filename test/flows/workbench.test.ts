import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, command, git, noBrowser, noBrowserOrGit, openFile, pageToken, withWorkbench } from '../kit/browser.ts';
import { clientOf, picture, sourceControl } from '../kit/source-control.ts';
import { eventually } from '../kit/eventually.ts';
import { openYjsClient } from '../kit/yjs-client.ts';
import * as Y from 'yjs';

const files = {
  'README.md': '# Loans\n\nA small library.\n',
  'models/loan.py': 'class Loan:\n    days = 14\n\n    def due(self):\n        return self.days\n',
  'models/member.py': 'class Member:\n    pass\n',
  'big/a.txt': 'a\n',
};

const text = (page: Page): Promise<string> => page.locator('.cm-content').innerText();
const row = (page: Page, name: string) => page.getByRole('treeitem', { name: new RegExp(`^${name.replaceAll('.', '\\.')}(,|$)`) });

test('two pages edit one file, see each other by name, and take in what another program saves', { skip: noBrowser }, async () => {
  await withWorkbench(files, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const ben = await page({ name: 'Ben', theme: 'light' });
    for (const one of [ada, ben]) await openFile(one, 'loan.py');

    await ada.keyboard.press('Control+End');
    await ada.keyboard.type('# by Ada');
    await ben.locator('.remote-caret b', { hasText: 'Ada' }).waitFor({ state: 'attached' });
    await eventually(async () => assert.match(await text(ben), /# by Ada/));

    await ben.keyboard.press('Control+Home');
    await ben.keyboard.type('# by Ben\n');
    await ada.locator('.remote-caret b', { hasText: 'Ben' }).waitFor({ state: 'attached' });
    const file = path.join(root, 'models', 'loan.py');
    await eventually(() => assert.match(readFileSync(file, 'utf8'), /^# by Ben\n[^]*# by Ada$/));
    await ada
      .getByTestId('saved')
      .filter({ hasText: /Saved · r\d+/ })
      .waitFor();

    // As editors save: beside the file, then over it.
    writeFileSync(`${file}.new`, readFileSync(file, 'utf8').replace('14', '21'));
    renameSync(`${file}.new`, file);
    for (const one of [ada, ben]) await eventually(async () => assert.match(await text(one), /# by Ben\n[^]*days = 21[^]*# by Ada/));

    // Each takes back their own edit, not the other's.
    await ada.keyboard.press('Control+z');
    await eventually(async () => assert.doesNotMatch(await text(ben), /# by Ada/));
    assert.match(await text(ada), /# by Ben/);

    await row(ben, 'loan.py')
      .getByRole('img', { name: /Ada is here/ })
      .waitFor();
    await ben.getByTestId('people').filter({ visible: true }).waitFor();
    assert.match((await ben.getByTestId('people').getAttribute('aria-label')) ?? '', /you \(Ben\), Ada/);
  });
});

test('what the page loads at first comes packed, in a third of its size', async () => {
  await withWorkbench({}, async ({ url }) => {
    const html = await (await fetch(url)).text();
    const names = [...html.matchAll(/"\.\/(assets\/[\w.-]+\.(?:js|css))"/g)].map(([, name]) => name);
    assert.ok(names.length >= 3, html);
    let [sent, whole] = [0, 0];
    for (const name of names) {
      // Unpacked by who fetches it.
      const answer = await fetch(`${url}/${name}`, { headers: { 'accept-encoding': 'gzip, deflate' } });
      sent += Number(answer.headers.get('content-length'));
      whole += (await answer.arrayBuffer()).byteLength;
    }
    assert.ok(sent > 0 && sent < whole / 3, `${sent} of ${whole} bytes`);
  });
});

test('of more people than there is room for all are counted, on a phone as well', { skip: noBrowser }, async (t) => {
  await withWorkbench({ 'a.txt': 'a\n' }, async ({ page, url }) => {
    for (const name of ['Ben', 'Cyd', 'Dan', 'Eve', 'Fay', 'Gus']) {
      const other = openYjsClient(url, { token: pageToken, room: 'a.txt', name });
      t.after(() => other.destroy());
      await other.synced();
    }
    const ada = await page({ name: 'Ada' });
    const seen = async (): Promise<[number, string]> => {
      const people = ada.getByTestId('people');
      return [await people.locator('.face').filter({ visible: true }).count(), await people.locator('.num').innerText()];
    };
    await eventually(async () => assert.deepEqual(await seen(), [6, '+1']));
    await ada.setViewportSize({ width: 390, height: 844 });
    await eventually(async () => assert.deepEqual(await seen(), [3, '+4']));
  });
});

test('presence of any shape costs nobody their caret, and no name turns what is beside it around', { skip: noBrowser }, async (t) => {
  await withWorkbench({ 'a.txt': 'alpha\n' }, async ({ page, url }) => {
    const other = openYjsClient(url, { token: pageToken, room: 'a.txt' });
    t.after(() => other.destroy());
    await other.synced();
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'a.txt');
    const { awareness } = other.provider;
    const at = JSON.parse(JSON.stringify(Y.createRelativePositionFromTypeIndex(other.text, 2))) as object;
    const noPositions = [
      {},
      'a',
      3,
      { item: { client: other.ydoc.clientID, clock: 'x' } },
      { tname: 'content', item: { client: {}, clock: -1 } },
    ];
    const cursors = [...noPositions.map((head) => ({ anchor: at, head })), 'a', 7, {}, { anchor: at }];
    const people = [null, 'Ben', { name: { toString: 1 }, kind: [] }, { name: 'B'.repeat(500) }, { name: '\u202Eneb' }];
    const states = [
      5,
      [],
      ...cursors.map((cursor) => ({ user: { name: 'Ben' }, cursor })),
      ...people.map((user) => ({ user, cursor: { anchor: at, head: at } })),
    ];
    for (const [index, state] of states.entries()) {
      awareness.setLocalState(state as never);
      // Seen by the page: what it says comes after that on the same socket.
      other.text.insert(other.text.length, `${index};`);
      await eventually(async () => assert.match(await text(ada), new RegExp(`\\b${index};$`)));
    }
    await eventually(async () => assert.equal(await ada.locator('.remote-caret b').innerText(), '\\u202Eneb'));
    await ada.getByTestId('people').locator(String.raw`[data-initial="\\"]`).waitFor();
  });
});

test('where another editor types line ends of its own, carets stay, and what is typed and pasted lands where it is seen (long form)', {
  skip: noBrowser,
}, async (t) => {
  await withWorkbench({ 'a.txt': 'alpha\nbeta\n' }, async ({ page, root, url }) => {
    const other = openYjsClient(url, { token: pageToken, room: 'a.txt' });
    t.after(() => other.destroy());
    await other.synced();
    const insert = (text: string): void => other.text.insert(0, text);
    const isText = (wanted: string): Promise<void> => eventually(() => assert.equal(other.text.toString(), wanted));
    insert('one\r\ntwo\r\n');
    await eventually(() => assert.match(readFileSync(path.join(root, 'a.txt'), 'utf8'), /^one/));
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'a.txt');
    const caret = async (key: string): Promise<void> => {
      await ada.keyboard.press(key);
      await ada.keyboard.type('.');
    };
    await caret('Control+End');
    await isText('one\r\ntwo\r\nalpha\nbeta\n.');
    insert('zero\r\n');
    await ada.locator('.cm-line').filter({ hasText: 'zero' }).waitFor();
    await caret('End');
    await isText('zero\r\none\r\ntwo\r\nalpha\nbeta\n..');

    // At the end of such a line, by key and by pointer, and over its end by the arrow.
    await ada.keyboard.press('Control+Home');
    await caret('End');
    await isText('zero.\r\none\r\ntwo\r\nalpha\nbeta\n..');
    await ada.locator('.cm-line').filter({ hasText: 'two' }).click();
    await ada.keyboard.type('.');
    await isText('zero.\r\none\r\ntwo.\r\nalpha\nbeta\n..');
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowUp', 'ArrowDown']) await ada.keyboard.press(key);
    await caret('ArrowLeft');
    await isText('zero.\r\none\r\ntwo..\r\nalpha\nbeta\n..');

    await ada.locator('.cm-content').evaluate((content) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', '!\r\n?\r');
      content.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    });
    await isText('zero.\r\none\r\ntwo..!\n?\n\r\nalpha\nbeta\n..');
    await eventually(() => assert.equal(readFileSync(path.join(root, 'a.txt'), 'utf8'), 'zero.\none\ntwo..!\n?\n\nalpha\nbeta\n..'));
  });
});

test('the numbers of lines look the same whether or not a long line is scrolled to its end', { skip: noBrowser }, async () => {
  await withWorkbench({ 'wide.txt': `${'wide '.repeat(100)}\n`.repeat(20) }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'wide.txt');
    await ada.locator('.cm-focused').waitFor();
    const scroller = ada.locator('.cm-scroller');
    const numbers = (): Promise<Buffer> => ada.locator('.cm-lineNumbers').screenshot();
    const before = await numbers();
    await ada.keyboard.press('End');
    await eventually(async () => assert.ok((await scroller.evaluate((box) => box.scrollLeft)) > 100));
    assert.ok((await numbers()).equals(before), 'nothing shows through');
  });
});

test('files are made, renamed and deleted in the tree, deletes are undone, and each shows in Activity within a second', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    const ben = await page({ name: 'Ben' });
    const tree = ada.getByRole('tree');
    await row(ada, 'models').click();
    await row(ada, 'loan.py').waitFor();
    await tree.focus();

    await ada.keyboard.press('a');
    await ada.getByRole('textbox', { name: 'New file name' }).fill('loan.py');
    await ada.getByRole('alert').filter({ hasText: 'exists here already' }).waitFor();
    await ada.getByRole('textbox', { name: 'New file name' }).fill('fine.py');
    await ada.keyboard.press('Enter');
    await row(ada, 'fine.py').waitFor();
    await eventually(() => existsSync(path.join(root, 'models', 'fine.py')));
    await row(ben, 'models').click();
    await row(ben, 'fine.py').waitFor();

    await row(ada, 'fine.py').click();
    await ada.getByRole('tab', { name: 'fine.py' }).waitFor();
    await tree.focus();
    // No key of a quick typist may go astray between the command and its field.
    const held = await ada.evaluate(async () => {
      document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key: 'F2', bubbles: true, cancelable: true }));
      await new Promise((resolve) => setTimeout(resolve));
      return document.activeElement?.getAttribute('aria-label');
    });
    assert.equal(held, 'New name of fine.py');
    await ada.keyboard.type('late');
    await ada.keyboard.press('Enter');
    for (const one of [ada, ben]) await row(one, 'late.py').waitFor();
    await ada.getByRole('tab', { name: 'late.py' }).waitFor();

    // A folder with what is in it goes, and comes back as it was.
    await row(ada, 'big').click();
    await tree.focus();
    await ada.keyboard.press('Delete');
    await row(ada, 'big').waitFor({ state: 'detached' });
    assert.equal(existsSync(path.join(root, 'big')), false);
    await ada.getByTestId('toast').getByRole('button', { name: 'Undo' }).click();
    await eventually(() => assert.equal(readFileSync(path.join(root, 'big', 'a.txt'), 'utf8'), 'a\n'));
    await row(ada, 'big').waitFor();

    await ben.keyboard.press('Control+Shift+y');
    await ben.getByRole('feed').waitFor();
    const started = performance.now();
    writeFileSync(path.join(root, 'README.md'), '# Changed outside\n');
    await ben
      .getByTestId('activity-row')
      .filter({ hasText: 'Outside' })
      .filter({ hasText: 'README.md' })
      .first()
      .waitFor({ timeout: 5000 });
    const tookMs = performance.now() - started;
    assert.ok(tookMs < 4000, `took ${Math.round(tookMs)} ms`);
    await ben.locator('.wake i.outside').first().waitFor({ state: 'attached' });
  });
});

test('the name of what lies twelve folders deep can be read', { skip: noBrowser }, async () => {
  const deep = Array.from({ length: 12 }, (_, index) => `level${index}`).join('/');
  await withWorkbench({ [`${deep}/loan.py`]: 'due = 14\n' }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'loan.py');
    const name = row(ada, 'loan.py').locator('.nm');
    await name.waitFor();
    assert.equal(await name.evaluate((one) => one.scrollWidth <= one.clientWidth), true);
  });
});

test('where there is no room a name is cut at its end and a path in its middle, and what turns a name is shown', {
  skip: noBrowser,
}, async () => {
  const deep = `a_long_top_folder/${'between/'.repeat(12)}last_folder`;
  const names = [`${'long_name_'.repeat(20)}.py`, '\u202eyp.nrut', '日本語👩\u200D👧.py', 'שלום.py'];
  await withWorkbench(Object.fromEntries(names.map((name) => [`${deep}/${name}`, 'needle = 1\n'])), async ({ page }) => {
    const ada = await page({ name: 'Ada', theme: 'light' });
    const ben = await page({ name: 'Ben', theme: 'dark', size: [390, 844] });
    await ben.getByRole('button', { name: 'Search', exact: true }).click();
    await ada.keyboard.press('Control+Shift+f');
    for (const one of [ada, ben]) {
      await one.getByRole('textbox', { name: 'Search text' }).fill('needle');
      const path = (name: string) => one.locator(`.sr-file [title="${deep}/${name}"]`).first();
      await path('שלום.py').waitFor();
      const room = (name: string, part: string) =>
        path(name)
          .locator(part)
          .evaluate((box) => [box.clientWidth > 0, box.scrollWidth <= box.clientWidth]);
      // Of the path its end is seen, and that something is left out before it.
      assert.deepEqual(await room('שלום.py', '.cut > :last-child > span'), [true, true]);
      assert.deepEqual(await room('שלום.py', '.cut > :first-child > span'), [true, false]);
      assert.deepEqual(await room(names[0] ?? '', 'bdi >> nth=0'), [true, false]);
      assert.equal(
        await path(names[1] ?? '')
          .locator('bdi')
          .first()
          .textContent(),
        '\\u202Eyp.nrut',
      );
      await picture(one, one === ada ? 'names-light' : 'names-phone-dark');
    }
    await ada.keyboard.press('Control+p');
    await ada.keyboard.type('py');
    await ada.getByRole('option').filter({ hasText: '\\u202Eyp.nrut' }).waitFor();
    await picture(ada, 'names-finder');
  });
});

test('a name and the folder beside it stand on one line of writing, however deep the folder is', { skip: noBrowserOrGit }, async () => {
  const places = ['', 'art/', 'art/old/', 'art/old/very/'];
  const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\n';
  const all = Object.fromEntries(places.map((place, index) => [`${place}logo${index}.svg`, drawing]));
  await withWorkbench(
    all,
    async ({ page, root }) => {
      for (const file of Object.keys(all)) writeFileSync(path.join(root, file), `${drawing}<!-- new -->\n`);
      const ada = await page({ name: 'Ada', theme: 'light' });
      /** How far the writing of each part is from where the name's stands, in pixels. */
      const offsets = (within: string): Promise<number[]> =>
        ada.locator(`${within} .named`).evaluateAll((names) =>
          names.flatMap((name) => {
            const texts = [...name.querySelectorAll('bdi, span')].filter(
              (part) => part.firstChild?.nodeType === 3 && part.textContent !== '',
            );
            const lines = texts.map((part) => {
              // An empty box in the line stands on it.
              const mark = Object.assign(document.createElement('span'), { style: 'display: inline-block' });
              part.prepend(mark);
              const { bottom } = mark.getBoundingClientRect();
              mark.remove();
              return bottom;
            });
            return lines.slice(1).map((line) => Math.abs(line - (lines[0] ?? 0)));
          }),
        );
      const assertOneLine = async (within: string, least: number): Promise<void> => {
        const found = await offsets(within);
        assert.ok(found.length >= least, `${within}: ${found.length} folders`);
        assert.ok(Math.max(...found) < 0.5, `${within}: ${found.join(' ')}`);
      };
      await sourceControl(ada);
      await ada.getByTestId('change').nth(3).waitFor();
      await assertOneLine('[data-testid=change]', 3);
      await ada.keyboard.press('Control+Shift+f');
      await ada.getByRole('textbox', { name: 'Search text' }).fill('new');
      await ada.locator('.sr-file').nth(3).waitFor();
      await assertOneLine('.sr-file', 3);
      for (const index of [1, 2, 3]) {
        await openFile(ada, `logo${index}.svg`);
        await ada.getByRole('button', { name: 'Show as a picture' }).click();
        await ada.getByTestId('picture').waitFor();
        await assertOneLine('[data-testid=picture]', 1);
        await picture(ada, `picture-header-${index}`);
      }
    },
    { git: true },
  );
});

test('text is searched while it is typed; hits open at their place; what changed since is said', { skip: noBrowser }, async () => {
  await withWorkbench(files, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await ada.keyboard.press('Control+Shift+f');
    const field = ada.getByRole('textbox', { name: 'Search text' });
    await field.fill('days');
    const results = ada.getByRole('tree', { name: 'Results' });
    await ada.getByRole('status').filter({ hasText: '2 results in 1 file' }).waitFor();
    assert.deepEqual(await results.locator('mark').allTextContents(), ['days', 'days']);
    await field.press('ArrowDown');
    for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await ada.keyboard.press(key);
    await ada.locator('.cm-content').filter({ visible: true }).waitFor();
    await ada.getByText('Ln 5, Col 21').waitFor();
    assert.deepEqual(await ada.locator('.cm-hit').allTextContents(), ['days', 'days'], 'the editor marks what was found');

    writeFileSync(path.join(root, 'models', 'member.py'), 'class Member:\n    days = 3\n');
    await ada.getByText('1 file changed since.').waitFor();
    await ada.getByRole('button', { name: 'Search again' }).last().click();
    await ada.getByRole('status').filter({ hasText: '3 results in 2 files' }).waitFor();

    await ada.getByRole('button', { name: 'Regular expression' }).click();
    await field.fill('days(');
    await ada.getByRole('alert').filter({ hasText: 'unclosed group' }).waitFor();
    await field.fill('days\\b.*14');
    await ada.getByRole('status').filter({ hasText: '1 result in 1 file' }).waitFor();
    await ada.getByRole('textbox', { name: 'Files to include' }).fill('*.md');
    await ada.getByText('Ignored and binary files were not searched.').waitFor();
    await ada.getByRole('button', { name: 'Look in all files' }).click();
    await ada.getByRole('status').filter({ hasText: '1 result in 1 file' }).waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);

    // Of many the last is drawn as the first is, though there were none when the panel was opened.
    writeFileSync(path.join(root, 'many.txt'), 'loans\n'.repeat(5_000));
    await ada.getByRole('textbox', { name: 'Files to include' }).fill('');
    await ada.getByRole('button', { name: 'Regular expression' }).click();
    await field.fill('loans');
    await ada
      .getByRole('status')
      .filter({ hasText: /5,00\d results/ })
      .waitFor();
    await results.focus();
    await ada.keyboard.press('End');
    await results.locator('[id^=hit-]').filter({ hasText: 'loans' }).last().waitFor();
    await eventually(async () => {
      const active = (await results.getAttribute('aria-activedescendant')) ?? '';
      assert.match(active, /^hit-500\d$/);
      assert.equal(await results.locator(`#${active}`).isVisible(), true);
    });
  });
});

test('a text is replaced in all files after it was looked at, some left out, and taken back (long form)', { skip: noBrowser }, async () => {
  const more = { 'a.md': 'one day\nanother day\n', 'b.md': 'a day off\n', 'c.md': 'day by day\n' };
  await withWorkbench({ ...files, ...more }, async ({ page, root }) => {
    const read = (name: string): string => readFileSync(path.join(root, name), 'utf8');
    const ada = await page({ name: 'Ada', theme: 'light' });
    // Open, with typing that is not saved yet: the replacement is an edit in it.
    await openFile(ada, 'b.md');
    await ada.keyboard.press('Control+End');
    await ada.keyboard.type('today too');
    await ada.keyboard.press('Control+Shift+h');
    await ada.getByRole('textbox', { name: 'Search text' }).fill('day');
    await ada.getByRole('textbox', { name: 'Files to include' }).fill('*.md');
    await ada.getByRole('button', { name: 'Whole word' }).click();
    await ada.getByRole('textbox', { name: 'Replace with' }).fill('week');
    await ada.getByRole('button', { name: 'Replace 5 places in 3 files' }).waitFor();
    const results = ada.getByRole('tree', { name: 'Results' });
    // What the matches become is asked for a moment after it was typed.
    await eventually(async () => {
      assert.deepEqual(await results.locator('del').allTextContents(), ['day', 'day', 'day', 'day', 'day']);
      assert.deepEqual(await results.locator('ins').allTextContents(), ['week', 'week', 'week', 'week', 'week']);
    });
    assert.deepEqual(await accessibilityProblems(ada), []);

    await results.getByText('another').hover();
    await ada.getByRole('button', { name: 'Leave out line 2' }).click();
    await ada.getByRole('button', { name: 'Replace 4 places in 3 files' }).click();
    await ada.getByTestId('replaced').filter({ hasText: 'Replaced 4 places in 3 files' }).waitFor();
    assert.deepEqual([read('a.md'), read('b.md'), read('c.md')], ['one week\nanother day\n', 'a week off\ntoday too', 'week by week\n']);
    await ada.locator('.cm-content').filter({ visible: true }).filter({ hasText: 'a week off' }).waitFor();

    await ada.getByTestId('replaced').getByRole('button', { name: 'Undo' }).click();
    await ada.getByTestId('replaced').filter({ hasText: 'Taken back' }).waitFor();
    assert.deepEqual([read('a.md'), read('b.md'), read('c.md')], ['one day\nanother day\n', 'a day off\ntoday too', 'day by day\n']);

    // Groups of a regular expression, shown before.
    await ada.getByRole('button', { name: 'Whole word' }).click();
    await ada.getByRole('button', { name: 'Regular expression' }).click();
    await ada.getByRole('textbox', { name: 'Search text' }).fill('(\\w+) by (\\w+)');
    await ada.getByRole('textbox', { name: 'Replace with' }).fill('$2 after $1');
    await results.locator('ins').filter({ hasText: 'day after day' }).waitFor();

    // Changed by somebody else since it was shown.
    writeFileSync(path.join(root, 'c.md'), 'day by day, and night by night\n');
    await ada.getByText('1 file changed since.').waitFor();
    await ada.getByRole('button', { name: 'Replace 1 place in 1 file' }).click();
    await ada.getByRole('alert').filter({ hasText: 'c.md changed since the search. Nothing was replaced' }).waitFor();
    assert.equal(read('c.md'), 'day by day, and night by night\n');
  });
});

test('symbols are gone to, in the document and anywhere', { skip: noBrowser }, async () => {
  const source = 'export class Loan {\n  due() {\n    return 14;\n  }\n}\n\nexport const later = (loan: Loan) => loan.due();\n';
  await withWorkbench({ ...files, 'src/loan.ts': source, 'src/other.ts': 'export function dueSoon() {}\n' }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'src/loan.ts');
    await ada.keyboard.press('Control+Shift+o');
    const options = ada.getByRole('option');
    await options.filter({ hasText: 'later' }).waitFor();
    assert.equal(await options.count(), 3);
    await ada.keyboard.type('late');
    await ada.keyboard.press('Enter');
    await ada.getByText('Ln 7, Col 14').waitFor();
    await ada.keyboard.press('Alt+s');
    await ada.keyboard.type('dueSoon');
    await options.filter({ hasText: 'src/other.ts' }).waitFor();
    await ada.keyboard.press('Enter');
    await ada.getByRole('tab', { name: 'other.ts' }).waitFor();
    await ada.getByText('Ln 1, Col 17').waitFor();
    await ada.keyboard.press('Control+p');
    await ada.keyboard.type('@nothing of the kind');
    await ada.getByText('No symbol of that name.').waitFor();
    await ada.keyboard.press('Control+a');
    await ada.keyboard.type('#return 14');
    await ada.keyboard.press('Enter');
    await ada.getByRole('status').filter({ hasText: '1 result in 1 file' }).waitFor();
  });
});

test('a sidecar that is killed while someone types loses nothing, and comes back by itself', { skip: noBrowser }, async () => {
  await withWorkbench(files, async (workbenches) => {
    const { page, root } = workbenches;
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'loan.py');
    await ada.keyboard.press('Control+End');
    await ada.keyboard.type('before');
    await ada
      .getByTestId('saved')
      .filter({ hasText: /Saved · r\d+/ })
      .waitFor();

    await workbenches.kill();
    await ada.locator('[data-link=reconnecting]').waitFor();
    await ada.keyboard.type(' and after');
    await ada.getByTestId('link').filter({ hasText: '10 unsynced' }).waitFor();
    await ada.getByTestId('saved').filter({ hasText: '10 edits wait' }).waitFor();
    await ada.getByTestId('link-notice').filter({ hasText: '10 edits wait here' }).waitFor();

    await workbenches.restart();
    await ada.locator('[data-link=live]').waitFor({ timeout: 20_000 });
    await ada.getByTestId('link').filter({ hasText: 'Live · 10 edits sent' }).waitFor();
    await eventually(() => assert.match(readFileSync(path.join(root, 'models', 'loan.py'), 'utf8'), /before and after$/), 10_000);
    await ada
      .getByTestId('saved')
      .filter({ hasText: /Saved · r\d+/ })
      .waitFor();
    // The feed goes on where it was.
    writeFileSync(path.join(root, 'later.txt'), 'x');
    await row(ada, 'later.txt').waitFor();
  });
});

test('the page has no accessibility problem in its main views, light and dark, wide and narrow', { skip: noBrowser }, async () => {
  await withWorkbench(files, async ({ page, root }) => {
    mkdirSync(path.join(root, 'data'));
    writeFileSync(path.join(root, 'data', 'x.bin'), Buffer.from([0, 1, 2, 0]));
    for (const theme of ['light', 'dark'] as const) {
      const ada = await page({ name: 'Ada', theme });
      const ben = await page({ name: 'Ben', theme, size: [390, 844] });
      const check = async (view: string, one = ada): Promise<void> => {
        const problems = await accessibilityProblems(one);
        assert.deepEqual(problems, [], `${view}, ${theme}`);
      };
      await ada.getByTestId('welcome').waitFor();
      await check('welcome');
      await row(ada, 'models').click();
      await openFile(ada, 'loan.py');
      await check('editor');
      await ada.keyboard.press('Control+p');
      await ada.getByRole('option').first().waitFor();
      await check('go to file');
      await ada.keyboard.press('Escape');
      await ada.keyboard.press('Control+Shift+p');
      await ada.getByRole('option').first().waitFor();
      await check('commands');
      await ada.keyboard.press('Escape');
      await row(ada, 'data').click();
      await row(ada, 'x.bin').click();
      await ada.getByTestId('binary').waitFor();
      await check('binary');
      await ada.keyboard.press('Control+Shift+g');
      await ada.getByRole('heading', { name: 'Source control' }).waitFor();
      await check('source control');
      await ada.keyboard.press('Control+Shift+y');
      await ada.getByRole('feed').waitFor();
      await check('activity');
      await ada.getByRole('textbox', { name: 'Where' }).fill('nowhere');
      await ada.getByText('Nothing here by these filters.').waitFor();
      await check('activity without an entry');
      await ben.getByRole('button', { name: 'Files', exact: true }).click();
      await row(ben, 'models').waitFor();
      await check('files on a phone', ben);
      for (const one of [ada, ben]) await one.context().close();
    }
  });
});

test('what changed is listed with its lines, compared with HEAD as it is typed, and committed', { skip: noBrowserOrGit }, async () => {
  await withWorkbench(
    files,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      await ada.getByTestId('branch').filter({ hasText: 'main' }).waitFor();
      await openFile(ada, 'loan.py');
      await ada.keyboard.press('Control+End');
      await ada.keyboard.type('# late\n');
      await row(ada, 'loan.py').locator('[data-letter=M]').waitFor();
      await ada.locator('.cm-bars .bar-add').first().waitFor();
      writeFileSync(path.join(root, 'notes.md'), 'left out\n');

      await ada.keyboard.press('Control+Shift+g');
      const change = (name: string) => ada.getByTestId('change').filter({ hasText: name });
      await change('loan.py').filter({ hasText: '+1' }).waitFor();
      await change('notes.md').getByRole('img', { name: 'untracked' }).waitFor();
      await change('loan.py').getByRole('button').first().click();
      await ada.getByTestId('diff').locator('.cm-changedLine', { hasText: '# late' }).waitFor();

      await change('loan.py').hover();
      await ada.getByRole('button', { name: 'Stage: models/loan.py' }).click();
      await ada.getByRole('region', { name: 'Staged' }).getByTestId('change').waitFor();
      await ada.getByRole('textbox', { name: 'Commit message' }).fill('Loans: say which are late');
      await ada.getByRole('button', { name: 'Commit 1 file' }).click();
      await ada.getByTestId('toast').filter({ hasText: 'Committed 1 file' }).waitFor();
      await ada.getByTestId('commit').filter({ hasText: 'say which are late' }).waitFor();
      await change('loan.py').waitFor({ state: 'detached' });
      await change('notes.md').waitFor();
      assert.equal(git(root, 'show', '--name-only', '--format=%s', 'HEAD').trim(), 'Loans: say which are late\n\nmodels/loan.py');

      await ada.getByTestId('commit').filter({ hasText: 'The first loans' }).getByRole('button').click();
      await ada.locator('.patch .dl.add', { hasText: 'class Loan' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
    },
    { git: true },
  );
});

test('a page without a token asks for one, and says when the one it has holds no more (long form)', { skip: noBrowser }, async () => {
  await withWorkbench(files, async ({ page, url }) => {
    const nobody = await page({ at: `${url}/` });
    await nobody.getByRole('heading', { name: 'This workspace needs a token' }).waitFor();
    assert.equal(await nobody.getByRole('alert').count(), 0);
    assert.deepEqual(await accessibilityProblems(nobody), []);
    await nobody.getByRole('textbox', { name: 'Token' }).fill('not-the-token-of-this-workspace');
    await nobody.getByRole('button', { name: 'Open workspace' }).click();
    await nobody.getByRole('alert').filter({ hasText: 'not a token of this workspace' }).waitFor();
    await nobody.getByRole('textbox', { name: 'Token' }).fill(`${url}/?token=${pageToken}`);
    await nobody.getByRole('button', { name: 'Open workspace' }).click();
    await row(nobody, 'models').waitFor();
    assert.equal(new URL(nobody.url()).search, '');
  });
});

test('who may only read sees no control that writes', { skip: noBrowser }, async () => {
  await withWorkbench(files, async ({ page, scopedToken, ...rest }) => {
    const token = scopedToken.call(rest, 'read');
    const reader = await page({ token });
    await reader.getByTestId('read-only').waitFor();
    await reader.getByTestId('read-only-notice').waitFor();
    assert.equal(await reader.getByRole('button', { name: /New file/ }).count(), 0);
    await openFile(reader, 'loan.py');
    await reader.keyboard.type('nothing');
    await reader.getByTestId('saved').filter({ hasText: 'Read only' }).waitFor();
    assert.doesNotMatch(await text(reader), /nothing/);
    await reader.keyboard.press('Control+Shift+p');
    await reader.getByRole('option', { name: /^Search all text/ }).waitFor();
    assert.equal(await reader.getByRole('option', { name: /^Replace in files/ }).count(), 0);
    await reader.keyboard.press('Escape');
    await reader.getByRole('tree').focus();
    await reader.keyboard.press('Delete');
    await reader.keyboard.press('F2');
    assert.equal(await reader.getByRole('textbox', { name: /New name of/ }).count(), 0);
    assert.equal(existsSync(path.join(rest.root, 'README.md')), true);
  });
});

test('a part that is switched off has no place on the page: none on the rail, among the commands and keys, under the documents', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(
    files,
    async ({ page }) => {
      const ada = await page({ name: 'Ada' });
      const rail = ada.getByRole('tablist', { name: 'Views' }).getByRole('tab');
      assert.deepEqual(await rail.evaluateAll((tabs) => tabs.map((tab) => tab.getAttribute('aria-label'))), ['Files', 'Activity']);
      await ada.keyboard.press('?');
      const keys = ada.getByRole('dialog', { name: 'Keys' });
      await keys.getByText('Show files').waitFor();
      for (const one of ['Search all text', 'Show source control', 'Stage, unstage', 'Terminal; again'])
        assert.equal(await keys.getByText(one).count(), 0, one);
      await ada.keyboard.press('Escape');
      await ada.keyboard.press('Control+Shift+p');
      await ada.getByRole('option', { name: 'Show files' }).waitFor();
      for (const one of ['Search all text', 'Show source control', 'Ask git again', 'New terminal', 'Deploy', 'Keep a checkpoint'])
        assert.equal(await ada.getByRole('option', { name: one }).count(), 0, one);
      await ada.keyboard.press('Escape');
      // Of the panel under the documents there is what runs code.
      await openFile(ada, 'loan.py');
      await ada.keyboard.press('Control+j');
      await ada.getByRole('button', { name: 'Run', exact: true }).waitFor();
      assert.deepEqual(await ada.getByRole('tablist', { name: 'Bottom panel' }).getByRole('tab').allInnerTexts(), ['Run', 'Problems']);
      assert.equal(await ada.getByRole('button', { name: 'New terminal' }).count(), 0);
      assert.deepEqual(await accessibilityProblems(ada), []);
      const phone = await page({ size: [390, 844] });
      assert.deepEqual(await phone.locator('.mnav button').allInnerTexts(), ['Files', 'Edit', 'Activity']);
      // There is room for the whole name of the workspace.
      const name = phone.getByRole('heading', { level: 1 }).getByRole('button');
      const [end, edge] = await name.evaluate((button) => {
        const words = document.createRange();
        words.selectNode(button.firstChild as Node);
        return [words.getBoundingClientRect().right, button.getBoundingClientRect().right] as const;
      });
      assert.ok(end <= edge, `${end} of ${edge}`);
    },
    { env: { OUTRIGGER_COMPONENTS: 'files,documents,code,workbench' } },
  );
});

test('a file that is deleted, too large, or gone past says so, and what can be done (long form)', { skip: noBrowser }, async () => {
  await withWorkbench({ ...files, 'large.csv': 'a,b\n'.repeat(1_200_000) }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'loan.py:482');
    await ada.getByTestId('toast').filter({ hasText: 'Line 482 is past the end' }).waitFor();
    rmSync(path.join(root, 'models', 'loan.py'));
    await ada.getByTestId('deleted').waitFor();
    await ada.getByRole('button', { name: 'Bring it back' }).click();
    await eventually(() => assert.equal(readFileSync(path.join(root, 'models', 'loan.py'), 'utf8'), files['models/loan.py']));
    await ada.locator('.cm-content').waitFor();

    await row(ada, 'large.csv').click();
    await ada.getByTestId('too-large').filter({ hasText: 'Shared editing stops at 4 MiB' }).waitFor();
    await ada.getByRole('button', { name: 'View first 1 MiB' }).click();
    await ada.locator('pre.head').filter({ hasText: 'a,b' }).waitFor();
  });
});

/** What a path says that is cut where there is no room, and whether its end is seen. */
const told = (cut: Locator): Promise<[string | null, boolean]> =>
  cut.evaluate((one): [string | null, boolean] => {
    const last = one.lastElementChild as HTMLElement;
    const edge = (one.parentElement as HTMLElement).getBoundingClientRect().right;
    return [one.textContent, last.scrollWidth <= last.clientWidth && last.getBoundingClientRect().right <= edge + 1];
  });

test('the paths of symbols and folders are cut by the room that there is, in their middle', { skip: noBrowserOrGit }, async () => {
  const folder = 'libraries/of_the_northern_towns/lending/shelves_and_rooms';
  const file = `${folder}/loan_renewal.py`;
  await withWorkbench(
    { [file]: 'def renew_the_loan():\n    pass\n', 'README.md': '# Loans\n' },
    async ({ page, root }) => {
      writeFileSync(path.join(root, file), 'def renew_the_loan():\n    return 1\n');
      const ada = await page({ name: 'Ada', theme: 'light' });
      await ada.keyboard.press('Control+Shift+g');
      await ada.getByRole('button', { name: 'More of source control' }).click();
      await ada.getByRole('menuitemcheckbox', { name: 'List by folder' }).click();
      const row = ada.getByTestId('change-folder').locator('.cut');
      await row.waitFor();
      assert.deepEqual(await told(row), [folder, true]);
      await picture(ada, 'folder-row');
      for (const width of [1440, 390]) {
        await ada.setViewportSize({ width, height: 800 });
        await ada.keyboard.press('Control+p');
        await ada.getByRole('combobox', { name: 'Go to file' }).fill('@@renew_the');
        const option = ada.getByRole('option', { name: /renew_the_loan/ }).locator('.cut');
        await option.waitFor();
        assert.equal((await told(option))[0], file);
        if (width > 720) assert.ok((await told(option))[1]);
        await picture(ada, `symbol-path-${width}`);
        await ada.keyboard.press('Escape');
      }
    },
    { git: true },
  );
});

test('the paths of problems, of what was moved and in Activity are cut by the room that there is, in their middle', {
  skip: noBrowserOrGit,
}, async (t) => {
  const folder = 'libraries/of_the_northern_towns/lending/shelves_and_rooms/of_the_old_house';
  const hebrew = 'ספריות/של_הערים_הצפוניות/השאלה/מדפים_וחדרים/של_הבית_הישן/הלוואה.py';
  const moved = `${folder}/in_use/renewal.py`;
  await withWorkbench(
    { [`${folder}/renewal.py`]: 'a = 1\n'.repeat(9), [hebrew]: 'b = 1\n' },
    async (workbenches) => {
      const { page, root } = workbenches;
      const owner = clientOf(workbenches);
      t.after(() => owner.close());
      const ada = await page({ name: 'Ada', theme: 'light' });
      await owner.call('files.mkdir', { path: `${folder}/in_use` });
      await owner.call('files.move', { from: `${folder}/renewal.py`, to: moved });
      await owner.call('files.write', { path: hebrew, text: 'b = 2\n' });
      git(root, 'add', '-A');
      const lint = `echo '${moved}:3:1: F401 there is one'; echo '${hebrew}:1:1: F402 there is another'; while [ ! -e over ]; do sleep 0.1; done`;
      await owner.call('processes.start', { argv: ['sh', '-c', lint], title: 'lint' });
      const ben = await page({ name: 'Ben', theme: 'dark', size: [390, 844] });
      for (const one of [ada, ben]) {
        const wide = one === ada;
        /** All of it is there, in its own direction and within its row; of a row that is wide enough nothing is left out. Two on a phone are cut at their ends. */
        const assertCut = async (cut: Locator, whole: string, fits: boolean, endIsSeen = true): Promise<void> => {
          await cut.waitFor();
          assert.equal(await cut.getAttribute('title'), whole);
          const [said, end] = await told(cut);
          assert.equal(said, whole);
          if (endIsSeen) assert.equal(end, true);
          const [from, start, isRight] = await cut.evaluate((box): [number, number, boolean] => {
            const first = box.firstElementChild?.firstElementChild as HTMLElement;
            return [first.scrollWidth, first.clientWidth, box.matches(':dir(rtl)')];
          });
          assert.equal(from <= start, fits, `${whole}: ${start} of ${from}`);
          assert.equal(isRight, whole === hebrew);
          const box = await cut.boundingBox();
          assert.ok(box !== null && box.x >= 0 && box.x + box.width <= (wide ? 1440 : 390) && box.width > 60, JSON.stringify(box));
        };
        const shape = wide ? 'wide' : 'phone';
        if (wide) await one.getByRole('button', { name: '0 errors, 2 warnings: open Problems' }).click();
        else await command(one, 'Show problems');
        const problem = (text: string) => one.getByTestId('problem').filter({ hasText: text });
        await problem('F401').waitFor();
        await picture(one, `problem-paths-${shape}`);
        await assertCut(problem('F401').locator('.cut'), moved, false);
        await assertCut(problem('F402').locator('.cut'), hebrew, wide);
        await problem('F401').filter({ hasText: 'renewal.py:3' }).waitFor();
        const table = one.locator('.scroll', { has: one.getByTestId('problem') });
        assert.equal(await table.evaluate((box) => box.scrollWidth <= box.clientWidth), true);
        await command(one, 'Show activity');
        const article = (text: string) => one.getByTestId('activity-row').filter({ hasText: text });
        await article('moved').waitFor();
        await picture(one, `activity-paths-${shape}`);
        await assertCut(article('moved').locator('.cut').nth(0), moved, false, wide);
        await assertCut(article('moved').locator('.cut').nth(1), `${folder}/renewal.py`, false, wide);
        await assertCut(article('wrote').locator('.cut'), hebrew, false);
        await one.getByRole('button', { name: hebrew, exact: true }).waitFor();
        await command(one, 'Show source control');
        await assertCut(one.getByTestId('change').filter({ hasText: 'from' }).locator('.cut'), `${folder}/renewal.py`, false);
        await picture(one, `moved-paths-${shape}`);
      }
    },
    { git: true },
  );
});

test('a drawing is text that is edited, and a picture that runs nothing', { skip: noBrowser }, async () => {
  const drawing = (width: number): string =>
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" onload="globalThis.hacked = 1"><script>globalThis.hacked = 1</script>` +
    '<foreignObject width="9" height="9"><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="globalThis.hacked = 1"/></foreignObject>' +
    `<rect width="${width}" height="20" fill="teal"/></svg>\n`;
  await withWorkbench({ 'art/logo.svg': drawing(40), 'broken.svg': 'no drawing\n' }, async ({ page, root }) => {
    for (const [size, theme] of [
      [[1440, 900], 'light'],
      [[390, 844], 'dark'],
    ] as const) {
      writeFileSync(path.join(root, 'art', 'logo.svg'), drawing(40));
      const ada = await page({ name: 'Ada', size: [...size], theme });
      const pane = ada.getByTestId('picture');
      const shown = (): Promise<(string | number | boolean)[]> =>
        pane.locator('img').evaluate((one) => {
          const picture = one as HTMLImageElement;
          return [picture.naturalWidth, picture.src.startsWith('blob:'), 'hacked' in globalThis];
        });
      await ada.evaluate(() => {
        const gone: string[] = [];
        const { revokeObjectURL } = URL;
        Object.assign(globalThis, { gone });
        URL.revokeObjectURL = (url) => {
          gone.push(url);
          revokeObjectURL(url);
        };
      });
      await openFile(ada, 'logo.svg');
      await ada.locator('.cm-content', { hasText: 'fill="teal"' }).waitFor();
      await ada.getByRole('button', { name: 'Show as a picture' }).click();
      await eventually(async () => assert.deepEqual(await shown(), [40, true, false]));
      assert.equal(await ada.locator('.cm-content').count(), 0);
      assert.equal(await pane.locator('svg rect, script, foreignObject').count(), 0, 'never a part of the page');
      await pane.locator('[data-focus]:focus').waitFor();
      assert.equal(await ada.getByTestId('position').count(), 0, 'a picture has no lines');
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, `drawing-${theme}`);

      // It is drawn anew when its file changes, and what was drawn before is let go.
      const before = await pane.locator('img').evaluate((one) => (one as HTMLImageElement).src);
      writeFileSync(path.join(root, 'art', 'logo.svg'), drawing(60));
      await eventually(async () => assert.deepEqual(await shown(), [60, true, false]));
      await eventually(async () =>
        assert.equal(await ada.evaluate((url) => (globalThis as { gone?: string[] }).gone?.includes(url), before), true),
      );

      await pane.getByRole('button', { name: 'Show as text' }).click();
      await ada.locator('.cm-focused', { hasText: 'width="60"' }).waitFor();
      assert.equal(await pane.count(), 0);

      // Who asks for something else in the same moment types there.
      await ada.getByRole('button', { name: 'Show as a picture' }).evaluate((button) => {
        (button as HTMLElement).click();
        document.body.dispatchEvent(
          new KeyboardEvent('keydown', { key: 'p', code: 'KeyP', ctrlKey: true, bubbles: true, cancelable: true }),
        );
      });
      await pane.locator('img').waitFor();
      await ada.evaluate(() => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))));
      await ada.getByRole('combobox', { name: 'Go to file' }).and(ada.locator(':focus')).waitFor({ timeout: 3000 });
      await ada.keyboard.press('Escape');
      await pane.locator('[data-focus]:focus').waitFor();
      await pane.getByRole('button', { name: 'Show as text' }).click();

      // A place is one in the text.
      await ada.getByRole('button', { name: 'Show as a picture' }).click();
      await pane.locator('img').waitFor();
      await openFile(ada, 'logo.svg:2');
      await ada.locator('.cm-focused', { hasText: 'width="60"' }).waitFor();

      await openFile(ada, 'broken.svg');
      await ada.getByRole('button', { name: 'Show as a picture' }).click();
      await pane.getByText("the browser can't show it").waitFor();
      await pane.getByRole('button', { name: 'Show as text' }).click();
      await ada.locator('.cm-content', { hasText: 'no drawing' }).waitFor();
      assert.equal(await ada.evaluate(() => 'hacked' in globalThis), false);
    }
  });
});

test('a tree that was scrolled stays where it is while entries come and go in it', { skip: noBrowser }, async () => {
  const many = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`file ${index + 10}.txt`, 'a\n']));
  await withWorkbench(many, async ({ page, root }) => {
    const ada = await page({ name: 'Ada', size: [1000, 620] });
    const tree = ada.locator('.tree');
    await row(ada, 'file 10.txt').click();
    await ada.locator('.cm-content').waitFor();
    await row(ada, 'file 10.txt').and(ada.locator('.cur')).waitFor();
    await tree.evaluate((box) => (box.scrollTop = 720));
    await row(ada, 'file 50.txt').waitFor();
    const height = (name: string): Promise<number> =>
      row(ada, name).evaluate((one) =>
        Math.round(one.getBoundingClientRect().top - (one.closest('.tree')?.getBoundingClientRect().top ?? 0)),
      );
    const before = await height('file 45.txt');
    const entries = (count: number): Promise<void> =>
      ada
        .getByTestId('entries')
        .filter({ hasText: new RegExp(`^${count} (of \\d+ )?entries`) })
        .waitFor();
    writeFileSync(path.join(root, 'zoo.txt'), 'z\n');
    await entries(81);
    assert.equal(await height('file 45.txt'), before);
    // Above what is seen.
    writeFileSync(path.join(root, 'a.txt'), 'a\n');
    await entries(82);
    await eventually(async () => assert.equal(await height('file 45.txt'), before), 2000);
    rmSync(path.join(root, 'file 20.txt'));
    await entries(81);
    await eventually(async () => assert.equal(await height('file 45.txt'), before), 2000);

    // What is in sight and has the focus stays in sight.
    await ada.keyboard.press('Control+Shift+e');
    await ada.keyboard.press('ArrowDown');
    const focused = async (): Promise<boolean> =>
      (await row(ada, 'file 11.txt').and(ada.locator('.cur')).count()) === 1 &&
      (await tree.evaluate((box) => {
        const [inner, outer] = [box.querySelector('.cur')?.getBoundingClientRect(), box.getBoundingClientRect()];
        return inner !== undefined && inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
      }));
    await eventually(focused, 5000);
    for (let index = 0; index < 40; index++) writeFileSync(path.join(root, `b ${index}.txt`), 'b\n');
    await entries(121);
    await eventually(focused, 5000);

    // What is wrong with a name is said below it, also where that is below what is seen.
    await ada.keyboard.press('End');
    await ada.keyboard.press('F2');
    await ada.getByRole('textbox', { name: 'New name of zoo.txt' }).fill('a.txt');
    const problem = ada.getByRole('alert').filter({ hasText: 'exists here already' });
    await problem.waitFor();
    const isWhole = (one: Element): boolean =>
      one.getBoundingClientRect().bottom <= (one.closest('.tree')?.getBoundingClientRect().bottom ?? 0);
    await eventually(async () => assert.ok(await problem.evaluate(isWhole)));
  });
});
