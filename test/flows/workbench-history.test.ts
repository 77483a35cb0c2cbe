import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Locator, Page } from 'playwright-core';
import { accessibilityProblems, noBrowser, openFile, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { clientOf, lines, openFocused, picture, toast } from '../kit/source-control.ts';

const files = { 'loan.py': lines('one', 'two', 'three', 'four', 'five'), 'b.txt': lines('one', 'two'), 'c.txt': lines('one') };

const step = (page: Page, text: string): Locator => page.getByTestId('history-step').filter({ hasText: text });
const restore = (row: Locator): Locator => row.locator('[aria-label^="Restore "]');
const entry = (page: Page, text: string): Locator => page.locator('[data-testid=activity-row][data-kind=files]').filter({ hasText: text });
const undo = (row: Locator): Locator => row.getByRole('button', { name: /^Undo: / });

type Client = ReturnType<typeof clientOf>;

async function typeAt(page: Page, keys: string, text: string): Promise<void> {
  await page.locator('.cm-content').filter({ visible: true }).focus();
  await page.keyboard.press(keys);
  await page.keyboard.type(text);
}

test('a change of a document is looked at, restored and undone; who comes too late is told, and can keep what was edited since', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async (workbenches) => {
    const { page, root, scopedToken } = workbenches;
    const read = (): string => readFileSync(path.join(root, 'loan.py'), 'utf8');
    const owner = clientOf(workbenches);
    const { secret } = await owner.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'write' });
    const agent = clientOf(workbenches, secret);
    try {
      const ada = await page({ name: 'Ada', theme: 'light' });
      const ben = await page({ name: 'Ben', size: [390, 844] });
      await openFocused(ada, 'loan.py');
      await openFile(ben, 'loan.py');
      await typeAt(ada, 'Control+Home', 'Ada: ');
      await eventually(() => assert.match(read(), /^Ada: one/));
      const ofAda = read();
      await agent.call('files.write', { path: 'loan.py', text: ofAda.replace('three', 'THREE') });
      await typeAt(ben, 'Control+End', 'by Ben');
      await eventually(() => assert.match(read(), /by Ben$/));

      await ada.keyboard.press('Alt+h');
      const rows = {
        ada: step(ada, 'You changed it').last(),
        fixer: step(ada, 'Agent: fixer changed it'),
        ben: step(ada, 'Ben changed it'),
      };
      await restore(rows.fixer).waitFor({ state: 'attached' });
      assert.equal(await restore(rows.ben).count(), 0, 'the newest is what is there');
      await rows.fixer.locator('[data-row]').focus();
      await ada.keyboard.press('Enter');
      const diff = ada.getByTestId('diff');
      await diff.locator('.cm-merge-b .cm-changedLine', { hasText: 'THREE' }).waitFor();
      assert.equal(await diff.locator('.cm-merge-b .cm-changedLine').count(), 1, 'of that change alone');
      await diff.locator('.sides').getByText('agent: fixer').waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'history-change');

      // What came after goes, and comes back.
      const newest = read();
      await rows.ada.hover();
      await picture(ada, 'history-restore');
      await restore(rows.ada).click();
      await toast(ada, 'Restored loan.py as of r').waitFor();
      await eventually(() => assert.equal(read(), ofAda));
      await picture(ada, 'history-restored');
      await toast(ada, 'Restored loan.py').getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Took back the restore of loan.py').waitFor();
      await eventually(() => assert.equal(read(), newest));

      // Somebody types between the choice and the deed.
      await ada.routeWebSocket(/\/rpc/, (socket) => {
        const sidecar = socket.connectToServer();
        socket.onMessage(async (message) => {
          if (String(message).includes('history.restore')) {
            await typeAt(ben, 'Control+End', '!');
            await eventually(() => assert.match(read(), /by Ben!$/));
          }
          sidecar.send(message);
        });
      });
      await ada.reload();
      await ada.locator('[data-known=true]').waitFor();
      await ada.getByTestId('history').waitFor();
      await restore(rows.ada).waitFor({ state: 'attached' });
      await rows.ada.locator('[data-row]').focus();
      for (const key of ['Tab', 'Tab', 'Enter']) await ada.keyboard.press(key);
      const late = toast(ada, 'Not restored: loan.py changed meanwhile');
      await late.filter({ hasText: /You chose r\d+; Ben typed in line 6 after that\. Nothing was written\./ }).waitFor();
      assert.equal(read(), `${newest}!`);
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'history-late');
      await late.getByRole('button', { name: 'Restore, keep newer edits' }).click();
      const clash = ada.getByRole('dialog', { name: 'Not restored: loan.py' });
      await clash.getByRole('button', { name: 'Keep newer edits' }).waitFor();
      await picture(ada, 'history-late-clash');
      await clash.getByRole('button', { name: 'Keep newer edits' }).click();
      await toast(ada, ', with newer edits').waitFor();
      await eventually(() => assert.doesNotMatch(read(), /THREE/));
      assert.match(read(), /by Ben!$/);

      // On a phone it is the same, and who may only look has nothing to press.
      await ben
        .getByRole('button', { name: /^History/ })
        .first()
        .click();
      await step(ben, 'fixer changed it').locator('[data-row]').waitFor();
      await picture(ben, 'history-phone');
      await step(ben, 'fixer changed it').locator('[data-row]').click();
      await ben.getByTestId('diff').locator('.cm-changedLine', { hasText: 'THREE' }).waitFor();
      await picture(ben, 'history-change-phone');
      const reader = await page({ token: scopedToken.call(workbenches, 'read') });
      await openFile(reader, 'loan.py');
      await reader.keyboard.press('Alt+h');
      await reader.getByTestId('history').waitFor();
      // Also before it is known which texts are kept.
      const listed = Promise.withResolvers<void>();
      await reader.routeWebSocket(/\/rpc/, (socket) => {
        const sidecar = socket.connectToServer();
        socket.onMessage(async (message) => {
          // The panel's; a comparison asks for one version.
          if (/history\.list.*"limit":\d\d/.test(String(message))) await listed.promise;
          sidecar.send(message);
        });
      });
      await reader.reload();
      await step(reader, 'fixer changed it').locator('[data-row]').click();
      await reader.getByTestId('diff').locator('.cm-changedLine', { hasText: 'THREE' }).first().waitFor();
      listed.resolve();
      assert.equal(await restore(reader.getByTestId('history')).count(), 0);
      await reader.keyboard.press('Control+Shift+y');
      await entry(reader, 'loan.py').first().waitFor();
      assert.equal(await undo(reader.locator('body')).count(), 0);
    } finally {
      agent.close();
      owner.close();
    }
  });
});

