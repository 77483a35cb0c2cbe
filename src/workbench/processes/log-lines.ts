import { byteSize } from '../words.ts';

export type LogStream = 'stdout' | 'stderr';

export interface LogLine {
  /** Ascending from the first that came. */
  key: number;
  /** `lost`: says what is missing here. */
  stream: LogStream | 'lost';
  text: string;
}

export interface LogLimits {
  lines: number;
  characters: number;
}

/** Longer lines are shown as several. */
const maxLineLength = 4_000;
const commonLimits: LogLimits = { lines: 50_000, characters: 8 * 1024 * 1024 };

const escape = '\u001b';
const bell = '\u0007';
/** Colours and cursor moves (CSI), titles and links (OSC), other strings, and short sequences. */
const sequences = new RegExp(
  [
    `${escape}\\[[0-?]*[ -/]*[@-~]?`,
    `${escape}\\][^${bell}${escape}]*(?:${bell}|${escape}\\\\)?`,
    `${escape}[PX^_][^${escape}]*(?:${escape}\\\\)?`,
    `${escape}[ -/]*[0-~]?`,
  ].join('|'),
  'g',
);
const controls = new RegExp('[\\u0000-\\u0008\\u000b-\\u001f\\u007f]', 'g');

/** A line as it is read, not as a terminal would draw it: colours are left out, and of what a program wrote over itself the last stays. */
export function plainLine(raw: string): string {
  const text = raw.replace(sequences, '').replace(/\r+$/, '');
  return text
    .slice(text.lastIndexOf('\r') + 1)
    .replace(controls, (sign) => String.fromCodePoint(0x2400 + Math.min(sign.charCodeAt(0), 0x21)));
}

/** What a program wrote, in lines, in the order in which they began; of endless output the end. */
export class LogLines {
  lines: LogLine[] = [];
  /** Lines that were dropped at the start, to keep within the limits. */
  dropped = 0;
  readonly #limits: LogLimits;
  readonly #open: Record<LogStream, { line: LogLine; raw: string } | undefined> = { stdout: undefined, stderr: undefined };
  #characters = 0;
  #nextKey = 0;

  constructor(limits: LogLimits = commonLimits) {
    this.#limits = limits;
  }

  /** Characters that are held. */
  get size(): number {
    return this.#characters;
  }

  /** `lost`: bytes of the stream that are missing before the text. */
  add(stream: LogStream, text: string, lost = 0): void {
    if (lost > 0) {
      this.#open[stream] = undefined;
      this.#push('lost', `${byteSize(lost)} left out`);
    }
    for (let from = 0; from < text.length; ) {
      const end = text.indexOf('\n', from);
      this.#append(stream, text.slice(from, end < 0 ? text.length : end));
      if (end < 0) break;
      this.#open[stream] = undefined;
      from = end + 1;
    }
    this.#bound();
  }

  #append(stream: LogStream, text: string): void {
    let rest = text;
    do {
      const open = (this.#open[stream] ??= { line: this.#push(stream, ''), raw: '' });
      const room = maxLineLength - open.raw.length;
      const cut = rest.length <= room ? rest.length : endOfCharacter(rest, room);
      open.raw += rest.slice(0, cut);
      rest = rest.slice(cut);
      this.#characters -= open.line.text.length;
      open.line.text = plainLine(open.raw);
      this.#characters += open.line.text.length;
      if (rest !== '') this.#open[stream] = undefined;
    } while (rest !== '');
  }

  #push(stream: LogLine['stream'], text: string): LogLine {
    const line = { key: this.#nextKey++, stream, text };
    this.lines.push(line);
    this.#characters += text.length;
    return line;
  }

  #bound(): void {
    const { lines, characters } = this.#limits;
    if (this.lines.length <= lines && this.#characters <= characters) return;
    // A tenth more than has to go, so that not each line costs a move of all.
    let drop = Math.max(0, this.lines.length - Math.floor(lines * 0.9));
    let left = this.#characters;
    for (let at = 0; at < this.lines.length && (at < drop || left > characters * 0.9); at += 1) {
      left -= (this.lines[at] as LogLine).text.length;
      drop = Math.max(drop, at + 1);
    }
    drop = Math.min(drop, this.lines.length - 1);
    for (const { text } of this.lines.splice(0, drop)) this.#characters -= text.length;
    this.dropped += drop;
    const [first] = this.lines;
    for (const stream of ['stdout', 'stderr'] as const)
      if ((this.#open[stream]?.line.key ?? 0) < (first?.key ?? 0)) this.#open[stream] = undefined;
  }
}

/** Not between the halves of one character. */
function endOfCharacter(text: string, at: number): number {
  const code = text.charCodeAt(at - 1);
  return code >= 0xd800 && code < 0xdc00 ? Math.max(1, at - 1) : Math.max(1, at);
}
