import { getChunks, goToNextChunk, goToPreviousChunk, MergeView, unifiedMergeView } from '@codemirror/merge';
import { EditorState, type Extension, RangeSet, type Text } from '@codemirror/state';
import { EditorView, gutter, GutterMarker, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view';
import { defaultKeymap } from '@codemirror/commands';
import { search, searchKeymap } from '@codemirror/search';
import type { Grammar } from '../documents/file-kinds.ts';
import { editorTheme } from '../editor/editor-theme.ts';
import { loadGrammar } from '../editor/grammars.ts';
import type { HunkLines } from './hunk-lines.ts';
import { countLines, drawnChanges, type LineCount, textChanges } from './text-changes.ts';

export interface DiffCounts extends LineCount {
  changes: number;
}

/** Where one is among the changes. */
export interface DiffPlace {
  /** Of the change that the caret is in or behind, from 0; -1 before the first. */
  index: number;
  /** Of the caret in the newer text, from 1. */
  line: number;
  /** Changes that were on the screen. */
  viewed: number;
}

export interface DiffView {
  readonly counts: DiffCounts;
  next(): void;
  previous(): void;
  focus(): void;
  destroy(): void;
}

export interface HunkAction {
  icon: string;
  label: string;
  run: (hunk: string) => void;
}

export interface DiffOptions {
  before: string;
  after: string;
  names: { before: string; after: string };
  grammar: Grammar | undefined;
  sideBySide: boolean;
  wrap: boolean;
  /** Beside the first changed line of each hunk stand the actions. */
  hunks: readonly HunkLines[];
  actions: readonly HunkAction[];
  onPlace: (place: DiffPlace) => void;
}

const collapseUnchanged = { margin: 3, minSize: 6 };

/** Two texts side by side, or one below the other, with what they share folded away. */
export async function createDiff(host: HTMLElement, options: DiffOptions): Promise<DiffView> {
  const grammar = options.grammar === undefined ? [] : await loadGrammar(options.grammar);
  const shared = (label: string): Extension => [
    lineNumbers(),
    highlightSpecialChars(),
    search({ top: true }),
    keymap.of([{ key: 'F7', run: goToNextChunk }, { key: 'Shift-F7', run: goToPreviousChunk }, ...searchKeymap, ...defaultKeymap]),
    EditorState.readOnly.of(true),
    // It has the focus by itself; said, so that it is seen to scroll by keys.
    EditorView.contentAttributes.of({ 'aria-label': label, 'aria-readonly': 'true', tabindex: '0' }),
    options.wrap ? EditorView.lineWrapping : [],
    grammar,
    editorTheme,
  ];
  const { before, after, names } = options;
  const changes = textChanges(before, after);
  const [old, now] = [before, after].map((text) => EditorState.create({ doc: text }).doc) as [Text, Text];
  // What is given is written to.
  const diffConfig = { override: () => drawnChanges(changes, old, now) };
  // Not before both sides are there.
  let tell = (): void => undefined;
  const newer = [hunkGutter(options), placeListener(() => tell())];
  const merge = options.sideBySide
    ? new MergeView({
        a: { doc: old, extensions: shared(names.before) },
        b: { doc: now, extensions: [newer, shared(names.after)] },
        parent: host,
        gutter: true,
        collapseUnchanged,
        diffConfig,
      })
    : undefined;
  const view =
    merge?.b ??
    new EditorView({
      parent: host,
      doc: now,
      extensions: [
        newer,
        // Nothing is drawn as one empty line, which is none that went.
        old.length === 0 ? EditorView.editorAttributes.of({ class: 'cm-from-none' }) : [],
        shared(names.after),
        unifiedMergeView({
          original: old,
          mergeControls: false,
          gutter: true,
          collapseUnchanged,
          diffConfig,
          syntaxHighlightDeletions: true,
        }),
      ],
    });
  const scroller = merge?.dom ?? view.scrollDOM;
  const viewed = new Set<number>();
  tell = (): void => {
    look(view, scroller, viewed);
    const { head } = view.state.selection.main;
    const index = chunksOf(view).findLastIndex(({ fromB }) => fromB <= head);
    options.onPlace({ index, line: view.state.doc.lineAt(head).number, viewed: viewed.size });
  };
  let frame: number | undefined;
  const onScroll = (): void => {
    frame ??= requestAnimationFrame(() => {
      frame = undefined;
      tell();
    });
  };
  scroller.addEventListener('scroll', onScroll, { passive: true });
  const [first] = chunksOf(view);
  if (first !== undefined) view.dispatch({ selection: { anchor: Math.min(first.fromB, view.state.doc.length) } });
  // Once it is laid out.
  onScroll();
  return {
    counts: { changes: chunksOf(view).length, ...countLines(changes, old, now) },
    next: () => goToNextChunk(view),
    previous: () => goToPreviousChunk(view),
    focus: () => view.focus(),
    destroy: () => {
      if (frame !== undefined) cancelAnimationFrame(frame);
      scroller.removeEventListener('scroll', onScroll);
      (merge ?? view).destroy();
    },
  };
}

function chunksOf(view: EditorView): readonly { fromB: number; endB: number }[] {
  return getChunks(view.state)?.chunks ?? [];
}

/** Takes note of the changes that can be seen now. */
function look(view: EditorView, scroller: HTMLElement, viewed: Set<number>): void {
  const box = scroller.getBoundingClientRect();
  if (box.height === 0) return;
  const first = view.lineBlockAtHeight(box.top - view.documentTop).from;
  const last = view.lineBlockAtHeight(box.bottom - view.documentTop).to;
  for (const [index, { fromB, endB }] of chunksOf(view).entries()) {
    if (fromB > last) break;
    if (Math.max(fromB, endB) >= first) viewed.add(index);
  }
}

function placeListener(tell: () => void): Extension {
  return EditorView.updateListener.of((update) => {
    if (update.selectionSet || update.geometryChanged) tell();
  });
}

/** For the pointer only: by keys, the buttons above the comparison do the same where the caret is. */
class HunkMarker extends GutterMarker {
  readonly #hunk: string;
  readonly #actions: readonly HunkAction[];

  constructor(hunk: string, actions: readonly HunkAction[]) {
    super();
    this.#hunk = hunk;
    this.#actions = actions;
  }

  override toDOM(): HTMLElement {
    const box = document.createElement('span');
    box.className = 'hunk-acts';
    for (const { icon, label, run } of this.#actions) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'ib';
      button.tabIndex = -1;
      button.title = label;
      button.innerHTML = `<svg class="i s" aria-hidden="true"><use href="#i-${icon}"/></svg>`;
      button.addEventListener('mousedown', (event) => event.preventDefault());
      button.addEventListener('click', () => run(this.#hunk));
      box.append(button);
    }
    return box;
  }
}

function hunkGutter({ hunks, actions }: DiffOptions): Extension {
  if (hunks.length === 0 || actions.length === 0) return [];
  const markersIn = (doc: Text): RangeSet<GutterMarker> => {
    const markers = hunks.map(({ id, first }) => {
      const { from } = doc.line(Math.min(Math.max(first, 1), doc.lines));
      return new HunkMarker(id, actions).range(from);
    });
    return RangeSet.of(markers, true);
  };
  // Nothing is written here: made once, however many there are.
  let markers: RangeSet<GutterMarker> | undefined;
  return gutter({ class: 'cm-hunks', markers: (view) => (markers ??= markersIn(view.state.doc)) });
}
