import { getChunks, goToNextChunk, goToPreviousChunk, MergeView, unifiedMergeView } from '@codemirror/merge';
import { EditorState, type Extension } from '@codemirror/state';
import { EditorView, highlightSpecialChars, keymap, lineNumbers } from '@codemirror/view';
import { defaultKeymap } from '@codemirror/commands';
import { search, searchKeymap } from '@codemirror/search';
import type { Grammar } from '../documents/file-kinds.ts';
import { editorTheme } from '../editor/editor-theme.ts';
import { loadGrammar } from '../editor/grammars.ts';

export interface DiffCounts {
  changes: number;
  added: number;
  removed: number;
}

export interface DiffView {
  readonly counts: DiffCounts;
  next(): void;
  previous(): void;
  focus(): void;
  destroy(): void;
}

export interface DiffOptions {
  before: string;
  after: string;
  names: { before: string; after: string };
  grammar: Grammar | undefined;
  sideBySide: boolean;
  wrap: boolean;
}

const collapseUnchanged = { margin: 3, minSize: 6 };
const config = { scanLimit: 2_000, timeout: 300 };

/** Two texts side by side, or one below the other, with what they share folded away. */
export async function createDiff(host: HTMLElement, options: DiffOptions): Promise<DiffView> {
  const grammar = options.grammar === undefined ? [] : await loadGrammar(options.grammar);
  const shared = (label: string): Extension => [
    lineNumbers(),
    highlightSpecialChars(),
    search({ top: true }),
    keymap.of([{ key: 'F7', run: goToNextChunk }, { key: 'Shift-F7', run: goToPreviousChunk }, ...searchKeymap, ...defaultKeymap]),
    EditorState.readOnly.of(true),
    EditorView.contentAttributes.of({ 'aria-label': label, 'aria-readonly': 'true' }),
    options.wrap ? EditorView.lineWrapping : [],
    grammar,
    editorTheme,
  ];
  const { before, after, names } = options;
  const merge = options.sideBySide
    ? new MergeView({
        a: { doc: before, extensions: shared(names.before) },
        b: { doc: after, extensions: shared(names.after) },
        parent: host,
        gutter: true,
        collapseUnchanged,
        diffConfig: config,
      })
    : undefined;
  const view =
    merge?.b ??
    new EditorView({
      parent: host,
      doc: after,
      extensions: [
        shared(names.after),
        unifiedMergeView({
          original: before,
          mergeControls: false,
          gutter: true,
          collapseUnchanged,
          diffConfig: config,
          syntaxHighlightDeletions: true,
        }),
      ],
    });
  return {
    counts: countLines(view.state, before),
    next: () => goToNextChunk(view),
    previous: () => goToPreviousChunk(view),
    focus: () => view.focus(),
    destroy: () => (merge ?? view).destroy(),
  };
}

function countLines(state: EditorState, before: string): DiffCounts {
  const chunks = getChunks(state)?.chunks ?? [];
  const old = EditorState.create({ doc: before }).doc;
  let added = 0;
  let removed = 0;
  for (const { fromA, toA, endA, fromB, toB, endB } of chunks) {
    if (toB > fromB) added += state.doc.lineAt(Math.min(endB, state.doc.length)).number - state.doc.lineAt(fromB).number + 1;
    if (toA > fromA) removed += old.lineAt(Math.min(endA, old.length)).number - old.lineAt(fromA).number + 1;
  }
  return { changes: chunks.length, added, removed };
}
