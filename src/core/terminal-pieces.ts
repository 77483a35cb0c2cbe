/** Of a screen that a piece may write over and over, if each three characters of it say so: that takes some milliseconds. */
const MAX_CELLS = 4_000_000;
/** Of the largest screens. */
const MIN_LENGTH = 8;

/** Writes text to a terminal of xterm.js in pieces, between which that lets others go on: a few characters may fill a whole screen, which takes longer the larger it is. */
export function writeInPieces(
  terminal: { write(text: string, written?: () => void): void },
  text: string,
  { columns, rows }: { columns: number; rows: number },
  written: () => void,
): void {
  const length = Math.max(MIN_LENGTH, Math.floor(MAX_CELLS / (columns * rows)));
  for (let at = 0; at < text.length; at += length) terminal.write(text.slice(at, at + length));
  terminal.write('', written);
}
