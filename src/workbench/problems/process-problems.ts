import type { OutputItem, ProcessInfo } from '../../contract/processes.ts';
import { plainLine } from '../processes/log-lines.ts';
import { type Finding, ProblemLines } from './problem-lines.ts';

/** A screen that is wiped, as whoever watches files does before saying all anew. */
const wiped = /\u001b(?:c|\[[23]J)/;
/** What the compiler of TypeScript says instead where nobody looks at a screen. */
const anew = /\bStarting (?:incremental )?compilation in watch mode|\bStarting incremental compilation/;
const longestLine = 4_000;

type Stream = OutputItem['stream'];

/** Reads the log of one process for what is wrong; bounded by what it is given. */
export class ProcessProblems {
  /** Of its last start, which this has read. */
  readonly startedAt: number;
  #read: Record<Stream, number> | undefined;
  #over = false;
  readonly #readers: Record<Stream, ProblemLines> = { stdout: new ProblemLines(), stderr: new ProblemLines() };
  readonly #open: Record<Stream, string> = { stdout: '', stderr: '' };

  constructor({ startedAt }: Pick<ProcessInfo, 'startedAt'>) {
    this.startedAt = startedAt;
  }

  /** Bytes of each stream that were read; undefined before the first. */
  get read(): Readonly<Record<Stream, number>> | undefined {
    return this.#read;
  }

  /** Whether nothing is to be read, by what is known of the process. */
  isDone({ output, state }: Pick<ProcessInfo, 'output' | 'state'>): boolean {
    if (this.#over) return true;
    const { stdout = -1, stderr = -1 } = this.#read ?? {};
    return state !== 'ended' && output.stdout.end <= stdout && output.stderr.end <= stderr;
  }

  /** What the text says is wrong, and whether that takes the place of what was said before. */
  take({ stream, text = '' }: Pick<OutputItem, 'stream' | 'text'>): { findings: Finding[]; anew: boolean } {
    const lines = (this.#open[stream] + text).split('\n');
    this.#open[stream] = (lines.pop() ?? '').slice(0, longestLine);
    let findings: Finding[] = [];
    let isAnew = false;
    for (const line of lines) {
      const plain = plainLine(line);
      if (wiped.test(line) || anew.test(plain)) {
        isAnew = true;
        findings = [];
      }
      findings.push(...this.#readers[stream].take(plain));
    }
    return { findings, anew: isAnew };
  }

  /** All was read up to `next`: what is complete, and of one that is over what was left open. */
  settle(next: Readonly<Record<Stream, number>>, over: boolean): Finding[] {
    this.#read = { ...next };
    this.#over = over;
    return (['stdout', 'stderr'] as const).flatMap((stream) => {
      const reader = this.#readers[stream];
      if (!over) return reader.rest();
      const last = this.#open[stream] === '' ? [] : reader.take(plainLine(this.#open[stream]));
      this.#open[stream] = '';
      return [...last, ...reader.end()];
    });
  }
}
