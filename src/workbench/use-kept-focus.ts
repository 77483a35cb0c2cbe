import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface KeptFocus {
  ref: RefObject<HTMLDivElement | null>;
  onKeyDown: (event: KeyboardEvent) => void;
  onFocusOut: (event: FocusEvent) => void;
}

/**
 * A button that is pressed by keys may rest for as long as its work takes, and go with it. When that is over and nothing else has the focus, what `next`
 * finds in the box has it, else what has it when the box is first come to.
 */
export function useKeptFocus(isWorking: boolean, changing: readonly unknown[], next = '[data-focus]'): KeptFocus {
  const box = useRef<HTMLDivElement>(null);
  const wasPressed = useRef(false);
  useEffect(() => {
    // A finger would bring up the keyboard of a phone.
    const forget = (): void => void (wasPressed.current = false);
    addEventListener('pointerdown', forget, { capture: true });
    return () => removeEventListener('pointerdown', forget, { capture: true });
  }, []);
  useEffect(() => {
    const { activeElement, body } = document;
    if (isWorking || !wasPressed.current || (activeElement !== null && activeElement !== body)) return;
    (box.current?.querySelector<HTMLElement>(next) ?? box.current?.querySelector<HTMLElement>('[data-focus]'))?.focus();
  }, [isWorking, ...changing]);
  return {
    ref: box,
    onKeyDown: ({ key }) => {
      wasPressed.current = key === 'Enter' || key === ' ';
    },
    onFocusOut: ({ relatedTarget }) => {
      if (relatedTarget instanceof Element) wasPressed.current = false;
    },
  };
}
