import type { Terminal } from '@xterm/headless';
import { OutriggerError } from '../../contract/errors.ts';
import { resizeTerminal } from '../../core/resize-terminal.ts';
import { writeInPieces } from '../../core/terminal-pieces.ts';
import { cutCharacter } from '../../core/utf8.ts';
import type { TerminalSize } from '../processes/host.ts';
import type { ManagedProcess } from '../processes/managed-process.ts';
import { cutSequence, MAX_SEQUENCE_BYTES } from './cut-sequence.ts';
import { guardTerminal } from '../../core/guard-terminal.ts';
import { isInSequence, stateText } from './terminal-state.ts';

/** Read from the log at a time, bytes. */
const PIECE_BYTES = 64 * 1024;
/** With more than this on its way to the screen, the program is held back. */
const MAX_BEHIND_BYTES = 1024 * 1024;
/** Of the screen and what was scrolled out of it: a wide one keeps fewer lines. One takes 12 bytes. */
const MAX_CELLS = 500_000;
/** Who changes the size faster than this gets the last one: each change moves all lines. */
const RESIZE_EVERY_MS = 50;
/** Changes of the size that a viewer can be behind. */
const MOST_CHANGES = 1000;
/** Ends a sequence of which only a part has come. */
const CANCEL = '\x18';
/** What is put over one character without an end would fill the memory: signs after the first so many are left out. */
const endlessMarks = /([\p{M}\p{Cf}\u1160-\u11ff]{32})[\p{M}\p{Cf}\u1160-\u11ff]+/gu;

export interface Snapshot {
  text: string;
  /** In the output, up to which it goes. */
  offset: number;
  /** Where the output goes on for who has this: before the offset where a part of a character or of an escape sequence has come. */
  next: number;
  size: TerminalSize;
  /** Changes of the size that it has had. */
  changes: number;
}

/** What was written before it is of the old size, and what comes after it of the new one. */
export interface SizeChange {
  /** Counts them, from 1 on. */
  number: number;
  /** In the output. */
  offset: number;
  size: TerminalSize;
}

/** What a terminal shows, kept although nobody looks: the same bytes, read by the terminal that the page uses. */
export class Screen {
  readonly #process: ManagedProcess;
  readonly #terminal: Terminal;
  readonly #scrollback: number;
  readonly #stop: () => void;
  readonly #decoder = new TextDecoder();
  readonly #closed = Promise.withResolvers<never>();
  #wantedSize: TerminalSize;
  #resizing: NodeJS.Timeout | undefined;
  /** The last of them, in order. */
  readonly #changes: SizeChange[] = [];
  /** As the last of them made it. */
  #lastSize: TerminalSize;
  #changeCount = 0;
  /** Of them, those that were handed to the terminal, and those that it has had. */
  #changesFed = 0;
  #changesShown = 0;
  #isClosed = false;
  #snapshot: Snapshot | undefined;
  #fed = 0;
  #shown = 0;
  #title: string | undefined;
  readonly #listeners = new Set<() => void>();

  private constructor(process: ManagedProcess, terminal: Terminal, scrollback: number) {
    this.#process = process;
    this.#terminal = terminal;
    this.#scrollback = scrollback;
    this.#wantedSize = { columns: terminal.cols, rows: terminal.rows };
    this.#lastSize = this.#wantedSize;
    this.#closed.promise.catch(() => {});
    terminal.onTitleChange((title) => {
      this.#title = title === '' ? undefined : title.slice(0, 500);
      this.#tell();
    });
    this.#stop = process.log.onGrowth(() => this.#feed());
    this.#feed();
  }

  /** Shows what the process wrote so far, and what it will. */
  static async of(process: ManagedProcess, size: TerminalSize, scrollback: number): Promise<Screen> {
    // CommonJS, and heavy: loaded with the first terminal.
    const { default: headless } = await import('@xterm/headless');
    const terminal = new headless.Terminal({
      cols: size.columns,
      rows: size.rows,
      scrollback: fitting(scrollback, size),
      allowProposedApi: true,
    });
    // What is told of it to those who come later has none.
    guardTerminal(terminal, 0);
    return new Screen(process, terminal, scrollback);
  }

  get size(): TerminalSize {
    return this.#wantedSize;
  }

  /** As the program in it set it. */
  get title(): string | undefined {
    return this.#title;
  }

