// The page in Chromium: finding and replacing in one document.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, noBrowser, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { openFocused, picture, text } from '../kit/source-control.ts';

const loans = Array.from({ length: 17 }, (_, at) => `${at % 2 === 0 ? 'Loan' : 'loan'} ${at + 1} of the library\n`).join('');
/** 3 MB. */
const large = `${'a line of hay, as there are many\n'.repeat(95_000)}a needle\n`;

function findBar(page: Page) {
  const bar = page.getByRole('search', { name: 'Find in this document' });
  return {
    bar,
    field: bar.getByRole('textbox', { name: 'Find', exact: true }),
    replacement: bar.getByRole('textbox', { name: 'Replace with' }),
    button: (name: string): Locator => bar.getByRole('button', { name, exact: true }),
    says: (words: string): Promise<void> => bar.getByRole('status').getByText(words, { exact: true }).waitFor(),
  };
}

/** Opens it by its key, asks for `words`, and for what they are replaced with. */
async function find(page: Page, words: string, replacement?: string) {
  await page.keyboard.press('Control+f');
  const shown = findBar(page);
  await shown.field.and(page.locator(':focus')).waitFor();
  await page.keyboard.type(words);
  if (replacement !== undefined) {
    await shown.button('Replace').click();
    await shown.replacement.fill(replacement);
  }
  return shown;
}

/** Of the time until the bar says `words`: how much of it, up to 1, the page once did one thing alone. */
function longestTurn(page: Page, words: string): Promise<number> {
  return page.evaluate(async (expected) => {
    const status = document.querySelector('[role=search] [role=status]');
    const startedAt = performance.now();
    let [last, longest] = [startedAt, 0];
    while (status?.textContent !== expected) {
      await new Promise((done) => setTimeout(done));
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }
    return longest / (last - startedAt);
  }, words);
}

test('by keys alone one finds in a document, and nothing is wrong with the bar in light, in dark and on a phone', { skip: noBrowser }, () =>
  withWorkbench({ 'loans.txt': loans, 'large.txt': large }, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    const { keyboard } = ada;
    const at = (place: string): Promise<void> => ada.getByTestId('position').filter({ hasText: place }).waitFor();
    const press = async (...keys: string[]): Promise<void> => {
      for (const key of keys) await keyboard.press(key);
    };
    await openFocused(ada, 'loans.txt');
    const { bar, field, says, replacement, button } = await find(ada, 'loan');
    await says('17 results');
    await press('Enter');
    await says('1 of 17');
    await press('Enter', 'Enter');
    await says('3 of 17');
    await press('Shift+Enter');
    await says('2 of 17');
    await press('F3', 'F3');
    await says('4 of 17');
    await press('Shift+F3');
    await says('3 of 17');
    assert.ok(await field.evaluate((element) => element === document.activeElement), 'the focus stays in the field');

    await press('Escape');
    await bar.waitFor({ state: 'detached' });
    await ada.locator('.cm-focused').waitFor();
    assert.equal(await ada.evaluate(() => getSelection()?.toString()), 'Loan');
    await at('Ln 3');
    await press('F3');
    await at('Ln 4');

    // What is chosen is asked for.
    await press('Control+f');
    await says('4 of 17');
    assert.equal(await field.inputValue(), 'loan');
    await press('Tab', 'Space');
    await says('2 of 8');
    await press('Tab', 'Tab', 'Space', 'Shift+Tab', 'Shift+Tab', 'Shift+Tab');
    await keyboard.type('l(oan');
    await bar.getByRole('alert').getByText('Not a regular expression: unterminated group.', { exact: true }).waitFor();
    assert.equal(await field.getAttribute('aria-invalid'), 'true');
    assert.equal(await bar.getByRole('status').textContent(), '', 'nothing is counted');
    assert.deepEqual(await accessibilityProblems(ada), []);
    await picture(ada, 'find-problem');
    await keyboard.type(') \\d\\d ');
    await says('4 results');
    assert.equal(await bar.getByRole('alert').count(), 0);
    await press('Enter');
    await says('1 of 4');

    await press('Shift+Tab', 'Enter');
    await replacement.fill('$1');
    for (const width of [1440, 390])
      for (const colorScheme of ['dark', 'light'] as const) {
        await ada.emulateMedia({ colorScheme });
        await ada.setViewportSize({ width, height: 844 });
        await picture(ada, `find-${colorScheme}-${width}`);
      }
    assert.deepEqual(await accessibilityProblems(ada), []);
    const isWithin = async (inner: Locator): Promise<boolean> => {
      const [box, outer] = [await inner.boundingBox(), await bar.boundingBox()];
      return box !== null && outer !== null && box.x >= outer.x && box.x + box.width <= outer.x + outer.width;
    };
    for (const control of await bar.locator('input, button').all()) assert.ok(await isWithin(control), 'nothing is cut off');
    await button('Close').click();
    await ada.locator('.cm-focused').waitFor();

    // While a large text is counted letters go on appearing.
    await openFocused(ada, 'large.txt');
    await find(ada, 'ne');
    await says('1,000+ results');
    const longest = longestTurn(ada, '1 result');
    for (const typed of ['nee', 'need', 'needl', 'needle']) {
      // Longer than the pause after which it is counted.
      await keyboard.type(typed.slice(-1), { delay: 120 });
      assert.equal(await field.inputValue(), typed);
    }
    assert.ok((await longest) < 0.5, `${await longest} of the time the page does nothing else`);
    await says('1 result');
    await press('Enter');
    await says('1 of 1');
  }),
);

