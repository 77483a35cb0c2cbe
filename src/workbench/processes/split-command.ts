/** A command line as argv, or why it is none. */
export type SplitCommand =
  | {
      argv: string[];
      /** The first sign in it that a shell would read, and nobody does here. */
      shellSign: string | undefined;
    }
  | { problem: string };

const space = /\s/;
const shellSigns = /[|&;<>$`*?~#(){}]/;

/**
 * Splits at spaces. `'…'` holds anything, `"…"` too with `\"` and `\\`; outside of both a backslash takes the next character as it is.
 * Nothing else means anything: no variables, no wildcards, no pipes.
 */
export function splitCommand(text: string): SplitCommand {
  const argv: string[] = [];
  let word: string | undefined;
  let quote: "'" | '"' | undefined;
  let shellSign: string | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] as string;
    const next = text[at + 1];
    if (quote === undefined && space.test(character)) {
      if (word !== undefined) argv.push(word);
      word = undefined;
    } else if (character === quote) quote = undefined;
    else if (quote === undefined && (character === "'" || character === '"')) {
      quote = character;
      word ??= '';
    } else if (character === '\\' && quote !== "'" && (quote === undefined || next === '"' || next === '\\')) {
      if (next === undefined) return { problem: 'It ends with a backslash.' };
      word = (word ?? '') + next;
      at += 1;
    } else {
      if (quote === undefined && shellSigns.test(character)) shellSign ??= character;
      word = (word ?? '') + character;
    }
  }
  if (quote !== undefined) return { problem: `A quote is open: ${quote} is missing.` };
  if (word !== undefined) argv.push(word);
  if (argv.length === 0) return { problem: 'Name a program.' };
  if (argv[0] === '') return { problem: 'The program has no name.' };
  return { argv, shellSign };
}

/** The other way round: what `splitCommand` reads as these. */
export function joinCommand(argv: readonly string[]): string {
  return argv.map((word) => (/^[^\s'"\\]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`)).join(' ');
}
