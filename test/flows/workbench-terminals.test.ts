// Terminals in real browsers: floods, reloads and kills in their midst, two pages of different sizes, many lines that are pasted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { command, noBrowser, withWorkbench } from '../kit/browser.ts';
import { eventually } from '../kit/eventually.ts';
import { numberedProgram } from '../kit/numbered-text.ts';

// What the sidecars of this file are started with.
Object.assign(process.env, { SHELL: '/bin/sh', PS1: '$ ' });

/** Bytes as `seq` writes them. */
const flood = 5_000_000;
const lastLine = ((): number => {
  let line = 0;
  for (let bytes = 0; bytes < flood; bytes += String(line).length + 2) line++;
  return line;
})();

async function openTerminal(page: Page): Promise<void> {
  await command(page, 'New terminal');
  await page.locator('.xterm-rows').waitFor();
  await page.locator('.xterm textarea:focus').waitFor({ state: 'attached' });
  await shows(page, /[$#]/);
}

async function rowsOf(page: Page): Promise<string[]> {
  const rows = await page.locator('.xterm-rows > div').allInnerTexts();
  return rows.map((row) => row.replaceAll('\u00a0', ' ').trimEnd());
}

const shows = (page: Page, text: RegExp, ms = 20_000): Promise<void> =>
  eventually(async () => assert.match((await rowsOf(page)).join('\n'), text), ms);

/** As one who presses the keys of paste. Runs in the page. */
function pasteInto(text: string): void {
  const clipboardData = new DataTransfer();
  clipboardData.setData('text/plain', text);
  const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
  document.querySelector('.xterm textarea')?.dispatchEvent(event);
}

/** Counts, from now on, the longest time in which the page could do nothing. Runs in the page. */
function watchForHangs(): void {
  const watched = globalThis as unknown as { longest: number };
  watched.longest = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    watched.longest = Math.max(watched.longest, now - last);
    last = now;
  }, 10);
}

const longestHang = (page: Page): Promise<number> => page.evaluate(() => (globalThis as unknown as { longest: number }).longest);

test('five megabytes of output leave a page responsive, and its picture is right, also after a reload in the midst of them (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({}, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openTerminal(ada);
    await ada.evaluate(watchForHangs);
    await ada.keyboard.type(`seq 1 ${lastLine}; echo d$((1+1))ne\n`);
    await shows(ada, /d2ne/, 30_000);
    const hang = await longestHang(ada);
    const isRight = async (one: Page): Promise<void> => {
      const rows = (await rowsOf(one)).filter((row) => row !== '');
      const at = rows.indexOf('d2ne');
      assert.ok(at > 5, rows.join('\n'));
      assert.deepEqual(
        rows.slice(0, at),
        Array.from({ length: at }, (_, index) => String(lastLine - at + 1 + index)),
      );
    };
    await isRight(ada);
    await ada.keyboard.type(`clear; seq 1 ${lastLine}; echo d$((1+1))ne\n`);
    for (let times = 0; times < 3; times++) {
      await ada.reload();
      await ada.locator('.xterm-rows').waitFor();
    }
    const ben = await page({ name: 'Ben' });
    await ben.keyboard.press('Control+`');
    for (const one of [ada, ben]) await shows(one, /d2ne/, 30_000);
    for (const one of [ada, ben]) await isRight(one);
    assert.deepEqual(await rowsOf(ben), await rowsOf(ada));
    assert.ok(hang < 1000, `the page could do nothing for ${Math.round(hang)} ms`);
  });
});

test('two thousand pasted lines arrive once, in order', { skip: noBrowser }, async () => {
  await withWorkbench({}, async ({ page }) => {
    const ada = await page({ name: 'Ada' });
    await openTerminal(ada);
    await ada.keyboard.type(`stty -echo; cat > pasted; stty echo; echo un$((1+1))que; cksum pasted\n`);
    await shows(ada, /un\$/);
    const lines = Array.from({ length: 2000 }, (_, index) => `${index} 漢字 ${'ä'.repeat(index % 50)}`);
    const text = `${lines.join('\n')}\n`;
    await ada.evaluate(pasteInto, text);
    await ada.keyboard.press('Control+d');
    await shows(ada, /un2que/);
    await ada.keyboard.type(`wc -lc pasted; awk '{ if ($1 != NR - 1) print "wrong", NR }' pasted; echo lo$((1+1))ked\n`);
    await shows(ada, /lo2ked/);
    const rows = (await rowsOf(ada)).join('\n');
    assert.match(rows, new RegExp(`2000 +${Buffer.byteLength(text)} pasted`));
    assert.doesNotMatch(rows, /wrong \d/);
  });
});

