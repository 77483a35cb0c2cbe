import '@xterm/xterm/css/xterm.css';
import { FitAddon } from '@xterm/addon-fit';
import { type ILink, type ITheme, Terminal } from '@xterm/xterm';
import { guardTerminal } from '../../core/guard-terminal.ts';
import { resizeTerminal } from '../../core/resize-terminal.ts';
import { writeInPieces } from '../../core/terminal-pieces.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { shownName } from '../shown-name.ts';
import { apple } from '../use-workbench.ts';
import { TerminalLink, type TerminalNews, type TerminalSize } from './terminal-link.ts';
import { tokenColors } from './token-colors.ts';

const scrollback = 10_000;
const leastContrast = 4.5;
const limits = { columns: [2, 1000], rows: [1, 500] } as const;
const toFollow = `${apple ? 'Cmd' : 'Ctrl'} click to open`;
const webAddress = /https?:\/\/[^\s"'<>`]+[^\s"'<>`.,;:!?)\]}]/g;

export interface TerminalScreenDependencies {
  client: WorkbenchClient;
  onNews: (news: TerminalNews) => void;
  isLive: () => boolean;
  onLostInput: (error: unknown) => void;
  /** Whether a key is the page's own, here too. */
  isOurs: (event: KeyboardEvent) => boolean;
  isCopy: (event: KeyboardEvent) => boolean;
  isPaste: (event: KeyboardEvent) => boolean;
}

export interface TerminalScreenOptions {
  id: string;
  mayType: boolean;
  screenReader: boolean;
}

/** One terminal drawn into a box of the page. Whoever has the focus, or looks alone, sets its size for all. */
export class TerminalScreen {
  readonly link: TerminalLink;
  readonly #terminal: Terminal;
  readonly #fit = new FitAddon();
  readonly #box: HTMLElement;
  readonly #mayType: boolean;
  readonly #observer: ResizeObserver;
  /** Where one leads is said: its text may say something else. */
  readonly #links = {
    activate: follow,
    hover: (_event: MouseEvent, address: string): void =>
      void (this.#box.title = isWeb(address) ? `${shownName(address)}\n${toFollow}` : ''),
    leave: (): void => this.#box.removeAttribute('title'),
  };
  #viewers = 0;
  #frame = 0;

  constructor(box: HTMLElement, dependencies: TerminalScreenDependencies, options: TerminalScreenOptions) {
    this.#box = box;
    this.#mayType = options.mayType;
    const { fontFamily, fontSize, lineHeight } = getComputedStyle(box);
    this.#terminal = new Terminal({
      fontFamily,
      fontSize: Number.parseFloat(fontSize) || 13,
      lineHeight: lineSpacing(lineHeight, fontSize),
      theme: themeOfNow(),
      scrollback,
      minimumContrastRatio: leastContrast,
      disableStdin: !options.mayType,
      cursorInactiveStyle: options.mayType ? 'outline' : 'none',
      screenReaderMode: options.screenReader,
      linkHandler: this.#links,
    });
    guardTerminal(this.#terminal);
    this.#terminal.loadAddon(this.#fit);
    this.#terminal.open(box);
    this.#terminal.textarea?.setAttribute('data-focus', '');
    this.#terminal.registerLinkProvider({ provideLinks: (row, found) => found(this.#linksOf(row)) });
    this.link = new TerminalLink(
      {
        client: dependencies.client,
        display: {
          reset: (size) => {
            this.#terminal.reset();
            this.#resize(size);
          },
          resize: (size) => this.#resize(size),
          write: (text) =>
            new Promise((resolve) => {
              const { cols: columns, rows } = this.#terminal;
              writeInPieces(this.#terminal, text, { columns, rows }, resolve);
            }),
        },
        onNews: (news) => {
          if (news.viewers !== undefined) {
            this.#viewers = news.viewers.length;
            this.fitSoon();
          }
          dependencies.onNews(news);
        },
        isLive: dependencies.isLive,
        onLostInput: dependencies.onLostInput,
      },
      options.id,
    );
    // What the terminal answers to a program by itself is for one viewer to say: who has the focus.
    this.#terminal.onData((text) => {
      if (this.#mayType && this.hasFocus) this.link.type(text);
    });
    this.#terminal.attachCustomKeyEventHandler((event) => this.#isForProgram(event, dependencies));
    this.#terminal.textarea?.addEventListener('focus', () => this.fitSoon());
    this.#observer = new ResizeObserver(() => this.fitSoon());
    this.#observer.observe(box);
    this.link.start();
  }

  get hasFocus(): boolean {
    return this.#box.contains(document.activeElement);
  }

  focus(): void {
    this.#terminal.focus();
  }

  setScreenReader(on: boolean): void {
    this.#terminal.options.screenReaderMode = on;
  }

  /** After a change of theme. */
  recolor(): void {
    this.#terminal.options.theme = themeOfNow();
  }

  /** What would fill the box; undefined while it has no size. */
  room(): TerminalSize | undefined {
    const { cols, rows } = this.#fit.proposeDimensions() ?? {};
    if (cols === undefined || rows === undefined || Number.isNaN(cols) || Number.isNaN(rows)) return undefined;
    return { columns: within(cols, limits.columns), rows: within(rows, limits.rows) };
  }

  /** Gives the terminal the size of the box, at the next frame, where that is ours to say. */
  fitSoon(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (!this.#mayType || !(this.hasFocus || this.#viewers <= 1)) return;
      const size = this.room();
      if (size === undefined || (size.columns === this.#terminal.cols && size.rows === this.#terminal.rows)) return;
      void this.link.setSize(size);
    });
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#observer.disconnect();
    this.link.stop();
    this.#terminal.dispose();
  }

  #resize({ columns, rows }: TerminalSize): void {
    if (columns !== this.#terminal.cols || rows !== this.#terminal.rows) resizeTerminal(this.#terminal, { columns, rows }, scrollback);
  }

  #isForProgram(event: KeyboardEvent, { isOurs, isCopy, isPaste }: TerminalScreenDependencies): boolean {
    if (isOurs(event)) return false;
    // The browser pastes by itself; the terminal hears of that.
    if (isPaste(event)) return false;
    if (!isCopy(event)) return true;
    event.preventDefault();
    if (event.type === 'keydown' && this.#terminal.hasSelection())
      void navigator.clipboard?.writeText(this.#terminal.getSelection()).catch(() => undefined);
    return false;
  }

  /** Addresses in what is shown; columns count cells, of which a wide character takes two. */
  #linksOf(row: number): ILink[] | undefined {
    const line = this.#terminal.buffer.active.getLine(row - 1);
    if (line === undefined) return undefined;
    let text = '';
    const columns: number[] = [];
    for (let column = 0; column < line.length; column += 1) {
      const cell = line.getCell(column);
      if (cell === undefined || cell.getWidth() === 0) continue;
      const signs = cell.getChars() || ' ';
      for (let at = 0; at < signs.length; at += 1) columns.push(column + 1);
      text += signs;
    }
    return [...text.matchAll(webAddress)].map(({ 0: address, index }) => ({
      text: address,
      range: { start: { x: columns[index] ?? 1, y: row }, end: { x: columns[index + address.length - 1] ?? 1, y: row } },
      ...this.#links,
    }));
  }
}

function isWeb(address: string): boolean {
  return /^https?:\/\//i.test(address);
}

/** Only the web, and only when it is meant: a click alone selects. */
function follow(event: MouseEvent, address: string): void {
  if ((event.ctrlKey || event.metaKey) && isWeb(address)) window.open(address, '_blank', 'noopener,noreferrer');
}

function within(value: number, [least, most]: readonly [number, number]): number {
  return Math.min(Math.max(Math.floor(value), least), most);
}

function lineSpacing(lineHeight: string, fontSize: string): number {
  const spacing = Number.parseFloat(lineHeight) / (Number.parseFloat(fontSize) * 1.17);
  return Number.isFinite(spacing) && spacing >= 1 ? spacing : 1.2;
}

function themeOfNow(): ITheme {
  const colors = tokenColors({
    background: '--surface',
    foreground: '--fg',
    cursor: '--fg',
    cursorAccent: '--surface',
    selectionBackground: '--ed-select',
    black: '--fg-3',
    brightBlack: '--fg-3',
    white: '--fg-2',
    brightWhite: '--fg',
    red: '--t-red',
    green: '--t-green',
    yellow: '--t-yellow',
    blue: '--t-blue',
    magenta: '--t-magenta',
    cyan: '--t-cyan',
  });
  const { red, green, yellow, blue, magenta, cyan } = colors;
  return {
    ...colors,
    brightRed: red,
    brightGreen: green,
    brightYellow: yellow,
    brightBlue: blue,
    brightMagenta: magenta,
    brightCyan: cyan,
  };
}
