import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';

export interface MenuItem {
  label: string;
  icon: string;
  /** Of a choice that is on or off. */
  checked?: boolean;
  run: () => void;
}

/** A button that opens a list of what else can be done, above it where there is no room below. Arrows move, Enter takes, Esc closes. */
export function Menu({ label, icon, items }: { label: string; icon: string; items: readonly MenuItem[] }) {
  const open = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const buttons = (): HTMLElement[] => [...(box.current?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])];
  useLayoutEffect(() => {
    const { current } = box;
    if (!open.value || current === null) return;
    const room = current.closest('.scroll')?.getBoundingClientRect();
    const { top, bottom, height } = current.getBoundingClientRect();
    if (room !== undefined && bottom > room.bottom && top - height > room.top) current.classList.add('above');
    buttons()[0]?.focus();
    const away = (event: PointerEvent): void => {
      if (event.target instanceof Node && box.current?.parentElement?.contains(event.target) !== true) open.value = false;
    };
    addEventListener('pointerdown', away);
    return () => removeEventListener('pointerdown', away);
  }, [open.value]);
  const close = (): void => {
    open.value = false;
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const list = buttons();
    const at = list.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = {
      ArrowDown: (at + 1) % list.length,
      ArrowUp: (at - 1 + list.length) % list.length,
      Home: 0,
      End: list.length - 1,
    };
    if (event.key === 'Escape') close();
    else if (event.key === 'Tab') return void (open.value = false);
    else if (steps[event.key] === undefined) return;
    else list[steps[event.key] ?? 0]?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="menu-at">
      <button
        ref={button}
        type="button"
        class="ib"
        aria-label={label}
        title={label}
        aria-haspopup="menu"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown') return;
          event.preventDefault();
          open.value = true;
        }}
      >
        <Icon name={icon} />
      </button>
      {open.value && (
        <div class="menu" role="menu" aria-label={label} ref={box} onKeyDown={onKeyDown}>
          {items.map(({ label: text, icon: sign, checked, run }) => (
            <button
              key={text}
              type="button"
              role={checked === undefined ? 'menuitem' : 'menuitemcheckbox'}
              aria-checked={checked}
              class="opt"
              tabIndex={-1}
              onClick={() => {
                close();
                run();
              }}
            >
              <Icon name={checked === true ? 'check' : sign} />
              <span class="ell grow">{text}</span>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
