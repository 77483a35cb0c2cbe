/** The matches of one file, in order, and what each becomes. */
export interface FileMatches {
  path: string;
  matches: FileMatch[];
  /** Not all of a line came: there is more than is known here. */
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

/** Gathers what ripgrep says of each file when it is asked to replace (docs.rs/grep-printer, `JSON`). */
export class ReplacementReader {
  readonly #stripPlace: (path: string) => string;
  #file: FileMatches | undefined;

  constructor(stripPlace: (path: string) => string) {
    this.#stripPlace = stripPlace;
  }

  /** The file that ends with this message. `shortened`: strings and lists of it may lack their ends. */
  push(json: string, shortened: boolean): FileMatches | undefined {
    const { type, data } = JSON.parse(json) as RgMessage;
    if (type === 'begin')
      this.#file = { path: data.path === null ? '' : this.#stripPlace(bytesOf(data.path).toString()), matches: [], tooLong: false };
    const file = this.#file;
    if (file === undefined) return undefined;
    if (type === 'match') {
      file.tooLong ||= shortened;
      for (const { match, replacement, start, end } of data.submatches) {
        file.matches.push({
          line: data.line_number ?? 1,
          start: data.absolute_offset + start,
          end: data.absolute_offset + end,
          text: bytesOf(match),
          replacement: replacement === undefined ? Buffer.alloc(0) : bytesOf(replacement),
        });
      }
    }
    if (type !== 'end') return undefined;
    this.#file = undefined;
    return file.matches.length > 0 || file.tooLong ? file : undefined;
  }
}

function bytesOf(value: RgText): Buffer {
  return 'text' in value ? Buffer.from(value.text) : Buffer.from(value.bytes, 'base64');
}