test('a link says where it leads, whatever its text says, and is followed with Ctrl, to the web alone', { skip: noBrowser }, async () => {
  await withWorkbench({}, async ({ page, url }) => {
    const ada = await page({ name: 'Ada' });
    await openTerminal(ada);
    const program = String.raw`printf '\033]8;;${url}/healthz\007web\055link\033]8;;\007\n\033]8;;javascript:globalThis.ran=1\007java\055link\033]8;;\007\n\033]0;\342\200\256eltit\007'`;
    await ada.keyboard.type(`${program}\n`);
    await shows(ada, /java-link/);
    const screen = ada.locator('.xterm').locator('..');
    const opened: string[] = [];
    ada.on('popup', (popup) => void opened.push(popup.url()));
    const over = async (text: string): Promise<void> => {
      await ada.mouse.move(1, 1);
      const box = await ada.locator('.xterm-rows > div', { hasText: new RegExp(`^${text}`) }).boundingBox();
      await ada.mouse.move((box?.x ?? 0) + 20, (box?.y ?? 0) + 8, { steps: 3 });
      await ada.mouse.down();
      await ada.mouse.up();
    };
    await over('web-link');
    await eventually(async () => assert.equal(await screen.getAttribute('title'), `${url}/healthz\nCtrl click to open`));
    assert.deepEqual(opened, [], 'a click alone selects');
    await ada.keyboard.down('Control');
    await over('java-link');
    await eventually(async () => assert.notEqual(await screen.getAttribute('title'), `${url}/healthz\nCtrl click to open`));
    await over('web-link');
    await eventually(() => assert.equal(opened.length, 1));
    await ada.keyboard.up('Control');
    assert.equal(await ada.evaluate(() => 'ran' in globalThis), false);
    await ada.getByRole('tab', { name: '\\u202Eeltit' }).waitFor();
  });
});

test('two pages of different sizes show a program as it draws itself, and so they do after a kill of the sidecar (long form)', {
  skip: noBrowser,
}, async () => {
  await withWorkbench({}, async (served) => {
    const ada = await served.page({ name: 'Ada' });
    const ben = await served.page({ name: 'Ben' });
    await openTerminal(ada);
    await ben.setViewportSize({ width: 820, height: 500 });
    await ben.keyboard.press('Control+`');
    await shows(ben, /[$#]/);
    await ada.keyboard.type(`clear; exec ${process.execPath} ${numberedProgram} paint 5\n`);
    for (const one of [ada, ben]) await shows(one, /frame 0 of/);
    for (let times = 0; times < 4; times++) {
      const [one, other] = times % 2 === 0 ? [ben, ada] : [ada, ben];
      await one.locator('.xterm').click();
      await one.setViewportSize({ width: 820 + times * 70, height: 500 + times * 40 });
      await one.keyboard.press('x');
      await shows(one, new RegExp(`frame ${times + 1} of`));
      await eventually(async () => {
        const rows = await rowsOf(one);
        const size = /of (\d+)x(\d+)/.exec(rows.join('\n'));
        assert.equal(Number(size?.[2]), rows.length);
        assert.deepEqual(await rowsOf(other), rows);
      });
    }
    const before = await rowsOf(ada);
    await served.kill();
    await ada.getByRole('status').filter({ hasText: 'This is the last screen' }).waitFor();
    assert.deepEqual(await rowsOf(ada), before);
    await served.restart();
    for (const one of [ada, ben])
      await one
        .getByTestId('terminal-end')
        .filter({ hasText: 'Ended when the sidecar, or its host, went away.' })
        .waitFor({ timeout: 15_000 });
    assert.deepEqual(await rowsOf(ben), await rowsOf(ada));
  });
});
