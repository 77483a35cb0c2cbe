export interface SelectedCode {
  text: string;
  /** In the document, from 1. */
  firstLine: number;
}

/**
 * What is selected, as a program of its own: of its first line the indent too, and the indent that all lines share left out.
 * Else a selected block of Python would not be one.
 */
export function selectedCode(text: string, from: number, to: number): SelectedCode {
  const lineStart = text.lastIndexOf('\n', from - 1) + 1;
  const begin = /^[ \t]*$/.test(text.slice(lineStart, from)) ? lineStart : from;
  const lines = text.slice(begin, to).split('\n');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)?.[0] ?? '');
  let shared = indents[0] ?? '';
  for (const indent of indents) while (!indent.startsWith(shared)) shared = shared.slice(0, -1);
  return {
    text: lines.map((line) => (line.startsWith(shared) ? line.slice(shared.length) : line.trimStart())).join('\n'),
    firstLine: text.slice(0, begin).split('\n').length,
  };
}
