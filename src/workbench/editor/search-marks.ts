import { type Extension, StateEffect, StateField, type Text } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView } from '@codemirror/view';
import type { FoundLine } from '../../contract/search.ts';

const mark = Decoration.mark({ class: 'cm-hit' });
const setMarks = StateEffect.define<DecorationSet>();

const markField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(value, transaction) {
    const set = transaction.effects.find((effect) => effect.is(setMarks));
    return set === undefined ? value.map(transaction.changes) : (set.value as DecorationSet);
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Marks what the search panel found, and takes the marks along when the text moves. */
export const searchMarks: Extension = [
  markField,
  // Weaker than what the editor's own search finds: code of every colour has to stay readable on it.
  EditorView.baseTheme({
    '.cm-hit': { backgroundColor: 'color-mix(in srgb, var(--ed-find) 60%, transparent)', borderRadius: 'var(--s-1)' },
  }),
];

/** Lines that read differently by now are left alone. */
export function showHits(view: EditorView, lines: readonly FoundLine[]): void {
  if (lines.length === 0 && view.state.field(markField).size === 0) return;
  const { doc } = view.state;
  const marks = lines.flatMap((line) => placesOf(line, doc)).map(({ from, to }) => mark.range(from, to));
  view.dispatch({ effects: setMarks.of(Decoration.set(marks, true)) });
}

export function placesOf({ line, text, ranges = [], cutAt = 0 }: FoundLine, doc: Text): { from: number; to: number }[] {
  if (line > doc.lines) return [];
  const start = doc.line(line).from + cutAt;
  if (doc.sliceString(start, start + text.length) !== text) return [];
  return ranges.filter(([from, to]) => to > from).map(([from, to]) => ({ from: start + from, to: start + to }));
}
