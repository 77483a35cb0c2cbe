import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { Icon } from '../shell/icon.tsx';

interface SectionProps {
  title: string;
  count?: number;
  /** Said at the right, of a section without a number. */
  note?: string;
  /** Buttons for all that is in it. */
  actions?: ComponentChildren;
  children: ComponentChildren;
}

/** A heading that folds what is below it. */
export function Section({ title, count, note, actions, children }: SectionProps) {
  const open = useSignal(true);
  return (
    <section aria-label={title}>
      <div class="sec-row">
        <button type="button" class="sec" data-row aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
          <Icon name={open.value ? 'down' : 'right'} small />
          <span class="grow ell">{title}</span>
          {note !== undefined && <span class="faint xs ell">{note}</span>}
        </button>
        {actions !== undefined && <span class="sec-acts">{actions}</span>}
        {count !== undefined && <span class="count">{count.toLocaleString('en')}</span>}
      </div>
      {open.value && children}
    </section>
  );
}
