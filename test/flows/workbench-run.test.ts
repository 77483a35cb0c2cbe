import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import type { CodeItem } from '../../src/contract/code.ts';
import { accessibilityProblems, noBrowser, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { picture } from '../kit/source-control.ts';
import {
  scriptCode,
  scriptedIsolation,
  scriptedOutcome,
  type ScriptedRun,
  scriptedRunId,
  scriptedSession,
  scriptedStage,
} from '../kit/scripted-code.ts';

const noBrowserOrPython = requireTool('chromium', 'python3');
const noBrowserOrCompiler = requireTool('chromium', 'cc');

const files = {
  'loan.py': 'print("one")\nif True:\n    print("two")\n    print("three")\n',
  'far.c': 'int main(void) { return 0; }\n',
  'main.rs': 'fn main() {}\n',
  'page.php': '<?php echo 1;\n',
  'notes.txt': 'nothing to run\n',
  'data/loans.csv': 'a,b\n1,2\n',
};

const started: CodeItem = { type: 'started', run: scriptedRunId, session: scriptedSession, language: 'py', isolation: scriptedIsolation };
const output = (text: string, stream: 'stdout' | 'stderr' = 'stdout', stage: 'compile' | 'run' = 'run'): CodeItem => ({
  type: 'output',
  stage,
  stream,
  text,
});
const dot = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

async function open(page: Page, name: string): Promise<void> {
  await page.keyboard.press('Control+p');
  await page.getByRole('combobox', { name: 'Go to file' }).fill(name);
  await page
    .getByRole('option', { name: new RegExp(name.replace('.', '\\.')) })
    .first()
    .waitFor();
  await page.keyboard.press('Enter');
  await page.locator('.cm-content').waitFor();
  await page.locator('.cm-content').click();
}

const state = (page: Page) => page.getByTestId('run-state');
const line = (page: Page, text: string | RegExp) => page.locator('.run .ll').filter({ hasText: text });

async function type(page: Page, text: string): Promise<void> {
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(text);
}

async function ends(page: Page, words: string | RegExp): Promise<void> {
  await state(page).filter({ hasText: words }).waitFor({ timeout: 20_000 });
}

test('the text in the editor runs as it stands there, by keys alone: output, exit code, what it took', {
  skip: noBrowserOrPython,
}, async () => {
  await withWorkbench(files, async ({ page, root }) => {
    const ada = await page({ name: 'Ada' });
    await open(ada, 'loan.py');
    await type(ada, 'import sys\nprint("args", sys.argv[1:], sys.stdin.read())\nprint("careful", file=sys.stderr)\nsys.exit(3)\n');
    await ada.keyboard.press('Control+Enter');
    await ends(ada, 'Exited 3');
    await line(ada, 'args []').waitFor();
    await ada.locator('.ll.stderr', { hasText: 'careful' }).waitFor();
    await ada
      .getByTestId('run-figures')
      .filter({ hasText: /^[\d.]+ m?s · .*loan\.py$/ })
      .waitFor();
    // The editor has the focus still.
    assert.equal(await ada.evaluate(() => document.activeElement?.classList.contains('cm-content')), true);

    // Arguments, input and limits, from the keyboard.
    await ada.keyboard.press('Control+Shift+r');
    await ada.locator('.run button[data-focus]:focus').waitFor();
    await ada.getByRole('textbox', { name: 'Arguments' }).fill('--by "open');
    await ada.getByRole('alert').filter({ hasText: 'A quote is open' }).waitFor();
    await ada.getByRole('textbox', { name: 'Arguments' }).fill('--by "a week"');
    await ada.getByText('Standard input', { exact: false }).first().press('Enter');
    await ada.getByRole('textbox', { name: 'Standard input' }).fill('from stdin');
    await ada.getByRole('textbox', { name: 'Arguments' }).press('Enter');
    await line(ada, "args ['--by', 'a week'] from stdin").waitFor();
    await ends(ada, 'Exited 3');
    assert.deepEqual(await accessibilityProblems(ada), []);

    // A file that is written comes back, and can be saved.
    await type(ada, 'open("sum.csv", "w").write("a,b\\n")\nprint("wrote")\n');
    await ada.keyboard.press('Control+Enter');
    await line(ada, 'wrote').waitFor();
    await ends(ada, 'Exited 0');
    const saved = ada.waitForEvent('download');
    await ada.getByRole('button', { name: 'Download sum.csv' }).click();
    assert.equal(fs.readFileSync(await (await saved).path(), 'utf8'), 'a,b\n');
    // It lives on in the session, until there is a new one; the workspace has no part in it.
    await type(ada, 'import os\nprint("there", os.path.exists("sum.csv"))\n');
    await ada.keyboard.press('Control+Enter');
    await line(ada, 'there True').waitFor();
    await ada.getByRole('button', { name: 'New session' }).click();
    await ada.locator('.cm-content').click();
    await ada.keyboard.press('Control+Enter');
    await line(ada, 'there False').waitFor();
    assert.equal(fs.existsSync(`${root}/sum.csv`), false);
    // What ran before is still there to be looked at, until the next run.
    const runs = ada.getByRole('combobox', { name: 'Which run is shown' });
    assert.match(
      (await runs.locator('option').allTextContents()).join('\n'),
      /^(?:\d\d:\d\d loan\.py: Exited 0\n){3}(?:\d\d:\d\d loan\.py: Exited 3\n?){2}$/,
    );
    await runs.selectOption({ index: 4 });
    await ends(ada, 'Exited 3');
    await line(ada, 'args []').waitFor();
    await picture(ada, 'run-earlier');
    await ada.locator('.cm-content').click();
    await ada.keyboard.press('Control+Enter');
    await line(ada, 'there False').waitFor();
  });
});

test('a place of the code that the output names leads there, also where a part of the file was run', {
  skip: noBrowserOrPython,
}, async () => {
  await withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await open(ada, 'loan.py');
    await type(ada, 'def lend():\n    raise ValueError("no such member")\n\nlend()\n');
    await ada.keyboard.press('Control+Enter');
    await ends(ada, 'Exited 1');
    await ada.getByRole('button', { name: '/mnt/data/code.py", line 2' }).focus();
    await ada.keyboard.press('Enter');
    await ada.getByTestId('position').filter({ hasText: 'Ln 2, Col 1' }).waitFor();
    assert.equal(await ada.evaluate(() => document.activeElement?.classList.contains('cm-content')), true);

    // The last line alone, which is the first of what runs.
    await ada.keyboard.press('Control+End');
    await ada.keyboard.press('ArrowUp');
    await ada.keyboard.press('Shift+End');
    await ada.keyboard.press('Control+Shift+Enter');
    await line(ada, 'NameError').waitFor();
    await ada.getByTitle('Go to line 4 of loan.py').click();
    await ada.getByTestId('position').filter({ hasText: 'Ln 4, Col 1' }).waitFor();
  });
});

