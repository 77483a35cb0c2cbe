import type { Extension, Text } from '@codemirror/state';
import { Decoration, EditorView } from '@codemirror/view';
import type { FoundLine } from '../../contract/search.ts';
import { TextMarks } from './text-marks.ts';

const mark = Decoration.mark({ class: 'cm-hit' });
const hits = new TextMarks();

/** Marks what the search panel found, and takes the marks along when the text moves. */
export const searchMarks: Extension = [
  hits.field,
  // Weaker than what the editor's own search finds: code of every colour has to stay readable on it.
  EditorView.baseTheme({
    '.cm-hit': { backgroundColor: 'color-mix(in srgb, var(--ed-find) 60%, transparent)', borderRadius: 'var(--s-1)' },
  }),
];

/** Lines that read differently by now are left alone. */
export function showHits(view: EditorView, lines: readonly FoundLine[]): void {
  const { doc } = view.state;
  hits.show(
    view,
    lines.flatMap((line) => placesOf(line, doc)).map(({ from, to }) => mark.range(from, to)),
  );
}

export function placesOf({ line, text, ranges = [], cutAt = 0 }: FoundLine, doc: Text): { from: number; to: number }[] {
  if (line > doc.lines) return [];
  const start = doc.line(line).from + cutAt;
  if (doc.sliceString(start, start + text.length) !== text) return [];
  return ranges.filter(([from, to]) => to > from).map(([from, to]) => ({ from: start + from, to: start + to }));
}
