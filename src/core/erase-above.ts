/** What this needs of a terminal of xterm.js. */
interface XTerminal {
  readonly cols: number;
  readonly buffer: { readonly active: { readonly cursorX: number; readonly cursorY: number; readonly length: number } };
  readonly parser: {
    registerCsiHandler(id: { prefix?: string; final: string }, handler: (params: (number | number[])[]) => boolean): unknown;
  };
}

interface Core {
  _inputHandler: { eraseInDisplay(params: { params: number[] }, respectProtect: boolean): boolean };
}

/**
 * Makes xterm.js (6.0 and before) erase up to the cursor in the last corner of a screen with nothing below it: it looks for the line after that one
 * and throws where nobody can catch it, so that a few bytes of a program would end whoever shows them. From there all is above the cursor.
 */
export function guardEraseAbove(terminal: XTerminal): void {
  const { _inputHandler: input } = (terminal as unknown as { _core: Core })._core;
  for (const prefix of [undefined, '?'])
    terminal.parser.registerCsiHandler({ ...(prefix === undefined ? {} : { prefix }), final: 'J' }, ([what]) => {
      const { cursorX, cursorY, length } = terminal.buffer.active;
      if (what !== 1 || cursorX + 1 < terminal.cols || cursorY + 1 < length) return false;
      return input.eraseInDisplay({ params: [2] }, prefix !== undefined);
    });
}
