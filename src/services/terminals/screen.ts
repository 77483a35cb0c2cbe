import type { SerializeAddon } from '@xterm/addon-serialize';
import type { Terminal } from '@xterm/headless';
import type { TerminalSize } from '../processes/host.ts';
import type { ManagedProcess } from '../processes/managed-process.ts';

/** Read from the log at a time, bytes. */
const PIECE_BYTES = 64 * 1024;
/** With more than this on its way to the screen, the program is held back. */
const MAX_BEHIND_BYTES = 1024 * 1024;

/** What a terminal shows, kept although nobody looks: the same bytes, read by the terminal that the page uses. */
export class Screen {
  readonly #process: ManagedProcess;
  readonly #terminal: Terminal;
  readonly #serializer: SerializeAddon;
  readonly #stop: () => void;
  #fed = 0;
  #shown = 0;
  #title: string | undefined;
  readonly #listeners = new Set<() => void>();

  private constructor(process: ManagedProcess, terminal: Terminal, serializer: SerializeAddon) {
    this.#process = process;
    this.#terminal = terminal;
    this.#serializer = serializer;
    terminal.loadAddon(serializer);
    terminal.onTitleChange((title) => {
      this.#title = title === '' ? undefined : title.slice(0, 500);
      this.#tell();
    });
    this.#stop = process.log.onGrowth(() => this.#feed());
    this.#feed();
  }

  /** Shows what the process wrote so far, and what it will. */
  static async of(process: ManagedProcess, size: TerminalSize, scrollback: number): Promise<Screen> {
    // Both are CommonJS, and heavy: loaded with the first terminal.
    const [{ default: headless }, { default: serialize }] = await Promise.all([
      import('@xterm/headless'),
      import('@xterm/addon-serialize'),
    ]);
    const terminal = new headless.Terminal({ cols: size.columns, rows: size.rows, scrollback, allowProposedApi: true });
    return new Screen(process, terminal, new serialize.SerializeAddon());
  }

  get size(): TerminalSize {
    return { columns: this.#terminal.cols, rows: this.#terminal.rows };
  }

  /** As the program in it set it. */
  get title(): string | undefined {
    return this.#title;
  }

  resize({ columns, rows }: TerminalSize): void {
    if (columns === this.#terminal.cols && rows === this.#terminal.rows) return;
    this.#terminal.resize(columns, rows);
    this.#tell();
  }

  /** When its size or title changes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The screen as text that makes an empty terminal show it, and the offset in the output up to which it goes. */
  async snapshot(): Promise<{ text: string; offset: number; size: TerminalSize }> {
    this.#feed();
    return new Promise((resolve) => {
      this.#terminal.write('', () => resolve({ text: this.#serializer.serialize(), offset: this.#shown, size: this.size }));
    });
  }

  close(): void {
    this.#stop();
    this.#listeners.clear();
    this.#terminal.dispose();
    this.#process.resume();
  }

  #feed(): void {
    const { log } = this.#process;
    while (this.#fed - this.#shown < MAX_BEHIND_BYTES) {
      const piece = log.next({ stdout: this.#fed, stderr: 0 }, ['stdout'], PIECE_BYTES);
      if (piece === undefined) {
        this.#process.resume();
        return;
      }
      const end = piece.offset + piece.bytes.length;
      this.#fed = end;
      this.#terminal.write(piece.bytes, () => {
        this.#shown = end;
        this.#feed();
      });
    }
    this.#process.pause();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
