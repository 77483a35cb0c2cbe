import type { Outline } from './outline.ts';
import { outlineOfScript } from './script-outline.ts';

/** A language whose symbols are known. To add one: a row here, and a module that makes an outline of a text. docs/search.md says more. */
interface LanguageRow {
  name: string;
  extensions: readonly string[];
  /** Runs in a process of its own (symbols-program.ts), which it may end by a fault. Throws TOOL_MISSING where its parser is not there. */
  outline: (text: string, path: string) => Promise<Outline>;
}

export const languages: readonly LanguageRow[] = [
  { name: 'typescript', extensions: ['ts', 'mts', 'cts', 'tsx'], outline: outlineOfScript },
  { name: 'javascript', extensions: ['js', 'mjs', 'cjs', 'jsx'], outline: outlineOfScript },
  { name: 'python', extensions: ['py', 'pyi'], outline: async (text) => (await import('./python-outline.ts')).outlineOfPython(text) },
];

const byExtension = new Map(languages.flatMap((row) => row.extensions.map((extension) => [extension, row] as const)));

export function languageOf(path: string): LanguageRow | undefined {
  return byExtension.get(path.slice(path.lastIndexOf('.') + 1).toLowerCase());
}
