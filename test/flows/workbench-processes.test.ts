import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { accessibilityProblems, command, noBrowser, noBrowserOrGit, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { standInOdoo } from '../kit/stand-in-odoo.ts';

const scratch = fs.mkdtempSync(path.join(tmpdir(), 'outrigger-odoo-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const odoo = standInOdoo(scratch, '.');
// What the sidecars of this file are started with.
Object.assign(process.env, { OUTRIGGER_ODOO_COMMAND: odoo.command, OUTRIGGER_ODOO_CONFIG: odoo.config, SHELL: '/bin/sh', PS1: '$ ' });

const files = {
  'notes.txt': 'one\n',
  'loans/__manifest__.py': '{}\n',
  'talk.sh': 'echo started; echo careful >&2; n=0; while sleep 0.1; do n=$((n+1)); echo line $n; done\n',
  'flood.sh': 'while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; done\n',
};

async function openTerminal(page: Page): Promise<void> {
  await command(page, 'New terminal');
  await page.locator('.xterm-rows').waitFor();
  await page.locator('.xterm textarea:focus').waitFor({ state: 'attached' });
  await shows(page, /[$#]/);
}

async function startProcess(page: Page, line: string): Promise<void> {
  await command(page, 'Start a process');
  await page.getByRole('textbox', { name: 'Command' }).fill(line);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByRole('log').waitFor();
}

const screenOf = async (page: Page): Promise<string> => (await page.locator('.xterm-rows').innerText()).replaceAll('\u00a0', ' ');
const shows = (page: Page, text: RegExp): Promise<void> => eventually(async () => assert.match(await screenOf(page), text), 8000);
const tabs = (page: Page) => page.getByRole('tablist', { name: 'Bottom panel' });

test('a terminal is opened and typed into; a reload and a second person see the same screen, and say that it is shared', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async (served) => {
    const { page } = served;
    const ada = await page({ name: 'Ada' });
    await openTerminal(ada);
    await ada.keyboard.type('echo gr$((1+1))sse; printf "\\033[31mred\\033[0m\\n"\n');
    await shows(ada, /gr2sse\s+red/);
    await ada.reload();
    await ada.locator('[data-known=true]').waitFor();
    await shows(ada, /gr2sse\s+red/);

    const ben = await page({ name: 'Ben', theme: 'light' });
    await ben.keyboard.press('Control+`');
    await shows(ben, /gr2sse\s+red/);
    await ben.locator('.xterm textarea:focus').waitFor({ state: 'attached' });
    await ben.keyboard.type('echo from-$((40+2))\n');
    for (const one of [ada, ben]) await shows(one, /from-42/);
    await ada.getByTestId('terminal-shared').filter({ hasText: 'Shared with Ben' }).waitFor();
    await ben.getByTestId('terminal-shared').filter({ hasText: 'Shared with Ada' }).waitFor();
    assert.deepEqual(await accessibilityProblems(ben), []);

    // Under another name Ben is still one, and none of the others.
    await ben.getByRole('button', { name: /^Here: / }).click();
    await ben.getByRole('textbox', { name: 'Your name, as others see it' }).fill('Bea');
    await ben.keyboard.press('Enter');
    await ada
      .getByTestId('terminal-shared')
      .filter({ hasText: /Shared with Bea ·/ })
      .waitFor();
    await ben
      .getByTestId('terminal-shared')
      .filter({ hasText: /Shared with Ada ·/ })
      .waitFor();
    await ben.locator('.xterm').click();

    // Who may only read sees it, and types nothing.
    const reader = await page({ token: served.scopedToken('read') });
    await reader.keyboard.press('Control+`');
    await shows(reader, /from-42/);
    await reader.keyboard.type('echo never\n');
    assert.equal(await reader.getByRole('button', { name: 'New terminal' }).count(), 0);
    await ada
      .getByTestId('terminal-shared')
      .filter({ hasText: /Shared with .*a reader/ })
      .waitFor();
    assert.doesNotMatch(await screenOf(ada), /never/);

    // The same key goes back to the editor; the page's other chords are for the program.
    await ben.keyboard.press('Control+b');
    assert.equal(await ben.locator('.side').isVisible(), true);
    await ben.keyboard.press('Control+`');
    await ben.locator('.xterm textarea:focus').waitFor({ state: 'detached' });

    await ada.locator('.xterm').click();
    // Takes away what the chord left in the line.
    await ada.keyboard.press('Control+u');
    await ada.keyboard.type('exit 3\n');
    for (const one of [ada, ben]) await one.getByTestId('terminal-end').filter({ hasText: 'Ended with exit code 3.' }).waitFor();
    await ada.getByRole('button', { name: 'Restart' }).click();
    for (const one of [ada, ben]) await one.getByTestId('terminal-end').waitFor({ state: 'detached' });
    await ada.locator('.xterm').click();
    await ada.keyboard.type('echo again-$((6*7))\n');
    for (const one of [ada, ben]) await shows(one, /again-42/);
    await ada.keyboard.type('exit\n');
    await ada.getByRole('button', { name: 'Close', exact: true }).click();
    for (const one of [ada, ben]) await tabs(one).getByRole('tab', { name: /sh/ }).waitFor({ state: 'detached' });
  });
});

test('a program that erases up to the last corner of the screen is shown, and what it writes then (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async (served) => {
    const ada = await served.page({ name: 'Ada' });
    await openTerminal(ada);
    for (const erase of ['[1J', '[?1J']) {
      await ada.keyboard.type(`printf '\\033[2J\\033[Hgone\\033[999;999H\\033${erase}\\033[2;1Hst%sng\\n' ayi\n`);
      await shows(ada, /staying/);
      assert.doesNotMatch(await screenOf(ada), /gone/);
      await ada.keyboard.type('clear; echo then-$((3*3))\n');
      await shows(ada, /then-9/);
    }
  });
});

