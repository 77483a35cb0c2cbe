import type { IBuffer, IBufferCell, Terminal } from '@xterm/headless';

/** What a cell or the cursor looks like. */
type Look = Pick<
  IBufferCell,
  | 'isBold'
  | 'isDim'
  | 'isItalic'
  | 'isUnderline'
  | 'isBlink'
  | 'isInverse'
  | 'isInvisible'
  | 'isStrikethrough'
  | 'isOverline'
  | 'getFgColorMode'
  | 'getFgColor'
  | 'getBgColorMode'
  | 'getBgColor'
>;
/** What it draws instead of characters; undefined: these. */
type Charset = Readonly<Record<string, string>> | undefined;

interface ScreenBuffer {
  x: number;
  y: number;
  /** Lines above the screen. */
  ybase: number;
  scrollTop: number;
  scrollBottom: number;
  tabs: Readonly<Record<number, boolean | undefined>>;
  savedX: number;
  /** From the first line above the screen on. */
  savedY: number;
  savedCurAttrData: Look;
  savedCharset: Charset;
}

/** What xterm knows and does not give; its own addons reach for it as well. */
interface Core {
  buffers: { normal: ScreenBuffer; alt: ScreenBuffer; active: ScreenBuffer };
  coreService: {
    isCursorHidden: boolean;
    decPrivateModes: { cursorStyle: 'block' | 'underline' | 'bar' | undefined; cursorBlink: boolean | undefined };
  };
  coreMouseService: { activeEncoding: string };
  _charsetService: { glevel: number; charset: Charset; _charsets: readonly Charset[] };
  /** The state of joins is 0 where what came last was no character. */
  _inputHandler: { _curAttrData: Look; _parser: { currentState: number; precedingJoinState: number } };
}

const GROUND = 0;
const TAB_WIDTH = 8;
const [PALETTE_16, PALETTE_256, RGB] = [1 << 24, 2 << 24, 3 << 24];
/** What a reset leaves as it was: it ends a sequence that was cut, and shows the cursor. */
const AFRESH = '\x18\x1b[?25h';
const TO_ALTERNATE = '\x1b[?47h\x1b[H';
const PLAIN = '\x1b[0m';
/** They make G0 to G3 draw lines. */
const lineDrawing = ['\x1b(0', '\x1b)0', '\x1b*0', '\x1b+0'];
/** They make G1 to G3 the current one. */
const shifts = ['', '\x0e', '\x1bn', '\x1bo'];
const mouseModes = { none: '', x10: '\x1b[?9h', vt200: '\x1b[?1000h', drag: '\x1b[?1002h', any: '\x1b[?1003h' };
const mouseEncodings: Readonly<Record<string, string>> = { SGR: '\x1b[?1006h', SGR_PIXELS: '\x1b[?1016h' };
const cursorStyles = { block: 1, underline: 3, bar: 5 };

/** Whether only a part of an escape sequence has come. */
export function isInSequence(terminal: Terminal): boolean {
  return coreOf(terminal)._inputHandler._parser.currentState !== GROUND;
}

/**
 * Text that makes a terminal of the same size, which was reset, show the same and go on as this one. Left out are links, the forms and colours of
 * underlines, character sets other than that of lines, and that two lines are one where the end of the first or the beginning of the second is blank.
 */
export function stateText(terminal: Terminal): string {
  const { buffers, _charsetService: charsets, _inputHandler: input } = coreOf(terminal);
  const { normal, alternate, active } = terminal.buffer;
  const screens = [linesText(normal, terminal.cols) + bufferState(terminal, buffers.normal)];
  if (active.type === 'alternate') screens.push(linesText(alternate, terminal.cols) + bufferState(terminal, buffers.alt));
  const isDrawing = drawsLines(charsets.charset);
  // One that was not chosen came with the saved cursor, and comes with it again.
  const isRestored = isDrawing !== drawsLines(charsets._charsets[charsets.glevel]) && isDrawing === drawsLines(buffers.active.savedCharset);
  const chosen = charsets._charsets.map((charset, index) => (drawsLines(charset) ? lineDrawing[index] : '')).join('');
  const settings = chosen + (shifts[charsets.glevel] ?? '') + (isRestored ? '\x1b8' : '') + modesText(terminal);
  const origin = terminal.modes.originMode ? '\x1b[?6h' : '';
  // The last character may be one that would be drawn as another by now.
  const isOlder = isDrawing && input._parser.precedingJoinState === 0;
  const cursor = cursorText(terminal, !isOlder || !isRestored);
  return AFRESH + screens.join(TO_ALTERNATE) + (isOlder && !isRestored ? origin + cursor + settings : settings + origin + cursor);
}