test('what is selected runs as a program of its own; files of the workspace come along (long form)', {
  skip: noBrowserOrPython,
}, async () => {
  await withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await open(ada, 'loan.py');
    // The two lines that are indented.
    await ada.keyboard.press('Control+Home');
    for (const key of ['ArrowDown', 'ArrowDown', 'Home', 'Shift+ArrowDown', 'Shift+ArrowDown']) await ada.keyboard.press(key);
    await ada.keyboard.press('Control+Shift+Enter');
    await ends(ada, 'Exited 0');
    await line(ada, 'three').waitFor();
    assert.deepEqual(await ada.locator('.run .ll').allInnerTexts(), ['two', 'three']);

    await type(ada, 'print(open("loans.csv").read())\n');
    await ada.getByText('Files beside it').press('Enter');
    const field = ada.getByRole('combobox', { name: 'File of the workspace' });
    await field.fill('data/nothing.csv');
    await ada.getByText('No file has this path.').waitFor();
    await field.fill('data/loans.csv');
    await field.press('Enter');
    await ada.getByRole('button', { name: 'Leave out data/loans.csv' }).waitFor();
    await ada.keyboard.press('Control+Enter');
    await line(ada, '1,2').waitFor();
  });
});

test('a run is stopped, one that is endless ends at its limit, and a lost link says that the run ended with it (long form)', {
  skip: noBrowserOrPython,
}, async () => {
  await withWorkbench(files, async (served) => {
    const ada = await served.page({ name: 'Ada' });
    await open(ada, 'loan.py');
    await type(ada, 'import time\nprint("begun", flush=True)\ntime.sleep(60)\n');
    await ada.keyboard.press('Control+Enter');
    await line(ada, 'begun').waitFor();
    await state(ada).filter({ hasText: 'Running' }).waitFor();
    await ada.keyboard.press('Shift+F5');
    await ends(ada, 'Stopped by you');
    await line(ada, 'begun').waitFor();

    await ada.getByText('Limits', { exact: false }).first().press('Enter');
    await ada.getByRole('textbox', { name: 'Time, s' }).fill('0');
    await ada.getByRole('alert').filter({ hasText: 'A number above 0.' }).waitFor();
    await ada.getByText('A limit is not a number above 0.').waitFor();
    await ada.getByRole('textbox', { name: 'Time, s' }).fill('0.5');
    await ada.getByRole('textbox', { name: 'Time, s' }).press('Enter');
    await ends(ada, 'Time limit 500 ms');
    await ada.getByRole('textbox', { name: 'Time, s' }).fill('');

    await ada.locator('.cm-content').click();
    await ada.keyboard.press('Control+Enter');
    await line(ada, 'begun').waitFor();
    await state(ada).filter({ hasText: 'Running' }).waitFor();
    await served.kill();
    await ends(ada, 'The link was lost');
    await ada.getByRole('alert').filter({ hasText: 'A run ends with its link' }).waitFor();
    await line(ada, 'begun').waitFor();
    await ada.getByText('The link is away: runs need the sidecar.').waitFor();
    await served.restart();
    await ada.getByText('The link is away: runs need the sidecar.').waitFor({ state: 'detached', timeout: 20_000 });
    await type(ada, 'print("again")\n');
    await ada.keyboard.press('Control+Enter');
    await line(ada, 'again').waitFor();
    await ends(ada, 'Exited 0');
  });
});

