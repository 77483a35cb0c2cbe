import type { Extension, Text } from '@codemirror/state';
import { Decoration, EditorView } from '@codemirror/view';
import type { Problem } from '../problems/problem.ts';
import { TextMarks } from './text-marks.ts';

type MarkedProblem = Pick<Problem, 'severity' | 'text' | 'line' | 'column'>;

const marks = new TextMarks();

/** Underlines what is wrong, and takes the marks along when the text moves. */
export const problemMarks: Extension = [
  marks.field,
  EditorView.baseTheme({
    '.cm-problem': { textDecoration: 'underline wavy 1px', textUnderlineOffset: '3px', textDecorationSkipInk: 'none' },
    '.cm-problem-error': { textDecorationColor: 'var(--bad)' },
    '.cm-problem-warning': { textDecorationColor: 'var(--warn)' },
  }),
];

export function showProblems(view: EditorView, problems: readonly MarkedProblem[]): void {
  const { doc } = view.state;
  marks.show(
    view,
    problems.flatMap((problem) => {
      const place = placeOf(problem, doc);
      if (place === undefined) return [];
      const mark = Decoration.mark({ class: `cm-problem cm-problem-${problem.severity}`, attributes: { title: problem.text } });
      return [mark.range(place.from, place.to)];
    }),
  );
}

/** The word at the column, else all of the line that is no space; undefined: there is nothing there. */
export function placeOf({ line, column }: Pick<MarkedProblem, 'line' | 'column'>, doc: Text): { from: number; to: number } | undefined {
  if (line === undefined || line > doc.lines) return undefined;
  const { from, text } = doc.line(line);
  const whole = { start: text.length - text.trimStart().length, end: text.trimEnd().length };
  const at = column === undefined ? undefined : column - 1;
  const word = at === undefined ? undefined : /^(?:[\p{L}\p{N}_$]+|\S)/u.exec(text.slice(at))?.[0];
  const [start, end] = at === undefined || word === undefined ? [whole.start, whole.end] : [at, at + word.length];
  return end > start ? { from: from + start, to: from + end } : undefined;
}
