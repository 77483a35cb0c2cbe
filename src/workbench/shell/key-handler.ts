import { isInTerminal, isTerminalKey } from '../bottom/terminal-keys.ts';
import { canDo, commands } from '../commands.ts';
import { apple } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import { isForInputMethod, isKey } from './keys.ts';
import { leaveRight } from './right-actions.ts';

/** In the order in which F6 walks them. */
const regions = ['.top', '.rail', '.side', '#main', '#beside-panel', '.bot', '.right', '.status'];
const remembered = new WeakMap<Element, HTMLElement>();

/** Chords are the page's own wherever they are pressed, so they are taken before an editor or field sees them. */
export function handleChord(workbench: Workbench, event: KeyboardEvent): void {
  if (isForInputMethod(event) || workbench.overlay.value !== undefined) return;
  // What is typed there is for the program in it.
  if (isInTerminal(event.target) && !isTerminalKey(event, apple)) return;
  if (event.key === 'Escape' && workbench.follow.who.value !== undefined) {
    event.preventDefault();
    event.stopPropagation();
    return workbench.follow.stop();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) runCommand(workbench, event);
}

/** Keys without a modifier: an editor or field that takes one itself has done so before. */
export function handleKey(workbench: Workbench, event: KeyboardEvent): void {
  if (event.defaultPrevented || isForInputMethod(event)) return;
  if (event.key === 'Escape') return escape(workbench, event);
  if (workbench.overlay.value !== undefined) return;
  if (isKey('F6', event, apple) || isKey('Shift F6', event, apple)) {
    event.preventDefault();
    return walkRegions(event.shiftKey ? -1 : 1);
  }
  if (isKey('F8', event, apple)) {
    const toast = document.querySelector<HTMLElement>('.toast button');
    if (toast !== null) event.preventDefault();
    toast?.focus();
    return;
  }
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  // A letter is text where text is typed.
  if (!modified && (!isTyping(event.target) || /^F\d+$/.test(event.key))) runCommand(workbench, event);
}

function runCommand(workbench: Workbench, event: KeyboardEvent): void {
  const command = commands.find((one) => one.keys.some((key) => isKey(key, event, apple)) && canDo(one, workbench));
  // What can't be done here is left to the browser: its own is better than nothing.
  if (command === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  command.run(workbench);
}

function escape(workbench: Workbench, event: KeyboardEvent): void {
  if (workbench.overlay.value !== undefined) {
    event.preventDefault();
    workbench.overlay.value = undefined;
    return;
  }
  if (event.target instanceof Element && event.target.closest('.right') !== null) {
    event.preventDefault();
    return leaveRight(workbench);
  }
  const inSide = event.target instanceof Element && event.target.closest('.side, .rail, .top, .bot, .status, .toasts') !== null;
  if (inSide) {
    event.preventDefault();
    workbench.focusMain();
  }
}

function walkRegions(by: number): void {
  const shown = regions
    .map((selector) => document.querySelector(selector))
    .filter((region) => region !== null && region.checkVisibility()) as Element[];
  const { activeElement } = document;
  // The document beside and the bottom panel stand within the main region, and are regions of their own.
  const at = shown.findLastIndex((region) => region.contains(activeElement));
  if (at >= 0 && activeElement instanceof HTMLElement) remembered.set(shown[at] as Element, activeElement);
  const next = shown[(at + by + shown.length) % shown.length];
  if (next === undefined) return;
  const before = remembered.get(next);
  const target =
    before?.isConnected === true
      ? before
      : next.querySelector<HTMLElement>('[data-focus], .cm-content, button:not([tabindex="-1"]), [tabindex="0"]:not([role=separator])');
  target?.focus();
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'));
}