test('compiling is told apart from running, and what did not compile says so (long form)', { skip: noBrowserOrCompiler }, async () => {
  await withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada', theme: 'light' });
    await open(ada, 'far.c');
    await type(ada, '#include <stdio.h>\n#warning careful\nint main(void) { puts("hello"); return 4; }\n');
    await ada.keyboard.press('Control+Enter');
    await ends(ada, 'Exited 4');
    await line(ada, /^Compile: exited 0 · /).waitFor();
    await ada.locator('.ll.stderr', { hasText: 'careful' }).first().waitFor();
    await line(ada, /^Run: exited 4 · /).waitFor();
    await line(ada, /^hello$/).waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await type(ada, 'int main(void) { return x; }\n');
    await ada.keyboard.press('Control+Enter');
    await ends(ada, 'Not compiled: exited 1');
    await line(ada, 'undeclared').first().waitFor();
    assert.equal(await line(ada, /^Run/).count(), 0);
  });
});

test('who may not execute reads why; a language that is off or missing says what would help (long form)', { skip: noBrowser }, async () => {
  await withWorkbench(files, async (served) => {
    for (const [access, words] of [
      ['read', 'You can read, not run'],
      ['write', 'You can edit, not run'],
    ] as const) {
      const other = await served.page({ token: served.scopedToken(access) });
      await open(other, 'loan.py');
      await other.keyboard.press('Control+Shift+r');
      await other.locator('#run-problem', { hasText: words }).waitFor();
      assert.equal(await other.locator('.run button[type=submit]').getAttribute('aria-disabled'), 'true');
      await other.locator('.run button[type=submit]').press('Enter');
      await other.keyboard.press('Control+Enter');
      await other.getByText('Nothing has run yet.').waitFor();
      // Nor is it a line that is written.
      await other.locator('.cm-content').press('Control+Enter');
      assert.equal(await other.locator('.cm-line').count(), files['loan.py'].split('\n').length);
      assert.equal(await other.getByRole('button', { name: 'Run this file' }).count(), 0);
      assert.deepEqual(await accessibilityProblems(other), []);
      await other.context().close();
    }
    const ada = await served.page({ name: 'Ada' });
    await scriptCode(ada, () => ({ items: [], end: 'never' }));
    await ada.keyboard.press('Control+Shift+r');
    await ada.getByText('Open a file to run it.').waitFor();
    await open(ada, 'main.rs');
    await ada.getByText('Rust is not installed: rustc is missing.').waitFor();
    await ada.getByText('apt-get install rustc').waitFor();
    // The key that runs shows why it doesn't.
    await ada.keyboard.press('Control+Enter');
    await ada.locator('.run [data-focus]:focus').waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await open(ada, 'page.php');
    await ada.getByText('PHP is switched off here, in the option code.rollout.').waitFor();
    await open(ada, 'notes.txt');
    await ada.getByText('No language has the ending of notes.txt. Choose one.').waitFor();
    await ada.getByRole('combobox', { name: 'Language' }).selectOption('Python');
    await ada.getByText('No language has the ending').waitFor({ state: 'detached' });
  });
});