function coreOf(terminal: Terminal): Core {
  return (terminal as unknown as { _core: Core })._core;
}

/** All lines of a screen and above it; it ends plain. */
function linesText(buffer: IBuffer, cols: number): string {
  let text = '';
  let look = PLAIN;
  const lookOf = lastLook();
  const wear = (next: string): void => {
    // From a plain one nothing has to be taken back.
    if (next !== look) text += look === PLAIN ? next.replace('[0;', '[') : next;
    look = next;
  };
  let cell: IBufferCell | undefined;
  let before: IBufferCell | undefined;
  for (let y = 0; y < buffer.length; y++) {
    const line = buffer.getLine(y);
    const lineBefore = buffer.getLine(y - 1);
    before = lineBefore?.getCell(cols - 1, before);
    cell = line?.getCell(0, cell);
    // Who writes over the end of a line comes to the next one; with a wide character also where one cell is left.
    const isLeft = isBlank(before) && cell?.getWidth() === 2 && hasBackgroundOf(before, cell) && !isBlank(lineBefore?.getCell(cols - 2));
    const isJoined = line?.isWrapped === true && !isBlank(cell) && (isLeft || !isBlank(before));
    if (y > 0 && !isJoined) {
      // A new line has the colour that is behind the text.
      wear(PLAIN);
      text += '\r\n';
    }
    let blanks = 0;
    let behind = '';
    const leaveBlank = (): void => {
      if (blanks === 0) return;
      // Where the line before went on to this one it may have been coloured.
      if (behind !== PLAIN || isJoined) {
        wear(behind);
        text += `\x1b[${blanks}X`;
      }
      text += `\x1b[${blanks}C`;
      blanks = 0;
    };
    for (let x = 0; x < cols; x++) {
      cell = line?.getCell(x, cell);
      if (cell === undefined) continue;
      const [chars, width] = [cell.getChars(), cell.getWidth()];
      if (chars === '' && width === 0) continue;
      if (chars === '' && isBlank(cell)) {
        const next = cell.isBgDefault() ? PLAIN : lookText(backgroundOf(cell));
        if (next !== behind) leaveBlank();
        behind = next;
        blanks++;
        continue;
      }
      leaveBlank();
      const own = lookOf(cell);
      // A mark that is over no character does not come over the one before it behind a sequence.
      if (width === 0) look = '';
      wear(own);
      text += chars || ' ';
    }
    if (behind !== PLAIN || isJoined) leaveBlank();
  }
  wear(PLAIN);
  return text;
}

function isBlank(cell: IBufferCell | undefined): boolean {
  return cell === undefined || (cell.getChars() === '' && cell.getWidth() === 1 && cell.isInverse() === 0);
}

function hasBackgroundOf(cell: IBufferCell | undefined, other: IBufferCell): boolean {
  return cell !== undefined && lookText(backgroundOf(cell)) === lookText(backgroundOf(other));
}

/** Of a wide character. */
function isSecondHalf(cell: IBufferCell | undefined): boolean {
  return cell?.getWidth() === 0 && cell.getChars() === '';
}

