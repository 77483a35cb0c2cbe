// The page in Chromium: what happens to a file while somebody types in it.
import assert from 'node:assert/strict';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { accessibilityProblems, noBrowser, openFile, pageToken, withWorkbench } from '../kit/browser.ts';

/** Types words until `done`, one key after the other as a person would; answers what was typed. */
async function typeUntil(page: Page, done: () => boolean): Promise<string> {
  let typed = '';
  for (let word = 0; !done(); word += 1) {
    const keys = `b${word} `;
    await page.keyboard.type(keys, { delay: 20 });
    typed += keys;
  }
  return typed;
}

test('who types in a file goes on in it while it is renamed', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'alpha\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'a.txt');
    await ada.evaluate(() => {
      const editor = document.querySelector('.cm-editor');
      const watch = new MutationObserver(() => editor?.isConnected === true || document.body.setAttribute('data-left', ''));
      watch.observe(document.body, { childList: true, subtree: true });
    });
    await ada.keyboard.press('Control+End');
    await ada.keyboard.type('one');
    renameSync(path.join(root, 'a.txt'), path.join(root, 'b.txt'));
    await ada.locator('.cm-content[aria-label="b.txt"]').waitFor();
    await ada.keyboard.type(' two');
    await eventually(() => assert.equal(readFileSync(path.join(root, 'b.txt'), 'utf8'), 'alpha\none two'));
    assert.equal(await ada.locator('body[data-left]').count(), 0, 'the editor never leaves the page');
  }),
);

test('what was typed before the clock was set back is told to be saved when it is', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'alpha\n' }, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await ada.addInitScript(() => {
      const { now } = Date;
      Date.now = () => now() - Number(document.body?.dataset['setBack'] ?? 0);
    });
    await ada.reload();
    await ada.locator('[data-known=true]').waitFor();
    await openFile(ada, 'a.txt');
    await ada.keyboard.type('typed ');
    await ada.evaluate(() => void (document.body.dataset['setBack'] = '3600000'));
    await eventually(() => assert.match(readFileSync(path.join(root, 'a.txt'), 'utf8'), /^typed /));
    await ada
      .getByTestId('saved')
      .filter({ hasText: /^Saved/ })
      .waitFor({ timeout: 10_000 });
  }),
);

test('who types in a file that is deleted meanwhile goes on in it where they were, and can undo', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'alpha\n' }, async ({ page, root }) => {
    const file = path.join(root, 'a.txt');
    const ada = await page({ name: 'Ada' });
    await openFile(ada, 'a.txt');
    await ada.keyboard.press('Control+End');
    let isDone = false;
    const typing = typeUntil(ada, () => isDone);
    await eventually(() => assert.match(readFileSync(file, 'utf8'), /b\d/));
    rmSync(file);
    // What was typed makes it anew.
    await eventually(() => assert.match(readFileSync(file, 'utf8'), /b\d/));
    isDone = true;
    const text = `alpha\n${await typing}`;
    await eventually(() => assert.equal(readFileSync(file, 'utf8'), text));
    await ada.keyboard.type('.');
    await eventually(() => assert.equal(readFileSync(file, 'utf8'), `${text}.`));
    await eventually(async () => {
      await ada.keyboard.press('Control+z');
      assert.equal(readFileSync(file, 'utf8'), 'alpha\n');
    }, 10_000);
  }),
);

test(
  'who looks at a file that is removed and made again is where they were, whether they may write or only read',
  { skip: noBrowser },
  () =>
    withWorkbench({ 'a.txt': 'a line\n'.repeat(500), 'b.txt': '' }, async (workbenches) => {
      const { page, root } = workbenches;
      const file = path.join(root, 'a.txt');
      const people = [await page({ name: 'Ada' }), await page({ name: 'Bob', token: workbenches.scopedToken('read') })];
      const place = async (person: Page): Promise<unknown[]> => [
        await person.getByTestId('position').getByTitle('Go to line').textContent(),
        await person.locator('.cm-scroller').evaluate(({ scrollTop }) => Math.round(scrollTop)),
      ];
      const before: unknown[][] = [];
      for (const person of people) {
        await openFile(person, 'a.txt:300');
        await person.locator('.cm-focused').waitFor();
        await person.keyboard.press('ArrowRight');
        await person.getByTestId('position').filter({ hasText: 'Ln 300, Col 2' }).waitFor();
        before.push(await place(person));
        assert.notEqual(before.at(-1)?.[1], 0);
      }
      rmSync(file);
      for (const person of people) await person.getByTestId('deleted').waitFor();
      writeFileSync(file, `${'a line\n'.repeat(400)}made again\n`);
      for (const [at, person] of people.entries()) {
        await person.locator('.cm-focused').waitFor();
        await eventually(async () => assert.deepEqual(await place(person), before[at]));
        await person.keyboard.press('ArrowRight');
        await person.getByTestId('position').filter({ hasText: 'Ln 300, Col 3' }).waitFor();
      }
      // Of what is left of it the last line.
      rmSync(file);
      for (const person of people) await person.getByTestId('deleted').waitFor();
      writeFileSync(file, 'short');
      for (const person of people) await person.getByTestId('position').filter({ hasText: 'Ln 1, Col 6' }).waitFor();
    }),
);

test('what is typed when the token ends goes to no field, and words that are no token are not sent', { skip: noBrowser }, () =>
  withWorkbench({ 'a.txt': 'alpha\n' }, async (workbenches) => {
    const { page, url } = workbenches;
    const ada = await page({ name: 'Ada', token: workbenches.scopedToken('write') });
    const asked: string[] = [];
    ada.on('request', (request) => asked.push(decodeURIComponent(request.url())));
    await openFile(ada, 'a.txt');
    await ada.keyboard.press('Control+End');
    await ada.keyboard.type('before');
    const owner = createClient<Operations>({ url, token: pageToken, webSocket: undefined });
    const { tokens } = await owner.call('tokens.list', {});
    for (const { id, access } of tokens) if (access === 'write') await owner.call('tokens.revoke', { id });
    const card = ada.getByTestId('token').locator('form');
    await card.waitFor();
    assert.ok(await card.evaluate((form) => form === document.activeElement));
    await ada.keyboard.type('a secret? sentence');
    await ada.keyboard.press('Enter');
    const field = ada.getByRole('textbox', { name: 'Token' });
    assert.deepEqual([await field.inputValue(), await ada.getByRole('dialog').count()], ['', 0]);
    await ada.keyboard.press('Tab');
    await ada.keyboard.type('a secret sentence');
    await ada.keyboard.press('Enter');
    await card.getByRole('alert').filter({ hasText: 'That is not a token' }).waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    assert.deepEqual(
      asked.filter((request) => request.includes('sentence')),
      [],
    );
    await field.fill(pageToken);
    await ada.keyboard.press('Enter');
    await ada.locator('[data-known=true]').waitFor();
  }),
);
