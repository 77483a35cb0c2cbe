import { OutriggerError } from '../../contract/errors.ts';

const BLANK = /[ \t\n]/;
/** What a shell would do something with, and nobody does here. */
const OPERATORS = '|&;<>()';
/** Before these a backslash in double quotes is none itself. */
const ESCAPED_IN_QUOTES = '$`"\\\n';

/**
 * Splits a command line as POSIX quoting says (https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html, 2.2), and
 * expands nothing: `$NAME`, `~` and `*` stay as they are. Throws BAD_INPUT, with what to do, for a quote without its end, for nothing at all,
 * and for what needs a shell.
 */
export function posixWords(text: string): [string, ...string[]] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; ) {
    const character = text[at] as string;
    if (BLANK.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at++;
      continue;
    }
    const piece = pieceAt(text, at);
    word = (word ?? '') + piece.value;
    at = piece.end;
  }
  if (word !== undefined) words.push(word);
  const [program, ...rest] = words;
  if (program === undefined || program === '') throw new OutriggerError('BAD_INPUT', 'The command is empty: name a program.');
  return [program, ...rest];
}

interface Piece {
  value: string;
  /** Index after it. */
  end: number;
}

function pieceAt(text: string, at: number): Piece {
  const character = text[at] as string;
  if (character === "'") return single(text, at);
  if (character === '"') return double(text, at);
  if (character === '\\') {
    const next = text[at + 1];
    if (next === undefined) throw new OutriggerError('BAD_INPUT', 'The command ends in a backslash.');
    // A line that goes on.
    return { value: next === '\n' ? '' : next, end: at + 2 };
  }
  refuseShell(text, at);
  if (OPERATORS.includes(character))
    throw needsShell(text.startsWith('&&', at) || text.startsWith('||', at) ? character.repeat(2) : character);
  return { value: character, end: at + 1 };
}

function single(text: string, at: number): Piece {
  const end = text.indexOf("'", at + 1);
  if (end < 0) throw unclosed("'");
  return { value: text.slice(at + 1, end), end: end + 1 };
}

function double(text: string, from: number): Piece {
  let value = '';
  for (let at = from + 1; at < text.length; at++) {
    const character = text[at] as string;
    if (character === '"') return { value, end: at + 1 };
    refuseShell(text, at);
    const next = text[at + 1];
    if (character === '\\' && next !== undefined && ESCAPED_IN_QUOTES.includes(next)) {
      if (next !== '\n') value += next;
      at++;
    } else value += character;
  }
  throw unclosed('"');
}

/** What a shell would run in the middle of a word, quoted or not. */
function refuseShell(text: string, at: number): void {
  if (text[at] === '`') throw needsShell('`');
  if (text.startsWith('$(', at)) throw needsShell('$(');
}

function unclosed(quote: string): OutriggerError {
  return new OutriggerError('BAD_INPUT', `The command has a ${quote} without its end.`);
}

function needsShell(operator: string): OutriggerError {
  return new OutriggerError(
    'BAD_INPUT',
    `The command has ${operator}, which only a shell understands, and none is used. Give a list of arguments, or put it into a script file and name that; to mean the character itself, quote it.`,
    { details: { operator } },
  );
}