test('a comparison of what was made or deleted has no line where there was none', { skip: noBrowser }, async () => {
  await withWorkbench({ 'gone.txt': 'one\ntwo', 'grown.txt': lines('one') }, async (workbenches) => {
    const owner = clientOf(workbenches);
    const agents: Client[] = [];
    try {
      // Of one who each: a row of Activity is of one file.
      const asAnother = async (name: string) => {
        const { secret } = await owner.call('tokens.create', { name, kind: 'agent', access: 'write' });
        agents.push(clientOf(workbenches, secret));
        return agents.at(-1) as Client;
      };
      const made = await (await asAnother('maker')).call('files.write', { path: 'made.txt', text: 'one\ntwo' });
      const grown = await (await asAnother('grower')).call('files.write', { path: 'grown.txt', text: 'one\ntwo' });
      const gone = await (await asAnother('remover')).call('files.remove', { path: 'gone.txt' });
      const ada = await workbenches.page({ name: 'Ada' });
      await ada.keyboard.press('Control+Shift+y');
      for (const [name, { revision }, counted, signs] of [
        ['made.txt', made, '+2 −0', ['+', '+']],
        ['grown.txt', grown, '+1 −0', ['+']],
        ['gone.txt', gone, '+0 −2', ['−', '−']],
      ] as const) {
        await ada.setViewportSize({ width: 1440, height: 900 });
        await entry(ada, name).getByRole('button', { name: 'Compare' }).first().click();
        const diff = ada.getByTestId('diff').filter({ hasText: `r${revision}` });
        await diff.locator('.cm-mergeView').waitFor();
        await diff.getByText(counted).waitFor();
        await eventually(async () => assert.deepEqual(await signsIn(diff), signs, `${name}, side by side`));
        await picture(ada, `sides-${name}`);
        await ada.setViewportSize({ width: 900, height: 600 });
        await diff.locator('.diff-host > .cm-editor').waitFor();
        // Below one another, what went is one piece.
        await eventually(async () => assert.deepEqual(await signsIn(diff), name === 'gone.txt' ? ['−'] : signs, name));
        assert.equal(await diff.locator('.cm-deletedLine').filter({ visible: true }).count(), name === 'gone.txt' ? 2 : 0);
        await picture(ada, `unified-${name}`);
        await ada.setViewportSize({ width: 1440, height: 900 });
        await ada.keyboard.press('Control+Shift+y');
      }
    } finally {
      for (const client of [owner, ...agents]) client.close();
    }
  });
});

