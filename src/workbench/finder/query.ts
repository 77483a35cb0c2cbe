export type Query =
  | { kind: 'command'; text: string }
  | { kind: 'text'; text: string }
  | { kind: 'symbol'; scope: 'document' | 'workspace'; text: string }
  | { kind: 'line'; text: string; line: number | undefined; column: number | undefined }
  | { kind: 'file'; text: string; line: number | undefined; column: number | undefined };

/** What was typed: `> command`, `@symbol` of the document, `@@symbol` of the workspace, `#text` in all files, `:line`, or a file with `:line:column` behind it. */
export function parseQuery(text: string): Query {
  if (text.startsWith('>')) return { kind: 'command', text: text.slice(1).trim() };
  if (text.startsWith('@@')) return { kind: 'symbol', scope: 'workspace', text: text.slice(2).trim() };
  if (text.startsWith('@')) return { kind: 'symbol', scope: 'document', text: text.slice(1).trim() };
  if (text.startsWith('#')) return { kind: 'text', text: text.slice(1).trim() };
  const [, name = '', line, column] = /^(.*?)(?::(\d*))?(?::(\d*))?$/s.exec(text) ?? [];
  const place = { line: positive(line), column: positive(column) };
  return text.startsWith(':') ? { kind: 'line', text: '', ...place } : { kind: 'file', text: name.trim(), ...place };
}

function positive(text: string | undefined): number | undefined {
  const number = Number(text);
  return text === undefined || text === '' || number < 1 ? undefined : number;
}