test('figures, tables, files, notes and the isolation of a run are shown; a place in the queue and a refusal are said', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    const answers: ScriptedRun[] = [
      { items: [{ type: 'queued', ahead: 2 }], end: 'never' },
      {
        items: [],
        end: { code: 'resource_exhausted', reason: 'TOO_MANY_RUNS', message: 'Ten runs wait already.' },
      },
      {
        items: [
          started,
          output('drawn\n'),
          { type: 'display', data: { 'text/plain': '<Figure>', 'image/png': dot } },
          {
            type: 'display',
            data: { 'image/svg+xml': '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="alert(1)"/>' },
          },
          { type: 'display', data: { 'text/html': '<table><tr><td>41</td></tr></table><script>top.hacked = true</script>' } },
          { type: 'display', data: { 'application/json': '{"weeks":[40,41]}' } },
        ],
        end: scriptedOutcome({
          files: [{ id: 'c'.repeat(21), name: 'overdue.csv', size: 2100, contentType: 'text/csv', modified: 1, sha256: '0' }],
          omittedFiles: 3,
          notes: ['memoryBytes was brought down to 512 MiB.'],
        }),
      },
      {
        items: [started, output('x'.repeat(100))],
        end: scriptedOutcome({
          reason: 'output',
          exitCode: null,
          program: scriptedStage({ reason: 'output', exitCode: null, omittedBytes: { stdout: 5_000_000, stderr: 0 } }),
        }),
      },
    ];
    const { asked } = await scriptCode(ada, () => answers.shift() as ScriptedRun);
    await open(ada, 'loan.py');
    await ada.keyboard.press('Control+Enter');
    await state(ada).filter({ hasText: 'Waiting: 2 runs before it' }).waitFor();
    await ada.keyboard.press('Control+Enter');
    await ada.getByTestId('toast').filter({ hasText: 'Another run is under way' }).waitFor();
    await ada.keyboard.press('Shift+F5');
    await ends(ada, 'Stopped by you');
    await ada.keyboard.press('Control+Enter');
    await ada.getByRole('alert').filter({ hasText: 'Ten runs wait already. The queue is full' }).waitFor();
    await ends(ada, 'Not run');

    await ada.keyboard.press('Control+Enter');
    await ends(ada, 'Exited 0');
    assert.equal(asked.length, 3);
    await ada.getByText('memoryBytes was brought down to 512 MiB.').waitFor();
    const shown = ada.getByTestId('display');
    await eventually(async () =>
      assert.deepEqual(await shown.locator('img').evaluateAll((all) => all.map((one) => (one as HTMLImageElement).naturalWidth)), [1, 9]),
    );
    const frame = shown.locator('iframe');
    assert.equal(await frame.getAttribute('sandbox'), '');
    await frame.contentFrame().getByText('41').waitFor();
    assert.equal(await ada.evaluate(() => 'hacked' in globalThis), false);
    await shown.locator('pre', { hasText: '"weeks"' }).waitFor();
    await ada.getByText('3 more files were not kept.').waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);

    await ada.getByTestId('isolation').press('Enter');
    const dialog = ada.getByRole('dialog', { name: 'Isolation' });
    await dialog.getByTestId('evidence').filter({ hasText: 'Network held back: A run can’t connect' }).waitFor();
    await dialog.getByTestId('evidence').filter({ hasText: 'Memory of all together not held back: A run can take more' }).waitFor();
    await dialog.getByText('Rung 3, where runs have a system of their own. unshare() was refused with EPERM').waitFor();
    // What does it, and what was tried, is in the details; they are reached by keys too.
    const tried = dialog.getByText('connect() to the sidecar was refused with EACCES');
    assert.equal(await tried.isVisible(), false);
    for (const key of ['Shift+Tab', 'Enter']) await ada.keyboard.press(key);
    await tried.waitFor();
    await dialog.getByText('Memory of all together: a watcher of the tree').waitFor();
    assert.deepEqual(await accessibilityProblems(ada), []);
    await picture(ada, 'isolation');
    await ada.keyboard.press('Escape');
    await ada.locator('[data-testid=isolation]:focus').waitFor();

    await ada.keyboard.press('Control+Enter');
    await ends(ada, 'Output limit 1 MiB');
    await ada.locator('.ll.lost', { hasText: '4.8 MiB left out' }).waitFor();
  });
});

test('on a phone the run is a pane of its own, reached from the breadcrumb, with how it is run folded (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page }) => {
    const phone = await page({ name: 'Ada', size: [390, 844] });
    await scriptCode(phone, () => ({
      items: [started, output('hello\n'.repeat(2_000)), { type: 'display', data: { 'text/plain': '42' } }],
      end: scriptedOutcome(),
    }));
    await open(phone, 'loan.py');
    await phone.getByRole('button', { name: 'Run this file' }).click();
    await ends(phone, 'Exited 0');
    await line(phone, 'hello').first().waitFor();
    // Only what can be seen is drawn, here too.
    assert.ok((await phone.locator('.run .ll').count()) < 60);
    await phone.getByTestId('display').filter({ hasText: '42' }).waitFor();
    assert.equal(await phone.getByRole('textbox', { name: 'Arguments' }).isVisible(), false);
    await phone.getByText('How it is run').click();
    await phone.getByRole('textbox', { name: 'Arguments' }).fill('--all');
    assert.deepEqual(await accessibilityProblems(phone), []);
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  });
});
