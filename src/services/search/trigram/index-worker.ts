// A thread of the index: reads files, finds their trigrams, writes segments. Everything comes in as workerData and messages.

import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { FileReader } from './file-grams.ts';
import { GramCollector } from './fold.ts';
import type { FromThread, ThreadSettings, ToThread } from './index-messages.ts';
import { SegmentBuilder, writeSegment } from './segment-builder.ts';
import { flagBinary, segmentSuffix, temporarySuffix } from './segment-format.ts';
import { verifySegment } from './segment.ts';

class IndexThread {
  readonly #port: MessagePort;
  readonly #settings: ThreadSettings;
  readonly #collector = new GramCollector();
  readonly #reader: FileReader;
  readonly #builder = new SegmentBuilder();
  #numbers: number[] = [];
  #written = 0;
  /** The write under way. There is one at a time, so that memory is bounded. */
  #writing: Promise<void> = Promise.resolve();

  constructor(port: MessagePort, settings: ThreadSettings) {
    this.#port = port;
    this.#settings = settings;
    this.#reader = new FileReader(this.#collector, settings);
  }

  async receive(message: ToThread): Promise<void> {
    switch (message.type) {
      case 'add': {
        const failed = { missing: [] as number[], unreadable: [] as number[] };
        for (const [index, path] of message.paths.entries()) {
          const number = message.numbers[index] as number;
          let failure = this.#add(path, number);
          if (failure === 'no room') {
            await this.#write();
            failure = this.#add(path, number);
          }
          if (failure === 'missing' || failure === 'unreadable') failed[failure].push(number);
          if (this.#builder.isFull) await this.#write();
        }
        this.#send({ type: 'added', chunk: message.chunk, ...failed });
        break;
      }
      case 'finish':
        if (!this.#builder.isEmpty) await this.#write();
        await this.#writing;
        this.#send({ type: 'finished' });
        break;
      case 'index': {
        const files = message.paths.map((path) => this.#reader.readWhole(path));
        const buffers = files.flatMap((file) => (file.state === 'indexed' ? [file.grams.buffer as ArrayBuffer] : []));
        this.#send({ type: 'indexed', id: message.id, files }, buffers);
        break;
      }
      case 'verify':
        this.#send({ type: 'verified', id: message.id, damage: damageOf(message.path) });
        break;
      case 'crash':
        throw new Error('The thread was told to end, for a test.');
    }
  }

  /**
   * All parts of a file go into one segment. Where they do not fit into an empty one, or it turns out to be binary, it goes in whole; 'no room', and
   * nothing is added, where they do not fit into this one.
   */
  #add(path: string, number: number): 'missing' | 'unreadable' | 'no room' | undefined {
    const builder = this.#builder;
    const before = builder.length;
    let fits = true;
    let file = this.#reader.read(path, (part) => {
      fits &&= builder.add(part, this.#collector.grams);
    });
    if (typeof file === 'string' || !fits || (file.flags & flagBinary) !== 0) builder.takeBack(before);
    if (typeof file !== 'string' && !fits && before > 0) return 'no room';
    if (typeof file !== 'string' && !fits) file = this.#reader.read(path);
    if (typeof file === 'string') return file;
    if (builder.length === before) builder.add(file, this.#collector.grams);
    while (this.#numbers.length < builder.length) this.#numbers.push(number);
    return undefined;
  }

  /** Resolves when the segment is handed to the system; what was collected is given up. */
  async #write(): Promise<void> {
    await this.#writing;
    const { folder, name, sequence } = this.#settings;
    const base = join(folder, `${name}-${this.#written++}`);
    const numbers = this.#numbers;
    this.#numbers = [];
    this.#writing = writeSegment(base + segmentSuffix, base + temporarySuffix, this.#builder.encode(sequence)).then(
      () => this.#send({ type: 'segment', path: base + segmentSuffix, numbers }),
      ({ code, message }: NodeJS.ErrnoException) => this.#send({ type: 'unwritten', code: code ?? 'unknown', message, numbers }),
    );
    this.#builder.clear();
  }

  #send(message: FromThread, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}

function damageOf(path: string): string | null {
  try {
    verifySegment(path);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function run(port: MessagePort): void {
  const thread = new IndexThread(port, workerData as ThreadSettings);
  // One message after the other; one that fails ends the thread, and whoever sent it hears of that.
  let turn = Promise.resolve();
  port.on('message', (message: ToThread) => {
    turn = turn.then(() => thread.receive(message));
  });
}

if (parentPort) run(parentPort);
