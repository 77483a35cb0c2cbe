/** What this needs of a terminal of xterm.js. */
interface XTerminal {
  readonly cols: number;
  readonly rows: number;
  readonly buffer: { readonly active: { readonly cursorX: number; readonly cursorY: number; readonly length: number } };
  readonly parser: {
    registerCsiHandler(id: { prefix?: string; final: string }, handler: (params: (number | number[])[]) => boolean): unknown;
  };
}

interface InputHandler extends Record<CountedAct, (params: { params: number[] }) => boolean> {
  eraseInDisplay(params: { params: number[] }, respectProtect: boolean): boolean;
}

type CountedAct = (typeof counted)[number][1];

/** Sequences that say how often something is done, and what of the screen shows no more of them. A character is repeated for one line at most. */
const counted = [
  ['L', 'insertLines', 'rows'],
  ['M', 'deleteLines', 'rows'],
  ['S', 'scrollUp', 'rows'],
  ['T', 'scrollDown', 'rows'],
  ['I', 'cursorForwardTab', 'cols'],
  ['Z', 'cursorBackwardTab', 'cols'],
  ['b', 'repeatPrecedingCharacter', 'cols'],
] as const;

/** Makes a terminal of xterm.js (6.0 and before) take whatever a program writes: a few bytes of it would end or hold up whoever shows them. */
export function guardTerminal(terminal: XTerminal): void {
  const { _inputHandler: input } = (terminal as unknown as { _core: { _inputHandler: InputHandler } })._core;
  guardEraseAbove(terminal, input);
  // Done two thousand million times, if a program says so, they take hours, or more memory than there is.
  for (const [final, act, size] of counted)
    terminal.parser.registerCsiHandler({ final }, ([count]) => {
      const most = terminal[size];
      return typeof count === 'number' && count > most && input[act]({ params: [most] });
    });
}

/**
 * Erased up to the cursor in the last corner of a screen with nothing below it, it looks for the line after that one and throws where nobody can catch it.
 * From there all is above the cursor.
 */
function guardEraseAbove(terminal: XTerminal, input: InputHandler): void {
  for (const prefix of [undefined, '?'])
    terminal.parser.registerCsiHandler({ ...(prefix === undefined ? {} : { prefix }), final: 'J' }, ([what]) => {
      const { cursorX, cursorY, length } = terminal.buffer.active;
      if (what !== 1 || cursorX + 1 < terminal.cols || cursorY + 1 < length) return false;
      return input.eraseInDisplay({ params: [2] }, prefix !== undefined);
    });
}
