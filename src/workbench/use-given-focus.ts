import { useLayoutEffect, useRef } from 'preact/hooks';

export interface GivenFocus {
  onFocusIn: (event: FocusEvent) => void;
  onFocusOut: (event: FocusEvent) => void;
}

/** Of a box that goes, or is hidden, when `isThere` is over: whoever is in it then has the focus where `give` puts it. */
export function useGivenFocus(isThere: boolean, give: () => void): GivenFocus {
  const box = useRef<Element | undefined>(undefined);
  useLayoutEffect(() => {
    const { current: left } = box;
    if (isThere || left === undefined) return;
    box.current = undefined;
    const { activeElement, body } = document;
    // What is hidden has it until the page is drawn.
    if (activeElement === null || activeElement === body || left.contains(activeElement)) give();
  }, [isThere]);
  return {
    onFocusIn: ({ currentTarget }) => {
      if (currentTarget instanceof Element) box.current = currentTarget;
    },
    onFocusOut: ({ relatedTarget, currentTarget }) => {
      if (relatedTarget instanceof Element && currentTarget instanceof Element && !currentTarget.contains(relatedTarget))
        box.current = undefined;
    },
  };
}
