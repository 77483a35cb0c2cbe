import { useLayoutEffect, useRef } from 'preact/hooks';
import { useWorkbench } from '../use-workbench.ts';

/** Has the focus while a view that was asked for is not there yet: what is typed meanwhile goes into no file, and starts nothing. */
export function FocusHold() {
  const workbench = useWorkbench();
  const { wantsFocus } = workbench.layout;
  const box = useRef<HTMLDivElement>(null);
  const before = useRef<Element | null>(null);
  const { value: place } = wantsFocus;
  useLayoutEffect(() => {
    const { current: hold } = box;
    const { activeElement } = document;
    if (place !== undefined && place !== 'main') {
      if (activeElement !== hold) before.current = activeElement;
      hold?.focus();
    } else if (activeElement === hold) {
      // Nothing came that takes it.
      if (place === undefined && before.current instanceof HTMLElement && before.current.isConnected) before.current.focus();
      else workbench.focusMain();
    }
  }, [place]);
  return (
    <div
      class="unseen"
      role="status"
      aria-label="One moment…"
      tabIndex={-1}
      ref={box}
      data-testid="focus-hold"
      onKeyDown={(event) => {
        if (event.key === 'Escape') wantsFocus.value = undefined;
        if (event.key === 'Escape' || event.key.length === 1) event.stopPropagation();
      }}
      onBlur={() => {
        // Of the window it is still the one that has it.
        if (document.activeElement !== box.current && wantsFocus.value !== 'main') wantsFocus.value = undefined;
      }}
    />
  );
}
