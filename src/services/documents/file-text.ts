import { joinFormat, keepsFormat, splitFormat, type TextFormat } from '../../core/text-format.ts';
import { diffText } from '../../core/text-diff.ts';

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

export function fileTextOf(raw: string): FileText {
  const { text, format } = splitFormat(raw);
  return keepsFormat(raw) ? { text, format } : { text, format, raw };
}

/** The characters to save for `text`, in the manner of the file. */
export function rawTextOf(text: string, file: FileText): string {
  if (file.raw === undefined) return joinFormat(text, file.format);
  const body = file.format.bom ? file.raw.slice(1) : file.raw;
  const lineBreak = joinFormat('\n', { eol: file.format.eol, bom: false });
  let result = file.format.bom ? '\uFEFF' : '';
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
    result += body.slice(from, rawAt) + edit.insert.replaceAll('\n', lineBreak);
    walkTo(edit.at + edit.remove);
  }
  return result + body.slice(rawAt);
}
