// For tests: whether somebody at a page has the focus somewhere, and keeps it.
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { eventually } from './eventually.ts';

export const FOCUS_WITHIN_MS = 1500;

export function hasFocus(page: Page): Promise<boolean> {
  return page.evaluate(() => document.activeElement !== null && document.activeElement !== document.body);
}

/** Fails with the message where it is nowhere, and does not come back within a moment. */
export async function assertFocusKept(page: Page, message: () => string): Promise<void> {
  await eventually(() => hasFocus(page), FOCUS_WITHIN_MS).catch(() => assert.fail(message()));
}
