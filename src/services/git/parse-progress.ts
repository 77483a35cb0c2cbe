/** How far a conversation with another machine is. */
export interface Progress {
  /** As git names it, e.g. "Receiving objects". */
  phase: string;
  done: number;
  /** null while git does not know it. */
  total: number | null;
  percent: number | null;
}

/** Longest line that is looked at; what is longer is no progress. */
const MAX_LINE = 1000;

/** Reads the progress that git writes over itself, out of pieces that may end anywhere. */
export class ProgressReader {
  #rest = '';

  /** Lines that this piece ended, each that tells of progress. */
  add(piece: string): Progress[] {
    const lines = (this.#rest + piece).split(/[\r\n]/);
    this.#rest = (lines.pop() ?? '').slice(0, MAX_LINE);
    return lines.flatMap((line) => parseProgress(line) ?? []);
  }
}

/** `remote: Counting objects:  45% (9/20), 1.2 MiB`; undefined for what else git says. */
export function parseProgress(line: string): Progress | undefined {
  const [, phase, percent, done, total, count] =
    /^(?:remote: )?([A-Z][A-Za-z ]*?):\s+(?:(\d{1,3})% \((\d+)\/(\d+)\)|(\d+))(?:,|\s*$)/.exec(line) ?? [];
  if (phase === undefined) return undefined;
  if (percent === undefined) return { phase, done: Number(count), total: null, percent: null };
  return { phase, done: Number(done), total: Number(total), percent: Number(percent) };
}
