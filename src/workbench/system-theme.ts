import { type ReadonlySignal, signal } from '@preact/signals';

// Outside of a browser there is none.
const query = (globalThis as { matchMedia?: typeof matchMedia }).matchMedia?.('(prefers-color-scheme: dark)');
const dark = signal(query?.matches === true);
query?.addEventListener('change', () => (dark.value = query.matches));

/** Whether the system asks for dark colours by now. */
export const systemDark: ReadonlySignal<boolean> = dark;

/** Whether what follows this choice is dark by now; without one it is as the system asks. */
export function isDark(theme: 'light' | 'dark' | undefined): boolean {
  return theme === undefined ? dark.value : theme === 'dark';
}
