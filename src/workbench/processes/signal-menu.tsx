import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';

const choices = [
  ['SIGINT', 'as Ctrl C does'],
  ['SIGTERM', 'asks it to end'],
  ['SIGKILL', 'ends it now'],
  ['SIGHUP', 'many read their settings again'],
  ['SIGQUIT', 'ends it, with a dump'],
  ['SIGUSR1', 'as the program has it'],
  ['SIGUSR2', 'as the program has it'],
  ['SIGSTOP', 'holds it'],
  ['SIGCONT', 'lets it go on'],
] as const;

/** Signals for a process, behind one button. */
export function SignalMenu({ id }: { id: string }) {
  const workbench = useWorkbench();
  const open = useSignal(false);
  const menu = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (open.value) menu.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
  }, [open.value]);
  const close = (): void => {
    open.value = false;
    button.current?.focus();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const items = [...(menu.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (by !== 0) items[(at + by + items.length) % items.length]?.focus();
    else if (event.key === 'Home') items[0]?.focus();
    else if (event.key === 'End') items.at(-1)?.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <span class="menu-anchor">
      <button
        type="button"
        class="btn sm"
        ref={button}
        aria-haspopup="menu"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
      >
        Signal
        <Icon name="down" small />
      </button>
      {open.value && (
        <div
          class="signals"
          role="menu"
          aria-label="Send a signal"
          ref={menu}
          onKeyDown={onKeyDown}
          onFocusOut={(event) => {
            if (!(event.relatedTarget instanceof Node) || menu.current?.contains(event.relatedTarget) !== true) open.value = false;
          }}
        >
          {choices.map(([signal, what]) => (
            <button
              key={signal}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class="opt"
              onClick={() => {
                close();
                void workbench.programs.signal(id, signal);
              }}
            >
              <span class="mono">{signal}</span>
              <span class="faint sm">{what}</span>
            </button>
          ))}
        </div>
      )}
    </span>
  );
}