/** What stands beside the lines, where it takes any room. */
function signsIn(diff: Locator): Promise<string[]> {
  return diff.locator('.cm-changedLineGutter, .cm-deletedLineGutter').evaluateAll((marks) =>
    marks
      .filter((mark) => mark.clientHeight > 0 || getComputedStyle(mark).overflow !== 'hidden')
      .map((mark) => getComputedStyle(mark, '::after').content.replaceAll('"', ''))
      .filter((sign) => sign !== 'none'),
  );
}

test('a row of Activity is undone, what others typed since stays, and lines that were changed again are asked about', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async (workbenches) => {
    const { page, root } = workbenches;
    const read = (): string => readFileSync(path.join(root, 'loan.py'), 'utf8');
    const owner = clientOf(workbenches);
    const { secret } = await owner.call('tokens.create', { name: 'fixer', kind: 'agent', access: 'write' });
    const agent = clientOf(workbenches, secret);
    try {
      const ada = await page({ name: 'Ada' });
      await openFocused(ada, 'loan.py');
      await agent.call('files.write', { path: 'loan.py', text: lines('one', 'TWO', 'three', 'four', 'five') });
      await eventually(async () => assert.match((await ada.locator('.cm-content').textContent()) ?? '', /TWO/));
      await typeAt(ada, 'Control+End', 'typed since');
      await eventually(() => assert.match(read(), /typed since$/));
      await ada.keyboard.press('Control+Shift+y');
      const fixed = entry(ada, 'fixer wrote loan.py');
      await fixed.getByRole('button', { name: 'Compare' }).focus();
      await picture(ada, 'activity-change');
      await ada.keyboard.press('Enter');
      await ada.getByTestId('diff').locator('.cm-merge-b .cm-changedLine', { hasText: 'TWO' }).waitFor();
      await picture(ada, 'activity-compare');
      await ada.keyboard.press('Control+Shift+y');
      await undo(fixed).press('Enter');
      const done = toast(ada, 'Took back what fixer did in loan.py');
      await done.waitFor();
      await eventually(() => assert.equal(read(), `${files['loan.py']}typed since`));
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'activity-undone-row');
      await done.getByRole('button', { name: 'Undo' }).click();
      await toast(ada, 'Brought back what fixer did in loan.py').waitFor();
      await eventually(() => assert.match(read(), /TWO[^]*typed since$/));

      // The same line, changed again.
      await agent.call('files.edit', { path: 'loan.py', edits: [{ find: 'TWO', replace: 'TWO, again' }] });
      const again = entry(ada, 'fixer wrote loan.py').first();
      await eventually(async () => assert.equal(await entry(ada, 'fixer wrote loan.py').count(), 2));
      await owner.call('files.edit', { path: 'loan.py', edits: [{ find: 'TWO, again', replace: 'TWO, once again' }] });
      await eventually(() => assert.match(read(), /once again/));
      await undo(again).click();
      const clash = ada.getByRole('dialog', { name: 'Not taken back: loan.py' });
      await clash.getByRole('region', { name: 'loan.py, line 2' }).getByText('TWO, once again').waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);
      await picture(ada, 'activity-clash');
      await clash.getByRole('button', { name: 'Remove change’s lines' }).click();
      await eventually(() => assert.match(read(), /TWO\n[^]*typed since$/));

      // A file that is gone can be looked at, and comes back.
      await openFile(ada, 'b.txt');
      await ada.keyboard.press('Alt+h');
      await agent.call('files.write', { path: 'b.txt', text: lines('one', 'two', 'three') });
      await agent.call('files.remove', { path: 'b.txt' });
      const removal = step(ada, 'Agent: fixer deleted it');
      await restore(removal).waitFor({ state: 'attached' });
      await removal.locator('[data-row]').click();
      await ada.getByTestId('diff').locator('.cm-deletedChunk', { hasText: 'three' }).waitFor();
      await ada.getByTestId('diff').locator('.sides').getByText('agent: fixer, who deleted it').waitFor();
      await picture(ada, 'history-deleted');
      await restore(removal).click();
      await toast(ada, 'Restored b.txt as it was before r').waitFor();
      assert.equal(readFileSync(path.join(root, 'b.txt'), 'utf8'), lines('one', 'two', 'three'));
      await ada.keyboard.press('Control+Shift+y');
      await undo(entry(ada, 'fixer deleted b.txt')).click();
      await toast(ada, 'b.txt stays as it is').waitFor();

      // Of what nobody had looked at before another program removed it there is nothing.
      rmSync(path.join(root, 'c.txt'));
      await entry(ada, 'deleted c.txt').waitFor();
      await undo(entry(ada, 'deleted c.txt')).click();
      await toast(ada, 'Not taken back: what c.txt held before r').waitFor();
      await picture(ada, 'activity-not-kept');
      await entry(ada, 'deleted c.txt').getByRole('button', { name: 'Compare' }).click();
      await ada
        .getByTestId('not-kept')
        .filter({ hasText: /^What c\.txt held before r\d+ is not kept, so there is nothing to compare\./ })
        .waitFor();
      await picture(ada, 'comparison-not-kept');
    } finally {
      agent.close();
      owner.close();
    }
  });
});

