import type { RefObject } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

export interface RowFocus {
  ref: RefObject<HTMLDivElement | null>;
  onFocusIn: (event: FocusEvent) => void;
  onFocusOut: (event: FocusEvent) => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

/** Arrows walk the rows (`data-row`) of all sections; when the row that had the focus goes as `lists` change, the one in its place takes it. */
export function useRowFocus(lists: readonly unknown[]): RowFocus {
  const box = useRef<HTMLDivElement>(null);
  const at = useRef<number | undefined>(undefined);
  const rows = (): HTMLElement[] => [...(box.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [])];
  useLayoutEffect(() => {
    const nobody = document.activeElement === document.body || document.activeElement === null;
    if (!nobody || at.current === undefined) return;
    const list = rows();
    list[Math.min(at.current, list.length - 1)]?.focus({ preventScroll: true });
  }, [...lists]);
  return {
    ref: box,
    onFocusIn: (event: FocusEvent): void => {
      const row = event.target instanceof Element ? event.target.closest('[data-row], .tr') : null;
      const own = row?.matches('[data-row]') === true ? row : row?.querySelector('[data-row]');
      at.current = own instanceof HTMLElement ? rows().indexOf(own) : undefined;
    },
    onFocusOut: (event: FocusEvent): void => {
      if (event.relatedTarget instanceof Element) at.current = undefined;
    },
    onKeyDown: (event: KeyboardEvent): void => {
      if (event.defaultPrevented || !(event.target instanceof HTMLElement) || !event.target.matches('[data-row]')) return;
      const list = rows();
      const here = list.indexOf(event.target);
      const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: list.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      list[Math.min(Math.max(to, 0), list.length - 1)]?.focus();
    },
  };
}