test('a terminal whose sidecar is killed says so, and shows its last screen when it is back (long form)', { skip: noBrowser }, async () => {
  await withWorkbench(files, async (served) => {
    const ada = await served.page({ name: 'Ada' });
    await openTerminal(ada);
    await ada.keyboard.type('echo last-$((50+5))\n');
    await shows(ada, /last-55/);
    await served.kill();
    await ada.getByRole('status').filter({ hasText: 'This is the last screen' }).waitFor();
    await shows(ada, /last-55/);
    await served.restart();
    await ada
      .getByTestId('terminal-end')
      .filter({ hasText: 'Ended when the sidecar, or its host, went away.' })
      .waitFor({ timeout: 15_000 });
    await shows(ada, /last-55/);
  });
});

/** Opens the log of the first process and its menu as soon as that is there; what has the focus a while later. Runs in the page. */
async function openSignalMenuAtOnce(): Promise<string> {
  await new Promise<void>((resolve) => {
    const observer = new MutationObserver(() => {
      const button = document.querySelector<HTMLElement>('.log-head [aria-haspopup=menu]');
      if (button === null) return;
      observer.disconnect();
      button.click();
      resolve();
    });
    observer.observe(document.body, { childList: true, subtree: true });
    document.querySelector<HTMLElement>('[data-testid=process] .cmd')?.click();
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  return document.activeElement?.textContent ?? '';
}

/** Scrolls to the start, of which no event arrives for half a second; gives where it stands then. Runs in the page. */
async function scrollUpUnheard(box: Element): Promise<number> {
  const hold = (event: Event): void => event.stopImmediatePropagation();
  window.addEventListener('scroll', hold, true);
  box.scrollTop = 0;
  await new Promise((resolve) => setTimeout(resolve, 500));
  window.removeEventListener('scroll', hold, true);
  return box.scrollTop;
}

test('a process is started, its log is followed, and it is stopped, started again and removed, all by keys', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async (served) => {
    const ada = await served.page({ name: 'Ada' });
    await command(ada, 'Show processes');
    await ada.getByText('No processes yet.').waitFor();
    await command(ada, 'Start a process');
    await ada.getByRole('textbox', { name: 'Command' }).fill('cat "open');
    await ada.keyboard.press('Enter');
    await ada.getByRole('alert').filter({ hasText: 'A quote is open' }).waitFor();
    await ada.getByRole('textbox', { name: 'Command' }).fill('ls | wc');
    await ada.getByText('No shell reads it: “|” is given').waitFor();
    await ada.keyboard.press('Escape');

    await startProcess(ada, 'sh talk.sh');
    await ada.locator('.ll.stderr', { hasText: 'careful' }).waitFor();
    await ada.locator('.ll', { hasText: 'line 12' }).waitFor();
    await ada.getByTestId('running').filter({ hasText: '1 running' }).waitFor();
    // Who reads further up is left there, and told of what came, also where lines come before the page heard of it.
    assert.equal(await ada.locator('.log').evaluate(scrollUpUnheard), 0);
    await ada.getByRole('button', { name: /\d+ new lines/ }).click();
    await ada.getByRole('button', { name: /new line/ }).waitFor({ state: 'detached' });
    await ada.locator('.log').press('Control+Home');
    await ada.getByRole('button', { name: /\d+ new lines/ }).click();
    await ada.getByRole('button', { name: /new line/ }).waitFor({ state: 'detached' });
    assert.deepEqual(await accessibilityProblems(ada), []);

    const reader = await served.page({ token: served.scopedToken('read') });
    await command(reader, 'Show processes');
    await reader.getByTestId('process').filter({ hasText: 'sh talk.sh' }).filter({ hasText: 'running' }).waitFor();
    assert.equal(await reader.getByRole('button', { name: /^(Stop|Start|New terminal)/ }).count(), 0);

    await ada.keyboard.press('Escape');
    const row = ada.getByTestId('process').filter({ hasText: 'sh talk.sh' });
    await row.locator('.cmd:focus').waitFor();
    await ada.keyboard.press('Delete');
    await row.filter({ hasText: 'stopped' }).waitFor();
    await reader.getByTestId('process').filter({ hasText: 'stopped' }).waitFor();
    await row.getByRole('button', { name: 'Start sh talk.sh again' }).click();
    await row.filter({ hasText: 'running' }).waitFor();
    assert.match(await ada.evaluate(openSignalMenuAtOnce), /^SIGINT/);
    for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await ada.keyboard.press(key);
    await ada.locator('.log-head').filter({ hasText: 'ended by SIGKILL' }).waitFor();
    await ada.getByRole('button', { name: 'All processes' }).click();
    await row.filter({ hasText: 'ended by SIGKILL' }).waitFor();
    await row.locator('.cmd').focus();
    await ada.keyboard.press('Delete');
    await ada.getByText('No processes yet.').waitFor();
  });
});

