import { type Signal, signal } from '@preact/signals';
import { type ErrorFacts, errorFacts, type WorkbenchClient } from '../client-port.ts';
import { type LogLine, LogLines, type LogStream } from './log-lines.ts';

/** Of the end of each stream, read first: a screenful comes at once, and the rest when it is asked for. */
const firstBytes = 256 * 1024;
/** Taken in before the page may draw. */
const frameCharacters = 256 * 1024;

export interface ProcessLogDependencies {
  client: WorkbenchClient;
  /** Resolves when the page was drawn; for as long as it is hidden, not at all: the sidecar waits then. */
  drawn: () => Promise<void>;
}

/** The log of one process, followed to its end and over lost links; bounded, however much comes. */
export class ProcessLog {
  readonly id: string;
  #lines = new LogLines();
  /** Raised when lines came, once a frame at most. */
  readonly version = signal(0);
  readonly reading = signal(true);
  readonly problem: Signal<ErrorFacts | undefined> = signal(undefined);
  /** Bytes before what is shown that could still be asked for. */
  readonly earlier = signal(0);
  readonly positions: Record<LogStream, number> = { stdout: 0, stderr: 0 };
  readonly #dependencies: ProcessLogDependencies;
  #decoders = newDecoders();
  #known = false;
  #stop = new AbortController();
  #soon = false;

  constructor(dependencies: ProcessLogDependencies, id: string) {
    this.#dependencies = dependencies;
    this.id = id;
  }

  get lines(): readonly LogLine[] {
    return this.#lines.lines;
  }

  /** Lines that are not held any more. */
  get dropped(): number {
    return this.#lines.dropped;
  }

  /** Follows it from where it was; resolves at once. */
  start(): void {
    this.stop();
    this.#stop = new AbortController();
    this.reading.value = true;
    this.problem.value = undefined;
    void this.#follow(this.#stop.signal);
  }

  /** Reads it anew, from its first byte. */
  startAtBeginning(): void {
    this.#lines = new LogLines();
    this.#decoders = newDecoders();
    this.earlier.value = 0;
    Object.assign(this.positions, { stdout: 0, stderr: 0 });
    this.#known = true;
    this.version.value += 1;
    this.start();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { client, drawn } = this.#dependencies;
    const ask = () => {
      const common = { id: this.id, follow: true, encoding: 'base64' as const };
      return this.#known ? { ...common, from: { ...this.positions } } : { ...common, last: firstBytes };
    };
    try {
      let taken = 0;
      for await (const item of client.stream('processes.output', ask(), { signal, onResume: ask })) {
        if (signal.aborted) return;
        taken += this.#take(item);
        if (taken < frameCharacters) {
          this.#showSoon();
          continue;
        }
        taken = 0;
        this.version.value += 1;
        await drawn();
        if (signal.aborted) return;
      }
      this.reading.value = false;
    } catch (error) {
      if (signal.aborted) return;
      this.problem.value = errorFacts(error);
      this.reading.value = false;
    }
    this.version.value += 1;
  }

  #take({
    stream,
    offset,
    base64 = '',
    lost = 0,
  }: {
    stream: LogStream;
    offset: number;
    base64?: string | undefined;
    lost?: number | undefined;
  }): number {
    // The first of a stream may begin in its middle.
    if (this.positions[stream] === 0 && offset > lost) this.earlier.value += offset - lost;
    this.#known = true;
    const bytes = bytesOf(base64);
    this.positions[stream] = offset + bytes.length;
    if (lost > 0) this.#decoders[stream] = new TextDecoder();
    const text = this.#decoders[stream].decode(bytes, { stream: true });
    this.#lines.add(stream, text, lost);
    return text.length;
  }

  #showSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    void this.#dependencies.drawn().then(() => {
      this.#soon = false;
      this.version.value += 1;
    });
  }
}

function newDecoders(): Record<LogStream, TextDecoder> {
  return { stdout: new TextDecoder(), stderr: new TextDecoder() };
}

function bytesOf(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}
