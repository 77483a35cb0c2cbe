import { useEffect } from 'preact/hooks';

/** Those of a kind come before all of the next. */
const takers = ['[data-first]', '[data-stop][tabindex="0"]', '[tabindex="0"]', 'button, select, textarea, input'];

interface Held {
  element: Element;
  /** It, and all that it stands in. */
  path: readonly Element[];
  /** The row that it stands in; in the panel of a task, the row of that. */
  row: string | undefined;
  panel: boolean;
}

/**
 * What has the focus may go at any time, as others change what is shown. The focus goes to what stands nearest then: in a dialog and in the panel of a task it
 * stays there, and of what is gone the row has it.
 */
export function useFocusPlace(): void {
  useEffect(() => {
    let held: Held | undefined;
    const came = ({ target }: FocusEvent): void => {
      held = target instanceof Element ? heldBy(target) : undefined;
    };
    // Somebody clicked where nothing takes it. One that goes has gone only when all is drawn.
    const left = (): void => {
      queueMicrotask(() => {
        if (isNowhere() && held?.element.checkVisibility() === true) held = undefined;
      });
    };
    const keep = (): void => {
      if (held !== undefined && isNowhere() && !held.element.checkVisibility()) nextOf(held)?.focus({ preventScroll: true });
    };
    const observer = new MutationObserver(keep);
    observer.observe(document.body, { childList: true, subtree: true });
    addEventListener('focusin', came);
    addEventListener('focusout', left);
    addEventListener('resize', keep);
    return () => {
      observer.disconnect();
      removeEventListener('focusin', came);
      removeEventListener('focusout', left);
      removeEventListener('resize', keep);
    };
  }, []);
}

function isNowhere(): boolean {
  const { activeElement, body } = document;
  return activeElement === null || activeElement === body;
}

function heldBy(element: Element): Held {
  const path: Element[] = [];
  for (let at: Element | null = element; at !== null && at !== document.body; at = at.parentElement) path.push(at);
  const panel = element.closest<HTMLElement>('[data-task]');
  const row = element.closest<HTMLElement>('[data-row]')?.dataset['row'] ?? panel?.dataset['task'];
  return { element, path, row, panel: panel !== null };
}

function nextOf({ path, row, panel }: Held): HTMLElement | undefined {
  const dialog = document.querySelector('dialog[open]');
  if (dialog !== null) return firstIn(dialog);
  const stays = panel ? document.querySelector('[data-task]') : null;
  if (stays !== null) return firstIn(stays);
  const ofRow = row === undefined ? null : document.querySelector<HTMLElement>(`[data-row="${CSS.escape(row)}"] [data-stop]`);
  if (ofRow?.checkVisibility() === true) return ofRow;
  const tasks = panel ? document.querySelector('[data-part="tasks"]') : null;
  for (const place of tasks === null ? path : [tasks, ...path]) {
    const found = place.isConnected ? firstIn(place) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function firstIn(place: Element): HTMLElement | undefined {
  for (const taker of takers) for (const found of place.querySelectorAll<HTMLElement>(taker)) if (found.checkVisibility()) return found;
  return undefined;
}