  /** For the program as well, in a moment where it was changed a moment ago. Throws PROCESS_ENDED. */
  resize(size: TerminalSize): void {
    this.#process.checkRunning();
    this.#wantedSize = size;
    if (this.#resizing === undefined) this.#applySize();
  }

  /** Whoever goes on counts on the size that was asked for. */
  settleSize(): void {
    if (this.#resizing === undefined) return;
    clearTimeout(this.#resizing);
    this.#resizing = undefined;
    this.#applySize();
  }

  /** When its size or title changes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The screen as text that makes an empty terminal show it, and the offset in the output up to which it goes. Rejects when it is closed. */
  async snapshot(): Promise<Snapshot> {
    this.#feed();
    // There and then: what was handed to the terminal after this may be on it a moment later, in parts.
    const taken = new Promise<Snapshot>((resolve, reject) => {
      this.#terminal.write('', () => {
        try {
          resolve(this.#snapshotNow());
        } catch (error) {
          reject(error);
        }
      });
    });
    return Promise.race([taken, this.#closed.promise]);
  }

  /** Many who fell behind at the same time get the same. */
  #snapshotNow(): Snapshot {
    const last = this.#snapshot;
    if (last?.offset === this.#shown && last.changes === this.#changesShown) return last;
    const size = { columns: this.#terminal.cols, rows: this.#terminal.rows };
    const text = stateText(this.#terminal);
    this.#snapshot = { text, offset: this.#shown, next: this.#shown - this.#cutBytes(), size, changes: this.#changesShown };
    return this.#snapshot;
  }

  /** The first change of the size after so many; 'far' where that is not known any more. */
  changeAfter(count: number): SizeChange | 'far' | undefined {
    const first = this.#changes[0]?.number ?? 1;
    return count + 1 < first ? 'far' : this.#changes[count + 1 - first];
  }

  /** The first that was not handed to the terminal, or that is still known of these. */
  get #nextChange(): SizeChange | undefined {
    const next = this.changeAfter(this.#changesFed);
    return next === 'far' ? this.#changes[0] : next;
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
    clearTimeout(this.#resizing);
    this.#listeners.clear();
    this.#closed.reject(new OutriggerError('NO_PROCESS', 'The terminal was closed.'));
    this.#terminal.dispose();
    this.#process.letGo(this);
  }

  /** At the end of what is shown, what has no effect yet. */
  #cutBytes(): number {
    const bytes = this.#lastBytes();
    const ofSequence = isInSequence(this.#terminal) ? cutSequence(bytes) : 0;
    return ofSequence > 0 ? ofSequence : (cutCharacter(bytes)?.there ?? 0);
  }

  /** As many as a sequence may have, of those that are kept. */
  #lastBytes(): Uint8Array {
    const { log } = this.#process;
    const pieces: Uint8Array[] = [];
    for (let at = Math.max(0, this.#shown - MAX_SEQUENCE_BYTES); at < this.#shown; ) {
      const piece = log.next({ stdout: at, stderr: 0 }, ['stdout'], this.#shown - at);
      if (piece === undefined) break;
      // What is before a gap says nothing.
      if (piece.lost > 0) pieces.length = 0;
      pieces.push(piece.bytes.subarray(0, Math.max(0, this.#shown - piece.offset)));
      at = piece.offset + piece.bytes.length;
    }
    return Buffer.concat(pieces);
  }

  #applySize(): void {
    const { columns, rows } = this.#wantedSize;
    if (columns === this.#lastSize.columns && rows === this.#lastSize.rows) return;
    this.#lastSize = this.#wantedSize;
    try {
      this.#process.resize(this.#lastSize);
    } catch {
      // PROCESS_ENDED: who looks at it may have another size all the same.
    }
    // What was read so far was written before it.
    this.#changes.push({ number: ++this.#changeCount, offset: this.#process.log.end.stdout, size: this.#lastSize });
    if (this.#changes.length > MOST_CHANGES) this.#changes.shift();
    this.#feed();
    this.#tell();
    this.#resizing = setTimeout(() => {
      this.#resizing = undefined;
      this.#applySize();
    }, RESIZE_EVERY_MS);
  }

  #feed(): void {
    const { log } = this.#process;
    while (this.#fed - this.#shown < MAX_BEHIND_BYTES) {
      const change = this.#nextChange;
      if (change !== undefined && change.offset <= this.#fed) {
        this.#changesFed = change.number;
        this.#terminal.write('', () => this.#take(change));
        continue;
      }
      const most = change === undefined ? PIECE_BYTES : Math.min(PIECE_BYTES, change.offset - this.#fed);
      const piece = log.next({ stdout: this.#fed, stderr: 0 }, ['stdout'], most);
      if (piece === undefined) {
        this.#process.letGo(this);
        return;
      }
      const end = piece.offset + piece.bytes.length;
      this.#fed = end;
      // What was begun before a gap has no end.
      if (piece.lost > 0) {
        this.#decoder.decode();
        this.#terminal.write(CANCEL);
      }
      const text = this.#decoder.decode(piece.bytes, { stream: true });
      writeInPieces(this.#terminal, text.replace(endlessMarks, '$1'), this.#largestSize, () => {
        this.#shown = end;
        this.#feed();
      });
    }
    this.#process.hold(this);
  }

  /** That it may have when it comes to what is handed to it now. */
  get #largestSize(): TerminalSize {
    const { cols, rows } = this.#terminal;
    return { columns: Math.max(cols, this.#lastSize.columns), rows: Math.max(rows, this.#lastSize.rows) };
  }

  #take({ number, size }: SizeChange): void {
    if (this.#isClosed) return;
    resizeTerminal(this.#terminal, size, fitting(this.#scrollback, size));
    this.#changesShown = number;
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Lines above a screen of this size for which there is room. */
function fitting(scrollback: number, { columns }: TerminalSize): number {
  return Math.min(scrollback, Math.floor(MAX_CELLS / columns));
}
