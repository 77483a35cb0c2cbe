// For the flows of source control in the page: finding one's way, and somebody else over the API.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { openFile, pageToken, type Workbenches } from './browser.ts';

/** Where pictures of each state go, when somebody wants to look. */
const pictures = process.env['WORKBENCH_PICTURES'];

export const lines = (...names: string[]): string => `${names.join('\n')}\n`;
export const numbered = Array.from({ length: 30 }, (_, index) => `line ${index + 1}`);
export const loanFiles = {
  'a.txt': lines(...numbered),
  'b.txt': lines('one', 'two', 'three'),
  'models/loan.py': 'class Loan:\n    days = 14\n',
};

export async function picture(page: Page, name: string): Promise<void> {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  await page.screenshot({ path: path.join(pictures, `${name}.png`) });
}

export async function sourceControl(page: Page): Promise<void> {
  await page.keyboard.press('Control+Shift+g');
  await page.getByRole('heading', { name: 'Source control' }).waitFor();
}

/** As `openFile`, and the editor has the focus. */
export async function openFocused(page: Page, name: string): Promise<void> {
  await openFile(page, name);
  await page.locator('.cm-focused').filter({ visible: true }).waitFor();
}

export const change = (page: Page, section: 'staged' | 'changes' | 'conflicts', name: string): Locator =>
  page.locator(`[data-testid=change][data-section=${section}][data-path="${name}"]`);
export const row = (page: Page, section: 'staged' | 'changes' | 'conflicts', name: string): Locator =>
  change(page, section, name).locator('[data-row]');
export const toast = (page: Page, text: string): Locator => page.getByTestId('toast').filter({ hasText: text });
/** Of the document alone: who wrote a line stands beside it where the caret rests. */
export const text = (page: Page): Promise<string> =>
  page
    .locator('.cm-content')
    .filter({ visible: true })
    .evaluate((content) => {
      const copy = content.cloneNode(true) as HTMLElement;
      for (const note of copy.querySelectorAll('.cm-blame')) note.remove();
      return [...copy.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\n');
    });

/** Somebody else, over the API. */
export function clientOf({ url }: Workbenches, token = pageToken) {
  return createClient<Operations>({ url, token });
}
