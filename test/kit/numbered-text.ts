// What programs of tests write: lines with numbers and all that makes a terminal's life hard, the same for the same seed.
import path from 'node:path';
import { Random } from './random.ts';

/** Writes it: see there for its arguments. */
export const numberedProgram = path.join(import.meta.dirname, 'numbered-program.ts');

const pieces = [
  'plain text',
  '漢字かな交じり文',
  '한글 소리 마디',
  'e\u0301a\u0308o\u0302 combined',
  '😀👍🏽 faces',
  '\u001b[31mred\u001b[0m and \u001b[1;4;38;5;208mloud\u001b[0m',
  '\u001b[48;2;10;20;30mbehind\u001b[0m',
  'ten\rTWENTY\rthirty per cent',
  'tab\tstops\there',
  'grüße äöü ß €',
  '\u001b]2;title 漢\u0007',
  '\u001b(0lqqk\u001b(B',
  '-'.repeat(97),
  '界'.repeat(45),
] as const;

/** `count` lines, each with its number, ended by a line feed. */
export function numberedLines(seed: number, count: number, name = ''): string[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, index) => {
    const parts = Array.from({ length: random.below(4) }, () => random.of(pieces));
    return `${[`${name}${index + 1}`, ...parts].join(' ')}\n`;
  });
}

/** Lines without an end of their own, `bytes` long or a little more. */
export function numberedFlood(seed: number, bytes: number): string {
  const block = numberedLines(seed, 200).join('');
  let text = '';
  let length = 0;
  for (let number = 0; length < bytes; number++) {
    const next = `${number} ${block}`;
    text += next;
    length += Buffer.byteLength(next);
  }
  return text;
}

/** What stands on the screen of a program that draws it whole, at a size. */
export function paintedFrame(seed: number, frame: number, columns: number, rows: number): string {
  const random = new Random(seed + frame * 7919 + 1);
  let text = `\u001b]2;frame ${frame}\u0007\u001b[0m\u001b[2J\u001b[H`;
  for (let row = 0; row < rows; row++) {
    const word = random.of(pieces.filter((piece) => !piece.includes('\r') && !piece.includes('\t') && piece.length < 60));
    text += `\u001b[${row + 1};${1 + random.below(columns)}H\u001b[${31 + random.below(6)}m${row}\u001b[0m${columns > 60 ? word : ''}`;
  }
  return `${text}\u001b[${rows};1H\u001b[7mframe ${frame} of ${columns}x${rows}\u001b[0m`;
}
