import { OutriggerError } from '../../contract/errors.ts';
import { MAX_BATCH_BYTES } from '../workspace/batch-plan.ts';

/** Of all files together: each is an object of its own until its file is made anew. */
const MAX_MATCHES = 500_000;

/** The matches of one file, in order, and what each becomes. */
export interface FileMatches {
  path: string;
  matches: FileMatch[];
  /** Not all of a line came: there is more than could be known here, and no match is kept. */
  tooLong: boolean;
}

export interface FileMatch {
  /** Number of the line, from 1; of a match over several lines, the first. */
  line: number;
  /** In bytes of the file, a byte order mark not counted. */
  start: number;
  end: number;
  text: Buffer;
  replacement: Buffer;
}

type RgText = { text: string } | { bytes: string };

interface RgMessage {
  type: 'begin' | 'match' | 'context' | 'end' | 'summary';
  data: {
    path: RgText | null;
    line_number: number | null;
    absolute_offset: number;
    submatches: { match: RgText; replacement?: RgText; start: number; end: number }[];
  };
}

export interface ReplacementReaderOptions {
  stripPlace: (path: string) => string;
  /** False for lines whose matches stay as they are. */
  isWanted: (path: string, line: number) => boolean;
}

/** Of all files together. */
export interface ReplacementLimits {
  matches: number;
  /** Of what they become. */
  bytes: number;
}

/** Gathers what ripgrep says of each file when it is asked to replace (docs.rs/grep-printer, `JSON`). */
export class ReplacementReader {
  readonly #options: ReplacementReaderOptions;
  readonly #limits: ReplacementLimits;
  #file: FileMatches | undefined;
  /** In all files before this one. */
  #before = { matches: 0, bytes: 0 };
  /** With this one. */
  #count = { matches: 0, bytes: 0 };

  constructor(options: ReplacementReaderOptions, limits: ReplacementLimits = { matches: MAX_MATCHES, bytes: MAX_BATCH_BYTES }) {
    this.#options = options;
    this.#limits = limits;
  }

  /** The file that ends with this message. `shortened`: strings and lists of it may lack their ends. Throws OUTPUT_TOO_LARGE. */
  push(json: string, shortened: boolean): FileMatches | undefined {
    const { type, data } = JSON.parse(json) as RgMessage;
    if (type === 'begin')
      this.#file = { path: data.path === null ? '' : this.#options.stripPlace(bytesOf(data.path).toString()), matches: [], tooLong: false };
    const file = this.#file;
    if (file === undefined) return undefined;
    if (type === 'match' && !file.tooLong && this.#options.isWanted(file.path, data.line_number ?? 1)) {
      if (shortened) this.#giveUp(file);
      else this.#add(file, data);
    }
    if (type !== 'end') return undefined;
    this.#file = undefined;
    this.#before = { ...this.#count };
    return file.matches.length > 0 || file.tooLong ? file : undefined;
  }

  #giveUp(file: FileMatches): void {
    file.tooLong = true;
    file.matches = [];
    this.#count = { ...this.#before };
  }

  #add(file: FileMatches, { line_number: line, absolute_offset: offset, submatches }: RgMessage['data']): void {
    for (const { match, replacement, start, end } of submatches) {
      const becomes = replacement === undefined ? Buffer.alloc(0) : bytesOf(replacement);
      this.#count.matches++;
      this.#count.bytes += becomes.length;
      file.matches.push({ line: line ?? 1, start: offset + start, end: offset + end, text: bytesOf(match), replacement: becomes });
    }
    const { matches, bytes } = this.#limits;
    const beyond = this.#count.matches > matches ? `${matches} places match` : `${bytes} bytes come of what matches`;
    if (this.#count.matches > matches || this.#count.bytes > bytes)
      throw new OutriggerError('OUTPUT_TOO_LARGE', `More than ${beyond}, which is too much to be replaced at once. Narrow the search.`);
  }
}

function bytesOf(value: RgText): Buffer {
  return 'text' in value ? Buffer.from(value.text) : Buffer.from(value.bytes, 'base64');
}
