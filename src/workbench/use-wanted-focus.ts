import { useLayoutEffect } from 'preact/hooks';
import type { FocusPlace } from './shell/layout.ts';
import { useWorkbench } from './use-workbench.ts';

/**
 * Gives a view the focus that was asked for its place, once it is `ready`: before the next key, so that what is pressed at once is for the view.
 * Until then `FocusHold` has it.
 */
export function useWantedFocus(place: FocusPlace, take: () => void, ready = true): void {
  const { wantsFocus } = useWorkbench().layout;
  const isMine = wantsFocus.value === place && ready;
  useLayoutEffect(() => {
    if (!isMine) return;
    wantsFocus.value = undefined;
    take();
  }, [isMine]);
}
