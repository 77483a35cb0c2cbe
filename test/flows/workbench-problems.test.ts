import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { accessibilityProblems, command, noBrowser, openFile, withWorkbench } from '../kit/browser.ts';
import { requireTool } from '../kit/require-tools.ts';
import { clientOf, picture } from '../kit/source-control.ts';

const noBrowserOrPython = requireTool('chromium', 'python3');

const files = {
  'models/loan.py': 'import sys\n\n\ndef due(days):\n    return 10 / days\n\n\ndue(0)\n',
  'models/fine.py': 'print("fine")\n',
  // A linter that runs until it is stopped, and says all anew when it is told to by a file.
  'lint.sh': [
    'echo "models/loan.py:1:8: F401 sys imported but unused"',
    'echo "models/nosuch.py:1:1: F401 not there"',
    'while [ ! -e again ]; do sleep 0.1; done',
    'printf "\\033[2J\\033[Hmodels/fine.py:1:1: T201 print found\\n"',
    'sleep 1000',
  ].join('\n'),
};

const counts = (page: Page, words: string) => page.getByRole('button', { name: `${words}: open Problems` });
const row = (page: Page, text: string) => page.getByTestId('problem').filter({ hasText: text });

test('what a run and a linter say is wrong is counted, listed, underlined, and led to by keys', { skip: noBrowserOrPython }, async (t) => {
  await withWorkbench(files, async (workbenches) => {
    const { page, root } = workbenches;
    const owner = clientOf(workbenches);
    t.after(() => owner.close());
    const ada = await page({ name: 'Ada' });
    await counts(ada, '0 errors, 0 warnings').waitFor();
    await owner.call('processes.start', { argv: ['sh', 'lint.sh'], title: 'ruff check --watch' });
    await counts(ada, '0 errors, 1 warning').waitFor();
    await openFile(ada, 'loan.py');
    // In the editor the word is underlined, and says why.
    assert.equal(await ada.locator('.cm-problem-warning').textContent(), 'sys');
    assert.equal(await ada.locator('.cm-problem-warning').getAttribute('title'), 'F401 sys imported but unused');
    await ada.keyboard.press('Control+Enter');
    await counts(ada, '1 error, 1 warning').click();
    await row(ada, 'ZeroDivisionError: division by zero')
      .filter({ hasText: 'models/loan.py:5' })
      .filter({ hasText: 'Run of loan.py' })
      .waitFor();
    assert.equal(await row(ada, '').count(), 2);
    assert.deepEqual(await accessibilityProblems(ada), []);
    // On a phone, where it is not said who says it, the place has that room.
    const phone = await page({ name: 'Ben', size: [390, 844] });
    await command(phone, 'Show problems');
    const rightOf = (selector: string): Promise<number> =>
      phone.locator(selector).evaluate((one) => Math.round(one.getBoundingClientRect().right));
    await row(phone, 'F401').waitFor();
    assert.equal(await rightOf('[data-testid=problem] .place'), await rightOf('table[aria-label=Problems]'));
    await picture(phone, 'problems-phone');
    // By keys: the first row has the focus, arrows walk, Enter goes there.
    await ada.waitForFunction(() => document.activeElement?.textContent.includes('F401'));
    await ada.keyboard.press('ArrowDown');
    await ada.keyboard.press('Enter');
    await ada.getByTestId('position').filter({ hasText: 'Ln 5,' }).waitFor();
    // Lines above move the mark along.
    await ada.keyboard.press('Control+Home');
    await ada.keyboard.type('# one more line\n');
    const marked = (): Promise<string | null> => ada.locator('.cm-line', { has: ada.locator('.cm-problem-error') }).textContent();
    assert.match((await marked()) ?? '', /return 10/);
    // It stays there when another file was looked at meanwhile, more is said, or the file gets another name.
    await openFile(ada, 'fine.py');
    await openFile(ada, 'loan.py');
    assert.match((await marked()) ?? '', /return 10/);
    const later = 'echo "models/loan.py:2:8: F402 said later"';
    const { process: another } = await owner.call('processes.start', { argv: ['sh', '-c', later], title: 'another' });
    await counts(ada, '1 error, 2 warnings').waitFor();
    assert.match((await marked()) ?? '', /return 10/);
    await owner.call('files.move', { from: 'models/loan.py', to: 'models/loans.py' });
    await ada.getByRole('tab', { name: 'loans.py' }).waitFor();
    assert.match((await marked()) ?? '', /return 10/);
    // What was taken out has no mark any more, and gets none elsewhere.
    await ada.keyboard.press('Control+Home');
    await ada.keyboard.press('Shift+ArrowDown');
    await ada.keyboard.press('Shift+ArrowDown');
    await ada.keyboard.press('Delete');
    assert.equal(await ada.locator('.cm-problem-warning').count(), 0);
    await openFile(ada, 'fine.py');
    await openFile(ada, 'loans.py');
    assert.equal(await ada.locator('.cm-problem-warning').count(), 0);
    assert.match((await marked()) ?? '', /return 10/);
    await owner.call('files.move', { from: 'models/loans.py', to: 'models/loan.py' });
    await ada.getByRole('tab', { name: 'loan.py' }).waitFor();
    await owner.call('processes.remove', { id: another.id });
    // What the linter says anew takes the place of what it said; a run without a fault that of the one before.
    await ada.keyboard.press('Control+a');
    await ada.keyboard.insertText('print("mended")\n');
    await ada.keyboard.press('Control+Enter');
    await counts(ada, '0 errors, 1 warning').click();
    await row(ada, 'F401').waitFor();
    await fs.promises.writeFile(path.join(root, 'again'), '');
    await row(ada, 'T201 print found').waitFor();
    await row(ada, 'F401').waitFor({ state: 'detached' });
    assert.equal(await ada.locator('.cm-problem').count(), 0);
    // To what said it.
    await row(ada, 'T201').getByRole('button', { name: 'ruff check --watch' }).click();
    await ada.getByRole('log', { name: /ruff check/ }).waitFor();
  });
});

test('the bar says what search reflects, and what keeps runs apart', { skip: noBrowser }, async (t) => {
  await withWorkbench(files, async (workbenches) => {
    const { page } = workbenches;
    const owner = clientOf(workbenches);
    t.after(() => owner.close());
    const ada = await page({ name: 'Ada' });
    await ada
      .getByTestId('index')
      .filter({ hasText: /^Search fresh at r\d+$/ })
      .waitFor();
    const { revision } = await owner.call('files.write', { path: 'new.txt', text: 'new\n' });
    await ada
      .getByTestId('index')
      .filter({ hasText: `Search fresh at r${revision}` })
      .waitFor();
    await openFile(ada, 'fine.py');
    await ada
      .getByTestId('status-isolation')
      .filter({ hasText: /rung \d$/ })
      .click();
    await ada.getByRole('dialog', { name: 'Isolation' }).waitFor();
  });
});
