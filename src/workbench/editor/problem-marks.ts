import type { Extension, Text } from '@codemirror/state';
import { Decoration, EditorView } from '@codemirror/view';
import type { Problem } from '../problems/problem.ts';
import { TextMarks } from './text-marks.ts';

type MarkedProblem = Pick<Problem, 'severity' | 'text' | 'line' | 'column' | 'from'>;

const marks = new TextMarks();
/** What got a mark in each view. */
const marked = new WeakMap<EditorView, readonly Mark[]>();

interface Mark {
  problem: MarkedProblem;
  decoration: Decoration;
}

/** Underlines what is wrong, and takes the marks along when the text moves. */
export const problemMarks: Extension = [
  marks.field,
  EditorView.baseTheme({
    '.cm-problem': { textDecoration: 'underline wavy 1px', textUnderlineOffset: '3px', textDecorationSkipInk: 'none' },
    '.cm-problem-error': { textDecorationColor: 'var(--bad)' },
    '.cm-problem-warning': { textDecorationColor: 'var(--warn)' },
  }),
];

/** A line number is of the text as it was when it was said: what has a mark keeps that, or is without one where its text was taken out. */
export function showProblems(view: EditorView, problems: readonly MarkedProblem[]): void {
  const { doc } = view.state;
  const before = marked.get(view) ?? [];
  const places = marks.places(view);
  const now: Mark[] = [];
  const ranges = problems.flatMap((problem) => {
    const known = before.find((mark) => isSame(mark.problem, problem));
    const place = known === undefined ? placeOf(problem, doc) : places.get(known.decoration);
    if (known === undefined && place === undefined) return [];
    const attributes = { title: problem.text };
    const decoration = known?.decoration ?? Decoration.mark({ class: `cm-problem cm-problem-${problem.severity}`, attributes });
    now.push({ problem, decoration });
    return place === undefined ? [] : [decoration.range(place.from, place.to)];
  });
  marked.set(view, now);
  marks.show(view, ranges);
}

/** Said once: a problem follows its file to another name as another object. */
function isSame(one: MarkedProblem, other: MarkedProblem): boolean {
  return one.from === other.from && one.line === other.line && one.column === other.column && one.text === other.text;
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
