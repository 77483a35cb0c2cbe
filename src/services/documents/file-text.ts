import { joinFormat, keepsFormat, splitFormat, type TextFormat, withLf } from '../../core/text-format.ts';
import { diffText, type TextEdit } from '../../core/text-diff.ts';

/**
 * How a document's text (LF alone) stands in its file. Where the line ends of a file are not all alike, the file's own
 * characters are kept, so that lines nobody touched keep theirs.
 */
export interface FileText {
  text: string;
  format: TextFormat;
  /** Only where line ends are mixed. */
  raw?: string;
}

/** `before`: how the file stood before; its line ends are those of what comes without any. */
export function fileTextOf(raw: string, before?: TextFormat): FileText {
  const { text, format } = splitFormat(raw);
  if (before !== undefined && !text.includes('\n')) format.eol = before.eol;
  return keepsFormat(raw) ? { text, format } : { text, format, raw };
}

/** Edits after which a text is one: with a NUL in it, the file would be binary, and nobody's to open. */
export function withoutNul(text: string): TextEdit[] {
  return [...text.matchAll(/\0+/g)].map(({ index, 0: { length } }) => ({ at: index, remove: length, insert: '\uFFFD'.repeat(length) }));
}

/** The characters to save for `text`, in the manner of the file. Read back they are that text, with LF alone: some editors type other line ends. */
export function rawTextOf(typed: string, file: FileText): string {
  const text = withLf(typed);
  if (file.raw === undefined) return joinFormat(text, file.format);
  const body = file.format.bom ? file.raw.slice(1) : file.raw;
  const lineBreak = joinFormat('\n', { eol: file.format.eol, bom: false });
  let result = file.format.bom ? '\uFEFF' : '';
  let endsWithCr = false;
  const add = (part: string): void => {
    if (part === '') return;
    // A break that comes to stand behind a CR would become one with it.
    const apart = endsWithCr ? part.replace(/^\n+/, (breaks) => '\r'.repeat(breaks.length)) : part;
    result += apart;
    endsWithCr = apart.endsWith('\r');
  };
  // Walks both forms of the old text at once: `at` in the text, `rawAt` in the file.
  let at = 0;
  let rawAt = 0;
  const walkTo = (end: number): void => {
    while (at < end) {
      rawAt += body[rawAt] === '\r' && body[rawAt + 1] === '\n' ? 2 : 1;
      at++;
    }
  };
  for (const edit of diffText(file.text, text)) {
    const from = rawAt;
    walkTo(edit.at);
    add(body.slice(from, rawAt));
    add(edit.insert.replaceAll('\n', lineBreak));
    walkTo(edit.at + edit.remove);
  }
  add(body.slice(rawAt));
  return result;
}
