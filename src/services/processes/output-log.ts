import { MAX_CHARACTER_BYTES } from '../../core/utf8.ts';
import type { Spool } from '../state/spool.ts';

export type OutputStream = 'stdout' | 'stderr';
/** Bytes of each stream that a reader has had. */
export type OutputPositions = Record<OutputStream, number>;

/** More changes between the streams than this are not remembered: what is older comes stream by stream. */
const MAX_RUNS = 10_000;

/** Consecutive bytes of one stream. */
interface StreamRun {
  stream: OutputStream;
  /** Offset in the stream after its last byte. */
  end: number;
}

export interface OutputPiece {
  stream: OutputStream;
  /** Of the first byte in its stream. */
  offset: number;
  bytes: Buffer;
  /** The next bytes of this stream, as far as a character of UTF-8 may reach; undefined where these are not kept any more. */
  following: () => Buffer | undefined;
  /** Bytes of this stream before the piece that are not kept any more, since where the reader was. */
  lost: number;
}

/** What a program wrote, to both its streams, by offset and in the order in which it came. */
export class OutputLog {
  readonly #spools: Readonly<Record<OutputStream, Spool>>;
  readonly #readers = new Set<() => void>();
  /** In order of arrival; the oldest may be dropped. */
  readonly #order = new StreamRuns();
  /** Where each stream stood before the first run that is remembered. */
  #before: OutputPositions;
  #ended = false;

  constructor(spools: Readonly<Record<OutputStream, Spool>>) {
    this.#spools = spools;
    this.#before = this.end;
  }

  get end(): OutputPositions {
    return { stdout: this.#spools.stdout.end, stderr: this.#spools.stderr.end };
  }

  get lost(): OutputPositions {
    return { stdout: this.#spools.stdout.lost, stderr: this.#spools.stderr.lost };
  }

  /** Of the end of each stream. */
  get keptBytes(): number {
    return this.#spools.stdout.limits.tailBytes;
  }

  /** Nothing comes any more. */
  get ended(): boolean {
    return this.#ended;
  }

  append(stream: OutputStream, bytes: Uint8Array): void {
    const spool = this.#spools[stream];
    spool.append(bytes);
    const last = this.#order.at(this.#order.length - 1);
    if (last?.stream === stream) this.#order.growLast(spool.end);
    else this.#order.push({ stream, end: spool.end });
    if (this.#order.length > MAX_RUNS) this.#forgetHalf();
    this.#tell();
  }

  /** Nothing will come any more. */
  finish(): void {
    this.#ended = true;
    for (const spool of Object.values(this.#spools)) spool.close();
    this.#tell();
  }

  /** What is being read goes on: the program was started again. */
  goOn(): void {
    this.#ended = false;
  }

  /** False while the disk does not take what comes. */
  get isStored(): boolean {
    return this.#spools.stdout.isStored && this.#spools.stderr.isStored;
  }

  /** Somebody reads it, and is told of what comes. */
  get isRead(): boolean {
    return this.#readers.size > 0;
  }

  /** Called at each growth and at the end; returns the way to stop. */
  onGrowth(reader: () => void): () => void {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  /** What comes next for a reader who has had so much; undefined when there is no more for now. */
  next(had: OutputPositions, streams: readonly OutputStream[], maxBytes: number): OutputPiece | undefined {
    const run = this.#runAfter(had, streams);
    if (run === undefined) return undefined;
    const from = had[run.stream];
    const spool = this.#spools[run.stream];
    // What is kept may begin after the run.
    const { offset, bytes } = spool.read(from, Math.min(maxBytes, run.end - from));
    const following = (): Buffer | undefined => {
      const after = spool.read(offset + bytes.length, MAX_CHARACTER_BYTES - 1);
      return after.offset === offset + bytes.length ? after.bytes : undefined;
    };
    return { stream: run.stream, offset, bytes, following, lost: offset - from };
  }

  remove(): void {
    for (const spool of Object.values(this.#spools)) spool.remove();
  }

  #runAfter(had: OutputPositions, streams: readonly OutputStream[]): StreamRun | undefined {
    for (const stream of streams) if (had[stream] < this.#before[stream]) return { stream, end: this.#before[stream] };
    let [low, high] = [0, this.#order.length];
    // Every run before `low` was had, as each stream is read in its order.
    while (low < high) {
      const middle = (low + high) >> 1;
      const { stream, end } = this.#order.at(middle) as StreamRun;
      if (streams.includes(stream) && end > had[stream]) high = middle;
      else if (this.#anyBefore(middle, had, streams)) high = middle;
      else low = middle + 1;
    }
    return this.#order.at(low);
  }

  /** Whether something that was not had lies before a run: the last run of the other stream says so. */
  #anyBefore(index: number, had: OutputPositions, streams: readonly OutputStream[]): boolean {
    const other = this.#order.at(index - 1);
    return other !== undefined && streams.includes(other.stream) && other.end > had[other.stream];
  }

  #forgetHalf(): void {
    for (const { stream, end } of this.#order.takeFirst(MAX_RUNS / 2)) this.#before[stream] = end;
  }

  #tell(): void {
    for (const reader of this.#readers) reader();
  }
}

/** A list of runs as plain numbers: hundreds of logs have one each. */
class StreamRuns {
  /** Twice the end, and one more for stderr. */
  #numbers: number[] = [];

  get length(): number {
    return this.#numbers.length;
  }

  at(index: number): StreamRun | undefined {
    const number = this.#numbers[index];
    return number === undefined ? undefined : runOf(number);
  }

  push({ stream, end }: StreamRun): void {
    this.#numbers.push(numberOf(stream, end));
  }

  growLast(end: number): void {
    const last = this.#numbers.length - 1;
    const { stream } = runOf(this.#numbers[last] as number);
    this.#numbers[last] = numberOf(stream, end);
  }

  takeFirst(count: number): StreamRun[] {
    return this.#numbers.splice(0, count).map(runOf);
  }
}

function numberOf(stream: OutputStream, end: number): number {
  return end * 2 + (stream === 'stderr' ? 1 : 0);
}

function runOf(number: number): StreamRun {
  return { stream: number % 2 === 1 ? 'stderr' : 'stdout', end: Math.floor(number / 2) };
}