/** Of one screen, beside its lines; it moves the cursor, and ends plain. */
function bufferState({ cols, rows }: Terminal, buffer: ScreenBuffer): string {
  const { scrollTop, scrollBottom, savedX, savedCurAttrData, savedCharset } = buffer;
  const columns = Array.from({ length: cols - 1 }, (_, index) => index + 1);
  const hasUsualTabs = columns.every((column) => (buffer.tabs[column] === true) === (column % TAB_WIDTH === 0));
  const stops = columns.filter((column) => buffer.tabs[column] === true);
  const tabs = hasUsualTabs ? '' : `\x1b[3g${stops.map((column) => `\x1b[${column + 1}G\x1bH`).join('')}`;
  const region = scrollTop === 0 && scrollBottom === rows - 1 ? '' : `\x1b[${scrollTop + 1};${scrollBottom + 1}r`;
  // What was saved and has left the screen since comes back in its first row.
  const savedRow = Math.max(0, buffer.savedY - buffer.ybase);
  const look = lookText(codesOf(savedCurAttrData));
  const isSaved = savedX > 0 || savedRow > 0 || look !== PLAIN || drawsLines(savedCharset);
  const [draw, write] = drawsLines(savedCharset) ? [lineDrawing[0] ?? '', '\x1b(B'] : ['', ''];
  const saved = isSaved ? `\x1b[${savedRow + 1};${savedX + 1}H${look}${draw}\x1b7${write}${PLAIN}` : '';
  return tabs + region + saved;
}

/** Puts the cursor where it is. */
function cursorText(terminal: Terminal, mayWrite: boolean): string {
  const { buffers, _inputHandler: input } = coreOf(terminal);
  const { x, y, scrollTop } = buffers.active;
  const { cols, modes, buffer } = terminal;
  const row = modes.originMode ? Math.max(0, y - scrollTop) : y;
  const look = lookText(codesOf(input._curAttrData));
  // It stands behind a full line, or what comes may belong to the last character: who writes that once more stands the same.
  const line = buffer.active.getLine(buffer.active.baseY + y);
  const isJoining = input._parser.precedingJoinState !== 0;
  const isBehind = mayWrite && x > 0 && (x === cols || isJoining);
  if (!isBehind || line === undefined) return `\x1b[${row + 1};${x + 1}H${look}`;
  const column = isSecondHalf(line.getCell(x - 1)) ? x - 2 : x - 1;
  const cell = line.getCell(column);
  if (cell === undefined) return `\x1b[${row + 1};${x + 1}H${look}`;
  const itsLook = lookText(codesOf(cell));
  // In the place of itself, also where characters are inserted.
  const removal = modes.insertMode ? `\x1b[${x - column}P` : '';
  return `\x1b[${row + 1};${column + 1}H${removal}${itsLook}${cell.getChars() || ' '}${isJoining && look === itsLook ? '' : look}`;
}

/** What is switched on: nothing of it moves the cursor. */
function modesText(terminal: Terminal): string {
  const { coreService, coreMouseService } = coreOf(terminal);
  const { modes } = terminal;
  const { cursorStyle, cursorBlink } = coreService.decPrivateModes;
  const switched: [boolean, string][] = [
    [modes.applicationCursorKeysMode, '\x1b[?1h'],
    [modes.applicationKeypadMode, '\x1b[?66h'],
    [modes.bracketedPasteMode, '\x1b[?2004h'],
    [modes.insertMode, '\x1b[4h'],
    [modes.reverseWraparoundMode, '\x1b[?45h'],
    [modes.sendFocusMode, '\x1b[?1004h'],
    [!modes.wraparoundMode, '\x1b[?7l'],
    [coreService.isCursorHidden, '\x1b[?25l'],
  ];
  const mouse = mouseModes[modes.mouseTrackingMode] + (mouseEncodings[coreMouseService.activeEncoding] ?? '');
  const style = cursorStyle === undefined ? '' : `\x1b[${cursorStyles[cursorStyle] + (cursorBlink === true ? 0 : 1)} q`;
  return switched.map(([isOn, text]) => (isOn ? text : '')).join('') + mouse + style;
}

function lookText(codes: readonly number[]): string {
  return `\x1b[${[0, ...codes].join(';')}m`;
}

/** What a cell looks like, found once for many cells that follow each other. */
function lastLook(): (cell: IBufferCell) => string {
  let [fg, bg, text] = [0, 0, PLAIN];
  return (cell) => {
    const numbers = cell as unknown as { fg: number; bg: number };
    if (numbers.fg !== fg || numbers.bg !== bg) [fg, bg, text] = [numbers.fg, numbers.bg, lookText(codesOf(cell))];
    return text;
  };
}

function codesOf(look: Look): number[] {
  const flags: [number, number][] = [
    [look.isBold(), 1],
    [look.isDim(), 2],
    [look.isItalic(), 3],
    [look.isUnderline(), 4],
    [look.isBlink(), 5],
    [look.isInverse(), 7],
    [look.isInvisible(), 8],
    [look.isStrikethrough(), 9],
    [look.isOverline(), 53],
  ];
  const codes = flags.flatMap(([isOn, code]) => (isOn === 0 ? [] : [code]));
  return [...codes, ...colour(30, look.getFgColorMode(), look.getFgColor()), ...backgroundOf(look)];
}

function backgroundOf(look: Pick<Look, 'getBgColorMode' | 'getBgColor'>): number[] {
  return colour(40, look.getBgColorMode(), look.getBgColor());
}

/** `base`: the code of the first one, 30 or 40. */
function colour(base: number, mode: number, value: number): number[] {
  if (mode === RGB) return [base + 8, 2, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
  if (mode === PALETTE_256) return [base + 8, 5, value];
  return mode === PALETTE_16 ? [base + (value & 7) + (value & 8 ? 60 : 0)] : [];
}

function drawsLines(charset: Charset): boolean {
  return charset?.['q'] === '─';
}
