import type headless from '@xterm/headless';

interface Core {
  coreService: { isCursorHidden: boolean; decPrivateModes: unknown };
  coreMouseService: { activeProtocol: string; activeEncoding: string };
}

/**
 * All that a terminal shows, colours included, as one value that can be compared. What is blank is as one that was never written, and what is
 * underlined is so in whatever form: xterm.js (6.0) restores a saved cursor without the form, so that it is none where it was a line.
 */
export function pictureOf(terminal: headless.Terminal): unknown {
  const { active } = terminal.buffer;
  const { coreService, coreMouseService } = (terminal as unknown as { _core: Core })._core;
  const lines = Array.from({ length: active.length }, (_, y) => lineOf(active, y, terminal.cols));
  return {
    type: active.type,
    size: [terminal.cols, terminal.rows],
    cursor: [active.cursorX, active.cursorY],
    isCursorHidden: coreService.isCursorHidden,
    modes: [terminal.modes, coreService.decPrivateModes, coreMouseService.activeProtocol, coreMouseService.activeEncoding],
    lines,
  };
}

function lineOf(buffer: headless.IBuffer, y: number, columns: number): string {
  const line = buffer.getLine(y);
  const cells = Array.from({ length: columns }, (_, x) => {
    const cell = line?.getCell(x);
    if (cell === undefined) return ' ';
    const text = cell.getWidth() === 0 ? '' : cell.getChars() || ' ';
    const back = cell.isBgDefault() ? '' : `${cell.getBgColorMode()}/${cell.getBgColor()}`;
    // Of a blank one nothing else can be seen.
    const look =
      text === ' '
        ? [cell.isInverse()]
        : [
            cell.isBold(),
            cell.isDim(),
            cell.isItalic(),
            Number(cell.isUnderline() !== 0),
            cell.isInverse(),
            cell.isFgDefault() ? '' : `${cell.getFgColorMode()}/${cell.getFgColor()}`,
          ];
    const looks = [...look.map((one) => (one === 0 ? '' : one)), back].join(',');
    return /^,*$/.test(looks) ? text : `{${looks}:${text}}`;
  });
  return cells.join('').trimEnd();
}
