import { StateEffect, StateField } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, WidgetType } from '@codemirror/view';

const say = StateEffect.define<{ text: string; at: number } | undefined>();

class Note extends WidgetType {
  readonly #text: string;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  override toDOM(): HTMLElement {
    const note = document.createElement('span');
    note.className = 'cm-blame';
    note.setAttribute('aria-hidden', 'true');
    note.textContent = this.#text;
    return note;
  }

  override eq(other: Note): boolean {
    return other.#text === this.#text;
  }
}

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    let next = transaction.docChanged ? Decoration.none : shown;
    for (const effect of transaction.effects) {
      if (!effect.is(say)) continue;
      const { value } = effect;
      next =
        value === undefined
          ? Decoration.none
          : Decoration.set(Decoration.widget({ widget: new Note(value.text), side: 1 }).range(value.at));
    }
    return next;
  },
  provide: (from) => EditorView.decorations.from(from),
});

/** Puts a note behind the last letter of a line, from 1; takes it away without a text. */
export function showBlame(view: EditorView, text: string | undefined, line: number): void {
  const value = text === undefined ? undefined : { text, at: view.state.doc.line(Math.min(line, view.state.doc.lines)).to };
  const isKnown = view.state.field(field, false) !== undefined;
  view.dispatch({ effects: [...(isKnown ? [] : [StateEffect.appendConfig.of(field)]), say.of(value)] });
}
