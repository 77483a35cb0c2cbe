import type { ComponentChildren } from 'preact';
import { Icon } from '../shell/icon.tsx';
import { type Shortcut, shortcutOf, withState } from './fleet-filter.ts';
import { isForInputMethod } from '../shell/keys.ts';

export interface FilterBarProps {
  title: string;
  /** Of the title. */
  id: string;
  label: string;
  placeholder: string;
  text: string;
  onText: (text: string) => void;
  shortcuts: readonly (Shortcut & { count: number })[];
  children?: ComponentChildren;
}

/** The head of a table: a filter of words, and counted shortcuts for what it asks most. */
export function FilterBar({ title, id, label, placeholder, text, onText, shortcuts, children }: FilterBarProps) {
  const chosen = shortcutOf(text, shortcuts);
  return (
    <div class="flt">
      <h2 id={id}>{title}</h2>
      <div class="field">
        <Icon name="search" small />
        <input
          type="search"
          aria-label={label}
          placeholder={placeholder}
          value={text}
          spellcheck={false}
          autocomplete="off"
          data-filter
          onInput={(event) => onText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (isForInputMethod(event)) return;
            if (event.key === 'Escape' && text !== '') {
              event.preventDefault();
              event.stopPropagation();
              onText('');
            } else if (event.key === 'ArrowDown') {
              const stop = event.currentTarget.closest('section')?.querySelector<HTMLElement>('[data-stop][tabindex="0"]');
              if (stop !== null && stop !== undefined) {
                event.preventDefault();
                stop.focus();
              }
            }
          }}
        />
      </div>
      <div class="seg" role="group" aria-label={`${title} by state`}>
        {shortcuts.map((shortcut) => (
          <button
            key={shortcut.label}
            type="button"
            aria-pressed={chosen?.label === shortcut.label}
            class={shortcut.count === 0 && chosen?.label !== shortcut.label ? 'zero' : undefined}
            onClick={() => onText(withState(text, shortcut.text))}
          >
            {shortcut.label} <span class="num">{shortcut.count.toLocaleString('en')}</span>
          </button>
        ))}
      </div>
      {children}
    </div>
  );
}
