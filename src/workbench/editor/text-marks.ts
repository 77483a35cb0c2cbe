import { type Range, StateEffect, StateField } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView } from '@codemirror/view';

/** Marks of one kind in the texts of editors, which go along when the text moves. */
export class TextMarks {
  readonly field: StateField<DecorationSet>;
  readonly #set = StateEffect.define<DecorationSet>();

  constructor() {
    this.field = StateField.define<DecorationSet>({
      create: () => Decoration.none,
      update: (value, transaction) => {
        const set = transaction.effects.find((effect) => effect.is(this.#set));
        return set === undefined ? value.map(transaction.changes) : (set.value as DecorationSet);
      },
      provide: (field) => EditorView.decorations.from(field),
    });
  }

  /** Where those are that were shown and whose text is still there. */
  places(view: EditorView): ReadonlyMap<Decoration, { from: number; to: number }> {
    const places = new Map<Decoration, { from: number; to: number }>();
    view.state.field(this.field).between(0, view.state.doc.length, (from, to, mark) => void places.set(mark, { from, to }));
    return places;
  }

  /** In place of those that are there. */
  show(view: EditorView, marks: readonly Range<Decoration>[]): void {
    if (marks.length === 0 && view.state.field(this.field).size === 0) return;
    view.dispatch({ effects: this.#set.of(Decoration.set([...marks], true)) });
  }
}
