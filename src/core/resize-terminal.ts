/** What this needs of a terminal of xterm.js. */
interface XTerminal {
  readonly cols: number;
  readonly rows: number;
  readonly options: { scrollback?: number | undefined };
  readonly buffer: {
    readonly normal: {
      readonly length: number;
      readonly baseY: number;
      readonly cursorY: number;
      getLine(at: number): { readonly isWrapped: boolean } | undefined;
    };
  };
  resize(columns: number, rows: number): void;
}

/** Lines that are made for one change of the size: twice as many as any terminal has room for, in 30 ms. */
const MAX_MADE_LINES = 25_000;

/** Gives a terminal another size, and room for so many lines above its screen. */
export function resizeTerminal(terminal: XTerminal, { columns, rows }: { columns: number; rows: number }, scrollback: number): void {
  const first = columns < terminal.cols ? firstThatStays(terminal, columns) : 0;
  // With none above the screen, xterm would move the cursor otherwise.
  if (first > 0) terminal.options.scrollback = Math.max(1, terminal.buffer.normal.length - first - terminal.rows);
  terminal.options.scrollback = scrollback;
  terminal.resize(columns, rows);
}

/**
 * One line becomes hundreds where it gets narrow, and xterm makes all of them before it drops those for which there is no room. For a line that goes over
 * hundreds of others it fails at that, and this process with it. What is before the answer would go in any case.
 */
function firstThatStays({ buffer: { normal } }: XTerminal, columns: number): number {
  const isWrapped = (at: number): boolean => normal.getLine(at)?.isWrapped === true;
  // What the cursor is in stays as it is.
  let ofCursor = normal.baseY + normal.cursorY;
  while (ofCursor > 0 && isWrapped(ofCursor)) ofCursor--;
  let first = normal.length;
  for (let made = 0; first > 0 && made < MAX_MADE_LINES; ) {
    const line = normal.getLine(--first);
    const parts = line === undefined || first >= ofCursor ? 1 : Math.floor(cellsOf(line) / columns);
    made += Math.max(isWrapped(first) ? 0 : 1, parts);
  }
  return first;
}

/** Up to the last one that holds something, which xterm knows and does not give. */
function cellsOf(line: object): number {
  return (line as { _line: { getTrimmedLength(): number } })._line.getTrimmedLength();
}
