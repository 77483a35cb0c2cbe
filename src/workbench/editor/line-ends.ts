import { EditorSelection, EditorState, type Extension, type SelectionRange, Text } from '@codemirror/state';
import { EditorView, highlightSpecialChars } from '@codemirror/view';

const carriageReturn = 13;

/** Whether a place is between a carriage return and its line feed. */
function isAmidBreak(doc: Text, at: number): boolean {
  return at > 0 && at < doc.length && doc.sliceString(at - 1, at + 1) === '\r\n';
}

// At the end of a line stands whoever goes there before its carriage return: what is typed behind it would break the line in two.
const caretBeforeReturn = EditorState.transactionFilter.of((transaction) => {
  const { selection, startState, docChanged } = transaction;
  if (selection === undefined || docChanged) return transaction;
  const { doc } = startState;
  const stood = startState.selection.ranges;
  const byPointer = transaction.isUserEvent('select.pointer');
  const isMoved = ({ head }: SelectionRange): boolean =>
    isAmidBreak(doc, head) && (byPointer || !stood.some((before) => before.head === head - 1));
  if (!selection.ranges.some(isMoved)) return transaction;
  const ranges = selection.ranges.map((range) => {
    if (!isMoved(range)) return range;
    return range.empty ? EditorSelection.cursor(range.head - 1) : EditorSelection.range(range.anchor, range.head - 1);
  });
  return [transaction, { selection: EditorSelection.create(ranges, selection.mainIndex) }];
});

/** As the editor draws control characters by itself, but a carriage return less loud: as an end of a line it does no harm. */
function drawSpecial(code: number, description: string | null, sign: string): HTMLElement {
  const drawn = document.createElement('span');
  const isReturn = code === carriageReturn;
  drawn.className = isReturn ? 'cm-return' : 'cm-specialChar';
  drawn.textContent = isReturn ? '↵' : sign;
  drawn.title = description ?? '';
  drawn.setAttribute('aria-label', description ?? '');
  return drawn;
}

/**
 * Line feeds alone end a line, so that a place in the editor is the same place in the shared text, where other editors may
 * type carriage returns. Those are drawn faintly; nothing that is pasted or dropped here brings any.
 */
export const lineEnds: Extension = [
  EditorState.lineSeparator.of('\n'),
  EditorView.clipboardInputFilter.of((text) => text.replace(/\r\n?/g, '\n')),
  caretBeforeReturn,
  highlightSpecialChars({ render: drawSpecial }),
  EditorView.baseTheme({ '.cm-return': { color: 'var(--ed-gutter)' } }),
];

/** The same lines without the carriage returns at their ends. */
export function withoutReturns(doc: Text): Text {
  const lines = doc.toJSON();
  return lines.some((line) => line.endsWith('\r')) ? Text.of(lines.map((line) => line.replace(/\r$/, ''))) : doc;
}
