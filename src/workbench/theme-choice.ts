import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Keep } from './client-port.ts';

export type Theme = 'light' | 'dark';

const KEY = 'outrigger.theme';
// Outside of a browser there is none.
const query = (globalThis as { matchMedia?: typeof matchMedia }).matchMedia?.('(prefers-color-scheme: dark)');
const systemDark = signal(query?.matches === true);
query?.addEventListener('change', () => (systemDark.value = query.matches));

/** The theme that a person chose for all pages of this browser. Without a choice they follow the system. */
export class ThemeChoice {
  readonly chosen: Signal<Theme | undefined>;
  /** As it is seen by now, chosen or not. */
  readonly isDark: ReadonlySignal<boolean>;
  readonly #keep: Keep;

  constructor(keep: Keep) {
    this.#keep = keep;
    this.chosen = signal(themeOf(keep.getItem(KEY)));
    this.isDark = computed(() => (this.chosen.value === undefined ? systemDark.value : this.chosen.value === 'dark'));
  }

  /** Where the other one is what the system asks for, there is no choice any more: the page follows the system again. */
  switch(): void {
    const dark = !this.isDark.value;
    this.choose(dark === systemDark.value ? undefined : dark ? 'dark' : 'light');
  }

  /** Undefined: as the system has it. */
  choose(theme: Theme | undefined): void {
    this.chosen.value = theme;
    if (theme === undefined) this.#keep.removeItem(KEY);
    else this.#keep.setItem(KEY, theme);
  }

  /** Another tab of this browser has stored something; without a key it has forgotten all. */
  stored({ key, newValue }: Pick<StorageEvent, 'key' | 'newValue'>): void {
    if (key === KEY || key === null) this.chosen.value = themeOf(newValue);
  }
}

function themeOf(kept: string | null): Theme | undefined {
  return kept === 'light' || kept === 'dark' ? kept : undefined;
}