test('a process that writes without end freezes nothing: what is typed meanwhile shows within a second (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await ada.keyboard.press('Control+p');
    await ada.getByRole('combobox', { name: 'Go to file' }).fill('notes.txt');
    await ada
      .getByRole('option', { name: /notes\.txt/ })
      .first()
      .waitFor();
    await ada.keyboard.press('Enter');
    await ada.locator('.cm-content').waitFor();
    await startProcess(ada, 'sh flood.sh');
    await ada.locator('.ll').first().waitFor();
    await ada.locator('.cm-content').click();
    const slowest = { ms: 0 };
    for (const letter of 'abcdefghij') {
      const started = performance.now();
      await ada.keyboard.type(letter);
      await ada.locator('.cm-content', { hasText: letter }).waitFor();
      slowest.ms = Math.max(slowest.ms, performance.now() - started);
    }
    assert.ok(slowest.ms < 1000, `the slowest letter took ${Math.round(slowest.ms)} ms`);
    // However much comes, what the page holds is bounded.
    assert.ok((await ada.locator('.ll').count()) < 60);
    await ada.keyboard.press('Control+Shift+p');
    await ada.getByRole('combobox', { name: 'Commands' }).fill('>Stop sh flood');
    await ada.getByRole('option', { name: 'Stop sh flood.sh' }).waitFor();
    await ada.keyboard.press('Enter');
    await ada.locator('.log-head').filter({ hasText: 'stopped' }).waitFor({ timeout: 10_000 });
  });
});

