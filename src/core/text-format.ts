export type Eol = 'lf' | 'crlf' | 'cr';

/** How a text stands in its file, beside its characters. */
export interface TextFormat {
  eol: Eol;
  bom: boolean;
}

export const lfAlone: TextFormat = { eol: 'lf', bom: false };

export function isSameFormat(one: TextFormat, other: TextFormat): boolean {
  return one.eol === other.eol && one.bom === other.bom;
}

const breaks: Readonly<Record<Eol, string>> = { lf: '\n', crlf: '\r\n', cr: '\r' };

/** The text with LF alone, and what is needed to give it its line ends back. The commonest line end counts; ties and none: LF. */
export function splitFormat(raw: string): { text: string; format: TextFormat } {
  const bom = raw.charCodeAt(0) === 0xfeff;
  const body = bom ? raw.slice(1) : raw;
  if (!body.includes('\r')) return { text: body, format: { eol: 'lf', bom } };
  const crlf = count(body, '\r\n');
  const lf = count(body, '\n') - crlf;
  const cr = count(body, '\r') - crlf;
  const eol: Eol = crlf > lf && crlf >= cr ? 'crlf' : cr > lf && cr > crlf ? 'cr' : 'lf';
  return { text: withLf(body), format: { eol, bom } };
}

/** With LF in the place of every other line end. */
export function withLf(text: string): string {
  return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
}

/** The inverse of splitFormat, for texts whose line ends are all alike. */
export function joinFormat(text: string, format: TextFormat): string {
  const body = format.eol === 'lf' ? text : text.replaceAll('\n', breaks[format.eol]);
  return format.bom ? `\uFEFF${body}` : body;
}

/** Whether splitting and joining gives the same characters: false for mixed line ends. */
export function keepsFormat(raw: string): boolean {
  const { text, format } = splitFormat(raw);
  return joinFormat(text, format) === raw;
}

function count(text: string, part: string): number {
  let found = 0;
  for (let i = text.indexOf(part); i >= 0; i = text.indexOf(part, i + part.length)) found++;
  return found;
}
