import { languages } from '../services/exec/languages.ts';
import { installLine, Toolchains } from '../services/exec/toolchains.ts';
import type { Terminal } from './terminal.ts';

/** The languages that code can be run in, and what they need here: for people, as a number, or as JSON. */
export function showLanguages(form: { count?: boolean; json?: boolean }, terminal: Terminal): void {
  if (form.count === true) return terminal.out(`${languages.length}\n`);
  const toolchains = new Toolchains();
  const rows = languages.map((language) => ({ ...language, missing: toolchains.missing(language) }));
  if (form.json === true) return terminal.out(`${JSON.stringify(rows, undefined, 2)}\n`);
  for (const row of rows) {
    const state = row.missing.length === 0 ? 'here' : `needs ${row.missing.join(', ')}: ${installLine(row)}`;
    terminal.out(`${row.code.padEnd(5)} ${row.name.padEnd(11)} ${state}\n`);
  }
}
