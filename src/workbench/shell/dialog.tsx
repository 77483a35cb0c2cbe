import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useWorkbench } from '../use-workbench.ts';
import { Icon } from './icon.tsx';

/** Over everything, keeps Tab within, gives the focus back when it goes. `titled`: its label is its head too, beside what closes it. */
export function Dialog({
  label,
  class: name,
  children,
  centred = false,
  titled = false,
}: {
  label: string;
  class: string;
  children: ComponentChildren;
  centred?: boolean;
  titled?: boolean;
}) {
  const workbench = useWorkbench();
  const box = useRef<HTMLDivElement>(null);
  // Before the browser paints: the next key that is pressed belongs in the dialog.
  useLayoutEffect(() => {
    const before = document.activeElement;
    const { current } = box;
    const first = current?.querySelector<HTMLElement>('[data-first]') ?? current?.querySelector<HTMLElement>('input, button');
    (first ?? current)?.focus();
    return () => {
      // What was asked for in it takes the focus itself.
      const { value: wanted } = workbench.layout.wantsFocus;
      if (wanted !== undefined && wanted !== 'main') return;
      if (!(before instanceof HTMLElement) || !before.isConnected || before === document.body) workbench.focusMain();
      else if (isNowhere() || current?.contains(document.activeElement) === true) before.focus();
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Tab') return;
    // One that rests takes no focus: Tab would stay in front of it.
    const tabbable = 'input:enabled, button:enabled:not([tabindex="-1"]), a[href], summary, [tabindex="0"]';
    const stops = [...(box.current?.querySelectorAll<HTMLElement>(tabbable) ?? [])];
    const at = stops.indexOf(document.activeElement as HTMLElement);
    const next = stops[(at + (event.shiftKey ? -1 : 1) + stops.length) % stops.length];
    event.preventDefault();
    next?.focus();
  };
  const close = (): void => {
    workbench.overlay.value = undefined;
  };
  return (
    <div class={centred ? 'scrim c' : 'scrim'} onMouseDown={(event) => event.target === event.currentTarget && close()}>
      <div class={name} role="dialog" aria-modal="true" aria-label={label} tabIndex={-1} ref={box} onKeyDown={onKeyDown}>
        {titled && (
          <div class="rh">
            <h2 class="ell">{label}</h2>
            <button type="button" class="ib" aria-label="Close (Esc)" onClick={close}>
              <Icon name="x" />
            </button>
          </div>
        )}
        {children}
      </div>
    </div>
  );
}

function isNowhere(): boolean {
  return document.activeElement === document.body || document.activeElement === null;
}
