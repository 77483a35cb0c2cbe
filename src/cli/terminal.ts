/** What the command line needs to know of where it prints. Data goes to stdout, everything else to stderr. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** A person reads stderr. */
  readonly interactive: boolean;
  bold(text: string): string;
  dim(text: string): string;
}

export function processTerminal(noColor: boolean): Terminal {
  const interactive = process.stderr.isTTY === true;
  // Whoever read it has enough: `outrigger ls | head`.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const color = interactive && process.stdout.isTTY === true && !noColor;
  const style =
    (on: number, off: number) =>
    (text: string): string =>
      color ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    interactive,
    bold: style(1, 22),
    dim: style(2, 22),
  };
}

/** Lines in columns, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) => `${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] as number))).join('  ')}\n`)
    .join('');
}
