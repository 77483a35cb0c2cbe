import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useFleet } from './use-fleet.ts';

/** A dialog over everything. The browser keeps the focus within and gives it back; Esc and a click beside it close it. */
export function Modal({ label, children }: { label: string; children: ComponentChildren }) {
  const { dialog } = useFleet();
  const box = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const { current } = box;
    current?.showModal();
    current?.querySelector<HTMLElement>('[data-first]')?.focus();
    return () => current?.close();
  }, []);
  const close = (): void => void (dialog.value = undefined);
  return (
    <dialog
      ref={box}
      class="dlg ask modal"
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onMouseDown={(event) => {
        if (event.target === event.currentTarget) close();
      }}
    >
      <div class="inner">{children}</div>
    </dialog>
  );
}
