import { useEffect } from 'preact/hooks';
import type { ThemeChoice } from './theme-choice.ts';

/** The page takes on the theme that is chosen, or none. */
export function useTheme({ chosen }: ThemeChoice): void {
  const { value: theme } = chosen;
  useEffect(() => {
    if (theme === undefined) delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);
}
