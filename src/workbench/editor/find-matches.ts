import type { SearchQuery } from '@codemirror/search';
import type { EditorState } from '@codemirror/state';

/** Where a text is found, in its order; `more`: there is more than was counted. */
export interface Matches {
  places: readonly { from: number; to: number }[];
  more: boolean;
}

const mostCounted = 1_000;
/** Characters that one step looks at: a few milliseconds. */
const stepLength = 32_768;
/** Characters that a match of an expression may go on after a step. */
const longestMatch = 1_000;

/** Goes through a text in steps, between which the page can do something else; the query has to be valid. */
export function* matchesOf(query: SearchQuery, state: EditorState): Generator<undefined, Matches> {
  const { doc } = state;
  const { regexp, wholeWord, search } = query;
  const places: { from: number; to: number }[] = [];
  // The editor compares characters taken apart, as é into e and its accent.
  const reach = regexp ? longestMatch : search.normalize('NFKD').length;
  // What begins or ends a line or a word is told from whole lines: else a step's own ends would.
  const end = (at: number): number => (at >= doc.length ? doc.length : regexp || wholeWord ? doc.lineAt(at).to : at);
  for (let from = 0; ; ) {
    const to = end(from + stepLength);
    const cursor = query.getCursor(state, from, end(to + reach));
    from = to;
    for (let step = cursor.next(); step.done !== true; step = cursor.next()) {
      const { value: place } = step;
      if (place.from >= to && to < doc.length) break;
      if (places.length === mostCounted) return { places, more: true };
      places.push({ from: place.from, to: place.to });
      from = Math.max(to, place.to);
    }
    if (to >= doc.length) return { places, more: false };
    yield undefined;
  }
}

/** How many there are, and which of them is chosen. */
export function sayMatches({ places, more }: Matches, chosen: { from: number; to: number }): string {
  const total = places.length.toLocaleString('en') + (more ? '+' : '');
  const at = places.findIndex(({ from, to }) => from === chosen.from && to === chosen.to);
  if (at >= 0) return `${(at + 1).toLocaleString('en')} of ${total}`;
  if (places.length === 0) return 'No results';
  return `${total} ${total === '1' ? 'result' : 'results'}`;
}

/** What is wrong with an expression, as a sentence; undefined where nothing is. */
export function expressionProblem({ search, regexp, valid }: SearchQuery): string | undefined {
  if (!regexp || valid || search === '') return undefined;
  try {
    // As the editor's own search reads it.
    new RegExp(search, 'gmu');
    return undefined;
  } catch (error) {
    const words = error instanceof Error ? error.message : '';
    // Most browsers begin with what this says itself; Firefox does not, and ends some with a full stop.
    const why = words
      .slice(words.lastIndexOf(': ') + 1)
      .trim()
      .replace(/\.$/, '');
    return `Not a regular expression: ${why.charAt(0).toLowerCase()}${why.slice(1)}.`;
  }
}
