import { commands } from '../commands.ts';
import { apple } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import { isKey } from './keys.ts';

/** In the order in which F6 walks them. */
const regions = ['.top', '.rail', '.side', '#main', '.status'];
const remembered = new WeakMap<Element, HTMLElement>();

/** The page's own keys. An editor or field that takes a key itself has done so before. */
export function handleKey(workbench: Workbench, event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
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
  const typing = isTyping(event.target);
  for (const command of commands) {
    if (!command.keys.some((key) => isKey(key, event, apple))) continue;
    // A key without a modifier is text where text is typed.
    if (typing && !event.ctrlKey && !event.metaKey && !event.altKey && !/^F\d+$/.test(event.key)) continue;
    // The browser's own is better than nothing.
    if (command.when?.(workbench) === false) continue;
    event.preventDefault();
    command.run(workbench);
    return;
  }
}

function escape(workbench: Workbench, event: KeyboardEvent): void {
  if (workbench.overlay.value !== undefined) {
    event.preventDefault();
    workbench.overlay.value = undefined;
    return;
  }
  const inSide = event.target instanceof Element && event.target.closest('.side, .rail, .top, .status, .toasts') !== null;
  if (inSide) {
    event.preventDefault();
    workbench.focusMain();
  }
}

function walkRegions(by: number): void {
  const shown = regions.map((selector) => document.querySelector(selector)).filter((region) => region !== null && region.checkVisibility()) as Element[];
  const { activeElement } = document;
  const at = shown.findIndex((region) => region.contains(activeElement));
  if (at >= 0 && activeElement instanceof HTMLElement) remembered.set(shown[at] as Element, activeElement);
  const next = shown[(at + by + shown.length) % shown.length];
  if (next === undefined) return;
  const before = remembered.get(next);
  const target = before?.isConnected === true ? before : next.querySelector<HTMLElement>('[data-focus], .cm-content, button:not([tabindex="-1"]), [tabindex="0"]');
  target?.focus();
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'));
}
