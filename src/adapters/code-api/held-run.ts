import type { CodeItem } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Asked } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { ask, type Asking } from './ask.ts';
import type { FinishedRun } from './run-code.ts';
import { ToolCallReader, type ToolCall } from './tool-program.ts';

/** What a program came to: calls of tools, after which it waits, or its end. */
export type HeldEvent = { kind: 'calls'; calls: ToolCall[] } | { kind: 'end'; finished: FinishedRun } | { kind: 'failed'; error: unknown };

/** Characters of one write to a program; the operation takes so many. */
const MAX_INPUT_LENGTH = 512 * 1024;

/** A run that outlives the request that began it: it stands still at calls of tools until another request brings their results. */
export class HeldRun {
  /** Settles when nothing of it runs any more. */
  readonly ended: Promise<void>;
  readonly #asking: Asking;
  readonly #stopped = new AbortController();
  readonly #reader: ToolCallReader;
  readonly #written = { stdout: '', stderr: '' };
  #run: string | undefined;
  #session = '';
  #events: HeldEvent[] = [];
  #told: (() => void) | undefined;

  /** `mark` is the one of the program (tool-program.ts). */
  constructor(asking: Asking, input: Asked<Operations['code.run']>, mark: string) {
    this.#asking = { ...asking, signal: this.#stopped.signal };
    this.#reader = new ToolCallReader(mark);
    const emit = (item: unknown): void => this.#item(item as CodeItem);
    this.ended = ask(this.#asking, 'code.run', { ...input, keepStdinOpen: true }, { emit }).then(
      (outcome) => {
        this.#written.stdout += this.#reader.end();
        this.#tell({ kind: 'end', finished: { outcome, ...this.#written } });
      },
      (error: unknown) => this.#tell({ kind: 'failed', error }),
    );
  }

  /** What it wrote so far, without its calls. */
  get written(): Readonly<{ stdout: string; stderr: string }> {
    return this.#written;
  }

  get session(): string {
    return this.#session;
  }

  /** The next calls, or the end. */
  async next(): Promise<HeldEvent> {
    while (this.#events[0] === undefined) await new Promise<void>((resolve) => (this.#told = resolve));
    const [event] = this.#events;
    if (event.kind === 'calls') this.#events.shift();
    return event;
  }

  /** The program gets the line that it waits for, when it reads; one that can't be given it is ended. */
  give(line: string): void {
    this.#write(line).catch((error: unknown) => {
      // It ended meanwhile: what it came to is told.
      if (error instanceof OutriggerError && (error.reason === 'NO_RUN' || error.reason === 'CANCELED')) return;
      this.#stopped.abort(error);
    });
  }

  /** Ends it, with everything it started. May be called twice. */
  stop(): void {
    this.#stopped.abort(new OutriggerError('CANCELED', 'The run was given up.'));
  }

  async #write(line: string): Promise<void> {
    const run = this.#run;
    if (run === undefined) throw new OutriggerError('NO_RUN', 'The run has not begun.');
    for (let at = 0; at < line.length; at += MAX_INPUT_LENGTH)
      await ask(this.#asking, 'code.input', { run, text: line.slice(at, at + MAX_INPUT_LENGTH) });
  }

  #item(item: CodeItem): void {
    if (item.type === 'started') {
      this.#run = item.run;
      this.#session = item.session;
    } else if (item.type === 'output' && item.stream === 'stderr') this.#written.stderr += item.text;
    else if (item.type === 'output') {
      const { text, calls } = this.#reader.push(item.text);
      this.#written.stdout += text;
      if (calls.length > 0) this.#tell({ kind: 'calls', calls });
    }
  }

  #tell(event: HeldEvent): void {
    // Calls that nobody will answer any more are dropped.
    this.#events = event.kind === 'calls' ? [...this.#events, event] : [event];
    this.#told?.();
  }
}
