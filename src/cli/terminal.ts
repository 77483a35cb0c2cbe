/** What the command line needs to know of where it prints. Data goes to stdout, everything else to stderr. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** A line of the log, to stderr; false, and it is left out, where too much waits there for a reader. */
  log(line: string): boolean;
  /** A person reads stderr. */
  readonly interactive: boolean;
  /** Of what is printed to stdout; where it goes to a file or a pipe, what reads well. */
  readonly width: number;
  bold(text: string): string;
  dim(text: string): string;
}

const PIPED_WIDTH = 100;
/** Bytes of stderr that nobody has read yet. */
const MAX_UNREAD = 4 * 1024 * 1024;
const UNREAD_LOOK_MS = 500;

export function processTerminal(noColor: boolean): Terminal {
  const interactive = process.stderr.isTTY === true;
  // Whoever read it has enough: `outrigger ls | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    process.stderr.write(`outrigger: what comes out can't be written: ${error.message}\n`, () => process.exit(1));
  });
  // Nobody reads it any more, which is no reason to end: `outrigger serve 2>&1 | tee log`, and Ctrl-C ends `tee` first.
  process.stderr.on('error', () => undefined);
  const color = interactive && process.stdout.isTTY === true && !noColor;
  const style =
    (on: number, off: number) =>
    (text: string): string =>
      color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    log: (line) => {
      if (process.stderr.writableLength > MAX_UNREAD) return false;
      process.stderr.write(line);
      return true;
    },
    interactive,
    width: process.stdout.isTTY === true && process.stdout.columns > 0 ? process.stdout.columns : PIPED_WIDTH,
    bold: style(1, 22),
    dim: style(2, 22),
  };
}

/** Once all is done: what nobody reads of stderr keeps the process no longer. What waits for a reader of stdout does. */
export function leaveUnread(): void {
  let unread = 0;
  setInterval(() => {
    const left = process.stderr.writableLength;
    if (left > 0 && left === unread && process.stdout.writableLength === 0) process.exit();
    unread = left;
  }, UNREAD_LOOK_MS).unref();
}

/** What is longer makes its own line longer, and not its column wider. */
const WIDEST_COLUMN = 40;

/** Lines in columns, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length > WIDEST_COLUMN ? 0 : cell.length);
  return rows
    .map((row) => `${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] as number))).join('  ')}\n`)
    .join('');
}

/** What a terminal would obey in a text of others, control characters and those that turn a line around, as JavaScript writes it. */
export function shown(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** As a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
