import { useSignal } from '@preact/signals';

export interface Held {
  /** Somebody points at something in it, or has the focus there. */
  value: boolean;
  /** For the box. */
  on: {
    onPointerMove: (event: PointerEvent) => void;
    onPointerLeave: () => void;
    onFocusIn: (event: FocusEvent) => void;
    onFocusOut: (event: FocusEvent) => void;
    onClick: () => void;
  };
}

/**
 * Whether somebody is at one of the parts of a box that match `part`, and may be about to press what they see there: once they have, they
 * want to see what comes of it. A finger rests nowhere.
 */
export function useHeld(part: string): Held {
  const pointed = useSignal(false);
  const focused = useSignal(false);
  const isPart = (target: EventTarget | null): boolean => target instanceof Element && target.closest(part) !== null;
  return {
    value: pointed.value || focused.value,
    on: {
      // Not `over`: what moves below a pointer that rests sends that, too.
      onPointerMove: ({ pointerType, target }) => {
        if (pointerType !== 'touch' && isPart(target)) pointed.value = true;
      },
      onPointerLeave: () => (pointed.value = false),
      // Seen: what has it after a press of the pointer elsewhere is nothing that somebody is about to press.
      onFocusIn: ({ target }) => (focused.value = isPart(target) && (target as Element).matches(':focus-visible')),
      onFocusOut: () => (focused.value = false),
      onClick: () => {
        pointed.value = false;
        focused.value = false;
      },
    },
  };
}
