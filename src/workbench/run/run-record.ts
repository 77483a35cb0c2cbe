import { type Signal, signal } from '@preact/signals';
import type { CodeItem, CodeOutcome, IsolationInfo } from '../../contract/code.ts';
import type { ErrorFacts } from '../client-port.ts';
import { LogLines } from '../processes/log-lines.ts';
import type { RichValue } from './rich-value.ts';
import { richValue } from './rich-value.ts';

/** asking: sent, nothing heard; over: with an outcome, a problem, or lost with the link. */
export type RunPhase = 'asking' | 'queued' | 'running' | 'over';

export const mostDisplays = 100;
/** Of all that is shown of one run beside its text, characters. */
const maxDisplayCharacters = 32 * 1024 * 1024;

export interface Display {
  key: number;
  value: RichValue;
}

/** One run as this page sees it: what came, and how it ended. Bounded, however much comes. */
export class RunRecord {
  /** Where the file is by now. */
  path: string;
  /** Of the code, in that file, from 1. */
  readonly firstLine: number;
  /** Files of the workspace that were put beside the code. */
  readonly beside: readonly string[];
  readonly title: string;
  readonly language: string;
  readonly startedAt: number;
  readonly phase: Signal<RunPhase> = signal('asking');
  /** Runs before it, while it waits. */
  readonly ahead = signal(0);
  readonly stage: Signal<'compile' | 'run' | undefined> = signal(undefined);
  readonly cached = signal(false);
  readonly compile = new LogLines();
  readonly program = new LogLines();
  /** Raised when text came, once a frame at most. */
  readonly version = signal(0);
  readonly displays: Signal<readonly Display[]> = signal([]);
  readonly omittedDisplays = signal(0);
  readonly isolation: Signal<IsolationInfo | undefined> = signal(undefined);
  readonly outcome: Signal<CodeOutcome | undefined> = signal(undefined);
  readonly problem: Signal<ErrorFacts | undefined> = signal(undefined);
  /** Of this page, beside those of the outcome. */
  readonly notes: Signal<readonly string[]> = signal([]);
  readonly stopping = signal(false);
  /** Its id, once it began. */
  id: string | undefined;
  endedAt: number | undefined;
  #displayCharacters = 0;
  #nextKey = 0;
  #soon = false;
  readonly #drawn: () => Promise<void>;

  /** `drawn` resolves when the page was drawn; for as long as it is hidden, not at all. */
  constructor(
    about: Pick<RunRecord, 'path' | 'beside' | 'title' | 'firstLine' | 'language' | 'startedAt'> & { drawn: () => Promise<void> },
  ) {
    this.path = about.path;
    this.beside = about.beside;
    this.title = about.title;
    this.firstLine = about.firstLine;
    this.language = about.language;
    this.startedAt = about.startedAt;
    this.#drawn = about.drawn;
  }

  /** Characters that it holds. */
  get size(): number {
    return this.compile.size + this.program.size + this.#displayCharacters;
  }

  take(item: CodeItem): void {
    switch (item.type) {
      case 'queued':
        this.phase.value = 'queued';
        this.ahead.value = item.ahead;
        return;
      case 'started':
        this.id = item.run;
        this.phase.value = 'running';
        this.isolation.value = item.isolation;
        return;
      case 'stage':
        this.stage.value = item.stage;
        if (item.stage === 'compile') this.cached.value = item.cached;
        return;
      case 'output':
        (item.stage === 'compile' ? this.compile : this.program).add(item.stream, item.text);
        this.#showSoon();
        return;
      case 'display':
        this.#display(item.data);
    }
  }

  end(outcome: CodeOutcome, now: number): void {
    for (const [lines, stage] of [[this.compile, outcome.compile] as const, [this.program, outcome.program] as const])
      for (const stream of ['stdout', 'stderr'] as const) {
        const lost = stage?.omittedBytes[stream] ?? 0;
        if (lost > 0) lines.add(stream, '', lost);
      }
    this.outcome.value = outcome;
    this.isolation.value = outcome.isolation;
    this.#over(now);
  }

  fail(problem: ErrorFacts, now: number): void {
    this.problem.value = problem;
    this.#over(now);
  }

  note(text: string): void {
    this.notes.value = [...this.notes.value, text];
  }

  #over(now: number): void {
    this.endedAt = now;
    this.phase.value = 'over';
    this.version.value += 1;
  }

  #display(data: Readonly<Record<string, string>>): void {
    const value = richValue(data);
    if (value === undefined) return;
    const size = value.text.length;
    if (this.displays.value.length >= mostDisplays || this.#displayCharacters + size > maxDisplayCharacters) {
      this.omittedDisplays.value += 1;
      return;
    }
    this.#displayCharacters += size;
    this.displays.value = [...this.displays.value, { key: this.#nextKey++, value }];
  }

  #showSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    void this.#drawn().then(() => {
      this.#soon = false;
      this.version.value += 1;
    });
  }
}
