import type { DocumentInfo } from '../../contract/documents.ts';

const lineEnds = { lf: '\n', crlf: '\r\n', cr: '\r' } as const;

/** The text of a document as its file had it: with its line ends, and the mark that stood before it. */
export function inForm(text: string, { eol, bom }: Pick<DocumentInfo, 'eol' | 'bom'> = { eol: 'lf', bom: false }): string {
  return (bom ? '\uFEFF' : '') + text.replace(/\r\n?|\n/g, lineEnds[eol]);
}