test('a module is deployed, a failure says why, and the one that went well is gone back to (long form)', {
  skip: noBrowserOrGit,
}, async () => {
  await withWorkbench(
    files,
    async ({ page, root }) => {
      const ada = await page({ name: 'Ada' });
      await command(ada, 'Deploy');
      await ada.getByText('Nothing was deployed yet.').waitFor();
      await ada.getByRole('button', { name: 'Deploy', exact: true }).click();
      await ada.getByRole('alert').filter({ hasText: 'It is needed.' }).waitFor();
      await ada.getByRole('textbox', { name: 'module' }).fill('loans');
      await ada.keyboard.press('Enter');
      const outcome = ada.getByTestId('outcome');
      await outcome.filter({ hasText: /^succeeded in .*, commit [0-9a-f]{7}$/ }).waitFor({ timeout: 10_000 });
      await ada.locator('.ll.stderr', { hasText: 'Modules loaded.' }).waitFor();
      assert.deepEqual(await accessibilityProblems(ada), []);

      const manifest = path.join(root, 'loans', '__manifest__.py');
      fs.writeFileSync(manifest, '{"broken": True}\n');
      await ada.getByRole('button', { name: 'Deploy', exact: true }).click();
      await outcome.filter({ hasText: /^failed: .*odoo ended with exit code 1$/ }).waitFor({ timeout: 10_000 });
      await ada.locator('.ll', { hasText: 'ParseError: grüße' }).waitFor();

      await ada.getByRole('button', { name: 'All deployments' }).click();
      await ada.getByTestId('deployment').nth(1).getByRole('button', { name: 'Roll back to odoo loans' }).click();
      await ada
        .getByTestId('toast')
        .filter({ hasText: 'The folder becomes what it was' })
        .locator('button:focus', { hasText: 'Roll back' })
        .waitFor();
      await ada.keyboard.press('Enter');
      await ada.locator('.log-head').filter({ hasText: 'succeeded' }).waitFor({ timeout: 10_000 });
      await eventually(() => assert.equal(fs.readFileSync(manifest, 'utf8'), '{}\n'));

      // One that takes its time can be canceled, and is the only one.
      fs.writeFileSync(manifest, '{"slow": True}\n');
      await ada.getByRole('button', { name: 'Deploy', exact: true }).click();
      await ada.getByText('One at a time: odoo loans is under way.').waitFor();
      await ada.locator('.ll.stderr', { hasText: 'waiting' }).waitFor();
      await ada.getByRole('button', { name: 'Cancel' }).click();
      await outcome.filter({ hasText: /^stopped after / }).waitFor({ timeout: 10_000 });
    },
    { git: true },
  );
});

test('on a phone the panel is a pane of its own; on a desk its height is dragged, kept, and set back (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench(files, async ({ page }) => {
    const phone = await page({ name: 'Ada', size: [390, 844] });
    await phone.getByRole('button', { name: 'Terminals and processes' }).click();
    await phone.getByText('No processes yet.').waitFor();
    assert.equal(await phone.locator('.tabs').isVisible(), false);
    assert.deepEqual(await accessibilityProblems(phone), []);
    await phone.getByRole('button', { name: 'Edit', exact: true }).click();
    await phone.getByText('No processes yet.').waitFor({ state: 'hidden' });

    const desk = await page({ name: 'Ada' });
    await desk.keyboard.press('Control+j');
    const panel = desk.locator('.bot');
    await panel.waitFor();
    const height = async (): Promise<number> => Math.round((await panel.boundingBox())?.height ?? 0);
    assert.equal(await height(), 212);
    const { x, y, width } = (await panel.boundingBox()) ?? { x: 0, y: 0, width: 0 };
    await desk.mouse.move(x + width / 2, y);
    await desk.mouse.down();
    await desk.mouse.move(x + width / 2, y - 100, { steps: 3 });
    await desk.mouse.up();
    await eventually(async () => assert.equal(await height(), 312));
    await desk.reload();
    await panel.waitFor();
    assert.equal(await height(), 312);
    await desk.mouse.dblclick(x + width / 2, y - 100);
    await eventually(async () => assert.equal(await height(), 212));
    await desk.keyboard.press('Escape');
    await desk.keyboard.press('Control+j');
    await panel.waitFor({ state: 'detached' });
  });
});