test('beside a side panel in a small window the buttons of the bar stand in it, one beside the other', { skip: noBrowser }, () =>
  withWorkbench({ 'large.txt': large }, async ({ page }) => {
    const ada = await page({ name: 'Ada', size: [900, 600] });
    await openFocused(ada, 'large.txt');
    const { bar, button, says } = await find(ada, 'hay');
    await says('1,000+ results');
    // From where two rows of it would be three, to where all of it has room.
    for (const width of [800, 850, 900, 950, 1000, 1100]) {
      await ada.setViewportSize({ width, height: 600 });
      const edge = await bar.evaluate((element) => element.getBoundingClientRect().right);
      const boxes = [];
      for (const name of ['Previous', 'Next', 'Close']) boxes.push(await button(name).boundingBox());
      for (const box of boxes) assert.ok(box !== null && box.x + box.width <= edge + 1, `all of it is in the bar at ${width}`);
      const [previous, next, close] = boxes as { x: number; y: number; width: number; height: number }[];
      assert.ok(previous !== undefined && next !== undefined && close !== undefined);
      assert.ok(previous.x + previous.width <= next.x + 1, `Previous ends before Next at ${width}`);
      assert.ok(next.x + next.width <= close.x + 1 || next.y >= close.y + close.height, `Close hides nothing of Next at ${width}`);
    }
    await picture(ada, 'find-small');
  }),
);

test('one replacement, or all at once, is one step to take back, and what others typed meanwhile stays', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'loan loan\nloan\n' }, async (workbenches) => {
    const { page, root } = workbenches;
    const [ada, bob, eve] = [
      await page({ name: 'Ada' }),
      await page({ name: 'Bob' }),
      await page({ name: 'Eve', token: workbenches.scopedToken('read') }),
    ];
    const saved = (expected: string): Promise<void> =>
      eventually(() => assert.equal(readFileSync(path.join(root, 'a.txt'), 'utf8'), expected));
    for (const person of [ada, bob, eve]) await openFocused(person, 'a.txt');

    const read = await find(eve, 'loan');
    await read.says('3 results');
    assert.equal(await read.button('Replace').count(), 0, 'who may only read replaces nothing');

    const { bar, field, replacement, button, says } = await find(ada, 'loan', 'lease');
    await bob.keyboard.press('Control+End');
    await bob.keyboard.type('loan');
    await says('4 results');
    await read.says('4 results');

    // The first chooses, as it would be seen what goes; then two go, faster than what is typed becomes two steps.
    await replacement.focus();
    for (let times = 0; times < 3; times += 1) await ada.keyboard.press('Enter');
    await saved('lease lease\nloan\nloan');
    await says('1 of 2');
    await ada.keyboard.press('Escape');
    await bar.waitFor({ state: 'detached' });
    await ada.keyboard.press('Control+z');
    await saved('lease loan\nloan\nloan');
    await ada.keyboard.press('Control+z');
    await saved('loan loan\nloan\nloan');

    // What is chosen is asked for anew; what it is replaced with stays.
    await ada.keyboard.press('Control+f');
    assert.equal(await field.inputValue(), 'loan');
    assert.equal(await replacement.inputValue(), 'lease');
    await ada.locator('.cm-content').click();
    await ada.keyboard.press('Control+Home');
    for (let letters = 0; letters < 4; letters += 1) await ada.keyboard.press('Shift+ArrowRight');
    await ada.keyboard.press('Control+f');
    await field.and(ada.locator(':focus')).waitFor();
    assert.deepEqual([await field.inputValue(), await replacement.inputValue()], ['loan', 'lease']);
    const typing = bob.keyboard.type(' and what Bob types', { delay: 40 });
    await button('Replace all').click();
    await eventually(async () => assert.match(await text(bob), /^lease lease\nlease\nlease/));
    await says('No results');
    await ada.keyboard.press('Escape');
    await ada.keyboard.press('Control+z');
    await typing;
    await saved('loan loan\nloan\nloan and what Bob types');
    assert.equal(await text(ada), await text(bob));
    await ada.keyboard.press('Control+y');
    await saved('lease lease\nlease\nlease and what Bob types');
  }),
);
