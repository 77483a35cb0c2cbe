import { computed } from '@preact/signals';
import { defaultKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language';
import {
  getSearchQuery,
  highlightSelectionMatches,
  openSearchPanel,
  search,
  searchKeymap,
  SearchQuery,
  setSearchQuery,
} from '@codemirror/search';
import { Compartment, EditorState, type Extension, Transaction } from '@codemirror/state';
import {
  crosshairCursor,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  type KeyBinding,
  keymap,
  lineNumbers,
  type Panel,
  rectangularSelection,
} from '@codemirror/view';
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
import type { Actor } from '../actor.ts';
import type { DocumentSession } from '../documents/document-session.ts';
import { fileKind, type Grammar } from '../documents/file-kinds.ts';
import { nameOf } from '../file-paths.ts';
import { changeBars } from './change-bars.ts';
import { editorTheme } from './editor-theme.ts';
import { loadGrammar } from './grammars.ts';
import { hangingIndent } from './hanging-indent.ts';
import { indentStyle, sayIndent } from './indent-style.ts';
import { lineEnds } from './line-ends.ts';
import { problemMarks } from './problem-marks.ts';
import { type RemoteCaret, remoteCarets } from './remote-carets.ts';
import type { EditorFacts } from './editor-facts.ts';
import { scopeTrail } from './scope-trail.ts';
import { searchMarks } from './search-marks.ts';
import { lateCode } from '../late-code.ts';

export interface EditorOptions {
  /** What finds and replaces in the text; made each time it is opened. */
  findBar: (view: EditorView) => Panel;
  colorOf: (actor: Actor) => number;
  onFacts: (facts: EditorFacts) => void;
  onCarets: (carets: readonly RemoteCaret[]) => void;
  /** The person here changed the text. */
  onTyped: () => void;
  /** Long lines are broken where the window ends. */
  wrap: boolean;
  /** Spaces a step where the text does not say; undefined: as is usual in the language. */
  indentWidth: number | undefined;
}

// Ctrl G goes to a line here, by the page's own field; F3 finds on.
const findKeys = searchKeymap
  .filter(({ key }) => key !== 'Mod-g' && key !== 'Mod-Alt-g')
  .map((binding) => (binding.key === 'Mod-f' ? { ...binding, run: openFind } : binding));
/** Yjs asks no editor whether the text may be changed. */
const undoKeys = yUndoManagerKeymap.map(
  (binding): KeyBinding => ({ ...binding, run: (view) => view.state.readOnly || binding.run?.(view) === true }),
);
/** The key that runs: where nothing can be run it does nothing, and writes no line. */
const runKeys: readonly KeyBinding[] = [{ key: 'Mod-Enter', run: () => true }];
const wrapping = new Compartment();
const indenting = new Compartment();
const trailPauseMs = 120;
/** Characters that tell how a text is indented. */
const looksAt = 100_000;

/** The editor of a session. It goes on taking edits of others while it is not shown. */
export function createEditor(session: DocumentSession, options: EditorOptions): EditorView {
  const language = new Compartment();
  const access = new Compartment();
  const content = session.text.toString();
  let timer: ReturnType<typeof setTimeout> | undefined;

  const tell = (view: EditorView, trail: readonly string[]): void => {
    const { state } = view;
    const { main } = state.selection;
    const line = state.doc.lineAt(main.head);
    options.onFacts({
      line: line.number,
      column: main.head - line.from + 1,
      selected: state.selection.ranges.reduce((sum, { from, to }) => sum + to - from, 0),
      trail,
      indent: sayIndent(state.facet(indentUnit)),
      lines: state.doc.lines,
    });
  };
  let trail: readonly string[] = [];
  const tellTrail = (view: EditorView): void => {
    trail = scopeTrail(view.state, view.state.selection.main.head);
    tell(view, trail);
  };

  const view = new EditorView({
    state: EditorState.create({
      doc: content,
      extensions: [
        lineNumbers(),
        changeBars,
        lineEnds,
        foldGutter({ openText: '⌄', closedText: '›' }),
        drawSelection({ cursorBlinkRate: reducedMotion() ? 0 : 1100 }),
        dropCursor(),
        EditorState.allowMultipleSelections.of(true),
        indentOnInput(),
        bracketMatching(),
        rectangularSelection(),
        crosshairCursor(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        highlightSelectionMatches(),
        searchMarks,
        problemMarks,
        search({ createPanel: options.findBar }),
        indenting.of(indentation(content, session.path.value, options.indentWidth)),
        keymap.of([...undoKeys, ...findKeys, ...foldKeymap, ...runKeys, ...defaultKeymap, indentWithTab]),
        yCollab(session.text, null, { undoManager: session.undo }),
        remoteCarets({ awareness: session.awareness, text: session.text, colorOf: options.colorOf, onCarets: options.onCarets }),
        access.of([]),
        EditorView.editable.of(true),
        EditorView.contentAttributes.of({
          // It has the focus by itself; said, so that it is seen to scroll by keys.
          tabindex: '0',
          spellcheck: 'false',
          autocorrect: 'off',
          autocapitalize: 'off',
        }),
        wrapping.of(options.wrap ? hangingIndent : []),
        language.of([]),
        editorTheme,
        EditorView.updateListener.of((update) => {
          if (!update.docChanged && !update.selectionSet) return;
          if (update.docChanged && update.transactions.some((one) => one.annotation(Transaction.userEvent) !== undefined))
            options.onTyped();
          tell(update.view, trail);
          clearTimeout(timer);
          timer = setTimeout(() => tellTrail(update.view), trailPauseMs);
        }),
      ],
    }),
  });
  tell(view, trail);
  const speak = async (grammar: Grammar | undefined): Promise<void> => {
    const isWanted = (): boolean => fileKind(session.path.value).grammar === grammar && !session.doc.isDestroyed;
    const support = grammar === undefined ? [] : await lateCode(() => loadGrammar(grammar), isWanted);
    if (support === undefined || !isWanted()) return;
    view.dispatch({ effects: language.reconfigure(support) });
    tellTrail(view);
  };
  // The view ends with the session, and these with both.
  computed(() => accessOf(session)).subscribe((now) => view.dispatch({ effects: access.reconfigure(now) }));
  computed(() => fileKind(session.path.value).grammar).subscribe((grammar) => void speak(grammar));
  return view;
}

/** What the file is called, and whether it may be changed: both can become another while it is open. */
function accessOf({ path, readOnly }: DocumentSession): Extension {
  const attributes = { 'aria-label': nameOf(path.value), 'aria-readonly': String(readOnly.value) };
  return [EditorState.readOnly.of(readOnly.value), EditorView.contentAttributes.of(attributes)];
}

/** Finds what is chosen. What it is to be replaced with stays. */
export function openFind(view: EditorView): boolean {
  const { replace } = getSearchQuery(view.state);
  openSearchPanel(view);
  const { search: sought, caseSensitive, wholeWord, regexp } = getSearchQuery(view.state);
  view.dispatch({ effects: setSearchQuery.of(new SearchQuery({ search: sought, replace, caseSensitive, wholeWord, regexp })) });
  return true;
}

export function setWrap(view: EditorView, wrap: boolean): void {
  view.dispatch({ effects: wrapping.reconfigure(wrap ? hangingIndent : []) });
}

export function setIndent(view: EditorView, path: string, width: number | undefined): void {
  // With a selection the bars around the editor hear of it.
  view.dispatch({
    effects: indenting.reconfigure(indentation(view.state.sliceDoc(0, looksAt), path, width)),
    selection: view.state.selection,
  });
}

/** Told from the text; where it does not say, as is preferred, or as is usual in its language. */
function indentation(text: string, path: string, width: number | undefined): Extension {
  const unit = indentStyle(text.slice(0, looksAt).split('\n', 500), width ?? (/\.(py|xml|html?)$/.test(path) ? 4 : 2));
  return [indentUnit.of(unit), EditorState.tabSize.of(unit === '\t' ? (width ?? 4) : unit.length)];
}

/** Puts the caret into a line, from 1, and the line into the middle; answers the line it came to. */
export function goToLine(view: EditorView, line: number, column = 1): number {
  const { doc } = view.state;
  const found = doc.line(Math.min(Math.max(line, 1), doc.lines));
  const at = Math.min(found.from + column - 1, found.to);
  view.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: 'center' }) });
  return found.number;
}

function reducedMotion(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
