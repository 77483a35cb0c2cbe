/** What this needs of a terminal of xterm.js. */
interface XTerminal {
  readonly cols: number;
  readonly rows: number;
  readonly buffer: { readonly active: { readonly cursorX: number; readonly cursorY: number; readonly length: number } };
  readonly parser: {
    registerCsiHandler(id: { prefix?: string; final: string }, handler: (params: (number | number[])[]) => boolean): unknown;
    registerOscHandler(id: number, handler: (data: string) => boolean): unknown;
  };
}

interface InputHandler extends Record<CountedAct, (params: { params: number[] }) => boolean> {
  eraseInDisplay(params: { params: number[] }, respectProtect: boolean): boolean;
  setHyperlink(data: string): boolean;
}

interface Core {
  _inputHandler: InputHandler;
  _oscLinkService: { _dataByLinkId: ReadonlyMap<number, unknown> };
}

/** Links on a screen and in what was scrolled out of it. One takes 3 KB, and time with each line that is scrolled. */
const MAX_LINKS = 2000;
/** Of a link's address, with its parameters. */
const MAX_LINK_CHARS = 2083;

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

/**
 * Makes a terminal of xterm.js (6.0 and before) take whatever a program writes: a few bytes of it would end or hold up whoever shows them. Where there are
 * `maxLinks`, text of further ones is text alone.
 */
export function guardTerminal(terminal: XTerminal, maxLinks: number = MAX_LINKS): void {
  const { _inputHandler: input, _oscLinkService: links } = (terminal as unknown as { _core: Core })._core;
  guardEraseAbove(terminal, input);
  // Done two thousand million times, if a program says so, they take hours, or more memory than there is.
  for (const [final, act, size] of counted)
    terminal.parser.registerCsiHandler({ final }, ([count]) => {
      const most = terminal[size];
      return typeof count === 'number' && count > most && input[act]({ params: [most] });
    });
  // One is kept as long as the line where it was written is there, though its text is not.
  terminal.parser.registerOscHandler(8, (data) => {
    const isKept = data.length <= MAX_LINK_CHARS && links._dataByLinkId.size < maxLinks;
    return !isKept && input.setHyperlink(';');
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
