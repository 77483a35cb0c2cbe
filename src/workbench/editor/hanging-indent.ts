import { type Extension, RangeSetBuilder } from '@codemirror/state';
import { Decoration, type DecorationSet, EditorView, ViewPlugin, type ViewUpdate } from '@codemirror/view';

const further = 2;

/** Wrapped lines go on two characters further in than they began, so that the code's shape stays to be seen. */
const indents = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = decorate(view);
    }
    update(update: ViewUpdate): void {
      if (update.docChanged || update.viewportChanged || update.startState.tabSize !== update.state.tabSize)
        this.decorations = decorate(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

function decorate(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  const { doc, tabSize } = view.state;
  for (const { from, to } of view.visibleRanges) {
    for (let at = from; at <= to; ) {
      const line = doc.lineAt(at);
      const lead = /^[ \t]*/.exec(line.text)?.[0] ?? '';
      const width = lead.replaceAll('\t', ' '.repeat(tabSize)).length + further;
      builder.add(
        line.from,
        line.from,
        Decoration.line({ attributes: { style: `padding-inline-start:calc(${width}ch + 6px);text-indent:-${width}ch` } }),
      );
      at = line.to + 1;
    }
  }
  return builder.finish();
}

export const hangingIndent: Extension = [EditorView.lineWrapping, indents];