test('on a phone, what can be done with a row of Activity is behind a button beside it', { skip: noBrowser }, async () => {
  await withWorkbench(files, async (workbenches) => {
    const { page, root } = workbenches;
    const owner = clientOf(workbenches);
    try {
      for (let index = 1; index <= 12; index += 1) await owner.call('checkpoints.create', { title: `Shelf ${index}` });
      await owner.call('files.write', { path: 'b.txt', text: lines('one', 'TWO') });
      for (const theme of ['light', 'dark'] as const) {
        const ada = await page({ name: 'Ada', size: [390, 844], theme });
        await ada.getByRole('button', { name: 'Activity', exact: true }).click();
        const row = entry(ada, 'owner wrote b.txt').last();
        const more = row.getByRole('button', { name: /^More of owner, b\.txt/ });
        const size = await more.boundingBox();
        assert.ok(size !== null && size.width >= 44 && size.height >= 44, JSON.stringify(size));
        await more.click();
        const menu = ada.getByRole('menu');
        assert.deepEqual(await menu.getByRole('menuitem').allTextContents(), ['Jump', 'Compare', 'Undo']);
        for (const item of await menu.getByRole('menuitem').all()) assert.ok(((await item.boundingBox())?.height ?? 0) >= 44);
        assert.deepEqual(await accessibilityProblems(ada), []);
        await picture(ada, `activity-menu-${theme}`);
        await ada.keyboard.press('Escape');
        // Where there is no room below, it opens above.
        const feed = ada.getByRole('feed');
        await feed.evaluate((box) => (box.scrollTop = box.scrollHeight));
        const last = ada.getByTestId('activity-row').filter({ hasText: 'Shelf 1' }).last();
        await last.getByRole('button', { name: /^More of / }).click();
        await picture(ada, `activity-menu-above-${theme}`);
        const below = await menu.evaluate((box) => box.getBoundingClientRect().bottom);
        assert.ok(below <= (await feed.evaluate((box) => box.getBoundingClientRect().bottom)), `it ends at ${below}`);
        await ada.keyboard.press('Escape');
        await feed.evaluate((box) => (box.scrollTop = 0));
        if (theme === 'light') continue;
        await more.click();
        await menu.getByRole('menuitem', { name: 'Undo' }).click();
        await toast(ada, 'Took back what owner did in b.txt').waitFor();
        await eventually(() => assert.equal(readFileSync(path.join(root, 'b.txt'), 'utf8'), files['b.txt']));
      }
    } finally {
      owner.close();
    }
  });
});

test('where no texts are kept, a change leads to Activity as it did, and nothing is offered that can’t be done', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(
    files,
    async (workbenches) => {
      const ada = await workbenches.page({ name: 'Ada', theme: 'light' });
      await openFocused(ada, 'loan.py');
      await typeAt(ada, 'Control+Home', 'Ada: ');
      await ada.keyboard.press('Alt+h');
      const row = step(ada, 'You changed it');
      await row.getByRole('button').first().click();
      await entry(ada, 'loan.py').getByRole('button', { name: 'Jump' }).waitFor();
      await picture(ada, 'activity-without-history');
      for (const name of ['Compare', /^Undo/]) assert.equal(await entry(ada, 'loan.py').getByRole('button', { name }).count(), 0);
      assert.equal(await restore(row).count(), 0);
    },
    { env: { OUTRIGGER_COMPONENTS: 'files,documents,workbench' } },
  );
});
