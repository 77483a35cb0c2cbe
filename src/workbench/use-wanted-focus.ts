import type { Signal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';

/**
 * Gives a view the focus that was `wanted` for it, once it is `ready`: before the browser paints, so that what one opens there next keeps the
 * focus that it takes.
 */
export function useWantedFocus(wanted: Signal<boolean>, take: () => void, ready = true): void {
  useLayoutEffect(() => {
    if (!wanted.value || !ready) return;
    wanted.value = false;
    take();
  }, [wanted.value, ready]);
}
